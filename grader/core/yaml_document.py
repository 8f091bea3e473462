"""Reads YAML of the course and of students: strict, with the line and column of every problem.

The resolver is that of YAML 1.2's JSON schema: `no` and `on` are text, 1:30 is text, dates are text. Duplicate
keys, aliases and tags are refused: here they are always mistakes.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from grader.core.errors import DocumentError, Problem
from grader.core.regular_file import read_regular
from grader.core.safetext import one_line
from grader.core.suggestions import nearest, suggestion

MAX_DOCUMENT_BYTES = 256 * 1024
MAX_DEPTH_LEVELS = 20
MAX_NODES = 50_000  # values and keys
MAX_PROBLEMS = 20  # that are reported of one file; the others are counted
MAX_NUMBER_DIGITS = 1000  # int() refuses more than 4300

Schema = TypeVar("Schema", bound=BaseModel)
Value = TypeVar("Value")
Location = Sequence[int | str]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A loader without YAML 1.1's implicit types."""


_PLAIN_TYPES = (
    ("tag:yaml.org,2002:null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("tag:yaml.org,2002:bool", r"^(?:true|false)$", list("tf")),
    ("tag:yaml.org,2002:int", r"^-?(?:0|[1-9][0-9]*)$", list("-0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)$",
        list("-0123456789"),
    ),
)
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _PLAIN_TYPES:
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)

_TYPES: dict[str, Callable[[str], object]] = {
    "tag:yaml.org,2002:null": lambda _: None,
    "tag:yaml.org,2002:bool": lambda text: text == "true",
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:str": str,
}


@dataclass(frozen=True, slots=True)
class Document(Generic[Value]):
    """A validated document with the line and column of each of its values. `shown` is its path in messages."""

    shown: str
    value: Value
    _root: yaml.Node
    _line: int = 1  # of the file, where the text begins

    def problem(self, location: Location, message: str) -> Problem:
        """Return a problem with the value at `location`: ("items", 0, "key")."""
        line, column = _place(self._root, location)
        return Problem(path=self.shown, message=message, line=line + self._line - 1, column=column)


def parse_part(text: str, *, shown: str, line: int) -> "Document[Any]":
    """Read YAML text that begins at this line of a file, without a schema.

    Raises DocumentError with every problem found, under the same limits as `parse`.
    """
    try:
        return Document(shown, *_values(text, shown), line)
    except DocumentError as error:
        moved = [replace(one, line=one.line and one.line + line - 1) for one in error.problems]
        raise DocumentError(moved) from None


def read(path: Path, schema: type[Schema], *, shown: str | None = None) -> Document[Schema]:
    """Read the YAML file at `path` into `schema`. `shown` is the path that messages name.

    Raises DocumentError with every problem found.
    """
    name = shown or str(path)
    return parse(read_text(path, name), schema, shown=name)


def parse(text: str, schema: type[Schema], *, shown: str) -> Document[Schema]:
    """Read YAML text into `schema`. Raises DocumentError with every problem found."""
    plain, root = _values(text, shown)
    try:
        return Document(shown, schema.model_validate(plain), root)
    except ValidationError as error:
        errors = error.errors()
        found = sorted(
            _translated(errors[:MAX_PROBLEMS], schema, root, shown),
            key=lambda problem: (problem.line, problem.column),
        )
        raise DocumentError(first_problems(found, len(found) + len(errors[MAX_PROBLEMS:]))) from None


def _values(text: str, shown: str) -> tuple[Any, yaml.Node]:
    """Return the plain values of YAML text, and its root. Raises DocumentError with every problem found."""
    try:
        _check_size(text, shown)
        root = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise DocumentError([_syntax(error, text, shown)]) from None
    if root is None:
        raise DocumentError([Problem(path=shown, message="is empty")])
    problems: list[Problem] = []
    plain = _plain(root, shown, problems, set())
    if problems:
        raise DocumentError(first_problems(problems, len(problems)))
    return plain, root


def first_problems(problems: Iterable[Problem], count: int) -> Iterator[Problem]:
    """Yield the first MAX_PROBLEMS of the `count` problems of one file, and how many more there are."""
    for problem in itertools.islice(problems, MAX_PROBLEMS):
        yield problem
    if count > MAX_PROBLEMS:
        yield Problem(path=problem.path, message=f"and {count - MAX_PROBLEMS} more")


def _check_size(text: str, shown: str) -> None:
    """Raise DocumentError where a text is nested too deeply, or has too many values, before it is composed.

    The C parser composes with a C function that calls itself for every level, and ends this process with a
    segmentation fault at some 100,000 of them. Events come one after the other.
    """
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.NodeEvent):
            nodes += 1
            if depth > MAX_DEPTH_LEVELS:
                raise DocumentError([_at(event, shown, "is nested too deeply")])
            if nodes > MAX_NODES:
                raise DocumentError([_at(event, shown, f"is one value too many: {MAX_NODES} are allowed")])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def read_text(path: Path, shown: str) -> str:
    """Return the text of a file of at most MAX_DOCUMENT_BYTES. Raises DocumentError with the reason."""
    try:
        return read_regular(path, MAX_DOCUMENT_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = "is not UTF-8 text; save it as UTF-8 in your editor"
        raise DocumentError([Problem(path=shown, message=message, line=line, column=1)]) from None
    except OSError as error:
        raise DocumentError([Problem(path=shown, message=f"cannot be read: {error.strerror}")]) from None


def _syntax(error: Exception, text: str, shown: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or str(error) or "nested too deeply"
    message = f"is not YAML: {one_line(str(reason))}"
    if mark is None:
        return Problem(path=shown, message=message)
    lines = text.split("\n")
    if mark.line < len(lines) and lines[mark.line].lstrip(" ").startswith("\t"):
        message += "; indent with spaces, not tabs"
    return Problem(path=shown, message=message, line=mark.line + 1, column=mark.column + 1)


def _at(place: yaml.Node | yaml.Event, shown: str, message: str) -> Problem:
    mark = place.start_mark
    assert mark is not None  # parsed, not made
    return Problem(path=shown, message=message, line=mark.line + 1, column=mark.column + 1)


def _plain(node: yaml.Node, shown: str, problems: list[Problem], seen: set[int]) -> Any:
    """Convert a node into plain Python values; collect what is not allowed."""
    if id(node) in seen:
        problems.append(_at(node, shown, "aliases (*name) are not allowed; write the value out"))
        return None
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        convert = _TYPES.get(node.tag)
        if convert is None:
            problems.append(_at(node, shown, f"tags ({one_line(node.tag)}) are not allowed"))
            return None
        if convert is int and len(node.value) > MAX_NUMBER_DIGITS:
            problems.append(_at(node, shown, f"is a number of more than {MAX_NUMBER_DIGITS} digits"))
            return None
        return convert(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, shown, problems, seen) for item in node.value]
    found: dict[str, Any] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else None
        if name is None:
            problems.append(_at(key, shown, "a key must be text"))
            continue
        if name in found:
            problems.append(_at(key, shown, f'the key "{one_line(name)}" stands here twice'))
        found[name] = _plain(value, shown, problems, seen)
    return found


# --- places


def _place(root: yaml.Node, location: Location) -> tuple[int, int]:
    """Return line and column of the value at `location`, or of the innermost value around it."""
    node = root
    for part in location:
        step = _step(node, part)
        if step is None:
            continue  # pydantic's locations name union members too, which are not in the file
        node = step
    return node.start_mark.line + 1, node.start_mark.column + 1


def _step(node: yaml.Node, part: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        found: yaml.Node = node.value[part]
        return found
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(part)), None)
    return None


def _key_place(root: yaml.Node, location: Location) -> tuple[int, int]:
    """Return line and column of the key that `location` ends with."""
    node = root
    for part in location[:-1]:
        node = _step(node, part) or node
    if isinstance(node, yaml.MappingNode):
        for key, _ in node.value:
            if key.value == str(location[-1]):
                return key.start_mark.line + 1, key.start_mark.column + 1
    return node.start_mark.line + 1, node.start_mark.column + 1


# --- pydantic's errors as sentences


def _translated(
    errors: Sequence[ErrorDetails], schema: type[BaseModel], root: yaml.Node, shown: str
) -> Iterator[Problem]:
    answered: set[tuple[int | str, ...]] = set()
    for error in errors:
        location = error["loc"]
        if error["type"] == "extra_forbidden":
            given, known = str(location[-1]), sorted(_keys_at(schema, location[:-1]))
            if near := nearest(given, known):
                answered.add((*location[:-1], near))
            line, column = _key_place(root, location)
            message = f'the key "{one_line(given)}" is not known here{suggestion(given, known)}'
            yield Problem(path=shown, message=message, line=line, column=column)
    for error in errors:
        if error["type"] == "extra_forbidden" or tuple(error["loc"]) in answered:
            continue
        line, column = _place(root, error["loc"])
        yield Problem(path=shown, message=_sentence(error), line=line, column=column)


def _keys_at(schema: type[BaseModel], location: Location) -> set[str]:
    """Return the keys that a mapping at `location` may have, by the schema."""
    models = {schema}
    for part in location:
        deeper = {
            model
            for owner in models
            if part in owner.model_fields
            for model in _models(owner.model_fields[str(part)].annotation)
        }
        models = deeper or models  # indices and union members are no fields
    return {name for model in models for name in model.model_fields}


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
}


def _sentence(error: ErrorDetails) -> str:
    name = next((str(part) for part in reversed(error["loc"]) if isinstance(part, str)), "the document")
    kind = error["type"]
    if kind == "missing":
        return f'the key "{name}" is missing'
    if kind in _WANTED:
        return f'"{name}" must be {_WANTED[kind]}, not {one_line(repr(error["input"]), limit=60)}'
    if kind in ("too_short", "string_too_short"):
        return f'"{name}" must not be empty'
    if kind in ("union_tag_invalid", "literal_error", "enum"):
        context = error.get("ctx", {})
        expected = str(context.get("expected_tags", context.get("expected", "")))
        given = str(context.get("tag", error["input"]))
        choices = re.findall(r"'([^']*)'", expected)
        return f'"{one_line(given, limit=60)}" is none of {", ".join(choices)}{suggestion(given, choices)}'
    message = error["msg"].removeprefix("Value error, ")
    return f'"{name}": {message[:1].lower()}{message[1:]}'
