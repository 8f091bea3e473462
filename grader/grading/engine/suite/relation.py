"""Names a simple rule that turns the expected values into those that came: flipped, scaled, shifted, reordered."""

from collections.abc import Callable, Iterator

import torch

Tensor = torch.Tensor

_MAX_VALUES = 2_000_000  # a sentence is not worth seconds
_MAX_PAIRS = 1_000_000
_NEARLY = 1e-3


def relation(got: Tensor, expected: Tensor, axes: tuple[str, ...]) -> str:
    """Return the rule as one phrase, or "" where no simple one holds. Both are float64 of one shape, and differ."""
    if not 2 <= expected.numel() <= _MAX_VALUES or not bool((got.isfinite() & expected.isfinite()).all()):
        return ""
    named = tuple("C" if name == "channel" else name for name in axes)
    found = (phrase for rule in _RULES for phrase in rule(got, expected, named))
    return next(found, "")


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-5, atol=1e-6)


def _even(values: Tensor) -> bool:
    """Tell whether all values are the same."""
    first = values.flatten()[0]
    return torch.allclose(values, first.expand_as(values), rtol=1e-4, atol=1e-6)


def _constant(got: Tensor, expected: Tensor, _: tuple[str, ...]) -> Iterator[str]:
    if bool((got == got.flatten()[0]).all()) and not _even(expected):
        yield f"yours is {got.flatten()[0]:.6g} everywhere"


def _mirrored(got: Tensor, expected: Tensor, _: tuple[str, ...]) -> Iterator[str]:
    if _equal(got, -expected):
        yield "every sign is turned round"
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


def _scaled(got: Tensor, expected: Tensor, _: tuple[str, ...]) -> Iterator[str]:
    if _even(expected) or _equal(got, expected):
        return  # every rule fits a constant; and what is nearly equal has a rule of its own
    if bool((expected.abs() > 1e-6).all()):
        ratio = got / expected
        if bool(ratio.any()) and _even(ratio):
            yield f"every value is {ratio.flatten()[0]:.4g} times what is expected"
    if _even(got - expected):
        yield f"every value is off by {(got - expected).flatten()[0]:+.4g}"


def _shifted(got: Tensor, expected: Tensor, _: tuple[str, ...]) -> Iterator[str]:
    """Find a shift by one row or column; whatever fills the edge."""
    ways = {-1: ("column", "right", "left"), -2: ("row", "down", "up")}
    for axis, (noun, later, earlier) in ways.items():
        if axis < -expected.dim() or expected.shape[axis] < 3:
            continue
        inner = expected.shape[axis] - 1
        ours = (got.narrow(axis, 1, inner), got.narrow(axis, 0, inner))
        theirs = (expected.narrow(axis, 0, inner), expected.narrow(axis, 1, inner))
        moved = not _equal(ours[0], theirs[1])  # else the values are in place, and the edge alone is wrong
        for mine, other, way in zip(ours, theirs, (later, earlier), strict=True):
            if moved and _equal(mine, other):
                yield f"it is what is expected, shifted by one {noun} {way}"


def _reordered(got: Tensor, expected: Tensor, axes: tuple[str, ...]) -> Iterator[str]:
    """Find channels, or samples, that stand in another order."""
    for axis, name in enumerate(axes if expected.dim() == len(axes) else ()):
        size = expected.shape[axis]
        if name not in ("N", "C") or size < 2 or size * expected.numel() > _MAX_PAIRS:
            continue
        ours, theirs = (t.movedim(axis, 0).reshape(size, -1) for t in (got, expected))
        pairs = torch.isclose(ours[:, None], theirs[None], rtol=1e-5, atol=1e-6).all(-1)
        if bool((pairs.sum(0) == 1).all() and (pairs.sum(1) == 1).all()):
            order = pairs.int().argmax(1).tolist()
            yield f"the {'samples' if name == 'N' else 'channels'} stand in another order: {_listed(order)}"


def _by_channel(got: Tensor, expected: Tensor, axes: tuple[str, ...]) -> Iterator[str]:
    """Find a factor or an offset of each channel's own: a missing weight, a missing bias."""
    if "C" not in axes or expected.dim() != len(axes) or expected.dim() < 2:
        return
    ours, theirs = (t.movedim(axes.index("C"), 0).flatten(1) for t in (got, expected))
    if ours.shape[0] < 2 or ours.shape[1] < 2 or any(_even(row) for row in theirs):
        return
    rules = [("is off by a number", ours - theirs)]
    if bool((theirs.abs() > 1e-6).all()):
        rules.append(("is multiplied by a number", ours / theirs))
    for phrase, differences in rules:
        if all(_even(row) for row in differences):
            numbers = _listed([f"{number:.4g}" for number in differences[:, 0].tolist()])
            yield f"each channel {phrase} of its own: {numbers}"


def _nearly(got: Tensor, expected: Tensor, _: tuple[str, ...]) -> Iterator[str]:
    share = float((got - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
    if share < _NEARLY:
        yield f"nearly right: off by {share:.2g} of the largest value at most"


def _sorted(got: Tensor, expected: Tensor, _: tuple[str, ...]) -> Iterator[str]:
    if expected.numel() > 2 and _equal(got.flatten().sort().values, expected.flatten().sort().values):
        yield "the same numbers stand in other places: look at view, reshape and permute"


def _listed(items: list[object]) -> str:
    return ", ".join(map(str, items[:6])) + (", ..." if len(items) > 6 else "")


# The first that holds is told: the plainest first.
_RULES = (_nearly, _constant, _mirrored, _signs, _scaled, _shifted, _reordered, _by_channel, _sorted)
