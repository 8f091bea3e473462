"""Names a simple rule that turns the expected values into the student's: flipped, scaled, shifted, reordered."""

from collections.abc import Callable, Iterator

import torch

Tensor = torch.Tensor

_MAX_VALUES = 2_000_000  # larger tensors would take seconds, for one sentence
_MAX_PAIRS = 1_000_000
_NEARLY = 1e-3
_DIGITS_OF_FLOAT32 = (1e-9, 5e-7)  # of the largest value: what a computation in float32 is off by, in float64


def relation(got: Tensor, expected: Tensor, axes: tuple[str, ...]) -> str:
    """Return the rule as one phrase, or "" where no simple one holds. Both are float64 of one shape, and differ."""
    if not 2 <= expected.numel() <= _MAX_VALUES or not bool((got.isfinite() & expected.isfinite()).all()):
        return ""
    named = tuple("C" if name == "channel" else name for name in axes)
    found = (phrase for rule in _RULES for phrase in rule(got, expected, named))
    return next(found, "")


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-5, atol=1e-6)


def _is_constant(values: Tensor) -> bool:
    """Return whether all values are the same."""
    first = values.flatten()[0]
    return torch.allclose(values, first.expand_as(values), rtol=1e-4, atol=1e-6)


def _constant(got: Tensor, expected: Tensor, _: tuple[str, ...]) -> Iterator[str]:
    if bool((got == got.flatten()[0]).all()) and not _is_constant(expected):
        yield f"yours is {got.flatten()[0]:.6g} everywhere"


def _mirrored(got: Tensor, expected: Tensor, _: tuple[str, ...]) -> Iterator[str]:
    if _equal(got, -expected):
        yield "every sign is flipped"
    if expected.dim() == 1 and _equal(got, expected.flip(0)):
        yield "it is what is expected, in reverse order"
    if expected.dim() < 2:
        return
    moves: tuple[tuple[str, Callable[[], Tensor]], ...] = (
        ("it is what is expected, flipped left to right", lambda: expected.flip(-1)),
        ("it is what is expected, flipped upside down", lambda: expected.flip(-2)),
        ("it is what is expected, rotated by 180 degrees", lambda: expected.flip(-1, -2)),
        ("it is the transpose of what is expected", lambda: expected.mT),
        ("it is what is expected, rotated by 90 degrees", lambda: expected.mT.flip(-1)),
        ("it is what is expected, rotated by 90 degrees", lambda: expected.mT.flip(-2)),
    )
    for phrase, moved in moves:
        if _equal(got, moved()):
            yield phrase


def _signs(got: Tensor, expected: Tensor, _: tuple[str, ...]) -> Iterator[str]:
    rules: tuple[tuple[str, Callable[[], Tensor]], ...] = (
        ("what should be negative is 0", lambda: expected.clamp(min=0)),
        ("what should be negative is positive", expected.abs),
        ("the fractions are cut off", expected.trunc),
        ("the values are rounded to whole numbers", expected.round),
    )
    for phrase, changed in rules:
        if bool((got == changed()).all()):
            yield phrase
    if bool((got < 0).any()) and _equal(got.clamp(min=0), expected):
        yield "what should be 0 is negative"


def _scaled(got: Tensor, expected: Tensor, _: tuple[str, ...]) -> Iterator[str]:
    if _is_constant(expected) or _equal(got, expected):
        return  # every rule fits a constant, and nearly equal values have a rule of their own
    if bool((expected.abs() > 1e-6).all()):
        ratio = got / expected
        if bool(ratio.any()) and _is_constant(ratio):
            yield f"every value is {ratio.flatten()[0]:.4g} times what is expected"
    if _is_constant(got - expected):
        yield f"every value is off by {(got - expected).flatten()[0]:+.4g}"


def _shifted(got: Tensor, expected: Tensor, _: tuple[str, ...]) -> Iterator[str]:
    """Find a shift by one row or column, whatever the values at the edge."""
    ways = {-1: ("column", "right", "left"), -2: ("row", "down", "up")}
    for axis, (noun, later, earlier) in ways.items():
        if axis < -expected.dim() or expected.shape[axis] < 3:
            continue
        inner = expected.shape[axis] - 1
        inner_got = (got.narrow(axis, 1, inner), got.narrow(axis, 0, inner))
        inner_expected = (expected.narrow(axis, 0, inner), expected.narrow(axis, 1, inner))
        moved = not _equal(inner_got[0], inner_expected[1])  # else only the edge is wrong
        for one, other, way in zip(inner_got, inner_expected, (later, earlier), strict=True):
            if moved and _equal(one, other):
                yield f"it is what is expected, shifted by one {noun} {way}"


def _reordered(got: Tensor, expected: Tensor, axes: tuple[str, ...]) -> Iterator[str]:
    """Find channels, or samples, in another order."""
    for axis, name in enumerate(axes if expected.dim() == len(axes) else ()):
        size = expected.shape[axis]
        if name not in ("N", "C") or size < 2 or size * expected.numel() > _MAX_PAIRS:
            continue
        rows, expected_rows = (t.movedim(axis, 0).reshape(size, -1) for t in (got, expected))
        pairs = torch.isclose(rows[:, None], expected_rows[None], rtol=1e-5, atol=1e-6).all(-1)
        if bool((pairs.sum(0) == 1).all() and (pairs.sum(1) == 1).all()):
            order = pairs.int().argmax(1).tolist()
            yield f"the {'samples' if name == 'N' else 'channels'} are in another order: {_listed(order)}"


def _by_channel(got: Tensor, expected: Tensor, axes: tuple[str, ...]) -> Iterator[str]:
    """Find a separate factor or offset for each channel: a missing weight, a missing bias."""
    if "C" not in axes or expected.dim() != len(axes) or expected.dim() < 2:
        return
    rows, expected_rows = (t.movedim(axes.index("C"), 0).flatten(1) for t in (got, expected))
    if rows.shape[0] < 2 or rows.shape[1] < 2 or any(_is_constant(row) for row in expected_rows):
        return
    rules = [("is off by a number", rows - expected_rows)]
    if bool((expected_rows.abs() > 1e-6).all()):
        rules.append(("is multiplied by a number", rows / expected_rows))
    for phrase, differences in rules:
        if all(_is_constant(row) for row in differences):
            numbers = _listed([f"{number:.4g}" for number in differences[:, 0].tolist()])
            yield f"each channel {phrase} of its own: {numbers}"


def _single(got: Tensor, expected: Tensor, _: tuple[str, ...]) -> Iterator[str]:
    """Find float64 values that have the digits of float32 alone."""
    least, most = _DIGITS_OF_FLOAT32
    share = float((got - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
    if least < share < most and not torch.equal(expected, expected.float().double()):
        yield "right to 7 digits, as what is computed in float32: float64 has 16"


def _nearly(got: Tensor, expected: Tensor, _: tuple[str, ...]) -> Iterator[str]:
    share = float((got - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
    if share < _NEARLY:
        yield f"nearly right: off by {share:.2g} of the largest value at most"


def _sorted(got: Tensor, expected: Tensor, _: tuple[str, ...]) -> Iterator[str]:
    if expected.numel() > 2 and _equal(got.flatten().sort().values, expected.flatten().sort().values):
        yield "the same numbers are in other places: look at view, reshape and permute"


def _listed(items: list[object]) -> str:
    return ", ".join(map(str, items[:6])) + (", ..." if len(items) > 6 else "")


# In this order; only the first rule that holds is reported.
_RULES = (_single, _nearly, _constant, _mirrored, _signs, _scaled, _shifted, _reordered, _by_channel, _sorted)
