"""Draws a picture as inline SVG: three panels and their scales. Colors are classes; the style sheet sets them."""

from collections import defaultdict

from grader.core.model import Picture
from grader.report.html_markup import Markup, tag
from grader.report.scale import LEVELS, Panel, Scale, caption, described, extent, panels


def figure(picture: Picture) -> Markup:
    """Return the picture with its caption, and a description for screen readers."""
    drawn = panels(picture)
    legends = [_legend("Values", drawn[0].scale), _legend("Difference, got - expected", drawn[-1].scale)]
    if any(value is None for panel in drawn for row in panel.plane for value in row):
        legends.append(tag("span", _swatch("odd"), " NaN or infinite", class_="legend"))
    return tag(
        "figure",
        tag("figcaption", caption(picture)),
        tag("div", *map(_panel, drawn), class_="panels"),
        tag("p", *legends, class_="legends"),
        class_="picture",
    )


def _panel(panel: Panel) -> Markup:
    low, high = extent(panel.plane)
    return tag(
        "div",
        tag("span", panel.name, class_="name"),
        drawing(panel),
        tag("span", f"{low:.3g} to {high:.3g}" if low != high else f"{low:.3g}", class_="extent"),
        class_=f"panel {panel.name}",
    )


def drawing(panel: Panel) -> Markup:
    """Return one plane: a path for each color, with a rectangle for each run of values that have it."""
    squares: dict[str, list[str]] = defaultdict(list)
    for row, values in enumerate(panel.plane):
        start = 0
        classes = [_class(panel.scale, value) for value in values]
        for column in range(1, len(classes) + 1):
            if column == len(classes) or classes[column] != classes[start]:
                width = column - start
                squares[classes[start]].append(f"M{start} {row}h{width}v1h-{width}z")
                start = column
    paths = [tag("path", class_=name, d="".join(parts)) for name, parts in sorted(squares.items())]
    size = f"0 0 {len(panel.plane[0])} {len(panel.plane)}"
    return tag(
        "svg", *paths, viewBox=size, role="img", aria_label=described(panel), shape_rendering="crispEdges"
    )


def _class(scale: Scale, value: float | None) -> str:
    if value is None:
        return "odd"
    return f"{'two' if scale.two_sided else 'one'}-{scale.level(value)}"


def _legend(name: str, scale: Scale) -> Markup:
    low, high = scale.ends
    side = "two" if scale.two_sided else "one"
    cells = [tag("path", class_=f"{side}-{n}", d=f"M{n} 0h1v1h-1z") for n in range(LEVELS)]
    strip = tag(
        "svg",
        *cells,
        viewBox=f"0 0 {LEVELS} 1",
        class_="strip",
        aria_hidden="true",
        shape_rendering="crispEdges",
    )
    ends = tag("span", f"{low:.3g} ", strip, f" {high:.3g}")
    return tag("span", tag("span", f"{name}:"), ends, class_="legend")


def _swatch(name: str) -> Markup:
    return tag(
        "svg",
        tag("path", class_=name, d="M0 0h1v1h-1z"),
        viewBox="0 0 1 1",
        class_="swatch",
        aria_hidden="true",
    )
