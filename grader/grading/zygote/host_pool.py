"""The host processes, each of which holds what many gradings share, ready to be forked."""

import contextlib
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from grader.grading.zygote.exercise_host import run_exercise_host
from grader.grading.zygote.forking import fork_child, freeze_heap, how_it_ended, note
from grader.sandbox.protocol.orders import ForkOrder, GradeOrder, Order, close_all, send_order
from grader.sandbox.worker import lockdown, operators, server
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

    def start(self, wanted: Host) -> None:
        """Start a host for orders to come. Raises OSError where that fails."""
        self._start(wanted, ())

    def send(self, wanted: Host, order: Order, descriptors: list[int]) -> None:
        """Send an order to a host. One that has died, or holds another version, is replaced.

        Raises OSError where a host cannot be started.
        """
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

    def close(self) -> None:
        """Close the connections to all hosts, which then end."""
        for _, host in self._running.values():
            host.close()
        self._running.clear()

    def _start(self, wanted: Host, descriptors: Sequence[int]) -> socket.socket:
        self._running.pop((wanted.name, wanted.holds), None)
        if len(self._running) >= MAX_HOSTS:
            _, oldest = self._running.pop(next(iter(self._running)))
            oldest.close()
        own_end, host_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def run() -> None:
            for connection in (self._control, own_end, *(host for _, host in self._running.values())):
                connection.close()
            close_all(descriptors)  # while the host held these open, the command would not see them close
            wanted.run(host_end)

        with host_end:
            try:
                fork_child(wanted.name, run)
            except OSError:
                own_end.close()
                raise
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
    """Ban operators and prepare once, for all workers to come."""
    server.prepare()
    try:
        operators.ban(banned)
    except ValueError:
        banned = ()  # each worker then bans them itself, and reports why it cannot
    freeze_heap()
    if how := how_it_ended(keep_workers(control, banned, confinement)):
        note("grade keeper", how)
