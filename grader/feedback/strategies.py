"""Hypothesis strategies for small inputs. Imported only when a counterexample is sought."""

import torch
from hypothesis import strategies as st

_WHOLE = st.integers(-3, 3)


@st.composite
def images(draw: st.DrawFn, *, max_side: int = 5, max_batch: int = 2, max_channels: int = 2) -> torch.Tensor:
    """Draw an image batch (N, C, H, W), float32, of small whole numbers. Shrinks to one pixel of value 0."""
    shape = (
        draw(st.integers(1, max_batch)),
        draw(st.integers(1, max_channels)),
        draw(st.integers(1, max_side)),
        draw(st.integers(1, max_side)),
    )
    count = shape[0] * shape[1] * shape[2] * shape[3]
    values = draw(st.lists(_WHOLE, min_size=count, max_size=count))
    return torch.tensor(values, dtype=torch.float32).reshape(shape)


@st.composite
def vectors(draw: st.DrawFn, *, max_length: int = 4) -> torch.Tensor:
    """Draw a vector (L,), float32, of small whole numbers."""
    return torch.tensor(draw(st.lists(_WHOLE, min_size=1, max_size=max_length)), dtype=torch.float32)
