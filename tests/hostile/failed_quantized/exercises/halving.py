"""Returns a quantized tensor."""

import torch
from honest import halve, largest


def halve(x):
    return torch.quantize_per_tensor(x / 2, 0.1, 0, torch.qint8)
