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

import msgspec

from grader.course import known_mistakes  # noqa: F401 - imported for the processes forked from here
from grader.grading.engine import grading_process  # noqa: F401 - imported for the processes forked from here
from grader.grading.engine.suite import effects, layers, small_inputs  # noqa: F401 - imported for the processes forked from here
from grader.grading.zygote.exercise_host import refuse
from grader.grading.zygote.forking import freeze_heap, note, thread_count
from grader.grading.zygote.host_pool import Hosts, bans_host, exercise_host
from grader.sandbox.protocol.orders import Ending, GradeOrder, Order, Ready, close_all, receive_order
from grader.sandbox.worker import linux, lockdown
from grader.sandbox.worker.keeper import report
from grader.sandbox.worker.service import seed_everything

_NAME = "grade zygote"


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
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
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
    serve(control, owner_fd, confinement, many=many)


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
        except OSError as error:  # its descriptors are lost, so whoever sent it sees them close
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
