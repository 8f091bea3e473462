"""What an author begins with: an exercise that is sound from the first second, a known mistake, a quiz item.

A text that is added to a file leaves every other line as it is. Everything is written at once or not at all.
"""

import ast
import builtins
import keyword
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import packages_distributions
from pathlib import Path
from string import Template

import yaml

from grader import quiz
from grader.authoring.schemas import SCHEMAS_FOLDER, write_schemas
from grader.authoring.tree_check import shown
from grader.core import yaml_document
from grader.core.errors import DocumentError, Problem, UsageError
from grader.core.model import Exercise
from grader.core.python_source import bound_names
from grader.core.suggestions import question
from grader.course.catalog import Course
from grader.course.known_mistakes import read_mistakes

_TEMPLATES = Path(__file__).parent / "skeleton"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
# What suites, references and the `verify` of quiz items have under these names already.
_OURS = {
    "reference",
    "mistakes",
    "fixtures",
    "grader",
    "torch",
    "nn",
    "data",
    "student",
    "rng",
    "test",
    "conftest",
}


def new_exercise(course: Course, name: str, *, title: str, section: str, words: tuple[str, ...]) -> list[str]:
    """Write stub and solution of a small exercise that is sound. Return the files written, from the root.

    `words` are names that would not reach an exercise, such as sub-commands. Raises UsageError.
    """
    _refuse_name(course, name, words)
    filled = {
        "name": name,
        "title": title,
        "section": section,
        "schema": f"../../{SCHEMAS_FOLDER}/exercise.json",
    }
    if '"' in section or any(mark in title for mark in ('"', ": ", " #", "\n", "\\")):
        raise UsageError('A title holds no quotes, backslash, ": " or " #", and a section no quotes.')
    folder = course.root / "solutions" / name
    stub = course.root / "exercises" / f"{name}.py"
    files = {
        "exercise.yaml": "exercise",
        "reference.py": "reference",
        "mistakes.py": "mistakes",
        f"test_{name}.py": "suite",
    }
    with _writing(folder), tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as made:
        whole = Path(made) / name
        whole.mkdir()
        for file, template in files.items():
            (whole / file).write_text(_filled(template, filled), encoding="utf-8")
        stub.parent.mkdir(exist_ok=True)
        with stub.open("x", encoding="utf-8") as opened:
            try:
                opened.write(_filled("stub", filled))
                whole.rename(folder)
            except BaseException:
                stub.unlink()
                raise
    written = [stub, *(folder / file for file in files)]
    return [*(shown(course, path) for path in written), *write_schemas(course)]


def _filled(template: str, words: dict[str, str]) -> str:
    return Template((_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")).substitute(words)


def _refuse_name(course: Course, name: str, words: tuple[str, ...]) -> None:
    """Refuse a name that is no module's, or that would hide something."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f'"{name}" is no name of an exercise: write lower-case letters, digits and _, a letter first.'
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name):
        raise UsageError(f'"{name}" is a word of Python. Choose another name.')
    if name in words:
        raise UsageError(
            f'"{name}" is a command: `grade {name}` would never reach the exercise. Choose another name.'
        )
    if name in sys.stdlib_module_names or name in _OURS or name in packages_distributions():
        raise UsageError(
            f'"{name}" would hide the module or name of that name. Choose another, such as {name}_layer.'
        )
    for path in (course.root / "solutions" / name, course.root / "exercises" / f"{name}.py"):
        if path.exists():
            raise UsageError(f"{shown(course, path)} is there already. Choose another name.")
    for exercise in course.exercises:
        if name in exercise.names:
            raise UsageError(f'"{name}" is a name of the exercise {exercise.id} already. Choose another.')


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None


# --- a known mistake


def new_mistake(
    course: Course, exercise: Exercise, name: str, *, function: str | None, sentence: str
) -> Problem:
    """Append a known mistake to mistakes.py. Return where it stands. Raises UsageError and DocumentError."""
    path = exercise.folder / "mistakes.py"
    owner = function or exercise.names[0]
    if owner not in exercise.names:
        raise UsageError(f'{exercise.id} has no "{owner}".{_nearest(owner, exercise.names)}')
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError(
            f'"{name}" is no name of a function: write letters, digits and _, such as forgets_the_bias.'
        )
    if not sentence.strip() or '"""' in sentence or "\\" in sentence or not sentence.isprintable():
        raise UsageError(
            "The sentence of a mistake is one line of text, without backslashes and triple quotes."
        )
    text = _python(course, path) if path.exists() else f'"""Known mistakes of `{exercise.id}`."""\n'
    tree = ast.parse(text)
    if name in bound_names(tree):
        raise UsageError(f'{shown(course, path)} holds "{name}" already. Choose another name.')
    known = {listed.id for listed in read_mistakes(path)} if path.exists() else set()
    if name.lower().replace("_", "-") in known:
        raise UsageError(f"{shown(course, path)} holds a mistake of the id {name.replace('_', '-')} already.")
    reference = exercise.folder / "reference.py"
    lines = [*_with_imports(text, tree, owner), "", ""]
    variant = _variant(_definition(course, reference, owner), name, owner, sentence.strip())
    _replace(path, "\n".join([*lines, *variant]) + "\n", newline="\r\n" if "\r\n" in text else "\n")
    return Problem(path=shown(course, path), line=len(lines) + 2, column=1, message="")


def _python(course: Course, path: Path) -> str:
    text = yaml_document.read_text(path, shown(course, path))
    try:
        ast.parse(text)
    except SyntaxError as error:
        problem = Problem(
            path=shown(course, path), line=error.lineno or 1, column=error.offset or 1, message=error.msg
        )
        raise DocumentError([problem]) from None
    return text


def _with_imports(text: str, tree: ast.Module, owner: str) -> list[str]:
    """Return the lines of a mistakes.py, with the imports that a mistake of `owner` needs."""
    lines, bound = text.rstrip().splitlines(), bound_names(tree)
    wanted = [] if owner in bound else [f"from reference import {owner}", ""]
    wanted += [] if "mistake" in bound else ["from grader.mistakes import mistake", ""]
    if not wanted:
        return lines
    others = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    engine = [
        node.lineno - 1
        for node in others
        if isinstance(node, ast.ImportFrom) and "grader" in (node.module or "")
    ]
    docstring = tree.body[0].end_lineno or 0 if ast.get_docstring(tree) is not None else 0
    end = max([docstring, *(node.end_lineno or 0 for node in others)])
    at = engine[0] if engine else end
    if at == end:
        return [*lines[:at], "", *wanted[:-1], *lines[at:]]
    return [*lines[:at], *wanted, *lines[at:]]


def _definition(course: Course, path: Path, owner: str) -> ast.FunctionDef | ast.ClassDef:
    for node in ast.parse(_python(course, path)).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == owner:
            return node
    raise UsageError(f"{shown(course, path)} defines no {owner}, so that nothing can be a mistake of it.")


def _variant(node: ast.FunctionDef | ast.ClassDef, name: str, owner: str, sentence: str) -> Iterator[str]:
    """Yield the lines of a variant that is wrong in every value: its author puts the real mistake there."""
    yield f'@mistake("{owner}")'
    if isinstance(node, ast.ClassDef):
        yield f"class {name}({owner}):"
        yield f'    """{sentence}"""'
        yield ""
        yield "    def forward(self, x):"
        yield "        return super().forward(x) + 1  # put the mistake here"
        return
    yield f"def {name}({_bare(node.args)}):"
    yield f'    """{sentence}"""'
    yield f"    return {owner}({_passed(node.args)}) + 1  # put the mistake here"


def _bare(given: ast.arguments) -> str:
    """Return parameters without annotations, as mistakes are written."""
    copy = ast.parse(f"def f({ast.unparse(given)}): pass").body[0]
    for argument in ast.walk(copy):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    assert isinstance(copy, ast.FunctionDef)
    return ast.unparse(copy.args)


def _passed(given: ast.arguments) -> str:
    passed = [argument.arg for argument in (*given.posonlyargs, *given.args)]
    passed += [f"*{given.vararg.arg}"] if given.vararg else []
    passed += [f"{argument.arg}={argument.arg}" for argument in given.kwonlyargs]
    return ", ".join([*passed, *([f"**{given.kwarg.arg}"] if given.kwarg else [])])


# --- a quiz item


def item_types() -> tuple[str, ...]:
    """Return the types of items there are skeletons of."""
    return tuple(re.findall(r"^    type: (\w+)$", _items(), re.MULTILINE))


def new_item(
    course: Course, bank_id: str, *, kind: str, item_id: str | None, title: str | None, section: str
) -> Problem:
    """Append an item to a bank, and begin the bank where it has a title. Return where the item stands.

    Raises UsageError, and DocumentError where the bank cannot be read.
    """
    path = course.quizzes / f"{bank_id}.yaml"
    if item_id is not None and not _SLUG.fullmatch(item_id):
        raise UsageError(f'"{item_id}" is no id: write lower-case words joined by hyphens.')
    if not path.exists():
        return _begin_bank(course, path, kind, item_id or f"new-{kind.replace('_', '-')}", title, section)
    bank = quiz.load_bank(path, shown=shown(course, path))
    taken = [item.id for item in bank.items]
    if item_id in taken:
        raise UsageError(f'{shown(course, path)} holds an item "{item_id}" already. Choose another id.')
    item_id = item_id or _free(f"new-{kind.replace('_', '-')}", taken)
    text = path.read_bytes().decode("utf-8-sig")
    lines, at, indent = _end_of_items(text, shown(course, path))
    item = [f"{indent}{line}".rstrip() for line in _item(kind, item_id)]
    _replace_bank(path, "\n".join([*lines[:at], "", *item, *lines[at:]]) + "\n", text, [*taken, item_id])
    return Problem(path=shown(course, path), line=at + 2, column=len(indent) + 1, message="")


def _free(wanted: str, taken: list[str]) -> str:
    names = (wanted if n == 1 else f"{wanted}-{n}" for n in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _begin_bank(
    course: Course, path: Path, kind: str, item_id: str, title: str | None, section: str
) -> Problem:
    if title is None:
        known = sorted(found.stem for found in course.quizzes.glob("*.yaml"))
        near = _nearest(path.stem, known)
        raise UsageError(
            f'There is no quiz "{path.stem}".{near} To begin it, say --title "What it is about".'
        )
    if not _NAME.fullmatch(path.stem):
        raise UsageError(
            f'"{path.stem}" is no name of a quiz: write lower-case letters, digits and _, a letter first.'
        )
    if any('"' in word or "\\" in word or not word.isprintable() for word in (title, section)):
        raise UsageError("Titles and sections hold no quotes and no backslash.")
    head = [
        f"# yaml-language-server: $schema=../{SCHEMAS_FOLDER}/quiz.json",
        f'title: "{title}"',
        f'section: "{section}"',
        "items:",
    ]
    with _writing(path):
        path.parent.mkdir(exist_ok=True)
    lines = [*head, *(f"  {line}".rstrip() for line in _item(kind, item_id))]
    _replace_bank(path, "\n".join(lines) + "\n", "", [item_id])
    write_schemas(course)
    return Problem(path=shown(course, path), line=len(head) + 1, column=3, message="")


def _items() -> str:
    return (_TEMPLATES / "items.yaml").read_text(encoding="utf-8")


def _item(kind: str, item_id: str) -> list[str]:
    """Return the lines of the skeleton of a type, its dash in the first column."""
    skeletons = re.split(r"^(?=  - id:)", _items(), flags=re.MULTILINE)[1:]
    text = next(text for text in skeletons if f"\n    type: {kind}\n" in text)
    first, *rest = text.rstrip().splitlines()
    return [re.sub(r"skeleton-\S+", item_id, first[2:]), *(line[2:] for line in rest)]


def _end_of_items(text: str, name: str) -> tuple[list[str], int, str]:
    """Return the lines of a bank, the number of those before a new item, and the indentation of the dashes."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)  # it was read as a bank
    node = next(value for key, value in root.value if key.value == "items")
    if node.flow_style:
        problem = Problem(path=name, line=node.start_mark.line + 1, column=node.start_mark.column + 1,
                          message="is a list in brackets; write one item below the other to add to it")  # fmt: skip
        raise DocumentError([problem])
    lines = text.splitlines()
    column = node.start_mark.column
    at = min(node.end_mark.line + (1 if node.end_mark.column else 0), len(lines))
    while at and (not lines[at - 1].strip() or _is_comment(lines[at - 1], column)):
        at -= 1
    return lines, at, " " * column


def _is_comment(line: str, column: int) -> bool:
    """Tell whether a line is a comment that belongs to no item: it stands no deeper than their dashes."""
    stripped = line.lstrip(" ")
    return stripped.startswith("#") and len(line) - len(stripped) <= column


def _replace_bank(path: Path, text: str, before: str, ids: list[str]) -> None:
    """Write a bank, after it was read as the author's items and the new one."""
    with tempfile.TemporaryDirectory() as folder:
        tried = Path(folder) / path.name
        tried.write_text(text, encoding="utf-8")
        found = quiz.load_bank(tried, shown=f"{path.parent.name}/{path.name}")
    if [item.id for item in found.items] != ids:
        raise UsageError(
            f"{path.name} is written in a way that nothing can be added to safely; add the item by hand."
        )
    _replace(path, text, newline="\r\n" if "\r\n" in before else "\n")


# --- files


def _replace(path: Path, text: str, *, newline: str) -> None:
    """Put a text in the place of a file in one step, so that no one ever sees half of it."""
    with _writing(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline=newline) as opened:
                opened.write(text)
            if path.exists():
                shutil.copymode(path, name)
            else:
                Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _nearest(word: str, known: list[str] | tuple[str, ...]) -> str:
    return question(word, known) or (f" There are: {', '.join(known)}." if known else "")
