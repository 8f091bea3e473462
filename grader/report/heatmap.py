"""Draws a picture in a terminal: three planes side by side, in colors, or in characters where there is no color.

Every terminal in use draws the 256 colors, and the same ones on light and dark backgrounds; some lack true color.
Color-blind people can tell blue from orange.
"""

from collections.abc import Iterator
from itertools import groupby

from grader.core.model import Picture, Plane
from grader.report.scale import LEVELS, Panel, Scale, caption, extent, panels, shrunk
from grader.report.text_layout import BODY, Style, columns, paragraph

PANEL = 22  # three of them, two gaps and the indent are 76 columns
_GAP = 2
_SMALL = PANEL // 2  # a plane of at most this size gets two columns for each value

_TWO_SIDED = (25, 32, 74, 117, 153, 255, 223, 215, 208, 166, 130)
_ONE_SIDED = (17, 18, 24, 30, 36, 72, 108, 114, 150, 186, 228)
_NOT_FINITE = 201
_SHADES = ("·░▒▓█", ".co%@")
_LABELS = {"expected": "green", "got": "red"}


def heatmap(picture: Picture, style: Style) -> Iterator[str]:
    """Yield a picture as indented lines."""
    yield from paragraph(caption(picture), style)
    drawn = panels(picture)
    fitting = max(1, (style.width - BODY + _GAP) // (PANEL + _GAP))
    for start in range(0, len(drawn), fitting):
        blocks = [_block(panel, style) for panel in drawn[start : start + fitting]]
        for n in range(max(map(len, blocks))):
            lines = [block[n] if n < len(block) else ("", 0) for block in blocks]
            padded = "".join(text + " " * (PANEL + _GAP - width) for text, width in lines[:-1])
            yield (" " * BODY + padded + lines[-1][0]).rstrip()
    yield from _legend(drawn, style)


def _block(panel: Panel, style: Style) -> list[tuple[str, int]]:
    """Return the lines of one panel, each with its width in columns: label, plane, smallest and largest value."""
    colored = style.color and style.unicode
    plane = shrunk(panel, PANEL * (2 if colored else 1), PANEL)
    wide = 2 if len(plane[0]) <= _SMALL and len(plane) <= _SMALL else 1
    if colored:
        lines = _full(panel.scale, plane, style) if wide == 2 else _halves(panel.scale, plane, style)
    else:
        lines = ["".join(_symbol(panel, value, style)[:wide] for value in row) for row in plane]
    label = style.paint(panel.name, _LABELS.get(panel.name), dim=panel.name not in _LABELS)
    low, high = extent(panel.plane)
    numbers = f"{low:.3g}" if low == high else f"{low:.3g} .. {high:.3g}"
    drawn = [(line, len(plane[0]) * wide) for line in lines]
    return [(label, len(panel.name)), *drawn, (style.paint(numbers, dim=True), len(numbers))]


# --- in colors


def _color(scale: Scale, value: float | None) -> int:
    if value is None:
        return _NOT_FINITE
    return (_TWO_SIDED if scale.two_sided else _ONE_SIDED)[scale.level(value)]


def _full(scale: Scale, plane: Plane, style: Style) -> list[str]:
    return [_painted([(_color(scale, value), None) for value in row], 2, style) for row in plane]


def _halves(scale: Scale, plane: Plane, style: Style) -> list[str]:
    """Draw two rows in one line: the upper half of each character in the color of one row, the lower in the other."""
    colors: list[list[int | None]] = [[_color(scale, value) for value in row] for row in plane]
    if len(colors) % 2:
        colors.append([None] * len(plane[0]))
    pairs = zip(colors[::2], colors[1::2], strict=True)
    return [_painted(list(zip(upper, lower, strict=True)), 1, style) for upper, lower in pairs]


def _painted(cells: list[tuple[int | None, int | None]], wide: int, style: Style) -> str:
    """Draw cells of an upper and a lower color; a cell of two columns has the upper color alone."""
    character = "█" if wide == 2 else "▀"
    runs = ((colors, len(list(run))) for colors, run in groupby(cells))
    return "".join(style.shade(character * (count * wide), *colors) for colors, count in runs)


# --- in characters


def _symbol(panel: Panel, value: float | None, style: Style) -> str:
    """Return two characters; where a value has one column, the first is enough."""
    if value is None:
        return "??"
    if panel.name != "difference":
        shades = style.pick(*_SHADES)
        return 2 * shades[min(int(panel.scale.share(value) * len(shades)), len(shades) - 1)]
    if not value:
        return style.pick("·", ".") + " "
    sign = "+" if value > 0 else "-"
    return sign + (sign if 2 * abs(value) > panel.scale.ends[1] else " ")


# --- the legend


def _legend(drawn: tuple[Panel, ...], style: Style) -> Iterator[str]:
    values, difference = drawn[0].scale, drawn[-1].scale
    if style.color and style.unicode:
        yield from _strip("values", values, style)
        yield from _strip("difference", difference, style)
    else:
        shades = style.pick(*_SHADES)
        yield from paragraph(f"values {values.low:.3g} {shades} {values.high:.3g}", style, dim=True)
        yield from paragraph(
            f"difference + too large, - too small, {style.pick('·', '.')} right", style, dim=True
        )
    if any(value is None for panel in drawn for row in panel.plane for value in row):
        mark = "magenta" if style.color and style.unicode else "?"
        yield from paragraph(f"{mark} is NaN or infinite", style, dim=True)


def _strip(name: str, scale: Scale, style: Style) -> Iterator[str]:
    low, high = (f"{end:.3g}" for end in scale.ends)
    low = low.rjust(8)
    palette = _TWO_SIDED if scale.two_sided else _ONE_SIDED
    width = BODY + 12 + columns(low) + columns(high) + LEVELS + 2
    strip = "".join(style.shade("█", color) for color in palette) if width <= style.width else ".."
    yield f"{' ' * BODY}{style.paint(name.ljust(12) + low, dim=True)} {strip} {style.paint(high, dim=True)}"
