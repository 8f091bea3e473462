"""What can be seen in the code of a student's function: confirms a known mistake whose sentence names a mechanism.

A diagnosis compares results, and other code may give the same ones. A confirmation looks at the tree of the function
that is diagnosed, with those of the submission's own that it names, and runs nothing.
"""

import ast
from collections.abc import Callable, Mapping, Sequence

from grader.core.python_source import nodes, parse

Nodes = Sequence[ast.AST]
Confirmation = Callable[[Nodes], bool]
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def code_of(name: str, sources: Mapping[str, str], module: str) -> dict[str, list[ast.AST]]:
    """Return the nodes of what a submission defines as `name`, and of all of its own that this names, directly or not.

    They are sorted by file, a path as in `sources`; that of `name` is first. Where no definition of that name is found,
    it is the whole module: `name = lambda x: ...`.
    """
    own = f"{module}.py"
    trees = {path: tree for path, text in sources.items() if (tree := parse(text)) is not None}
    if own not in trees:
        return {}
    defined: dict[str, tuple[str, ast.AST]] = {}
    for path in (own, *trees):
        for node in trees[path].body:
            if isinstance(node, _DEFINITIONS):
                defined.setdefault(node.name, (path, node))
    # The last definition of a name in a module is the one that counts.
    defined |= {node.name: (own, node) for node in trees[own].body if isinstance(node, _DEFINITIONS)}
    if name not in defined:
        return {own: nodes(trees[own])}
    found: dict[str, list[ast.AST]] = {}
    seen, waiting = set[str](), [name]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            path, definition = defined[current]
            part = nodes(definition)
            found.setdefault(path, []).extend(part)
            waiting += [named for node in part if (named := _named(node)) in defined]
    return found


def _named(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


# --- what mistakes.py of a course combines


def calls(*names: str) -> Confirmation:
    """Confirm that one of these is called, as a function or a method: `calls("view")` for x.view(-1) and torch.view."""
    return lambda found: any(isinstance(node, ast.Call) and _named(node.func) in names for node in found)


def mentions(*names: str) -> Confirmation:
    """Confirm that one of these is written: a name, an attribute, an argument, or a text of that spelling."""

    def confirm(found: Nodes) -> bool:
        texts = (node.value if isinstance(node, ast.Constant) else getattr(node, "arg", "") for node in found)
        return any(_named(node) in names for node in found) or any(text in names for text in texts)

    return confirm


def keeps_in_a_local(*names: str) -> Confirmation:
    """Confirm that what is computed from one of these is assigned to a plain name, which ends with the call."""
    is_mentioned = mentions(*names)
    return lambda found: any(
        isinstance(node, (ast.Assign, ast.AnnAssign))
        and node.value is not None
        and is_mentioned(nodes(node.value))
        and any(isinstance(target, ast.Name) for target in _targets(node))
        for node in found
    )


def _targets(node: "ast.Assign | ast.AnnAssign") -> list[ast.AST]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [
        part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])
    ]


def assigns_attribute(*names: str) -> Confirmation:
    """Confirm that one of these is assigned as an attribute: `self.running_mean = ...`."""
    return lambda found: any(
        isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr in names
        for node in found
    )


def goes_from_the_end(found: Nodes) -> bool:
    """Confirm that something is visited from its end: reversed(...), [::-1], .reverse(), pop(), or a negative range."""
    return any(map(_is_backward, found))


def _is_backward(node: ast.AST) -> bool:
    if isinstance(node, ast.Slice):
        return node.step is not None and _is_negative(node.step)
    if not isinstance(node, ast.Call):
        return False
    name = _named(node.func)
    descending = name == "range" and len(node.args) == 3 and _is_negative(node.args[2])
    return name in ("reversed", "reverse", "flip") or (name == "pop" and not node.args) or descending


def _is_negative(node: ast.AST) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def writes_in_place(found: Nodes) -> bool:
    """Confirm that something is written in place: `x += 1`, `x[...] = 1`, `x.add_(1)`, inplace=True, out=."""
    return any(
        isinstance(node, ast.AugAssign)
        or (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store))
        or (
            isinstance(node, ast.Call)
            and _named(node.func).endswith("_")
            and not _named(node.func).startswith("_")
        )
        or (isinstance(node, ast.keyword) and node.arg in ("inplace", "out"))
        for node in found
    )


def all_of(*confirmations: Confirmation) -> Confirmation:
    """Confirm what all of these confirm."""
    return lambda found: all(confirm(found) for confirm in confirmations)


def any_of(*confirmations: Confirmation) -> Confirmation:
    """Confirm what one of these confirms."""
    return lambda found: any(confirm(found) for confirm in confirmations)


def without(confirmation: Confirmation) -> Confirmation:
    """Confirm what this does not: `without(calls("clone"))`."""
    return lambda found: not confirmation(found)
