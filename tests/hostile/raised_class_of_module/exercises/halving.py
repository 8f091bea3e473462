"""Gives the module a class that raises KeyboardInterrupt, which ends a program, for whatever is asked of it."""

import sys
from types import ModuleType

from honest import halve, largest


class Interrupting(ModuleType):
    def __getattribute__(self, name):
        raise KeyboardInterrupt


sys.modules[__name__].__class__ = Interrupting
