"""Entry of a spawned worker: isolation level 0, on platforms where no worker is forked."""

import os
import sys

import msgspec
import torch

from grader.sandbox.protocol.frames import DescriptorChannel
from grader.sandbox.protocol.orders import WorkerOrder
from grader.sandbox.worker import operators
from grader.sandbox.worker.limits import limit_here
from grader.sandbox.worker.server import prepare, serve


def main(order: WorkerOrder) -> None:
    """Move the two pipes of the calls to new descriptors, redirect stdout to stderr, and serve."""
    reading, writing = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    if sys.platform == "linux":
        from grader.sandbox.worker import linux  # noqa: PLC0415 - Linux only

        linux.die_with_parent()
    torch.set_num_threads(1)
    prepare()
    operators.ban(order.banned_operators)
    limit_here(order.memory_limit_mib, order.cpu_limit_s)
    serve(DescriptorChannel(reading, writing))


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=WorkerOrder))
