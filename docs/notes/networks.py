"""The pictures of sections 6 to 10: networks, and what they are built and trained with."""

# ruff: noqa: RUF001
# The pictures use the signs of mathematics.

from collections.abc import Callable

from pen import Sheet

LENET_WEIGHTS = (
    ("conv1", 1 * 20 * 25 + 20),
    ("conv2", 20 * 50 * 25 + 50),
    ("fc1", 2450 * 500 + 500),
    ("fc2", 500 * 10 + 10),
)


def lenet() -> Sheet:
    """Section 6: shapes that shrink, and where the parameters are."""
    sheet = Sheet(
        height=366,
        title="LeNet-5, the lecture variant: shapes and parameters",
        description="Shapes: 1x28x28, conv1 makes 20x28x28, pooling 20x14x14, conv2 50x14x14, pooling 50x7x7, "
        "flatten 2450, fc1 500, fc2 10. Parameters: "
        + ", ".join(f"{name} {count:,}" for name, count in LENET_WEIGHTS)
        + ". Nearly all of them are in fc1.",
    )
    maps = (
        (22, 56, 1, "in", "input", "1×28×28"),
        (108, 56, 3, "out", "conv1", "20×28×28"),
        (216, 28, 3, "out", "pool", "20×14×14"),
        (304, 28, 5, "out", "conv2", "50×14×14"),
        (406, 14, 5, "out", "pool", "50×7×7"),
    )
    for x, side, depth, kind, name, shape in maps:
        middle = x + side / 2 + 3 * (depth - 1)
        sheet.stack(x, 80 - side / 2 + 8, side, depth, kind)
        sheet.text(middle, 32, name, looks="strong", size=13)
        sheet.text(middle, 142, shape, "soft", looks="number", size=13)
    for start, end in ((82, 102), (180, 208), (262, 296), (362, 398)):
        sheet.arrow(start, 86, end, 86)
    vector = "flatten 2450 → fc1 500 → ReLU → fc2 10 logits"
    sheet.text(240, 174, vector, looks="number")
    sheet.line(20, 194, 460, 194)
    total = sum(count for _, count in LENET_WEIGHTS)
    sheet.text(20, 220, f"{total:,} parameters, bars to scale", anchor="start", looks="strong")
    for row, (name, count) in enumerate(LENET_WEIGHTS):
        y = 234 + 31 * row
        sheet.text(20, y + 16, name, anchor="start", looks="number")
        sheet.box(74, y, max(2.0, count / total * 230), 22, "window")
        words = f"{count:,}  ({100 * count / total:.2f} %)"
        sheet.text(460, y + 16, words, anchor="end", looks="number", size=13)
    return sheet


def tiles(sheet: Sheet, x: float, y: float, cell: float, chosen: Callable[[int, int], bool]) -> None:
    """Add a table of maps, 3 images by 4 channels; the chosen ones share one mean and one variance."""
    for image in range(3):
        for channel in range(4):
            left, top = x + channel * (cell + 6), y + image * (cell + 6)
            kind = "window" if chosen(image, channel) else "plain"
            sheet.box(left, top, cell, cell, kind)
            if chosen(image, channel):
                third = cell / 3
                for at in (third, 2 * third):
                    sheet.line(left + at, top, left + at, top + cell, "window")
                    sheet.line(left, top + at, left + cell, top + at, "window")


def batchnorm() -> Sheet:
    """Section 7.1: one mean per channel, and where it comes from."""
    sheet = Sheet(
        height=396,
        title="Batch normalization: one mean and one variance per channel",
        description="A table of maps, 3 images by 4 channels. The maps of one channel, over all images and all "
        "positions, share one mean and one variance. Below: in training the layer normalizes with the batch's "
        "statistics, and moves its running statistics towards them; in evaluation it normalizes with the running "
        "statistics.",
    )
    sheet.text(147, 30, "channels C", "soft", size=13)
    sheet.text(44, 94, "images", "soft", size=13)
    sheet.text(44, 112, "N", "soft", size=13)
    tiles(sheet, 78, 42, 30, lambda _, channel: channel == 1)
    for row, words in enumerate(
        ("one box: one map, H × W", "orange: the N · H · W values", "that share one mean", "and one variance")
    ):
        sheet.text(244, 68 + 24 * row, words, anchor="start")
    sheet.line(20, 168, 460, 168)
    for y, mode, source, kind in (
        (188, "training", "this batch (÷ n)", "in"),
        (312, "evaluation", "recent batches", "still"),
    ):
        sheet.text(20, y + 28, mode, anchor="start", looks="strong")
        sheet.box(112, y, 138, 46, kind)
        sheet.text(181, y + 20, "mean, variance of")
        sheet.text(181, y + 38, source)
        sheet.arrow(252, y + 23, 296, y + 23)
        sheet.box(300, y, 160, 46, "out")
        sheet.text(380, y + 20, "normalize, then")
        sheet.text(380, y + 38, "× weight + bias")
    sheet.arrow(181, 236, 181, 310, dashed=True)
    sheet.text(192, 266, "running ← 0.9 · running + 0.1 · batch", "soft", size=13, anchor="start")
    sheet.text(192, 284, "(its variance ÷ (n − 1))", "soft", size=13, anchor="start")
    return sheet


def normalization() -> Sheet:
    """Section 7.2: which values share a mean."""
    sheet = Sheet(
        height=412,
        title="Which values share one mean: batch, layer, instance and group normalization",
        description="Four tables of maps, 3 images by 4 channels. Batch: one channel over all images. Layer: one "
        "image, all channels. Instance: one image, one channel. Group: one image, two neighboring channels.",
    )
    kinds: tuple[tuple[str, str, Callable[[int, int], bool]], ...] = (
        ("batch", "over N, H, W", lambda _, channel: channel == 0),
        ("layer", "over C, H, W", lambda image, _: image == 0),
        ("instance", "over H, W", lambda image, channel: image == channel == 0),
        ("group, 2 of them", "over C/G, H, W", lambda image, channel: image == 0 and channel < 2),
    )
    for number, (name, axes, chosen) in enumerate(kinds):
        left, top = 52 + 230 * (number % 2), 60 + 200 * (number // 2)
        sheet.text(left + 75, top - 32, name, looks="strong", size=15)
        sheet.text(left + 75, top - 12, axes, "soft", looks="number", size=13)
        tiles(sheet, left, top, 33, chosen)
        sheet.text(left - 14, top + 61, "N", "soft", size=13)
        sheet.text(left + 75, top + 130, "C", "soft", size=13)
    return sheet


def reads() -> Sheet:
    """Section 8: which pixels a down-sampling layer reads."""
    sheet = Sheet(
        height=262,
        title="How often each pixel is read by three ways to halve a 6 by 6 map",
        description="A 1 by 1 convolution with stride 2 reads every fourth pixel once and the others never. "
        "2 by 2 windows with stride 2, as in pooling, read every pixel once. A 3 by 3 convolution with stride 2 "
        "and padding 1 reads every pixel, some of them two or four times.",
    )
    cases = (
        ("1 × 1", 1, 0, "a quarter is read"),
        ("2 × 2", 2, 0, "all, once each"),
        ("3 × 3, padding 1", 3, 1, "all, some often"),
    )
    for number, (name, kernel, padding, note) in enumerate(cases):
        left = 17 + 154 * number
        # A window may start wherever all of it lies inside the padded map.
        starts = range(-padding, 6 + padding - kernel + 1, 2)
        along = [sum(start <= at < start + kernel for start in starts) for at in range(6)]
        counts = [[down * across for across in along] for down in along]
        unread = {
            (row, column): "still" for row in range(6) for column in range(6) if not counts[row][column]
        }
        sheet.text(left + 69, 34, name, looks="strong")
        sheet.grid(left, 48, [[float(count) for count in row] for row in counts], "in", cell=23, kinds=unread)
        sheet.text(left + 69, 210, note, "soft")
    sheet.text(240, 242, "stride 2 everywhere; all three give a 3 × 3 map", "soft")
    return sheet


def shift() -> Sheet:
    """Section 8: one pixel further, another answer."""
    signal = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]
    moved = [*signal[1:], signal[0]]
    cell = 38
    sheet = Sheet(
        height=338,
        title="Max pooling of a signal, and of the same signal moved by one pixel",
        description="Windows of 2 with stride 2. The signal 0 0 1 1 0 0 1 1 pools to 0 1 0 1. Moved by one "
        "pixel it is 0 1 1 0 0 1 1 0 and pools to 1 1 1 1: all of its structure is gone.",
    )
    for top, name, values in (
        (50, "a signal", signal),
        (200, "the same signal, one pixel to the left", moved),
    ):
        left = 240 - 4 * cell
        sheet.text(240, top - 16, name, looks="strong")
        sheet.grid(left, top, [values], "in", cell=cell)
        for window in range(4):
            x = left + 2 * window * cell
            sheet.frame(x, top, 2 * cell, cell)
            sheet.arrow(x + cell, top + cell + 4, x + cell, top + cell + 22)
            pooled = max(values[2 * window : 2 * window + 2])
            sheet.grid(x + cell / 2, top + cell + 26, [[pooled]], "out", cell=cell)
    sheet.text(240, 324, "max pooling, kernel 2, stride 2", "soft")
    return sheet


CHILDREN = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc")


def freezing() -> Sheet:
    """Section 9: what is frozen."""
    sheet = Sheet(
        height=268,
        title="Which parts of ResNet-18 train",
        description="Freezing layer1 alone leaves conv1 and bn1, which come before it, training, and keeps the old "
        "head. Freezing up to layer1 freezes conv1, bn1 and layer1; the new head and the rest train.",
    )
    rows = (
        (52, "only layer1 frozen, old head", {"layer1"}, "conv1 and bn1, the earliest layers, still train"),
        (
            158,
            "frozen up to layer1, new head",
            {"conv1", "bn1", "layer1"},
            "what is general is kept; the head fits the new task",
        ),
    )
    for top, name, frozen, note in rows:
        sheet.text(240, top - 12, name, looks="strong")
        for number, child in enumerate(CHILDREN):
            new = child == "fc" and "conv1" in frozen
            x = 17 + 64 * number
            sheet.box(x, top, 60, 44, "still" if child in frozen else "out")
            if new:
                sheet.frame(x, top, 60, 44)
            sheet.text(x + 30, top + 19, "new fc" if new else child, looks="number", size=13)
            sheet.text(x + 30, top + 36, "frozen" if child in frozen else "trains", "soft", size=13)
        sheet.text(240, top + 64, note, "soft")
    sheet.text(240, 254, "image → … → class scores", "soft", size=13)
    return sheet


def overview() -> Sheet:
    """Section 10: one picture of the whole."""
    sheet = Sheet(
        height=452,
        title="A convolutional network, and the section that explains each part",
        description="From top to bottom: image, then a block of convolution, normalization, activation and "
        "down-sampling, which is repeated; then global average pooling, a linear layer, and the logits, which go "
        "to the loss. The numbers of the sections stand on the right.",
    )
    steps = (
        ("image", "(N, 3, 32, 32)", "1", "in"),
        ("convolution, padded", "(N, 16, 32, 32)", "2, 3", "window"),
        ("normalization", "(N, 16, 32, 32)", "7", "window"),
        ("activation", "(N, 16, 32, 32)", "5", "window"),
        ("down-sampling", "(N, 16, 16, 16)", "4, 8", "window"),
        ("global average pooling", "(N, C, 1, 1)", "4", "window"),
        ("flatten, linear", "(N, 10)", "6", "window"),
        ("logits → loss", "", "6", "out"),
    )
    sheet.text(410, 30, "section", "soft", size=13)
    for number, (name, shape, section, kind) in enumerate(steps):
        y = 42 + 50 * number
        sheet.box(56, y, 316, 34, kind)
        sheet.text(68, y + 22, name, anchor="start")
        if shape:
            sheet.text(360, y + 22, shape, looks="number", size=13, anchor="end")
        sheet.text(410, y + 22, section, looks="number")
        if number:
            sheet.arrow(214, y - 15, 214, y - 2)
    sheet.path("M48 109C28 109 28 109 28 125V243C28 259 28 259 48 259", "still")
    sheet.path("M42 104.5L48 109L42 113.5", "still")
    sheet.parts.append(
        '<text transform="translate(20 184) rotate(-90)" font-size="13" text-anchor="middle" class="soft-text">'
        "repeat, with more channels</text>"
    )
    sheet.path("M436 42H446V276H436", "still")
    sheet.parts.append(
        '<text transform="translate(464 160) rotate(-90)" font-size="13" text-anchor="middle" class="soft-text">'
        "often kept for a new task: 9</text>"
    )
    return sheet
