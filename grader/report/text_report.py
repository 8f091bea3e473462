"""A report as text for a terminal. Pure functions; nothing here prints.

The first failure of an exercise is shown in full, every further one in a line: one thing to fix at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from grader.core.model import ExerciseResult, Flag, Frame, QuizResult, Report
from grader.report.content import (
    CheckContent,
    Example,
    ExampleRow,
    ExerciseContent,
    Heading,
    ItemContent,
    QuizContent,
    Status,
    WholeContent,
    exercise_content,
    heading,
    quiz_content,
    summary_content,
)
from grader.report.heatmap import heatmap
from grader.report.phrases import (
    NONE_OPENED,
    NOTHING_KNOWN,
    Help,
    all_hidden,
    dedented,
    hidden_sentence,
)
from grader.report.text_layout import (
    BODY,
    Sign,
    Style,
    columns,
    cut,
    finished,
    header,
    marked,
    paragraph,
    quoted,
    row,
    shortened,
    wrap,
)

_MAX_VALUE_LINES = 14
_MAX_OUTPUT_LINES = 10
_MAX_CODE_LINES = 12
_MAX_FRAMES = 5
_MAX_FLAGS = 6
_MAX_LABEL = 14
_SIGNS = {
    Status.PASSED: Sign.PASSED,
    Status.FAILED: Sign.FAILED,
    Status.WAITING: Sign.WAITING,
    Status.VOID: Sign.VOID,
}


def to_text(report: Report, style: Style, hints: Mapping[str, Help] = NOTHING_KNOWN) -> str:
    """Return the whole report; `hints` holds the open hints of exercises, by id."""
    blocks = [
        exercise_text(exercise, style, hints.get(exercise.id, NONE_OPENED)) for exercise in report.exercises
    ]
    blocks += [quizzes_text(report.quizzes, style), summary_text(report, style, hints)]
    return "\n".join(block for block in blocks if block)


# --- exercises


def exercise_text(result: ExerciseResult, style: Style, hints: Help = NONE_OPENED) -> str:
    """Return the block of one exercise, ending with a blank line."""
    exercise = exercise_content(result, hints)
    lines = [_header(exercise.heading.name, exercise.heading, style)]
    lines += marked(Sign.WAITING, exercise.not_attempted, style)
    lines += _whole(exercise.whole, style)
    lines += _checks(exercise, style)
    lines += marked(Sign.WAITING, exercise.hidden, style)
    lines += _flags(exercise.flags, style)
    lines += _output(exercise.output, style)
    return finished([*lines, ""], style)


def _whole(whole: WholeContent | None, style: Style) -> Iterator[str]:
    if whole is None:
        return
    yield ""
    yield from marked(Sign.VOID if whole.status is Status.VOID else Sign.FAILED, whole.message, style)
    yield from _frames(whole.traceback, style)
    yield ""
    yield from marked(Sign.NEXT, whole.advice, style)


def _checks(exercise: ExerciseContent, style: Style) -> Iterator[str]:
    if exercise.first is not None:
        yield from ("", *_full(exercise.first, style), "")
    for check in (*exercise.others, *exercise.waiting):
        yield _brief(check, style)
    if exercise.passed:
        yield from marked(Sign.PASSED, f"{exercise.passing}. {exercise.solution}", style)


def _full(check: CheckContent, style: Style) -> Iterator[str]:
    """Show one check with all its details."""
    yield row(_SIGNS[check.status], check.title, check.earned, style, bold=True)
    yield from paragraph(check.rationale, style)
    yield from _frames(check.traceback, style)
    if check.example is not None:
        yield from _example(check.example, style)
    if check.picture is not None:
        yield from ("", *heatmap(check.picture, style))
    if check.mistake is not None:
        yield from ("", *paragraph(check.mistake.lead, style))
        yield from paragraph(check.mistake.message, style, indent=BODY + 2, color="cyan")
    if check.advice:
        yield from ("", *marked(Sign.NEXT, check.advice, style))


def _brief(check: CheckContent, style: Style) -> str:
    """Return a check as one line: mark, title, as much of the reason as fits, points."""
    text = f"{check.title}{style.pick(' · ', ' - ')}{check.reason}" if check.reason else check.title
    return row(_SIGNS[check.status], text, check.earned, style)


def _frames(frames: Sequence[Frame], style: Style) -> Iterator[str]:
    """Show the student's own lines of a traceback, outermost first."""
    if frames:
        yield ""
    if len(frames) > _MAX_FRAMES:
        yield from paragraph(f"({len(frames) - _MAX_FRAMES} outer lines left out)", style, indent=BODY + 2)
    for frame in frames[-_MAX_FRAMES:]:
        place = f"{frame.path}:{frame.line}" + (f" in {frame.function}" if frame.function else "")
        yield from paragraph(place, style, indent=BODY + 2)
        yield from quoted(dedented(style.clean(frame.text)), style, indent=BODY + 4)


def _example(example: Example, style: Style) -> Iterator[str]:
    """Show one call in rows: the call, its arguments, what was expected, what came, where they differ."""
    yield ""
    if example.smallest:
        yield from paragraph("The smallest input found that fails:", style)
    names = [style.clean_line(value.name) for value in example.rows]
    label_columns = min(max(map(columns, names)), _MAX_LABEL)
    for value, name in zip(example.rows, names, strict=True):
        label = cut(name, label_columns, style)
        label += " " * (label_columns - columns(label) + 2)
        yield from _value(label, value, style)


def _value(label: str, row: ExampleRow, style: Style) -> Iterator[str]:
    """Set a value beside its label: one line is wrapped, several lines keep their columns and are cut."""
    indent = BODY + 2
    width = style.width - indent - columns(label)
    value = style.clean(row.value)
    lines = (
        [cut(line, width, style) for line in value.split("\n")]
        if "\n" in value
        else wrap(value, width, style)
    )
    lines = shortened(lines, _MAX_VALUE_LINES)
    color = {"expected": "green", "got": "red"}.get(row.kind)
    for n, line in enumerate(lines):
        first = style.paint(label, color, dim=color is None) if n == 0 else " " * columns(label)
        yield " " * indent + first + line


def _flags(flags: Sequence[Flag], style: Style) -> Iterator[str]:
    if not flags:
        return
    yield from ("", *paragraph("For a person to look at; it costs no points:", style))
    lines = [f"{flag.path}:{flag.line} `{flag.name}` {flag.reason}" for flag in flags]
    for line in shortened(lines, _MAX_FLAGS, "(and {} more, all in the JSON report)"):
        yield from paragraph(style.clean(line), style)


def _output(output: str, style: Style) -> Iterator[str]:
    if not output:
        return
    lines = shortened(style.clean(output).rstrip().split("\n"), _MAX_OUTPUT_LINES)
    yield from ("", *paragraph("Your code printed:", style))
    yield from quoted(lines, style, indent=BODY)


# --- quizzes


def quizzes_text(quizzes: Sequence[QuizResult], style: Style) -> str:
    """Return the block of all quizzes, ending with a blank line; nothing where there are none."""
    if not quizzes:
        return ""
    lines: list[str] = []
    contents = [quiz_content(quiz) for quiz in quizzes]
    for quiz in contents:
        body = list(_quiz(quiz, style))
        lines += [_header(quiz.heading.name, quiz.heading, style), *body]
        lines += [""] if body else []
    not_begun = [quiz.to_begin for quiz in contents if quiz.to_begin]
    if not_begun:
        lines += marked(Sign.WAITING, f"{len(not_begun)} of {len(quizzes)} not begun: {not_begun[0]}", style)
    return finished([*lines, ""] if lines[-1] else lines, style)


def _quiz(quiz: QuizContent, style: Style) -> Iterator[str]:
    for problem in quiz.problems:
        yield from marked(Sign.FAILED, problem, style)
    for item in quiz.wrong:
        yield from _item(item, style)
    yield from marked(Sign.WAITING, quiz.unanswered, style)


def _item(item: ItemContent, style: Style) -> Iterator[str]:
    yield row(Sign.FAILED, item.id, item.earned, style)
    yield from _question(item.prompt, style)
    yield from paragraph(f"Your answer: {item.response}", style)
    for feedback in item.feedback:
        yield from paragraph(feedback, style, color="cyan")


def _question(prompt: str, style: Style) -> Iterator[str]:
    """Show the first paragraph of a prompt, and the code that follows it."""
    blocks = [block.strip("\n") for block in prompt.split("\n\n") if block.strip()]
    for block in blocks[:1]:
        yield from paragraph(" ".join(block.split()), style)
    code = list(takewhile(lambda block: block.startswith("    "), blocks[1:]))
    lines = "\n\n".join(code).split("\n") if code else []
    for line in shortened(lines, _MAX_CODE_LINES, "    (and more)"):
        yield " " * BODY + cut(style.clean(line), style.width - BODY, style)


# --- the end


def summary_text(report: Report, style: Style, hints: Mapping[str, Help] = NOTHING_KNOWN) -> str:
    """Return a table of all parts, the total, the isolation level, and what to do next."""
    lines = [style.paint(style.pick("─", "-") * style.width, dim=True)]
    if len(report.exercises) + len(report.quizzes) > 1:
        lines += [*_table(report.exercises, report.quizzes, style), ""]
    summary = summary_content(report, hints)
    lines += [_header(summary.total.name, summary.total, style), ""]
    if summary.hidden:
        lines += [*paragraph(summary.hidden, style, indent=0), ""]
    lines += paragraph(summary.isolation, style, indent=0, dim=True)
    lines += paragraph(summary.next_step, style, indent=0)
    return finished(lines, style)


def list_text(exercises: Sequence[ExerciseResult], quizzes: Sequence[QuizResult], style: Style) -> str:
    """Return a line for each exercise and quiz: its name, title and points; below, how many checks are hidden."""
    hidden = all_hidden(exercises)
    below = ["", *paragraph(hidden_sentence(hidden), style, indent=0)] if hidden is not None else []
    return finished([*_table(exercises, quizzes, style), *below], style)


def _table(exercises: Sequence[ExerciseResult], quizzes: Sequence[QuizResult], style: Style) -> Iterator[str]:
    parts = [*map(heading, exercises), *map(heading, quizzes)]
    width = max(columns(style.clean(part.name)) for part in parts)
    for part in parts:
        yield _header(part.name.ljust(width), part, style)


def _header(name: str, part: Heading, style: Style) -> str:
    return header(
        name,
        part.title,
        part.points,
        part.max_points,
        style,
        hidden=part.hidden_points,
        instead=part.instead,
    )
