"""The first steps of a keeper's child: it redirects its standard streams, locks itself down, and serves calls."""

import os
import select
import sys
import traceback
from typing import NoReturn

from grader.sandbox.protocol.frames import DescriptorChannel
from grader.sandbox.protocol.orders import WorkerOrder
from grader.sandbox.worker import linux, lockdown, operators
from grader.sandbox.worker.server import serve


def become_worker(
    order: WorkerOrder, calls: tuple[int, int], output_fd: int, cpu: int, confinement: lockdown.Confinement
) -> NoReturn:
    """Lock this process down, pin it to `cpu`, and serve `calls`: one pipe to read from, and one to write into.

    What it prints goes to `output_fd`.
    """
    status = 1
    try:
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (output_fd, 1), (output_fd, 2)):
            os.dup2(source, target)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as the process
        sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
        linux.name_process("grade worker")
        linux.be_first_out_of_memory()
        operators.ban(order.banned_operators)
        lockdown.lock_down(
            confinement,
            keep={0, 1, 2, *calls},
            memory_limit_mib=order.memory_limit_mib,
            cpu_limit_s=order.cpu_limit_s,
            cpu=cpu,
        )
        if not _has_reader(1):
            os._exit(status)  # the keeper ended before PDEATHSIG was set
        serve(DescriptorChannel(*calls))
        status = 0
    except BaseException:  # noqa: BLE001 - a child must never return into the keeper's loop
        traceback.print_exc()
    finally:
        os._exit(status)


def _has_reader(pipe: int) -> bool:
    """Return whether the reading end of a pipe is still open."""
    poller = select.poll()
    poller.register(pipe, 0)  # poll reports POLLERR whatever is asked for
    return not poller.poll(0)
