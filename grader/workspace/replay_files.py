"""Files in a workspace that replay one failing case each, without the grader: `replays/<exercise>_<check>.py`.

A file holds a fingerprint of its own text. A file that a student has changed is never overwritten.
"""

import ast
import itertools
import os
import re
from dataclasses import dataclass
from pathlib import Path

from grader.core import python_source
from grader.core.atomic_write import write_below
from grader.core.errors import UsageError
from grader.core.model import CheckResult, Outcome, Snippet
from grader.core.safetext import one_line
from grader.course import fingerprint

FOLDER = "replays"
_MARK = "# As it was written: "
_DUMP_AFTER_S = 20
_MAX_CHARS = 2**22  # more than any replay file has
_WARNINGS = {
    Outcome.TIME_LIMIT: (
        "import faulthandler",
        'if "pdb" not in sys.modules:  # not while you debug',
        f"    faulthandler.dump_traceback_later({_DUMP_AFTER_S}, exit=True)"
        f"  # it did not end while grading: after {_DUMP_AFTER_S} s, show where it is",
    ),
    Outcome.CRASHED: (
        "import faulthandler",
        "faulthandler.enable()  # it crashed Python while grading: show where",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A failing case of one exercise. `root` is the folder of its module in the workspace: "exercises/" or "".

    `check` is None for a module that does not load: the case is then the import.
    """

    exercise: str
    root: str
    snippet: Snippet
    check: CheckResult | None = None
    outcome: Outcome

    @property
    def name(self) -> str:
        """The name of its file, without `.py`."""
        ending = self.check.id.removeprefix("test_") if self.check is not None else "import"
        return re.sub(r"\W+", "_", f"{self.exercise}_{ending}").strip(
            "_"
        )  # never the name of the module itself

    def text(self) -> str:
        """Return the text of its file."""
        body = self._body()
        title = self.check.title if self.check is not None else "the file does not load"
        return (
            f"# {self.exercise}: {one_line(title)}\n"
            f"# A failing case, written by `grade replay {self.exercise}`. Run it without the grader, change it.\n"
            f"{_MARK}{fingerprint.of(body)[:12]}\n{body}"
        )

    def _body(self) -> str:
        code = self.snippet.code
        standard = {"import sys": True, "import base64": "base64." in code, "import zlib": "zlib." in code}
        folder = f' / "{self.root.rstrip("/")}"' if self.root else ""
        ending = "This case passes." if self.snippet.judges else "The check goes on from here."
        lines = [
            "",
            *sorted(line for line, is_needed in standard.items() if is_needed),
            "from pathlib import Path",
            "",
            "import torch",
            "",
            *_WARNINGS.get(self.outcome, ()),
            f"sys.path.insert(0, str(Path(__file__).resolve().parent.parent{folder}))",
            f"import {self.exercise}",
            "",
            *([code] if code else []),
            f'print("{ending}")',
            "",
        ]
        return "\n".join(lines)


def write(case: Case, workspace: Path) -> tuple[Path, Path | None]:
    """Write a case. Return its file, and the file that was not overwritten because a student changed it, or None.

    Raises UsageError where it cannot be written, or where its folder is a link: that could lead anywhere.
    """
    folder = workspace / FOLDER
    if folder.is_symlink():
        raise UsageError(
            f"{folder} is a link, and nothing is written through one. Delete it, then try again."
        )
    wanted = folder / f"{case.name}.py"
    others = (folder / f"{case.name}_{number}.py" for number in itertools.count(2))
    text = case.text()
    try:
        path = next(name for name in itertools.chain([wanted], others) if _is_free(name, text))
        write_below(workspace, f"{FOLDER}/{path.name}", text.encode())
    except OSError as error:
        raise UsageError(f"{wanted} cannot be written: {error.strerror}.") from None
    return path, wanted if path != wanted else None


def _is_free(path: Path, text: str) -> bool:
    """Tell whether a path is free, or holds a replay file that was not changed."""
    if not os.path.lexists(path):
        return True
    if path.is_symlink() or not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8") as file:
            found = file.read(_MAX_CHARS)
    except (OSError, ValueError):
        return not os.path.lexists(path)  # where the folder is none, no name would be taken
    head, mark, rest = found.partition(_MARK)
    written, _, body = rest.partition("\n")
    return found == text or (bool(mark) and head.count("\n") == 2 and written == fingerprint.of(body)[:12])


def first_line(text: str, entry: str) -> int | None:
    """Return the line of the first statement of a function or method in a module's text; None where it has none.

    For a class it is that of its `__init__`.
    """
    tree = python_source.parse(text)
    if tree is None or not entry:
        return None
    name, _, method = entry.partition(".")
    found = _defined(tree.body, name)
    if isinstance(found, ast.ClassDef):
        found = _defined(found.body, method or "__init__")
    if not isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    statements = found.body[1:] if ast.get_docstring(found) is not None else found.body
    return statements[0].lineno if statements else None


def _defined(body: list[ast.stmt], name: str) -> ast.stmt | None:
    """Return the last definition of a name, which replaces those before it."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return next((node for node in reversed(body) if isinstance(node, kinds) and node.name == name), None)
