"""Baselines: an exercise's suite run on a submission with no grader between them.

`write_plain_suite` sets it up for a plain pytest. `python benchmarks/plain.py EXERCISE JOBS FOLDER ...` is the least
that grading in a process of its own can cost: one warm process forks a child for each submission, `JOBS` at once,
which imports the module and calls every test. It prints the seconds that took, past its start-up.
"""

import gc
import importlib
import inspect
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

from grader.core.model import Exercise
from grader.course import catalog

CONFTEST = """
import pytest
import torch
from grader.grading.engine.suite.plugin import seed_of


@pytest.fixture
def student():
    import {exercise}
    {exercise}.changed_inputs = list  # the only thing these suites ask of `student` that a module does not have
    return {exercise}


@pytest.fixture
def rng(request):
    return torch.Generator().manual_seed(seed_of(0, request.node.name))
"""
INI = "[pytest]\nmarkers =\n  points\n  requires\n  reveal\n"
# Without the plugins that happen to be installed here: Hypothesis's alone takes a second and is not used.
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--disable-plugin-autoload"]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def exercise_of(name: str) -> Exercise:
    """Return an exercise of the course."""
    found = catalog.load(catalog.find_root()).exercise(name)
    if found is None:
        raise SystemExit(f"There is no exercise {name}.")
    return found


def write_plain_suite(folder: Path, exercise: Exercise) -> None:
    """Set the suite of an exercise up as a test of the module beside it."""
    name = f"test_{exercise.id}.py"
    suite = (exercise.folder / name).read_text(encoding="utf-8")
    texts = {name: suite, "conftest.py": CONFTEST.format(exercise=exercise.id), "pytest.ini": INI}
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")


def pytest_each(folders: Sequence[Path], jobs: int) -> float:
    """Return the seconds of a fresh pytest for each folder, `jobs` at once."""

    def run(folder: Path) -> None:
        done = subprocess.run(
            PYTEST, check=False, cwd=folder, env=os.environ | ONE_THREAD, capture_output=True
        )
        if done.returncode not in (0, 1):  # all passed, some failed
            raise RuntimeError(f"The plain suite did not run in {folder}: {done.stdout!r} {done.stderr!r}")

    started = time.perf_counter()
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, folders))
    return time.perf_counter() - started


def fork_each(exercise: Exercise, folders: Sequence[Path], jobs: int) -> float:
    """Return the seconds of a bare fork for each folder, `jobs` at once, past the start of the warm process."""
    command = [sys.executable, "-B", str(Path(__file__)), exercise.id, str(jobs), *map(str, folders)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD)
    return float(done.stdout)


def main(name: str, jobs: int, folders: Sequence[str]) -> None:
    """Be the warm process."""
    import torch  # noqa: PLC0415 - importing this module for its other functions stays cheap

    torch.set_num_threads(1)
    exercise = exercise_of(name)
    sys.path.insert(0, str(exercise.folder))
    importlib.import_module("reference")
    suite = importlib.import_module(f"test_{name}")
    gc.collect()
    gc.freeze()
    started, running = time.perf_counter(), 0
    for folder in folders:
        if running == jobs:
            _reap()
            running -= 1
        if os.fork() == 0:
            _child(name, folder, suite)
        running += 1
    for _ in range(running):
        _reap()
    print(time.perf_counter() - started)


def _reap() -> None:
    _, status = os.wait()
    if status:
        raise SystemExit("A right submission did not pass the plain suite: it asks for more than a module.")


def _child(name: str, folder: str, suite: ModuleType) -> None:
    status = 1
    try:
        sys.path.insert(0, folder)
        student = importlib.import_module(name)
        vars(student)["changed_inputs"] = list
        for test, function in vars(suite).items():
            if test.startswith("test_"):
                _call(test, function, student)
        status = 0
    except BaseException:  # noqa: BLE001 - a child must never return into the warm process's loop
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _call(test: str, function: Callable[..., None], student: ModuleType) -> None:
    import torch  # noqa: PLC0415

    from grader.grading.engine.suite.plugin import seed_of  # noqa: PLC0415

    seed = seed_of(0, test)
    torch.default_generator.manual_seed(seed)
    offered = {"student": student, "rng": torch.Generator().manual_seed(seed)}
    function(**{parameter: offered[parameter] for parameter in inspect.signature(function).parameters})


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
