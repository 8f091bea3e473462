"""Returns a parameter."""

import torch
from honest import halve, largest


def halve(x):
    return torch.nn.Parameter(x / 2)
