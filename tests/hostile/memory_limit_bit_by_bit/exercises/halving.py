"""Takes memory bit by bit."""

import torch

from honest import halve, largest


def halve(x):
    kept = []
    while True:
        kept.append(torch.empty(2**20, dtype=torch.uint8))
