"""A report as text: what a student reads at midnight. Pure functions; nothing here prints.

Lines never exceed the width of the style. The first failure of an exercise is told in full, every further
one in a line: one thing to mend at a time.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import click

from grader.model import (
    CheckResult,
    Counterexample,
    ExerciseResult,
    Frame,
    ItemResult,
    Outcome,
    QuizResult,
    Report,
)
from grader.safetext import one_line, printable

_BAR = 12
_MAX_VALUE_LINES = 14
_MAX_OUTPUT_LINES = 12
_ENDED = {Outcome.TIME_LIMIT, Outcome.MEMORY_LIMIT, Outcome.OUTPUT_LIMIT, Outcome.CRASHED, Outcome.TAMPERING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How text is set: its width in columns, whether it may use colour, and whether it may leave ASCII."""

    width: int = 80
    colour: bool = False
    unicode: bool = True

    def paint(self, text: str, colour: str, *, bold: bool = False) -> str:
        """Return `text` in a colour, where there is colour."""
        return click.style(text, fg=colour, bold=bold) if self.colour else text

    def pick(self, fancy: str, plain: str) -> str:
        """Return the one of two spellings that this style may use."""
        return fancy if self.unicode else plain


def to_text(report: Report, style: Style) -> str:
    """Return the whole report."""
    blocks = [exercise_text(exercise, style) for exercise in report.exercises]
    blocks += [quizzes_text(report.quizzes, style), summary_text(report, style)]
    return "\n".join(block for block in blocks if block)


def exercise_text(result: ExerciseResult, style: Style) -> str:
    """Return the block of one exercise, ending with a blank line."""
    lines = [_header(f"{result.id} {style.pick('·', '-')} {result.title}", result.points, result.max_points, style)]
    if not result.checks:
        lines += _whole(result, style)
    elif result.outcome is Outcome.NOT_ATTEMPTED:
        lines += _wrapped(f"Not attempted yet. Open exercises/{result.id}.py and start with the first function.", 2, style)
    else:
        lines += _checks(result, style)
    lines += _output(result.output, style)
    return _finished([*lines, ""], style)


def _header(name: str, points: float, max_points: float, style: Style) -> str:
    amount = f"{points:g}/{max_points:g}".rjust(7)
    room = style.width - _BAR - len(amount) - 2
    name = one_line(name, limit=300)
    name = name if len(name) <= room else name[: room - 1] + style.pick("…", "~")
    full = max_points > 0 and points >= max_points
    colour = "green" if full else "yellow" if points else "red"
    bar = style.paint(_bar(points, max_points, style), colour)
    return f"{style.paint(name.ljust(room), 'white', bold=True)} {bar} {amount}"


def _bar(points: float, max_points: float, style: Style) -> str:
    filled = int(_BAR * points / max_points) if max_points else 0
    return style.pick("█", "#") * filled + style.pick("░", "-") * (_BAR - filled)


def _whole(result: ExerciseResult, style: Style) -> Iterator[str]:
    """Tell why no check could run."""
    if result.outcome is Outcome.NOT_ATTEMPTED:
        yield from _wrapped(result.message, 2, style)
        return
    yield from _marked(style, "red", result.message)
    yield from _frames(result.traceback, style)


def _checks(result: ExerciseResult, style: Style) -> Iterator[str]:
    passed = [check for check in result.checks if check.outcome is Outcome.PASSED]
    failing = [check for check in result.checks if check.outcome not in (Outcome.PASSED, Outcome.SKIPPED)]
    skipped = [check for check in result.checks if check.outcome is Outcome.SKIPPED]
    told = next((check for check in failing if check.outcome is not Outcome.NOT_ATTEMPTED), None)
    if told is None and failing:
        told = failing[0]
    if told is not None:
        yield from _told(result.id, told, style)
    for check in failing:
        if check is not told:
            yield _one_line(check, _brief(check), style, "red")
    for check in skipped:
        yield _one_line(check, check.rationale, style, "yellow")
    if passed:
        mark = style.paint(style.pick("✓", "ok"), "green")
        count = f"{len(passed)} of {len(result.checks)} checks pass" if failing else f"All {len(passed)} checks pass"
        yield f"  {mark} {count}."


def _told(exercise: str, check: CheckResult, style: Style) -> Iterator[str]:
    """Tell one failing check in full."""
    yield ""
    yield _titled(check, style)
    yield from _wrapped(check.rationale, 4, style)
    if check.counterexample is not None:
        yield from _example(check.counterexample, style)
    yield from _frames(check.traceback, style)
    if check.diagnosis is not None:
        yield ""
        yield from _wrapped(f"A known mistake gives just these results ({check.diagnosis.mistake}).", 4, style)
        yield from _wrapped(check.diagnosis.message, 4, style, colour="cyan")
    yield ""
    yield from _wrapped(f"Next: {_advice(exercise, check)}", 4, style)
    yield ""


def _titled(check: CheckResult, style: Style) -> str:
    amount = f"{check.points:g}/{check.max_points:g}".rjust(5)
    mark = style.pick("✗", "x")
    room = style.width - len(amount) - len(mark) - 4
    title = check.title if len(check.title) <= room else check.title[: room - 1] + style.pick("…", "~")
    return f"  {style.paint(mark, 'red')} {style.paint(title.ljust(room), 'white', bold=True)} {amount}"


def _advice(exercise: str, check: CheckResult) -> str:
    if check.outcome is Outcome.NOT_ATTEMPTED:
        return f"open exercises/{exercise}.py and write it; `grade hint {exercise}` gives a nudge."
    if check.outcome is Outcome.TIME_LIMIT:
        return "look for a loop that never ends for this input, or that walks over every element in Python."
    if check.outcome in _ENDED:
        return f"mend this first: nothing else that needs it can be graded. `grade hint {exercise}` gives a nudge."
    if check.outcome is Outcome.INTERNAL_ERROR:
        return "tell your instructor; this is no fault of yours, and takes no points."
    if check.outcome is Outcome.RAISED:
        return f"run this call yourself and read the traceback; `grade hint {exercise}` gives a nudge."
    return f"work this one input out by hand, then `grade hint {exercise}` if you are stuck."


def _example(example: Counterexample, style: Style) -> Iterator[str]:
    rows = [("call", example.call)]
    rows += [(argument.name, argument.value) for argument in example.arguments]
    rows += [("expected", example.expected), ("got", example.got), ("where", example.where)]
    rows = [(name, value) for name, value in rows if value]
    if len(rows) == 1 and not example.arguments and not example.expected:
        return
    yield ""
    if example.smallest:
        yield from _wrapped("The smallest input found that shows it:", 4, style)
    indent = 6
    label = min(max(len(name) for name, _ in rows), 14)
    for name, value in rows:
        first = f"{one_line(name, limit=label):<{label}}  "
        yield from _value(value, " " * indent + first, style, wraps=name in ("call", "where"))


def _value(value: str, first: str, style: Style, *, wraps: bool) -> Iterator[str]:
    """Set a value beside its label: lines of a tensor keep their columns, sentences are wrapped."""
    room = style.width - len(first)
    if wraps:
        lines = textwrap.wrap(one_line(value, limit=600), room) or [""]
    else:
        lines = [line.expandtabs() for line in printable(value).split("\n")]
    if len(lines) > _MAX_VALUE_LINES:
        lines = [*lines[: _MAX_VALUE_LINES - 1], f"({len(lines) - _MAX_VALUE_LINES + 1} more lines)"]
    for n, line in enumerate(lines):
        cut = line if len(line) <= room else line[: room - 1] + style.pick("…", "~")
        yield ((first if n == 0 else " " * len(first)) + cut).rstrip()


def _frames(frames: Sequence[Frame], style: Style) -> Iterator[str]:
    """Show the student's own lines of a traceback, outermost first."""
    if frames:
        yield ""
    for frame in frames[-6:]:
        place = f"{frame.path}:{frame.line}" + (f" in {frame.function}" if frame.function else "")
        yield from _wrapped(one_line(place, limit=300), 6, style)
        if frame.text:
            yield from _value(frame.text.strip(), " " * 10, style, wraps=False)


def _brief(check: CheckResult) -> str:
    return check.diagnosis.message if check.diagnosis else check.rationale


def _one_line(check: CheckResult, text: str, style: Style, colour: str) -> str:
    """Return a check as one line: mark, title, points, and as much of the reason as fits."""
    skipped = check.outcome is Outcome.SKIPPED
    mark = style.pick("–", "-") if skipped else style.pick("✗", "x")
    amount = f"{check.points:g}/{check.max_points:g}".rjust(5)
    room = style.width - len(amount) - len(mark) - 4
    title = one_line(check.title, limit=room)
    reason = one_line(text, limit=400)
    space = room - len(title) - 3
    if space >= 12 and reason:
        reason = reason if len(reason) <= space else reason[: space - 1] + style.pick("…", "~")
        shown = f"{title}{style.pick(' · ', ' - ')}{reason}"
    else:
        shown = title
    return f"  {style.paint(mark, colour)} {shown[:room].ljust(room)} {amount}"


def _output(output: str, style: Style) -> Iterator[str]:
    """Quote what the student's code printed; the bar before each line keeps it from being taken for ours."""
    if not output.strip():
        return
    lines = printable(output).expandtabs().rstrip("\n").split("\n")
    yield ""
    yield "  Your code printed:"
    bar = style.pick("│", "|")
    room = style.width - 6
    for line in lines[:_MAX_OUTPUT_LINES]:
        yield f"    {bar} {line if len(line) <= room else line[: room - 1] + style.pick('…', '~')}".rstrip()
    if len(lines) > _MAX_OUTPUT_LINES:
        yield f"    {bar} ({len(lines) - _MAX_OUTPUT_LINES} more lines)"


# --- quizzes


def quizzes_text(quizzes: Sequence[QuizResult], style: Style) -> str:
    """Return the block of all quizzes, ending with a blank line; nothing where there are none."""
    if not quizzes:
        return ""
    lines = [line for quiz in quizzes for line in _quiz(quiz, style)]
    return _finished([*lines, ""], style)


def _quiz(quiz: QuizResult, style: Style) -> Iterator[str]:
    yield _header(f"quiz {quiz.id} {style.pick('·', '-')} {quiz.title}", quiz.points, quiz.max_points, style)
    for problem in quiz.problems:
        yield from _marked(style, "red", problem)
    open_items = [item for item in quiz.items if not item.answered]
    for item in quiz.items:
        if item.answered and item.points < item.max_points:
            yield from _item(item, style)
    if len(open_items) == len(quiz.items) and not quiz.problems:
        yield from _wrapped(f"Not answered yet: `grade quiz {quiz.id}`.", 2, style)
    elif open_items:
        names = ", ".join(item.id for item in open_items)
        yield from _wrapped(f"{len(open_items)} not answered yet: {names}.", 2, style)


def _item(item: ItemResult, style: Style) -> Iterator[str]:
    question = next((line for line in item.prompt.split("\n") if line.strip()), item.id)
    amount = f"{item.points:g}/{item.max_points:g}"
    yield from _marked(style, "red" if not item.points else "yellow", f"{item.id} ({amount}): {question}")
    yield from _wrapped(f"You answered: {item.response}", 4, style)
    for feedback in item.feedback:
        yield from _wrapped(feedback, 4, style, colour="cyan")


# --- the end


def summary_text(report: Report, style: Style) -> str:
    """Return the total, the isolation level, and what to do next."""
    lines = [style.pick("─", "-") * style.width]
    if len(report.exercises) + len(report.quizzes) > 1:
        lines += [_header(e.id, e.points, e.max_points, style) for e in report.exercises]
        lines += [_header(f"quiz {q.id}", q.points, q.max_points, style) for q in report.quizzes]
        lines.append("")
    lines.append(_header("Total", report.points, report.max_points, style))
    lines += _wrapped(_isolation(report), 0, style, colour="bright_black")
    if voided := [e.id for e in report.exercises if e.outcome is Outcome.INTERNAL_ERROR]:
        text = f"Not counted, through a fault of the grader's: {', '.join(voided)}. Please grade again."
        lines += _wrapped(text, 0, style, colour="red")
    lines += _wrapped(_next(report), 0, style)
    return _finished(lines, style)


def _isolation(report: Report) -> str:
    level = report.isolation.level
    words = {
        3: "locked in (Landlock, seccomp, namespaces)",
        2: "locked in (Landlock, seccomp)",
        1: "partly locked in (seccomp)",
        0: "in a process of its own, not locked in",
    }
    return f"Isolation level {level}: your code ran {words.get(level, '')}. Seed {report.seed}."


def _next(report: Report) -> str:
    if report.max_points and report.points >= report.max_points:
        return "Everything passes. Well done."
    started = [e for e in report.exercises if 0 < e.points < e.max_points]
    fresh = [e for e in report.exercises if e.points < e.max_points]
    if started or fresh:
        chosen = (started or fresh)[0].id
        return f"Next: `grade {chosen}` after your next change, `grade hint {chosen}` for a nudge."
    open_quiz = next((q.id for q in report.quizzes if q.points < q.max_points), "")
    return f"Next: `grade quiz {open_quiz}`."


# --- lines


def _marked(style: Style, colour: str, text: str) -> Iterator[str]:
    mark = style.pick("✗", "x")
    first, *rest = list(_wrapped(text, 4, style)) or [""]
    yield f"  {style.paint(mark, colour)} {first[4:]}"
    yield from rest


def _wrapped(text: str, indent: int, style: Style, *, colour: str | None = None) -> Iterator[str]:
    lines = textwrap.wrap(one_line(text, limit=1200), style.width - indent, break_on_hyphens=False)
    for line in lines:
        yield " " * indent + (style.paint(line, colour) if colour else line)


def _finished(lines: Iterable[str], style: Style) -> str:
    """Join lines; keep CI from taking any for a command, and non-ASCII away where it must not be."""
    text = "\n".join(_no_command(line.rstrip()) for line in lines)
    return text if style.unicode else text.encode("ascii", "replace").decode("ascii")


def _no_command(line: str) -> str:
    """Break GitHub's and Azure's log commands, which may stand after white space: `::error::`, `##[error]`."""
    stripped = line.lstrip()
    if stripped.startswith(("::", "##[")):
        return line[: len(line) - len(stripped)] + stripped.replace("::", ": :", 1).replace("##[", "# #[", 1)
    return line
