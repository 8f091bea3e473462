"""When a check of a whole model fails, shows the first layer whose shape, or whose values, are not the right ones."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from textwrap import wrap

import torch

from grader.grading.engine.proxy import CallFailed, RemoteModule
from grader.grading.engine.suite.comparison import Mismatch
from grader.grading.engine.suite.location import locate
from grader.grading.engine.suite.relation import relation
from grader.grading.engine.suite.shapes import AXES

MAX_ROWS = 12
MAX_LABEL = 24
_MAX_LINE = 72  # of what is said below a table
_NEARLY = 1e-4  # of the largest value of a layer: what the order of a sum may change

Shape = tuple[int, ...]
Layer = tuple[str, Shape | torch.Tensor]
Values = tuple[str, torch.Tensor]
Step = tuple[str, torch.Tensor | None]


@contextlib.contextmanager
def layer_by_layer(model: RemoteModule, x: torch.Tensor, layers: Sequence[Layer]) -> Iterator[None]:
    """Add a table to what fails inside: each layer, what is expected after it, and what the student has.

    `layers` are the steps of the right model, in order, each with the shape of one sample, or with the right values for
    the whole of `x`. Of several of the student's steps with one shape, the last counts: an activation belongs to the
    layer before it, unless it is listed too.
    What the student's model reports about itself explains a failure, and never decides one.
    """
    try:
        yield
    except (Mismatch, CallFailed) as failure:
        with contextlib.suppress(CallFailed):
            failure.where = _table(model, x, layers, failure) or failure.where
        raise


def _table(
    model: RemoteModule, x: torch.Tensor, layers: Sequence[Layer], failure: Mismatch | CallFailed
) -> str:
    """Return the table of the first wrong sample's values, where the right ones are known; else that of shapes."""
    sample = _first_wrong_sample(failure, x)
    right = [(name, value) for name, value in layers if isinstance(value, torch.Tensor)]
    if sample is not None and len(right) == len(layers):
        values = value_table(model.value_trace(x, sample), x, right, sample)
        if values is not None:
            return values
    return shape_table(model.shape_trace(x), x, layers)


def _first_wrong_sample(failure: Mismatch | CallFailed, x: torch.Tensor) -> int | None:
    """Return the first sample of a batch with wrong values; None where no values of a batch were compared."""
    cells = failure.cells if isinstance(failure, Mismatch) else None
    if cells is None or not cells.dim() or cells.shape[:1] != x.shape[:1]:
        return None
    return int(cells.nonzero()[0, 0])


# --- shapes


def shape_table(steps: Sequence[tuple[str, Shape | None]], x: torch.Tensor, layers: Sequence[Layer]) -> str:
    """Return the table of the steps that change the shape, or nothing where every shape is the expected one."""
    right = [(name, (len(x), *_shape_of(value))) for name, value in layers]
    expected, got = list(_changes(right, x)), list(_changes(steps, x))
    if [shape for _, shape in expected] == [shape for _, shape in got]:
        return ""
    rows = list(zip_longest(expected, got, fillvalue=("", "-")))
    first = next(n for n, ((_, wanted), (_, shape)) in enumerate(rows) if wanted != shape)
    table = []
    for (name, wanted), (label, shape) in rows:
        step = "" if label in ("", name) else f"by {label}"
        table.append((name, wanted, shape, step))
    return _drawn(("layer", "expected", "yours", ""), table, first)


def _shape_of(value: Shape | torch.Tensor) -> Shape:
    """Return the shape of one sample."""
    return tuple(value.shape[1:]) if isinstance(value, torch.Tensor) else value


def _changes(steps: Sequence[tuple[str, Shape | None]], x: torch.Tensor) -> Iterator[tuple[str, str]]:
    """Yield the steps that change the shape, and the one that raised."""
    batch, last = x.shape[0], _shown(tuple(x.shape[1:]))
    for label, shape in steps:
        if shape is None:
            yield _short(label), "raises"
            return
        whole = shape[:1] == (batch,)
        text = _shown(shape[1:]) if whole else f"{_shown(shape)}, no batch axis"
        if text != last:
            last = text
            yield _short(label), text


def _shown(shape: Shape) -> str:
    return " x ".join(map(str, shape)) or "one number"


# --- values


@dataclass(frozen=True, slots=True, kw_only=True)
class _PairedLayer:
    """A layer with its right values, and the student's step that stands for it: None where there is none.

    `goes_on` says that more of the student's steps than are listed have this shape.
    """

    name: str
    expected: torch.Tensor
    label: str
    got: torch.Tensor | None
    goes_on: bool

    @property
    def wrong(self) -> torch.Tensor:
        """Where the values differ."""
        if self.got is None:
            return torch.ones_like(self.expected, dtype=torch.bool)
        return ~_close(self.got, self.expected)

    @property
    def is_right(self) -> bool:
        """Whether no value differs."""
        return not bool(self.wrong.any())


def value_table(steps: Sequence[Step], x: torch.Tensor, layers: Sequence[Values], sample: int) -> str | None:
    """Return the table of the layers up to the first wrong one, and how that differs; "" where none is wrong.

    None where the student's steps lack the shape of a layer, and cannot be compared.
    """
    rows = list(_rows([(name, value.detach()[sample]) for name, value in layers], steps, x.shape[1:]))
    if len(rows) < len(layers):
        return None
    first = _first_wrong(rows)
    if first is None:
        return ""
    table = [
        (row.name, _shown(tuple(row.expected.shape)), _extent(row.expected), _extent(row.got)) for row in rows
    ]
    drawn = _drawn(("layer", "shape", "expected", "yours"), table[: first + 1], first)
    place = f", in sample {sample}" if len(x) > 1 else ""
    return "\n".join([drawn, *wrap(_difference(rows[first], place), _MAX_LINE)])


def _rows(layers: Sequence[Values], steps: Sequence[Step], start: torch.Size) -> Iterator[_PairedLayer]:
    """Pair the layers of each shape with the student's steps of it, in order; the last one with the last.

    The student's may take other shapes in between. Ends where no step has the shape of a layer.
    """
    parts = iter(_by_shape(steps, start))
    for shape, listed in _by_shape(layers, start):
        own = next((found for own_shape, found in parts if own_shape == shape), None)
        if own is None:
            return
        for n, (name, expected) in enumerate(listed):
            is_last = n == len(listed) - 1 and len(own) > n
            label, got = own[-1] if is_last else own[n] if n < len(own) else ("", None)
            yield _PairedLayer(
                name=name,
                expected=expected.double(),
                label=_short(label),
                got=None if got is None else got.double(),
                goes_on=len(own) > len(listed),
            )


def _by_shape(steps: Sequence[Step], start: torch.Size) -> list[tuple[torch.Size, list[Values]]]:
    """Part steps where the shape changes, up to one that raised. Those of the first part keep the input's shape."""
    parts: list[tuple[torch.Size, list[Values]]] = [(start, [])]
    for label, value in steps:
        if value is None:
            break
        if value.shape != parts[-1][0]:
            parts.append((value.shape, []))
        parts[-1][1].append((label, value))
    return parts


def _first_wrong(rows: Sequence[_PairedLayer]) -> int | None:
    """Return the first wrong layer behind the last right one: whatever is wrong before that does no harm."""
    right = [n for n, row in enumerate(rows) if row.is_right]
    wrong = range(right[-1] + 1 if right else 0, len(rows))
    return next((n for n in wrong if not _waits(rows[n : n + 2])), None)


def _waits(rows: Sequence[_PairedLayer]) -> bool:
    """Tell whether all that a layer lacks is a ReLU, which the student has behind the next one, a pooling."""
    match rows:
        case [
            _PairedLayer(got=torch.Tensor() as got, expected=expected),
            _PairedLayer(got=torch.Tensor() as after) as following,
        ]:
            activated = bool(_close(got.clamp(min=0), expected).all())
            return activated and following.goes_on and not bool((after < 0).any())
    return False


def _close(got: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    largest = float(expected.nan_to_num(0, 0, 0).abs().max()) if expected.numel() else 0.0
    return torch.isclose(got, expected, rtol=_NEARLY, atol=_NEARLY * largest, equal_nan=True)


def _difference(row: _PairedLayer, place: str) -> str:
    """Say in one phrase how the values of a layer differ."""
    if row.got is None:
        return f"{row.name}: yours has no such step"
    axes = AXES.get(row.expected.dim(), ())
    rule = relation(row.got, row.expected, axes) or locate(row.got, row.expected, row.wrong, axes)
    step = "" if row.label in ("", row.name) else f", after {row.label}"
    return f"{row.name}{step}{place}: {rule}"


def _extent(values: torch.Tensor | None) -> str:
    """Return the smallest and the largest of the values."""
    if values is None or not values.numel():
        return "-"
    if bool(values.isnan().any()):
        return "holds NaN"
    low, high = (f"{value:.3g}" for value in (values.amin(), values.amax()))
    return low if low == high else f"{low} to {high}"


# --- text


def _drawn(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]], first: int) -> str:
    """Return rows below their titles, the first wrong one marked; of many, those that end with it."""
    start = max(0, first - MAX_ROWS + 1)
    marked = [(">" if n == first else "", *row) for n, row in enumerate(rows)][start : start + MAX_ROWS]
    table = [("", *titles), *marked]
    widths = [max(len(row[n]) for row in table) for n in range(len(titles) + 1)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def _short(label: str) -> str:
    """Return a label that the student's module sent as short text on one line."""
    text = "".join(c if c.isprintable() else "?" for c in label)
    return text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 3]}..."
