"""The pictures of sections 1 to 5: what one layer does. Their numbers are computed here, not typed."""

# ruff: noqa: RUF001
# The pictures use the signs of mathematics.

import math
from collections.abc import Callable

from pen import Sheet, short

SOBEL_INPUT = [[1.0, 2.0, 0.0, 1.0], [0.0, 1.0, 3.0, 2.0], [2.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 2.0]]
SOBEL = [[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]
POOLING_INPUT = [[1.0, 3.0, 2.0, 0.0], [5.0, 2.0, 1.0, 4.0], [0.0, 1.0, -2.0, -1.0], [1.0, 2.0, -3.0, -4.0]]


def windows(rows: list[list[float]], kernel: int, stride: int) -> list[list[list[float]]]:
    """Return the windows of an image as flat lists, in rows and columns of windows."""
    tops = range(0, len(rows) - kernel + 1, stride)
    lefts = range(0, len(rows[0]) - kernel + 1, stride)
    return [
        [[rows[top + u][left + v] for u in range(kernel) for v in range(kernel)] for left in lefts]
        for top in tops
    ]


def local() -> Sheet:
    """Section 1: what one unit looks at."""
    sheet = Sheet(
        height=252,
        title="One unit of a fully connected layer and one unit of a convolution",
        description="Two copies of an image of 6 by 6 pixels. On the left, a unit is joined to all 36 pixels. "
        "On the right, a unit is joined to a window of 3 by 3 pixels only; the window slides over the image.",
    )
    blank = [[""] * 6 for _ in range(6)]
    patch = {(row, column): "window" for row in (1, 2, 3) for column in (1, 2, 3)}
    for left, heading, notes, kinds in (
        (30, "fully connected", ("looks at all 36 pixels,", "with 36 weights of its own"), {}),
        (270, "convolution", ("looks at 9 pixels; 9 weights,", "the same ones at every place"), patch),
    ):
        sheet.text(left + 90, 30, heading, looks="strong", size=15)
        sheet.grid(left, 50, blank, "in", cell=22, kinds=kinds)
        x, y = left + 168, 116
        corners = [(left + 88, 72), (left + 88, 138)] if kinds else [(left + 132, 50), (left + 132, 182)]
        for corner_x, corner_y in corners:
            sheet.line(corner_x, corner_y, x, y, "window" if kinds else "in")
        sheet.box(x - 2, y - 11, 22, 22, "out")
        for offset, note in enumerate(notes):
            sheet.text(left + 90, 208 + 20 * offset, note, "soft")
    return sheet


def convolution() -> Sheet:
    """Section 2: a window times a kernel."""
    kernel = [weight for row in SOBEL for weight in row]
    found = [
        [sum(a * b for a, b in zip(window, kernel, strict=True)) for window in row]
        for row in windows(SOBEL_INPUT, 3, 1)
    ]
    first = windows(SOBEL_INPUT, 3, 1)[0][0]
    sheet = Sheet(
        height=262,
        title="A convolution of a 4 by 4 image with a 3 by 3 kernel",
        description="The window over the image's upper left corner is multiplied by the kernel, place by place, "
        f"and the products are added: the result, {short(found[0][0])}, is the upper left value of the output.",
    )
    sheet.text(88, 32, "input 4 × 4", looks="strong")
    sheet.grid(
        20,
        44,
        SOBEL_INPUT,
        "in",
        kinds={(row, column): "window" for row in range(3) for column in range(3)},
    )
    sheet.text(172, 118, "⋆", size=18)
    sheet.text(241, 32, "kernel 3 × 3", looks="strong")
    sheet.grid(190, 61, SOBEL, "window")
    sheet.text(321, 118, "=", size=18)
    sheet.text(389, 32, "output 2 × 2", looks="strong")
    sheet.grid(347, 78, found, "out", cell=42, kinds={(0, 0): "window"})
    lines = [
        " + ".join(
            f"{short(a)}·{short(b)}" if b >= 0 else f"{short(a)}·({short(b)})"
            for a, b in zip(first[3 * row : 3 * row + 3], SOBEL[row], strict=True)
        )
        for row in range(3)
    ]
    for row, line in enumerate(lines):
        end = " +" if row < 2 else f" = {short(found[0][0])}"
        sheet.text(112, 206 + 20 * row, line + end, anchor="start", looks="number")
    return sheet


def filters() -> Sheet:
    """Section 2: every filter reaches through all channels."""
    sheet = Sheet(
        height=268,
        title="Eight filters, each as deep as the input",
        description="An input of 3 channels. Each of 8 filters has 3 slices of 3 by 3 weights, one for each input "
        "channel, and makes one of the 8 channels of the output.",
    )
    for x, words in ((74, "input"), (232, "8 filters"), (400, "output")):
        sheet.text(x, 32, words, looks="strong", size=15)
    sheet.stack(30, 100, 76, 3, "in")
    sheet.text(74, 206, "(3, H, W)", looks="number")
    sheet.text(74, 228, "3 channels", "soft")
    for row, name in enumerate(("filter 0", "filter 1", "", "filter 7")):
        y = 62 + 38 * row
        if name:
            sheet.stack(190, y, 22, 3, "window")
            sheet.text(234, y + 14, name, "soft", anchor="start", size=13)
        else:
            sheet.text(208, y + 8, "⋮", "soft", size=18)
    sheet.text(232, 228, "each (3, 3, 3), + 1 bias", "soft")
    sheet.stack(346, 100, 60, 8, "out")
    sheet.text(400, 206, "(8, H′, W′)", looks="number")
    sheet.text(400, 228, "1 per filter", "soft")
    sheet.arrow(134, 128, 174, 128)
    sheet.arrow(296, 128, 334, 128)
    sheet.text(240, 254, "8 · (3 · 3 · 3) weights + 8 biases = 224 parameters", "ink", looks="strong")
    return sheet


def positions(sheet: Sheet, y: float, padding: int, size: int) -> None:
    """Add one axis with its padding, and the places of a kernel of 3 with stride 2; one that sticks out is dashed."""
    cell, kernel = 34, 3
    total = size + 2 * padding
    left = 240 - total * cell / 2
    inside = [padding <= at < padding + size for at in range(total)]
    names = [short(at - padding) if inside[at] else "pad" for at in range(total)]
    kinds = {(0, at): "still" for at in range(total) if not inside[at]}
    sheet.grid(left, y, [names], "in", cell=cell, kinds=kinds)
    for turn, start in enumerate(range(0, total - 1, 2)):
        x, below = left + start * cell, y + cell + 8 + 14 * turn
        if start + kernel <= total:
            sheet.box(x + 2, below, kernel * cell - 4, 9, "window")
        else:
            sheet.box(x + 2, below, kernel * cell - 4, 9, "plain", extra=" dashed")
            sheet.text(x - 8, below + 9, "sticks out: dropped", "soft", size=13, anchor="end")


def stride() -> Sheet:
    """Section 3: where a kernel may stand."""
    sheet = Sheet(
        height=402,
        title="Where a kernel of 3 with stride 2 may stand on an axis of 7 or 8",
        description="On 7 pixels, the kernel starts at 0, 2 and 4. On 8 pixels it starts there too; at 6 it would "
        "stick out and is dropped. With 1 padded zero at both ends of 7 pixels there are four places.",
    )
    for y, words, padding, size in (
        (30, "size 7, kernel 3, stride 2: 3 places", 0, 7),
        (148, "size 8: still 3 places", 0, 8),
        (282, "size 7 with padding 1: 4 places", 1, 7),
    ):
        sheet.text(240, y, words, looks="strong")
        positions(sheet, y + 12, padding, size)
    return sheet


def receptive_field() -> Sheet:
    """Section 3: what a value deep inside can see."""
    sheet = Sheet(
        height=286,
        title="The receptive field of three 3-wide convolutions",
        description="One value after three convolutions depends on 3 values after two, on 5 after one, "
        "and on 7 pixels of the input.",
    )
    cell, names = 34, ("input", "after 1 layer", "after 2 layers", "after 3 layers")
    for layer, name in enumerate(names):
        y, seen = 226 - 60 * layer, 7 - 2 * layer
        sheet.text(12, y + 22, name, "soft", anchor="start", size=13)
        for at in range(9):
            inside = abs(at - 4) <= seen // 2
            kind = ("in", "window", "window", "out")[layer] if inside else "plain"
            sheet.box(112 + at * cell, y, cell, cell, kind)
        if layer:
            for side in (-1, 1):
                middle = 112 + 4.5 * cell
                near, far = side * seen / 2 * cell, side * (seen + 2) / 2 * cell
                sheet.line(middle + near, y + cell, middle + far, y + 60, "window")
        sheet.text(456, y + 22, short(seen), looks="number strong", size=15, anchor="end")
    sheet.text(464, 30, "values", "soft", anchor="end", size=13)
    return sheet


def pooling() -> Sheet:
    """Section 4: the largest value, and the mean."""
    found = windows(POOLING_INPUT, 2, 2)
    sheet = Sheet(
        height=288,
        title="Max pooling and average pooling of the same 4 by 4 map",
        description="Four windows of 2 by 2, side by side. The largest values are "
        f"{', '.join(short(max(w)) for row in found for w in row)}; the means are "
        f"{', '.join(short(sum(w) / 4) for row in found for w in row)}.",
    )
    sheet.text(120, 58, "input 4 × 4", looks="strong")
    sheet.grid(40, 70, POOLING_INPUT, "in", cell=40)
    for row in range(2):
        for column in range(2):
            sheet.frame(40 + 80 * column, 70 + 80 * row, 80, 80)
    for y, name, rows in (
        (44, "largest", [[max(window) for window in row] for row in found]),
        (174, "mean", [[sum(window) / 4 for window in row] for row in found]),
    ):
        sheet.text(369, y - 12, name, looks="strong")
        sheet.grid(323, y, rows, "out", cell=46)
    sheet.path("M210 140C250 140 250 88 290 88")
    sheet.path("M284 83.5L290 88L284 92.5")
    sheet.path("M210 160C250 160 250 216 290 216")
    sheet.path("M284 211.5L290 216L284 220.5")
    sheet.text(120, 258, "windows of 2 × 2, stride 2", "soft")
    return sheet


def normal(x: float) -> float:
    """Return the standard normal distribution function."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


CURVES: tuple[tuple[str, Callable[[float], float], Callable[[float], float]], ...] = (
    ("ReLU", lambda x: max(0.0, x), lambda x: float(x > 0)),
    ("Leaky ReLU, slope 0.1", lambda x: x if x > 0 else 0.1 * x, lambda x: 1.0 if x > 0 else 0.1),
    ("ELU, α = 1", lambda x: x if x > 0 else math.expm1(x), lambda x: 1.0 if x > 0 else math.exp(x)),
    (
        "GELU",
        lambda x: x * normal(x),
        lambda x: normal(x) + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    ),
)


def activation() -> Sheet:
    """Section 5: four activations and their slopes."""
    sheet = Sheet(
        height=452,
        title="Four activations and their slopes between -3 and 3",
        description="ReLU, leaky ReLU, ELU and GELU as solid lines, their slopes as dashed lines. For large x all "
        "four rise with slope 1. For negative x, ReLU is flat with slope 0, leaky ReLU keeps a small slope, "
        "ELU levels out at minus alpha, and GELU dips below zero and comes back.",
    )
    for number, (name, value, slope) in enumerate(CURVES):
        left, top = 34 + 230 * (number % 2), 44 + 200 * (number // 2)
        unit, middle, floor = 30, left + 90, top + 110
        sheet.text(middle, top - 10, name, looks="strong")
        sheet.arrow(left, floor, left + 186, floor)
        sheet.arrow(middle, floor + 48, middle, top)
        for tick in (-2, 2):
            sheet.line(middle + tick * unit, floor - 3, middle + tick * unit, floor + 3)
            sheet.text(middle + tick * unit, floor + 19, short(tick), "soft", size=13, looks="number")
        for tick in (-1, 1, 2, 3):
            sheet.line(middle - 3, floor - tick * unit, middle + 3, floor - tick * unit)
            if tick in {1, 3}:
                sheet.text(
                    middle - 8,
                    floor - tick * unit + 5,
                    short(tick),
                    "soft",
                    size=13,
                    looks="number",
                    anchor="end",
                )
        sheet.text(left + 186, floor + 19, "x", "soft", size=13)
        for function, kind, dashed in ((slope, "window", True), (value, "out", False)):
            points, last = [], None
            for step in range(-60, 61):
                y = floor - function(step / 20) * unit
                pen = "M" if last is None or abs(y - last) > 10 else "L"
                points.append(f"{pen}{middle + step / 20 * unit:.1f} {y:.1f}")
                last = y
            sheet.path("".join(points), kind, dashed=dashed)
    sheet.line(120, 432, 150, 432, "out")
    sheet.text(158, 437, "f(x)", anchor="start")
    sheet.line(258, 432, 288, 432, "window", dashed=True)
    sheet.text(296, 437, "its slope", anchor="start")
    return sheet
