"""Returns the module it lives in."""

import sys
from honest import halve, largest


def halve(x):
    return sys.modules[__name__]
