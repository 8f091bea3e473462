"""The warm process, once its owner is watched: warms up, then forks hosts, which fork all others.

It reads no course and no submission, only orders of a few bytes with descriptors attached. Hosts are forked from it:
one for each exercise, which imports the exercise and forks grading processes; one for each set of banned operators,
which bans them, holds no exercise, and keeps workers.
"""

import gc
import platform
import select
import signal
import socket
import time

import msgspec

from grader.core.errors import InternalError
from grader.core.safetext import one_line
from grader.course import known_mistakes  # noqa: F401 - imported for the processes forked from here
from grader.grading.engine import grading_process  # noqa: F401 - imported for the processes forked from here
from grader.grading.engine.suite import effects, layers, small_inputs  # noqa: F401 - imported for the processes forked from here
from grader.grading.zygote.exercise_host import refuse
from grader.grading.zygote.forking import freeze_heap, note, thread_count, wait_for_children
from grader.grading.zygote.host_pool import Hosts, bans_host, exercise_host
from grader.sandbox.protocol.frames import Closed, Overdue
from grader.sandbox.protocol.orders import (
    WORKER_FAILED,
    Ending,
    ForkOrder,
    GradeOrder,
    Order,
    Ready,
    WorkerOrder,
    close_all,
    receive_order,
)
from grader.sandbox.supervisor import forked_worker
from grader.sandbox.worker import linux, lockdown
from grader.sandbox.worker.keeper import report
from grader.sandbox.worker.service import seed_everything

_NAME = "grade zygote"
_FIRST_FRAME_S = 20.0


def run(control_fd: int, owner_fd: int, max_level: int, *, many: bool) -> None:
    """Warm up, report that, and serve orders until the control socket is closed or the owner has ended.

    Where `many` submissions are expected, work that makes each of them cheaper is done first, in a third of a second.
    """
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    seed_everything()  # imports numpy.random, once for all children
    if many:  # before the size is measured that memory limits start from
        import hypothesis  # noqa: F401, PLC0415 - the search for the smallest failing call will need it
    confinement = lockdown.prepare(max_level=max_level)
    control = socket.socket(fileno=control_fd)
    if (count := thread_count()) != 1:
        raise SystemExit(f"The zygote has {count} threads; forking it would deadlock its children.")
    freeze_heap()
    gc.enable()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if many:
        linux.use_huge_pages()
    confinement = prove(control, confinement)
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
    serve(control, owner_fd, confinement, many=many)


def prove(control: socket.socket, confinement: lockdown.Confinement) -> lockdown.Confinement:
    """Have a keeper start one worker, at a lower level where that fails twice; return the confinement that works.

    Raises InternalError with the reason where no worker can be started.
    """
    failed = False
    while True:
        hosts = Hosts(control)
        try:
            _start_one(hosts, confinement)
        except InternalError as error:
            if not failed:
                failed = True  # it may have come from outside, as by the OOM killer
                continue
            if confinement.level == 0:
                raise
            why = f"{WORKER_FAILED}: {error}"
            confinement = lockdown.prepare(max_level=confinement.level - 1, limited_by=why)
            failed = False
        else:
            return confinement
        finally:
            hosts.close()
            wait_for_children()


def _start_one(hosts: Hosts, confinement: lockdown.Confinement) -> None:
    """Start a worker through a keeper, and wait for its first frame. Raises InternalError where none comes."""
    order = ForkOrder(worker=WorkerOrder(memory_limit_mib=1024, output_limit_kib=64))
    host = bans_host(order, confinement, set())
    try:
        hosts.start(host)  # first, or it would inherit this process's ends of the connections to the worker
    except OSError as error:
        raise InternalError(str(error)) from None
    worker, ends = forked_worker(stderr=2)
    try:
        try:
            hosts.send(host, order, ends)
        finally:
            close_all(ends)
        worker.channel.receive(time.monotonic() + _FIRST_FRAME_S)
    except (Closed, Overdue, OSError):
        ending = worker.end()
        printed = ending.output.decode("utf-8", "replace").strip().splitlines()
        ended = f"it ended with exit status {ending.exit_status} and signal {ending.signal}"
        raise InternalError(one_line(printed[-1]) if printed else ended) from None
    finally:
        worker.close()  # at which the keeper ends it


def serve(control: socket.socket, owner_fd: int, confinement: lockdown.Confinement, *, many: bool) -> None:
    """Carry out orders until every other end of the control socket is closed, or the owner has ended."""
    hosts = Hosts(control)
    warmed: set[str] = set()
    poller = select.poll()
    poller.register(control, select.POLLIN)
    poller.register(owner_fd, select.POLLIN)
    while True:
        if any(ready == owner_fd for ready, _ in poller.poll()):
            return  # grading processes may hold the control socket's other end for long
        try:
            order, descriptors = receive_order(control)
        except OSError as error:  # its descriptors are lost, so the sender sees them close
            note(_NAME, str(error))
            continue
        if order is None:
            return
        try:
            if isinstance(order, GradeOrder):
                _warm({*order.warm} - warmed)
                warmed |= {*order.warm}
                hosts.send(exercise_host(order, many=many), order, descriptors)
            else:
                hosts.send(bans_host(order, confinement, warmed), order, descriptors)
        except OSError as error:
            _refuse(order, descriptors, error)
        close_all(descriptors)


def _refuse(order: Order, descriptors: list[int], error: OSError) -> None:
    """Say why no host could be started for an order, in place of the host."""
    note(_NAME, str(error))
    if isinstance(order, GradeOrder):
        refuse(descriptors[0], error)
    else:
        report(descriptors[-1], Ending(cause="lost", output=str(error).encode()))


def _warm(wanted: set[str]) -> None:
    """Do once, for all exercises to come, what each grading would otherwise do again."""
    if "optim" in wanted:
        _first_optimizer_step()
        gc.collect()
        gc.freeze()


def _first_optimizer_step() -> None:
    import torch  # noqa: PLC0415

    layer = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(torch.ones(1, 1)).sum().backward()
    optimizer.step()
