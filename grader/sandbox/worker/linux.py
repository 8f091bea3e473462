"""Linux calls that Python 3.11 lacks: prctl, unshare, setns, capset, madvise, raw system calls; and resource limits."""

import contextlib
import ctypes
import errno
import itertools
import os
import re
import resource
import signal
import time
from pathlib import Path

from grader.sandbox.worker.limits import MAX_DESCRIPTORS, set_limits

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63

_MADV_COLLAPSE = 25
_HUGE_PAGE_BYTES = 2 * 2**20
_CLOSED_DESCRIPTORS = 2**20  # the highest that is closed, where RLIMIT_NOFILE is larger or unlimited

_LINKS_OF_AN_EMPTY_FOLDER = 2
_PIDFD_OPEN = 434  # the same on every architecture
# What the kernel says where a limit of this machine, container or user is reached that the end of a process may lift.
_SCARCE = {errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EUSERS, errno.EMFILE, errno.ENFILE}
PATIENCE_S = 20.0  # in which a process that cannot be forked is tried again
_BETWEEN_TRIES_S = 0.05

CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC = 0x10000000, 0x20000000, 0x40000000, 0x08000000
CLONE_NEWUTS = 0x04000000

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


def pidfd_open(process: int) -> int:
    """Return a descriptor that becomes readable when a process has ended. Raises OSError before Linux 5.3.

    Python lacks the function where it was built with older headers than the kernel that it runs on.
    """
    if opener := getattr(os, "pidfd_open", None):
        return int(opener(process))
    return system_call(_PIDFD_OPEN, ctypes.c_int(process), ctypes.c_uint(0))


def is_scarce(error: OSError) -> bool:
    """Return whether an error says that a limit is reached, so that a later try may succeed."""
    return error.errno in _SCARCE


def fork_patiently() -> int:
    """Fork; where a limit of processes is reached, try again until others have ended, for up to PATIENCE_S.

    Raises the OSError of the last try.
    """
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return os.fork()
        except OSError as error:
            if not is_scarce(error) or time.monotonic() > until:
                raise
        time.sleep(_BETWEEN_TRIES_S)


def wait_for_room() -> None:
    """Wait until a process can be forked, for up to PATIENCE_S. Raises the OSError of the last try."""
    child = fork_patiently()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    check(libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def name_process(name: str) -> None:
    """Set the name that `ps` and `top` show, up to 15 bytes: all forked processes have the same command line."""
    check(libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0), "prctl")


def make_undumpable() -> None:
    """Forbid other processes of this user to read this one's memory and most of its /proc entries."""
    check(libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl")


def forbid_new_privileges() -> None:
    """Make sure that no later exec gains privileges; Landlock and seccomp require it."""
    check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def drop_capabilities() -> None:
    """Drop every capability from every set. An ordinary user has none."""
    for capability in range(_LAST_CAPABILITY + 1):
        # EPERM without CAP_SETPCAP and EINVAL past the kernel's last capability: nothing to drop in both cases.
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    check(libc.capset(header, data), "capset")


def unshare(flags: int) -> None:
    """Enter new namespaces."""
    check(libc.unshare(flags), "unshare")


def enter_namespace(process_fd: int, kind: int) -> None:
    """Enter the namespace of type `kind` (CLONE_NEW*) of the process that a pidfd refers to."""
    check(libc.setns(process_fd, kind), "setns")


def name_host(name: str) -> None:
    """Set the host name and the domain name of this process's UTS namespace."""
    encoded = name.encode()
    check(libc.sethostname(encoded, ctypes.c_size_t(len(encoded))), "sethostname")
    check(libc.setdomainname(encoded, ctypes.c_size_t(len(encoded))), "setdomainname")


def map_identity(user: int, group: int) -> None:
    """Map the user and the group to themselves in a new user namespace, where the kernel allows it."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        try:
            Path(f"/proc/self/{name}").write_text(text, encoding="ascii")
        except PermissionError:
            return  # an unmapped user has the overflow uid (65534) inside, which isolates as well


def virtual_memory_bytes() -> int:
    """Return the size of this process's address space."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def resident_bytes() -> int:
    """Return the resident memory of this process, all that it shares with others included."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def threads_folder(pidfd: int) -> int:
    """Return a descriptor of the folder in /proc that lists the threads of a process; -1 where it cannot be opened.

    The process id in /proc is not the one that a process in another PID namespace knows.
    """
    try:
        text = Path(f"/proc/self/fdinfo/{pidfd}").read_text(encoding="ascii")
        process = re.search(r"^Pid:\t(\d+)$", text, re.MULTILINE)
        return os.open(f"/proc/{process[1]}/task", os.O_PATH | os.O_CLOEXEC) if process else -1
    except OSError:
        return -1


def count_threads(folder: int) -> int:
    """Return how many threads a process has, by the folder that lists them; 0 without one, or when it has ended."""
    return max(0, os.fstat(folder).st_nlink - _LINKS_OF_AN_EMPTY_FOLDER) if folder >= 0 else 0


def be_first_out_of_memory() -> None:
    """Have the kernel kill this process before others when memory runs out, where /proc can be written."""
    with contextlib.suppress(OSError):
        # Not through Path, whose code and buffers are so many pages that a forked process would copy.
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        try:
            os.write(descriptor, b"1000")
        finally:
            os.close(descriptor)


def own_memory_bytes() -> int:
    """Return the resident anonymous memory of this process, also what it shares with its parent copy-on-write."""
    _, resident, shared, *_ = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def give_back_memory() -> None:
    """Return freed heap memory to the kernel (malloc_trim, where libc has it): forks would copy its page tables."""
    if trim := getattr(libc, "malloc_trim", None):
        trim(ctypes.c_size_t(0))


def use_huge_pages() -> None:
    """Collapse this process's anonymous memory into pages of 2 MiB (Linux 6.1 or later), which makes fork faster.

    For each, fork copies one page table entry instead of 512, and exit frees one; what a child writes is still copied
    in pages of 4 KiB. On older kernels nothing changes.
    """
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        span, mode, _, _, inode, *name = line.split(maxsplit=5)
        if mode == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
            first, last = (int(end, 16) for end in span.split("-"))
            size = _HUGE_PAGE_BYTES
            for page in range(-(-first // size) * size, last - size + 1, size):
                libc.madvise(ctypes.c_void_p(page), ctypes.c_size_t(size), _MADV_COLLAPSE)


def close_all_but(kept: set[int]) -> None:
    """Close every descriptor that is not kept."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    edges = [-1, *sorted(kept), min(limit, _CLOSED_DESCRIPTORS)]
    for low, high in itertools.pairwise(edges):
        if low + 1 < high:  # CPython 3.11 closes everything on closerange(0, 0)
            os.closerange(low + 1, high)


def limit(budget_bytes: int, cpu_limit_s: int) -> None:
    """Set the resource limits of a locked-down worker.

    Address space and processor time count for all threads together. Nothing may be written to a file, no core is
    dumped, and at most MAX_DESCRIPTORS descriptors may be open.
    """
    set_limits(
        {
            resource.RLIMIT_AS: budget_bytes,
            resource.RLIMIT_CPU: cpu_limit_s,
            resource.RLIMIT_FSIZE: 0,
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_NOFILE: MAX_DESCRIPTORS,
        }
    )
