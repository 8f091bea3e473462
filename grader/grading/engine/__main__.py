"""Entry of a spawned grading process, where no warm one can be forked: isolation level 0.

`python -P -m grader.grading.engine WORKERS SPARE` starts so many workers, imports torch beside them, and waits for its
one job. A spare one has time until then, and does what would cost time after it.
"""

import gc
import os
import sys

from grader.sandbox.protocol.frames import OwnedChannel
from grader.sandbox.spawned import kill_workers, spawn_worker


def main(workers: int, *, is_spare: bool) -> None:
    """Grade the job that comes through stdin; results leave through stdout, and prints through stderr."""
    reading, writing = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    channel = OwnedChannel(reading, writing, on_end=kill_workers)
    spares = [spawn_worker() for _ in range(workers)]
    gc.disable()  # while torch is imported, the collector would be a fifth of the time
    from grader.grading.engine import grading_process  # noqa: PLC0415 - takes seconds, and the command may end meanwhile

    if is_spare:
        grading_process.warm()
    gc.enable()
    grading_process.run_spawned(channel, channel.receive()[1], spares)


if __name__ == "__main__":
    main(int(sys.argv[1]), is_spare=sys.argv[2] == "1")
