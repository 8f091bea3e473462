"""Reference of `lenet`.

Why it is written this way:

- What has parameters is made in __init__, under the names of the table, since weights are saved by name. What has none
  (relu, pooling, flatten) is a function call in forward, which then reads like the table from top to bottom.
- 2450 = 50 channels of 7 x 7: padding 2 keeps a side under a 5 x 5 kernel, and each pooling halves it, 28 -> 14 -> 7.
- flatten(1) names the axis to start from. view(-1, 2450) gives the same here, but with a wrong number it moves pixels
  into the batch silently.
- The last layer is plain. cross_entropy applies log_softmax itself, and a second softmax would flatten its gradient.
- `layer_shapes` lets the model run as it is and observes it with hooks. Running the children directly would need a second
  forward, and would be wrong for every model that is more than a row of layers.
- Looking at a model must not change it: hence eval() against moving statistics, the modes noted one by one since
  train() sets all children alike, no gradients, and handles removed in `finally`, so also after an error.
"""

import torch
import torch.nn.functional as F
from torch import nn


class LeNet(nn.Module):
    """The network of the table in the notes, section 6."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(20, 50, kernel_size=5, padding=2)
        self.fc1 = nn.Linear(50 * 7 * 7, 500)
        self.fc2 = nn.Linear(500, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits: (N, 1, 28, 28) -> (N, 10)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # (N, 20, 14, 14)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # (N, 50, 7, 7)
        x = torch.flatten(x, start_dim=1)  # (N, 2450): axis 0 stays, or the batch would become one long row
        return self.fc2(F.relu(self.fc1(x)))


def layer_shapes(model: nn.Module, x: torch.Tensor) -> dict[str, tuple[int, ...]]:
    """Return the output shape of every direct child that runs, in the order of running."""
    shapes: dict[str, tuple[int, ...]] = {}

    def remember(name: str):
        def hook(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            shapes[name] = tuple(output.shape)  # a second run replaces the first

        return hook

    handles = [child.register_forward_hook(remember(name)) for name, child in model.named_children()]
    modes = {module: module.training for module in model.modules()}
    model.eval()  # looking at a model must not move its running statistics
    try:
        with torch.no_grad():
            model(x)
    finally:
        for module, mode in modes.items():
            module.training = (
                mode  # train(mode) would set the children too, and put a frozen layer into training mode
            )
        for handle in handles:
            handle.remove()
    return shapes
