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
    """Return a model whose windows overlap, leave gaps, are padded, or are not square: (N, 2, H, W) of 80 x 60."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 1),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.AvgPool2d((1, 2), stride=(2, 1)),
        nn.MaxPool2d((5, 3), padding=(2, 1), stride=1),
        nn.AvgPool2d(5, stride=4, padding=2),
        nn.MaxPool2d(1, stride=1),
        nn.MaxPool2d(2, stride=3),
    )


def nested() -> nn.Module:
    """Return a model with pooling layers inside blocks, an adaptive one, and a head: (N, 1, H, W) -> (N, 2)."""
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            stem=nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
            body=nn.Sequential(Skip(4), nn.Sequential(nn.Conv2d(4, 6, 1), nn.MaxPool2d(2))),
            end=nn.Sequential(
                nn.AdaptiveMaxPool2d(2),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.MaxPool1d(2),
                nn.Linear(3, 2),
            ),
        )
    )


def partly_frozen() -> nn.Module:
    """Return the nested model with gradients, hooks, and a frozen stem, which is in evaluation."""
    model = nested()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    model.stem.requires_grad_(False).eval()
    model.stem[0].register_forward_hook(lambda *_: None)
    model.stem[2].register_forward_pre_hook(lambda *_: None)
    model.body[0].register_full_backward_hook(lambda *_: None)
    return model


def shared() -> nn.Module:
    """Return a model in which one pooling layer stands in three places, after 3 channels and twice after 5."""
    torch.manual_seed(0)
    pool = nn.MaxPool2d(2)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), pool, nn.Conv2d(3, 5, 3, padding=1), pool, nn.Conv2d(5, 5, 1), pool
    )


def kinds(model: nn.Module) -> dict[str, str]:
    """Return the class of each module without children, by name, in each place where it stands."""
    named = model.named_modules(remove_duplicate=False)
    return {name: _kind(module) for name, module in named if not list(module.children())}


def _kind(module: nn.Module) -> str:
    return "Conv2d" if isinstance(module, nn.Conv2d) else type(module).__name__


def learned_twice(model: nn.Module) -> list[str]:
    """Name the places whose layer has weights, and stands in an earlier place too."""
    seen, again = set(), []
    for name, module in model.named_modules(remove_duplicate=False):
        if id(module) in seen and list(module.parameters()):
            again.append(name)
        seen.add(id(module))
    return again


def same(one: nn.Module, other: nn.Module) -> bool:
    """Say whether both are one and the same module."""
    return one is other


def settings(model: nn.Module) -> dict[str, str]:
    """Say of each module but pooling, by name, its mode, what it trains, and how many gradients and hooks it has."""
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, (nn.MaxPool2d, nn.AvgPool2d)):
            continue
        own = list(module.parameters(recurse=False))
        mode = "training" if module.training else "evaluation"
        asked = sorted({parameter.requires_grad for parameter in own})
        held = sum(parameter.grad is not None for parameter in own)
        hooks = sum(len(value) for key, value in vars(module).items() if key.endswith("_hooks"))
        found[name or "the model"] = f"in {mode}, requires_grad {asked}, {held} gradients, {hooks} hooks"
    return found


def modes(model: nn.Module) -> list[bool]:
    """Say of each module, in order, whether it is in training mode."""
    return [module.training for module in model.modules()]


def leave_out_bias(model: nn.Module, names: list[str]) -> None:
    """Take the bias from these convolutions."""
    for name in names:
        model.get_submodule(name).bias = None


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of all parameters and buffers by name."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def tensors(model: nn.Module) -> list[torch.Tensor]:
    """Return copies of all parameters and buffers, in order and without names: those are the student's choice."""
    return list(state(model).values())


def load(model: nn.Module, values: list[torch.Tensor]) -> None:
    """Overwrite parameters and buffers, in order; a bias of the convolution that is one too many becomes 0."""
    names = list(model.state_dict())
    if len(names) == len(values) + 1:
        values = [values[0], torch.zeros_like(values[1]), *values[1:]]
    model.load_state_dict(dict(zip(names, values, strict=True)))


def trained(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Take two steps of SGD that pull the output of x towards 1, where anything can be trained; return the state."""
    if not list(model.parameters()):
        return state(model)  # an optimizer refuses to be made for nothing
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        loss = (model(x) - 1).square().mean()
        if loss.requires_grad:
            loss.backward()
        optimizer.step()
    return state(model)
