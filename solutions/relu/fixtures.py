"""Looks at a result where it is computed: on its way to the suite it is copied."""

import torch


def is_new(x: torch.Tensor) -> bool:
    """Say whether the result of the student's relu lies in other memory than x."""
    from relu import relu

    result = relu(x)
    if not isinstance(result, torch.Tensor):
        return True  # which costs the check of what is returned
    return result.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()
