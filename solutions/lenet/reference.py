"""Reference of `lenet`."""

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
            shapes.pop(name, None)  # a second run moves the child to its last place
            shapes[name] = tuple(output.shape)

        return hook

    handles = [child.register_forward_hook(remember(name)) for name, child in model.named_children()]
    modes = {module: module.training for module in model.modules()}
    model.eval()  # a batch must not move the running statistics of a model we only look at
    try:
        with torch.no_grad():
            model(x)
    finally:
        for module, mode in modes.items():
            module.training = mode  # train(mode) would set the children too, and wake a frozen layer
        for handle in handles:
            handle.remove()
    return shapes
