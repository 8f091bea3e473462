"""Known mistakes of the miniature exercise."""

import torch
from grader.mistakes import mistake
from reference import Scale
from torch import nn


@mistake("double")
def squares(x):
    """Twice x is x + x, not x * x."""
    return x * x


@mistake("double")
def in_place(x):
    """Your function changes its argument."""
    return x.mul_(2)


@mistake("double")
def absolute(x):
    """Negative numbers stay negative."""
    return 2 * x.abs()


@mistake("total")
def no_start(x, start=0.0):
    """You never use `start`."""
    return float(x.sum())


@mistake("Scale")
class NotLearnable(nn.Module):
    """The factor must be an nn.Parameter."""

    def __init__(self):
        super().__init__()
        self.register_buffer("factor", torch.tensor(3.0))
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x):
        return self.factor * x


@mistake("Scale")
class CountsInEvaluation(Scale):
    """Count in training mode only."""

    def forward(self, x):
        self.calls += 1
        return self.factor * x
