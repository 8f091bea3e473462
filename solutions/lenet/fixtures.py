"""Models for `layer_shapes`, built beside the student's code."""

import torch
from torch import nn


class Runs(list):
    """What a model notes when it runs: its mode, and whether it builds a graph. Copies of the model share it."""

    def __deepcopy__(self, _memo: object) -> "Runs":
        """Return this very list: a run of a copy is a run as well."""
        return self


class Crooked(nn.Module):
    """Runs its children in another order than it registers them, one of them twice, and one never."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = Runs()
        self.last = nn.Linear(6, 2)
        self.unused = nn.Linear(1, 1)
        self.register_module("absent", None)
        self.norm = nn.BatchNorm2d(2)
        self.pool = nn.MaxPool2d(2)
        self.inner = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, 2) for x of shape (N, 1, 8, 12)."""
        self.runs.append(("training" if self.training else "evaluation", torch.is_grad_enabled()))
        x = self.norm(self.pool(self.inner(x)))
        x = self.pool(x)
        return self.last(x.amax(dim=2).flatten(1))


class Total(nn.Module):
    """Adds everything up to one number, which has no axes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum of x."""
        return x.sum()


class Watched(nn.Sequential):
    """A sequential model with hooks of others: on itself, on its first child, and before its last."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
        self.runs, calls = Runs(), Runs()
        self.calls = calls
        self.register_forward_hook(lambda *_: calls.append("the model"))
        self[0].register_forward_hook(lambda *_: calls.append("its first child"))
        self[2].register_forward_pre_hook(lambda *_: calls.append("its last child"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, 2) for x of shape (N, 4)."""
        self.runs.append(("training" if self.training else "evaluation", torch.is_grad_enabled()))
        return super().forward(x)


def crooked() -> nn.Module:
    """Return a Crooked model in training mode."""
    torch.manual_seed(0)
    return Crooked()


def used() -> nn.Module:
    """Return a Crooked model after a backward pass: it holds gradients, and one of its layers is frozen."""
    model = crooked()
    for parameter in model.inner.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    model.last.requires_grad_(False)
    return model


def partly_frozen() -> nn.Module:
    """Return a Crooked model in training mode, but for its BatchNorm and a layer inside a block."""
    model = crooked()
    model.norm.eval()
    model.inner[1].eval()
    return model


def partly_awake() -> nn.Module:
    """Return a Crooked model in evaluation mode, but for its BatchNorm and a layer inside a block."""
    model = crooked().eval()
    model.norm.train()
    model.inner[0].train()
    return model


def modes(model: nn.Module) -> dict[str, bool]:
    """Return which of the modules are in training mode, by name; the model itself is ""."""
    return {name or "the model": module.training for name, module in model.named_modules()}


def runs(model: Crooked | Watched) -> list[tuple[str, bool]]:
    """Return in which mode a model ran, and whether it built a graph, for each run of it or of a copy."""
    return list(model.runs)


def plain() -> nn.Module:
    """Return a small sequential model."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 3 * 4, 5))


def folded() -> nn.Module:
    """Return a sequential model that moves the batch axis, and ends in one number."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (4, 6)), nn.Linear(6, 1), nn.Flatten(0), Total())


def watched() -> nn.Module:
    """Return a model that carries three hooks of others."""
    torch.manual_seed(0)
    return Watched()


def called(model: Watched) -> list[str]:
    """Return which hooks of others were called, in order."""
    return list(model.calls)


def hooks(model: nn.Module) -> int:
    """Return how many hooks the model and all its modules carry, before and after forward and backward."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)


def replaced(model: nn.Module) -> list[str]:
    """Name the modules whose forward was replaced by another function."""
    return [name for name, module in model.named_modules() if "forward" in vars(module)]
