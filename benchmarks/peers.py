"""Other graders on the same submissions and checks: gradescope-utils and otter-grader, where they are installed.

They get our suite through a wrapper each: every check calls the same test function with the student's module, in a
fresh process for each submission, as they do by themselves. Diagnosis, isolation and the smallest failing call have no
like there.

    python -m venv peers
    peers/bin/pip install -c constraints.txt torch pytest hypothesis msgspec pydantic pyyaml gradescope-utils \
        otter-grader ipykernel
    python benchmarks/class.py --peers --peer-python peers/bin/python
"""

import ast
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from latency import ROOT
from plain import ONE_THREAD

from grader.model import Exercise

CALL = '''
import inspect

import torch
import {suite}
from grader.suite.plugin import seed_of


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another grader: what it is called, the module that tells it is there, and what grades a folder."""

    name: str
    module: str
    command: tuple[str, ...]


def peer_rows(
    exercise: Exercise, submissions: Sequence[Path], folder: Path, python: Path, jobs: int, rounds: int
) -> Iterator[str]:
    """Yield a row for each peer: one submission cold, and the seconds of each of a class, `jobs` at once."""
    peers = (
        Peer(name="gradescope-utils", module="gradescope_utils", command=(str(python), "autograde.py")),
        Peer(
            name="otter-grader",
            module="otter",
            command=(
                str(python),
                "-m",
                "otter",
                "run",
                "--no-logo",
                "-a",
                "autograder.zip",
                f"{exercise.id}.py",
            ),
        ),
    )
    for peer in peers:
        if subprocess.run(
            [str(python), "-c", f"import {peer.module}"], check=False, capture_output=True
        ).returncode:
            yield f"| {peer.name} | is not installed in {python} | |"
            continue
        graded = [
            _prepared(peer, exercise, one, folder / peer.name / one.name, python) for one in submissions
        ]
        cold, each = [], []
        for _ in range(rounds):
            cold.append(_seconds(peer, graded[:1], 1))
            each.append(_seconds(peer, graded, jobs) / len(graded))
        yield f"| {peer.name} | {statistics.median(cold):.3g} s | {statistics.median(each) * 1000:.4g} ms |"


def _prepared(peer: Peer, exercise: Exercise, submission: Path, folder: Path, python: Path) -> Path:
    """Return a folder that holds a submission and what the peer grades it with."""
    shutil.copytree(submission, folder)
    suite = f"test_{exercise.id}"
    shutil.copyfile(exercise.folder / f"{suite}.py", folder / f"{suite}.py")
    (folder / "call.py").write_text(CALL.format(suite=suite), encoding="utf-8")
    tree = ast.parse((folder / f"{suite}.py").read_text(encoding="utf-8"))
    tests = [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    if peer.module == "gradescope_utils":
        methods = "".join(METHOD.format(test=test) for test in tests)
        (folder / "autograde.py").write_text(
            GRADESCOPE.format(exercise=exercise.id, methods=methods), encoding="utf-8"
        )
    else:
        cases = "".join(CASE.format(test=test) for test in tests)
        text = OTTER.format(exercise=exercise.id, path=[str(folder)], count=len(tests), cases=cases)
        (folder / "tests").mkdir()
        (folder / "tests" / "q.py").write_text(text, encoding="utf-8")
        make = [str(python), "-m", "otter", "generate", "-t", "tests", "-o", "autograder.zip"]
        subprocess.run(make, cwd=folder, check=True, capture_output=True)
    return folder


def _seconds(peer: Peer, folders: Sequence[Path], jobs: int) -> float:
    """Return the seconds that a peer takes for these submissions. Raises where it leaves no results."""

    def run(folder: Path) -> None:
        (folder / "results.json").unlink(missing_ok=True)
        environment = os.environ | ONE_THREAD | {"PYTHONPATH": f"{ROOT}:{folder}"}
        done = subprocess.run(peer.command, cwd=folder, env=environment, check=False, capture_output=True)
        if done.returncode or not (folder / "results.json").is_file():
            raise RuntimeError(f"{peer.name} did not grade {folder}: {done.stdout!r} {done.stderr!r}")

    started = time.perf_counter()
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, folders))
    return time.perf_counter() - started
