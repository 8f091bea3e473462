"""Turns a hidden suite into checks: pytest, with few plugins for speed, collects them; they are called one by one."""

import contextlib
import hashlib
import inspect
import io
import os
import sys
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from grader.core.error_location import blame
from grader.core.errors import DocumentError, Problem
from grader.core.model import Reveal
from grader.course import visibility
from grader.grading.engine.proxy import Conversation, Student
from grader.sandbox.worker.service import seed_everything

_OFF = (
    "terminal faulthandler cacheprovider doctest junitxml pastebin nose legacypath logging stepwise debugging warnings "
    "unraisableexception threadexception setuponly setupplan recwarn monkeypatch tmpdir freeze_support subtests "
    "unittest skipping"
)
_MARKS = {
    "points(n)": "what the check is worth",
    "requires(*checks)": "earlier checks without which this one makes no sense",
    "by_hand": "tolerated operators are switched off in this check, and in no other",
    "long": "a long training, which is not replayed on known mistakes",
    "reveal(what)": "how much of the check students see: all, title (and the outcome), or nothing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """One check as the suite describes it. `title` is the first line of the test's docstring.

    `reveal` is the check's own mark; those of its exercise and course are not read here, and change no result.
    With `by_hand` the operators that its exercise tolerates are switched off too. A `long` one is not replayed on the
    known mistakes: it gets the diagnosis of what it calls.
    """

    id: str
    title: str
    points: float
    requires: tuple[str, ...] = ()
    reveal: Reveal | None = None
    by_hand: bool = False
    long: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check as it was collected: what it is, and the test that it runs."""

    spec: CheckSpec
    test: Callable[..., object]

    @property
    def globals(self) -> dict[str, object]:
        """The globals of the suite."""
        return getattr(inspect.unwrap(self.test), "__globals__", {})

    def run(self, conversation: Conversation, seed: int) -> None:
        """Call the test with `student` and `rng` filled in: all that a check may ask for."""
        seed = seed_of(seed, self.spec.id)
        seed_everything(seed)
        offered = {"student": Student(conversation), "rng": torch.Generator().manual_seed(seed)}
        self.test(**{name: offered[name] for name in inspect.signature(self.test).parameters})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    """One check that ran, or was skipped because `waits_for` did not pass. `error` is what it raised."""

    spec: CheckSpec
    conversation: Conversation
    error: BaseException | None = None
    waits_for: str = ""
    duration_s: float = 0.0
    rerun: Callable[[Conversation], None] | None = None


def seed_of(seed: int, check: str) -> int:
    """Return the seed of one check's inputs: the same for every submission, another for every check."""
    digest = hashlib.blake2b(f"{seed}|{check}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


class _Collector:
    """A plugin that takes the tests of a suite from pytest, which then runs none."""

    def __init__(self) -> None:
        self.items: list[pytest.Item] = []
        self.errors: list[str] = []
        self.raised: list[BaseException] = []

    def pytest_configure(self, config: pytest.Config) -> None:
        """Declare the marks."""
        for mark, meaning in _MARKS.items():
            config.addinivalue_line("markers", f"{mark}: {meaning}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember why a suite could not be read."""
        if report.failed:
            self.errors.append(str(report.longrepr))

    def pytest_exception_interact(self, call: pytest.CallInfo[object]) -> None:
        """Remember what a suite raised; pytest wraps what an import raised in an error of its own."""
        if call.excinfo is not None:
            error = call.excinfo.value
            wrapped = isinstance(error, pytest.Collector.CollectError)
            self.raised.append(error.__cause__ or error if wrapped else error)

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember what ended pytest itself: a suite that calls sys.exit."""
        self.raised.append(excinfo.value)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Keep the tests in the order of the file."""
        self.items = list(session.items)
        return True


def collect(path: Path) -> tuple[Check, ...]:
    """Import the suite at `path`; return its checks in their order.

    Raises DocumentError when it cannot be read, is empty, or has tests that are no checks.
    """
    sys.dont_write_bytecode = True  # the course may be in a read-only folder
    collector = _Collector()
    with _kept_output() as printed:
        code = pytest.main(list(_arguments(path)), plugins=[collector])
    places = [found for error in collector.raised if (found := blame(error, path.parent))]
    if places:
        raise DocumentError(places)
    if collector.errors or code is not pytest.ExitCode.OK or not collector.items:
        reason = (
            "\n".join(collector.errors)
            or f"pytest ended with exit code {int(code)}: {printed.getvalue()[-500:]}"
        )
        raise DocumentError([Problem(path=path.name, message=f"the suite cannot be run: {reason}")])
    written = _written(path)
    tests = [item for item in collector.items if isinstance(item, pytest.Function)]
    if problems := [problem for test in tests for problem in _problems(test, written.get(test.name))]:
        raise DocumentError(problems)
    return tuple(Check(spec=_spec(test, written.get(test.name)), test=test.obj) for test in tests)


def _written(path: Path) -> dict[str, Reveal | None]:
    """Return how much of each test students see, by its own mark. Paths of problems start at the exercise's folder."""
    try:
        return {test.id: test.reveal for test in visibility.read(path)}
    except DocumentError as error:
        raise DocumentError(replace(problem, path=path.name) for problem in error.problems) from None


def _arguments(path: Path) -> Iterator[str]:
    here = path.parent
    # Without confcutdir the folders above are collected too, and every name in them is looked at.
    yield from (str(path), "-c", os.devnull, f"--rootdir={here}", f"--confcutdir={here}", "--noconftest")
    yield from ("--assert=plain", "--capture=no", "--strict-markers", "--disable-plugin-autoload")
    for name in _OFF.split():
        yield from ("-p", f"no:{name}")


def selected(checks: Sequence[Check], only: Collection[str]) -> list[Check]:
    """Return the checks of these ids and those that they require, in their order; all where `only` is empty.

    Raises ValueError for an id that no check has.
    """
    requires = {check.spec.id: check.spec.requires for check in checks}
    if unknown := set(only) - requires.keys():
        raise ValueError(f"no check of the suite is called {' or '.join(sorted(unknown))}")
    wanted, waiting = set[str](), list(only or requires)
    while waiting:
        if (check := waiting.pop()) not in wanted:
            wanted.add(check)
            waiting += requires.get(check, ())
    return [check for check in checks if check.spec.id in wanted]


def run_checks(
    checks: Iterable[Check],
    *,
    seed: int,
    start: Callable[[CheckSpec], Conversation],
    report: Callable[[CheckRun], bool],
    first_failure: bool = False,
) -> None:
    """Run checks, and report each as it ends.

    `start` opens the conversation of a check; `report` takes its run and returns whether it passed. With
    `first_failure` no check runs after one that did not pass.
    """
    passed: set[str] = set()
    with _kept_output():
        for check in checks:
            if report(_run(check, seed, start(check.spec), passed)):
                passed.add(check.spec.id)
            elif first_failure:
                return


def _run(check: Check, seed: int, conversation: Conversation, passed: Set[str]) -> CheckRun:
    """Run one check, unless it waits for one that did not pass."""
    waits_for = next((name for name in check.spec.requires if name not in passed), "")
    started = time.monotonic()
    error = None
    if not waits_for:
        try:
            check.run(conversation, seed)
        except BaseException as raised:  # noqa: BLE001 - a suite may raise anything; the report classifies it
            error = raised
    return CheckRun(
        spec=check.spec,
        conversation=conversation,
        error=error,
        waits_for=waits_for,
        duration_s=time.monotonic() - started,
        rerun=lambda other: check.run(other, seed),
    )


def _problems(item: pytest.Function, written: Reveal | None) -> Iterator[Problem]:
    """Yield what keeps a test from being a check."""
    path, first_line, _ = item.location
    place = {"line": (first_line or 0) + 1, "column": 1}
    points = item.get_closest_marker("points")
    if points is None or len(points.args) != 1:
        yield Problem(path=path, message=f"{item.name} needs its points: @pytest.mark.points(2)", **place)
    if not _title(item):
        message = f"{item.name} needs a docstring: its first line is the title that students read"
        yield Problem(path=path, message=message, **place)
    if unknown := set(item.fixturenames) - {"student", "rng", "request"}:
        message = f"{item.name} asks for {sorted(unknown)}; a check has `student` and `rng`"
        yield Problem(path=path, message=message, **place)
    reveal = item.get_closest_marker("reveal")
    if reveal is not None and (written is None or reveal.args != (written,)):
        message = (
            'has a `reveal` mark that is not read from there: write @pytest.mark.reveal("title") above it'
        )
        yield Problem(path=path, message=f"{item.name} {message}", **place)


def _title(item: pytest.Function) -> str:
    return (item.obj.__doc__ or "").strip().split("\n")[0].rstrip(".")


def _spec(item: pytest.Function, written: Reveal | None) -> CheckSpec:
    points = item.get_closest_marker("points")
    requires = item.get_closest_marker("requires")
    assert points is not None
    return CheckSpec(
        id=item.name,
        title=_title(item),
        points=float(points.args[0]),
        requires=tuple(requires.args) if requires else (),
        reveal=written,
        by_hand=item.get_closest_marker("by_hand") is not None,
        long=item.get_closest_marker("long") is not None,
    )


@contextlib.contextmanager
def _kept_output() -> Generator[io.StringIO]:
    """Redirect what pytest and suites print away from the process's own output, which may be a channel."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        yield printed
