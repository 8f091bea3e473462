"""Static checks of an exercise's Python files, without running them: each problem with its line and column."""

import ast
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.authoring.tree_check import course_path
from grader.core import yaml_document
from grader.core.error_location import unreadable
from grader.core.errors import DocumentError, Problem
from grader.core.model import Exercise
from grader.core.python_source import bound_names
from grader.core.suggestions import suggestion
from grader.core.yaml_document import Location
from grader.course.catalog import Course, ExerciseDocument

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionLines:
    """The line of each definition of a file, by name."""

    path: str
    lines: Mapping[str, int]

    def problem(self, message: str, name: str = "") -> Problem:
        """Return a problem at the definition of `name`; of the file as a whole where there is none."""
        line = self.lines.get(name, 0)
        return Problem(path=self.path, message=message, line=line, column=1 if line else 0)


def definition_lines(course: Course, path: Path) -> DefinitionLines:
    """Find the definitions of a file; none where it is missing or not Python."""
    tree = _parsed(course, path) if path.is_file() else None
    defined = _definitions(tree) if isinstance(tree, ast.Module) else []
    return DefinitionLines(path=course_path(course, path), lines={node.name: node.lineno for node in defined})


def yaml_problem(course: Course, exercise: Exercise, location: Location, message: str) -> Problem:
    """Return a problem at the line and column of a value in an exercise.yaml."""
    path = exercise.folder / "exercise.yaml"
    try:
        return yaml_document.read(path, ExerciseDocument, shown=course_path(course, path)).problem(
            location, message
        )
    except DocumentError:  # the file changed after it was loaded
        return Problem(path=course_path(course, path), message=message)


def check_sources(course: Course, exercise: Exercise) -> list[Problem]:
    """Find files that are missing or not Python, and names that are used but not defined.

    An exercise with such a problem is not graded: grading would report the same later, less clearly, and many times.
    """
    trees, problems = _trees(course, exercise.id)
    undefined = _undefined(course, exercise, trees)
    names = list(exercise.names)
    if undefined and "reference" in trees:
        # exercise.yaml is wrong; suites and mistakes that use the names of the reference are not
        names += sorted(bound_names(trees["reference"]) - set(names))
    problems += undefined
    if "mistakes" in trees:
        path = course_path(course, exercise.folder / "mistakes.py")
        problems += _unknown_names(path, trees["mistakes"], "mistake", exercise.id, names)
        problems += _shadowed(path, trees["mistakes"], _mistake_names(trees["mistakes"]), "mistake")
    if "suite" in trees:
        path, suite = course_path(course, exercise.suite), trees["suite"]
        problems += _unknown_names(path, suite, "small_inputs", exercise.id, names)
        problems += _requirements(path, suite)
        problems += _shadowed(
            path, suite, {name for name in bound_names(suite) if name.startswith("test_")}, "check"
        )
    return problems


def check_files(course: Course, exercise_id: str) -> list[Problem]:
    """Find files of an exercise that are missing or not Python, also where its exercise.yaml cannot be read."""
    return _trees(course, exercise_id)[1]


def _trees(course: Course, exercise_id: str) -> tuple[dict[str, ast.Module], list[Problem]]:
    folder = course.root / "solutions" / exercise_id
    paths = {
        "stub": course.root / "exercises" / f"{exercise_id}.py",
        "reference": folder / "reference.py",
        "mistakes": folder / "mistakes.py",
        "suite": folder / f"test_{exercise_id}.py",
    }
    if (folder / "fixtures.py").is_file():
        paths["fixtures"] = folder / "fixtures.py"
    trees: dict[str, ast.Module] = {}
    problems: list[Problem] = []
    for what, path in paths.items():
        found = (
            _parsed(course, path)
            if path.is_file()
            else Problem(path=course_path(course, path), message="is missing")
        )
        if isinstance(found, Problem):
            problems.append(found)
        else:
            trees[what] = found
    return trees, problems


def _parsed(course: Course, path: Path) -> ast.Module | Problem:
    try:
        text = yaml_document.read_text(path, course_path(course, path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python would print a warning for an escape such as "\d"
            return ast.parse(text)
    except DocumentError as error:
        return error.problems[0]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return unreadable(error, course_path(course, path))


# --- undefined names


def _undefined(course: Course, exercise: Exercise, trees: Mapping[str, ast.Module]) -> list[Problem]:
    """Return the names of exercise.yaml that stub or reference do not define, each at its place in the YAML."""
    paths = {"stub": exercise.stub, "reference": exercise.folder / "reference.py"}
    defined = {what: bound_names(trees[what]) for what in paths if what in trees}
    missing: dict[int, list[str]] = {}
    for what, names in defined.items():
        for n, name in enumerate(exercise.names):
            if name not in names and "*" not in names:
                missing.setdefault(n, []).append(what)
    found = []
    for n, files in missing.items():
        name, known = exercise.names[n], {name for what in files for name in defined[what]}
        where = " and ".join(course_path(course, paths[what]) for what in files)
        message = f'"{name}" is not defined in {where}{suggestion(name, sorted(known - set(exercise.names)))}'
        found.append(yaml_problem(course, exercise, ("names", n), message))
    return found


def _unknown_names(
    path: str, tree: ast.Module, mark: str, exercise_id: str, names: Sequence[str]
) -> Iterator[Problem]:
    """Yield the names passed to a mark that the exercise does not have."""
    for node in _definitions(tree):
        for name, place in _mark_arguments(node.decorator_list, mark):
            if name not in names:
                message = f'"{name}" is not a name of {exercise_id}{suggestion(name, names)}'
                yield _problem_at(path, place, message)


def _mistake_names(tree: ast.Module) -> set[str]:
    """Return the names of the known mistakes of a file."""
    return {node.name for node in _definitions(tree) if [*_mark_arguments(node.decorator_list, "mistake")]}


def _requirements(path: str, tree: ast.Module) -> Iterator[Problem]:
    """Yield checks that require one that does not exist or comes later."""
    checks = [name for name in _bound_in_order(tree) if name.startswith("test_")]
    is_complete = "*" not in bound_names(tree) and not any(
        isinstance(node, ast.ClassDef) for node in tree.body
    )
    for node in _definitions(tree):
        for name, place in _mark_arguments(node.decorator_list, "requires"):
            plain = name.split("[")[0]  # a parametrized test is several checks
            if plain not in checks:
                if is_complete:
                    yield _problem_at(
                        path, place, f'"{name}" is not a check of this suite{suggestion(name, checks)}'
                    )
            elif node.name in checks and checks.index(plain) >= checks.index(node.name):
                yield _problem_at(
                    path,
                    place,
                    f'"{name}" comes later than {node.name}: a check can only require earlier ones',
                )


def _bound_in_order(tree: ast.Module) -> list[str]:
    """Return the names that a suite binds at module level, definitions last and in their order."""
    defined = [node.name for node in _definitions(tree)]
    return [*sorted(bound_names(tree) - set(defined)), *dict.fromkeys(defined)]


def _shadowed(path: str, tree: ast.Module, names: Collection[str], what: str) -> Iterator[Problem]:
    """Yield definitions that replace an earlier one of these names."""
    seen: dict[str, Definition] = {}
    for node in _definitions(tree):
        first = seen.setdefault(node.name, node)
        if first is not node and node.name in names:
            message = f'"{node.name}" is already defined in line {first.lineno}, and replaces that {what}'
            yield _problem_at(path, node, message)


# --- trees


def _definitions(tree: ast.Module) -> Sequence[Definition]:
    return [
        node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    ]


def _mark_arguments(decorators: Iterable[ast.expr], mark: str) -> Iterator[tuple[str, ast.Constant]]:
    """Yield the strings passed to `@mark("...")` or `@....mark("...")`."""
    for decorator in decorators:
        match decorator:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=given) if name == mark:
                for argument in given:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        yield argument.value, argument


def _problem_at(path: str, node: ast.stmt | ast.expr, message: str) -> Problem:
    return Problem(path=path, line=node.lineno, column=node.col_offset + 1, message=message)
