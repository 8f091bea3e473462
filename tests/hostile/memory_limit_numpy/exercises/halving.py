"""Takes memory through numpy."""

import numpy
from honest import halve, largest


def halve(x):
    return numpy.ones(10**9)
