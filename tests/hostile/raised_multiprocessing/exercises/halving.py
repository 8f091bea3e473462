"""Starts a pool."""

import multiprocessing
from honest import halve, largest


def halve(x):
    multiprocessing.Pool(2)
