"""Lives on what `halving` left."""

import torch


def shift(x, by=1.0):
    return torch.LEFT(x, by)
