"""The processes that hold what many gradings share, ready to be forked."""

import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from grader.grading.zygote.exercise_host import hold_exercise
from grader.grading.zygote.forking import become, pass_on, settle
from grader.sandbox.protocol.orders import ForkOrder, GradeOrder, Order
from grader.sandbox.worker import lockdown, operators
from grader.sandbox.worker.keeper import keep_workers

MAX_HOSTS = 64  # hosts at once, at most two for each exercise; each costs a few MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a host holds, in which version, and what it does with its end of the connection. `name` is the process's."""

    name: str
    holds: str
    version: str
    live: Callable[[socket.socket], None]


class Hosts:
    """All hosts. They are forked when they are first wanted, and know nothing of each other.

    Workers never are forked from one that holds an exercise: what a worker inherits holds no course content.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._running: dict[tuple[str, str], tuple[str, socket.socket]] = {}

    def pass_on(self, wanted: Host, order: Order, descriptors: list[int]) -> None:
        """Hand an order to a host. One that has died, or holds another version, is replaced."""
        version, host = self._running.get((wanted.name, wanted.holds), ("", None))
        if host is not None and version == wanted.version:
            with contextlib.suppress(OSError):
                pass_on(order, descriptors, host)
                return
        if host is not None:
            host.close()  # it ends when it has no order left
        host = self._start(wanted, descriptors)
        with contextlib.suppress(OSError):
            # Where it died at once, the job's channel closes, and the command sees it.
            pass_on(order, descriptors, host)

    def _start(self, wanted: Host, descriptors: list[int]) -> socket.socket:
        self._running.pop((wanted.name, wanted.holds), None)
        if len(self._running) >= MAX_HOSTS:
            _, oldest = self._running.pop(next(iter(self._running)))
            oldest.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        here = os.getpid()
        if os.fork() == 0:
            for connection in (self._control, ours, *(host for _, host in self._running.values())):
                connection.close()
            for descriptor in descriptors:  # what another holds open, the command cannot see end
                os.close(descriptor)
            become(wanted.name, partial(wanted.live, theirs), parent=here)
        theirs.close()
        self._running[wanted.name, wanted.holds] = (wanted.version, ours)
        return ours


def exercise_host(order: GradeOrder, *, many: bool) -> Host:
    """Return the host of an exercise."""
    live = partial(hold_exercise, order=order, many=many)
    return Host(name="grade host", holds=order.suite, version=order.version, live=live)


def bans_host(order: ForkOrder, confinement: lockdown.Confinement, warmed: set[str]) -> Host:
    """Return the host of a set of bans. What has been warmed in the zygote since is warm in a new one only."""
    live = partial(_hold_bans, banned=order.worker.banned_operators, confinement=confinement)
    banned = " ".join(order.worker.banned_operators)
    return Host(name="grade bans", holds=banned, version=" ".join(sorted(warmed)), live=live)


def _hold_bans(control: socket.socket, *, banned: tuple[str, ...], confinement: lockdown.Confinement) -> None:
    """Ban operators once, for all workers to come."""
    try:
        operators.ban(banned)
    except ValueError:
        banned = ()  # a worker that is to ban them itself tells why it cannot
    settle()
    keep_workers(control, banned, confinement)
