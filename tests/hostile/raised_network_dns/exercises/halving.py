"""Asks for a name."""

import socket
import targets
from honest import halve, largest


def halve(x):
    socket.getaddrinfo("example.com", 80)
