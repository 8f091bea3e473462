"""Other graders on the same submissions and checks, where they are installed.

gradescope-utils, check50, otter-grader and nbgrader are known.

They get our suite through a wrapper each: every check calls the same test function with the student's module, in a
fresh process for each submission (check50: for each check), as they do by themselves. Diagnosis, isolation and the
smallest failing call have no like there. For nbgrader a submission is a notebook: the student's file is one cell, each
check another; each notebook is a course of its own, so that several can be graded at once.

    python -m venv peers
    peers/bin/pip install -c constraints.txt torch pytest hypothesis msgspec pydantic pyyaml gradescope-utils \
        check50 otter-grader nbgrader ipykernel
    python benchmarks/class.py --peers --peer-python peers/bin/python
"""

import ast
import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from latency import ROOT
from plain import ONE_THREAD

from grader.core.model import Exercise

CALL = '''
import inspect

import torch
import {suite}
from grader.grading.engine.suite.plugin import seed_of


def run(test, student):
    """Call a check of the suite as our own plugin does."""
    student.changed_inputs = list
    offered = {{"student": student, "rng": torch.Generator().manual_seed(seed_of(0, test))}}
    function = getattr({suite}, test)
    function(**{{name: offered[name] for name in inspect.signature(function).parameters}})
'''
GRADESCOPE = """
import json
import unittest

from gradescope_utils.autograder_utils.decorators import weight
from gradescope_utils.autograder_utils.json_test_runner import JSONTestRunner

from call import run


class Suite(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import {exercise}

        cls.student = {exercise}

{methods}


suite = unittest.defaultTestLoader.loadTestsFromTestCase(Suite)
with open("results.json", "w") as file:
    JSONTestRunner(visibility="visible", stream=file).run(suite)
"""
METHOD = """
    @weight(1)
    def {test}(self):
        run("{test}", self.student)
"""
CHECK50 = """
import check50
from call import run
"""
CHECK = """

@check50.check(timeout=600)
def {test}():
    \"\"\"{test}\"\"\"
    import {exercise}
    run("{test}", {exercise})
"""
OTTER = """
import sys
import types

sys.path[:0] = {path}
from otter.test_files import test_case

from call import run

OK_FORMAT = False
name = "{exercise}"
points = {count}

{cases}
"""
CASE = """
@test_case(points=1)
def {test}(env):
    run("{test}", types.SimpleNamespace(**env))
"""
NBGRADER = """
import types
from call import run
run("{test}", types.SimpleNamespace(**globals()))
print("passed".upper())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another grader: the module that tells it is there, what sets a folder up for it, and what grades that folder.

    `passed` is what its `results` say once for each check that passed.
    """

    name: str
    module: str
    prepare: Callable[[Path, Exercise, list[str], Path], None]
    command: Callable[[Path, Exercise], list[str]]
    passed: str
    results: str = "results.json"


def _gradescope(folder: Path, exercise: Exercise, tests: list[str], _: Path) -> None:
    methods = "".join(METHOD.format(test=test) for test in tests)
    text = GRADESCOPE.format(exercise=exercise.id, methods=methods)
    (folder / "autograde.py").write_text(text, encoding="utf-8")


def _check50(folder: Path, exercise: Exercise, tests: list[str], _: Path) -> None:
    checks = folder / "checks"
    checks.mkdir()
    (checks / ".cs50.yml").write_text('check50:\n  files:\n    - !include "*.py"\n', encoding="utf-8")
    text = CHECK50 + "".join(CHECK.format(test=test, exercise=exercise.id) for test in tests)
    (checks / "__init__.py").write_text(text, encoding="utf-8")


def _otter(folder: Path, exercise: Exercise, tests: list[str], python: Path) -> None:
    cases = "".join(CASE.format(test=test) for test in tests)
    text = OTTER.format(exercise=exercise.id, path=[str(folder)], count=len(tests), cases=cases)
    (folder / "tests").mkdir()
    (folder / "tests" / "q.py").write_text(text, encoding="utf-8")
    make = [str(python), "-m", "otter", "generate", "-t", "tests", "-o", "autograder.zip"]
    subprocess.run(make, cwd=folder, check=True, capture_output=True)


def _nbgrader(folder: Path, exercise: Exercise, tests: list[str], python: Path) -> None:
    student = (folder / f"{exercise.id}.py").read_text(encoding="utf-8")
    cells = [_cell("solution", student, solution=True)]
    cells += [_cell(test, NBGRADER.format(test=test), points=1) for test in tests]
    notebook = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    for place in ("source/ps", "submitted/student/ps"):
        (folder / place).mkdir(parents=True)
        (folder / place / "work.ipynb").write_text(notebook, encoding="utf-8")
    make = [str(python), "-m", "nbgrader", "generate_assignment", "ps"]
    subprocess.run(make, cwd=folder, check=True, capture_output=True, env=os.environ | _beside(python))


def _beside(python: Path) -> dict[str, str]:
    """Return a path on which the tools beside a Python are found: nbgrader calls alembic by its name."""
    return {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}


def _cell(name: str, source: str, *, solution: bool = False, points: int = 0) -> dict[str, object]:
    """Return a cell of a notebook: one that the student writes, or one that is worth points."""
    metadata = {
        "schema_version": 3,
        "grade_id": name,
        "solution": solution,
        "locked": not solution,
        "task": False,
    }
    metadata |= {"grade": not solution} | ({"points": points} if points else {})
    return {
        "cell_type": "code", "id": name.replace("_", "-")[:64], "metadata": {"nbgrader": metadata}, "source": source,
        "outputs": [], "execution_count": None,
    }  # fmt: skip


PEERS = (
    Peer(
        name="gradescope-utils",
        module="gradescope_utils",
        prepare=_gradescope,
        command=lambda python, _: [str(python), "autograde.py"],
        passed='"status": "passed"',
    ),
    Peer(
        name="check50",
        module="check50",
        prepare=_check50,
        command=lambda python, _: [
            str(python.with_name("check50")), "--dev", "-o", "json", "--output-file", "results.json", "checks",
        ],
        passed='"passed": true',
    ),
    Peer(
        name="otter-grader",
        module="otter",
        prepare=_otter,
        command=lambda python, exercise: [
            str(python), "-m", "otter", "run", "--no-logo", "-a", "autograder.zip", f"{exercise.id}.py",
        ],
        passed="All test cases passed",
    ),
    Peer(
        name="nbgrader",
        module="nbgrader",
        prepare=_nbgrader,
        command=lambda python, _: [str(python), "-m", "nbgrader", "autograde", "ps", "--force"],
        passed='"PASSED',
        results="autograded/student/ps/work.ipynb",
    ),
)  # fmt: skip


def peer_rows(
    exercise: Exercise, submissions: Sequence[Path], folder: Path, python: Path, jobs: int, rounds: int
) -> Iterator[str]:
    """Yield a row for each peer: one submission cold, and the seconds of each of a class, `jobs` at once."""
    for peer in PEERS:
        known = [str(python), "-c", f"import {peer.module}"]
        if subprocess.run(known, check=False, capture_output=True).returncode:
            yield f"| {peer.name} | is not installed in {python} | |"
            continue
        graded = [
            _prepared(peer, exercise, one, folder / peer.name / one.name, python) for one in submissions
        ]
        command = peer.command(python, exercise)
        cold, each = [], []
        for _ in range(rounds):
            cold.append(_seconds(peer, command, graded[:1], 1))
            each.append(_seconds(peer, command, graded, jobs) / len(graded))
        yield f"| {peer.name} | {statistics.median(cold):.3g} s | {statistics.median(each) * 1000:.4g} ms |"


def _prepared(peer: Peer, exercise: Exercise, submission: Path, folder: Path, python: Path) -> Path:
    """Return a folder that holds a submission and what the peer grades it with."""
    shutil.copytree(submission, folder)
    suite = f"test_{exercise.id}"
    text = (exercise.folder / f"{suite}.py").read_text(encoding="utf-8")
    (folder / f"{suite}.py").write_text(text, encoding="utf-8")
    (folder / "call.py").write_text(CALL.format(suite=suite), encoding="utf-8")
    functions = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    peer.prepare(folder, exercise, [name for name in functions if name.startswith("test_")], python)
    return folder


def _seconds(peer: Peer, command: Sequence[str], folders: Sequence[Path], jobs: int) -> float:
    """Return the seconds that a peer takes for these right submissions. Raises where it passes no check of one."""

    def run(folder: Path) -> None:
        results = folder / peer.results
        results.unlink(missing_ok=True)
        environment = os.environ | ONE_THREAD | {"PYTHONPATH": f"{ROOT}:{folder}"} | _beside(Path(command[0]))
        done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True)
        if done.returncode or not results.is_file() or peer.passed not in results.read_text(encoding="utf-8"):
            raise RuntimeError(f"{peer.name} did not grade {folder}: {done.stdout!r} {done.stderr!r}")

    started = time.perf_counter()
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, folders))
    return time.perf_counter() - started
