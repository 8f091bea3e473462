"""How the warm process forks: what it does before, what its children do first, and how orders reach them."""

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


def receive_order(control: socket.socket) -> tuple[Order | None, list[int]]:
    """Wait for an order, and the descriptors that come with it; None when every other end of `control` is closed."""
    data, descriptors, _, _ = socket.recv_fds(control, MAX_ORDER_BYTES, ORDER_DESCRIPTORS)
    return _orders.decode(data) if data else None, descriptors


def send_order(order: Order, descriptors: list[int], control: socket.socket) -> None:
    """Send an order to a child. Raises OSError where it has ended."""
    socket.send_fds(control, [msgspec.msgpack.encode(order)], descriptors)


def freeze_heap() -> None:
    """Collect garbage and freeze the rest, so that children share its pages; have the kernel reap the children."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()


def run_child(name: str, what: Callable[[], None], *, parent: int) -> NoReturn:
    """Run `what` in this fresh child, and exit. `name` is what `ps` shows; the child is killed when its parent ends."""
    status = 1
    try:
        linux.name_process(name)
        linux.die_with_parent()
        if os.getppid() != parent:
            os._exit(status)  # the parent ended before the call above
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        what()
        status = 0
    except BaseException:  # noqa: BLE001 - a child must never return into its parent's loop
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def thread_count() -> int:
    """Return how many threads this process has; with more than one it cannot be forked safely."""
    return len(list(Path("/proc/self/task").iterdir()))
