"""Entry of a spawned worker: isolation level 0, on platforms where no worker is forked."""

import gc
import os
import sys

gc.disable()  # until torch is imported: the collector would be a fifth of that time

import msgspec  # noqa: E402
import torch  # noqa: E402

from grader.sandbox.protocol.frames import DescriptorChannel  # noqa: E402
from grader.sandbox.protocol.orders import WorkerOrder  # noqa: E402
from grader.sandbox.worker import operators  # noqa: E402
from grader.sandbox.worker.limits import limit_here  # noqa: E402
from grader.sandbox.worker.server import prepare, serve  # noqa: E402


def main(order: WorkerOrder) -> None:
    """Move the two pipes of the calls to new descriptors, redirect stdout to stderr, and serve."""
    gc.enable()
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
