"""The files that students receive, and a search through them for solutions, keys and feedback."""

import ast
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from grader import quiz
from grader.authoring.tree_check import course_path
from grader.core.errors import Problem
from grader.core.model import Exercise
from grader.core.reproducible_zip import FILE, pack
from grader.course.catalog import Course
from grader.quiz.answers import Responses
from grader.quiz.page import to_html
from grader.quiz.sheet import question
from grader.workspace import scaffold

# Shorter statements occur in many programs: `x = torch.tensor([1.0, 2.0], requires_grad=True)`.
MIN_CODE_CHARS = 60
# Shorter feedback may equal the text of an option: "Nothing changes."
MIN_PROSE_CHARS = 20
_MAX_QUOTED_CHARS = 60
_README_END = """
## Without the grader

`hints/` opens the same hints one by one. `quizzes/` holds the same questions, as text and as pages: open one in a
browser, answer, download your answers, and put the file into `answers/`. What you push is graded.
"""
_SECRET_KEYS = {"feedback", "explanation", "verify"}


def files(course: Course, seed: int) -> dict[str, bytes]:
    """Return the files of a student's workspace by path, with the quizzes and hints as pages."""
    found = scaffold.files(course, seed)
    for exercise in course.exercises:
        found[f"hints/{exercise.id}.md"] = _hints(exercise).encode()
    for bank in quiz.load_banks(course.quizzes):
        found[f"quizzes/{bank.id}.md"] = _sheet(bank, seed).encode()
        found[f"quizzes/{bank.id}.html"] = to_html(bank, Responses(seed=seed)).encode()
    found["README.md"] += _README_END.encode()
    return found


def archive(released: Mapping[str, bytes]) -> bytes:
    """Return the files as a zip archive. The same files give the same bytes."""
    return pack((name, released[name], FILE) for name in sorted(released))


def _hints(exercise: Exercise) -> str:
    """Return the hints of an exercise as Markdown, each in a block that opens on its own."""
    opened = [
        f"<details><summary>Hint {number} of {len(exercise.hints)}</summary>\n\n{hint.strip()}\n\n</details>\n"
        for number, hint in enumerate(exercise.hints, start=1)
    ]
    return "\n".join([f"# {exercise.title}: hints\n", *opened])


def _sheet(bank: quiz.Bank, seed: int) -> str:
    """Return the items of a quiz as Markdown, without keys and feedback."""
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


# --- searching for what students must not receive


def leaks(course: Course, released: Mapping[str, bytes], seed: int) -> list[Problem]:
    """Search files for statements of solutions, and for explanations and feedback of quizzes drawn from `seed`.

    The text of a stub is public: grading it proves that it earns nothing.
    """
    stubs = {f"exercises/{exercise.id}.py" for exercise in course.exercises}
    texts = {name: _one_line(_visible_text(name, data)) for name, data in released.items()}
    public = " ".join(text for name, text in texts.items() if name in stubs)
    problems = [
        Problem(path=name, message="is a file of the solutions")
        for name in released
        if "solutions" in name.split("/")
    ]
    for source, secret in _secrets(course, seed):
        if secret not in public:
            problems += [
                Problem(path=name, message=f"contains text of {source}: {secret[:_MAX_QUOTED_CHARS]!r}")
                for name, text in texts.items()
                if secret in text
            ]
    return problems


def _visible_text(name: str, data: bytes) -> str:
    """Return the text of a file; of HTML also with entities and the escapes of its JavaScript data decoded."""
    text = data.decode("utf-8", "replace")
    if not name.endswith(".html"):
        return text
    return html.unescape(text) + re.sub(r"\\u([0-9a-f]{4})|\\(.)", _decoded_escape, text)


def _decoded_escape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else found[2]


def _one_line(text: str) -> str:
    """Return a text as one line, without comment marks."""
    return " ".join(re.sub(r"^\s*#", "", line).strip() for line in text.splitlines())


def _secrets(course: Course, seed: int) -> Iterator[tuple[str, str]]:
    """Yield each text that students must not receive, after the file it is from."""
    for exercise in course.exercises:
        for path in sorted(exercise.folder.glob("*.py")):
            yield from (
                (course_path(course, path), code) for code in _statements(path) if len(code) >= MIN_CODE_CHARS
            )
    for bank in quiz.load_banks(course.quizzes):
        drawn = [item.model_dump() for item in bank.sheet(seed)]
        texts = {*_secret_texts(bank.source.value.model_dump()), *_secret_texts(drawn)}
        yield from ((f"quizzes/{bank.id}.yaml", text) for text in texts if len(text) >= MIN_PROSE_CHARS)


def _statements(path: Path) -> set[str]:
    """Return the simple statements (without a body) inside the functions of a file, each as one line."""
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
    return {_one_line(_segment(lines, node)) for node in simple}


def _segment(lines: Sequence[bytes], node: ast.stmt) -> str:
    """Return the source of a node. ast.get_source_segment does the same, but splits the whole file each time."""
    segment = list(lines[node.lineno - 1 : node.end_lineno])
    segment[-1] = segment[-1][: node.end_col_offset]  # in bytes
    segment[0] = segment[0][node.col_offset :]
    return b"\n".join(segment).decode("utf-8")


def _secret_texts(value: object, key: str = "") -> Iterator[str]:
    """Yield the texts under secret keys, at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _secret_texts(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _secret_texts(inner, key)
    elif isinstance(value, str) and key in _SECRET_KEYS:
        yield _one_line(value)
