"""Returns a view that negates when it is read: a tensor like any other."""

import torch
from honest import halve, largest


def halve(x):
    return torch._neg_view(-x / 2)
