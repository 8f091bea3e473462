"""What students receive, as files and as a zip; and a search through it for what they must not."""

import ast
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from grader import quiz
from grader.authoring.tree_check import shown
from grader.core.errors import Problem
from grader.core.model import Exercise
from grader.core.reproducible_zip import FILE, pack
from grader.course.catalog import Course
from grader.quiz.answers import Responses
from grader.quiz.page import to_html
from grader.quiz.sheet import question
from grader.workspace import scaffold

_LEAST_CODE = (
    60  # shorter statements stand in many programs: `x = torch.tensor([1.0, 2.0], requires_grad=True)`
)
_LEAST_PROSE = 20  # shorter feedback may be an option's text: "Nothing changes."
_ALSO = """
## Without the grader

`hints/` opens the same hints one by one. `quizzes/` holds the same questions, as text and as pages: open one in a
browser, answer, download your answers, and put the file into `answers/`. What you push is graded.
"""
_SECRET_KEYS = {"feedback", "explanation", "verify"}


def files(course: Course, seed: int) -> dict[str, bytes]:
    """Return the workspace of a student, by path, with the quizzes to read and the hints to open."""
    found = scaffold.files(course, seed)
    for exercise in course.exercises:
        found[f"hints/{exercise.id}.md"] = _hints(exercise).encode()
    for bank in quiz.load_banks(course.quizzes):
        found[f"quizzes/{bank.id}.md"] = _sheet(bank, seed).encode()
        found[f"quizzes/{bank.id}.html"] = to_html(bank, Responses(seed=seed)).encode()
    found["README.md"] += _ALSO.encode()
    return found


def archive(released: Mapping[str, bytes]) -> bytes:
    """Return a zip of files. The same files give the same bytes."""
    return pack((name, released[name], FILE) for name in sorted(released))


def _hints(exercise: Exercise) -> str:
    """Return the hints of an exercise as Markdown that opens them one by one."""
    opened = [
        f"<details><summary>Hint {number} of {len(exercise.hints)}</summary>\n\n{hint.strip()}\n\n</details>\n"
        for number, hint in enumerate(exercise.hints, start=1)
    ]
    return "\n".join([f"# {exercise.title}: hints\n", *opened])


def _sheet(bank: quiz.Bank, seed: int) -> str:
    """Return the items of a quiz as Markdown, without what is right."""
    lines = [
        f"# {bank.title}",
        "",
        f"Notes, section {bank.section}. Answer with `grade quiz {bank.id}`, or in `answers/{bank.id}.yaml`.",
    ]
    for number, item in enumerate(bank.sheet(seed), start=1):
        points = f"{item.points:g} point{'s' if item.points != 1 else ''}"
        lines += ["", f"## {number}. {item.id} ({points})", ""]
        lines += [f"- {line}" if line[1:3] == ") " else line for line in question(item)]
    return "\n".join(lines) + "\n"


# --- what must not be in it


def leaks(course: Course, released: Mapping[str, bytes], seed: int) -> list[Problem]:
    """Look in files for statements of solutions, and for what quizzes, drawn from `seed`, say after an answer.

    What stands in a stub is public: that it earns nothing is proven by grading it.
    """
    stubs = {f"exercises/{exercise.id}.py" for exercise in course.exercises}
    texts = {name: _plain(_readable(name, data)) for name, data in released.items()}
    public = " ".join(text for name, text in texts.items() if name in stubs)
    problems = [
        Problem(path=name, message="lies among the solutions")
        for name in released
        if "solutions" in name.split("/")
    ]
    for source, secret in _secrets(course, seed):
        if secret not in public:
            problems += [
                Problem(path=name, message=f"holds what only {source} may: {secret[:60]!r}")
                for name, text in texts.items()
                if secret in text
            ]
    return problems


def _readable(name: str, data: bytes) -> str:
    """Return a file as a person reads it: in a page, what is escaped counts too, in its text and in its data."""
    text = data.decode("utf-8", "replace")
    if not name.endswith(".html"):
        return text
    return html.unescape(text) + re.sub(r"\\u([0-9a-f]{4})|\\(.)", _unescaped, text)


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else found[2]


def _plain(text: str) -> str:
    """Return a text in one line, without the marks of comments."""
    return " ".join(re.sub(r"^\s*#", "", line).strip() for line in text.splitlines())


def _secrets(course: Course, seed: int) -> Iterator[tuple[str, str]]:
    """Yield what no student may read before the time, and the file it is from."""
    for exercise in course.exercises:
        for path in sorted(exercise.folder.glob("*.py")):
            yield from ((shown(course, path), code) for code in _statements(path) if len(code) >= _LEAST_CODE)
    for bank in quiz.load_banks(course.quizzes):
        drawn = [item.model_dump() for item in bank.sheet(seed)]
        told = {*_told(bank.source.value.model_dump()), *_told(drawn)}
        yield from ((f"quizzes/{bank.id}.yaml", text) for text in told if len(text) >= _LEAST_PROSE)


def _statements(path: Path) -> set[str]:
    """Return the statements within the functions of a file that hold no others, each in one line."""
    source = path.read_bytes()
    functions = (
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    simple = (
        node
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.stmt) and not hasattr(node, "body")
    )
    lines = source.split(b"\n")
    return {_plain(_segment(lines, node)) for node in simple}


def _segment(lines: Sequence[bytes], node: ast.stmt) -> str:
    """Return the text of a node, as ast.get_source_segment does, which splits the whole file for each."""
    taken = list(lines[node.lineno - 1 : node.end_lineno])
    taken[-1] = taken[-1][: node.end_col_offset]  # columns count bytes
    taken[0] = taken[0][node.col_offset :]
    return b"\n".join(taken).decode("utf-8")


def _told(value: object, key: str = "") -> Iterator[str]:
    """Yield the texts under secret keys, at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _told(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _told(inner, key)
    elif isinstance(value, str) and key in _SECRET_KEYS:
        yield _plain(value)
