"""Says where two tensors of one shape differ: which rows, columns, channels or samples, and by what rule."""

import torch


def locate(got: torch.Tensor, expected: torch.Tensor, wrong: torch.Tensor, axes: tuple[str, ...]) -> str:
    """Return one phrase that tells where `wrong` (bool) is true, and how the values relate if simply.

    `got` and `expected` are float64 of one shape. Returns "" where nothing short can be said.
    """
    phrases = [phrase for phrase in (_pattern(wrong, axes), _relation(got, expected)) if phrase]
    if not phrases or expected.numel() > 1:
        phrases.append(_first(got, expected, wrong, axes))
    return "; ".join(phrases)


_NOUNS = {"N": "sample", "C": "channel", "H": "row", "W": "column"}


def _pattern(wrong: torch.Tensor, axes: tuple[str, ...]) -> str:
    """Name the one slice of an axis that holds everything wrong, or the border."""
    if bool(wrong.all()) or len(axes) != wrong.dim():
        return ""
    found = []
    for axis, name in enumerate(axes):
        size = wrong.shape[axis]
        others = [other for other in range(wrong.dim()) if other != axis]
        touched = (wrong.any(dim=others) if others else wrong).nonzero().flatten().tolist()
        if size > 1 and len(touched) == 1:
            found.append(f"{_ordinal(touched[0], size)} {_NOUNS.get(name, name)}")
    if found:
        return f"only the {' of the '.join(reversed(found))} is wrong"
    if wrong.dim() >= 2 and min(wrong.shape[-2:]) > 2 and not bool(wrong[..., 1:-1, 1:-1].any()):
        return "only the border is wrong"
    return ""


def _ordinal(index: int, size: int) -> str:
    if index == size - 1:
        return "last"
    return {0: "first", 1: "second", 2: "third"}.get(index, f"{index + 1}th")


def _relation(got: torch.Tensor, expected: torch.Tensor) -> str:
    """Name a simple rule that turns the expected values into these: transposed, flipped, scaled, shifted."""
    if expected.numel() < 2 or not bool(got.isfinite().all() and expected.isfinite().all()):
        return ""
    if torch.allclose(got, -expected):
        return "every sign is turned round"
    if expected.dim() >= 2:
        if expected.shape[-1] == expected.shape[-2] and torch.allclose(got, expected.mT):
            return "it is the transpose of what is expected"
        if torch.allclose(got, expected.flip(-1)) or torch.allclose(got, expected.flip(-2)):
            return "it is what is expected, flipped"
    if bool((expected.abs() > 1e-6).all()):
        ratio = got / expected
        if bool(ratio.any()) and torch.allclose(ratio, ratio.flatten()[0].expand_as(ratio), rtol=1e-4):
            return f"every value is {ratio.flatten()[0]:.4g} times what is expected"
    offset = got - expected
    if torch.allclose(offset, offset.flatten()[0].expand_as(offset), rtol=1e-4, atol=1e-6):
        return f"every value is off by {offset.flatten()[0]:+.4g}"
    return ""


def _first(got: torch.Tensor, expected: torch.Tensor, wrong: torch.Tensor, axes: tuple[str, ...]) -> str:
    index = tuple(wrong.nonzero()[0].tolist())
    named = ", ".join(f"{name} {n}" for name, n in zip(axes, index, strict=False)) if axes else str(index)
    place = f"first at {named}" if index else "it"
    return f"{place}: {got[index]:.6g} instead of {expected[index]:.6g}"
