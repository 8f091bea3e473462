"""The numbers in the pictures of the course's text are those that torch computes.

The numbers are read out of each SVG file: tables of cells, other texts, places of boxes, points of curves. A picture
that shows a number needs an entry in `EXPECTED`, and an entry must say every number that its picture shows.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

NOTES = Path(__file__).parent.parent / "docs" / "notes"
PICTURES = sorted((NOTES / "img").glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
NUMBER = re.compile(r"(?<![A-Za-z0-9.])-?\d[\d,]*(?:\.\d+)?")  # the 1 of conv1 is a part of a name
MIN_CELL = 20  # smaller boxes are marks, not cells


@dataclass(frozen=True)
class Box:
    """A rectangle; `looks` are its classes."""

    x: float
    y: float
    width: float
    height: float
    looks: tuple[str, ...]

    @property
    def is_cell(self) -> bool:
        return self.width == self.height >= MIN_CELL and "outline" not in self.looks

    def holds(self, x: float, y: float) -> bool:
        return self.x < x < self.x + self.width and self.y < y < self.y + self.height

    def touches(self, other: "Box") -> bool:
        apart = sorted((abs(self.x - other.x), abs(self.y - other.y)))
        return self.width == other.width and apart == pytest.approx([0, self.width], abs=0.01)


@dataclass(frozen=True)
class Words:
    """A text in a picture."""

    x: float
    y: float
    text: str


class Picture:
    """What an SVG file shows."""

    def __init__(self, svg: str) -> None:
        root = ET.fromstring(svg)
        self.boxes = [
            Box(
                *(float(rect.get(name)) for name in ("x", "y", "width", "height")),
                tuple(rect.get("class").split()),
            )
            for rect in root.iter(f"{SVG}rect")
        ]
        self.words = [
            Words(float(text.get("x", 0)), float(text.get("y", 0)), plain(text.text))
            for text in root.iter(f"{SVG}text")
        ]
        self.paths = [(path.get("class").split(), path.get("d")) for path in root.iter(f"{SVG}path")]
        self.described = plain(root.find(f"{SVG}desc").text)

    @cached_property
    def cells(self) -> dict[Box, str]:
        """The square boxes, each with the text in it."""
        squares = [box for box in self.boxes if box.is_cell]
        return {box: " ".join(w.text for w in self.words if box.holds(w.x, w.y)) for box in squares}

    def tables(self) -> list[list[list[str]]]:
        """Return the tables that hold a number, from top to bottom and from left to right; a table is of cells that touch."""
        groups: list[list[Box]] = []
        for box in self.cells:
            near = [group for group in groups if any(box.touches(other) for other in group)]
            groups = [group for group in groups if group not in near] + [[box, *(b for g in near for b in g)]]
        groups = [group for group in groups if any(NUMBER.search(self.cells[box]) for box in group)]
        groups.sort(key=lambda group: (min(box.y for box in group), min(box.x for box in group)))
        return [self._rows(group) for group in groups]

    def _rows(self, group: list[Box]) -> list[list[str]]:
        heights = sorted({box.y for box in group})
        return [
            [self.cells[box] for box in sorted(group, key=lambda box: box.x) if box.y == y] for y in heights
        ]

    def sentences(self) -> list[str]:
        """Return the texts with a number that stand in no table."""
        inside = {text for text in self.cells.values() if text}
        return [
            w.text
            for w in self.words
            if NUMBER.search(w.text)
            and not (w.text in inside and any(box.holds(w.x, w.y) for box in self.cells))
        ]


def plain(text: str) -> str:
    return text.replace("\N{MINUS SIGN}", "-")


def shown(tensor: torch.Tensor) -> list[list[str]]:
    return [[f"{value:g}" for value in row] for row in tensor.tolist()]


def pair(found: Picture, tables: list[torch.Tensor], sentences: list[str]) -> None:
    """Compare every number of a picture: its tables, and its other texts, in any order."""
    assert found.tables() == [shown(table) for table in tables]
    assert sorted(found.sentences()) == sorted(sentences)


def count(layer: nn.Module) -> int:
    return sum(p.numel() for p in layer.parameters())


# --- what torch says of each picture


def local(found: Picture) -> None:
    dense, window = nn.Linear(36, 1).weight.numel(), nn.Conv2d(1, 1, 3).weight.numel()
    pair(
        found,
        [],
        [
            f"looks at all {dense} pixels,",
            f"with {dense} weights of its own",
            f"looks at {window} pixels; {window} weights,",
        ],
    )
    assert sum("window" in box.looks for box in found.cells) == window
    assert sum("in" in box.looks for box in found.cells) == 2 * dense - window


def convolution(found: Picture) -> None:
    image, kernel, result = (
        torch.tensor([[float(cell) for cell in row] for row in table]) for table in found.tables()
    )
    assert torch.equal(F.conv2d(image[None, None], kernel[None, None])[0, 0], result)
    lines = [text for text in found.sentences() if "\N{MIDDLE DOT}" in text]
    products, total = " ".join(lines).split(" = ")
    factors = [
        tuple(map(float, p.replace("(", "").replace(")", "").split("\N{MIDDLE DOT}")))
        for p in products.split(" + ")
    ]
    assert factors == list(zip(image[:3, :3].flatten().tolist(), kernel.flatten().tolist(), strict=True))
    assert float(total) == sum(a * b for a, b in factors) == result[0, 0]
    sizes = {"input": image, "kernel": kernel, "output": result}
    pair(
        found,
        [image, kernel, result],
        [*lines, *(f"{name} {len(of)} \N{MULTIPLICATION SIGN} {len(of[0])}" for name, of in sizes.items())],
    )


def filters(found: Picture) -> None:
    layer = nn.Conv2d(3, 8, 3)
    out, deep, high, wide = layer.weight.shape
    pair(
        found,
        [],
        [
            f"{out} filters",
            f"({deep}, H, W)",
            f"{deep} channels",
            "filter 0",
            "filter 1",
            f"filter {out - 1}",
            f"each ({deep}, {high}, {wide}), + {layer.bias.numel() // out} bias",
            f"({out}, H\N{PRIME}, W\N{PRIME})",
            "1 per filter",
            f"{out} \N{MIDDLE DOT} ({deep} \N{MIDDLE DOT} {high} \N{MIDDLE DOT} {wide}) weights + {out} biases = {count(layer)} parameters",
        ],
    )
    assert sum("out" in box.looks for box in found.boxes) == out
    assert sum("in" in box.looks for box in found.boxes) == deep


def stride(found: Picture) -> None:
    axes = found.tables()
    cases = ((7, 0), (8, 0), (7, 1))
    for axis, (size, padding) in zip(axes, cases, strict=True):
        assert axis == [["pad"] * padding + [str(n) for n in range(size)] + ["pad"] * padding]
        places = F.conv1d(torch.zeros(1, 1, size), torch.ones(1, 1, 3), stride=2, padding=padding).shape[-1]
        cells = cells_of(found, axis[0])
        first = cells[0]
        below = next((box.y for box in found.cells if box.y > first.y), float("inf"))
        marks = [box for box in found.boxes if first.y < box.y < below and not box.is_cell]
        whole = [box for box in marks if "dashed" not in box.looks]
        assert len(whole) == places
        for n, mark in enumerate(sorted(whole, key=lambda box: box.x)):
            covered = [
                k for k, cell in enumerate(cells) if mark.x < cell.x + cell.width / 2 < mark.x + mark.width
            ]
            assert covered == [2 * n, 2 * n + 1, 2 * n + 2]
    places = [
        F.conv1d(torch.zeros(1, 1, size), torch.ones(1, 1, 3), stride=2, padding=padding).shape[-1]
        for size, padding in cases
    ]
    assert sorted(found.sentences()) == sorted(
        [
            f"size 7, kernel 3, stride 2: {places[0]} places",
            f"size 8: still {places[1]} places",
            f"size 7 with padding 1: {places[2]} places",
        ]
    )


def cells_of(found: Picture, texts: list[str]) -> list[Box]:
    """Return the row of cells that reads like this."""
    rows: dict[float, list[Box]] = {}
    for box in sorted(found.cells, key=lambda box: box.x):
        rows.setdefault(box.y, []).append(box)
    return next(row for row in rows.values() if [found.cells[box] for box in row] == texts)


def receptive_field(found: Picture) -> None:
    net = nn.Sequential(*[nn.Conv1d(1, 1, 3, padding=1, bias=False) for _ in range(3)])
    for parameter in net.parameters():
        nn.init.ones_(parameter)
    values = [torch.zeros(1, 1, 9, requires_grad=True)]
    for layer in net:
        values.append(layer(values[-1]))
    gradients = torch.autograd.grad(values[-1][0, 0, 4], values)
    expected = [(gradient[0, 0] != 0).tolist() for gradient in gradients]
    rows = sorted({box.y for box in found.cells}, reverse=True)
    marked = [
        ["plain" not in box.looks for box in sorted(found.cells, key=lambda box: box.x) if box.y == y]
        for y in rows
    ]
    assert marked == expected
    layers = ["after 1 layer", "after 2 layers", "after 3 layers"]
    pair(found, [], [*(str(sum(row)) for row in expected), *layers])


def pooling(found: Picture) -> None:
    image = torch.tensor([[1.0, 3, 2, 0], [5, 2, 1, 4], [0, 1, -2, -1], [1, 2, -3, -4]])
    largest, mean = (pool(image[None, None], 2)[0, 0] for pool in (F.max_pool2d, F.avg_pool2d))
    size, times = len(image), "\N{MULTIPLICATION SIGN}"
    pair(found, [largest, image, mean], [f"input {size} {times} {size}", f"windows of 2 {times} 2, stride 2"])


def activation(found: Picture) -> None:
    functions = {
        "ReLU": F.relu,
        "Leaky ReLU, slope 0.1": lambda x: F.leaky_relu(x, 0.1),
        "ELU, \N{GREEK SMALL LETTER ALPHA} = 1": lambda x: F.elu(x, 1.0),
        "GELU": F.gelu,
    }
    titles = [w for w in found.words if w.text in functions]
    assert [w.text for w in titles] == list(functions)
    assert [text for text in found.sentences() if text not in functions] == ["-2", "2", "1", "3"] * 4
    curves = [(kinds, points(steps)) for kinds, steps in found.paths if steps.count("L") > 50]
    for n, title in enumerate(titles):
        ticks = {
            int(w.text): w
            for w in found.words
            if re.fullmatch(r"-?\d", w.text) and abs(w.x - title.x) < 100 and 0 < w.y - title.y < 160
        }
        per_x = (ticks[2].x - ticks[-2].x) / 4
        per_y = (ticks[1].y - ticks[3].y) / 2
        floor = ticks[1].y - 5 + per_y  # letters stand 5 below the place they name
        for kinds, drawn in curves[2 * n : 2 * n + 2]:
            x = torch.tensor([(px - title.x) / per_x for px, _ in drawn], requires_grad=True)
            value = functions[title.text](x)
            (slope,) = torch.autograd.grad(value.sum(), x)
            y = torch.tensor([(floor - py) / per_y for _, py in drawn])
            expected = slope if "dashed" in kinds else value.detach()
            assert torch.allclose(y, expected, atol=0.02), title.text
        assert sum("dashed" in kinds for kinds, _ in curves[2 * n : 2 * n + 2]) == 1


def points(steps: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", steps)]


def lenet(found: Picture) -> None:
    times = "\N{MULTIPLICATION SIGN}"
    layers = {
        "conv1": nn.Conv2d(1, 20, 5, padding=2),
        "conv2": nn.Conv2d(20, 50, 5, padding=2),
        "fc1": nn.Linear(2450, 500),
        "fc2": nn.Linear(500, 10),
    }
    x = torch.zeros(1, 1, 28, 28)
    shapes = [x.shape]
    for name in ("conv1", "conv2"):
        x = layers[name](x)
        shapes.append(x.shape)
        x = F.max_pool2d(x, 2)
        shapes.append(x.shape)
    flat = x.flatten(1)
    hidden = layers["fc1"](flat)
    total = sum(map(count, layers.values()))
    pair(
        found,
        [],
        [
            *(times.join(map(str, shape[1:])) for shape in shapes),
            f"flatten {flat.shape[1]} \N{RIGHTWARDS ARROW} fc1 {hidden.shape[1]} \N{RIGHTWARDS ARROW} ReLU "
            f"\N{RIGHTWARDS ARROW} fc2 {layers['fc2'](hidden).shape[1]} logits",
            f"{total:,} parameters, bars to scale",
            *(f"{count(layer):,}  ({100 * count(layer) / total:.2f} %)" for layer in layers.values()),
        ],
    )
    bars = sorted(
        (box for box in found.boxes if box.height == 22 and "window" in box.looks), key=lambda box: box.y
    )
    longest = max(bars, key=lambda box: box.width)
    for bar, layer in zip(bars, layers.values(), strict=True):
        true = longest.width * count(layer) / count(layers["fc1"])
        assert bar.width == pytest.approx(max(2, true), abs=0.1)


def batchnorm(found: Picture) -> None:
    momentum = nn.BatchNorm2d(1).momentum
    step = f"running \N{LEFTWARDS ARROW} {1 - momentum:g} \N{MIDDLE DOT} running + {momentum:g} \N{MIDDLE DOT} batch"
    layer, x = nn.BatchNorm1d(1), torch.tensor([[1.0], [5.0]])
    layer(x)
    assert layer.running_var.item() == pytest.approx(1 - momentum + momentum * x.var(correction=1).item())
    pair(found, [], [step, "(its variance \N{DIVISION SIGN} (n - 1))"])
    assert marked_maps(found) == [maps_of_one_mean(nn.BatchNorm2d(4), channel=1)]


def normalization(found: Picture) -> None:
    pair(found, [], ["group, 2 of them"])
    layers = (nn.BatchNorm2d(4), nn.LayerNorm([4, 2, 2]), nn.InstanceNorm2d(4), nn.GroupNorm(2, 4))
    assert marked_maps(found) == [maps_of_one_mean(layer) for layer in layers]


def marked_maps(found: Picture) -> list[list[list[bool]]]:
    """Return for each table of 3 images by 4 channels which maps are marked."""
    cells = list(found.cells)  # table by table, image by image
    assert len(cells) % 12 == 0
    marks = [["window" in box.looks for box in cells[n : n + 4]] for n in range(0, len(cells), 4)]
    return [marks[n : n + 3] for n in range(0, len(marks), 3)]


def maps_of_one_mean(layer: nn.Module, channel: int = 0) -> list[list[bool]]:
    """Return which maps of 3 images by 4 channels one normalized value depends on."""
    x = torch.randn(3, 4, 2, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x)[0, channel, 0, 0], x)
    return (gradient.abs().sum(dim=(2, 3)) > 1e-6).tolist()


def reads(found: Picture) -> None:
    times, tables, outputs = "\N{MULTIPLICATION SIGN}", [], set()
    for kernel, padding in ((1, 0), (2, 0), (3, 1)):
        x = torch.zeros(1, 1, 6, 6, requires_grad=True)
        y = F.conv2d(x, torch.ones(1, 1, kernel, kernel), stride=2, padding=padding)
        outputs.add(tuple(y.shape[2:]))
        tables.append(torch.autograd.grad(y.sum(), x)[0][0, 0])
    ((high, wide),) = outputs
    pair(
        found,
        tables,
        [
            f"1 {times} 1",
            f"2 {times} 2",
            f"3 {times} 3, padding 1",
            f"stride 2 everywhere; all three give a {high} {times} {wide} map",
        ],
    )
    assert [found.cells[box] for box in found.cells if "still" in box.looks] == ["0"] * int(
        (tables[0] == 0).sum()
    )
    assert (tables[0] != 0).float().mean() == 0.25  # "a quarter is read"
    assert set(tables[1].flatten().tolist()) == {1.0}  # "all, once each"
    assert set(tables[2].flatten().tolist()) == {1.0, 2.0, 4.0}  # "some of them two or four times"


def shift(found: Picture) -> None:
    signal = torch.tensor([0.0, 0, 1, 1, 0, 0, 1, 1])
    tables = []
    for values in (signal, signal.roll(-1)):
        pooled = F.max_pool1d(values[None], 2)[0]
        tables += [values[None], *pooled[:, None, None]]
    pair(found, tables, ["max pooling, kernel 2, stride 2"])


def overview(found: Picture) -> None:
    image = torch.zeros(2, 3, 32, 32)
    maps = nn.Conv2d(3, 16, 3, padding=1)(image)
    normal, bent = nn.BatchNorm2d(16)(maps), F.relu(maps)
    small = F.max_pool2d(bent, 2)
    pooled = F.adaptive_avg_pool2d(small, 1)
    scores = nn.Linear(16, 10)(pooled.flatten(1))
    batch = [f"(N, {', '.join(map(str, x.shape[1:]))})" for x in (image, maps, normal, bent, small, scores)]
    sections = {
        page.stem.split("-", 1)[1]: int(page.stem[:2])
        for page in NOTES.glob("0*.md")
        if "-7-" not in page.stem
    }
    named = [
        ["introduction"],
        ["convolution", "padding-and-stride"],
        ["1-batch-normalization"],
        ["activation"],
        ["pooling", "strided-convolution-or-pooling"],
        ["pooling"],
        ["lenet"],
        ["lenet"],
    ]
    numbers = [", ".join(str(sections[name]) for name in names) for names in named]
    globally = f"(N, C, {', '.join(map(str, pooled.shape[2:]))})"
    pair(found, [], [*batch, globally, *numbers, f"often kept for a new task: {sections['fine-tuning']}"])


EXPECTED: dict[str, Callable[[Picture], None]] = {
    compare.__name__: compare
    for compare in (
        local, convolution, filters, stride, receptive_field, pooling, activation, lenet, batchnorm, normalization, reads,
        shift, overview,
    )
}  # fmt: skip


def read(path: Path) -> Picture:
    return Picture(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_every_number_in_a_picture_is_what_torch_computes(path):
    found = read(path)
    if path.stem in EXPECTED:
        EXPECTED[path.stem](found)
    else:
        assert not found.tables(), "a picture with numbers needs an entry in EXPECTED"
        assert not found.sentences(), "a picture with numbers needs an entry in EXPECTED"


@pytest.mark.parametrize(
    "path", [path for path in PICTURES if read(path).tables()], ids=lambda path: path.stem
)
def test_any_other_number_in_a_cell_is_found(path):
    """A wrong number cannot hide: each cell is changed in turn."""
    svg = path.read_text(encoding="utf-8")
    cells = list(re.finditer(r'(class="ink-text number">)([^<A-Za-z]*\d[^<A-Za-z]*)(</text>)', svg))
    assert cells
    for cell in cells[:: max(1, len(cells) // 12)]:
        changed = Picture(svg[: cell.start(2)] + "77" + svg[cell.end(2) :])
        with pytest.raises((AssertionError, ValueError)):
            EXPECTED[path.stem](changed)


def test_what_a_picture_is_said_to_show_it_shows():
    """A number of two digits or more, in a text alternative, stands in the picture."""
    page_texts = {
        Path(target).stem: plain(words)
        for page in NOTES.glob("[0-9]*.md")
        for words, target in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    }
    for path in PICTURES:
        found = read(path)
        digits = re.findall(r"\d+", " ".join(w.text for w in found.words).replace(",", ""))
        for words in (found.described, page_texts[path.stem]):
            named = set(re.findall(r"(?<![\w-])\d\d+", words.replace(",", "")))
            slices = {"27"} if path.stem == "filters" else set()  # 3 times 3 times 3
            assert named <= {*digits, *slices}, (path.stem, words)
