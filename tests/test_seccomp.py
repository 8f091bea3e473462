"""The seccomp filter: what it decides for every call it tests, on both architectures, and in a process that is under it.

The table below repeats the one of the filter on purpose: a row that is lost there, or has a wrong number, is found here.
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

# name:number on x86_64:number on aarch64
TABLE = """
socket:41:198 socketpair:53:199 connect:42:203 bind:49:200 listen:50:201 accept:43:202 accept4:288:242 sendto:44:206
sendmsg:46:211 sendmmsg:307:269 fork:57:- vfork:58:- execve:59:221 execveat:322:281 ptrace:101:117
timer_create:222:107 process_vm_readv:310:270 process_vm_writev:311:271 process_madvise:440:440 kcmp:312:272
pidfd_open:434:434 pidfd_getfd:438:438 pidfd_send_signal:424:424 kill:62:129 tkill:200:130 rt_sigqueueinfo:129:138
rt_tgsigqueueinfo:297:240 setsid:112:157 setpgid:109:154 unshare:272:97 setns:308:268 mount:165:40 umount2:166:39
pivot_root:155:41 chroot:161:51 move_mount:429:429 open_tree:428:428 fsopen:430:430 fsmount:432:432 fsconfig:431:431
fspick:433:433 mount_setattr:442:442 setuid:105:146 setgid:106:144 setreuid:113:145 setregid:114:143
setresuid:117:147 setresgid:119:149 setgroups:116:159 setfsuid:122:151 setfsgid:123:152 capset:126:91 bpf:321:280
perf_event_open:298:241 userfaultfd:323:282 add_key:248:217 request_key:249:218 keyctl:250:219
io_uring_setup:425:425 io_uring_enter:426:426 io_uring_register:427:427 init_module:175:105 finit_module:313:273
delete_module:176:106 kexec_load:246:104 kexec_file_load:320:294 reboot:169:142 swapon:167:224 swapoff:168:225
acct:163:89 quotactl:179:60 quotactl_fd:443:443 syslog:103:116 settimeofday:164:170 clock_settime:227:112
clock_adjtime:305:266 adjtimex:159:171 sethostname:170:161 setdomainname:171:162 iopl:172:- ioperm:173:-
modify_ldt:154:- name_to_handle_at:303:264 open_by_handle_at:304:265 lookup_dcookie:212:18 fanotify_init:300:262
inotify_init:253:- inotify_init1:294:26 vhangup:153:58 sync:162:81 syncfs:306:267 personality:135:92
nfsservctl:180:42 memfd_create:319:279 memfd_secret:447:447 shmget:29:194 shmat:30:196 shmctl:31:195 shmdt:67:197
msgget:68:186 msgsnd:69:189 msgrcv:70:188 msgctl:71:187 semget:64:190 semop:65:193 semctl:66:191 semtimedop:220:192
mq_open:240:180 mq_unlink:241:181 mq_timedsend:242:182 mq_timedreceive:243:183 mq_notify:244:184
mq_getsetattr:245:185 chmod:90:- fchmod:91:52 fchmodat:268:53 chown:92:- fchown:93:55 lchown:94:- fchownat:260:54
creat:85:- utime:132:- utimes:235:- utimensat:280:88 futimesat:261:- setxattr:188:5 lsetxattr:189:6 fsetxattr:190:7
removexattr:197:14 lremovexattr:198:15 fremovexattr:199:16 link:86:- linkat:265:37 symlink:88:- symlinkat:266:36
mknod:133:- mknodat:259:33 mkdir:83:- mkdirat:258:34 rmdir:84:- rename:82:- renameat:264:38 renameat2:316:276
unlink:87:- unlinkat:263:35 truncate:76:45 ftruncate:77:46 fallocate:285:47 setrlimit:160:164
sched_setaffinity:203:122 sched_setscheduler:144:119 sched_setparam:142:118 sched_setattr:314:274
setpriority:141:140 ioprio_set:251:30 migrate_pages:256:238 move_pages:279:239 mbind:237:235 set_mempolicy:238:237
"""
ROWS = [row.split(":") for row in TABLE.split()]
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


def test_the_table_of_the_filter_is_this_one():
    assert {name: (int(x86), None if arm == "-" else int(arm)) for name, x86, arm in ROWS} == seccomp._REFUSED


@pytest.mark.parametrize(("machine", "column"), [(X86, 1), (ARM, 2)], ids=seccomp.MACHINES)
def test_every_call_of_the_table_is_refused_whatever_its_arguments(machine, column):
    for row in ROWS:
        if row[column] != "-":
            for arguments in ((), (-1,) * 6):
                assert decided(machine, int(row[column]), *arguments) == EPERM, row[0]


@pytest.mark.parametrize(
    ("machine", "calls"),
    [(X86, {"read": 0, "write": 1, "mmap": 9, "exit_group": 231, "futex": 202, "close": 3, "getrandom": 318}),
     (ARM, {"read": 63, "write": 64, "mmap": 222, "exit_group": 94, "futex": 98, "close": 57, "getrandom": 278})],
    ids=seccomp.MACHINES,
)  # fmt: skip
def test_calls_that_computing_needs_are_allowed(machine, calls):
    for name, number in calls.items():
        assert decided(machine, number) == ALLOW, name


@pytest.mark.parametrize("machine", [X86, ARM], ids=seccomp.MACHINES)
def test_calls_that_are_newer_than_the_table_do_not_exist(machine):
    assert decided(machine, 447) == EPERM  # memfd_secret, the last of the table
    assert [decided(machine, number) for number in (448, 449, 1000)] == [ENOSYS] * 3
    assert [decided(machine, number) for number in (435, 437)] == [ENOSYS] * 2  # clone3, openat2


def test_another_architecture_and_the_second_table_of_x86_are_refused():
    assert decided(X86, 0, audit=ARM.audit) == KILL
    assert decided(ARM, 63, audit=X86.audit) == KILL
    assert decided(X86, 0x3FFFFFFF) == ENOSYS
    assert decided(X86, 0x40000000) == EPERM  # x32's read


@pytest.mark.parametrize("machine", [X86, ARM], ids=seccomp.MACHINES)
def test_arguments_decide_where_a_call_has_harmless_uses(machine):
    thread = 0x10000
    assert decided(machine, machine.clone, thread) == ALLOW
    assert decided(machine, machine.clone, 0x3D0F00) == ALLOW  # what pthread_create passes
    assert [decided(machine, machine.clone, flags) for flags in (0, 17, thread - 1, thread << 1)] == [
        EPERM
    ] * 4
    assert decided(machine, machine.tgkill, PROCESS, 1, 15) == ALLOW
    for process in (0, 1, PROCESS - 1, PROCESS + 1, -1):
        assert decided(machine, machine.tgkill, process, 1, 15) == EPERM, process
    for number in range(1, 65):
        expected = EPERM if number in (9, 19) else ALLOW  # SIGKILL, SIGSTOP
        assert decided(machine, machine.tgkill, PROCESS, 1, number) == expected, number
    for option in (*range(80), 0x59616D61):
        expected = EPERM if option in (1, 4, 0x59616D61) else ALLOW  # PDEATHSIG, DUMPABLE, PTRACER
        assert decided(machine, machine.prctl, option) == expected, option
    for command in range(20):
        expected = EPERM if command in (8, 10, 15) else ALLOW  # SETOWN, SETSIG, SETOWN_EX
        assert decided(machine, machine.fcntl, 0, command) == expected, command
    forbidden = (
        0x8901,
        0x8902,
        0x5412,
        0x540E,
        0x541C,
    )  # FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCSCTTY, TIOCLINUX
    for command in {one + step for one in forbidden for step in (-1, 0, 1)} | {0x5401, 0x5413, 0x541B}:
        expected = EPERM if command in forbidden else ALLOW
        assert decided(machine, machine.ioctl, 0, command) == expected, hex(command)
    assert decided(machine, machine.prlimit64, 0, 7, 0) == ALLOW  # reading a limit
    for pointer in (1, 0xFFFFFFFF, 2**32, 2**63):
        assert decided(machine, machine.prlimit64, 0, 7, pointer) == EPERM, pointer


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


def test_every_call_of_the_table_fails_in_a_process_under_the_filter(here):
    numbers = {row[0]: int(row[1 + here.column]) for row in ROWS if row[1 + here.column] != "-"}

    def action() -> dict[str, int]:
        linux.forbid_new_privileges()
        seccomp.install()
        return {name: error_of(number, *[-1] * 6) for name, number in numbers.items()}

    assert in_child(action) == dict.fromkeys(numbers, errno.EPERM)


def test_the_filter_and_not_the_kernel_refuses_to_read_the_memory_of_a_process(here):
    numbers = [int(row[1 + here.column]) for row in ROWS if row[0].startswith("process_vm")]

    def action(*, filtered: bool) -> list[int]:
        if filtered:
            linux.forbid_new_privileges()
            seccomp.install()
        return [error_of(one, os.getpid(), 0, 0, 0, 0, 0) for one in numbers]

    assert in_child(lambda: action(filtered=False)) == [0, 0]
    assert in_child(lambda: action(filtered=True)) == [errno.EPERM] * 2
