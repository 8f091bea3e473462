"""Solutions that are alike, as text and as a JSON document. Every rendering says that it is a lead, not a verdict."""

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
    f"{CAUTION}: two people can write the same code by themselves, learn it from the same page, or be told it by the "
    "same machine. Look at the lines, and ask both before you judge."
)
SCORE = (
    "The score is the share of own code, of the shorter solution or of one function in it, that the other has too. "
    "Own is what neither the course nor a third of the class has."
)
_SMALL = 20
_PAIRS = 10
_IN_SHORT = 6
_LINES = 10
_BLOCKS = 2
_UNREAD = 6
_SOMEBODY = "somebody"


def small_class(students: int) -> str:
    """Say what a comparison is worth in a small class; "" in another."""
    if students >= _SMALL:
        return ""
    return f"In a class of {students} nobody can tell what is unusual: expect false leads."


# --- what is said of a pair


def score(pair: Pair) -> str:
    """Return a score with two decimals, cut rather than rounded up."""
    return f"{int(pair.score * 100 + 1e-6) / 100:.2f}"


def name(side: Side) -> str:
    """Name whose solution it is."""
    return f"{side.student} (outside the class)" if side.outside else side.student


def common(pair: Pair) -> str:
    """Say what two solutions have in common, and how many others have it."""
    others = f"{counted(pair.others, 'other student')} {'has' if pair.others == 1 else 'have'}"
    if not pair.others:
        others = "no other student has"
    alone = {0: "none", pair.pieces: "all"}.get(pair.alone, str(pair.alone))
    most = f" Most alike: {' '.join(pair.function.replace('`', ' ').split())}." if pair.function else ""
    return (
        f"{counted(pair.pieces, 'piece')} of unusual code in common, {alone} of them in nobody else's work; "
        f"{others} half of it.{most}"
    )


def handed_in(pair: Pair) -> str:
    """Say which attempts these are, and when they were handed in; "" where nobody knows."""
    told = [
        f"by {side.student} {moment(side.submitted_at)} (attempt {side.number})"
        for side in (pair.first, pair.second)
        if side.submitted_at is not None
    ]
    return f"Handed in {', '.join(told)}." if told else ""


def wording(pair: Pair) -> str:
    """Say which words these two alone have."""
    return f"Also in nobody else's work: {'; '.join(pair.wording)}." if pair.wording else ""


def where(excerpt: Excerpt) -> str:
    """Name the lines of an excerpt."""
    lines = (
        f"line {excerpt.first}" if excerpt.first == excerpt.last else f"lines {excerpt.first}-{excerpt.last}"
    )
    return f"{excerpt.path}, {lines}"


def code(excerpt: Excerpt) -> list[str]:
    """Return the lines of an excerpt, without the indent that all of them have."""
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
    all_of_it: bool = False,
) -> str:
    """Return the pairs, the most alike first: all, or the first ten with the most telling lines of each."""
    pairs = sorted((pair for one in found for pair in one.pairs), key=lambda pair: -pair.score)
    total = sum(one.found for one in found)
    shown = pairs if all_of_it else pairs[:_PAIRS]
    lines = [_title(title, students, style), *paragraph(ADVICE, style, indent=0)]
    lines += [*paragraph(f"{SCORE} {small_class(students)}", style, indent=0)]
    if not pairs:
        names = ", ".join(one.exercise for one in found)
        told = f"No two solutions reach {minimum:g} ({names}). `--minimum` looks lower."
        lines += ["", *paragraph(told, style, indent=0)]
    for pair in shown:
        lines += ["", *_pair(pair, style, all_of_it=all_of_it)]
    lines += _rest(pairs[len(shown) :], total - len(pairs), style)
    lines += _unread(found, style)
    return finished(lines, style)


def _title(title: str, students: int, style: Style) -> str:
    count = counted(students, "student")
    shown = cut(f"Similar solutions in {style.clean_line(title)}", style.width - len(count) - 2, style)
    return style.paint(shown, bold=True) + count.rjust(style.width - columns(shown))


def similar_lines(pairs: Sequence[Pair], style: Style) -> Iterator[str]:
    """Say in a few lines that there are pairs."""
    if not pairs:
        return
    told = f"{CAUTION}: `grade similar FILE.db` shows the lines, and who else has them."
    yield from paragraph(told, style, indent=2)
    yield from (head(pair, style) for pair in pairs[:_IN_SHORT])
    if len(pairs) > _IN_SHORT:
        yield from paragraph(f"and {len(pairs) - _IN_SHORT} more.", style, indent=2, dim=True)


def head(pair: Pair, style: Style) -> str:
    """Return one line: score, exercise, and the two names, each with as much room as there is."""
    start = f"  {score(pair)}  {cut(style.clean_line(pair.exercise), 16, style)}  "
    room = style.width - columns(start) - 5
    first = cut(style.clean_line(name(pair.first)), room // 2, style)
    second = cut(style.clean_line(name(pair.second)), room - columns(first), style)
    return f"{style.paint(start, 'cyan')}{style.paint(first, bold=True)} and {style.paint(second, bold=True)}"


def _pair(pair: Pair, style: Style, *, all_of_it: bool) -> Iterator[str]:
    yield head(pair, style)
    for told in (common(pair), wording(pair), handed_in(pair)):
        yield from paragraph(told, style)
    for block in pair.blocks if all_of_it else pair.blocks[:_BLOCKS]:
        yield from _block(pair, block, style, most=10**6 if all_of_it else _LINES)
    hidden = 0 if all_of_it else len(pair.blocks) - _BLOCKS
    if hidden > 0:
        yield from paragraph(f"{counted(hidden, 'more place')}: `--all` shows everything.", style, dim=True)


def _block(pair: Pair, block: Block, style: Style, most: int) -> Iterator[str]:
    for side, excerpt in ((pair.first, block.first), (pair.second, block.second)):
        text = code(excerpt)[:most]
        left = excerpt.last - excerpt.first + 1 - len(text)
        cut_off = f", of which the first {len(text)}" if text and left > 0 else ""
        yield from paragraph(f"{side.student}: {where(excerpt)}{cut_off}", style, color="cyan")
        yield from quoted((style.clean(line) for line in text), style, indent=BODY)


def _rest(pairs: Sequence[Pair], unexplained: int, style: Style) -> Iterator[str]:
    if pairs:
        yield ""
        yield from paragraph("More pairs, in short; `--all` shows them like the others:", style, indent=0)
        yield from (head(pair, style) for pair in pairs[: 2 * _PAIRS])
        unexplained += max(0, len(pairs) - 2 * _PAIRS)
    if unexplained:
        yield from paragraph(f"And {counted(unexplained, 'pair')} less alike.", style, indent=2, dim=True)


def _unread(found: Sequence[Comparison], style: Style) -> Iterator[str]:
    unread = [one for comparison in found for one in comparison.unread]
    if not unread:
        return
    yield ""
    yield from paragraph("Not compared:", style, indent=0)
    for one in unread[:_UNREAD]:
        attempt = f", attempt {one.number}" if one.number else ""
        yield from paragraph(f"{one.student}{attempt}, {one.exercise}: {one.reason}.", style, indent=2)
    if len(unread) > _UNREAD:
        yield from paragraph(f"and {len(unread) - _UNREAD} more.", style, indent=2)


# --- as a document


def similar_json(title: str, found: Sequence[Comparison], minimum: float) -> str:
    """Return the comparisons as JSON text, fields named as those of the records: ASCII only."""
    document = {
        "format": FORMAT,
        "note": f"{CAUTION}.",
        "title": title,
        "minimum": minimum,
        "exercises": msgspec.to_builtins(list(found)),
    }
    return json.dumps(valid(document), indent=1, allow_nan=False)


def unnamed(found: Sequence[Comparison], names: Mapping[str, str]) -> list[Comparison]:
    """Return comparisons with other names, and without what tells who it is: code, words, and when it came."""
    return [
        replace(
            one,
            pairs=tuple(_unnamed(pair, names) for pair in one.pairs),
            unread=tuple(replace(gone, student=names.get(gone.student, _SOMEBODY)) for gone in one.unread),
        )
        for one in found
    ]


def _unnamed(pair: Pair, names: Mapping[str, str]) -> Pair:
    first, second = (
        replace(side, student=_SOMEBODY if side.outside else names[side.student], submitted_at=None)
        for side in (pair.first, pair.second)
    )
    return replace(pair, first=first, second=second, wording=(), blocks=())
