"""The tier of each test, from what it uses: `unit`, `warm` or `cold`. An explicit mark of a test or a file wins.

- `unit`: no other process. `warm`: uses the shared warm process (the fixture `dispatcher`).
- `cold`: starts interpreters, browsers or whole commands, or takes seconds.

`make test` runs unit and warm tests, `make test-all` all. A test that starts a program in another tier than `cold` fails.
pytest-xdist gives each file to one of its workers (`--dist loadfile`), so a fixture of a module is made once.
"""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TypeGuard

import pytest

from grader.classroom.executors import open_executor
from grader.cli.check import check_command
from grader.cli.classes import class_command
from grader.cli.regrade import regrade_command
from grader.grading.dispatcher import Dispatcher

TIERS = ("unit", "warm", "cold")
TESTS = str(Path(__file__).parent)
SHARED = "dispatcher"  # the fixture with the warm process of a pytest worker
FORKED = "forked_warm_processes"  # starts a program only for a test that starts one
COLD_FIXTURES = {"browser", "run_without_torch"}
# What uses one of these starts a program.
STARTERS = (
    subprocess, subprocess.Popen, subprocess.run, Dispatcher, open_executor, check_command, class_command, regrade_command,
)  # fmt: skip
STARTER_NAMES = {"NotebookClient"}  # the same, by name: it is imported where it is used
REPLACING = {"nothing_is_graded"}  # fixtures that put something else in the place of the Dispatcher
# The files whose cold tests take longest, in this order: they are started first, so that no core is idle at the end.
# benchmarks/test_time.py says how long each takes.
SLOWEST = (
    "test_content.py", "test_hostile.py", "test_verdicts.py", "test_class_fuzz.py", "test_counterexample.py", "test_replay.py",
    "test_batch.py", "test_same.py", "test_chaos.py", "test_watch.py", "test_levels.py", "test_graders.py",
    "test_platforms.py", "test_jupyterlab.py",
)  # fmt: skip
STARTING = ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system")  # audit events

_started: list[str] = []
_TIERS = pytest.StashKey[dict[Path, set[str]]]()
_IDS = pytest.StashKey[list[str]]()


def _record(event: str, arguments: tuple[object, ...]) -> None:
    if event in STARTING:
        _started.append(str(arguments[1] if event == "subprocess.Popen" else arguments[0])[:200])


sys.addaudithook(_record)


# --- the tier of a test


def _names(code: CodeType) -> Iterator[str]:
    """Return the global names and attributes that code and the functions in it use."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


@cache
def starts_programs(function: object) -> bool:
    """Return whether a function of the tests, or one that it calls, uses something that starts a program."""
    waiting, seen = [function], set()
    while waiting:
        function = waiting.pop()
        function = getattr(function, "__func__", function)
        function = getattr(function, "__wrapped__", function)
        if not _is_function_of_tests(function) or function in seen:
            continue
        seen.add(function)
        used = _used(function)
        if any(name in STARTER_NAMES or _is_starter(value) for name, value in used):
            return True
        waiting += (value for _, value in used)
    return False


@cache
def _used(function: FunctionType) -> list[tuple[str, object]]:
    """Return what a function uses, by name: globals, what it uses of modules of the tests, methods of classes."""
    names = list(_names(function.__code__))
    used = [(name, function.__globals__.get(name)) for name in names]
    # What it uses of modules of the tests: `grade_command.run`.
    modules = [value for _, value in used if isinstance(value, ModuleType) and _is_of_tests(value)]
    used += [(name, getattr(module, name, None)) for module in modules for name in names]
    classes = [value for _, value in used if isinstance(value, type) and value.__module__ in sys.modules]
    return used + [("", method) for found in classes for method in vars(found).values()]


def _is_function_of_tests(value: object) -> TypeGuard[FunctionType]:
    return isinstance(value, FunctionType) and value.__code__.co_filename.startswith(TESTS)


def _is_of_tests(module: ModuleType) -> bool:
    return (getattr(module, "__file__", None) or "").startswith(TESTS)


def _is_starter(value: object) -> bool:
    return any(value is starter for starter in STARTERS)


def _fixtures(item: pytest.Item) -> dict[str, object]:
    """Return the fixtures of a test by name, each as its innermost definition."""
    found = getattr(item, "_fixtureinfo", None)
    return {name: defined[-1] for name, defined in found.name2fixturedefs.items()} if found else {}


def tier(item: pytest.Item) -> str:
    """Return the tier of a test: that of its nearest mark, else what its code and its fixtures say."""
    for node in item.listchain()[::-1]:
        for name in TIERS:
            if any(mark.name == name for mark in node.own_markers):
                return name
    fixtures = _fixtures(item)
    own = [fixture.func for name, fixture in fixtures.items() if name not in (SHARED, FORKED)]
    uses_starters = any(map(starts_programs, [item.function, *own])) and not REPLACING & set(fixtures)
    if COLD_FIXTURES & set(fixtures) or uses_starters:
        return "cold"
    return "warm" if SHARED in fixtures else "unit"


def collected_tiers(config: pytest.Config) -> dict[Path, set[str]]:
    """Return the tiers of the tests in each collected file, those included that `-m` deselects."""
    return config.stash[_TIERS]


def collected_ids(config: pytest.Config) -> list[str]:
    """Return the ids of all collected tests, those included that `-m` deselects."""
    return config.stash[_IDS]


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with its tier, and put those of the slowest files first."""
    items.sort(key=lambda item: SLOWEST.index(item.path.name) if item.path.name in SLOWEST else len(SLOWEST))
    config.stash[_IDS] = [item.nodeid for item in items]
    tiers = config.stash.setdefault(_TIERS, {})
    for item in items:
        name = tier(item)
        tiers.setdefault(item.path, set()).add(name)
        if item.get_closest_marker(name) is None:
            item.add_marker(name)


# --- what a test really starts


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Iterator[object]:
    """Start the shared warm process without counting it as a program that the test starts."""
    before = len(_started)
    result = yield
    if fixturedef.argname == SHARED:
        del _started[before:]
    return result


@pytest.fixture(autouse=True)
def only_cold_tests_start_programs(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a unit or warm test that started a program."""
    _started.clear()
    yield
    if _started and tier(request.node) != "cold":
        pytest.fail(f"This test is to be marked `cold`, for it started: {_started}")
