"""Sends by UDP."""

import socket
import targets
from honest import halve, largest


def halve(x):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", ("127.0.0.1", targets.PORT))
