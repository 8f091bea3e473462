"""How much of each check students see, read from the source of its suite: `@pytest.mark.reveal("nothing")`.

The mark of a check overrides its exercise.yaml, and that overrides course.yaml. Marks are parsed, not run, so that a
command that only shows results need not import suites. Therefore a mark must be written in full, as a decorator of its
check; the plugin that collects a suite refuses any other.
"""

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.core.errors import DocumentError, Problem
from grader.core.model import Exercise, Hidden, Reveal, Seen
from grader.core.suggestions import suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One test of a suite as it is written. `reveal` is None without a mark, `points` where it is no number."""

    id: str
    line: int
    column: int
    points: float | None
    reveal: Reveal | None


def read(suite: Path) -> tuple[Written, ...]:
    """Return the tests of a suite in their order; none if it is not Python, which collecting it reports.

    Raises DocumentError for every mark with an unknown word.
    """
    try:
        tree = ast.parse(suite.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ()
    problems: list[Problem] = []
    found = [
        _written(node, suite, problems)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test")
    ]
    if problems:
        raise DocumentError(problems)
    return tuple(sorted(found, key=lambda test: test.line))


def seen(exercise: Exercise, instead: Reveal | None = None) -> Seen:
    """Return how much of an exercise students see; with `instead`, as if that were the mark of every check.

    Raises DocumentError for a mark with an unknown word: what it should hide must not be shown.
    """
    default = instead or exercise.reveal
    matters = default is Reveal.NOTHING or (instead is None and _has_marks(exercise.suite))
    tests = read(exercise.suite) if matters else ()
    own = {} if instead else {test.id: test.reveal for test in tests if test.reveal is not None}
    found = Seen(default=default, own=own)
    secret = [test for test in tests if found.of(test.id) is Reveal.NOTHING]
    if not secret:
        return found
    shown = math.fsum(test.points or 0.0 for test in tests if test not in secret)
    return Seen(
        default=default, own=own, hidden=Hidden(checks=len(secret), max_points=exercise.points - shown)
    )


def out_of_order(exercise: Exercise) -> Iterator[Written]:
    """Yield the hidden checks that come before a shown one.

    Their results would show: a check that requires them, or calls a function that hung in them, fails with them.
    """
    tests = read(exercise.suite)
    found = seen(exercise)
    shown = [n for n, test in enumerate(tests) if found.of(test.id) is not Reveal.NOTHING]
    for test in tests[: shown[-1] if shown else 0]:
        if found.of(test.id) is Reveal.NOTHING:
            yield test


def _has_marks(suite: Path) -> bool:
    try:
        return b"reveal" in suite.read_bytes()
    except OSError:
        return False


def _written(node: ast.FunctionDef, suite: Path, problems: list[Problem]) -> Written:
    points: float | None = None
    reveal: Reveal | None = None
    for decorator in node.decorator_list:
        mark, arguments = _mark(decorator)
        if mark == "points" and len(arguments) == 1:
            value = _constant(arguments[0])
            points = float(value) if isinstance(value, int | float) else None
        elif mark == "reveal":
            word = _constant(arguments[0]) if len(arguments) == 1 else None
            message = "the check has two marks for what it reveals" if reveal is not None else ""
            reveal = _known(word)
            if message or reveal is None:
                place = {"line": decorator.lineno, "column": decorator.col_offset + 1}
                shown = "/".join(suite.parts[-3:])
                problems.append(Problem(path=shown, message=message or _unknown(word), **place))
    return Written(id=node.name, line=node.lineno, column=node.col_offset + 1, points=points, reveal=reveal)


def _mark(decorator: ast.expr) -> tuple[str, Sequence[ast.expr]]:
    """Return the name of a mark and its arguments: `points` and the 2 for `@pytest.mark.points(2)`; "" for no mark."""
    call = decorator if isinstance(decorator, ast.Call) else None
    named = ast.unparse(call.func if call else decorator)
    arguments = call.args if call else []
    return named.removeprefix("pytest.mark.") if named.startswith("pytest.mark.") else "", arguments


def _constant(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _known(word: object) -> Reveal | None:
    return next((known for known in Reveal if word == known.value), None)


def _unknown(word: object) -> str:
    if word is None:
        return 'reveal takes one word: @pytest.mark.reveal("title")'
    return f"reveal({word!r}) is none of {', '.join(Reveal)}{suggestion(str(word), Reveal)}"
