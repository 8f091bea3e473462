"""Entry of a spawned worker: isolation level 0, on platforms where no worker is forked.

It imports torch, and then waits for its order, the first frame; so it may be started before it is needed.
"""

import gc
import os
import sys
from typing import TextIO

import msgspec

from grader.sandbox.protocol.frames import OwnedChannel
from grader.sandbox.protocol.orders import WorkerOrder


def main() -> None:
    """Move the two pipes of the calls to new descriptors, redirect stdout to stderr, and serve."""
    reading, writing = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout, sys.stderr = _by_lines(1), _by_lines(2)
    if sys.platform == "linux":
        from grader.sandbox.worker import linux  # noqa: PLC0415 - Linux only

        linux.die_with_parent()
    channel = OwnedChannel(reading, writing)
    gc.disable()  # while torch is imported, the collector would be a fifth of the time
    import torch  # noqa: PLC0415 - takes seconds, and the grading process may end meanwhile

    from grader.sandbox.worker import operators  # noqa: PLC0415 - imports torch
    from grader.sandbox.worker.limits import limit_here  # noqa: PLC0415
    from grader.sandbox.worker.server import prepare, serve  # noqa: PLC0415 - imports torch

    gc.enable()
    torch.set_num_threads(1)
    prepare()
    order = msgspec.json.decode(channel.receive()[0], type=WorkerOrder)
    operators.ban(order.banned_operators)
    limit_here(order.memory_limit_mib, order.cpu_limit_s)
    serve(channel)


def _by_lines(descriptor: int) -> TextIO:
    """Open a stream whose lines leave this process when they are printed, in UTF-8: what is killed cannot flush."""
    return open(
        descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="\n", buffering=1, closefd=False
    )


if __name__ == "__main__":
    main()
