"""How much of its tolerance each comparison uses, measured for `grade check --repeat`."""

import contextlib
import math
from collections.abc import Generator
from contextvars import ContextVar

import torch

_shares: ContextVar[list[float] | None] = ContextVar("shares", default=None)


@contextlib.contextmanager
def measuring() -> Generator[list[float]]:
    """Collect |got - expected| as a share of the tolerance, for each comparison of floats: 0.02 is a 50th."""
    shares: list[float] = []
    token = _shares.set(shares)
    try:
        yield shares
    finally:
        _shares.reset(token)


def record_tensors(got: torch.Tensor, expected: torch.Tensor, rtol: float, atol: float) -> None:
    """Record how much of its tolerance a comparison of tensors uses, while `measuring`."""
    shares = _shares.get()
    if shares is None or not (0 < rtol + atol < math.inf) or not got.numel():
        return
    got, expected = got.double(), expected.double()
    used = (got - expected).abs() / (atol + rtol * expected.abs())
    # Equal infinities, and NaN where NaN is expected, give NaN here: they use nothing.
    shares.append(float(used.nan_to_num(nan=0.0, posinf=math.inf).max()))


def record_numbers(got: float, expected: float, rtol: float, atol: float) -> None:
    """Record the same for two numbers, which are compared by math.isclose."""
    shares = _shares.get()
    if shares is None:
        return
    allowed = max(rtol * max(abs(got), abs(expected)), atol)
    if got == expected:
        shares.append(0.0)
    elif allowed:
        shares.append(abs(got - expected) / allowed)
