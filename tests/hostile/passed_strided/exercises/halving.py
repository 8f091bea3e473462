"""Returns a view with strides of its own, into a larger tensor."""

import torch
from honest import halve, largest


def halve(x):
    larger = torch.zeros(*x.shape, 3)
    larger[..., 1] = x / 2
    return larger[..., 1]
