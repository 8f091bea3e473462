"""The few Linux calls that Python 3.11 does not offer: prctl, unshare, capset, raw system calls."""

import ctypes
import itertools
import os
import resource
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63

_MADV_COLLAPSE = 25
_HUGE = 2 * 2**20

CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC = 0x10000000, 0x20000000, 0x40000000, 0x08000000

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """Return a C call's result; raise OSError where it is negative."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def system_call(number: int, *arguments: object) -> int:
    """Make a raw system call; raise OSError where it fails."""
    return check(libc.syscall(ctypes.c_long(number), *arguments), f"system call {number}")


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    check(libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def name_process(name: str) -> None:
    """Set the name that `ps` and `top` show, up to 15 characters: all that are forked have one command line."""
    check(libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0), "prctl")


def make_undumpable() -> None:
    """Keep other processes of this user out of this one's memory and /proc entries."""
    check(libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl")


def forbid_new_privileges() -> None:
    """Make sure that no later exec gains privileges; Landlock and seccomp require it."""
    check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def drop_capabilities() -> None:
    """Give up every capability, in every set. An ordinary user has none to give up."""
    for capability in range(_LAST_CAPABILITY + 1):
        libc.prctl(
            _PR_CAPBSET_DROP, capability, 0, 0, 0
        )  # refused without CAP_SETPCAP, and past the last one
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    check(libc.capset(header, data), "capset")


def unshare(flags: int) -> None:
    """Enter new namespaces."""
    check(libc.unshare(flags), "unshare")


def enter_namespace(process_fd: int, kind: int) -> None:
    """Enter a namespace of the process that a pidfd stands for."""
    check(libc.setns(process_fd, kind), "setns")


def map_identity(user: int, group: int) -> None:
    """Be the same user inside a new user namespace, where the kernel allows writing the map."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        try:
            Path(f"/proc/self/{name}").write_text(text, encoding="ascii")
        except PermissionError:
            return  # an unmapped user is nobody inside: that isolates as well


def virtual_memory_bytes() -> int:
    """Return the size of this process's address space."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def own_memory_bytes() -> int:
    """Return what this process holds in memory that no file backs, shared with its parent or not."""
    _, resident, shared, *_ = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def give_back_memory() -> None:
    """Return what is freed to the kernel, where the C library knows how; else every child would count and copy it."""
    if trim := getattr(libc, "malloc_trim", None):
        trim(ctypes.c_size_t(0))


def use_huge_pages() -> None:
    """Put this process's own memory into pages of 2 MiB where the kernel can (Linux 6.1): forking it is faster then.

    A child has an entry of 2 MiB to copy, and at its end to free, instead of 512; what it writes is still copied in
    pages of 4 KiB. Where the kernel cannot, nothing changes.
    """
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        span, mode, _, _, inode, *name = line.split(maxsplit=5)
        if mode == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
            first, last = (int(end, 16) for end in span.split("-"))
            for page in range(-(-first // _HUGE) * _HUGE, last - _HUGE + 1, _HUGE):
                libc.madvise(ctypes.c_void_p(page), ctypes.c_size_t(_HUGE), _MADV_COLLAPSE)


def close_all_but(kept: set[int]) -> None:
    """Close every descriptor that is not kept."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    edges = [-1, *sorted(kept), min(limit, 2**20)]
    for low, high in itertools.pairwise(edges):
        if low + 1 < high:  # CPython 3.11 takes closerange(0, 0) for "everything"
            os.closerange(low + 1, high)


def limit(budget_bytes: int, cpu_limit_s: int) -> None:
    """Set the limits of a locked-down worker.

    Address space and processor time count for all threads together; no written byte, no core dump, few descriptors.
    """
    for kind, value in (
        (resource.RLIMIT_AS, budget_bytes),
        (resource.RLIMIT_CPU, cpu_limit_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        hard = resource.getrlimit(kind)[1]
        wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (wanted, wanted))
