"""What crosses between processes: frames of bytes, typed messages, and plain values. Never pickle.

`frames` moves bytes with a deadline, `messages` defines the requests and replies, `values` packs tensors, `orders`
defines what the zygote and keepers exchange. The only package of `grader` that `worker` imports.
"""
