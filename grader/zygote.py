"""The warm process: imports torch, pytest and the engine once, then forks hosts and workers.

Started as `python -P -m grader.zygote FD MAX_LEVEL MANY` with a clean environment in `/`. It reads no course and no
submission, only orders of a few bytes with descriptors attached. Hosts are forked from it: one for each exercise, which
imports that and forks grading processes; one for each set of banned operators, which bans them, knows no exercise, and
keeps workers. Linux only.
"""

import contextlib
import gc
import os
import platform
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import msgspec

from grader import grading, mistakes, suite  # noqa: F401 - imported for the processes forked from here
from grader.jobs import NotGraded
from grader.service import seed_everything
from grader.wire.frames import SocketChannel
from grader.wire.orders import DESCRIPTORS, MAX_ORDER_BYTES, ForkOrder, GradeOrder, Order, Ready
from grader.worker import linux, lockdown, operators
from grader.worker.keeper import keep_workers

MAX_HOSTS = 64  # hosts at once, at most two for each exercise; each costs a few MB


_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)


def main(control_fd: int, max_level: int, *, many: bool) -> None:
    """Warm up, say so, and serve orders until nobody is left who could send one.

    Where `many` submissions are to come, what makes each of them cheaper is done first, in a third of a second.
    """
    linux.die_with_parent()
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    seed_everything()  # imports numpy.random, once for all children
    if many:  # before the size is taken that limits of memory start from
        import hypothesis  # noqa: F401, PLC0415 - the search for the smallest failing call: somebody will need it
    confinement = lockdown.prepare(max_level=max_level)
    control = socket.socket(fileno=control_fd)
    if (threads := _threads()) != 1:
        raise SystemExit(f"The zygote has {threads} threads; forking it would deadlock its children.")
    _settle()
    if many:
        linux.use_huge_pages()
    control.send(
        msgspec.msgpack.encode(
            Ready(
                level=confinement.level,
                layers=confinement.layers,
                missing=confinement.missing,
                torch_version=str(torch.__version__),
                python_version=platform.python_version(),
            )
        )
    )
    serve(control, confinement, many=many)


def serve(control: socket.socket, confinement: lockdown.Confinement, *, many: bool) -> None:
    """Carry out orders until the last holder of the other end is gone."""
    hosts = _Hosts(control)
    while True:
        data, descriptors = _receive(control)
        if not data:
            return
        order = _orders.decode(data)
        if isinstance(order, GradeOrder):
            _warm(order.warm)
            hosts.pass_on(_exercise_host(order, many=many), data, descriptors)
        else:
            hosts.pass_on(_bans_host(order, confinement), data, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host:
    """What a host holds, in which version, and what it does with its end of the connection. `name` is the process's."""

    name: str
    holds: str
    version: str
    live: Callable[[socket.socket], None]


class _Hosts:
    """The processes that hold what many gradings share, ready to be forked.

    They are forked from here when they are first wanted, and know nothing of each other. Workers never are forked from
    one that holds an exercise: what a worker inherits holds no course content.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._running: dict[tuple[str, str], tuple[str, socket.socket]] = {}

    def pass_on(self, wanted: _Host, data: bytes, descriptors: list[int]) -> None:
        """Hand an order to a host. One that has died, or holds another version, is replaced."""
        version, host = self._running.get((wanted.name, wanted.holds), ("", None))
        if host is not None and version == wanted.version:
            with contextlib.suppress(OSError):
                socket.send_fds(host, [data], descriptors)
                return
        if host is not None:
            host.close()  # it ends when it has no order left
        host = self._start(wanted, descriptors)
        with contextlib.suppress(OSError):
            # Where it died at once, the job's channel closes, and the command sees it.
            socket.send_fds(host, [data], descriptors)

    def _start(self, wanted: _Host, descriptors: list[int]) -> socket.socket:
        self._running.pop((wanted.name, wanted.holds), None)
        if len(self._running) >= MAX_HOSTS:
            _, oldest = self._running.pop(next(iter(self._running)))
            oldest.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        here = os.getpid()
        if os.fork() == 0:
            ours.close()
            self._control.close()
            self.close()
            for descriptor in descriptors:  # what another holds open, the command cannot see end
                os.close(descriptor)
            _become(wanted.name, partial(wanted.live, theirs), parent=here)
        theirs.close()
        self._running[wanted.name, wanted.holds] = (wanted.version, ours)
        return ours

    def close(self) -> None:
        """Let go of the hosts, in a child that has nothing to do with them."""
        for _, host in self._running.values():
            host.close()


def _exercise_host(order: GradeOrder, *, many: bool) -> _Host:
    live = partial(_hold_exercise, order=order, many=many)
    return _Host(name="grade host", holds=order.suite, version=order.version, live=live)


def _bans_host(order: ForkOrder, confinement: lockdown.Confinement) -> _Host:
    live = partial(_hold_bans, banned=order.worker.banned_operators, confinement=confinement)
    banned = " ".join(order.worker.banned_operators)
    # What has been warmed here since is warm in a new one only.
    return _Host(name="grade bans", holds=banned, version=" ".join(sorted(_WARMED)), live=live)


def _hold_exercise(control: socket.socket, *, order: GradeOrder, many: bool) -> None:
    """Import an exercise, and fork a grading process for every order."""
    signal.alarm(order.wall_limit_s)  # even a reference that never ends being imported
    prepared = _unless_threads(order.suite, grading.prepare_or_tell(Path(order.suite)))
    signal.alarm(0)
    _settle()
    if many and isinstance(prepared, grading.Prepared):
        if not _fork_for_next(control, "grade suite", partial(_grade, prepared=prepared)):
            return
        signal.alarm(order.wall_limit_s)
        # The second grading and all further ones are cheaper for it, and the first does not wait.
        grading.rehearse(prepared)
        prepared = _unless_threads(order.suite, prepared)
        signal.alarm(0)
        _settle()
    while _fork_for_next(control, "grade suite", partial(_grade, prepared=prepared)):
        pass


def _unless_threads(path: str, prepared: grading.Prepared | NotGraded) -> grading.Prepared | NotGraded:
    if _threads() == 1:
        return prepared
    return NotGraded(
        reason=f"{path} or what it imports starts threads; no process with threads can be forked safely"
    )


def _hold_bans(control: socket.socket, *, banned: tuple[str, ...], confinement: lockdown.Confinement) -> None:
    """Ban operators once, for all workers to come."""
    try:
        operators.ban(banned)
    except ValueError:
        banned = ()  # a worker that is to ban them itself tells why it cannot
    _settle()
    keep_workers(control, banned, confinement)


def _settle() -> None:
    """Keep what is here as it is, to be shared by everything that is forked from now on."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()


def _fork_for_next(control: socket.socket, name: str, carry_out: Callable[[Order, list[int]], None]) -> bool:
    """Wait for an order, and fork for it. Where the zygote lets go, wait until all that was forked has ended."""
    data, descriptors = _receive(control)
    if not data:
        with contextlib.suppress(ChildProcessError):
            os.wait()  # for all: what is being graded would die with us
        return False
    here = os.getpid()
    if os.fork() == 0:
        control.close()
        _become(name, partial(carry_out, _orders.decode(data), descriptors), parent=here)
    for descriptor in descriptors:
        os.close(descriptor)
    return True


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    data, descriptors, _, _ = socket.recv_fds(control, MAX_ORDER_BYTES, DESCRIPTORS)
    return data, descriptors


def _become(name: str, what: Callable[[], None], *, parent: int) -> NoReturn:
    """Turn this fresh child into something else, and never return."""
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


def _grade(order: Order, descriptors: list[int], *, prepared: grading.Prepared | NotGraded) -> None:
    assert isinstance(order, GradeOrder)
    first, second = descriptors
    # Even a suite that hangs inside C ends here; the command sees the channel close.
    signal.alarm(order.wall_limit_s)
    channel, zygote = SocketChannel(socket.socket(fileno=first)), socket.socket(fileno=second)
    grading.run_forked(channel, zygote, order.slot, prepared)


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


_WARMED: set[str] = set()


def _warm(wanted: tuple[str, ...]) -> None:
    """Pay once, for all exercises to come, what each would otherwise pay by itself."""
    for name in wanted:
        if name == "optim" and name not in _WARMED:
            _first_optimizer_step()
            gc.collect()
            gc.freeze()
        _WARMED.add(name)


def _first_optimizer_step() -> None:
    import torch  # noqa: PLC0415

    layer = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(torch.ones(1, 1)).sum().backward()
    optimizer.step()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), many=sys.argv[3] == "1")
