"""What the zygote and keepers receive and send: small messages that name no submission."""

import contextlib
import errno
import os
import socket
from collections.abc import Sequence
from typing import Literal

import msgspec

MAX_ORDER_BYTES = 64 * 1024
_MOST_DESCRIPTORS = 3  # file descriptors that are sent with an order
KEPT_OUTPUT_BYTES = 64 * 1024  # of what a worker prints; the rest is counted and dropped
Cause = Literal[
    "itself", "grader", "output_limit", "cpu_limit", "memory_limit", "thread_limit", "outside", "lost"
]
WORKER_FAILED = "a worker could not be started with it"
NO_PIDFD = "no process can be watched by a descriptor (pidfd_open)"
LAYERS = ("seccomp", "Landlock", "namespaces")  # what levels 1, 2 and 3 add


class _ControlStruct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class WorkerOrder(_ControlStruct, frozen=True, kw_only=True):
    """The limits and bans of the worker to start."""

    memory_limit_mib: int
    output_limit_kib: int
    cpu_limit_s: int = 120
    banned_operators: tuple[str, ...] = ()


class GradeOrder(_ControlStruct, frozen=True, kw_only=True, tag="grade"):
    """Fork a grading process; descriptors: its job channel, and an end of the zygote's control socket.

    It is forked from a process that has imported the suite, given by its path and by a `version` that changes with its
    files. Jobs that run side by side have different slots: their workers run on different cores.
    """

    suite: str
    version: str
    wall_limit_s: int
    slot: int = 0
    warm: tuple[str, ...] = ()


class ForkOrder(_ControlStruct, frozen=True, kw_only=True, tag="fork"):
    """Fork a worker; descriptors: a pipe to read from, one to write into, and a control channel to its keeper.

    The keeper reports on the control channel how the worker ended.
    """

    worker: WorkerOrder
    slot: int = 0


Order = GradeOrder | ForkOrder
_DESCRIPTORS: dict[type, int] = {GradeOrder: 2, ForkOrder: _MOST_DESCRIPTORS}
_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)


def send_order(order: Order, descriptors: Sequence[int], control: socket.socket) -> None:
    """Send an order and its descriptors. Raises OSError where the other end is closed."""
    socket.send_fds(control, [msgspec.msgpack.encode(order)], descriptors)


def receive_order(control: socket.socket) -> tuple[Order | None, list[int]]:
    """Wait for an order, and the descriptors that come with it; None when every other end of `control` is closed.

    Raises OSError where this process has too many files open: the kernel then drops descriptors of the order.
    """
    data, descriptors, _, _ = socket.recv_fds(control, MAX_ORDER_BYTES, _MOST_DESCRIPTORS)
    if not data:
        return None, descriptors
    order = _orders.decode(data)
    if len(descriptors) != _DESCRIPTORS[type(order)]:
        close_all(descriptors)
        raise OSError(errno.EMFILE, "an order came without its descriptors")
    return order, descriptors


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors; one that is closed already does not matter."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


class Missing(_ControlStruct, frozen=True, kw_only=True):
    """A layer that is unavailable here, and why; `code` is the name of the kernel's error, such as EPERM, or ""."""

    layer: str
    reason: str
    code: str = ""

    def __str__(self) -> str:
        return f"{self.layer}: {self.reason}"


class Ready(_ControlStruct, frozen=True, kw_only=True):
    """The zygote's only message: its imports are done, and these layers work on this machine."""

    level: int
    layers: tuple[str, ...]
    missing: tuple[Missing, ...]
    torch_version: str
    python_version: str


class Ending(_ControlStruct, frozen=True, kw_only=True):
    """How a worker ended, as its keeper saw it: the cause, the exit status or the signal, and what it printed.

    A SIGKILL that came neither from the grader nor from RLIMIT_CPU is "memory_limit" where the worker used enough
    memory to be the reason, else "outside": a locked-down worker cannot send itself one. `cause` is "lost" where the
    keeper could not start or watch the worker; `output` then is why.
    """

    cause: Cause = "grader"
    exit_status: int = 0
    signal: int = 0
    output: bytes = b""
    printed_bytes: int = 0
    cpu_s: float = 0.0
