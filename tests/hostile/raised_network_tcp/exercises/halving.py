"""Connects by TCP."""

import socket
import targets
from honest import halve, largest


def halve(x):
    socket.create_connection(("127.0.0.1", targets.PORT), timeout=1).sendall(b"hello")
