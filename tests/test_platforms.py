"""macOS and Windows, simulated on Linux: a student's whole path at level 0, without what those systems lack.

The command and every process that it starts run in an interpreter in which what is absent there cannot be imported or
called by the grader (other_platform.py). What no simulation shows, such as files that are locked, only their CI does.
"""

import ast
import json
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import other_platform
import pytest

ROOT = Path(__file__).parents[1] / "grader"
COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")
STUB = (COURSE / "exercises" / "scaling.py").read_text(encoding="utf-8")
SQUARES = f"{REFERENCE}\n\ndef double(x):\n    return x * x\n"
LIMIT_S = 240.0
QUIZ = """\
title: First
section: "1"
items:
  - id: how-many
    type: numeric
    objective: count
    prompt: How many?
    key: 4
    explanation: One, two, three, four.
    expected_wrong:
      - {value: 5, feedback: One too many., misconception: counts-one-too-many}
"""

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
LINUX_MODULES = {
    f"grader.{name.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}" for name in LINUX_ONLY
}


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
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name in LINUX_ONLY:
            continue
        imported = at_import(ast.parse(path.read_text(encoding="utf-8")))
        assert not imported & (other_platform.MODULES["win32"] | LINUX_MODULES), name


# --- the student's path


class Machine:
    """A machine of another platform: an interpreter, a course, and commands in a workspace."""

    def __init__(self, platform: str, python: str, course: Path, workspace: Path, state: Path) -> None:
        self.platform, self.python, self.workspace, self.course = platform, python, workspace, course
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(state),
            "CONVGRADER_COURSE": str(course),
            "TERM": "dumb",
        }

    def grade(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return self.run("-m", "grader", *arguments, typed=typed)

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, "-X", "warn_default_encoding", *arguments],
            input=typed,
            capture_output=True,
            text=True,
            cwd=self.workspace,
            env=self.environment,
            timeout=LIMIT_S,
            check=False,
        )

    def write(self, text: str) -> None:
        """Save the exercise, as an editor does."""
        fresh = self.workspace / "exercises" / "scaling.py.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(fresh.with_suffix(""))


@pytest.fixture(scope="module", params=["win32", "darwin"])
def python(request, tmp_path_factory) -> tuple[str, str]:
    """The platform, and the Python that looks like its own."""
    folder = tmp_path_factory.mktemp(request.param) / "interpreter"
    return request.param, other_platform.interpreter(folder, request.param, LINUX_MODULES)


@pytest.fixture
def machine(python, tmp_path) -> Machine:
    """Return a machine on which a workspace has been started."""
    platform, interpreter = python
    course, workspace = tmp_path / "course", tmp_path / "work"
    subprocess.run(["cp", "-r", str(COURSE), str(course)], check=True)
    (course / "quizzes").mkdir()
    (course / "quizzes" / "first.yaml").write_text(QUIZ, encoding="utf-8")
    workspace.mkdir()
    made = Machine(platform, interpreter, course, workspace, tmp_path)
    done = made.grade("init", ".")
    assert done.returncode == 0, done.stderr
    return made


def test_the_simulation_hides_what_the_platform_lacks_from_the_grader_and_from_nothing_else(python):
    platform, interpreter = python
    names = {
        "win32": [
            "os.fork",
            "os.pread",
            "signal.SIGKILL",
            "select.poll",
            "socket.AF_UNIX",
            "subprocess.STARTUPINFO",
        ],
        "darwin": ["os.memfd_create", "os.sched_getaffinity", "select.epoll"],
    }[platform]
    modules = ["fcntl", "resource", "termios", "pwd"] if platform == "win32" else []
    program = f"""
import os, select, signal, socket, subprocess, sys, torch
assert sys.platform == "linux" and os.fork and select.epoll and signal.SIGKILL
inside = {{"__name__": "grader.tried", "__package__": "grader"}}
exec("import os, select, signal, socket, subprocess, sys", inside)
assert eval("sys.platform", inside) == {platform!r}
for name in {names}:
    try:
        eval(name, inside)
    except AttributeError:
        continue
    raise SystemExit(name)
statements = ["from os import pidfd_open", "from grader.sandbox.worker import linux", "open('/proc/self/statm')"]
for statement in [*statements, *(f"import {{name}}" for name in {modules})]:
    try:
        exec(statement, inside)
    except (ImportError, FileNotFoundError):
        continue
    raise SystemExit(statement)
child = "import subprocess, sys; namespace = {{'__package__': 'grader'}}; exec('import sys', namespace); print(namespace['sys'].platform)"
print(subprocess.run([sys.executable, "-P", "-c", child], env={{}}, capture_output=True, text=True).stdout.strip())
"""
    done = subprocess.run([interpreter, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == (platform, 0), done.stderr


def test_a_student_grades_a_right_and_a_wrong_solution_and_reads_what_is_missing(machine):
    machine.write(REFERENCE)
    done = machine.grade("-v")
    assert done.returncode == 1, done.stderr  # the quiz is open
    assert "13/13" in done.stdout
    assert "isolation level 0" in done.stdout.lower()
    machine.write(SQUARES)
    done = machine.grade("scaling")
    assert done.returncode == 1, done.stderr
    assert "squares" in done.stdout, "the diagnosis is the same"
    assert "smallest input" in done.stdout.lower(), done.stdout
    assert done.stderr == ""


def test_code_that_hangs_costs_its_limit_and_keeps_what_it_printed(machine):
    machine.write(
        f"{REFERENCE}\n\ndef double(x):\n    print('before the loop: ∞')\n    while True:\n        pass\n"
    )
    done = machine.grade("scaling", "-v")
    assert done.returncode == 1, done.stderr
    assert "did not end within" in " ".join(done.stdout.split())
    assert "before the loop: ∞" in done.stdout


def test_a_grading_process_that_dies_is_named_by_what_it_wrote_last(machine):
    reference = machine.course / "solutions" / "scaling" / "reference.py"
    reference.write_text("import os, sys\nprint('the last line', file=sys.stderr, flush=True)\nos._exit(3)\n")
    machine.write(REFERENCE)
    done = machine.grade("scaling")
    assert done.returncode == 3, done.stderr
    assert "the grading process died: the last line" in " ".join(done.stdout.split())


def test_every_report_is_written(machine):
    machine.write(SQUARES)
    for form, start in (("json", "{"), ("html", "<!")):
        done = machine.grade("scaling", "--format", form, "--output", f"report.{form}")
        assert done.returncode == 1, done.stderr
        text = (machine.workspace / f"report.{form}").read_text(encoding="utf-8")
        assert text.lower().startswith(start), text[:200]
    assert (
        json.loads((machine.workspace / "report.json").read_text(encoding="utf-8"))["isolation"]["level"] == 0
    )


def test_every_small_step_works(machine):
    steps = [
        ["list"],
        ["hint", "scaling"],
        ["solution", "scaling", "--yes"],
        ["reset", "scaling", "--yes"],
        ["init", "more"],
        ["--help"],
    ]
    machine.write(SQUARES)
    for words in steps:
        done = machine.grade(*words)
        assert done.returncode in ((0, 2) if words[0] == "solution" else (0,)), (words, done.stderr)
        assert "Traceback" not in done.stderr
        assert "EncodingWarning" not in done.stderr, "a file is read in the code page of the machine"
    assert (machine.workspace / "exercises" / "scaling.py").read_text(encoding="utf-8") == STUB
    (kept,) = (machine.workspace / "backups").iterdir()
    assert kept.read_text(encoding="utf-8") == SQUARES
    assert machine.grade("next").returncode == 1


def test_a_quiz_is_answered_in_the_terminal_and_on_a_page(machine):
    done = machine.grade("quiz", "first", "--feedback", typed="5\n")
    assert done.returncode == 0, done.stderr
    assert "One too many." in done.stdout
    assert "5" in (machine.workspace / "answers" / "first.yaml").read_text(encoding="utf-8")
    assert machine.grade("quiz", "first", "--html").returncode == 0
    assert (machine.workspace / "first.html").is_file()


def test_a_failing_case_is_replayed(machine):
    machine.write(SQUARES)
    done = machine.grade("replay", "scaling")
    assert done.returncode == 1, done.stderr
    assert "expected" in done.stdout
    assert list((machine.workspace / "replays").iterdir())


def test_what_is_handed_in_as_a_zip_has_the_same_result(machine):
    machine.write(REFERENCE)
    with zipfile.ZipFile(machine.workspace / "hand-in.zip", "w") as archive:
        archive.write(machine.workspace / "exercises" / "scaling.py", "exercises/scaling.py")
    done = machine.grade("scaling", "--submission", "hand-in.zip", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["score"] == 1.0


def test_a_cell_of_a_notebook_is_graded(machine):
    program = f"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "grader")
shown = []
shell.display_pub.publish = lambda data, **_: shown.append(data["text/plain"])
for cell in {[SQUARES, REFERENCE]!r}:
    shell.run_cell_magic("grade", "scaling", cell)
shell.run_line_magic("unload_ext", "grader")
print(*shown)
"""
    done = machine.run("-c", program)
    assert done.returncode == 0, done.stderr
    assert "squares" in done.stdout
    assert "13/13" in done.stdout


def test_a_save_under_watch_is_graded(machine):
    machine.write(REFERENCE)
    command = [machine.python, "-m", "grader", "watch", "scaling"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=machine.workspace,
        env=machine.environment,
    ) as watching:
        lines: list[str] = []
        reading = threading.Thread(target=_read, args=(watching, lines), daemon=True)
        reading.start()
        try:
            until(lambda: any("13/13" in line for line in lines), lines)
            machine.write(SQUARES)
            until(lambda: any("squares" in line for line in lines), lines)
        finally:
            watching.terminate()
    reading.join()


def _read(process: "subprocess.Popen[str]", lines: list[str]) -> None:
    assert process.stdout is not None
    lines.extend(process.stdout)


def until(holds: Callable[[], bool], lines: list[str]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline, "".join(lines)
        time.sleep(0.05)


def test_the_doctor_says_what_this_machine_does_not_give(machine):
    done = machine.grade("doctor")
    assert done.returncode == 0, done.stderr
    assert f"this is {machine.platform}" in done.stdout
    assert "its memory" in " ".join(done.stdout.split()), "is not limited"
    refused = machine.grade("doctor", "--require-isolation", "2")
    assert refused.returncode == 3
    assert "0 processes" in machine.grade("doctor", "--end").stdout
