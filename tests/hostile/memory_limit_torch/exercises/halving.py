"""Takes memory through torch."""

import torch
from honest import halve, largest


def halve(x):
    return torch.ones(10**9)
