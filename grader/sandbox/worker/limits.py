"""Resource limits that a process sets on itself where there is no lock-down: isolation level 0."""

import sys


def limit_here(memory_limit_mib: int, cpu_limit_s: int) -> None:
    """Limit files, core dumps, processor time and, on Linux, memory.

    Windows has no such limits; only deadlines apply there.
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - POSIX only

    limits = {resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0, resource.RLIMIT_CPU: cpu_limit_s}
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - one read, no Path needed
            pages = int(statm.read().split()[0])
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + memory_limit_mib * 2**20
    for limit, value in limits.items():
        hard = resource.getrlimit(limit)[1]
        wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (wanted, wanted))
