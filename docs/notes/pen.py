"""The pen of the course's pictures: one palette, one stroke width, one kind of letter.

Every picture is 480 units wide, so that its letters are still legible on a phone. It brings its own background
(a page may be light while the reader's system is dark), and follows the reader's light or dark preference.

Colors mean the same everywhere: blue comes in, orange is a window or a kernel, green comes out, and gray is
padding, or what stands still. No picture says anything by color alone.
"""

from dataclasses import dataclass, field
from html import escape

WIDTH = 480
STROKE = 1.5

# Each kind has a fill and a stroke for light pages, then a fill and a stroke for dark ones.
PAINTS = {
    "paper": ("#ffffff", "#d5dbe3", "#161b22", "#39424e"),
    "in": ("#dbe9fb", "#2f6fc1", "#1b3452", "#74aef4"),
    "window": ("#fde3c6", "#b85c00", "#4d3010", "#f2a65a"),
    "out": ("#d5f1de", "#1b8045", "#143f28", "#62cf91"),
    "still": ("#eceff3", "#8894a2", "#272e38", "#7a8796"),
    "plain": ("#ffffff", "#8894a2", "#161b22", "#7a8796"),
}
INKS = {"ink": ("#1d2733", "#e8edf3"), "soft": ("#55616f", "#a9b4c1")}
INKS |= {kind: (paint[1], paint[3]) for kind, paint in PAINTS.items() if kind not in {"paper", "plain"}}


def style() -> str:
    """Return the style sheet: light colors, and the dark ones for readers who prefer them."""
    rules: tuple[list[str], list[str]] = ([], [])
    for dark, sheet in enumerate(rules):
        for kind, paint in PAINTS.items():
            fill, stroke = paint[2 * dark : 2 * dark + 2]
            sheet.append(f".{kind}{{fill:{fill};stroke:{stroke}}}.{kind}-line{{stroke:{stroke}}}")
        sheet.extend(f".{kind}-text{{fill:{colors[dark]}}}" for kind, colors in INKS.items())
    base = (
        f"rect,path{{stroke-width:{STROKE}}}"
        "path{fill:none;stroke-linejoin:round;stroke-linecap:round}"
        "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
        ".number{font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace}"
        ".strong{font-weight:600}.dashed{stroke-dasharray:5 4}.outline{fill:none}"
    )
    return f"{base}\n{''.join(rules[0])}\n@media(prefers-color-scheme:dark){{{''.join(rules[1])}}}"


def short(value: float) -> str:
    """Return a number as it stands in a picture: no trailing zeros, and a real minus sign."""
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


@dataclass
class Sheet:
    """A picture under the pen: every method adds something to it; `svg` is the finished text."""

    height: int
    title: str
    description: str
    parts: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, width: float, height: float, kind: str, *, extra: str = "") -> None:
        """Add a rectangle with slightly round corners."""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3" class="{kind}{extra}"/>'
        )

    def frame(self, x: float, y: float, width: float, height: float, kind: str = "window") -> None:
        """Add the outline of a rectangle over what is there, twice as wide as other lines."""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3" '
            f'class="{kind} outline" style="fill:none;stroke-width:{2 * STROKE}"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        kind: str = "ink",
        *,
        size: int = 14,
        anchor: str = "middle",
        looks: str = "",
    ) -> None:
        """Add one line of text on the baseline y; looks: "number", "strong" or both."""
        classes = f"{kind}-text {looks}".strip()
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" class="{classes}">'
            f"{escape(words)}</text>"
        )

    def path(self, steps: str, kind: str = "still", *, dashed: bool = False) -> None:
        """Add a line by SVG path steps."""
        self.parts.append(f'<path d="{steps}" class="{kind}-line{" dashed" if dashed else ""}"/>')

    def line(
        self, x1: float, y1: float, x2: float, y2: float, kind: str = "still", *, dashed: bool = False
    ) -> None:
        """Add a straight line."""
        self.path(f"M{x1:g} {y1:g}L{x2:g} {y2:g}", kind, dashed=dashed)

    def arrow(
        self, x1: float, y1: float, x2: float, y2: float, kind: str = "still", *, dashed: bool = False
    ) -> None:
        """Add a level or upright arrow from the first point to the second."""
        self.line(x1, y1, x2, y2, kind, dashed=dashed)
        length = abs(x2 - x1) + abs(y2 - y1)
        ahead_x, ahead_y = (x2 - x1) / length, (y2 - y1) / length
        ends = [(x2 - 6 * ahead_x - s * 4 * ahead_y, y2 - 6 * ahead_y - s * 4 * ahead_x) for s in (1, -1)]
        self.path(f"M{ends[0][0]:g} {ends[0][1]:g}L{x2:g} {y2:g}L{ends[1][0]:g} {ends[1][1]:g}", kind)

    def grid(
        self,
        x: float,
        y: float,
        rows: list[list[float]] | list[list[str]],
        kind: str,
        *,
        cell: float = 34,
        kinds: dict[tuple[int, int], str] | None = None,
    ) -> None:
        """Add a table of square cells; kinds gives another color to the cells (row, column) named in it."""
        for row, values in enumerate(rows):
            for column, value in enumerate(values):
                left, top = x + column * cell, y + row * cell
                self.box(left, top, cell, cell, (kinds or {}).get((row, column), kind))
                words = value if isinstance(value, str) else short(value)
                if words:
                    size = 14 if cell >= 26 else 13
                    self.text(left + cell / 2, top + cell / 2 + 5, words, size=size, looks="number")

    def stack(self, x: float, y: float, side: float, count: int, kind: str) -> None:
        """Add `count` maps, one behind the other; the front one has its upper left corner at (x, y)."""
        for behind in reversed(range(count)):
            self.box(x + 6 * behind, y - 6 * behind, side, side, kind)

    def svg(self) -> str:
        """Return the picture as SVG, with its title and description for those who cannot see it."""
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" '
                f'width="{WIDTH}" height="{self.height}" role="img" aria-labelledby="title description">',
                f'<title id="title">{escape(self.title)}</title>',
                f'<desc id="description">{escape(self.description)}</desc>',
                f"<style>\n{style()}\n</style>",
                f'<rect x="1" y="1" width="{WIDTH - 2}" height="{self.height - 2}" rx="8" class="paper"/>',
                *self.parts,
                "</svg>",
                "",
            ]
        )
