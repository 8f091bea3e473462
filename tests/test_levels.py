"""Isolation levels on other machines, simulated: old kernels, containers, other users and homes."""

import errno
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from grader.sandbox import diagnostics
from grader.sandbox.protocol.orders import LAYERS, Missing

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="Landlock, seccomp and namespaces are Linux's"
)

ROOT = Path(__file__).parent.parent
COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")

# Installs a filter that fails some system calls with an error, as a container's runtime does, and executes the command
# that follows.
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
os.execv(sys.executable, [sys.executable, "-m", "grader", *sys.argv[1:]])
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
os.execv(sys.executable, [sys.executable, "-m", "grader", *sys.argv[1:]])
"""


@pytest.fixture
def workspace(tmp_path):
    """A workspace whose one exercise is solved."""
    (tmp_path / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(workspace):
    """Run `grade` in the workspace, through a program that changes the surroundings first."""

    def started(*arguments: str, through: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        command = ["-c", textwrap.dedent(through)] if through else ["-m", "grader"]
        return subprocess.run(
            [sys.executable, *command, *arguments],
            capture_output=True,
            text=True,
            cwd=workspace,
            env={**os.environ, "CONVGRADER_COURSE": str(COURSE), **environment},
            timeout=120,
            check=False,
        )

    return started


def container(*calls: str, error: int) -> str:
    numbers = {"unshare": (272, 97), "landlock_create_ruleset": (444, 444), "landlock_restrict_self": (446, 446),
               "clone": (56, 220)}  # fmt: skip
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
        ("seccomp", "ENOSYS", {}, "x86_64 or aarch64"),
        ("seccomp", "EINVAL", {}, "CONFIG_SECCOMP_FILTER"),
        ("Landlock", "ENOSYS", {}, "Linux 5.13"),
        ("Landlock", "EOPNOTSUPP", {}, "lsm="),
        ("Landlock", "EPERM", {}, "container"),
        ("namespaces", "EPERM", {}, "container"),
        ("namespaces", "ENOSPC", {"user/max_user_namespaces": "0"}, "sysctl user.max_user_namespaces"),
        ("namespaces", "EPERM", {"kernel/unprivileged_userns_clone": "0"}, "unprivileged_userns_clone=1"),
        ("namespaces", "EACCES", {"kernel/apparmor_restrict_unprivileged_userns": "1"}, "AppArmor"),
    ],
)
def test_every_reason_has_its_own_remedy(layer, code, settings, words):
    missing = Missing(layer=layer, reason="Refused", code=code)
    assert words in diagnostics.remedy(missing, lambda name: settings.get(name, ""))


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
