"""Stores state in one exercise and reads it in the next."""

import builtins
import torch
from honest import halve, largest


torch.LEFT = builtins.LEFT = lambda x, by: x + by
