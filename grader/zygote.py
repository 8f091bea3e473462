"""The warm process: imports torch, pytest and the engine once, then forks grading processes and workers.

Started as `python -P -m grader.zygote FD MAX_LEVEL [MODULE ...]` with a clean environment in `/`. It never learns
of a course or a submission: all it reads are orders of a few bytes with descriptors attached. Linux only.
"""

import array
import gc
import importlib
import os
import platform
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from grader import grading, mistakes, suite  # noqa: F401 - imported for the processes forked from here
from grader.service import seed_everything
from grader.suite import plugin
from grader.wire.frames import SocketChannel
from grader.wire.orders import ForkOrder, GradeOrder, Order, Ready
from grader.worker import linux, lockdown
from grader.worker.process import run_monitor

MAX_ORDER_BYTES = 64 * 1024


_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)


def main(control_fd: int, max_level: int, ahead: Sequence[str]) -> None:
    """Warm up, import modules `ahead` of need, say so, and serve orders until nobody is left who could send one."""
    linux.die_with_parent()
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    seed_everything()  # imports numpy.random, once for all children
    plugin.warm()
    for module in ahead:  # before the size is taken that limits of memory start from
        importlib.import_module(module)
    confinement = lockdown.prepare(max_level=max_level)
    control = socket.socket(fileno=control_fd)
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
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
    cpus, here = sorted(os.sched_getaffinity(0)), os.getpid()
    while True:
        data, descriptors = _receive(control)
        if not data:
            return
        order = _orders.decode(data)
        cpu = cpus[order.slot % len(cpus)]
        if isinstance(order, GradeOrder):
            _warm(order.warm)
        if os.fork() == 0:
            control.close()
            _become(order, descriptors, cpu, confinement, parent=here)
        for descriptor in descriptors:
            os.close(descriptor)


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    descriptors = array.array("i")
    data, ancillary, _, _ = control.recvmsg(MAX_ORDER_BYTES, socket.CMSG_LEN(4 * descriptors.itemsize))
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    return data, list(descriptors)


def _become(
    order: Order, descriptors: list[int], cpu: int, confinement: lockdown.Confinement, *, parent: int
) -> NoReturn:
    """Turn this fresh child into what was ordered, and never return."""
    status = 1
    try:
        linux.die_with_parent()
        if os.getppid() != parent:
            os._exit(status)  # it died before we asked to die with it
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        first, second = descriptors
        if isinstance(order, ForkOrder):
            run_monitor(order.worker, first, second, cpu, confinement)
        # Even a suite that hangs inside C ends here; the command sees the channel close.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(order.wall_limit_s)
        os.sched_setaffinity(0, os.sched_getaffinity(0) - {cpu} or {cpu})
        channel, zygote = SocketChannel(socket.socket(fileno=first)), socket.socket(fileno=second)
        grading.run_forked(channel, zygote, order.slot)
        status = 0
    except BaseException:  # noqa: BLE001 - a child must never return into the zygote's loop
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


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
