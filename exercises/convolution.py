"""Convolution by hand: pad an image with zeros, slide a filter over it, and add up the products.

Notes: sections 2 and 3. Images are x of shape (N, C, H, W), filters are weight of shape (C_out, C, K_h, K_w).
torch's own convolutions and F.pad are switched off here; indexing, unfold, einsum and matmul are yours to use.
Loops over output positions are fine: the images of the checks are small. A batch holds at least one image, which need
not be contiguous (reshape takes any tensor, view does not), and the filter fits into the padded image.

Where the notes fall short: what deep learning calls convolution is cross-correlation, since the filter is laid on
as it is; a mathematician would flip it first. The notes write images as (H x W x C), torch keeps them as
(N, C, H, W), and a filter is (C, K, K), one for each output channel: it reaches through all input channels. There
is one bias for each filter, which the notes leave out. And padding="same" with stride 1 keeps the size whatever the
kernel: for an odd K that is padding = (K - 1) // 2, for an even one torch pads one side more than the other.
"""

import torch


def zero_pad2d(x: torch.Tensor, padding: int) -> torch.Tensor:
    """Return `x` with `padding` rows and columns of zeros on each of its four sides.

    x: (N, C, H, W), any float dtype. Result: (N, C, H + 2 * padding, W + 2 * padding) of the same dtype.
    `x` itself is left as it was, and gradients flow back to it.

    Example, by hand: the row [7, 8] with padding 1 becomes [0, 0, 0, 0], [0, 7, 8, 0], [0, 0, 0, 0].
    """
    raise NotImplementedError


def conv2d(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: int = 1,
    padding: int = 0,
) -> torch.Tensor:
    """Slide each filter over each image, and return the sum of products at every place it stops, plus its bias.

    x: (N, C, H, W); weight: (C_out, C, K_h, K_w); bias: (C_out,) or None; all of them float32, or all float64.
    Result: (N, C_out, H', W') of the dtype of `x`, with H' = (H + 2 * padding - K_h) // stride + 1, and W' likewise:
    a window that sticks out is dropped. The filter is not flipped. Gradients flow to x, weight and bias. No argument
    is changed.

    Example, by hand: the image [[0, 1], [2, 3]] under the filter [[1, 2], [3, 4]] gives 0*1 + 1*2 + 2*3 + 3*4 = 20.

    Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition", section II.A.
    """
    raise NotImplementedError
