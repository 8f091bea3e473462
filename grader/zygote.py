"""The warm process: imports torch, pytest and the engine once, then forks hosts and workers.

Started as `python -P -m grader.zygote FD MAX_LEVEL [MODULE ...]` with a clean environment in `/`. It reads no course
and no submission, only orders of a few bytes with descriptors attached. A host is forked from it for each exercise and
imports that; grading processes are forked from hosts, workers from the warm process alone. Linux only.
"""

import array
import contextlib
import gc
import importlib
import os
import platform
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

import msgspec

from grader import grading, mistakes, suite  # noqa: F401 - imported for the processes forked from here
from grader.jobs import NotGraded
from grader.service import seed_everything
from grader.wire.frames import SocketChannel
from grader.wire.orders import ForkOrder, GradeOrder, Order, Ready
from grader.worker import linux, lockdown
from grader.worker.process import run_monitor

MAX_ORDER_BYTES = 64 * 1024
MAX_HOSTS = 32  # exercises held at once; each costs a few MB


_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)


def main(control_fd: int, max_level: int, ahead: Sequence[str]) -> None:
    """Warm up, import modules `ahead` of need, say so, and serve orders until nobody is left who could send one."""
    linux.die_with_parent()
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    seed_everything()  # imports numpy.random, once for all children
    for module in ahead:  # before the size is taken that limits of memory start from
        importlib.import_module(module)
    confinement = lockdown.prepare(max_level=max_level)
    control = socket.socket(fileno=control_fd)
    if (threads := _threads()) != 1:
        raise SystemExit(f"The zygote has {threads} threads; forking it would deadlock its children.")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
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
    serve(control, confinement)


def serve(control: socket.socket, confinement: lockdown.Confinement) -> None:
    """Carry out orders until the last holder of the other end is gone."""
    hosts = _Hosts(control)
    while True:
        data, descriptors = _receive(control)
        if not data:
            return
        order = _orders.decode(data)
        if isinstance(order, GradeOrder):
            _warm(order.warm)
            hosts.pass_on(order, data, descriptors)
        else:
            here = os.getpid()
            if os.fork() == 0:
                control.close()
                hosts.close()
                _become("grade monitor", partial(_monitor, order, descriptors, confinement), parent=here)
        for descriptor in descriptors:
            os.close(descriptor)


class _Hosts:
    """The processes that hold an exercise each: suite and reference imported, ready to be forked for a submission.

    They are forked from here when they are first wanted, and know nothing of each other. Workers never are forked from
    them: what a worker inherits holds no course content.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._running: dict[str, tuple[str, socket.socket]] = {}

    def pass_on(self, order: GradeOrder, data: bytes, descriptors: list[int]) -> None:
        """Hand an order to the host of its suite. One that has died, or holds an older version, is replaced."""
        version, host = self._running.get(order.suite, ("", None))
        if host is not None and version == order.version:
            with contextlib.suppress(OSError):
                socket.send_fds(host, [data], descriptors)
                return
        if host is not None:
            host.close()  # it ends when it has no order left
        host = self._start(order, descriptors)
        with contextlib.suppress(OSError):
            # Where it died at once, the job's channel closes, and the command sees it.
            socket.send_fds(host, [data], descriptors)

    def _start(self, order: GradeOrder, descriptors: list[int]) -> socket.socket:
        self._running.pop(order.suite, None)
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
            _become("grade host", partial(_host, theirs, order), parent=here)
        theirs.close()
        self._running[order.suite] = (order.version, ours)
        return ours

    def close(self) -> None:
        """Let go of the hosts, in a child that has nothing to do with them."""
        for _, host in self._running.values():
            host.close()


def _host(control: socket.socket, first: GradeOrder) -> None:
    """Hold an exercise, and fork a grading process for every order until the zygote lets go."""
    signal.alarm(first.wall_limit_s)  # even a reference that never ends being imported
    prepared = grading.prepare_or_tell(Path(first.suite))
    signal.alarm(0)
    if _threads() != 1:
        reason = (
            f"{first.suite} or what it imports starts threads; no process with threads can be forked safely"
        )
        prepared = NotGraded(reason=reason)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    here = os.getpid()
    while True:
        data, descriptors = _receive(control)
        if not data:
            with contextlib.suppress(ChildProcessError):
                os.wait()  # for all: what is being graded would die with us
            return
        order = _orders.decode(data)
        assert isinstance(order, GradeOrder)
        if os.fork() == 0:
            control.close()
            _become("grade suite", partial(_grade, order, descriptors, prepared), parent=here)
        for descriptor in descriptors:
            os.close(descriptor)


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    descriptors = array.array("i")
    data, ancillary, _, _ = control.recvmsg(MAX_ORDER_BYTES, socket.CMSG_LEN(4 * descriptors.itemsize))
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    return data, list(descriptors)


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


def _monitor(order: ForkOrder, descriptors: list[int], confinement: lockdown.Confinement) -> None:
    call, control = descriptors
    run_monitor(order.worker, call, control, _core(order.slot), confinement)


def _grade(order: GradeOrder, descriptors: list[int], prepared: grading.Prepared | NotGraded) -> None:
    first, second = descriptors
    # Even a suite that hangs inside C ends here; the command sees the channel close.
    signal.alarm(order.wall_limit_s)
    core = _core(order.slot)
    os.sched_setaffinity(0, os.sched_getaffinity(0) - {core} or {core})
    channel, zygote = SocketChannel(socket.socket(fileno=first)), socket.socket(fileno=second)
    grading.run_forked(channel, zygote, order.slot, prepared)


def _core(slot: int) -> int:
    """Return the core that the workers of a slot run on."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[slot % len(cores)]


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
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
