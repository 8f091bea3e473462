"""Finds slips in a student's function that Python accepts in silence.

They are statements without effect, misspelled flags, and late-binding closures.

Nothing is run. A slip is shown at a check that fails, and decides no points.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from grader.core.python_source import nodes
from grader.core.safetext import one_line

_MAX_SHOWN_CHARS = 60
# Methods that people name without calling them: of modules, optimizers, tensors.
_METHODS = {
    "eval", "train", "step", "zero_grad", "backward", "detach", "clone", "requires_grad_", "cpu", "float", "double",
    "contiguous", "item", "append", "copy", "parameters", "freeze",
}  # fmt: skip
# Flags that torch reads, where another spelling makes a new attribute; and how alike a misspelling is, from 0 to 1.
_FLAGS = ("requires_grad",)
_ALIKE = 0.8
_KEEPERS = {"append", "insert", "extend", "setdefault", "apply_"}


def slip(code: Mapping[str, Sequence[ast.AST]], own: str) -> str:
    """Return one sentence on the first slip in the nodes of a function, with its line; "" where there is none.

    The nodes are sorted by file; the sentence names the file, unless it is `own`.
    """
    for path, part in code.items():
        file = "" if path == own else f" of {one_line(path, limit=_MAX_SHOWN_CHARS)}"
        found = [*_without_effect(part, file), *_misspelled(part, file), *_late_closures(part, file)]
        if found:
            return min(found)[1]
    return ""


def _without_effect(code: Iterable[ast.AST], file: str) -> Iterator[tuple[int, str]]:
    tried = {id(inner) for node in code if isinstance(node, ast.Try) for inner in node.body}
    for node in code:
        if not isinstance(node, ast.Expr) or id(node) in tried:
            continue
        value, shown, line = node.value, _shown(node.value), f"Line {node.lineno}{file}"
        if isinstance(value, ast.Compare):
            equals = isinstance(value.ops[0], ast.Eq) and isinstance(
                value.left, (ast.Name, ast.Attribute, ast.Subscript)
            )
            advice = ": a single = assigns" if equals else ""
            yield node.lineno, f"{line}, `{shown}`, compares and changes nothing{advice}."
        elif isinstance(value, ast.Attribute) and value.attr in _METHODS:
            yield (
                node.lineno,
                f"{line}, `{shown}`, names the method and does not call it: write `{shown}()`.",
            )
        elif isinstance(value, (ast.Attribute, ast.Subscript, ast.BinOp)):
            yield node.lineno, f"{line}, `{shown}`, has no effect: its value is kept nowhere."


def _misspelled(code: Iterable[ast.AST], file: str) -> Iterator[tuple[int, str]]:
    """Find attributes that are set under a name which is nearly that of a flag of torch."""
    for node in code:
        if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Store):
            continue
        for flag in _FLAGS:
            if node.attr != flag and SequenceMatcher(None, node.attr, flag).ratio() >= _ALIKE:
                sets = f"Line {node.lineno}{file} sets `{_shown(node)}`, which torch never reads"
                yield node.lineno, f"{sets}: write `{flag}`."


def _late_closures(code: Iterable[ast.AST], file: str) -> Iterator[tuple[int, str]]:
    """Find functions that are kept in a loop, and look its variable up only when they run: then it is the last one."""
    for loop in code:
        if isinstance(loop, ast.For):
            names, kept = _bound(loop.target), list(_kept_functions(loop))
        elif isinstance(loop, (ast.ListComp, ast.DictComp)):
            names = {name for part in loop.generators for name in _bound(part.target)}
            made = loop.elt if isinstance(loop, ast.ListComp) else loop.value
            kept = [made] if isinstance(made, ast.Lambda) else []
        else:
            continue
        for function in kept:
            for name in sorted(names & _looked_up(function)):
                line = function.lineno
                yield (
                    line,
                    (
                        f"The function made on line {line}{file} looks `{name}` up when it runs, and then it is that "
                        f"of the last turn of the loop: bind it with a default, `{name}={name}`."
                    ),
                )


def _kept_functions(loop: ast.For) -> Iterator["ast.Lambda | ast.FunctionDef"]:
    """Yield the functions that a loop makes and keeps: in a hook, a list or a dict, or as an attribute."""
    found = [node for statement in loop.body for node in nodes(statement)]
    defined = {node.name: node for node in found if isinstance(node, ast.FunctionDef)}
    for node in found:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            keeps = node.func.attr in _KEEPERS or (
                node.func.attr.startswith("register_") and "hook" in node.func.attr
            )
            given = node.args if keeps else []
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], (ast.Subscript, ast.Attribute)):
            given = [node.value]
        else:
            continue
        for value in given:
            if isinstance(value, ast.Lambda):
                yield value
            elif isinstance(value, ast.Name) and value.id in defined:
                yield defined[value.id]


def _bound(target: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def _looked_up(function: "ast.Lambda | ast.FunctionDef | ast.expr") -> set[str]:
    """Return the names that a function takes from around it when it runs."""
    assert isinstance(function, (ast.Lambda, ast.FunctionDef))
    own = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
    body = function.body if isinstance(function.body, list) else [function.body]
    inside = [node for part in body for node in ast.walk(part) if isinstance(node, ast.Name)]
    own |= {node.id for node in inside if isinstance(node.ctx, ast.Store)}
    return {node.id for node in inside if isinstance(node.ctx, ast.Load)} - own


def _shown(node: ast.expr) -> str:
    return one_line(ast.unparse(node), limit=_MAX_SHOWN_CHARS).replace("`", "'")
