"""Seccomp: a filter that allows the system calls that computing needs, and refuses every other with EPERM.

What is allowed was measured with strace: every exercise's reference, threads, allocators, clocks, tracebacks, and the
modules of the standard library that students use. Numbers are (x86_64, aarch64), from the kernel's own tables
(asm/unistd_64.h, asm-generic/unistd.h); None where an architecture lacks the call. Calls that libraries try and can do
without fail with ENOSYS, as do those that are newer than the tables.
"""

import ctypes
import errno
import functools
import os
import platform
import signal
import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from grader.sandbox.worker.linux import system_call

_Table = Mapping[str, tuple[int | None, int | None]]

# fmt: off
_ALLOWED: _Table = {
    # memory of its own: Python, torch and the C library allocate and free it; the amount is limited by RLIMIT_AS
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "mprotect": (10, 226),
    "madvise": (28, 233),
    "brk": (12, 214),
    "mincore": (27, 232),
    # its threads: locks, and what the C library does when a thread starts or ends; the keeper counts threads
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "gettid": (186, 178),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "getcpu": (309, 168),
    # signals to itself: faults, abort, timers that end in SIGALRM
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "rt_sigpending": (127, 136),
    "rt_sigtimedwait": (128, 137),
    "rt_sigsuspend": (130, 133),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "pause": (34, None),
    "alarm": (37, None),
    "setitimer": (38, 103),
    "getitimer": (36, 102),
    # clocks and waiting
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    # descriptors that are open: the pipes of calls and prints, modules that are read
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "pread64": (17, 67),
    "lseek": (8, 62),
    "close": (3, 57),
    "close_range": (436, 436),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    # which files there are, for imports and tracebacks; Landlock decides which may be read (see _conditions for open)
    "fstat": (5, 80),
    "stat": (4, None),
    "lstat": (6, None),
    "newfstatat": (262, 79),
    "access": (21, None),
    "faccessat": (269, 48),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    # facts about itself and the machine
    "getpid": (39, 172),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getrusage": (98, 165),
    "getrlimit": (97, 163),
    "sysinfo": (99, 179),
    "uname": (63, 160),
    "getrandom": (318, 278),
}
# Libraries try these first, and do without them where they do not exist.
_ABSENT: _Table = {
    "clone3": (435, 435),
    "openat2": (437, 437),
    "faccessat2": (439, 439),
    "statx": (332, 291),
    "membarrier": (324, 283),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
# Calls of which some uses are allowed: _conditions says which.
_CONDITIONAL: _Table = {
    "clone": (56, 220),
    "tgkill": (234, 131),
    "prctl": (157, 167),
    "arch_prctl": (158, None),
    "fcntl": (72, 25),
    "ioctl": (16, 29),
    "open": (2, None),
    "openat": (257, 56),
    "prlimit64": (302, 261),
}
# fmt: on


class _Machine(NamedTuple):
    """An architecture: its column in the tables, and what else the filter must know of it."""

    column: int
    audit: int  # AUDIT_ARCH_*
    seccomp: int  # the number of seccomp itself
    foreign_calls_from: int  # x86_64 offers a second table (x32) from here


MACHINES = {
    "x86_64": _Machine(0, 0xC000003E, 317, 0x40000000),
    "aarch64": _Machine(1, 0xC00000B7, 277, 0xFFFFFFFF),
}

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_IF_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_KILL, _ERRNO = 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_CLONE_THREAD = 0x10000
_FIRST_UNKNOWN = 448  # newer than the tables: from 424 on both architectures share their numbers
_FORBIDDEN_SIGNALS = (signal.SIGKILL, signal.SIGSTOP)  # so a SIGKILL of a worker came from outside
_PRCTL = (15, 16, 51)  # SET_NAME and GET_NAME, for threads; SVE_GET_VL: the width of vectors on aarch64
_ARCH_PRCTL = (
    0x1003,
    0x1021,
    0x1022,
    0x1023,
)  # GET_FS; asking for the matrix registers of x86 (AMX), as oneDNN does
_FCNTL = (0, 1, 2, 3, 4, 1030)  # DUPFD, GETFD, SETFD, GETFL, SETFL, DUPFD_CLOEXEC
_IOCTL = (0x5401,)  # TCGETS: whether a descriptor is a terminal
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000  # WRONLY, RDWR, CREAT, TRUNC
_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1


_Instruction = tuple[int, int, int, int]
_ALLOW: _Instruction = (_RETURN, 0, 0, 0x7FFF0000)
_REFUSE: _Instruction = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
_DOES_NOT_EXIST: _Instruction = (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def allowed_numbers(machine: _Machine) -> dict[str, int]:
    """Return the calls that an architecture has and that are always allowed, by name."""
    return _numbers(_ALLOWED, machine)


def _numbers(table: _Table, machine: _Machine) -> dict[str, int]:
    found = ((name, numbers[machine.column]) for name, numbers in table.items())
    return {name: number for name, number in found if number is not None}


def _low(argument: int) -> int:
    return 16 + 8 * argument


@functools.cache
def program(machine: _Machine, process: int) -> bytes:
    """Assemble the filter for an architecture and a process id."""
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_AT_LEAST, 0, 1, machine.foreign_calls_from),
        _REFUSE,
    ]
    for number in allowed_numbers(machine).values():
        code += [(_JUMP_EQUAL, 0, 1, number), _ALLOW]
    numbers = _numbers(_CONDITIONAL, machine)
    for name, body in _conditions(process).items():
        if name in numbers:
            code += _when(numbers[name], body)
    code += [(_JUMP_AT_LEAST, 0, 1, _FIRST_UNKNOWN), _DOES_NOT_EXIST]
    for number in _numbers(_ABSENT, machine).values():
        code += [(_JUMP_EQUAL, 0, 1, number), _DOES_NOT_EXIST]
    code.append(_REFUSE)
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _conditions(process: int) -> dict[str, list[_Instruction]]:
    """Return, for each call of _CONDITIONAL, what decides by its arguments."""
    thread = [(_LOAD, 0, 0, _low(0)), (_JUMP_IF_BITS, 1, 0, _CLONE_THREAD), _REFUSE, _ALLOW]
    itself = [(_LOAD, 0, 0, _low(0)), (_JUMP_EQUAL, 1, 0, process), _REFUSE]
    no_new_limit = [
        instruction
        for half in (_low(2), _low(2) + 4)
        for instruction in ((_LOAD, 0, 0, half), (_JUMP_EQUAL, 1, 0, 0), _REFUSE)
    ]
    return {
        "clone": thread,
        "tgkill": [*itself, *_unless(2, _FORBIDDEN_SIGNALS), _ALLOW],
        "prctl": _only(0, _PRCTL),
        "arch_prctl": _only(0, _ARCH_PRCTL),
        "fcntl": _only(1, _FCNTL),
        "ioctl": _only(1, _IOCTL),
        "open": _reading(1),
        "openat": _reading(2),
        "prlimit64": [*no_new_limit, _ALLOW],
    }


def _reading(flags: int) -> list[_Instruction]:
    """Allow opening a file to read it, given which argument its flags are."""
    return [(_LOAD, 0, 0, _low(flags)), (_JUMP_IF_BITS, 0, 1, _WRITING), _REFUSE, _ALLOW]


def _only(argument: int, values: Iterable[int]) -> list[_Instruction]:
    """Allow the call when an argument is one of `values`, else refuse it."""
    tests = [instruction for value in values for instruction in ((_JUMP_EQUAL, 0, 1, value), _ALLOW)]
    return [(_LOAD, 0, 0, _low(argument)), *tests, _REFUSE]


def _unless(argument: int, values: Iterable[int]) -> list[_Instruction]:
    """Refuse when an argument of the call is one of `values`; else go on after it."""
    tests = [instruction for value in values for instruction in ((_JUMP_EQUAL, 0, 1, value), _REFUSE)]
    return [(_LOAD, 0, 0, _low(argument)), *tests]


def _when(number: int, body: list[_Instruction]) -> list[_Instruction]:
    """Run `body`, which always returns, when the call is `number`; else go on after it."""
    return [(_JUMP_EQUAL, 0, len(body), number), *body]


def machine() -> _Machine | None:
    """Return this machine's architecture; None if it has no table, or Python is a 32-bit process."""
    return MACHINES.get(platform.machine()) if ctypes.sizeof(ctypes.c_void_p) == 8 else None


def install() -> None:
    """Install the filter on every thread of this process, permanently. Raises OSError where the kernel refuses."""
    here = machine()
    if here is None:
        raise OSError(errno.ENOSYS, f"no system call table for {platform.machine()}")
    code = program(here, os.getpid())
    holder = _Program(length=len(code) // 8, filter=code)
    result = system_call(
        here.seccomp, ctypes.c_uint(_SET_MODE_FILTER), ctypes.c_uint(_FLAG_TSYNC), ctypes.byref(holder)
    )
    if result:
        raise OSError(errno.ESRCH, f"the filter could not be installed on thread {result}")
