"""The pytest plugin that turns a hidden suite into checks, in a bare and fast pytest."""

import contextlib
import hashlib
import inspect
import io
import os
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from grader.errors import DocumentError, Problem
from grader.proxy import Conversation, Student

_OFF = (
    "terminal faulthandler cacheprovider doctest junitxml pastebin nose legacypath logging stepwise debugging warnings "
    "unraisableexception threadexception setuponly setupplan recwarn monkeypatch tmpdir freeze_support subtests"
)
_MARKS = {
    "points(n)": "what the check is worth",
    "requires(*checks)": "earlier checks without which this one makes no sense",
    "reveal(what)": "how much of a failure the student sees: all (default), or only the title",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """One check as the suite describes it. `title` is the first line of the test's docstring."""

    id: str
    title: str
    points: float
    requires: tuple[str, ...] = ()
    reveal: str = "all"


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


class SuitePlugin:
    """Runs the tests of one suite as checks, and reports each as it ends."""

    def __init__(
        self,
        *,
        seed: int,
        start: Callable[[CheckSpec], Conversation],
        report: Callable[[CheckRun], bool],
        first_failure: bool = False,
    ) -> None:
        """`start` opens the conversation of a check; `report` takes its run and tells whether it passed.

        With `first_failure` no check runs after one that did not pass.
        """
        self.specs: list[CheckSpec] = []
        self.errors: list[str] = []
        self._seed = seed
        self._start = start
        self._report = report
        self._passed: set[str] = set()
        self._first_failure = first_failure
        self._failed = False

    def pytest_configure(self, config: pytest.Config) -> None:
        """Declare the marks."""
        for mark, meaning in _MARKS.items():
            config.addinivalue_line("markers", f"{mark}: {meaning}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember why a suite could not be read."""
        if report.failed:
            self.errors.append(str(report.longrepr))

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Read the checks in the order of the file."""
        self.specs = [_spec(item) for item in items]

    def pytest_runtest_protocol(self, item: pytest.Item) -> bool:
        """Run one check, or skip it, and report it."""
        if self._failed and self._first_failure:
            return True
        spec = next(spec for spec in self.specs if spec.id == item.name)
        waits_for = next((name for name in spec.requires if name not in self._passed), "")
        conversation = self._start(spec)
        run = self._function(item)
        started = time.monotonic()
        error = None
        if not waits_for:
            try:
                run(conversation)
            except BaseException as raised:  # noqa: BLE001 - a suite may raise anything; the report tells it apart
                error = raised
        outcome = CheckRun(
            spec=spec,
            conversation=conversation,
            error=error,
            waits_for=waits_for,
            duration_s=time.monotonic() - started,
            rerun=run,
        )
        if self._report(outcome):
            self._passed.add(spec.id)
        else:
            self._failed = True
        return True

    def _function(self, item: pytest.Item) -> Callable[[Conversation], None]:
        """Return the test with `student` and `rng` filled in for a conversation: all that a check may ask for."""
        assert isinstance(item, pytest.Function)
        test = item.obj
        wanted = inspect.signature(test).parameters

        def run(conversation: Conversation) -> None:
            seed = seed_of(self._seed, item.name)
            torch.default_generator.manual_seed(seed)
            offered = {"student": Student(conversation), "rng": torch.Generator().manual_seed(seed)}
            test(**{name: offered[name] for name in wanted})

        return run


def _spec(item: pytest.Item) -> CheckSpec:
    path, first_line, _ = item.location
    line = (first_line or 0) + 1
    points = item.get_closest_marker("points")
    requires = item.get_closest_marker("requires")
    reveal = item.get_closest_marker("reveal")
    title = (getattr(item, "obj", None).__doc__ or "").strip().split("\n")[0].rstrip(".")
    problems = []
    if points is None or len(points.args) != 1:
        problems.append("needs its points: @pytest.mark.points(2)")
    if not title:
        problems.append("needs a docstring: its first line is the title that students read")
    if unknown := set(item.fixturenames) - {"student", "rng", "request"}:  # type: ignore[attr-defined]
        problems.append(f"asks for {sorted(unknown)}; a check has `student` and `rng`")
    if problems:
        raise DocumentError(Problem(path=path, line=line, message=f"{item.name} {text}") for text in problems)
    assert points is not None
    return CheckSpec(
        id=item.name,
        title=title,
        points=float(points.args[0]),
        requires=tuple(requires.args) if requires else (),
        reveal=str(reveal.args[0]) if reveal else "all",
    )


def run_suite(path: Path, plugin: SuitePlugin) -> None:
    """Run the suite at `path` with `plugin`. Raises DocumentError when it cannot be read or is empty."""
    sys.dont_write_bytecode = True  # the course may lie where nobody may write
    with _kept_output() as printed:
        code = pytest.main(_arguments(path), plugins=[plugin])
    if plugin.errors or code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or not plugin.specs:
        reason = (
            "\n".join(plugin.errors)
            or f"pytest ended with exit code {int(code)}: {printed.getvalue()[-500:]}"
        )
        raise DocumentError([Problem(path=path.name, message=f"the suite cannot be run: {reason}")])


def warm() -> None:
    """Have pytest run nothing, once for all processes forked from here: it imports some of itself only then."""
    with _kept_output():
        pytest.main(_arguments(Path(os.devnull)))


def _arguments(path: Path) -> list[str]:
    """Return pytest's arguments: a bare pytest, that reads nothing but the suite at `path`."""
    here = path.parent
    # Without confcutdir the folders above are collected too, and every name in them is looked at.
    arguments = [str(path), "-c", os.devnull, f"--rootdir={here}", f"--confcutdir={here}", "--noconftest"]
    arguments += ["--assert=plain", "--capture=no", "--strict-markers", "--disable-plugin-autoload"]
    for name in _OFF.split():
        arguments += ["-p", f"no:{name}"]
    return arguments


@contextlib.contextmanager
def _kept_output() -> Generator[io.StringIO]:
    """Keep what pytest and suites print off the process's own output, which may be a channel."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        yield printed
