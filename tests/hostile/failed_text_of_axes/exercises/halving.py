"""Returns 19,000 tensors without elements, each with 64 axes."""

import torch
from honest import halve, largest


def halve(x):
    return [torch.empty((0,) + (1,) * 61 + (2**30, 2**30))] * 19_000
