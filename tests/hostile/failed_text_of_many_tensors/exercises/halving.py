"""Returns a list whose text, tensor by tensor, would be 12 MB."""

import torch
from honest import halve, largest


def halve(x):
    return [torch.full((8, 8), -1.2345678e-30)] * 15_000
