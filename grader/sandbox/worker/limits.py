"""Resource limits of a process: all that isolation level 0 has, and one layer of the lock-down above it."""

import sys
from collections.abc import Mapping

MAX_DESCRIPTORS = 64


def limit_here(memory_limit_mib: int, cpu_limit_s: int) -> None:
    """Limit files, core dumps, descriptors, processor time and, on Linux, memory; on macOS, processes.

    Windows has no such limits; only deadlines apply there.
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - POSIX only

    limits = {
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: cpu_limit_s,
        resource.RLIMIT_NOFILE: MAX_DESCRIPTORS,
    }
    if sys.platform == "linux":
        # Not RLIMIT_NPROC: here it counts all threads of the user, also those in other containers. Their stacks are
        # limited by the address space.
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - one read, no Path needed
            pages = int(statm.read().split()[0])
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + memory_limit_mib * 2**20
    else:
        limits[resource.RLIMIT_NPROC] = 1  # it counts processes, so that no other can be started
    set_limits(limits)


def set_limits(limits: Mapping[int, int]) -> None:
    """Set the soft and the hard limit of each resource, no higher than its present hard limit. POSIX only."""
    import resource  # noqa: PLC0415 - POSIX only

    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (wanted, wanted))
