"""What a command and a standby process say to each other: one request, one reply, then the connection stays open.

While the connection is open, the process does not end by itself.
"""

import os
import socket
import struct
from typing import Literal

import msgspec

from grader.sandbox.protocol.orders import Ready

MAX_BYTES = 2**16
Request = Literal["grade", "state", "end"]
_CREDENTIALS = struct.Struct("3i")  # of the kernel: process, user, group


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The reply to each request. With "grade" come two descriptors: the control socket, and the file of all stderrs."""

    ready: Ready
    process: int
    idle_s: float
    commands: int


def is_same_user(connection: socket.socket) -> bool:
    """Tell whether the process at the other end belongs to this user."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(found)
    return bool(user == os.geteuid())
