"""Isolation levels on other machines, simulated: old kernels, containers, other users and homes."""

import errno
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import grade_command
import pytest

from grader.sandbox import diagnostics
from grader.sandbox.protocol.orders import LAYERS, NO_PIDFD, WORKER_FAILED, Missing

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="Landlock, seccomp and namespaces are Linux's"
)

ROOT = Path(__file__).parent.parent
COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")

# Installs a filter that fails some system calls with an error, as a container's runtime does.
CONTAINER = """
import ctypes, errno, os, struct, sys
from grader.sandbox.worker import linux, seccomp

calls, number = json_calls, json_error
here = seccomp.machine()
code = [(0x20, 0, 0, 0)]
for call in calls:
    code += [(0x15, 0, 1, call), (0x06, 0, 0, 0x00050000 | number)]
code += [(0x06, 0, 0, 0x7FFF0000)]
data = b"".join(struct.pack("=HBBI", *one) for one in code)
holder = seccomp._Program(length=len(code), filter=data)
linux.forbid_new_privileges()
linux.system_call(here.seccomp, ctypes.c_uint(1), ctypes.c_uint(0), ctypes.byref(holder))
"""
# Becomes user 1000 of a user namespace: without capabilities, as any ordinary user.
ORDINARY = """
import os, sys
from grader.sandbox.worker import linux

user, group = os.getuid(), os.getgid()
linux.unshare(linux.CLONE_NEWUSER)
for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {user} 1"), ("gid_map", f"1000 {group} 1")):
    with open(f"/proc/self/{name}", "w") as file:
        file.write(text)
linux.drop_capabilities()
assert os.getuid() == 1000
"""
EXECUTE = """
import os, sys
os.execv(sys.executable, [sys.executable, "-m", "grader", *sys.argv[1:]])
"""


@pytest.fixture
def workspace(tmp_path):
    """A workspace whose one exercise is solved."""
    (tmp_path / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(workspace):
    """Run `grade` in the workspace, after code that changes what its process may do.

    The doctor is executed after it, as by a user; the other commands are forked.
    """

    def started(*arguments: str, through: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        changes = {"CONVGRADER_COURSE": str(COURSE), **environment}
        if not through or "doctor" not in arguments:
            return grade_command.run(*arguments, folder=workspace, before=through, **changes)
        return subprocess.run(
            [sys.executable, "-c", through + EXECUTE, *arguments],
            capture_output=True,
            text=True,
            cwd=workspace,
            env={**os.environ, **changes},
            timeout=120,
            check=False,
        )

    return started


def container(*calls: str, error: int) -> str:
    numbers = {"unshare": (272, 97), "landlock_create_ruleset": (444, 444), "landlock_restrict_self": (446, 446),
               "clone": (56, 220), "pidfd_open": (434, 434)}  # fmt: skip
    column = 0 if os.uname().machine == "x86_64" else 1
    return CONTAINER.replace("json_calls", str([numbers[call][column] for call in calls])).replace(
        "json_error", str(error)
    )


def level_of(done: subprocess.CompletedProcess[str]) -> int:
    assert done.stdout.startswith("Isolation level "), done.stderr
    return int(done.stdout.split()[2])


@pytest.fixture(scope="module")
def here(dispatcher) -> int:
    """The level of this machine."""
    return dispatcher.ready().level


# --- grade doctor


@pytest.mark.parametrize("level", [3, 2, 1, 0])
def test_each_level_can_be_forced_and_the_doctor_says_what_is_missing(run, here, level):
    if here < level:
        pytest.skip(f"this machine gives level {here}")
    done = run("doctor", "--require-isolation", "2", CONVGRADER_MAX_ISOLATION=str(level))
    assert level_of(done) == level
    assert done.returncode == (3 if level < 2 else 0)
    missing = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("- ")]
    assert missing == list(LAYERS[level:])
    assert done.stdout.count("Unset CONVGRADER_MAX_ISOLATION.") == 3 - level
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("layer", "code", "settings", "words"),
    [
        ("seccomp", "ENOSYS", {}, "emulated"),
        ("seccomp", "EINVAL", {}, "CONFIG_SECCOMP_FILTER"),
        ("Landlock", "ENOSYS", {}, "Linux 5.13"),
        ("Landlock", "EOPNOTSUPP", {}, "lsm=landlock, "),
        (
            "Landlock",
            "EOPNOTSUPP",
            {"/sys/kernel/security/lsm": "lockdown,yama"},
            "lsm=landlock,lockdown,yama",
        ),
        ("Landlock", "EPERM", {}, "container"),
        ("namespaces", "EPERM", {}, "container"),
        ("namespaces", "ENOSPC", {"user/max_user_namespaces": "0"}, "sysctl user.max_user_namespaces"),
        ("namespaces", "ENOSPC", {"user/max_pid_namespaces": "0"}, "sysctl user.max_pid_namespaces"),
        ("namespaces", "ENOSPC", {"user/max_net_namespaces": "0"}, "sysctl user.max_net_namespaces"),
        ("namespaces", "ENOSPC", {"user/max_ipc_namespaces": "0"}, "sysctl user.max_ipc_namespaces"),
        ("namespaces", "ENOSPC", {}, "limit of namespaces is reached"),
        ("namespaces", "EINVAL", {}, "Linux 5.8 or later"),
        ("namespaces", "ENOSYS", {}, "Linux 5.8 or later"),
        ("namespaces", "EPERM", {"kernel/unprivileged_userns_clone": "0"}, "unprivileged_userns_clone=1"),
        ("namespaces", "EACCES", {"kernel/apparmor_restrict_unprivileged_userns": "1"}, "AppArmor"),
    ],
)
def test_every_reason_has_its_own_remedy(layer, code, settings, words):
    missing = Missing(layer=layer, reason="Refused", code=code)
    assert words in diagnostics.remedy(missing, lambda name: settings.get(name, ""))


@pytest.mark.parametrize(
    ("layer", "reason", "code", "words"),
    [
        ("seccomp", "no system call table for riscv64", "ENOSYS", "x86_64 or aarch64"),
        ("seccomp", f"{NO_PIDFD}: Function not implemented", "ENOSYS", "Linux 5.3"),
        ("Landlock", f"{NO_PIDFD}: Operation not permitted", "EPERM", "container"),
        ("namespaces", f"{WORKER_FAILED}: ValueError", "", "bug of the grader"),
    ],
)
def test_a_reason_that_no_error_number_tells_has_its_own_remedy(layer, reason, code, words):
    assert words in diagnostics.remedy(Missing(layer=layer, reason=reason, code=code), lambda _: "")


@pytest.mark.parametrize("level", [0, 1, 2])
def test_level_2_is_called_enough_only_where_it_is_reached(level):
    missing = Missing(layer="namespaces", reason="Refused", code="EPERM")
    assert ("Level 2 is enough" in diagnostics.remedy(missing, lambda _: "", level=level)) == (level == 2)


# --- where no worker can be had as it should

FAULTY = """
import os, socket, sys
import torch
torch.set_num_threads(1)
from grader.core.errors import InternalError
from grader.grading.zygote import warm_process
from grader.grading.zygote.forking import freeze_heap
from grader.sandbox.worker import lockdown, process

works_up_to = int(sys.argv[1])
lock_down = lockdown.lock_down

def faulty(confinement, **limits):
    if confinement.level > works_up_to:
        raise RuntimeError(f"no worker at level {confinement.level}")
    lock_down(confinement, **limits)

process.lockdown.lock_down = faulty
confinement = lockdown.prepare()
own_end, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
freeze_heap()
try:
    confinement = warm_process.prove(control, confinement)
    print(confinement.level, *confinement.missing)
except InternalError as error:
    print("none:", error)
"""


@pytest.mark.parametrize("works_up_to", [3, 2, 0, -1])
def test_a_worker_that_does_not_start_lowers_the_level_or_is_the_reason_why_nothing_is_graded(
    here, works_up_to
):
    """The self-test of the layers succeeds here; what fails is a worker of a keeper."""
    if here < 3:
        pytest.skip(f"this machine gives level {here}")
    done = subprocess.run(
        [sys.executable, "-c", FAULTY, str(works_up_to)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    if works_up_to < 0:
        assert done.stdout.startswith("none: RuntimeError: no worker at level 0"), done.stderr
        return
    level, *missing = done.stdout.split(maxsplit=1)
    assert int(level) == works_up_to
    if works_up_to < 3:
        assert f"{WORKER_FAILED}: RuntimeError: no worker at level {works_up_to + 1}" in missing[0]


@pytest.fixture
def python_with(tmp_path):
    """Return an interpreter with these packages that runs a line of Python whenever it starts."""

    def make(line: str) -> str:
        folder = tmp_path / "interpreter"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        (packages,) = (folder / "lib").glob("python*/site-packages")
        shown = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
        (packages / "added.pth").write_text("\n".join([*shown, line, ""]), encoding="utf-8")
        return str(folder / "bin" / "python")

    return make


def test_a_python_without_pidfd_open_grades_at_the_level_of_the_machine(python_with, workspace, here):
    """Such are Pythons that were built with the headers of a kernel before 5.3, like conda's."""
    python = python_with("import os; vars(os).pop('pidfd_open', None)")
    probe = [python, "-c", "import os; assert not hasattr(os, 'pidfd_open')"]
    subprocess.run(probe, check=True)
    done = subprocess.run(
        [python, "-m", "grader", "--format", "json"],
        cwd=workspace,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CONVGRADER_COURSE": str(COURSE)},
    )
    report = json.loads(done.stdout)
    assert report["score"] == 1.0
    assert report["isolation"]["level"] == here


@pytest.mark.parametrize(
    ("error", "words"), [(errno.ENOSYS, "Use Linux 5.3 or later"), (errno.EPERM, "--security-opt")]
)
def test_a_kernel_without_pidfd_open_grades_at_level_0_and_says_why(run, error, words):
    through = container("pidfd_open", error=error)
    done = run("doctor", through=through)
    assert level_of(done) == 0
    shown = " ".join(done.stdout.split())
    assert "pidfd_open" in shown
    assert words in shown
    report = json.loads(run("--format", "json", through=through).stdout)
    assert (report["score"], report["isolation"]["level"]) == (1.0, 0)


# --- containers


@pytest.mark.parametrize(
    ("calls", "error", "level", "words"),
    [
        (["unshare"], errno.EPERM, 2, "Operation not permitted"),
        (["landlock_create_ruleset"], errno.ENOSYS, 1, "Use Linux 5.13 or later"),
        (["landlock_create_ruleset"], errno.EOPNOTSUPP, 1, "lsm="),
        (["landlock_create_ruleset"], errno.EPERM, 1, "--security-opt"),
        (["landlock_restrict_self"], errno.EPERM, 1, "--security-opt"),
        (["unshare", "landlock_create_ruleset"], errno.EPERM, 1, "layers before it|Operation not permitted"),
    ],
)
def test_a_container_that_blocks_a_layer_gives_the_level_below_and_says_so(
    run, here, calls, error, level, words
):
    if here < 3:
        pytest.skip(f"this machine gives level {here}")
    through = container(*calls, error=error)
    done = run("doctor", through=through)
    assert level_of(done) == level
    shown = " ".join(done.stdout.split())
    assert any(word in shown for word in words.split("|")), done.stdout
    graded = run("--format", "json", through=through)
    report = json.loads(graded.stdout)
    assert report["score"] == 1.0
    assert report["isolation"]["level"] == level
    refused = run("--require-isolation", str(level + 1), through=through)
    assert refused.returncode == 3
    assert not refused.stdout


def test_a_refused_uid_map_costs_the_namespaces_and_nothing_else(here):
    if here < 3:
        pytest.skip(f"this machine gives level {here}")
    program = """
    import torch
    torch.set_num_threads(1)
    from grader.sandbox.worker import linux, lockdown

    def refuse(user, group):
        raise PermissionError(1, "Operation not permitted", "/proc/self/uid_map")

    linux.map_identity = refuse
    confinement = lockdown.prepare()
    print(confinement.level, *confinement.missing, confinement.missing[0].code)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.stdout.strip() == "2 namespaces: Operation not permitted EPERM"


# --- older Landlocks

ABI = """
import json, os, socket, sys
import torch
torch.set_num_threads(1)
from grader.sandbox.worker import landlock, linux, lockdown

lockdown._prime_import_caches()
version = int(sys.argv[1])
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
listening.listen()
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\\0convgrader-levels-%d" % os.getpid())
abstract.listen()
name = abstract.getsockname()
os.makedirs(sys.argv[2] + "/a/b")
open(sys.argv[2] + "/a/file", "w").close()

TRIES = {
    "read": lambda: open("/etc/passwd").close(),
    "list": lambda: os.listdir("/etc"),
    "write": lambda: open(sys.argv[2] + "/new", "w").close(),
    "make a folder": lambda: os.mkdir(sys.argv[2] + "/folder"),
    "remove": lambda: os.unlink(sys.argv[2] + "/a/file"),
    "import torch's files": lambda: open(torch.__file__).close(),
    "move between folders": lambda: os.rename(sys.argv[2] + "/a/file", sys.argv[2] + "/a/b/file"),
    "truncate": lambda: os.truncate(sys.argv[2] + "/a/file", 0),
    "connect": lambda: socket.create_connection(listening.getsockname(), timeout=2).close(),
    "connect to an abstract socket": lambda: socket.socket(socket.AF_UNIX).connect(name),
    "signal the parent": lambda: os.kill(os.getppid(), 0),
}
reading, writing = os.pipe()
if os.fork() == 0:
    ruleset = landlock.ruleset(version)
    linux.forbid_new_privileges()
    landlock.restrict(ruleset)
    endings = {}
    for what, action in TRIES.items():
        try:
            action()
            endings[what] = "done"
        except PermissionError:
            endings[what] = "refused"
        except OSError as error:
            endings[what] = os.strerror(error.errno)
    os.write(writing, json.dumps(endings).encode())
    os._exit(0)
os.close(writing)
print(os.fdopen(reading).read())
"""
# The ABI from which on each is refused. Below ABI 2 the kernel refuses every move between folders, with EXDEV.
REFUSED_FROM = {
    "read": 1,
    "list": 1,
    "write": 1,
    "make a folder": 1,
    "remove": 1,
    "truncate": 3,
    "connect": 4,
    "connect to an abstract socket": 6,
    "signal the parent": 6,
}


@pytest.mark.parametrize("version", range(1, 8))
def test_each_older_landlock_refuses_less(tmp_path, version):
    from grader.sandbox.worker import landlock

    try:
        newest = landlock.abi()
    except OSError as error:
        pytest.skip(f"no Landlock here: {error}")
    if version > newest:
        pytest.skip(f"this kernel has ABI {newest}")
    done = subprocess.run(
        [sys.executable, "-c", ABI, str(version), str(tmp_path)], capture_output=True, text=True, check=True
    )
    shown = json.loads(done.stdout)
    assert shown.pop("import torch's files") == "done"
    assert shown.pop("move between folders") in ("refused", os.strerror(errno.EXDEV))
    refused = {what for what, ending in shown.items() if ending == "refused"}
    assert refused == {what for what, since in REFUSED_FROM.items() if version >= since}


# --- users and homes


def test_an_ordinary_user_gets_the_same_level(run, here):
    if here < 3:
        pytest.skip(
            f"this machine gives level {here}, and a user namespace is how this test becomes another user"
        )
    done = run("doctor", through=ORDINARY)
    assert level_of(done) == here, done.stdout
    assert "user 1000" in done.stdout
    graded = run("--format", "json", through=ORDINARY)
    assert json.loads(graded.stdout)["score"] == 1.0


@pytest.mark.parametrize("home", ["/nonexistent", "/proc", ""])
def test_a_home_that_cannot_be_written_does_not_matter(run, home):
    done = run("--format", "json", HOME=home, XDG_CACHE_HOME=home)
    assert json.loads(done.stdout)["score"] == 1.0
    assert not done.stderr


def test_workers_can_read_the_interpreter_in_a_private_home_and_no_file_beside_it(
    dispatcher, course, tmp_path
):
    """The ruleset opens the readable folders before capabilities are dropped: a home of mode 0700 is enough."""
    from grader.grading.attempt import grade_exercises
    from grader.submission import open_submission

    if dispatcher.ready().level < 2:
        pytest.skip(f"this machine gives level {dispatcher.ready().level}")
    beside = Path(sys.executable).resolve()
    source = f"""
def double(x):
    import wave, fractions, torch.fft  # not imported by the zygote
    try:
        open({str(beside)!r}).close()
    except PermissionError:
        return 2 * x
"""
    (tmp_path / "scaling.py").write_text(REFERENCE + source, encoding="utf-8")
    (result,) = grade_exercises(dispatcher, open_submission(tmp_path), course.exercises, seed=0)
    assert result.points == result.max_points, result
