"""A report as text: what a student reads at midnight. Pure functions; nothing here prints.

The first failure of an exercise is told in full, every further one in a line: one thing to mend at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from grader.core.model import (
    CheckResult,
    Counterexample,
    Diagnosis,
    ExerciseResult,
    Flag,
    Frame,
    Hidden,
    ItemResult,
    Outcome,
    QuizResult,
    Report,
)
from grader.report.heatmap import heatmap
from grader.report.text_layout import (
    BODY,
    Mark,
    Style,
    amount,
    columns,
    cut,
    finished,
    header,
    marked,
    paragraph,
    quoted,
    row,
    wrap,
)
from grader.report.wording import (
    NONE_OPENED,
    NOTHING_KNOWN,
    Help,
    advice,
    advice_on,
    all_hidden,
    begun,
    dedented,
    first_to_mend,
    hidden_of,
    hidden_points,
    hidden_sentence,
    isolation,
    known,
    next_step,
    not_counted,
    passing,
    reason,
    share,
)

_MAX_VALUE_LINES = 14
_MAX_OUTPUT_LINES = 10
_MAX_CODE_LINES = 12
_MAX_FRAMES = 5
_MAX_FLAGS = 6
_MAX_LABEL = 14
_MARKS = {
    Outcome.SKIPPED: Mark.WAITING,
    Outcome.NOT_ATTEMPTED: Mark.WAITING,
    Outcome.INTERNAL_ERROR: Mark.OURS,
}


def to_text(report: Report, style: Style, hints: Mapping[str, Help] = NOTHING_KNOWN) -> str:
    """Return the whole report; `hints` says of exercises, by id, which of their hints are open."""
    blocks = [
        exercise_text(exercise, style, hints.get(exercise.id, NONE_OPENED)) for exercise in report.exercises
    ]
    blocks += [quizzes_text(report.quizzes, style), summary_text(report, style, hints)]
    return "\n".join(block for block in blocks if block)


# --- exercises


def exercise_text(result: ExerciseResult, style: Style, hints: Help = NONE_OPENED) -> str:
    """Return the block of one exercise, ending with a blank line."""
    lines = [_header(result.id, result, style)]
    if result.outcome is Outcome.NOT_ATTEMPTED:
        lines += _not_attempted(result, style)
    else:
        lines += _whole(result, style, hints)
        lines += _checks(result, style, hints)
    if result.hidden is not None:
        lines += marked(Mark.WAITING, hidden_of(result), style)
    lines += _flags(result.flags, style)
    lines += _output(result.output, style)
    return finished([*lines, ""], style)


def _not_attempted(result: ExerciseResult, style: Style) -> Iterator[str]:
    text = result.message or f"Not attempted yet: open exercises/{result.id}.py."
    yield from marked(Mark.WAITING, text, style)


def _whole(result: ExerciseResult, style: Style, hints: Help) -> Iterator[str]:
    """Tell what became of the exercise as a whole: most often, why no check could run."""
    if not result.message:
        return
    ours = result.outcome is Outcome.INTERNAL_ERROR
    yield ""
    yield from marked(Mark.OURS if ours else Mark.FAILED, result.message, style)
    yield from _frames(result.traceback, style)
    yield ""
    loads = "The checks run as soon as the file loads." if result.outcome is Outcome.RAISED else ""
    yield from _next(loads or advice(result.id, result.outcome, hints), style)


def _checks(result: ExerciseResult, style: Style, hints: Help) -> Iterator[str]:
    passed = [check for check in result.checks if check.outcome is Outcome.PASSED]
    others = [check for check in result.checks if check.outcome is not Outcome.PASSED]
    first = first_to_mend(others)
    if first is not None:
        yield from ("", *_told(result.id, first, style, hints), "")
    told = first.diagnosis if first is not None else None
    for check in sorted(others, key=lambda check: check.outcome is Outcome.SKIPPED):
        if check is not first:
            yield _brief(check, told, style)
    if passed:
        is_done = not others and result.hidden is None
        after = f" `grade solution {result.id}` shows how we wrote it." if is_done else ""
        yield from marked(Mark.PASSED, f"{passing(result)}.{after}", style)


def _told(exercise: str, check: CheckResult, style: Style, hints: Help) -> Iterator[str]:
    """Tell one check in full."""
    yield row(_mark(check), check.title, amount(check.points, check.max_points), style, bold=True)
    yield from paragraph(check.rationale, style)
    yield from _frames(check.traceback, style)
    if check.counterexample is not None:
        yield from _example(check.counterexample, check.rationale, style)
    if check.picture is not None:
        yield from ("", *heatmap(check.picture, style))
    if check.diagnosis is not None:
        lead = f"Your results are exactly those of {known(check.diagnosis)}:"
        yield from ("", *paragraph(lead, style))
        yield from paragraph(check.diagnosis.message, style, indent=BODY + 2, colour="cyan")
    yield ""
    case = exercise if check.counterexample is not None else ""
    yield from _next(advice_on(exercise, check, hints, case), style)


def _mark(check: CheckResult) -> Mark:
    return _MARKS.get(check.outcome, Mark.FAILED)


def _next(advice: str, style: Style) -> Iterator[str]:
    yield from marked(Mark.NEXT, advice, style)


def _brief(check: CheckResult, told: Diagnosis | None, style: Style) -> str:
    """Return a check as one line: mark, title, as much of the reason as fits, points."""
    why = reason(check, told)
    text = f"{check.title}{style.pick(' · ', ' - ')}{why}" if why else check.title
    return row(_mark(check), text, amount(check.points, check.max_points), style)


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


def _example(example: Counterexample, rationale: str, style: Style) -> Iterator[str]:
    """Show one call in rows: the call, its arguments, what was expected, what came, where they differ."""
    got = "" if example.got == rationale else example.got
    rows = [("call", example.call), *((argument.name, argument.value) for argument in example.arguments)]
    rows += [("expected", example.expected), ("got", got), ("where", example.where)]
    rows = [(style.clean_line(name), style.clean(value)) for name, value in rows if value]
    if not rows:
        return
    yield ""
    if example.smallest:
        yield from paragraph("The smallest input found that fails:", style)
    label_room = min(max(columns(name) for name, _ in rows), _MAX_LABEL)
    for name, value in rows:
        label = cut(name, label_room, style)
        label += " " * (label_room - columns(label) + 2)
        yield from _value(label, value, style)


def _value(label: str, value: str, style: Style) -> Iterator[str]:
    """Set a value beside its label: one line is wrapped, several lines keep their columns and are cut."""
    indent = BODY + 2
    room = style.width - indent - columns(label)
    lines = (
        [cut(line, room, style) for line in value.split("\n")] if "\n" in value else wrap(value, room, style)
    )
    if len(lines) > _MAX_VALUE_LINES:
        lines = [*lines[: _MAX_VALUE_LINES - 1], "(and more)"]
    colour = {"expected": "green", "got": "red"}.get(label.strip())
    for n, line in enumerate(lines):
        first = style.paint(label, colour, dim=colour is None) if n == 0 else " " * columns(label)
        yield " " * indent + first + line


def _flags(flags: Sequence[Flag], style: Style) -> Iterator[str]:
    if not flags:
        return
    yield from ("", *paragraph("For a person to look at; it costs no points:", style))
    told = [f"{flag.path}:{flag.line} `{flag.name}` {flag.reason}" for flag in flags]
    if len(told) > _MAX_FLAGS:
        told = [*told[: _MAX_FLAGS - 1], f"(and {len(told) - _MAX_FLAGS + 1} more, all in the JSON report)"]
    for line in told:
        yield from paragraph(style.clean(line), style)


def _output(output: str, style: Style) -> Iterator[str]:
    if not output.strip():
        return
    lines = style.clean(output).rstrip().split("\n")
    if len(lines) > _MAX_OUTPUT_LINES:
        lines = [*lines[: _MAX_OUTPUT_LINES - 1], "(and more)"]
    yield from ("", *paragraph("Your code printed:", style))
    yield from quoted(lines, style, indent=BODY)


# --- quizzes


def quizzes_text(quizzes: Sequence[QuizResult], style: Style) -> str:
    """Return the block of all quizzes, ending with a blank line; nothing where there are none."""
    if not quizzes:
        return ""
    lines: list[str] = []
    for quiz in quizzes:
        told = list(_quiz(quiz, style))
        lines += [header(f"quiz {quiz.id}", quiz.title, quiz.points, quiz.max_points, style), *told]
        lines += [""] if told else []
    fresh = [quiz for quiz in quizzes if not begun(quiz)]
    if fresh:
        text = f"{len(fresh)} of {len(quizzes)} not begun: `grade quiz {fresh[0].id}` asks the questions."
        lines += marked(Mark.WAITING, text, style)
    return finished([*lines, ""] if lines[-1] else lines, style)


def _quiz(quiz: QuizResult, style: Style) -> Iterator[str]:
    """Tell what is to be mended in a quiz that was begun."""
    for problem in quiz.problems:
        yield from marked(Mark.FAILED, problem, style)
    for item in quiz.items:
        if item.answered and item.points < item.max_points:
            yield from _item(item, style)
    unanswered = [item.id for item in quiz.items if not item.answered and item.points < item.max_points]
    if unanswered and begun(quiz):
        yield from marked(
            Mark.WAITING, f"{len(unanswered)} not answered yet: {', '.join(unanswered)}.", style
        )


def _item(item: ItemResult, style: Style) -> Iterator[str]:
    yield row(Mark.FAILED, item.id, amount(item.points, item.max_points), style)
    yield from _question(item.prompt, style)
    yield from paragraph(f"Your answer: {item.response}", style)
    for feedback in item.feedback:
        yield from paragraph(feedback, style, colour="cyan")


def _question(prompt: str, style: Style) -> Iterator[str]:
    """Show the first paragraph of a prompt, and the code behind it."""
    blocks = [block.strip("\n") for block in prompt.split("\n\n") if block.strip()]
    for block in blocks[:1]:
        yield from paragraph(" ".join(block.split()), style)
    code = list(takewhile(lambda block: block.startswith("    "), blocks[1:]))
    lines = "\n\n".join(code).split("\n") if code else []
    if len(lines) > _MAX_CODE_LINES:
        lines = [*lines[: _MAX_CODE_LINES - 1], "    (and more)"]
    for line in lines:
        yield " " * BODY + cut(style.clean(line), style.width - BODY, style)


# --- the end


def summary_text(report: Report, style: Style, hints: Mapping[str, Help] = NOTHING_KNOWN) -> str:
    """Return a table of all parts, the total, the isolation level, and what to do next."""
    lines = [style.paint(style.pick("─", "-") * style.width, dim=True)]
    if len(report.exercises) + len(report.quizzes) > 1:
        lines += [*_table(report.exercises, report.quizzes, style), ""]
    hidden = all_hidden(report.exercises)
    lines += [_total(report, hidden, style), ""]
    if hidden is not None:
        lines += [*paragraph(hidden_sentence(hidden), style, indent=0), ""]
    lines += paragraph(isolation(report), style, indent=0, dim=True)
    lines += paragraph(next_step(report, hints), style, indent=0)
    return finished(lines, style)


def _total(report: Report, hidden: Hidden | None, style: Style) -> str:
    percent = share(report)
    if hidden is None:
        return header("Total", percent, report.points, report.max_points, style)
    secret, instead = hidden.max_points, "hidden"
    return header("Total", percent, report.points, report.max_points, style, hidden=secret, instead=instead)


def list_text(exercises: Sequence[ExerciseResult], quizzes: Sequence[QuizResult], style: Style) -> str:
    """Return a line for each exercise and quiz: its name, its title, and what it earned; then what is hidden."""
    hidden = all_hidden(exercises)
    told = ["", *paragraph(hidden_sentence(hidden), style, indent=0)] if hidden is not None else []
    return finished([*_table(exercises, quizzes, style), *told], style)


def _table(exercises: Sequence[ExerciseResult], quizzes: Sequence[QuizResult], style: Style) -> Iterator[str]:
    names = [exercise.id for exercise in exercises] + [f"quiz {quiz.id}" for quiz in quizzes]
    room = max(columns(style.clean(name)) for name in names)
    parts: list[ExerciseResult | QuizResult] = [*exercises, *quizzes]
    for name, part in zip(names, parts, strict=True):
        yield _header(name.ljust(room), part, style)


def _header(name: str, part: ExerciseResult | QuizResult, style: Style) -> str:
    secret = hidden_points([part]) if isinstance(part, ExerciseResult) else 0.0
    instead = not_counted(part)
    return header(name, part.title, part.points, part.max_points, style, hidden=secret, instead=instead)
