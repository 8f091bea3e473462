"""Honest, among files that are not."""

import random

import torch
from honest import halve, largest

assert random.random
assert torch.ones
