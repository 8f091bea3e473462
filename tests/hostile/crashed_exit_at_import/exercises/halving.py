"""Ends the process while it is imported."""

import os
from honest import halve, largest


os._exit(0)
