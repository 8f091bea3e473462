"""The seccomp filter: what it decides for every call, on both architectures, and in a process that is under it.

The table below repeats the one of the filter on purpose: a row that is added there, or has a wrong number, is found here.
Both were compared with the kernel's headers (asm/unistd_64.h, asm-generic/unistd.h).
"""

import ctypes
import errno
import json
import os
import struct
import sys
from collections.abc import Callable

import pytest

if sys.platform != "linux":
    pytest.skip("seccomp is Linux's", allow_module_level=True)

from grader.sandbox.worker import linux, seccomp

# What is allowed, as name:number on x86_64:number on aarch64. Every other number is refused.
TABLE = """
mmap:9:222 munmap:11:215 mremap:25:216 mprotect:10:226 madvise:28:233 brk:12:214 mincore:27:232 futex:202:98
set_robust_list:273:99 rseq:334:293 gettid:186:178 exit:60:93 exit_group:231:94 sched_yield:24:124
sched_getaffinity:204:123 getcpu:309:168 rt_sigaction:13:134 rt_sigprocmask:14:135 rt_sigreturn:15:139
rt_sigpending:127:136 rt_sigtimedwait:128:137 rt_sigsuspend:130:133 sigaltstack:131:132 restart_syscall:219:128
pause:34:- alarm:37:- setitimer:38:103 getitimer:36:102 clock_gettime:228:113 clock_getres:229:114
clock_nanosleep:230:115 nanosleep:35:101 gettimeofday:96:169 time:201:- times:100:153 poll:7:- ppoll:271:73
select:23:- pselect6:270:72 read:0:63 write:1:64 readv:19:65 writev:20:66 pread64:17:67 lseek:8:62 close:3:57
close_range:436:436 dup:32:23 dup2:33:- dup3:292:24 fstat:5:80 stat:4:- lstat:6:- newfstatat:262:79 access:21:-
faccessat:269:48 readlink:89:- readlinkat:267:78 getdents64:217:61 getcwd:79:17 getpid:39:172 getppid:110:173
getuid:102:174 geteuid:107:175 getgid:104:176 getegid:108:177 getrusage:98:165 getrlimit:97:163 sysinfo:99:179
uname:63:160 getrandom:318:278
"""
# Some uses of these are allowed.
BY_ARGUMENTS = """
clone:56:220 tgkill:234:131 prctl:157:167 arch_prctl:158:- fcntl:72:25 ioctl:16:29 open:2:- openat:257:56
prlimit64:302:261
"""
# These do not exist, for a library that tries them first.
ABSENT = """
clone3:435:435 openat2:437:437 faccessat2:439:439 statx:332:291 membarrier:324:283 io_uring_setup:425:425
io_uring_enter:426:426 io_uring_register:427:427
"""
FIRST_UNKNOWN, LAST_TRIED = 448, 600
# What must never be allowed, whatever else changes: by it a worker would leave, or reach, signal or watch others.
DANGEROUS = """
socket:41:198 socketpair:53:199 connect:42:203 bind:49:200 sendto:44:206 sendmsg:46:211 recvmsg:47:212
getsockopt:55:209 setsockopt:54:208 getsockname:51:204 getpeername:52:205 fork:57:- vfork:58:- execve:59:221
execveat:322:281 ptrace:101:117 process_vm_readv:310:270 process_vm_writev:311:271 pidfd_open:434:434
pidfd_getfd:438:438 pidfd_send_signal:424:424 kill:62:129 tkill:200:130 rt_sigqueueinfo:129:138 timer_create:222:107
setsid:112:157 unshare:272:97 setns:308:268 mount:165:40 chroot:161:51 setuid:105:146 capset:126:91 bpf:321:280
perf_event_open:298:241 userfaultfd:323:282 keyctl:250:219 memfd_create:319:279 shmget:29:194 shmat:30:196
mq_open:240:180 msgget:68:186 semget:64:190 chmod:90:- unlink:87:- unlinkat:263:35 rename:82:- mkdir:83:- creat:85:-
truncate:76:45 ftruncate:77:46 utimensat:280:88 link:86:- symlink:88:- setrlimit:160:164 sched_setaffinity:203:122
setpriority:141:140 personality:135:92 inotify_init1:294:26 fanotify_init:300:262 name_to_handle_at:303:264
splice:275:76 vmsplice:278:75 tee:276:77 sendfile:40:71 seccomp:317:277 epoll_create1:291:20 eventfd2:290:19
"""


def rows(text: str, column: int) -> dict[str, int]:
    """Return the numbers of a table on one architecture, by name."""
    split = [row.split(":") for row in text.split()]
    return {row[0]: int(row[column]) for row in split if row[column] != "-"}


ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
X86, ARM = seccomp.MACHINES["x86_64"], seccomp.MACHINES["aarch64"]
PROCESS = 4242


def decided(machine, number: int, *arguments: int, audit: int | None = None) -> int:
    """Run the filter as the kernel does (classic BPF on struct seccomp_data), and return its verdict."""
    data = struct.pack(
        "<IIQ6Q",
        number & 0xFFFFFFFF,
        machine.audit if audit is None else audit,
        0,
        *(argument & 2**64 - 1 for argument in (*arguments, *[0] * (6 - len(arguments)))),
    )
    code = list(struct.iter_unpack("=HBBI", seccomp.program(machine, PROCESS)))
    accumulator, position = 0, 0
    while True:
        operation, yes, no, operand = code[position]
        position += 1
        if operation == 0x06:
            return operand
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, operand)
            continue
        taken = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: accumulator & operand != 0}
        position += yes if taken[operation] else no


@pytest.mark.parametrize(
    ("text", "table"),
    [(TABLE, seccomp._ALLOWED), (BY_ARGUMENTS, seccomp._CONDITIONAL), (ABSENT, seccomp._ABSENT)],
    ids=["allowed", "by arguments", "absent"],
)
def test_the_tables_of_the_filter_are_these(text, table):
    assert table == {name: (number, rows(text, 2).get(name)) for name, number in rows(text, 1).items()}, (
        "the tables of the filter"
    )


@pytest.mark.parametrize(("machine", "column"), [(X86, 1), (ARM, 2)], ids=seccomp.MACHINES)
def test_every_number_that_is_not_in_the_table_is_refused_whatever_its_arguments(machine, column):
    allowed, others = set(rows(TABLE, column).values()), set(rows(BY_ARGUMENTS, column).values())
    absent = set(rows(ABSENT, column).values())
    for number in set(range(LAST_TRIED + 1)) - others:
        expected = ALLOW if number in allowed else EPERM
        if number in absent or number >= FIRST_UNKNOWN:
            expected = ENOSYS
        for arguments in ((), (-1,) * 6):
            assert decided(machine, number, *arguments) == expected, number


@pytest.mark.parametrize(("machine", "column"), [(X86, 1), (ARM, 2)], ids=seccomp.MACHINES)
def test_what_reaches_beyond_the_process_is_refused(machine, column):
    for name, number in rows(DANGEROUS, column).items():
        assert decided(machine, number) == EPERM, name


def test_another_architecture_and_the_second_table_of_x86_are_refused():
    assert decided(X86, 0, audit=ARM.audit) == KILL
    assert decided(ARM, 63, audit=X86.audit) == KILL
    assert decided(X86, 0x3FFFFFFF) == ENOSYS
    assert decided(X86, 0x40000000) == EPERM  # x32's read


@pytest.mark.parametrize("machine", [X86, ARM], ids=seccomp.MACHINES)
def test_arguments_decide_where_a_call_has_harmless_uses(machine):
    numbers = rows(BY_ARGUMENTS, 1 + machine.column)
    thread = 0x10000

    def decide(name: str, *arguments: int) -> int:
        return decided(machine, numbers[name], *arguments)

    assert decide("clone", thread) == ALLOW
    assert decide("clone", 0x3D0F00) == ALLOW  # what pthread_create passes
    assert [decide("clone", flags) for flags in (0, 17, thread - 1, thread << 1)] == [EPERM] * 4
    assert decide("tgkill", PROCESS, 1, 15) == ALLOW
    for process in (0, 1, PROCESS - 1, PROCESS + 1, -1):
        assert decide("tgkill", process, 1, 15) == EPERM, process
    for number in range(1, 65):
        expected = EPERM if number in (9, 19) else ALLOW  # SIGKILL, SIGSTOP
        assert decide("tgkill", PROCESS, 1, number) == expected, number
    for option in (*range(80), 0x59616D61, 0x53564D41, 0x41555856):
        expected = ALLOW if option in (15, 16, 51) else EPERM  # SET_NAME, GET_NAME, SVE_GET_VL
        assert decide("prctl", option) == expected, option
    for command in (*range(20), *range(1024, 1045)):
        expected = (
            ALLOW if command in (0, 1, 2, 3, 4, 1030) else EPERM
        )  # DUPFD, (G|S)ETFD, (G|S)ETFL, DUPFD_CLOEXEC
        assert decide("fcntl", 0, command) == expected, command
    for command in (*range(0x5400, 0x5480), *range(0x8900, 0x8980), 0x541B, 0xAE01, 2**32 - 1):
        assert decide("ioctl", 0, command) == (ALLOW if command == 0x5401 else EPERM), hex(command)  # TCGETS
    if machine is X86:
        for code in range(0x1000, 0x1030):
            expected = ALLOW if code in (0x1003, 0x1021, 0x1022, 0x1023) else EPERM
            assert decide("arch_prctl", code) == expected, hex(code)
    assert decide("prlimit64", 0, 7, 0) == ALLOW  # reading a limit
    for pointer in (1, 0xFFFFFFFF, 2**32, 2**63):
        assert decide("prlimit64", 0, 7, pointer) == EPERM, pointer


@pytest.mark.parametrize(
    ("machine", "number", "before"), [(X86, 2, 1), (X86, 257, 2), (ARM, 56, 2)], ids=["open", "openat", "arm"]
)
def test_a_file_may_be_opened_to_be_read_and_for_nothing_else(machine, number, before):
    def opening(flags: int) -> int:
        return decided(machine, number, *[0] * before, flags)

    reading = (0, os.O_CLOEXEC, os.O_NONBLOCK, os.O_CLOEXEC | os.O_DIRECTORY, os.O_NOFOLLOW, 0o10000000)
    assert [opening(flags) for flags in reading] == [ALLOW] * len(reading)
    for flag in (0o1, 0o2, 0o100, 0o1000):  # WRONLY, RDWR, CREAT, TRUNC
        for others in reading:
            assert opening(flag | others) == EPERM, oct(flag | others)


def test_a_machine_without_a_table_has_no_filter(monkeypatch):
    monkeypatch.setattr(seccomp.platform, "machine", lambda: "riscv64")
    with pytest.raises(OSError, match="no system call table for riscv64"):
        seccomp.install()


# --- in a process


def in_child(action: Callable[[], object]) -> object:
    """Return what an action returns in a forked child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, json.dumps(action()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return json.loads(answer)


def error_of(number: int, *arguments: int) -> int:
    """Make a system call; return its errno, 0 where it succeeds."""
    ctypes.set_errno(0)
    result = linux.libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    return ctypes.get_errno() if result < 0 else 0


@pytest.fixture(scope="module")
def here():
    machine = seccomp.machine()
    if machine is None:
        pytest.skip("no table for this architecture")
    return machine


def test_every_number_that_is_not_allowed_fails_in_a_process_under_the_filter(here):
    column = 1 + here.column
    allowed = {*rows(TABLE, column).values(), *rows(BY_ARGUMENTS, column).values()}
    probes = (
        {335, 336} if here is X86 else set()
    )  # uretprobe, uprobe: the kernel ends the caller with SIGILL instead
    tried = [number for number in range(LAST_TRIED + 1) if number not in allowed | probes]
    absent = set(rows(ABSENT, column).values())

    def action() -> list[int]:
        linux.forbid_new_privileges()
        seccomp.install()
        return [error_of(number, *[-1] * 6) for number in tried]

    expected = [errno.ENOSYS if one in absent or one >= FIRST_UNKNOWN else errno.EPERM for one in tried]
    assert in_child(action) == expected


def test_the_filter_and_not_the_kernel_refuses_to_read_the_memory_of_a_process(here):
    numbers = [n for name, n in rows(DANGEROUS, 1 + here.column).items() if name.startswith("process_vm")]

    def action(*, filtered: bool) -> list[int]:
        if filtered:
            linux.forbid_new_privileges()
            seccomp.install()
        return [error_of(one, os.getpid(), 0, 0, 0, 0, 0) for one in numbers]

    assert in_child(lambda: action(filtered=False)) == [0, 0]
    assert in_child(lambda: action(filtered=True)) == [errno.EPERM] * 2
