"""The two untrusted processes of the warm path: the monitor, and the worker it forks, watches and reaps."""

import os
import select
import signal
import sys
import traceback
from typing import Literal, NoReturn

import msgspec

from grader.wire.frames import DescriptorChannel
from grader.wire.orders import Ending, WorkerOrder
from grader.worker import linux, lockdown, operators
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
    ending = _watch(worker, reading, control_fd, order)
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
        linux.name_process("grade worker")
        operators.ban(order.banned_operators)
        lockdown.lock_down(
            confinement,
            keep={0, 1, 2, call_fd},
            memory_limit_mib=order.memory_limit_mib,
            cpu_limit_s=order.cpu_limit_s,
            cpu=cpu,
        )
        if not _read_by_somebody(1):
            os._exit(status)  # the monitor ended before we asked to end with it
        serve(DescriptorChannel(call_fd, call_fd))
        status = 0
    except BaseException:  # noqa: BLE001 - a child must never return into the zygote's loop
        traceback.print_exc()
    finally:
        os._exit(status)


def _watch(worker: int, output_fd: int, control_fd: int, order: WorkerOrder) -> Ending:
    """Drain the worker's output until it ends; kill it when the grader hangs up or the output floods."""
    output = bytearray()
    printed, alive = 0, True
    killed_for: Literal["grader", "output_limit"] | None = None
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
            killed_for = killed_for or "grader"
            os.kill(worker, signal.SIGKILL)
        while data := _read_some(output_fd):
            printed += len(data)
            output += data[: max(0, KEPT_OUTPUT_BYTES - len(output))]
            if printed > order.output_limit_kib * 1024:
                killed_for = "output_limit"
                os.kill(worker, signal.SIGKILL)
                break
        if data == b"" and output_fd in ready:
            poller.unregister(output_fd)  # the worker closed its output, which it may
    _, status, used = os.wait4(worker, 0)
    cpu_s = used.ru_utime + used.ru_stime
    return Ending(
        cause=_cause(status, killed_for, out_of_time=cpu_s >= order.cpu_limit_s),
        exit_status=os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
        signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        output=bytes(output),
        printed_bytes=printed,
        cpu_s=cpu_s,
    )


def _cause(
    status: int, killed_for: Literal["grader", "output_limit"] | None, *, out_of_time: bool
) -> Literal["itself", "grader", "output_limit", "cpu_limit", "outside"]:
    """Tell by whom a worker ended. A worker cannot send itself SIGKILL where seccomp holds."""
    if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
        return "output_limit" if killed_for == "output_limit" else "itself"
    if killed_for:
        return killed_for
    return "cpu_limit" if out_of_time else "outside"


def _read_by_somebody(pipe: int) -> bool:
    """Tell whether the reading end of a pipe is still open."""
    poller = select.poll()
    poller.register(pipe, 0)  # errors are always told
    return not poller.poll(0)


def _read_some(descriptor: int) -> bytes | None:
    """Return what can be read at once: b"" at the end, None when there is nothing yet."""
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return None
