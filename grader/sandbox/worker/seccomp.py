"""Seccomp: a filter that refuses, with EPERM, the system calls that computing does not need.

Numbers are (x86_64, aarch64), from the kernel's own tables (asm/unistd_64.h, asm-generic/unistd.h); None where an
architecture lacks the call. Calls newer than the tables fail with ENOSYS.
"""

import ctypes
import errno
import os
import platform
import signal
import struct
from collections.abc import Iterable
from typing import NamedTuple

from grader.sandbox.worker.linux import system_call

# fmt: off
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # sockets
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    # processes
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "timer_create": (222, 107),  # a timer may send any signal, SIGKILL too: see _FORBIDDEN_SIGNALS
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    # namespaces, mounts, identity
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "fsconfig": (431, 431),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "setuid": (105, 146),
    "setgid": (106, 144),
    "setreuid": (113, 145),
    "setregid": (114, 143),
    "setresuid": (117, 147),
    "setresgid": (119, 149),
    "setgroups": (116, 159),
    "setfsuid": (122, 151),
    "setfsgid": (123, 152),
    "capset": (126, 91),
    # kernel
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "lookup_dcookie": (212, 18),
    "fanotify_init": (300, 262),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "vhangup": (153, 58),
    "sync": (162, 81),
    "syncfs": (306, 267),
    "personality": (135, 92),
    "nfsservctl": (180, 42),
    # memory shared with other processes
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmdt": (67, 197),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "mq_timedsend": (242, 182),
    "mq_timedreceive": (243, 183),
    "mq_notify": (244, 184),
    "mq_getsetattr": (245, 185),
    # files
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "creat": (85, None),
    "utime": (132, None),
    "utimes": (235, None),
    "utimensat": (280, 88),
    "futimesat": (261, None),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "fallocate": (285, 47),
    # limits and scheduling
    "setrlimit": (160, 164),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
}
# fmt: on


class _Machine(NamedTuple):
    """An architecture: its column in _REFUSED, and the numbers of the calls whose arguments are tested."""

    column: int
    audit: int  # AUDIT_ARCH_*
    clone: int
    tgkill: int
    prctl: int
    prlimit64: int
    fcntl: int
    ioctl: int
    open: int | None
    openat: int
    seccomp: int
    foreign_calls_from: int  # x86_64 offers a second table (x32) from here


MACHINES = {
    "x86_64": _Machine(0, 0xC000003E, 56, 234, 157, 302, 72, 16, 2, 257, 317, 0x40000000),
    "aarch64": _Machine(1, 0xC00000B7, 220, 131, 167, 261, 25, 29, None, 56, 277, 0xFFFFFFFF),
}

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_IF_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_CLONE_THREAD = 0x10000
_FIRST_UNKNOWN = 448  # the table has none from here on, where both architectures share their numbers
_ABSENT = {"clone3": 435, "openat2": 437}  # the C library falls back to calls whose flags a filter can see
_FORBIDDEN_SIGNALS = (signal.SIGKILL, signal.SIGSTOP)  # so a SIGKILL of a worker came from outside
_FORBIDDEN_PRCTL = (1, 4, 0x59616D61)  # PDEATHSIG, DUMPABLE, PTRACER
_FORBIDDEN_FCNTL = (8, 10, 15)  # SETOWN, SETSIG, SETOWN_EX: signals to any process of this user
_FORBIDDEN_IOCTL = (0x8901, 0x8902, 0x5412, 0x540E, 0x541C)  # SETOWN, SPGRP; typing into a terminal
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000  # WRONLY, RDWR, CREAT, TRUNC
_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1


_Instruction = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refused_numbers(machine: _Machine) -> list[int]:
    """Return the numbers of the calls that are always refused on an architecture."""
    return [numbers[machine.column] for numbers in _REFUSED.values() if numbers[machine.column] is not None]  # type: ignore[misc]


def _low(argument: int) -> int:
    return 16 + 8 * argument


def program(machine: _Machine, process: int) -> bytes:
    """Assemble the filter for an architecture and a process id."""
    refuse = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    allow = (_RETURN, 0, 0, _ALLOW)
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_AT_LEAST, 0, 1, machine.foreign_calls_from),
        refuse,
    ]
    for number in refused_numbers(machine):
        code += [(_JUMP_EQUAL, 0, 1, number), refuse]
    absent = (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)
    code += [(_JUMP_AT_LEAST, 0, 1, _FIRST_UNKNOWN), absent]
    for number in _ABSENT.values():
        code += [(_JUMP_EQUAL, 0, 1, number), absent]
    code += _when(
        machine.clone, [(_LOAD, 0, 0, _low(0)), (_JUMP_IF_BITS, 1, 0, _CLONE_THREAD), refuse, allow]
    )
    itself = [(_LOAD, 0, 0, _low(0)), (_JUMP_EQUAL, 1, 0, process), refuse]
    code += _when(machine.tgkill, [*itself, *_unless(2, _FORBIDDEN_SIGNALS, refuse), allow])
    code += _when(machine.prctl, [*_unless(0, _FORBIDDEN_PRCTL, refuse), allow])
    code += _when(machine.fcntl, [*_unless(1, _FORBIDDEN_FCNTL, refuse), allow])
    code += _when(machine.ioctl, [*_unless(1, _FORBIDDEN_IOCTL, refuse), allow])
    for opening, flags in ((machine.open, 1), (machine.openat, 2)):
        if opening is not None:
            writes = [(_LOAD, 0, 0, _low(flags)), (_JUMP_IF_BITS, 0, 1, _WRITING), refuse]
            code += _when(opening, [*writes, allow])
    pointer = [(_LOAD, 0, 0, _low(2)), (_JUMP_EQUAL, 1, 0, 0), refuse]
    pointer += [(_LOAD, 0, 0, _low(2) + 4), (_JUMP_EQUAL, 1, 0, 0), refuse]
    code += _when(machine.prlimit64, [*pointer, allow])
    code.append(allow)
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _unless(argument: int, values: Iterable[int], refuse: _Instruction) -> list[_Instruction]:
    """Refuse when an argument of the call is one of `values`; else go on after it."""
    tests = [instruction for value in values for instruction in ((_JUMP_EQUAL, 0, 1, value), refuse)]
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
