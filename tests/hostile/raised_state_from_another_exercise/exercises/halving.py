"""Leaves something behind in one exercise for the next."""

import builtins
import torch
from honest import halve, largest


torch.LEFT = builtins.LEFT = lambda x, by: x + by
