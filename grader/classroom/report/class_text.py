"""The class report as text, for an instructor's terminal. Pure functions."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from grader.classroom.report.class_phrases import (
    Notice,
    count_of,
    counted,
    hand_in_sentences,
    lecture_note,
    misconception,
    notices,
    percent,
    places,
    rule,
    spread_sentence,
)
from grader.classroom.report.item_lines import chosen, in_full, overview
from grader.classroom.report.similarity_text import similar_lines
from grader.classroom.statistics import CheckSummary, ClassSummary, ExerciseSummary, MistakeSummary
from grader.report.text_layout import BAR, BODY, Style, bar, columns, cut, finished, paragraph, wrap

_HARDEST = 10
_MISTAKES = 8
_MISCONCEPTIONS = 6
_MAX_LINES = 8
_MAX_WRAPPED = 3
_MAX_LABEL = 15
_SHARE = 10  # columns of "123 of 456"
_PERCENT = 6


def to_text(
    summary: ClassSummary, style: Style, *, show_all: bool = False, quizzes: Collection[str] = ()
) -> str:
    """Return the report: the hardest checks and most frequent mistakes, or with `show_all` all of them.

    With `quizzes`, return only these quizzes, with every item.
    """
    if quizzes:
        found = chosen(summary.quizzes, quizzes)
        return finished([_title(summary, style), "", *in_full(found, style)], style)
    sections = [
        ("Scores", _scores(summary, style)),
        ("Exercises", _exercises(summary.exercises, style)),
        _checks(summary, style, show_all),
        ("What the code gets wrong", _mistakes(summary, style, show_all)),
        ("What the answers get wrong", _misconceptions(summary, style, show_all)),
        ("Quiz items", _items(summary, style, show_all)),
        ("Hand-ins", _hand_ins(summary, style)),
        ("Needs attention", _notices(notices(summary), style)),
        ("Similar solutions", similar_lines(summary.similar, style)),
    ]
    lines = [_title(summary, style), *paragraph(rule(summary), style, indent=0)]
    for title, body in sections:
        shown = list(body)
        if shown:
            lines += ["", style.paint(title, bold=True), *shown]
    return finished(lines, style)


def _title(summary: ClassSummary, style: Style) -> str:
    count = counted(len(summary.students), "student")
    name = cut(f"Class {style.clean_line(summary.title)}", style.width - len(count) - 2, style)
    return style.paint(name, bold=True) + count.rjust(style.width - columns(name))


def _scores(summary: ClassSummary, style: Style) -> Iterator[str]:
    yield from paragraph(spread_sentence(summary.scores), style, indent=2)
    yield ""
    most = max(part.count for part in summary.histogram)
    width = style.width - 24
    for part in summary.histogram:
        label = f"{part.low * 100:.0f} to {part.high * 100:.0f} %"
        length = -(-part.count * width // most)
        drawn = style.paint(style.pick("█", "#") * length, "cyan")
        yield f"  {label:>11}  {drawn}{' ' if length else ''}{part.count or ''}"


# --- exercises


def _exercises(exercises: Sequence[ExerciseSummary], style: Style) -> Iterator[str]:
    heads = f"{'mean':>{BAR + _PERCENT}}  {'full marks':>{_SHARE}}  {'not written':>{_SHARE + 1}}"
    yield style.paint(" " * (style.width - len(heads)) + heads, dim=True)
    for exercise in exercises:
        mean = exercise.scores.mean if exercise.scores else None
        right = (
            f"{bar(mean or 0.0, 1.0, style)}{percent(mean):>{_PERCENT}}  {count_of(exercise.full):>{_SHARE}}  "
            f"{count_of(exercise.not_attempted) if exercise.not_attempted.count else '':>{_SHARE + 1}}"
        )
        width = style.width - len(heads) - 4
        name = cut(style.clean_line(exercise.id), width, style)
        yield f"  {name}{' ' * (width - columns(name))}  {right}"
    unknown = [
        f"{exercise.id} {exercise.unexplained.count}" for exercise in exercises if exercise.unexplained.count
    ]
    if unknown:
        text = f"Students with mistakes that the course does not list: {', '.join(unknown)}."
        yield from ("", *paragraph(text, style, indent=2))


def _checks(summary: ClassSummary, style: Style, show_all: bool) -> tuple[str, Iterator[str]]:
    found = [(exercise, check) for exercise in summary.exercises for check in exercise.checks]
    if show_all:
        return "Checks", _by_exercise(summary.exercises, style)
    hardest = sorted(found, key=lambda pair: pair[1].passed.value or 0.0)[:_HARDEST]
    hardest = [pair for pair in hardest if pair[1].passed.count < pair[1].passed.of]
    return "The hardest checks", (_check(check, exercise.id, style) for exercise, check in hardest)


def _by_exercise(exercises: Iterable[ExerciseSummary], style: Style) -> Iterator[str]:
    for exercise in exercises:
        yield from paragraph(f"{exercise.id}: {exercise.title}", style, indent=2)
        for check in exercise.checks:
            yield _check(check, "", style)


def _check(check: CheckSummary, exercise: str, style: Style) -> str:
    share = f"{percent(check.passed.value):>{_PERCENT}}  {count_of(check.passed):>{_SHARE}}"
    text = style.clean_line(f"{exercise}: {check.title}" if exercise else check.title)
    return f"  {share}  {cut(text, style.width - len(share) - 4, style)}"


# --- mistakes and misconceptions


def _mistakes(summary: ClassSummary, style: Style, show_all: bool) -> Iterator[str]:
    shown = summary.mistakes if show_all else summary.mistakes[:_MISTAKES]
    for n, mistake in enumerate(shown):
        if n:
            yield ""
        yield from _mistake(mistake, style)
    yield from _more(len(summary.mistakes) - len(shown), "known mistake", style)


def _mistake(mistake: MistakeSummary, style: Style) -> Iterator[str]:
    yield _head(f"{mistake.exercise}  {mistake.id}", count_of(mistake.made), style)
    note = lecture_note(mistake)
    call = f" Try it on `{note.call}`:" if note.call else ""
    yield from paragraph(note.text + call, style, indent=BODY)
    names = [cut(style.clean_line(name), _MAX_LABEL, style) for name, _ in note.rows]
    label_width = max(map(columns, names), default=0) + 2
    for name, (_, value) in zip(names, note.rows, strict=True):
        for k, line in enumerate(_value(value, style.width - BODY - 2 - label_width, style)):
            label = "" if k else name
            yield f"{' ' * (BODY + 2)}{label}{' ' * (label_width - columns(label))}{line}"


def _value(value: str, width: int, style: Style) -> list[str]:
    """Return a value in few lines: several lines keep their columns, one is wrapped."""
    several = "\n" in value
    lines = (
        [cut(line, width, style) for line in style.clean(value).split("\n")]
        if several
        else wrap(value, width, style)
    )
    most = _MAX_LINES if several else _MAX_WRAPPED
    return [*lines[: most - 1], "(and more)"] if len(lines) > most else lines


def _head(text: str, right: str, style: Style) -> str:
    shown = cut(style.clean_line(text), style.width - len(right) - 4, style)
    return f"  {style.paint(shown, 'cyan')}{right.rjust(style.width - columns(shown) - 2)}"


def _misconceptions(summary: ClassSummary, style: Style, show_all: bool) -> Iterator[str]:
    shown = summary.misconceptions if show_all else summary.misconceptions[:_MISCONCEPTIONS]
    for found in shown:
        yield _head(f"{found.id}  {style.pick('·', '-')}  {places(found)}", count_of(found.made), style)
        yield from paragraph(misconception(found, summary.mistakes), style, indent=BODY)
    yield from _more(len(summary.misconceptions) - len(shown), "misconception", style)


def _more(count: int, noun: str, style: Style) -> Iterator[str]:
    if count > 0:
        yield ""
        text = f"{counted(count, f'more {noun}')}: `--all` shows everything, and so does the page of `--format html`."
        yield from paragraph(text, style, indent=2, dim=True)


def _items(summary: ClassSummary, style: Style, show_all: bool) -> Iterator[str]:
    if summary.quizzes:
        yield from (in_full if show_all else overview)(summary.quizzes, style)


# --- the rest


def _hand_ins(summary: ClassSummary, style: Style) -> Iterator[str]:
    for sentence in hand_in_sentences(summary):
        yield from paragraph(sentence, style, indent=2)


def _notices(found: Sequence[Notice], style: Style) -> Iterator[str]:
    for notice in found:
        yield from paragraph(f"{notice.text}:", style, indent=2)
        for name in notice.names:
            for line in wrap(name, style.width - BODY, style)[:1]:
                yield " " * BODY + line
