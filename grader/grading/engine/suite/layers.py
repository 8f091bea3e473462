"""When a check of a whole model fails, shows the first layer whose shape is not the expected one."""

import contextlib
from collections.abc import Iterator, Sequence
from itertools import zip_longest

import torch

from grader.grading.engine.proxy import CallFailed, RemoteModule
from grader.grading.engine.suite.comparison import Mismatch

MAX_ROWS = 12
MAX_LABEL = 24

Shape = tuple[int, ...]
Row = tuple[str, str]


@contextlib.contextmanager
def layer_by_layer(
    model: RemoteModule, x: torch.Tensor, layers: Sequence[tuple[str, Shape]]
) -> Iterator[None]:
    """Add a table of shapes to what fails inside: each layer, its expected shape and the student's.

    `layers` are the steps of the right model that change the shape, in order, each with the shape of one sample.
    The student's shapes are what the model reports about itself: they explain a failure, and never decide one.
    """
    try:
        yield
    except (Mismatch, CallFailed) as failure:
        with contextlib.suppress(CallFailed):
            failure.where = shape_table(model.shape_trace(x), x, layers) or failure.where
        raise


def shape_table(
    steps: Sequence[tuple[str, Shape | None]], x: torch.Tensor, layers: Sequence[tuple[str, Shape]]
) -> str:
    """Return the table, or nothing where every shape is the expected one."""
    expected = [(label, _shown(shape)) for label, shape in layers]
    got = list(_changes(steps, x))
    if [shape for _, shape in expected] == [shape for _, shape in got]:
        return ""
    rows = list(zip_longest(expected, got, fillvalue=("", "-")))
    first = next(n for n, ((_, wanted), (_, shape)) in enumerate(rows) if wanted != shape)
    table = [("", "layer", "expected", "yours", "")]
    for n, ((name, wanted), (label, shape)) in enumerate(rows):
        step = "" if label in ("", name) else f"by {label}"
        table.append((">" if n == first else "", name, wanted, shape, step))
    widths = [max(len(row[n]) for row in table) for n in range(5)]
    shown = table[: MAX_ROWS + 1]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in shown
    )


def _changes(steps: Sequence[tuple[str, Shape | None]], x: torch.Tensor) -> Iterator[Row]:
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


def _short(label: str) -> str:
    """Return a label that the student's module sent as short text on one line."""
    text = "".join(c if c.isprintable() else "?" for c in label)
    return text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 3]}..."
