"""Models with pooling layers in them, and what can be asked of a model. Holds no answer."""

from collections import OrderedDict

import torch
from torch import nn


class Skip(nn.Module):
    """A block with a forward of its own: half the image by convolution and pooling, plus a pooled shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, C, H // 2, W // 2)."""
        return self.pool(torch.tanh(self.conv(x)) + x)


def plain() -> nn.Module:
    """Return conv, max pooling, conv, average pooling: (N, 1, H, W) -> (N, 5, H // 4, W // 4)."""
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 3, 3, padding=1),
            max=nn.MaxPool2d(2),
            conv2=nn.Conv2d(3, 5, 3, padding=1),
            avg=nn.AvgPool2d(2),
        )
    )


def overlapping() -> nn.Module:
    """Return a model whose windows overlap, leave gaps, are padded, or are not square."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 1),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.AvgPool2d((1, 2), stride=(2, 1)),
        nn.MaxPool2d(2, stride=3),
    )


def nested() -> nn.Module:
    """Return a model with pooling layers inside blocks, an adaptive one, and a head: (N, 1, H, W) -> (N, 2)."""
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            stem=nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
            body=nn.Sequential(Skip(4), nn.Sequential(nn.Conv2d(4, 6, 1), nn.MaxPool2d(2))),
            end=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2)),
        )
    )


def shared() -> nn.Module:
    """Return a model in which one pooling layer stands in two places, after 3 and after 5 channels."""
    torch.manual_seed(0)
    pool = nn.MaxPool2d(2)
    return nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), pool, nn.Conv2d(3, 5, 3, padding=1), pool)


def kinds(model: nn.Module) -> dict[str, str]:
    """Return the class of each module without children, by name, in each place where it stands."""
    named = model.named_modules(remove_duplicate=False)
    return {name: type(module).__name__ for name, module in named if not list(module.children())}


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of all parameters and buffers by name."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def tensors(model: nn.Module) -> list[torch.Tensor]:
    """Return copies of all parameters and buffers, in order and without names: those are the student's choice."""
    return list(state(model).values())


def load(model: nn.Module, values: list[torch.Tensor]) -> None:
    """Overwrite parameters and buffers, in order."""
    model.load_state_dict(dict(zip(model.state_dict(), values, strict=True)))


def trained(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Take two steps of SGD that pull the output of x towards 1, where anything can be trained; return the state."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        loss = (model(x) - 1).square().mean()
        if loss.requires_grad:
            loss.backward()
        optimizer.step()
    return state(model)
