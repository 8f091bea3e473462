"""Hypothesis strategies for small inputs. Imported only when a counterexample is sought."""

import torch
from hypothesis import strategies as st

_WHOLE = st.integers(-3, 3)


@st.composite
def images(draw: st.DrawFn, *, max_side: int = 5, max_batch: int = 2, max_channels: int = 2) -> torch.Tensor:
    """Draw an image batch (N, C, H, W), float32, of small whole numbers. Shrinks to one pixel of value 0.

    One number everywhere, or counting up from it, and up to two pixels that differ: few choices, so that
    shrinking takes few calls, and still enough to tell rows, columns and channels apart.
    """
    shape = [draw(st.integers(1, limit)) for limit in (max_batch, max_channels, max_side, max_side)]
    count = shape[0] * shape[1] * shape[2] * shape[3]
    image = torch.full((count,), float(draw(_WHOLE)))
    if draw(st.booleans()):
        image += torch.arange(float(count))
    for place, value in draw(st.lists(st.tuples(st.integers(0, count - 1), _WHOLE), max_size=2)):
        image[place] = value
    return image.reshape(shape)


@st.composite
def vectors(draw: st.DrawFn, *, max_length: int = 4) -> torch.Tensor:
    """Draw a vector (L,), float32, of small whole numbers."""
    return torch.tensor(draw(st.lists(_WHOLE, min_size=1, max_size=max_length)), dtype=torch.float32)
