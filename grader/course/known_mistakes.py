"""Known mistakes: wrong variants of a reference, each with the sentence that a student who made it reads."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from grader.core.errors import DocumentError, Problem
from grader.course.confirmations import Confirmation, Nodes

Variant = TypeVar("Variant", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One known mistake. `variant` replaces the reference's `name`; `attribute` is its own name in mistakes.py.

    Where `confirm` does not find in the student's code what `message` says of it, `otherwise` is said instead.
    """

    id: str
    name: str
    attribute: str
    message: str
    variant: Callable[..., object]
    confirm: Confirmation | None = None
    otherwise: str = ""

    def said_of(self, code: Mapping[str, Nodes]) -> str:
        """Return the sentence for a student whose function consists of these nodes, sorted by file."""
        if self.confirm is None or self.confirm([node for part in code.values() for node in part]):
            return self.message
        return self.otherwise


# Filled while a mistakes.py is imported; a process imports the mistakes of one exercise only.
KNOWN: list[Mistake] = []


def mistake(
    name: str, *, confirm: Confirmation | None = None, otherwise: str = "", outlier: str = ""
) -> Callable[[Variant], Variant]:
    """Register a wrong variant of the reference's `name`; the first paragraph of its docstring is the diagnosis.

    A docstring that says how the student's code is written needs a `confirm` of `grader.mistakes`, which finds that in
    it; `otherwise` is the sentence for code with the same results that is written in another way.

    `outlier` says, to authors, why this mistake costs an unusual share of the points. `grade check` reads it from the
    source: a text, or the name of one that is assigned at the top of the file.
    """
    del outlier
    if (confirm is None) != (not otherwise):
        raise ValueError(f"a mistake in {name} has one of `confirm` and `otherwise`, and needs both or none")

    def register(variant: Variant) -> Variant:
        message = _first_paragraph(inspect.getdoc(variant))
        attribute = variant.__name__
        KNOWN.append(
            Mistake(
                id=_kebab(attribute),
                name=name,
                attribute=attribute,
                message=message,
                variant=variant,
                confirm=confirm,
                otherwise=otherwise,
            )
        )
        return variant

    return register


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A known mistake as it is written in its source, which is not run. `outlier` is empty where none is given."""

    id: str
    name: str
    attribute: str
    message: str
    outlier: str
    line: int


def read_mistakes(path: Path) -> list[Listed]:
    """List the functions and classes of a mistakes.py that carry `@mistake("name")`, in the order of the file.

    Raises DocumentError if it cannot be read, or is not Python.
    """
    listed: list[Listed] = []
    texts: dict[str, str] = {}
    for node in _parsed(path).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=constant)], value=ast.Constant(value=str(text))):
                texts[constant] = text
            case ast.FunctionDef() | ast.ClassDef():
                listed += _listed(node, texts)
    return listed


def _listed(node: ast.FunctionDef | ast.ClassDef, texts: Mapping[str, str]) -> Iterator[Listed]:
    """Yield the mistakes that this function or class is registered as; `texts` has those assigned above it."""
    for decorator in node.decorator_list:
        match decorator:
            case ast.Call(func=ast.Name(id="mistake"), args=[ast.Constant(value=str(name))]):
                yield Listed(
                    id=_kebab(node.name),
                    name=name,
                    attribute=node.name,
                    message=_first_paragraph(ast.get_docstring(node)),
                    outlier=_text_of(decorator, "outlier", texts),
                    line=node.lineno,
                )


def _text_of(call: ast.Call, keyword: str, texts: Mapping[str, str]) -> str:
    for given in call.keywords:
        match given:
            case ast.keyword(arg=arg, value=ast.Constant(value=str(text))) if arg == keyword:
                return text
            case ast.keyword(arg=arg, value=ast.Name(id=constant)) if arg == keyword:
                return texts.get(constant, "")
    return ""


def _parsed(path: Path) -> ast.Module:
    shown = "/".join(path.parts[-3:])
    try:
        return ast.parse(path.read_bytes())
    except SyntaxError as error:
        place = {"line": error.lineno or 1, "column": error.offset or 1}
        raise DocumentError([Problem(path=shown, message=f"is not Python: {error.msg}", **place)]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DocumentError([Problem(path=shown, message=f"cannot be read: {reason}")]) from None


def _first_paragraph(docstring: str | None) -> str:
    return " ".join((docstring or "").split("\n\n", 1)[0].split())


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).replace("_", "-").lower()
