"""The host processes, each of which holds what many gradings share, ready to be forked."""

import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from grader.grading.zygote.exercise_host import run_exercise_host
from grader.grading.zygote.forking import freeze_heap, run_child, send_order
from grader.sandbox.protocol.orders import ForkOrder, GradeOrder, Order
from grader.sandbox.worker import lockdown, operators
from grader.sandbox.worker.keeper import keep_workers

MAX_HOSTS = 64  # hosts at once, at most two for each exercise; each costs a few MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a host holds, in which version, and the function that it runs on its end of the connection.

    `name` is the name of the process.
    """

    name: str
    holds: str
    version: str
    run: Callable[[socket.socket], None]


class Hosts:
    """All hosts. Each is forked when it is first needed, and has no connection to another.

    Workers are never forked from a host that holds an exercise: what a worker inherits holds no course content.
    """

    def __init__(self, control: socket.socket) -> None:
        """`control` is the zygote's own socket, which no host may keep open."""
        self._control = control
        self._running: dict[tuple[str, str], tuple[str, socket.socket]] = {}

    def send(self, wanted: Host, order: Order, descriptors: list[int]) -> None:
        """Send an order to a host. One that has died, or holds another version, is replaced."""
        version, host = self._running.get((wanted.name, wanted.holds), ("", None))
        if host is not None and version == wanted.version:
            with contextlib.suppress(OSError):
                send_order(order, descriptors, host)
                return
        if host is not None:
            host.close()  # it ends once it has carried out its last order
        host = self._start(wanted, descriptors)
        with contextlib.suppress(OSError):
            # Where it died at once, the job's channel closes, which the command reads.
            send_order(order, descriptors, host)

    def _start(self, wanted: Host, descriptors: list[int]) -> socket.socket:
        self._running.pop((wanted.name, wanted.holds), None)
        if len(self._running) >= MAX_HOSTS:
            _, oldest = self._running.pop(next(iter(self._running)))
            oldest.close()
        own_end, host_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        if os.fork() == 0:
            for connection in (self._control, own_end, *(host for _, host in self._running.values())):
                connection.close()
            for (
                descriptor
            ) in descriptors:  # while the host held these open, the command would not see them close
                os.close(descriptor)
            run_child(wanted.name, partial(wanted.run, host_end), parent=parent)
        host_end.close()
        self._running[wanted.name, wanted.holds] = (wanted.version, own_end)
        return own_end


def exercise_host(order: GradeOrder, *, many: bool) -> Host:
    """Return the host of an exercise."""
    run = partial(run_exercise_host, order=order, many=many)
    return Host(name="grade host", holds=order.suite, version=order.version, run=run)


def bans_host(order: ForkOrder, confinement: lockdown.Confinement, warmed: set[str]) -> Host:
    """Return the host of a set of banned operators. What was warmed in the zygote later is warm only in a new host."""
    run = partial(_run_bans_host, banned=order.worker.banned_operators, confinement=confinement)
    banned = " ".join(order.worker.banned_operators)
    return Host(name="grade bans", holds=banned, version=" ".join(sorted(warmed)), run=run)


def _run_bans_host(
    control: socket.socket, *, banned: tuple[str, ...], confinement: lockdown.Confinement
) -> None:
    """Ban operators once, for all workers to come."""
    try:
        operators.ban(banned)
    except ValueError:
        banned = ()  # each worker then bans them itself, and reports why it cannot
    freeze_heap()
    keep_workers(control, banned, confinement)
