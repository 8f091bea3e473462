"""Quiz items as text: a line for each quiz and the items with remarks, or every item of some quizzes."""

from collections.abc import Collection, Iterator, Sequence

from grader.classroom.report.class_phrases import count_of, counted, percent
from grader.classroom.report.item_remarks import (
    VOID,
    between,
    cautions,
    figure,
    option_figures,
    percent_between,
    reliability,
    remarks,
    severity,
    value,
    variants,
    wrong_response,
)
from grader.classroom.statistics import ItemSummary, OptionSummary, QuizSummary, WrongResponse
from grader.report.text_layout import BODY, Style, columns, cut, paragraph

_REMARKED = 8
_FIGURES = (6, 7, 13, 7, 7, 15)  # columns: omitted, credit, its interval, D27, r, its interval


def overview(quizzes: Sequence[QuizSummary], style: Style) -> Iterator[str]:
    """Yield a line for each quiz, then the items with the most serious remarks."""
    yield _heads(f"{'students':>9}{'mean':>7}{'alpha':>8}{'95 %':>15}{'+/-':>6}", style)
    for quiz in quizzes:
        mean = quiz.scores.mean if quiz.scores else None
        error = "n/a" if quiz.error is None else f"{quiz.error * 100:.0f} %"
        right = (
            f"{quiz.students:>9}{percent(mean):>7}{figure(value(quiz.alpha)):>8}"
            f"{between(quiz.alpha):>15}{error:>6}"
        )
        yield from _row(quiz.id, right, style)
    yield ""
    for text in dict.fromkeys(text for quiz in quizzes for text in cautions(quiz)):
        yield from paragraph(text, style, indent=2, dim=True)
    yield from _remarked(quizzes, style)


def _remarked(quizzes: Sequence[QuizSummary], style: Style) -> Iterator[str]:
    found = [(quiz, item) for quiz in quizzes for item in quiz.items if remarks(item)]
    found.sort(key=lambda pair: (severity(pair[1]), value(pair[1].rest) or 0.0))
    for quiz, item in found[:_REMARKED]:
        yield ""
        yield from _item(item, f"{quiz.id}  ", style, in_full=False)
    more = len(found) - _REMARKED
    lead = f"{counted(more, 'more item')} with remarks. " if more > 0 else ""
    yield ""
    named = found[0][0] if found else quizzes[0]
    text = (
        f"{lead}`--quiz {named.id}` shows every item of that quiz, and so does the page of `--format html`."
    )
    yield from paragraph(text, style, indent=2, dim=True)


def in_full(quizzes: Sequence[QuizSummary], style: Style) -> Iterator[str]:
    """Yield every item of these quizzes: its figures, its options, and frequent wrong responses."""
    for n, quiz in enumerate(quizzes):
        if n:
            yield ""
        yield from _quiz(quiz, style)


def _quiz(quiz: QuizSummary, style: Style) -> Iterator[str]:
    count = counted(quiz.students, "student")
    name = cut(style.clean_line(f"{quiz.id}: {quiz.title}"), style.width - len(count) - 4, style)
    yield f"  {style.paint(name, bold=True)}{count.rjust(style.width - columns(name) - 2)}"
    for text in (reliability(quiz), *cautions(quiz)):
        yield from paragraph(text, style, indent=2)
    yield ""
    heads = ("left", "credit", "95 %", "D27", "r", "95 %")
    yield _heads("".join(f"{head:>{width}}" for head, width in zip(heads, _FIGURES, strict=True)), style)
    for item in quiz.items:
        yield from _row(item.id, _figures(item), style)
    for item in quiz.items:
        if item.options or item.wrong or remarks(item) or variants(item):
            yield ""
            yield from _item(item, "", style, in_full=True)


def _figures(item: ItemSummary) -> str:
    if item.void:
        return VOID[item.void].rjust(sum(_FIGURES))
    shown = (
        percent(item.omitted.value),
        percent(value(item.difficulty)),
        percent_between(item.difficulty),
        figure(item.discrimination),
        figure(value(item.rest)),
        between(item.rest),
    )
    return "".join(f"{text:>{width}}" for text, width in zip(shown, _FIGURES, strict=True))


def _heads(text: str, style: Style) -> str:
    return style.paint(text.rjust(style.width), dim=True)


def _row(name: str, right: str, style: Style) -> Iterator[str]:
    """Yield a name and its figures, in two lines where they do not fit in one."""
    width = style.width - len(right) - 2
    shown = cut(style.clean_line(name), style.width - 2, style)
    if columns(shown) <= width:
        yield f"  {shown}{' ' * (width - columns(shown))}{right}"
    else:
        yield f"  {shown}"
        yield cut(right.rjust(style.width), style.width, style)


# --- one item


def _item(item: ItemSummary, quiz: str, style: Style, *, in_full: bool) -> Iterator[str]:
    right = "" if in_full else f"  credit {percent(value(item.difficulty))}"
    name = cut(style.clean_line(f"{quiz}{item.id}"), style.width - len(right) - 2, style)
    yield f"  {style.paint(name, 'cyan')}{right.rjust(style.width - columns(name) - 2)}"
    for text in remarks(item):
        yield from paragraph(text, style, color="yellow")
    if in_full and variants(item):
        yield from paragraph(variants(item), style)
    yield from _options(item.options, style)
    for found in item.wrong:
        yield _wrong(found, style)


def _options(options: Sequence[OptionSummary], style: Style) -> Iterator[str]:
    if options:
        yield style.paint(f"{'chosen':>22}{'weak':>7}{'strong':>8}{'r':>7}", dim=True)
    for option in options:
        chosen, weak, strong, r = option_figures(option)
        name = cut(style.clean_line(option.id), 6, style)
        right = "right" if option.correct else ""
        line = f"{'':4}{name}{' ' * (6 - columns(name))} {right:<5}{chosen:>6}{weak:>7}{strong:>8}{r:>7}  "
        yield cut(line + style.clean_line(option.text), style.width, style)


def _wrong(found: WrongResponse, style: Style) -> str:
    text, misconceptions = wrong_response(found)
    shown = style.clean_line(f"{text}  ({misconceptions})" if misconceptions else text)
    count = f"{count_of(found.given)} wrote"
    if not found.text:
        shown, count = style.clean_line(misconceptions), f"{count_of(found.given)} show"
    return f"{' ' * BODY}{count:>17}  {cut(shown, style.width - BODY - 19, style)}"


def chosen(quizzes: Sequence[QuizSummary], names: Collection[str]) -> list[QuizSummary]:
    """Return the quizzes of these ids, or all."""
    return [quiz for quiz in quizzes if not names or quiz.id in names]
