"""Entry of the warm process, which imports torch, pytest and the engine once, for all that are forked from it.

Started as `python -P -m grader.grading.zygote FD OWNER MAX_LEVEL MANY` with a clean environment in `/`.

It ends with OWNER, the process that started it: a pidfd becomes readable when the whole process has ended. The kernel's
PR_SET_PDEATHSIG would not do here, for it fires when the THREAD that started a process ends, and a dispatcher may be
made in any thread. The processes forked from here have one thread each, so for them it is right.
"""

import gc
import os
import signal
import sys
from functools import partial

from grader.sandbox.worker.linux import pidfd_open

_LOOK_S = 0.2  # how often a process that still imports looks whether its parent has ended


def main(control_fd: int, owner: int, max_level: int, *, many: bool) -> None:
    """Watch the owner, import all that the warm process needs, and run it."""
    signal.signal(signal.SIGALRM, partial(_end_without, owner))
    signal.setitimer(signal.ITIMER_REAL, _LOOK_S, _LOOK_S)
    owner_fd = pidfd_open(owner)
    _end_without(owner)  # else the pidfd may be another process's
    gc.disable()  # until the heap is frozen: while torch is imported, the collector would be a fifth of the time
    from grader.grading.zygote import warm_process  # noqa: PLC0415 - takes seconds, and the owner may end meanwhile

    warm_process.run(control_fd, owner_fd, max_level, many=many)


def _end_without(owner: int, *_: object) -> None:
    """End this process where its parent has ended: another process is the parent then."""
    if os.getppid() != owner:
        os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), many=sys.argv[4] == "1")
