"""Whichever process is killed, and whenever, each exercise has its true result or none.

`CONVGRADER_CHAOS_RUNS=200` kills 200 times, as the docs promise; the default is a sample.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grader.grading.attempt import NOT_GRADED
from grader.grading.engine.grading_process import UNEXPLAINED

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

COURSE = Path(__file__).parent / "hostile_course"
RUNS = int(os.environ.get("CONVGRADER_CHAOS_RUNS", "24"))
VICTIMS = ("worker", "keeper", "grading", "zygote", "cli", "host", "bans")
NAMES = {
    "grade worker": "worker", "grade keeper": "keeper", "grade suite": "grading", "grade host": "host", "grade bans": "bans",
}  # fmt: skip
SUBMISSION = {
    # Slow enough to be killed while it runs; partly right.
    "halving.py": """
import time

def halve(x):
    time.sleep(0.05)
    return x / 2

def largest(x):
    time.sleep(0.05)
    return float(x.min())
""",
    "shifting.py": """
import time

def shift(x, by=1.0):
    time.sleep(0.1)
    return x + by
""",
}


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "submission"
    folder.mkdir()
    for name, text in SUBMISSION.items():
        (folder / name).write_text(text, encoding="utf-8")
    (tmp_path / "temporary").mkdir()
    return tmp_path


def start(workspace: Path) -> "subprocess.Popen[str]":
    """Start `grade`, which writes report.json."""
    return subprocess.Popen(
        [sys.executable, "-m", "grader", "--format", "json", "--output", str(workspace / "report.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=workspace / "submission",
        env={**os.environ, "CONVGRADER_COURSE": str(COURSE), "TMPDIR": str(workspace / "temporary")},
    )


def descendants(root: int) -> dict[int, tuple[int, str]]:
    """Return parent and name of `root` and of every living process that descends from it, by number."""
    known: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                before, _, after = (entry / "stat").read_text().rpartition(")")
                state, parent = after.split()[:2]
                if state not in "ZX":
                    known[int(entry.name)] = (int(parent), before.partition("(")[2])
    found, grown = {root}, True
    while grown:
        more = {process for process, (parent, _) in known.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return {process: known[process] for process in found if process in known}


def roles(members: dict[int, tuple[int, str]], cli: int) -> dict[str, list[int]]:
    """Return the processes of a running `grade` by role, which their names show."""
    found: dict[str, list[int]] = {role: [] for role in VICTIMS}
    found["cli"] = [cli] if cli in members else []
    for process, (parent, name) in members.items():
        role = NAMES.get(name) or ("zygote" if parent == cli else None)
        if role is not None:
            found[role].append(process)
    return found


def kill_one(role: str, cli: "subprocess.Popen[str]", dice: random.Random) -> set[int]:
    """Kill a process of that role at a random moment; return every process that was seen."""
    seen: set[int] = set()
    while cli.poll() is None:
        members = descendants(cli.pid)
        seen |= set(members)
        if roles(members, cli.pid)[role]:
            break
        time.sleep(0.01)
    longest = {
        "cli": 4.0,
        "zygote": 4.0,
        "grading": 0.8,
        "host": 1.0,
        "bans": 1.0,
        "keeper": 0.6,
        "worker": 0.6,
    }[role]
    time.sleep(dice.uniform(0, longest))
    members = descendants(cli.pid)
    candidates = roles(members, cli.pid)[role]
    if candidates:
        with contextlib.suppress(ProcessLookupError):
            os.kill(dice.choice(candidates), signal.SIGKILL)
    return seen | set(members)


def without_times(report: object) -> object:
    """Return a report without what differs from run to run."""
    if isinstance(report, dict):
        return {key: without_times(value) for key, value in report.items() if key != "duration_s"}
    return [without_times(item) for item in report] if isinstance(report, list) else report


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """The report of an undisturbed run."""
    root = tmp_path_factory.mktemp("truth")
    (root / "submission").mkdir()
    (root / "temporary").mkdir()
    for name, text in SUBMISSION.items():
        (root / "submission" / name).write_text(text, encoding="utf-8")
    cli = start(root)
    cli.communicate(timeout=120)
    assert cli.returncode == 1
    report = without_times(json.loads((root / "report.json").read_text()))
    assert [exercise["points"] for exercise in report["exercises"]] == [6.0, 5.0]
    return report


@pytest.mark.parametrize("run", range(RUNS))
def test_a_killed_process_costs_no_points_and_leaves_no_process_and_no_file(workspace, truth, run):
    dice = random.Random(run)
    role = VICTIMS[run % len(VICTIMS)]
    (workspace / "report.json").write_text("an older report")
    cli = start(workspace)
    seen = kill_one(role, cli, dice)
    out, err = cli.communicate(timeout=120)

    if cli.returncode == -signal.SIGKILL:
        assert role == "cli"
    else:
        assert cli.returncode in (1, 3), (out, err)
        assert "Traceback" not in err
    text = (workspace / "report.json").read_text()
    if text == "an older report":
        # No grading was started: the command was killed, or its stderr says what happened.
        assert cli.returncode == -signal.SIGKILL or err.strip()
    else:
        check(without_times(json.loads(text)), truth, cli.returncode)
    deadline = time.monotonic() + 10
    while (left := {p for p in seen if alive(p)}) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == set()
    assert list((workspace / "temporary").iterdir()) == []
    assert {path.name for path in workspace.iterdir()} == {"submission", "temporary", "report.json"}


def check(report: dict, truth: dict, exit_code: int) -> None:
    """Check that every exercise has its true result, or an internal error with a reason."""
    void = []
    for exercise, true in zip(report["exercises"], truth["exercises"], strict=True):
        if exercise["message"].startswith(UNEXPLAINED):
            assert points(exercise) == points(
                true
            )  # decided before the process was killed; the explanation is lost
        elif exercise != true:
            assert exercise["outcome"] == "internal_error", {
                k: v for k, v in exercise.items() if v != true[k]
            }
            assert exercise["points"] == 0
            reasons = [exercise["message"], *(check["rationale"] for check in exercise["checks"])]
            assert any(reasons), exercise
            void.append(exercise["id"])
    assert report["final"] == (not void)
    assert report["points"] <= truth["points"]
    if exit_code == 3:
        assert void
    elif exit_code == 1:
        assert not void
    else:
        # Killed: the default result that was written first, or, had it ended by then, the true one.
        assert not void or all(NOT_GRADED in exercise["message"] for exercise in report["exercises"])


def points(exercise: dict) -> list[tuple[str, str, float]]:
    return [(check["id"], check["outcome"], check["points"]) for check in exercise["checks"]]


def alive(process: int) -> bool:
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
