"""Says in a plain sentence what Python's own message does not: what belongs to another place than a graded file.

A magic of a notebook, the marks of a git conflict, syntax of a newer Python, a relative import, torch.compile.
"""

import re
import sys
import traceback
from collections.abc import Sequence

from grader.sandbox.protocol.messages import name_from
from grader.sandbox.worker.allowed_imports import NeedsNotebook, NotAllowed, is_listed

_CONFLICT = re.compile(r"(<{7}|={7}|>{7}|\|{7})(\s|\Z)")
_MAGIC = re.compile(r"\s*(%{1,2}\w|!\s*\w|\?\w|\w[\w.]*\?{1,2}\s*\Z)")
_NEWER = (
    # what a line looks like, what that is, and since which Python it exists
    (re.compile(r"\s*(async\s+)?def\s+\w+\s*\["), "type parameters in brackets", (3, 12)),
    (re.compile(r"\s*class\s+\w+\s*\["), "type parameters in brackets", (3, 12)),
    (re.compile(r"\s*type\s+\w+(\s*\[.*\])?\s*="), "the `type` statement", (3, 12)),
    (
        re.compile(r".*\b[fF][rR]?(\"[^\"]*\{[^}\"]*\"|'[^']*\{[^}']*')"),
        "the same quotes inside an f-string",
        (3, 12),
    ),
    (re.compile(r".*(?<![\w])[tT][rR]?[\"']"), "a t-string", (3, 14)),
    (re.compile(r"\s*except\*?\s+[\w.]+\s*,\s*[\w.]+.*:"), "several exceptions without parentheses", (3, 14)),
)
_COMPILER = ("torch/_dynamo/", "torch/_inductor/", "torch/_functorch/_aot")


def unreadable_line(line: str, lines: Sequence[str]) -> str:
    """Return why Python cannot read a line, where it is known better than Python says; else ""."""
    conflict = next(
        (n for n, text in enumerate(lines, start=1) if text.startswith(("<<<<<<< ", ">>>>>>> "))), 0
    )
    if conflict and (_CONFLICT.match(line) or any(_CONFLICT.match(text) for text in lines)):
        return (
            f"Your file holds the marks of a git conflict, the first on line {conflict}: keep one of the two versions, "
            "and delete the lines that begin with <<<<<<<, ======= and >>>>>>>."
        )
    if _MAGIC.match(line):
        return f"`{name_from(line.strip())}` is a command of a notebook, and no Python. Delete this line."
    for pattern, what, since in _NEWER:
        if sys.version_info[:2] < since and pattern.match(line):
            here, there = (".".join(map(str, version)) for version in (sys.version_info[:2], since))
            return f"This line has {what}, which Python reads since {there}. The grader runs Python {here}."
    return ""


def plain_sentence(error: BaseException) -> str:
    """Return a whole sentence on an exception, where its own message would not help; else ""."""
    if isinstance(error, (NotAllowed, NeedsNotebook)):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and error.name and not is_listed(error.name):
        return str(NotAllowed(error.name))  # a module that is on the list asked for it
    if isinstance(error, ImportError) and "relative import" in str(error):
        return (
            "A relative import works inside a package only, and your file is none: "
            "write `import x` for `from . import x`."
        )
    if _of_compiler(error):
        return (
            "`torch.compile` does not work while your code is graded: it writes a program and runs a compiler. "
            "Leave it out, the results are the same without it."
        )
    return ""


def _of_compiler(error: BaseException) -> bool:
    """Return whether the compiler of torch raised, and not the code that it was tracing."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and any(part in frames[-1].filename.replace("\\", "/") for part in _COMPILER)
