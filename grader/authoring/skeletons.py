"""`grade new`: writes an exercise, a known mistake or a quiz item that passes `grade check`, as a start for an author.

Text that is added to a file leaves every other line of it unchanged. Each file is written completely or not at all.
"""

import ast
import builtins
import keyword
import re
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
from grader.authoring.tree_check import course_path
from grader.core import yaml_document
from grader.core.atomic_write import write_whole
from grader.core.errors import DocumentError, Problem, UsageError
from grader.core.model import Exercise
from grader.core.python_source import bound_names
from grader.core.suggestions import question
from grader.course.catalog import Course
from grader.course.known_mistakes import read_mistakes

_TEMPLATES = Path(__file__).parent / "skeleton"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)
_NAME_RULE = "Use at most 41 lower-case letters, digits and _, a letter first."
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
# Names that already mean something in suites, references or the `verify` of quiz items.
_RESERVED = {
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


def new_exercise(
    course: Course, name: str, *, title: str, section: str, commands: tuple[str, ...]
) -> list[str]:
    """Write stub and solution of a small exercise that passes `grade check`. Return the paths written, from the root.

    `commands` are the sub-commands of `grade`, which an exercise cannot be named like. Raises UsageError.
    """
    _refuse_name(course, name, commands)
    _refuse_unquotable(title, section)
    filled = {
        "name": name,
        "title": title,
        "section": section,
        "schema": f"../../{SCHEMAS_FOLDER}/exercise.json",
    }
    folder = course.root / "solutions" / name
    stub = course.root / "exercises" / f"{name}.py"
    files = {
        "exercise.yaml": "exercise",
        "reference.py": "reference",
        "mistakes.py": "mistakes",
        f"test_{name}.py": "suite",
    }
    with _write_errors(folder), tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as temporary:
        complete = Path(temporary) / name
        complete.mkdir()
        for file, template in files.items():
            (complete / file).write_text(_filled(template, filled), encoding="utf-8")
        stub.parent.mkdir(exist_ok=True)
        with stub.open("x", encoding="utf-8") as opened:
            try:
                opened.write(_filled("stub", filled))
                complete.rename(folder)
            except BaseException:
                stub.unlink()
                raise
    written = [stub, *(folder / file for file in files)]
    return [*(course_path(course, path) for path in written), *write_schemas(course)]


def _filled(template: str, values: dict[str, str]) -> str:
    return Template((_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")).substitute(values)


def _refuse_name(course: Course, name: str, commands: tuple[str, ...]) -> None:
    """Raise UsageError for a name that no module can have, that is taken, or that would shadow something."""
    if not _NAME.fullmatch(name):
        raise UsageError(f'"{name}" cannot be the name of an exercise. {_NAME_RULE}')
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name):
        raise UsageError(f'"{name}" is a keyword or builtin of Python. Choose another name.')
    if name in commands:
        raise UsageError(
            f'"{name}" is a command: `grade {name}` would run it, not grade the exercise. Choose another name.'
        )
    if name in sys.stdlib_module_names or name in _RESERVED or name in packages_distributions():
        raise UsageError(
            f'"{name}" would shadow a module or name that exists. Choose another name, such as {name}_layer.'
        )
    for path in (course.root / "solutions" / name, course.root / "exercises" / f"{name}.py"):
        if path.exists():
            raise UsageError(f"{course_path(course, path)} already exists. Choose another name.")
    for exercise in course.exercises:
        if name in exercise.names:
            raise UsageError(f'The exercise {exercise.id} already defines "{name}". Choose another name.')


def _refuse_unquotable(*texts: str) -> None:
    """Raise UsageError for a text that would need an escape in a quoted YAML string."""
    if any('"' in text or "\\" in text or not text.isprintable() for text in texts):
        raise UsageError("Titles and sections must not contain quotes, backslashes or control characters.")


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None


# --- a known mistake


def new_mistake(
    course: Course, exercise: Exercise, name: str, *, function: str | None, sentence: str
) -> Problem:
    """Append a known mistake to mistakes.py. Return its line, as a Problem without a message.

    Raises UsageError, and DocumentError where mistakes.py or the reference cannot be parsed.
    """
    path = exercise.folder / "mistakes.py"
    owner = function or exercise.names[0]
    if owner not in exercise.names:
        raise UsageError(
            f'{exercise.id} has no function or class "{owner}".{_nearest(owner, exercise.names)}'
        )
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError(
            f'"{name}" cannot be the name of a function. Use letters, digits and _, such as forgets_the_bias.'
        )
    if not sentence.strip() or '"""' in sentence or "\\" in sentence or not sentence.isprintable():
        raise UsageError(
            "The sentence of a mistake must be one line of text without backslashes and triple quotes."
        )
    text = _read_python(course, path) if path.exists() else f'"""Known mistakes of `{exercise.id}`."""\n'
    tree = ast.parse(text)
    if name in bound_names(tree):
        raise UsageError(f'{course_path(course, path)} already defines "{name}". Choose another name.')
    known = {listed.id for listed in read_mistakes(path)} if path.exists() else set()
    if name.lower().replace("_", "-") in known:
        raise UsageError(
            f"{course_path(course, path)} already has a mistake {name.replace('_', '-')}. Choose another name."
        )
    reference = exercise.folder / "reference.py"
    lines = [*_with_imports(text, tree, owner), "", ""]
    variant = _variant(_definition(course, reference, owner), name, owner, sentence.strip())
    _replace(path, "\n".join([*lines, *variant]) + "\n", newline="\r\n" if "\r\n" in text else "\n")
    return Problem(path=course_path(course, path), line=len(lines) + 2, column=1, message="")


def _read_python(course: Course, path: Path) -> str:
    text = yaml_document.read_text(path, course_path(course, path))
    try:
        ast.parse(text)
    except SyntaxError as error:
        problem = Problem(
            path=course_path(course, path),
            line=error.lineno or 1,
            column=error.offset or 1,
            message=error.msg,
        )
        raise DocumentError([problem]) from None
    return text


def _with_imports(text: str, tree: ast.Module, owner: str) -> list[str]:
    """Return the lines of a mistakes.py, with the imports that a mistake of `owner` needs added to its imports."""
    lines, bound = text.rstrip().splitlines(), bound_names(tree)
    missing = [] if owner in bound else [f"from reference import {owner}", ""]
    missing += [] if "mistake" in bound else ["from grader.mistakes import mistake", ""]
    if not missing:
        return lines
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    of_grader = [
        node.lineno - 1
        for node in imports
        if isinstance(node, ast.ImportFrom) and "grader" in (node.module or "")
    ]
    docstring = tree.body[0].end_lineno or 0 if ast.get_docstring(tree) is not None else 0
    end = max([docstring, *(node.end_lineno or 0 for node in imports)])
    at = of_grader[0] if of_grader else end
    if at == end:
        return [*lines[:at], "", *missing[:-1], *lines[at:]]
    return [*lines[:at], *missing, *lines[at:]]


def _definition(course: Course, path: Path, owner: str) -> ast.FunctionDef | ast.ClassDef:
    for node in ast.parse(_read_python(course, path)).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == owner:
            return node
    raise UsageError(f"{course_path(course, path)} does not define {owner}. Define it there first.")


def _variant(node: ast.FunctionDef | ast.ClassDef, name: str, owner: str, sentence: str) -> Iterator[str]:
    """Yield the lines of a variant in which every value is wrong; the author replaces it by the real mistake."""
    yield f'@mistake("{owner}")'
    if isinstance(node, ast.ClassDef):
        yield f"class {name}({owner}):"
        yield f'    """{sentence}"""'
        yield ""
        yield "    def forward(self, x):"
        yield "        return super().forward(x) + 1  # put the mistake here"
        return
    yield f"def {name}({_without_annotations(node.args)}):"
    yield f'    """{sentence}"""'
    yield f"    return {owner}({_call_arguments(node.args)}) + 1  # put the mistake here"


def _without_annotations(given: ast.arguments) -> str:
    """Return the parameters of a function without annotations, as mistakes.py files write them."""
    copy = ast.parse(f"def f({ast.unparse(given)}): pass").body[0]
    for argument in ast.walk(copy):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    assert isinstance(copy, ast.FunctionDef)
    return ast.unparse(copy.args)


def _call_arguments(given: ast.arguments) -> str:
    """Return the arguments of a call that passes every parameter on."""
    arguments = [argument.arg for argument in (*given.posonlyargs, *given.args)]
    arguments += [f"*{given.vararg.arg}"] if given.vararg else []
    arguments += [f"{argument.arg}={argument.arg}" for argument in given.kwonlyargs]
    return ", ".join([*arguments, *([f"**{given.kwarg.arg}"] if given.kwarg else [])])


# --- a quiz item


def item_types() -> tuple[str, ...]:
    """Return the item types that have a skeleton, in the order of skeleton/items.yaml."""
    return tuple(re.findall(r"^    type: (\w+)$", _items(), re.MULTILINE))


def new_item(
    course: Course, bank_id: str, *, kind: str, item_id: str | None, title: str | None, section: str
) -> Problem:
    """Append an item to a bank; where there is no such bank and a title is given, write a new one.

    Return the line of the item, as a Problem without a message. Raises UsageError, and DocumentError where the bank
    cannot be read.
    """
    path = course.quizzes / f"{bank_id}.yaml"
    if item_id is not None and not _SLUG.fullmatch(item_id):
        raise UsageError(f'"{item_id}" cannot be the id of an item. Use lower-case words joined by hyphens.')
    if not path.exists():
        return _new_bank(course, path, kind, item_id or f"new-{kind.replace('_', '-')}", title, section)
    bank = quiz.load_bank(path, shown=course_path(course, path))
    taken = [item.id for _, item in bank.placed]
    if item_id in taken:
        raise UsageError(f'{course_path(course, path)} already has an item "{item_id}". Choose another id.')
    item_id = item_id or _free_id(f"new-{kind.replace('_', '-')}", taken)
    text = path.read_bytes().decode("utf-8-sig")
    lines, at, indent = _end_of_items(text, course_path(course, path))
    item = [f"{indent}{line}".rstrip() for line in _item(kind, item_id)]
    _replace_bank(
        path,
        "\n".join([*lines[:at], "", *item, *lines[at:]]) + "\n",
        text,
        [*(one.id for one in bank.items), item_id],
    )
    return Problem(path=course_path(course, path), line=at + 2, column=len(indent) + 1, message="")


def _free_id(wanted: str, taken: list[str]) -> str:
    names = (wanted if n == 1 else f"{wanted}-{n}" for n in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _new_bank(
    course: Course, path: Path, kind: str, item_id: str, title: str | None, section: str
) -> Problem:
    if title is None:
        known = sorted(found.stem for found in course.quizzes.glob("*.yaml"))
        near = _nearest(path.stem, known)
        raise UsageError(
            f'There is no quiz "{path.stem}".{near} To start a new one, add --title "What it is about".'
        )
    if not _NAME.fullmatch(path.stem):
        raise UsageError(f'"{path.stem}" cannot be the name of a quiz. {_NAME_RULE}')
    _refuse_unquotable(title, section)
    head = [
        f"# yaml-language-server: $schema=../{SCHEMAS_FOLDER}/quiz.json",
        f'title: "{title}"',
        f'section: "{section}"',
        "items:",
    ]
    with _write_errors(path):
        path.parent.mkdir(exist_ok=True)
    lines = [*head, *(f"  {line}".rstrip() for line in _item(kind, item_id))]
    _replace_bank(path, "\n".join(lines) + "\n", "", [item_id])
    write_schemas(course)
    return Problem(path=course_path(course, path), line=len(head) + 1, column=3, message="")


def _items() -> str:
    return (_TEMPLATES / "items.yaml").read_text(encoding="utf-8")


def _item(kind: str, item_id: str) -> list[str]:
    """Return the lines of the skeleton of an item type; its dash is in the first column."""
    skeletons = re.split(r"^(?=  - id:)", _items(), flags=re.MULTILINE)[1:]
    text = next(text for text in skeletons if f"\n    type: {kind}\n" in text)
    first, *rest = text.rstrip().splitlines()
    return [re.sub(r"skeleton-\S+", item_id, first[2:]), *(line[2:] for line in rest)]


def _end_of_items(text: str, name: str) -> tuple[list[str], int, str]:
    """Return the lines of a bank, the index at which a new item goes, and the indentation of the dashes."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)  # the bank was loaded before
    node = next(value for key, value in root.value if key.value == "items")
    if node.flow_style:
        problem = Problem(path=name, line=node.start_mark.line + 1, column=node.start_mark.column + 1,
                          message="is a list in brackets; write the items below each other to add one")  # fmt: skip
        raise DocumentError([problem])
    lines = text.splitlines()
    column = node.start_mark.column
    at = min(node.end_mark.line + (1 if node.end_mark.column else 0), len(lines))
    while at and (not lines[at - 1].strip() or _is_comment(lines[at - 1], column)):
        at -= 1
    return lines, at, " " * column


def _is_comment(line: str, column: int) -> bool:
    """Tell whether a line is a comment outside the items: one that is not indented deeper than their dashes."""
    stripped = line.lstrip(" ")
    return stripped.startswith("#") and len(line) - len(stripped) <= column


def _replace_bank(path: Path, text: str, before: str, ids: list[str]) -> None:
    """Write a bank, once a copy of it is proven to load with exactly these items."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_text(text, encoding="utf-8")
        loaded = quiz.load_bank(copy, shown=f"{path.parent.name}/{path.name}")
    if [item.id for item in loaded.items] != ids:
        raise UsageError(
            f"An item cannot be added safely to {path.name}, because of the way it is written. Add the item by hand."
        )
    _replace(path, text, newline="\r\n" if "\r\n" in before else "\n")


# --- files


def _replace(path: Path, text: str, *, newline: str) -> None:
    """Write a file completely or not at all; a file that exists keeps its permissions. Raises UsageError."""
    with _write_errors(path):
        write_whole(path, text.replace("\n", newline).encode())


def _nearest(word: str, known: list[str] | tuple[str, ...]) -> str:
    return question(word, known) or (f" There are: {', '.join(known)}." if known else "")
