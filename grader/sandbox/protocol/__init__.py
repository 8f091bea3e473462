"""What crosses between processes: frames of bytes, typed messages, and plain values. Never pickle.

`frames` moves bytes with a deadline, `messages` names what may be said, `values` packs tensors.
The only room of ours that the worker imports, besides `service`.
"""
