"""Entry of a spawned grading process, where no warm one can be forked: isolation level 0."""

import contextlib
import gc
import os
import threading
from queue import SimpleQueue

from grader.sandbox.protocol.frames import Channel, Closed, DescriptorChannel


def main() -> None:
    """Grade the job that comes through stdin; results leave through stdout, and prints through stderr."""
    reading, writing = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    channel = DescriptorChannel(reading, writing)
    jobs: SimpleQueue[bytearray] = SimpleQueue()
    threading.Thread(target=_read, args=(channel, jobs), daemon=True).start()
    gc.disable()  # while torch is imported, the collector would be a fifth of the time
    from grader.grading.engine import grading_process  # noqa: PLC0415 - takes seconds, and the command may end meanwhile

    gc.enable()
    grading_process.run_spawned(channel, jobs.get())


def _read(channel: Channel, jobs: "SimpleQueue[bytearray]") -> None:
    """Receive the job, and end this process when the command closes stdin or ends, also in the middle of a check."""
    try:
        with contextlib.suppress(Closed):
            while True:
                jobs.put(channel.receive()[1])
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
