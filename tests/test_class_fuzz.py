"""Whole classes of random hand-ins among honest ones: whatever is handed in, every run ends as its contract says.

`make test-rest` grades 2,000. `CONVGRADER_FUZZED_HAND_INS=20000` grades more, and `CONVGRADER_FUZZ_SEED=N` other ones.
A failure names the seed of its class: set CONVGRADER_FUZZ_SEED to it and CONVGRADER_FUZZED_HAND_INS to CLASS_SIZE.
"""

# Names are bytes here, and a Path holds text.
# ruff: noqa: PTH118

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzzed_class import COURSE, FuzzedClass, has_git, write_class

from grader.classroom.gradebook import Gradebook
from grader.core.model import Outcome

CLASS_SIZE = 500
HAND_INS = int(os.environ.get("CONVGRADER_FUZZED_HAND_INS", "2000"))
FIRST_SEED = int(os.environ.get("CONVGRADER_FUZZ_SEED", "0"))
SEEDS = range(FIRST_SEED, FIRST_SEED + max(1, HAND_INS // CLASS_SIZE))
QUIZZES = COURSE.parent / "hostile_course" / "quizzes"
RUN_LIMIT_S = 600

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="classes are graded on Linux"),
    pytest.mark.skipif(not has_git(), reason="checkouts are made with git"),
    pytest.mark.timeout(3 * RUN_LIMIT_S),
]


@pytest.fixture(params=SEEDS)
def fuzzed(request, tmp_path) -> Iterator[FuzzedClass]:
    """A class, and a course whose quiz it answers."""
    shutil.copytree(COURSE, tmp_path / "course")
    shutil.copytree(QUIZZES, tmp_path / "course" / "quizzes")
    made = write_class(tmp_path / "class", tmp_path / "outside", request.param, CLASS_SIZE)
    yield made
    # What has no permissions cannot be deleted by an ordinary user.
    subprocess.run(["chmod", "-R", "u+rwx", str(made.folder)], check=False, capture_output=True)
    shutil.rmtree(os.fsencode(tmp_path), ignore_errors=True)


def test_a_class_of_anything_ends_as_promised(fuzzed, tmp_path):
    before = {name: tree_state(tmp_path / name) for name in ("class", "outside")}
    done = command(tmp_path, "class", "class", "--gradebook", "course.db", "--reports", "reports")
    said = f"seed of this class: {FIRST_SEED}..., exit code {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    # Every run ends with an exit code of the contract: 1, as some cannot be read; 3 would be an error in the grader.
    assert done.returncode == 1, said
    assert not done.stderr, said  # `left running` too
    lines = [line for line in done.stdout.splitlines() if not line.startswith(" " * 20)]
    # A line for each student, and the summary; nothing of a student's is printed as it came.
    assert len(lines) == CLASS_SIZE + 1, said
    assert "error in the grader" not in done.stdout, said
    assert all(line.isprintable() for line in done.stdout.splitlines()), said
    with Gradebook(tmp_path / "course.db") as book:
        attempts = {one.student: one for one in book.verdicts()}
    assert not [
        one.student
        for one in attempts.values()
        if any(e.outcome is Outcome.INTERNAL_ERROR for e in one.report.exercises)
    ]
    # The honest ones have full marks in their exercise; no student answers the quiz.
    exercises = {student: one.report.exercises[0] for student, one in attempts.items()}
    assert {name: exercises[name].points for name in fuzzed.honest} == dict.fromkeys(fuzzed.honest, 13.0)
    assert len(list((tmp_path / "reports").iterdir())) == len(attempts)
    # Nothing was written but what was asked for.
    assert {name: tree_state(tmp_path / name) for name in before} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "class",
        "course",
        "course.db",
        "home",
        "outside",
        "reports",
    ]
    assert not tree_state(tmp_path / "home")
    # What was written can be read by every command, and a second run grades nothing again.
    again = command(tmp_path, "class", "class", "--gradebook", "course.db")
    unchanged = again.stdout.count("(unchanged)")
    assert (again.returncode, unchanged) == (1, len(attempts)), again.stdout[-4000:]
    for arguments in (
        ["stats", "course.db"],
        ["similar", "course.db"],
        ["regrade", "course.db"],
        ["export", "nbgrader", "course.db", "--output", "marks.csv"],
    ):
        read = command(tmp_path, *arguments)
        assert read.returncode == 0, (arguments, read.stdout[-2000:], read.stderr[-2000:])


# Runs a command as the parent of all that it leaves behind, and names what has not ended 5 s after it.
_ADOPTING = """
import ctypes, os, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
code = subprocess.call(sys.argv[1:])
end = time.monotonic() + 5
children = f"/proc/self/task/{os.getpid()}/children"
while left := open(children).read().split():
    for process in left:
        try:
            os.waitpid(int(process), os.WNOHANG)
        except ChildProcessError:
            pass
    if time.monotonic() > end:
        sys.exit(f"left running: {[open(f'/proc/{one}/comm').read() for one in left]}")
    time.sleep(0.05)
sys.exit(code)
"""


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `grade` in a folder, with a home and a place for temporary files of its own."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8",
        "CONVGRADER_COURSE": str(folder / "course"),
    }  # fmt: skip
    python = [sys.executable, "-P"]
    return subprocess.run(
        [*python, "-c", _ADOPTING, *python, "-m", "grader", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_LIMIT_S,
    )


def tree_state(folder: Path) -> list[tuple[bytes, int, int, int]]:
    """Return the path, mode, size and time of everything below a folder."""
    found = []
    for here, folders, files in os.walk(os.fsencode(folder)):
        for name in [*folders, *files]:
            path = os.path.join(here, name)
            about = os.lstat(path)
            found.append((path, about.st_mode, about.st_size, about.st_mtime_ns))
    return sorted(found)
