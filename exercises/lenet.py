"""LeNet: the classic network for handwritten digits, by the table of the notes.

Notes: section 6. They credit their table to LeCun 1998, and it is a LeNet in spirit only: the network of 1998
took 32 x 32 images, had 6 and 16 filters, pooled by averages, and squashed with tanh, with 60,000 parameters.
Many networks bear the name. What you build here has 20 and 50 filters, padding 2, max pooling and ReLU:

    layer     output        details
    Input     1 x 28 x 28
    conv1     20 x 28 x 28  kernel 5, padding 2, stride 1
    ReLU
    MaxPool   20 x 14 x 14  kernel 2, stride 2
    conv2     50 x 14 x 14  kernel 5, padding 2, stride 1
    ReLU
    MaxPool   50 x 7 x 7    kernel 2, stride 2
    Flatten   2450
    fc1       500
    ReLU
    fc2       10            output classes

These are 1,256,080 parameters in all, which you can count to check yourself: 520 + 25,050 + 1,225,500 + 5,010.
Dropout and BatchNorm are not in the table.

Source: LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition".
"""

import torch
from torch import nn


class LeNet(nn.Module):
    """The network of the table. Its four layers with parameters are called conv1, conv2, fc1 and fc2.

    The names matter: parameters are saved and loaded by them (`conv1.weight`, ...). Layers without
    parameters (ReLU, pooling, flatten) may be modules or function calls, as you like. All parameters exist as soon as
    the network is made, which rules out lazy layers, and all of them train.
    """

    def __init__(self) -> None:
        super().__init__()
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch: x (N, 1, 28, 28) -> (N, 10), for any N from 1 on.

        Logits are the plain outputs of fc2. No softmax and no log-softmax: nn.CrossEntropyLoss applies its own.
        Run it once on torch.zeros(2, 1, 28, 28) before you grade; a misspelt layer shows only then.
        """
        raise NotImplementedError


def layer_shapes(model: nn.Module, x: torch.Tensor) -> dict[str, tuple[int, ...]]:
    """Return the output shape of every direct child of `model` that runs when `x` goes through it.

    The keys are the names of the children (model.named_children()), in the order in which they ran; the
    values are tuples, batch axis included. A child that runs twice keeps the place of its first run and the shape of
    its last; one that never runs is left out. Each child returns one tensor.

    The model, or a copy of it, runs in evaluation mode, without gradients. The model is as it was afterwards: the
    same parameters, flags, gradients and running statistics, no hooks but those it had, and every layer in the mode
    it was in, since a frozen layer may be in evaluation mode while the rest trains.

    Example: for nn.Sequential(nn.Flatten(), nn.Linear(4, 3)) and x of shape (2, 1, 2, 2) the result is
    {"0": (2, 4), "1": (2, 3)}.
    """
    raise NotImplementedError
