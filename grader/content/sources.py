"""Reads the Python of an exercise without running it: what an editor would underline, at its line and column.

An exercise with such a problem is not graded: the grader would say the same later, and less clearly.
"""

import ast
import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

from grader.catalog import Course, ExerciseDocument
from grader.content.tree import shown
from grader.document import Document, read
from grader.errors import Problem
from grader.model import Exercise
from grader.source import bound_names


def check_sources(course: Course, exercise: Exercise) -> list[Problem]:
    """Return what is wrong with the files of an exercise as texts: missing, no Python, or naming what is not there."""
    suite = exercise.folder / f"test_{exercise.id}.py"
    paths = [exercise.stub, exercise.folder / "reference.py", exercise.folder / "mistakes.py", suite]
    optional = [path for path in (exercise.folder / "fixtures.py",) if path.is_file()]
    problems: list[Problem] = []
    trees: dict[Path, ast.Module] = {}
    for path in [*paths, *optional]:
        if path.is_file():  # what is missing is told with the tree of the course
            tree = _parsed(course, path)
            if isinstance(tree, Problem):
                problems.append(tree)
            else:
                trees[path] = tree
    for path in paths[:2]:
        if path in trees:
            problems += _undefined(course, exercise, path, trees[path])
    if paths[2] in trees:
        problems += _mistakes(exercise, shown(course, paths[2]), trees[paths[2]])
    if suite in trees:
        problems += _suite(exercise, shown(course, suite), trees[suite])
    return problems


def is_complete(exercise: Exercise) -> bool:
    """Tell whether an exercise has every file that grading it takes."""
    names = ("reference.py", "mistakes.py", f"test_{exercise.id}.py")
    return exercise.stub.is_file() and all((exercise.folder / name).is_file() for name in names)


def _parsed(course: Course, path: Path) -> ast.Module | Problem:
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        place = {"line": error.lineno or 1, "column": error.offset or 1}
        return Problem(path=shown(course, path), message=f"is not Python: {error.msg}", **place)
    except (ValueError, RecursionError) as error:
        return Problem(path=shown(course, path), message=f"is not Python: {error}", line=1, column=1)


def _undefined(course: Course, exercise: Exercise, path: Path, tree: ast.Module) -> Iterator[Problem]:
    """Yield the names of exercise.yaml that a stub or a reference does not define, each where it stands in the YAML."""
    defined = bound_names(tree)
    missing = [n for n, name in enumerate(exercise.names) if name not in defined]
    if missing:
        document = _document(course, exercise)
        for n in missing:
            hint = _nearest(exercise.names[n], defined)
            message = f'"{exercise.names[n]}" is not defined in {shown(course, path)}{hint}'
            yield document.problem(("names", n), message)


def _document(course: Course, exercise: Exercise) -> Document[ExerciseDocument]:
    path = exercise.folder / "exercise.yaml"
    return read(path, ExerciseDocument, shown=shown(course, path))


def _mistakes(exercise: Exercise, path: str, tree: ast.Module) -> Iterator[Problem]:
    """Yield mistakes of names that the exercise does not have, and mistakes that hide one before them."""
    seen: dict[str, int] = {}
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            continue
        for name, place in _named(node.decorator_list, "mistake"):
            if name not in exercise.names:
                yield _at(path, place, f'"{name}" is no name of {exercise.id}{_nearest(name, exercise.names)}')
            if node.name in seen:
                message = f'"{node.name}" is defined in line {seen[node.name]} already, and hides that mistake'
                yield _at(path, node, message)
            seen[node.name] = node.lineno


def _suite(exercise: Exercise, path: str, tree: ast.Module) -> Iterator[Problem]:
    """Yield names that a suite asks of the student, of itself or of its inputs, and nobody has."""
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    checks = {node.name for node in tests if node.name.startswith("test_")}
    for node in tests:
        for name, place in _named(node.decorator_list, "requires"):
            if name not in checks:
                yield _at(path, place, f'"{name}" is no check of this suite{_nearest(name, checks)}')
        for name, place in _named(node.decorator_list, "small_inputs"):
            if name not in exercise.names:
                yield _at(path, place, f'"{name}" is no name of {exercise.id}{_nearest(name, exercise.names)}')
    seen: dict[str, int] = {}
    for node in tests:
        if node.name in seen:
            yield _at(path, node, f'"{node.name}" is defined in line {seen[node.name]} already, and hides that check')
        seen[node.name] = node.lineno


def _named(decorators: Iterable[ast.expr], mark: str) -> Iterator[tuple[str, ast.expr]]:
    """Yield the texts given to `@mark("...")` or `@....mark("...")`."""
    for decorator in decorators:
        match decorator:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=given) if name == mark:
                for argument in given:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        yield argument.value, argument


def _at(path: str, node: ast.stmt | ast.expr, message: str) -> Problem:
    return Problem(path=path, line=node.lineno, column=node.col_offset + 1, message=message)


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f'; did you mean "{close[0]}"?' if close else ""
