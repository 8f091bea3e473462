"""A report as text for a terminal. Pure functions; nothing here prints.

The first failure of an exercise is shown in full, every further one in a line: one thing to fix at a time. It comes
last, so that it is on the screen when the command ends, with as much of its values as the height allows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import click

from grader.core.model import Exercise, ExerciseResult, Flag, Frame, Outcome, QuizResult, Report
from grader.report.content import (
    CheckContent,
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
from grader.report.example_text import ALL_OF_IT, ExampleDetail, example_lines
from grader.report.heatmap import heatmap
from grader.report.phrases import (
    NONE_OPENED,
    NOTHING_KNOWN,
    Help,
    all_hidden,
    dedented,
    first_step,
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
    number,
    paragraph,
    quoted,
    row,
    shortened,
)

_MAX_OUTPUT_LINES = 10
_MAX_CODE_LINES = 12
_MAX_FLAGS = 6
_SIGNS = {
    Status.PASSED: Sign.PASSED,
    Status.FAILED: Sign.FAILED,
    Status.WAITING: Sign.WAITING,
    Status.VOID: Sign.VOID,
}


def to_text(
    report: Report, style: Style, hints: Mapping[str, Help] = NOTHING_KNOWN, *, verbose: bool = False
) -> str:
    """Return the whole report; `hints` holds the open hints of exercises, by id."""
    blocks = [
        exercise_text(exercise, style, hints.get(exercise.id, NONE_OPENED), verbose=verbose)
        for exercise in report.exercises
    ]
    blocks += [quizzes_text(report.quizzes, style), summary_text(report, style, hints, verbose=verbose)]
    return "\n".join(block for block in blocks if block)


# --- exercises


def exercise_text(
    result: ExerciseResult, style: Style, hints: Help = NONE_OPENED, *, verbose: bool = False
) -> str:
    """Return the block of one exercise, ending with a blank line; if `verbose`, with every check in full."""
    exercise = exercise_content(result, hints)
    lines = [_header(exercise.heading.name, exercise.heading, style)]
    lines += marked(Sign.WAITING, exercise.not_attempted, style)
    lines += _verbose(exercise, style) if verbose else _others(exercise, style)
    lines += marked(Sign.WAITING, exercise.hidden, style)
    lines += _flags(exercise.flags, style)
    lines += _output(exercise.output, style)
    lines += _whole(exercise.whole, style)
    more = ""
    if exercise.first is not None:
        first, is_whole = _fitted(exercise.first, style, None if verbose else style.height)
        lines += ["", *first]
        more = "" if is_whole else f"`grade {result.id} -v` shows all."
    if exercise.passing:
        sign = Sign.WAITING if exercise.first is not None else Sign.PASSED
        said = " ".join(filter(None, (exercise.passing, exercise.solution, more)))
        lines += [*[""] * (len(lines) > 1), *marked(sign, said, style)]
    return finished([*lines, ""], style)


def check_text(result: ExerciseResult, check: str, style: Style, hints: Help = NONE_OPENED) -> str:
    """Return one check of an exercise in full, whatever its outcome, ending with a blank line."""
    exercise = exercise_content(result, hints)
    everything = [*exercise.others, *exercise.waiting, *exercise.passed]
    everything += [exercise.first] if exercise.first is not None else []
    found = next(one for one in everything if one.id == check)
    return finished([*_full(found, style), ""], style)


def _whole(whole: WholeContent | None, style: Style) -> Iterator[str]:
    if whole is None:
        return
    yield ""
    yield from marked(Sign.VOID if whole.status is Status.VOID else Sign.FAILED, whole.message, style)
    yield from _frames(whole.traceback, style)
    yield ""
    yield from marked(Sign.NEXT, whole.advice, style)


def _others(exercise: ExerciseContent, style: Style) -> Iterator[str]:
    """Show each further failure as a line; all checks that wait as one, and those of what is not written as another."""
    failed = [check for check in exercise.others if check.outcome is not Outcome.NOT_ATTEMPTED]
    if exercise.others or exercise.waits:
        yield ""
    for check in failed:
        yield _brief(check, style)
    for sentence in filter(None, (exercise.unwritten, exercise.waits)):
        yield row(Sign.WAITING, sentence, "", style)


def _verbose(exercise: ExerciseContent, style: Style) -> Iterator[str]:
    """Show everything but the first failure: what passes and waits as lines, other failures in full."""
    checks = (*exercise.passed, *exercise.waiting)
    yield from ([""] if checks else [])
    for check in checks:
        yield _brief(check, style)
    for check in exercise.others:
        yield from ("", *_full(check, style))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Detail:
    """How much of a check is shown: of its values, lines of its traceback, whether its picture is, and what to read."""

    example: ExampleDetail = ALL_OF_IT
    frames: int = 5
    picture: bool = True
    read: bool = True


_LEAST = ExampleDetail(
    value_lines=2, place_lines=1, table_lines=5, results_with_table=False, argument_lines=0
)
# From the most to the least, until what is shown fits on the screen.
_DETAILS = (
    _Detail(),
    _Detail(picture=False),
    _Detail(picture=False, example=ExampleDetail(value_lines=8, argument_lines=8)),
    _Detail(picture=False, example=ExampleDetail(value_lines=6, place_lines=2, argument_lines=4), frames=3),
    _Detail(
        picture=False,
        example=ExampleDetail(value_lines=4, place_lines=1, table_lines=10, argument_lines=1),
        frames=2,
    ),
    _Detail(
        picture=False,
        example=ExampleDetail(value_lines=3, place_lines=1, table_lines=6, argument_lines=0),
        frames=1,
    ),
    _Detail(picture=False, example=_LEAST, frames=1),
    _Detail(picture=False, example=replace(_LEAST, table_lines=3), frames=1, read=False),
)
_BELOW = 3  # lines: a blank one, how many checks pass, the prompt of the shell


def _fitted(check: CheckContent, style: Style, height: int | None) -> tuple[list[str], bool]:
    """Show a check in as much detail as the screen has lines for; tell whether that is all of it."""
    lines = list(_full(check, style))
    if height is None or len(lines) + _BELOW <= height:
        return lines, True
    for detail in _DETAILS[1:]:
        lines = list(_full(check, style, detail))
        if len(lines) + _BELOW <= height:
            break
    return lines, False


def _full(check: CheckContent, style: Style, detail: _Detail = _DETAILS[0]) -> Iterator[str]:
    """Show one check."""
    yield row(_SIGNS[check.status], check.title, check.earned, style, bold=True)
    yield from paragraph(check.rationale, style)
    yield from _frames(check.traceback, style, detail.frames)
    if check.example is not None:
        yield from ("", *example_lines(check.example, style, detail.example))
    if check.picture is not None and detail.picture:
        yield from ("", *heatmap(check.picture, style))
    if check.mistake is not None:
        yield from ("", *paragraph(check.mistake.lead, style))
        yield from paragraph(check.mistake.message, style, indent=BODY + 2, color="cyan")
    if check.advice:
        yield from ("", *_advice(check.advice, check.read if detail.read else "", style))


def _advice(advice: str, read: str, style: Style) -> list[str]:
    """Return what to do next, and what to read: at the end of its last line where that has space, else in one line."""
    lines = list(marked(Sign.NEXT, advice, style))
    read = cut(style.clean_line(read), style.width - BODY, style)
    if read and columns(click.unstyle(lines[-1])) + 1 + columns(read) <= style.width:
        lines[-1] += f" {read}"
    elif read:
        lines.append(" " * BODY + read)
    return lines


def _brief(check: CheckContent, style: Style) -> str:
    """Return a check as one line: mark, title, as much of the reason as fits, points."""
    text = f"{check.title}{style.pick(' · ', ' - ')}{check.reason}" if check.reason else check.title
    return row(_SIGNS[check.status], text, check.earned, style)


def _frames(frames: Sequence[Frame], style: Style, most: int = _DETAILS[0].frames) -> Iterator[str]:
    """Show the student's own lines of a traceback, outermost first, and at most so many."""
    if frames:
        yield ""
    if len(frames) > most:
        yield from paragraph(f"({len(frames) - most} outer lines left out)", style, indent=BODY + 2)
    for frame in frames[-most:]:
        place = f"{frame.path}:{frame.line}" + (f" in {frame.function}" if frame.function else "")
        yield from paragraph(place, style, indent=BODY + 2)
        yield from quoted(dedented(style.clean(frame.text)), style, indent=BODY + 4)


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


def quizzes_text(quizzes: Sequence[QuizResult], style: Style, *, every: bool = False) -> str:
    """Return the block of all quizzes, ending with a blank line; nothing where there are none.

    With `every`, right answers and items without one are shown too.
    """
    if not quizzes:
        return ""
    lines: list[str] = []
    contents = [quiz_content(quiz, every=every) for quiz in quizzes]
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
    for item in quiz.items:
        yield from _item(item, style)
    yield from marked(Sign.WAITING, quiz.unanswered, style)


def _item(item: ItemContent, style: Style) -> Iterator[str]:
    yield row(Sign.PASSED if item.is_right else Sign.FAILED, item.name, item.earned, style)
    yield from _question(item.prompt, style)
    yield from paragraph(f"Your answer: {item.response}" if item.response else "Not answered.", style)
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


def summary_text(
    report: Report, style: Style, hints: Mapping[str, Help] = NOTHING_KNOWN, *, verbose: bool = False
) -> str:
    """Return what follows the parts: a table of them, the total, the isolation level, and what to do next.

    Of a single exercise its own block says all of this that matters, unless it is void.
    """
    summary = summary_content(report, hints)
    parts = [*report.exercises, *report.quizzes]
    if len(parts) == 1 and report.final and not verbose:
        return ""
    lines = [style.paint(style.pick("─", "-") * style.width, dim=True)]
    if len(parts) > 1:
        lines += [*_table(report.exercises, report.quizzes, style), ""]
    lines += [_header(summary.total.name, summary.total, style), ""]
    if summary.hidden:
        lines += [*paragraph(summary.hidden, style, indent=0), ""]
    lines += paragraph(summary.isolation, style, indent=0, dim=True)
    lines += paragraph(summary.next_step, style, indent=0)
    return finished(lines, style)


def untouched_text(exercises: Sequence[Exercise], quizzes: Sequence[QuizResult], style: Style) -> str:
    """Return what is said of work of which nothing is begun: how much there is, and the first step."""
    parts = [f"{len(exercises)} exercise{'s' * (len(exercises) > 1)}"] if exercises else []
    parts += [f"{len(quizzes)} quiz{'zes' * (len(quizzes) > 1)}"] if quizzes else []
    points = number(sum(part.points for part in exercises) + sum(quiz.max_points for quiz in quizzes))
    if len(exercises) == 1 and not quizzes:
        sentences = [f"{exercises[0].id}, {exercises[0].title}, is not begun yet: {points} points."]
    else:
        sentences = [
            f"Nothing is begun yet: {' and '.join(parts)}, {points} points.",
            "`grade list` shows them, and `grade watch` grades on every save.",
        ]
    lines = [*sentences, f"Next: {first_step(exercises, quizzes)}"]
    return finished((line for text in lines for line in paragraph(text, style, indent=0)), style)


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
