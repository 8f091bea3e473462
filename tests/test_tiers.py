"""The tiers of the tests: what they are inferred from, and that the quick ones cover every wing of the grader."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import grade_command
import pytest
from tiers import SLOWEST, TIERS, collected_ids, collected_tiers, starts_programs

import grader
from grader.grading.dispatcher import Dispatcher

ROOT = Path(__file__).parent.parent
WINGS = sorted(path.parent.name for path in Path(grader.__file__).parent.glob("*/__init__.py"))


def run_git() -> None:
    subprocess.run(["git", "--version"], check=True)


def run_indirectly() -> None:
    run_git()


def make_dispatcher() -> Dispatcher:
    return Dispatcher()


class Running:
    def start(self) -> None:
        run_git()


class RunningWithoutSelf:
    @staticmethod
    def start() -> None:
        run_git()


def make_running() -> Running:
    return Running()


def run_without_self() -> None:
    RunningWithoutSelf.start()


def run_command() -> None:
    grade_command.run("relu", folder=ROOT)


def name_interpreter() -> str:
    return sys.executable


@pytest.mark.parametrize(
    "function", [run_git, run_indirectly, make_dispatcher, make_running, run_without_self, run_command]
)
def test_a_function_that_uses_a_starter_starts_programs(function):
    assert starts_programs(function)


@pytest.mark.parametrize("function", [name_interpreter, len])
def test_other_functions_start_none(function):
    assert not starts_programs(function)


def test_the_files_that_are_started_first_exist():
    assert [name for name in SLOWEST if not (ROOT / "tests" / name).is_file()] == []


def test_every_test_has_one_tier(request):
    for item in request.session.items:
        assert sum(item.get_closest_marker(name) is not None for name in TIERS) == 1, item.nodeid


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_has_tests_that_are_run_while_editing(request, wing):
    """Some file with unit or warm tests imports the wing."""
    tiers = collected_tiers(request.config)
    if len(tiers) < len(list((ROOT / "tests").glob("test_*.py"))):
        pytest.skip("a part of the tests was collected")
    quick = [path for path, found in tiers.items() if found - {"cold"}]
    assert any(f"grader.{wing}" in imported for path in quick for imported in imports(path))


def imports(path: Path) -> set[str]:
    """Return the names of the modules that a file imports, and of what it imports from them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


@pytest.mark.cold
def test_the_same_tests_are_collected_with_another_hash_seed(request):
    """pytest-xdist needs this: no id may hold a random value or an address, no parametrization iterate over a set."""
    here = by_function(collected_ids(request.config))
    files = dict.fromkeys(function.partition("::")[0] for function in here)
    seed = (
        "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    )  # without one, that of this process is random
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    there = by_function(line for line in done.stdout.splitlines() if "::" in line)
    assert {
        function: [test for test in there[function] if test in set(tests)] for function, tests in here.items()
    } == here


def by_function(ids: Iterable[str]) -> dict[str, list[str]]:
    """Return the ids of tests by function, in their order: a part of a file may have been asked for.

    The functions themselves may be in another order: pytest groups those that share a parameter of a module.
    """
    found: dict[str, list[str]] = {}
    for test in ids:
        found.setdefault(test.partition("[")[0], []).append(test)
    return found
