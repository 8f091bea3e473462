"""Lays a counterexample out in a terminal: the call, then its values side by side, wrong cells marked.

Values stand beside each other as far as the width allows. Where not all lines fit, those around the first wrong cell
are shown.
"""

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from grader.report.content import Example, ExampleRow
from grader.report.text_layout import BODY, Style, columns, cut, paragraph, wrap

MARK = "*"  # behind a wrong cell
_INDENT = BODY + 2
_GAP = 3
_MAX_LABEL = 14
_COLORS = {"expected": "green", "got": "red"}
_CORNER = ", its first corner"  # ends the header of a tensor that is not shown in full
_HEADER = re.compile(r"tensor of shape (\([^()]*\).*?):?")
_MODULE = re.compile(r"module (\S+, its children:)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleDetail:
    """How many lines of a value, of the place, and of a table of layers in its stead are shown.

    Without `results_with_table` results of several lines are left out where a table says which layer is wrong.
    Of an argument with more than `argument_lines` only the shape is shown, and nothing of one without a shape; None
    cuts it as other values are.
    """

    value_lines: int = 14
    place_lines: int = 14
    table_lines: int = 14
    results_with_table: bool = True
    argument_lines: int | None = None


ALL_OF_IT = ExampleDetail()


def example_lines(example: Example, style: Style, detail: ExampleDetail = ALL_OF_IT) -> Iterator[str]:
    """Yield the lines of a counterexample."""
    if example.smallest:
        yield from paragraph("The smallest input found that fails:", style)
    plain = [row for row in example.rows if "\n" not in row.value]
    label = min(max((columns(style.clean_line(row.name)) for row in plain), default=0), _MAX_LABEL)
    above = [row for row in plain if row.kind in ("call", "argument")]
    for row in above:
        yield from _labelled(row, label, style, detail.value_lines)
    first_wrong = min((line for row in example.rows for line, _ in row.wrong), default=0)
    blocks = [
        _block(row, style, detail, first_wrong if row.kind in _COLORS else 0)
        for row in example.rows
        if "\n" in row.value and not _is_left_out(row, detail)
    ]
    table = [block for block in blocks if block.kind == "where"]
    left_out = () if not table or detail.results_with_table else _COLORS
    for band in _bands([block for block in blocks if block.kind not in ("where", *left_out)], style):
        yield from _beside(band, style)
    for row in plain:
        if row not in above:
            most = detail.place_lines if row.kind == "where" else detail.value_lines
            yield from _labelled(row, label, style, most)
    for block in table:
        yield from _beside([block], style)


def _is_left_out(row: ExampleRow, detail: ExampleDetail) -> bool:
    """Tell whether an argument that has no shape, such as a module, has more lines than are shown."""
    most, lines = detail.argument_lines, row.value.count("\n") + 1
    has_shape = _HEADER.fullmatch(row.value.partition("\n")[0]) is not None
    return row.kind == "argument" and most is not None and lines > most and not has_shape


def _labelled(row: ExampleRow, label_columns: int, style: Style, most: int) -> Iterator[str]:
    """Set a value of one line, which may wrap to at most `most`, beside its name."""
    name = cut(style.clean_line(row.name), label_columns, style)
    label = name + " " * (label_columns - columns(name) + 2)
    color = _COLORS.get(row.kind)
    width = style.width - _INDENT - columns(label)
    lines = wrap(row.value, width, style)
    if len(lines) > most:
        lines = [*lines[: most - 1], cut(" ".join(lines[most - 1 :]), width, style)]
    for n, line in enumerate(lines):
        first = style.paint(label, color, dim=color is None) if n == 0 else " " * columns(label)
        yield " " * _INDENT + first + line


# --- values of several lines


@dataclass(frozen=True, slots=True, kw_only=True)
class _ValueBlock:
    """A value of several lines: its kind, its title, and each line with its columns, as colors have none."""

    kind: str
    title: str
    lines: tuple[tuple[str, int], ...]

    @property
    def width(self) -> int:
        """The columns of the widest line."""
        return max([columns(self.title), *(width for _, width in self.lines)])


def _block(row: ExampleRow, style: Style, detail: ExampleDetail, focus: int) -> _ValueBlock:
    """Return a value as a block; where it has more lines than are shown, those around line `focus` of its text."""
    first, *lines = style.clean(row.value).split("\n")
    if row.kind == "where":
        table = (first, *_rows_with_mark(lines, detail.table_lines - 1))
        return _ValueBlock(kind=row.kind, title=style.clean_line(row.name), lines=tuple(_plain(table)))
    header = _HEADER.fullmatch(first) or _MODULE.fullmatch(first)
    if header is None:
        return _ValueBlock(
            kind=row.kind,
            title=style.clean_line(row.name),
            lines=tuple(_window(_plain([first, *lines]), detail.value_lines, focus)),
        )
    title = f"{style.clean_line(row.name)} {header[1]}"
    is_short = detail.argument_lines is None or (
        len(lines) <= detail.argument_lines and not title.endswith(_CORNER)
    )
    if row.kind == "argument" and not is_short:
        return _ValueBlock(kind=row.kind, title=title.removesuffix(_CORNER), lines=())
    wrong = {(line - 1, place) for line, place in row.wrong}
    drawn = [_cells(n, line, wrong, style) for n, line in enumerate(lines)] if wrong else _plain(lines)
    return _ValueBlock(
        kind=row.kind,
        title=title + (f", wrong {MARK}" if wrong else ""),
        lines=tuple(_window(drawn, detail.value_lines, focus - 1)),
    )


def _rows_with_mark(rows: Sequence[str], most: int) -> Sequence[str]:
    """Return at most `most` rows of a table of layers: the marked one, what follows it, and what comes before."""
    marked = next((n for n, row in enumerate(rows) if row.startswith(">")), 0)
    start = max(0, min(marked, len(rows) - most))
    return rows[start : start + most]


def _plain(lines: Sequence[str]) -> list[tuple[str, int]]:
    return [(line, columns(line)) for line in lines]


def _cells(number: int, line: str, wrong: Set[tuple[int, int]], style: Style) -> tuple[str, int]:
    """Return a line of numbers with a mark behind each wrong one."""
    drawn, width = [], 0
    for place, part in enumerate(re.findall(r" *\S+", line)):
        is_wrong = (number, place) in wrong
        text = part + (MARK if is_wrong else " ")
        drawn.append(style.paint(text, "red", bold=True) if is_wrong else text)
        width += columns(text)
    return "".join(drawn), width


def _window(lines: Sequence[tuple[str, int]], most: int, first: int) -> list[tuple[str, int]]:
    """Return at most `most` lines, with number `first` among them, and dots for those left out."""
    if len(lines) <= most:
        return list(lines)
    start = 0 if first < most - 1 else min(first - 1, len(lines) - most + 1)
    dots = ("...", 3)
    before = [dots] if start else []
    end = start + most - len(before) - 1
    after = [dots] if end < len(lines) else []
    return [*before, *lines[start : end + (not after)], *after]


def _bands(blocks: Sequence[_ValueBlock], style: Style) -> Iterator[list[_ValueBlock]]:
    """Yield the blocks that stand beside each other: what was expected beside what came, wherever both fit."""
    width = style.width - _INDENT
    band: list[_ValueBlock] = []
    for group in _groups(blocks, width):
        if band and _width([*band, *group]) > width:
            yield band
            band = []
        band += group
    if band:
        yield band


def _groups(blocks: Sequence[_ValueBlock], width: int) -> Iterator[list[_ValueBlock]]:
    results = [block for block in blocks if block.kind in _COLORS]
    for block in blocks:
        if block not in results:
            yield [block]
    if _width(results) <= width:
        yield from [results] if results else []
    else:
        yield from ([block] for block in results)


def _width(blocks: Sequence[_ValueBlock]) -> int:
    return sum(block.width for block in blocks) + _GAP * (len(blocks) - 1)


def _beside(band: Sequence[_ValueBlock], style: Style) -> Iterator[str]:
    """Set blocks beside each other, each below its title."""
    if len(band) == 1:
        yield " " * _INDENT + _title(band[0], style, style.width - _INDENT)
        for line, width in band[0].lines:
            yield " " * _INDENT + (
                cut(line, style.width - _INDENT, style) if width == columns(line) else line
            )
        return
    yield " " * _INDENT + _joined(
        [(_title(block, style, block.width), columns(block.title)) for block in band], band
    )
    for n in range(max(len(block.lines) for block in band)):
        yield " " * _INDENT + _joined(
            [block.lines[n] if n < len(block.lines) else ("", 0) for block in band], band
        )


def _title(block: _ValueBlock, style: Style, width: int) -> str:
    color = _COLORS.get(block.kind)
    return style.paint(cut(block.title, width, style), color, dim=color is None)


def _joined(texts: Sequence[tuple[str, int]], band: Sequence[_ValueBlock]) -> str:
    padded = [
        text + " " * (block.width - width + _GAP) for (text, width), block in zip(texts, band, strict=True)
    ]
    return "".join(padded).rstrip()
