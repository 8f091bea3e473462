"""The two untrusted processes of the warm path: the monitor, and the worker it forks, watches and reaps."""

import os
import select
import signal
import sys
import traceback
from typing import NoReturn

import msgspec

from grader.wire.frames import DescriptorChannel
from grader.wire.orders import Ending, WorkerOrder
from grader.worker import lockdown, operators
from grader.worker.server import serve

KEPT_OUTPUT_BYTES = 64 * 1024


def run_monitor(
    order: WorkerOrder, call_fd: int, control_fd: int, cpu: int, confinement: lockdown.Confinement
) -> NoReturn:
    """Fork a worker on `call_fd`, pinned to `cpu`; watch it until it ends or the grader closes `control_fd`."""
    lockdown.enter_namespaces(confinement)
    reading, writing = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.close(reading)
        os.close(control_fd)
        _become_worker(order, call_fd, writing, cpu, confinement)
    os.close(call_fd)
    os.close(writing)
    ending = _watch(worker, reading, control_fd, order.output_limit_kib * 1024)
    try:
        os.write(control_fd, msgspec.msgpack.encode(ending))
    except BrokenPipeError:
        os._exit(0)  # the grader is gone; so is everybody who could read this
    os._exit(0)


def _become_worker(
    order: WorkerOrder, call_fd: int, output_fd: int, cpu: int, confinement: lockdown.Confinement
) -> NoReturn:
    status = 1
    try:
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (output_fd, 1), (output_fd, 2)):
            os.dup2(source, target)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as the process
        sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
        operators.ban(order.banned_operators)
        lockdown.lock_down(
            confinement, keep={0, 1, 2, call_fd}, memory_limit_mib=order.memory_limit_mib, cpu=cpu
        )
        serve(DescriptorChannel(call_fd, call_fd))
        status = 0
    except BaseException:  # noqa: BLE001 - a child must never return into the zygote's loop
        traceback.print_exc()
    finally:
        os._exit(status)


def _watch(worker: int, output_fd: int, control_fd: int, output_limit: int) -> Ending:
    """Drain the worker's output until it ends; kill it when the grader hangs up or the output floods."""
    output = bytearray()
    printed, flooded, alive = 0, False, True
    ended = os.pidfd_open(worker)
    os.set_blocking(output_fd, False)
    poller = select.poll()
    for descriptor in (ended, output_fd, control_fd):
        poller.register(descriptor, select.POLLIN)
    while alive:
        ready = {descriptor for descriptor, _ in poller.poll()}
        alive = ended not in ready
        if control_fd in ready:
            poller.unregister(control_fd)
            os.kill(worker, signal.SIGKILL)
        while data := _read_some(output_fd):
            printed += len(data)
            output += data[: max(0, KEPT_OUTPUT_BYTES - len(output))]
            if printed > output_limit:
                flooded = True
                os.kill(worker, signal.SIGKILL)
                break
        if data == b"" and output_fd in ready:
            poller.unregister(output_fd)  # the worker closed its output, which it may
    status = os.waitpid(worker, 0)[1]
    return Ending(
        exit_status=os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
        signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        output=bytes(output),
        printed_bytes=printed,
        flooded=flooded,
    )


def _read_some(descriptor: int) -> bytes | None:
    """Return what can be read at once: b"" at the end, None when there is nothing yet."""
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return None
