"""macOS and Windows, simulated on Linux: what they lack must not be imported or called.

The command runs with the platform's name, and without the modules and calls that it lacks. The processes that it starts
are those of level 0, which are the same on every platform; their imports are read from their sources.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "grader"
COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")

POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
LINUX_ONLY = {
    "sandbox/worker/linux.py",
    "sandbox/worker/keeper.py",
    "sandbox/worker/landlock.py",
    "sandbox/worker/lockdown.py",
    "sandbox/worker/process.py",
    "sandbox/worker/seccomp.py",
    "grading/standby/__init__.py",
    "grading/standby/__main__.py",
    "grading/standby/client.py",
    "grading/zygote/__main__.py",
    "grading/zygote/forking.py",
    "grading/zygote/exercise_host.py",
    "grading/zygote/host_pool.py",
    "grading/zygote/warm_process.py",
}
ABSENT = {
    "win32": {
        "os": [
            "fork", "getuid", "getgid", "geteuid", "sched_getaffinity", "sched_setaffinity", "pidfd_open", "killpg", "wait4",
            "set_blocking", "mkfifo", "openpty", "O_NONBLOCK", "O_NOCTTY", "WNOHANG",
        ],
        "signal": ["SIGALRM", "SIGHUP", "SIGTSTP", "SIGCONT", "SIGCHLD", "alarm", "pthread_sigmask"],
        "socket": ["AF_UNIX", "send_fds", "recv_fds", "SCM_RIGHTS"],
        "select": ["poll", "epoll"],
        "time": ["tzset"],
    },
    "darwin": {
        "os": ["sched_getaffinity", "sched_setaffinity", "pidfd_open", "memfd_create", "unshare"],
        "select": ["epoll"],
    },
}  # fmt: skip
# Third-party modules are imported first, as they need the calls that are removed.
SHIM = """
import builtins, importlib, sys
for name in ("click", "click.testing", "pydantic", "msgspec", "yaml", "numpy", "pygments", "concurrent.futures", "subprocess",
             "multiprocessing", "multiprocessing.connection", "concurrent.futures.process", "urllib.request", "asyncio", "tempfile", "shutil", "importlib.metadata", "zipfile", "platform", "sqlite3"):
    importlib.import_module(name)
importlib.import_module("sysconfig").get_config_vars()
platform, absent, arguments = sys.argv[1], {absent!r}, sys.argv[2:]
for module, names in absent.items():
    for name in names:
        if hasattr(importlib.import_module(module), name):
            delattr(importlib.import_module(module), name)
if platform == "win32":
    for name in {posix_only!r}:
        sys.modules[name] = None
    sys.modules["subprocess"].CREATE_NEW_PROCESS_GROUP = sys.modules["subprocess"].CREATE_NO_WINDOW = 0
sys.platform = platform
from grader.cli import main
main(arguments)
"""


def at_import(tree: ast.Module) -> set[str]:
    """Return the modules that are imported as soon as this one is."""
    found: set[str] = set()
    waiting: list[ast.AST] = [*tree.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)
    return found


def test_only_what_is_linux_only_asks_for_it_when_it_is_imported():
    linux = {f"grader.{name.removesuffix('.py').replace('/', '.')}" for name in LINUX_ONLY}
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name in LINUX_ONLY:
            continue
        imported = at_import(ast.parse(path.read_text(encoding="utf-8")))
        assert not imported & (POSIX_ONLY | linux), name


@pytest.fixture
def workspace(tmp_path) -> Path:
    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    return tmp_path


@pytest.fixture(params=ABSENT)
def grade(request, workspace, monkeypatch):
    """Run `grade` on a machine that says it is another."""
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))
    shim = SHIM.format(absent=ABSENT[request.param], posix_only=sorted(POSIX_ONLY))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", shim, request.param, *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=workspace, timeout=240, check=False
        )

    run.platform = request.param
    return run


def test_a_student_grades_and_reads_what_is_missing(grade, workspace):
    done = grade("-v")
    assert done.returncode == 0, done.stderr
    assert "13/13" in done.stdout
    assert "isolation level 0" in done.stdout.lower()
    (workspace / "exercises" / "scaling.py").write_text(
        f"{REFERENCE}\n\ndef double(x):\n    return x * x\n", encoding="utf-8"
    )
    done = grade("scaling")
    assert done.returncode == 1, done.stderr
    assert "squares" in done.stdout, "the diagnosis is the same"


def test_every_step_of_a_students_hour_works(grade, workspace):
    for words in (["list"], ["hint", "scaling"], ["reset", "scaling", "--yes"], ["init", "more"], ["--help"]):
        done = grade(*words)
        assert done.returncode == 0, (words, done.stderr)
    assert (workspace / "backups").is_dir()


def test_the_doctor_says_what_this_machine_does_not_give(grade):
    done = grade("doctor")
    assert done.returncode == 0, done.stderr
    assert f"this is {grade.platform}" in done.stdout
    refused = grade("doctor", "--require-isolation", "2")
    assert refused.returncode == 3
