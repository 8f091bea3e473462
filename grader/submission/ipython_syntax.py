"""Makes Python of what only IPython understands: magics and shell commands, in a cell or left in a script.

Lines keep their numbers, and nothing is run.
"""

import re
from collections.abc import Iterator

from grader.core import python_source

# A cell's name may have below it what Colab and IPython place above: comments, such as `#@title`, and other magics.
_NAMED = re.compile(
    r"(?:[ \t]*(?:#[^\n]*|%%(?![ \t]*grade\b)[^\n]*)?\n)*"
    r"[ \t]*(?P<magic>%%[ \t]*grade[ \t]+(?P<name>\w+))[^\n]*(?:\n|\Z)"
)
_COMMAND = re.compile(
    r"(?P<indent>\s*)(?P<command>[%!?].*|[\w.*]+\?{1,2}|(?:pip|conda)[ \t]+install[ \t].*)\s*"
)
_ASSIGNED = re.compile(r"(?P<target>\s*\w+[ \t]*=[ \t]*)(?P<command>[%!].*)")


def name_of(cell: str) -> str | None:
    """Return the exercise that a cell is named after by a line `%%grade`; None without one."""
    found = _NAMED.match(cell)
    return found["name"] if found is not None else None


def python_of(source: str, *, parsed: bool = True) -> str:
    """Return the Python of a cell or a script: `%%grade`, other magics and shell commands become comments.

    If it is `parsed`, and Python can do so, its lines are kept: a line `% 2` may continue the one before.
    """
    named = _NAMED.match(source)
    if named is not None:
        source = f"{source[: named.start('magic')]}# {source[named.start('magic') :]}"
    commented = "\n".join(_commented(source.split("\n")))
    return (
        source if commented == source or (parsed and python_source.parse(source) is not None) else commented
    )


def _commented(lines: list[str]) -> Iterator[str]:
    """Yield lines, those that only IPython understands as comments, with the lines that continue them."""
    is_continued = False
    for line in lines:
        python = f"# {line}" if is_continued else _python_line(line)
        is_continued = python != line and line.rstrip().endswith("\\")
        yield python


def _python_line(line: str) -> str:
    """Replace a command by `pass`, so that a block is not left empty, and what is assigned from one by nothing."""
    if found := _COMMAND.fullmatch(line):
        return f"{found['indent']}pass  # {found['command']}"
    if found := _ASSIGNED.fullmatch(line):
        nothing = "[]" if found["command"].startswith("!") else "None"  # a shell command gives its lines
        return f"{found['target']}{nothing}  # {found['command']}"
    return line
