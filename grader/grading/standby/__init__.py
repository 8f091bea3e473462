"""A warm process that stays behind when a command ends, so that the next one need not import torch.

It belongs to one user, one installation and one isolation level, holds no submission, and ends by itself: after ten
idle minutes, when memory is short, or when its warm process has died. Commands reach it through a socket in a folder
that only the user may enter.
"""

from grader.grading.standby.client import connect, end, listed
from grader.grading.standby.place import IDLE_S

__all__ = ["IDLE_S", "connect", "end", "listed"]
