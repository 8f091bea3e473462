"""Models for `layer_shapes`, built beside the student's code."""

import torch
from torch import nn


class Crooked(nn.Module):
    """Runs its children in another order than it registers them, one of them twice, and one never."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(6, 2)
        self.unused = nn.Linear(1, 1)
        self.norm = nn.BatchNorm2d(2)
        self.pool = nn.MaxPool2d(2)
        self.inner = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, 2) for x of shape (N, 1, 8, 12)."""
        self.graph_wanted = torch.is_grad_enabled()
        x = self.pool(self.norm(self.inner(x)))
        x = self.pool(x)
        return self.last(x.amax(dim=2).flatten(1))


def crooked() -> nn.Module:
    """Return a Crooked model in training mode."""
    torch.manual_seed(0)
    return Crooked()


def partly_frozen() -> nn.Module:
    """Return a Crooked model in training mode, but for its BatchNorm."""
    model = crooked()
    model.norm.eval()
    return model


def modes(model: nn.Module) -> dict[str, bool]:
    """Return which of the modules are in training mode, by name; the model itself is ""."""
    return {name: module.training for name, module in model.named_modules()}


def ran_with_gradients(model: Crooked) -> bool:
    """Tell whether the last run of a Crooked model built a graph for a backward pass."""
    return model.graph_wanted


def plain() -> nn.Module:
    """Return a small sequential model."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 3 * 4, 5))


def hooks(model: nn.Module) -> int:
    """Return how many forward hooks the model and all its modules carry."""
    return sum(len(module._forward_hooks) for module in model.modules())
