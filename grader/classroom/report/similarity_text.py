"""Similar solutions, as text and as a JSON document. Each rendering says that a pair is a lead, not a verdict."""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from grader.classroom.report.class_phrases import counted, moment
from grader.classroom.similarity import Block, Comparison, Excerpt, Pair, Side
from grader.report.json_report import valid
from grader.report.text_layout import BODY, Style, columns, cut, finished, paragraph, quoted

FORMAT = "convgrader/similar/1"
CAUTION = "A lead to look at, not a verdict"
ADVICE = (
    f"{CAUTION}: two people can write the same code by themselves, learn it from the same page, or get it from the "
    "same language model. Look at the lines, and ask both before you judge."
)
SCORE = (
    "The score is the share of a student's own code, in the shorter solution or in one function of it, that the other "
    "has too. Own code is what neither the course nor a third of the class has."
)
_SMALL_CLASS = 20
_MAX_PAIRS = 10
_MAX_SHORT_PAIRS = 20
_MAX_PAIRS_OF_REPORT = 6
_MAX_LINES = 10
_MAX_BLOCKS = 2
_MAX_NOT_COMPARED = 6
_WITHOUT_NAME = "somebody"


def small_class(students: int) -> str:
    """Return a warning for a small class; "" for another."""
    if students >= _SMALL_CLASS:
        return ""
    return f"In a class of {students} it is unclear which code is unusual: expect false leads."


# --- the sentences on a pair


def score(pair: Pair) -> str:
    """Return a score with two decimals, rounded down, so that only a full score reads 1.00."""
    return f"{int(pair.score * 100 + 1e-6) / 100:.2f}"


def name(side: Side) -> str:
    """Return the name of the author."""
    return f"{side.student} (outside the class)" if side.outside else side.student


def common(pair: Pair) -> str:
    """Return how much two solutions have in common, and how many others have it."""
    others = f"{counted(pair.others, 'other student')} {'has' if pair.others == 1 else 'have'}"
    if not pair.others:
        others = "no other student has"
    alone = {0: "none", pair.pieces: "all"}.get(pair.alone, str(pair.alone))
    most = f" Most alike: {' '.join(pair.function.replace('`', ' ').split())}." if pair.function else ""
    return (
        f"{counted(pair.pieces, 'piece')} of unusual code in common, {alone} of them unique to this pair; "
        f"{others} half of them.{most}"
    )


def handed_in(pair: Pair) -> str:
    """Return which attempts these are, and when they were handed in; "" where that is unknown."""
    parts = [
        f"by {side.student} {moment(side.submitted_at)} (attempt {side.number})"
        for side in (pair.first, pair.second)
        if side.submitted_at is not None
    ]
    return f"Handed in {', '.join(parts)}." if parts else ""


def wording(pair: Pair) -> str:
    """Return the words that only these two students have; "" where there are none."""
    return f"Also unique to this pair: {'; '.join(pair.wording)}." if pair.wording else ""


def where(excerpt: Excerpt) -> str:
    """Return the path and the line numbers of an excerpt."""
    lines = (
        f"line {excerpt.first}" if excerpt.first == excerpt.last else f"lines {excerpt.first}-{excerpt.last}"
    )
    return f"{excerpt.path}, {lines}"


def code(excerpt: Excerpt) -> list[str]:
    """Return the lines of an excerpt, without their common indent."""
    return (
        textwrap.dedent("\n".join(line.replace("\n", " ") for line in excerpt.text)).split("\n")
        if excerpt.text
        else []
    )


# --- as text


def similar_text(
    title: str,
    students: int,
    found: Sequence[Comparison],
    minimum: float,
    style: Style,
    *,
    show_all: bool = False,
) -> str:
    """Return the pairs, the highest score first: with `show_all` all, else ten with their most important lines."""
    pairs = sorted((pair for one in found for pair in one.pairs), key=lambda pair: -pair.score)
    total = sum(one.found for one in found)
    shown = pairs if show_all else pairs[:_MAX_PAIRS]
    lines = [_title(title, students, style), *paragraph(ADVICE, style, indent=0)]
    lines += [*paragraph(f"{SCORE} {small_class(students)}", style, indent=0)]
    if not pairs:
        names = ", ".join(one.exercise for one in found)
        text = f"No two solutions reach {minimum:g} ({names}). Lower it with `--minimum`."
        lines += ["", *paragraph(text, style, indent=0)]
    for pair in shown:
        lines += ["", *_pair(pair, style, show_all=show_all)]
    lines += _rest(pairs[len(shown) :], total - len(pairs), style)
    lines += _not_compared(found, style)
    return finished(lines, style)


def _title(title: str, students: int, style: Style) -> str:
    count = counted(students, "student")
    shown = cut(f"Similar solutions in {style.clean_line(title)}", style.width - len(count) - 2, style)
    return style.paint(shown, bold=True) + count.rjust(style.width - columns(shown))


def similar_lines(pairs: Sequence[Pair], style: Style) -> Iterator[str]:
    """Yield a few lines for the class report: the caution and the first pairs."""
    if not pairs:
        return
    text = f"{CAUTION}: `grade similar FILE.db` shows the lines, and how many others have them."
    yield from paragraph(text, style, indent=2)
    yield from (_pair_line(pair, style) for pair in pairs[:_MAX_PAIRS_OF_REPORT])
    if len(pairs) > _MAX_PAIRS_OF_REPORT:
        yield from paragraph(f"and {len(pairs) - _MAX_PAIRS_OF_REPORT} more.", style, indent=2, dim=True)


def _pair_line(pair: Pair, style: Style) -> str:
    """Return one line: score, exercise, and the two names, cut to the width."""
    start = f"  {score(pair)}  {cut(style.clean_line(pair.exercise), 16, style)}  "
    width = style.width - columns(start) - 5
    first = cut(style.clean_line(name(pair.first)), width // 2, style)
    second = cut(style.clean_line(name(pair.second)), width - columns(first), style)
    return f"{style.paint(start, 'cyan')}{style.paint(first, bold=True)} and {style.paint(second, bold=True)}"


def _pair(pair: Pair, style: Style, *, show_all: bool) -> Iterator[str]:
    yield _pair_line(pair, style)
    for text in (common(pair), wording(pair), handed_in(pair)):
        yield from paragraph(text, style)
    for block in pair.blocks if show_all else pair.blocks[:_MAX_BLOCKS]:
        yield from _block(pair, block, style, most=10**6 if show_all else _MAX_LINES)
    hidden = 0 if show_all else len(pair.blocks) - _MAX_BLOCKS
    if hidden > 0:
        yield from paragraph(f"{counted(hidden, 'more place')}: `--all` shows everything.", style, dim=True)


def _block(pair: Pair, block: Block, style: Style, most: int) -> Iterator[str]:
    for side, excerpt in ((pair.first, block.first), (pair.second, block.second)):
        text = code(excerpt)[:most]
        left = excerpt.last - excerpt.first + 1 - len(text)
        cut_off = f", of which the first {len(text)}" if text and left > 0 else ""
        yield from paragraph(f"{side.student}: {where(excerpt)}{cut_off}", style, color="cyan")
        yield from quoted((style.clean(line) for line in text), style, indent=BODY)


def _rest(pairs: Sequence[Pair], not_listed: int, style: Style) -> Iterator[str]:
    if pairs:
        yield ""
        yield from paragraph("More pairs, in short; `--all` shows them like the others:", style, indent=0)
        yield from (_pair_line(pair, style) for pair in pairs[:_MAX_SHORT_PAIRS])
        not_listed += max(0, len(pairs) - _MAX_SHORT_PAIRS)
    if not_listed:
        yield from paragraph(f"And {counted(not_listed, 'pair')} less alike.", style, indent=2, dim=True)


def _not_compared(found: Sequence[Comparison], style: Style) -> Iterator[str]:
    unread = [one for comparison in found for one in comparison.unread]
    if not unread:
        return
    yield ""
    yield from paragraph("Not compared:", style, indent=0)
    for one in unread[:_MAX_NOT_COMPARED]:
        attempt = f", attempt {one.number}" if one.number else ""
        yield from paragraph(f"{one.student}{attempt}, {one.exercise}: {one.reason}.", style, indent=2)
    if len(unread) > _MAX_NOT_COMPARED:
        yield from paragraph(f"and {len(unread) - _MAX_NOT_COMPARED} more.", style, indent=2)


# --- as a document


def similar_json(title: str, found: Sequence[Comparison], minimum: float) -> str:
    """Return the comparisons as JSON text: ASCII only, keys named as the fields of the records."""
    document = {
        "format": FORMAT,
        "note": f"{CAUTION}.",
        "title": title,
        "minimum": minimum,
        "exercises": msgspec.to_builtins(list(found)),
    }
    return json.dumps(valid(document), indent=1, allow_nan=False)


def unnamed(found: Sequence[Comparison], names: Mapping[str, str]) -> list[Comparison]:
    """Return comparisons with pseudonyms, and without what could identify a student: code, words, hand-in times."""
    return [
        replace(
            one,
            pairs=tuple(_unnamed(pair, names) for pair in one.pairs),
            unread=tuple(
                replace(unread, student=names.get(unread.student, _WITHOUT_NAME)) for unread in one.unread
            ),
        )
        for one in found
    ]


def _unnamed(pair: Pair, names: Mapping[str, str]) -> Pair:
    first, second = (
        replace(side, student=_WITHOUT_NAME if side.outside else names[side.student], submitted_at=None)
        for side in (pair.first, pair.second)
    )
    return replace(pair, first=first, second=second, wording=(), blocks=())
