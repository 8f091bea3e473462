"""What a submission may import, the same on every machine: torch, numpy, the standard library, and its own files.

Anything else is a stand-in, whether it is installed or not: an import that is never used costs nothing, and the first
use raises a sentence that names it. Only the imports of the submission's own lines are decided here: what torch itself
imports is no business of the student's. This keeps no one out; isolation does.
"""

import ast
import builtins
import importlib
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn

LIBRARIES = frozenset({"torch", "numpy"})
# The grader's own package is there on every machine, and what reaches for it is flagged for review.
_THERE = LIBRARIES | sys.stdlib_module_names | {"grader", "__main__"}
_NEEDS_ANOTHER = "torch.utils.tensorboard"  # a part of torch that imports what is not on the list
# By the machinery of imports and by Python's own checks, not by the student's line.
_ASKED_BY_PYTHON = ("__path__", "__spec__", "__all__", "__wrapped__", "__file__")
_CAUGHT = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


def is_listed(name: str) -> bool:
    """Return whether a module is on the list: of torch, numpy or the standard library, or the grader's own."""
    return name.partition(".")[0] in _THERE


class NotAllowed(ModuleNotFoundError):
    """A module that graded code may not use; the message is one sentence for the student."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"`{name}` is not there while your code is graded, which may use torch, numpy, Python's standard library "
            "and the Python files beside it.",
            name=name,
        )


class StandIn:
    """Stands for a module that may not be used, or for a name in it: any use of it raises the sentence."""

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "_name", name)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise NotAllowed(_inside(self)["_name"])

    def __getattribute__(self, name: str) -> object:
        inside = _inside(self)
        if name in inside and name != "_name":
            return inside[name]  # which an import has bound
        if name == "__class__":
            return StandIn
        if name in _ASKED_BY_PYTHON:
            raise AttributeError(name)
        raise NotAllowed(inside["_name"])

    __setattr__ = __delattr__ = __call__ = __getitem__ = __setitem__ = __iter__ = __len__ = __contains__ = (
        _refuse
    )
    __bool__ = __enter__ = __exit__ = __add__ = __radd__ = __sub__ = __mul__ = __rmul__ = __truediv__ = (
        _refuse
    )
    __matmul__ = __rmatmul__ = __or__ = __ror__ = __mro_entries__ = __instancecheck__ = __subclasscheck__ = (
        _refuse
    )
    __float__ = __int__ = __index__ = __str__ = __format__ = _refuse


def _with(stand_in: StandIn, name: str, full: str) -> StandIn:
    """Return the stand-in for a name in another, which keeps it: an import binds it, and uses nothing."""
    found: StandIn = _inside(stand_in).setdefault(name, StandIn(full))
    return found


def _inside(stand_in: StandIn) -> dict[str, Any]:
    inside: dict[str, Any] = object.__getattribute__(stand_in, "__dict__")
    return inside


class AllowedImports:
    """Decides the imports of the lines of one submission. `is_own` tells whether it has a module of that name."""

    def __init__(self, sources: Mapping[str, str], is_own: Callable[[str], bool]) -> None:
        self._sources = sources
        self._is_own = is_own
        self._stand_ins: dict[str, StandIn] = {}
        self._guarded: dict[str, Collection[int]] = {}
        self._import = builtins.__import__

    def builtins(self) -> dict[str, object]:
        """Return the builtins of the submission's modules, with those of a notebook, whose cells are graded."""
        of_notebook = {"display": _display, "get_ipython": _NotebookShell}
        return vars(builtins) | {"__import__": self._import_statement} | of_notebook

    def install(self) -> None:
        """Decide what the submission imports through importlib.import_module too."""
        original = importlib.import_module

        def import_module(name: str, package: str | None = None) -> object:
            caller = sys._getframe(1)  # noqa: SLF001 - whose line it is decides
            if caller.f_code.co_filename not in self._sources or self._is_there(name):
                return original(name, package)
            return self._stand_in(name, (), caller.f_code.co_filename, caller.f_lineno)[1]

        importlib.import_module = import_module  # type: ignore[assignment]

    def _is_there(self, name: str) -> bool:
        top = name.partition(".")[0]
        return not top or is_listed(top) or self._is_own(top)

    def _import_statement(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - the protocol's names
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        needs_another = bool(fromlist) and name.partition(f"{_NEEDS_ANOTHER}.")[0] == _NEEDS_ANOTHER
        if level or (self._is_there(name) and not needs_another):
            return self._import(name, globals, locals, fromlist or (), level)
        caller = sys._getframe(1)  # noqa: SLF001
        top, last = self._stand_in(name, fromlist or (), caller.f_code.co_filename, caller.f_lineno)
        return last if fromlist else top

    def _stand_in(self, name: str, wanted: Sequence[str], path: str, line: int) -> tuple[StandIn, StandIn]:
        """Return what stands for the first part of a dotted name, and for all of it.

        Code that asks whether a module is there gets its answer at once, and so does a star, which names nothing.
        """
        if "*" in wanted or line in self._lines_that_ask(path):
            raise NotAllowed(name)
        top, *inner = name.split(".")
        first = last = self._stand_ins.setdefault(top, StandIn(top))
        full = top
        for part in inner:
            full += f".{part}"
            last = _with(last, part, full)
        for part in wanted:
            _with(last, part, f"{name}.{part}")
        return first, last

    def _lines_that_ask(self, path: str) -> Collection[int]:
        """Return the lines of a file inside a `try` that catches what an absent module raises."""
        if path not in self._guarded:
            try:
                tree = ast.parse(self._sources.get(path, ""))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                tree = ast.Module([], [])
            self._guarded[path] = {
                line
                for node in ast.walk(tree)
                if isinstance(node, ast.Try) and any(map(_catches, node.handlers))
                for statement in node.body
                for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
            }
        return self._guarded[path]


def _catches(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or any(
        isinstance(node, ast.Name) and node.id in _CAUGHT for node in ast.walk(handler.type)
    )


class NeedsNotebook(RuntimeError):
    """A use of `get_ipython()` that a script cannot do without; the message is one sentence for the student."""


class _NotebookShell:
    """What `get_ipython()` returns in a notebook that was exported as a script. Its commands are not run."""

    def run_line_magic(self, *_: object, **__: object) -> None:
        """Stand for `%name`."""

    system = magic = run_line_magic

    def getoutput(self, *_: object, **__: object) -> list[str]:
        """Stand for `lines = !command`."""
        return []

    def run_cell_magic(self, name: object = "", *_: object) -> NoReturn:
        """Refuse `%%name`: the code below it is a text here."""
        raise NeedsNotebook(
            f"The code of a cell `%%{name}` is only a text in this script, and is not graded: "
            "hand in the notebook itself, or copy the code of the cell into the file."
        )

    def __getattr__(self, name: str) -> NoReturn:
        raise NeedsNotebook(
            "`get_ipython()` exists in a notebook only. Delete what a notebook's export has left of its magics."
        )


def _display(*objects: object, **_: object) -> None:
    """Print what a notebook would show."""
    for thing in objects:
        sys.stdout.write(f"{thing!r}\n")
