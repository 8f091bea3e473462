"""Connects to an abstract socket."""

import socket
import targets
from honest import halve, largest


def halve(x):
    socket.socket(socket.AF_UNIX).connect("\0" + targets.ABSTRACT)
