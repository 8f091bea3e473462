"""Grading is deterministic: the example submission gives the same bytes, apart from times, however it is graded.

`CONVGRADER_SAME_RUNS=200` grades 200 times, as the docs promise; the default is the least that has each way twice.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader import __version__
from grader.core import scoring
from grader.core.model import Report, Versions
from grader.course import catalog
from grader.grading.attempt import Quizzes, grade_exercises
from grader.grading.dispatcher import Dispatcher
from grader.report import from_json, to_json
from grader.submission import open_submission

pytestmark = pytest.mark.timeout(900)  # one fixture runs all commands

ROOT = Path(__file__).parent.parent
RUNS = int(os.environ.get("CONVGRADER_SAME_RUNS", "6"))
EXAMPLE = ROOT / "examples" / "submission"


def timeless(report: Report) -> str:
    return to_json(scoring.without_times(report))


def cold(jobs: int) -> str:
    """Grade the example with a new command."""
    command = [
        sys.executable,
        "-m",
        "grader",
        "--submission",
        str(EXAMPLE),
        "--format",
        "json",
        "--jobs",
        str(jobs),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)
    assert done.returncode == 1, done.stderr
    return timeless(from_json(done.stdout))


def warm(dispatcher: Dispatcher) -> str:
    """Grade the example with a warm process."""
    course, handed_in = catalog.load(ROOT), open_submission(EXAMPLE)
    ready = dispatcher.ready()
    report = scoring.report(
        list(grade_exercises(dispatcher, handed_in, course.exercises, 0)),
        list(Quizzes(course).grade(handed_in)),
        isolation=dispatcher.isolation(),
        versions=Versions(grader=__version__, torch=ready.torch_version, python=ready.python_version),
        seed=0,
    )
    return timeless(from_json(to_json(report)))


@pytest.fixture(scope="module")
def answer():
    """The bytes of the first cold run."""
    return cold(jobs=1)


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_cold_run_gives_the_same_bytes(answer, jobs):
    for _ in range(max(1, RUNS // 20)):
        assert cold(jobs) == answer


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_warm_run_gives_the_same_bytes(answer, jobs):
    with Dispatcher(jobs) as dispatcher:
        for _ in range(RUNS // 2 - max(1, RUNS // 20)):
            assert warm(dispatcher) == answer
