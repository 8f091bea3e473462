"""Training: the step, the accuracy, and a network that is taught a second task.

Notes: sections 6 and 9. You write the step by which every network learns, and measure what it has learned. Then
your own LeNet, from `lenet.py` beside this file, learns to read real handwritten digits, and with its body frozen
and a new head it learns to tell odd digits from even ones, from 300 examples.

The grader does exactly that with your functions. It copies the weights into a LeNet of its own, and reads digits that
your code has never seen. As long as `lenet.py` does not work, the two checks that need it fail and say so; all others
count.

To see it yourself, run `python exercises/training.py`. It reads `exercises/data/digits.npz`: 1797 digits of 8 x 8
pixels, made larger. If torchvision has downloaded the real MNIST to a folder, `python exercises/training.py FOLDER`
takes 6000 digits of that instead. While your code is graded it may open no file, so read none at the top of this one.

Source: sections 6 and 9 of the notes; Alpaydin & Kaynak 1998 (the digits; CC BY 4.0, see data/README.md);
Yosinski et al. 2014, How transferable are features in deep neural networks?
"""

import sys
from pathlib import Path

import torch
from torch import nn


def train_step(model: nn.Module, x: torch.Tensor, y: torch.Tensor, optimizer: torch.optim.Optimizer) -> float:
    """Take one training step on a batch: x goes into the model, y (N,) holds the right classes.

    The loss is the cross-entropy of the model's logits, averaged over the batch. Gradients that were there before
    do not count. Return the loss before the step, as a Python float: a loss that is kept as a tensor keeps the
    whole graph of its batch alive.

    The step is the optimizer's alone: gradients are neither clipped nor scaled, and nothing is added to the loss.
    Leave every layer in the mode it is in, and frozen parameters frozen. The caller has called model.train() before,
    and may have put a frozen BatchNorm layer back into evaluation mode, where it must stay.
    """
    raise NotImplementedError


def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the fraction of x that the model gives its right class in y (N,): a Python float from 0 to 1.

    There is at least one image. The model runs in evaluation mode, and no graph is recorded. Afterwards every layer
    is in the mode it was in, one may be in evaluation mode while the others train, and the same parameters are frozen.

    Example: a model that is right about 5 of 8 images has an accuracy of 0.625.
    """
    raise NotImplementedError


def fine_tune(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    num_classes: int,
    epochs: int = 5,
    lr: float = 0.1,
    batch_size: int = 32,
) -> list[float]:
    """Teach a trained model a new task, in place: freeze its body, give it a new head, and train the head alone.

    - The head is the last nn.Linear of the model; the new one has `num_classes` outputs, and a bias even where the
      old one had none. It is new even where the number of classes stays the same. All the rest is the body.
    - The body stays exactly as it is: its parameters, and the running statistics of its BatchNorm layers too. In
      every epoch the model is in training mode, except for those layers. Afterwards the body is still frozen.
    - The head takes steps of plain SGD with learning rate `lr`: no momentum, no weight decay, no clipping. Each
      epoch takes the images in the order in which they lie in x, `batch_size` at a time; the last batch may be smaller.

    Return the loss of each epoch: the mean over its images (not over its batches) of the losses before each step.
    With epochs=0 there is a new head, and the list is empty.

    If you have solved `freezing`, import your own functions: `from freezing import freeze, replace_head, ...`.

    Example: with 5 images and batch_size=4, losses of 1.0 and 2.0 give the mean (4 * 1.0 + 1 * 2.0) / 5 = 1.2.
    """
    raise NotImplementedError


# --- Nothing to write from here on: this runs your code on the digits.


def load_digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Return the digits beside this file, shuffled: x (1797, 1, 8, 8) in [0, 1], y (1797,)."""
    import numpy as np  # noqa: PLC0415 - graded code needs no numpy

    with np.load(Path(__file__).parent / "data" / "digits.npz") as stored:
        x = torch.from_numpy(stored["images"]).float().unsqueeze(1) / 16
        y = torch.from_numpy(stored["labels"]).long()
    order = torch.randperm(len(x))
    return x[order], y[order]


def load_mnist(folder: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first 6000 digits of MNIST: x (6000, 1, 28, 28) in [0, 1], y (6000,).

    Reads the files that torchvision.datasets.MNIST(folder, download=True) leaves behind, and downloads nothing.
    """
    import numpy as np  # noqa: PLC0415 - graded code needs no numpy

    raw, count = Path(folder) / "MNIST" / "raw", 6000
    pixels = np.fromfile(raw / "train-images-idx3-ubyte", np.uint8, count=count * 28 * 28, offset=16)
    labels = np.fromfile(raw / "train-labels-idx1-ubyte", np.uint8, count=count, offset=8)
    return torch.from_numpy(pixels).view(count, 1, 28, 28).float() / 255, torch.from_numpy(labels).long()


def main() -> None:
    """Train LeNet on half of the digits, fine-tune it on 300 more, and measure it on the rest."""
    from lenet import LeNet  # noqa: PLC0415 - your own, from the file beside this one

    torch.manual_seed(0)
    x, y = load_mnist(sys.argv[1]) if sys.argv[1:] else load_digits()
    x = nn.functional.interpolate(x, size=(28, 28), mode="bilinear", align_corners=False)
    half = len(x) // 2
    few, rest = slice(half, half + 300), slice(half + 300, None)

    model = LeNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(3):
        for start in range(0, half, 32):
            loss = train_step(model, x[:half][start : start + 32], y[:half][start : start + 32], optimizer)
        read = accuracy(model, x[rest], y[rest])
        print(f"epoch {epoch + 1}: loss {loss:.3f}, reads {read:.1%} of new digits")  # noqa: T201

    losses = fine_tune(model, x[few], y[few] % 2, num_classes=2, lr=0.01, batch_size=10)
    parity = accuracy(model, x[rest], y[rest] % 2)
    print("fine-tuning, loss of each epoch:", ", ".join(f"{loss:.3f}" for loss in losses))  # noqa: T201
    print(f"tells odd from even for {parity:.1%} of new digits")  # noqa: T201


if __name__ == "__main__":
    main()
