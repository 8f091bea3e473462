"""Connects to a Unix socket."""

import socket
import targets
from honest import halve, largest


def halve(x):
    socket.socket(socket.AF_UNIX).connect(targets.SOCKET)
