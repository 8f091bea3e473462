"""How a warm process forks: what it does before, what its children do first, and how orders reach them."""

import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import msgspec

from grader.sandbox.protocol.orders import MAX_ORDER_BYTES, ORDER_DESCRIPTORS, Order
from grader.sandbox.worker import linux

_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)


def receive(control: socket.socket) -> tuple[Order | None, list[int]]:
    """Wait for an order, and the descriptors that come with it; None where nobody is left who could send one."""
    data, descriptors, _, _ = socket.recv_fds(control, MAX_ORDER_BYTES, ORDER_DESCRIPTORS)
    return _orders.decode(data) if data else None, descriptors


def pass_on(order: Order, descriptors: list[int], control: socket.socket) -> None:
    """Hand an order to a child. Raises OSError where it has ended."""
    socket.send_fds(control, [msgspec.msgpack.encode(order)], descriptors)


def settle() -> None:
    """Keep what is here as it is, to be shared by everything that is forked from now on."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()


def become(name: str, what: Callable[[], None], *, parent: int) -> NoReturn:
    """Turn this fresh child into something else, and never return. `name` is what `ps` shows."""
    status = 1
    try:
        linux.name_process(name)
        linux.die_with_parent()
        if os.getppid() != parent:
            os._exit(status)  # it died before we asked to die with it
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        what()
        status = 0
    except BaseException:  # noqa: BLE001 - a child must never return into its parent's loop
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def threads() -> int:
    """Return how many threads this process has; one that has more than one cannot be forked safely."""
    return len(list(Path("/proc/self/task").iterdir()))
