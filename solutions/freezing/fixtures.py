"""Small networks and a training loop, built the same way beside the student's code and in the suite."""

from collections import OrderedDict

import torch
from torch import nn

LR = 0.1


class Gain(nn.Module):
    """Scales its input by one number, a parameter without axes that is called neither weight nor bias."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x times the gain."""
        return x * self.gain


def small_cnn() -> nn.Module:
    """Build a network (N, 1, H, W) -> (N, 3): stem, layer1, layer2, layer10, pool, flat, fc."""
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            stem=nn.Conv2d(1, 2, 3, padding=1),
            layer1=nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh()),
            layer2=nn.Sequential(nn.Conv2d(3, 3, 1), nn.Tanh(), Gain()),
            layer10=nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh()),
            pool=nn.AdaptiveAvgPool2d(1),
            flat=nn.Flatten(),
            fc=nn.Linear(4, 3),
        )
    )


def countdown_cnn() -> nn.Module:
    """Build a network whose layers count down to the head: layer10, layer2, layer1, pool, flat, fc."""
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            layer10=nn.Conv2d(1, 2, 3),
            layer2=nn.Sequential(nn.Tanh(), nn.Conv2d(2, 3, 1)),
            layer1=nn.Sequential(nn.Tanh(), nn.Conv2d(3, 4, 3)),
            pool=nn.AdaptiveAvgPool2d(1),
            flat=nn.Flatten(),
            fc=nn.Linear(4, 3),
        )
    )


def norm_cnn() -> nn.Module:
    """Build a network (N, 1, H, W) -> (N, 4) with BatchNorm at three depths and a head before a last dropout.

    Its children are stem (conv, norm), body (a block in a block), norm, act, pool, flat and classifier. No
    bias and no gain stands before a norm, which would undo it: with a gradient of 0 it would seem frozen.
    """
    torch.manual_seed(0)
    first, second = nn.Conv2d(1, 2, 3, bias=False), nn.Conv2d(2, 3, 3, bias=False)
    stem = nn.Sequential(OrderedDict(conv=first, norm=nn.BatchNorm2d(2), act=nn.Tanh()))
    inner = nn.Sequential(OrderedDict(conv=second, norm=nn.BatchNorm2d(3), gain=Gain(), act=nn.Tanh()))
    head = nn.Linear(5, 4)
    return nn.Sequential(
        OrderedDict(
            stem=stem,
            body=nn.Sequential(OrderedDict(inner=inner)),
            norm=nn.BatchNorm2d(3),
            act=nn.Tanh(),
            pool=nn.AdaptiveAvgPool2d((1, 2)),
            flat=nn.Flatten(),
            classifier=nn.Sequential(nn.Linear(6, 5, bias=False), nn.BatchNorm1d(5), head, nn.Dropout(0.5)),
        )
    )


def used_cnn() -> nn.Module:
    """Return norm_cnn after some training, with gradients on all parameters, and two layers in evaluation mode."""
    model = norm_cnn()
    train(model, sgd(model))
    for layer in (model.stem.act, model.body.inner.norm):
        layer.eval()
    return model


def tied_net() -> nn.Module:
    """Build Linear(4, 4), BatchNorm1d(4), and a second Linear(4, 4) that shares the weight of the first."""
    torch.manual_seed(2)  # a Linear that is made first in a call would have the weights of seed 0
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    return nn.Sequential(OrderedDict(first=first, norm=nn.BatchNorm1d(4), second=second))


def deep_net() -> nn.Module:
    """Build a network (N, 4) -> (N, 5) with a head that has no bias, three blocks deep, and a layer after it."""
    torch.manual_seed(0)
    block = nn.Sequential(OrderedDict(act=nn.Tanh(), out=nn.Linear(6, 5, bias=False)))
    return nn.Sequential(
        OrderedDict(body=nn.Linear(4, 6), tasks=nn.Sequential(OrderedDict(block=block)), scale=Gain())
    )


def norms() -> nn.Module:
    """Collect layers that normalize, of every kind; none of them runs."""
    blocks = OrderedDict(
        volume=nn.BatchNorm3d(2),
        row=nn.BatchNorm1d(2),
        plain=nn.BatchNorm2d(2, affine=False),
        awake=nn.BatchNorm3d(2),
        resting=nn.BatchNorm2d(2),
        instance=nn.InstanceNorm2d(2, affine=True, track_running_stats=True),
        group=nn.GroupNorm(1, 2),
        layer=nn.LayerNorm(2),
    )
    return nn.Sequential(OrderedDict(block=nn.Sequential(blocks), drop=nn.Dropout(0.5)))


def child(model: nn.Module, name: str) -> nn.Module:
    """Return the module of that dotted name."""
    return model.get_submodule(name)


def set_trainable(model: nn.Module, names: list[str], trainable: bool) -> None:
    """Freeze or unfreeze the parameters of these names, and of the modules of these names."""
    for path, parameter in model.named_parameters():
        if any(path == name or path.startswith(f"{name}.") for name in names):
            parameter.requires_grad = trainable


def sgd(model: nn.Module) -> torch.optim.SGD:
    """Return plain SGD over all parameters, frozen or not."""
    return torch.optim.SGD(model.parameters(), lr=LR)


def restless_sgd(model: nn.Module) -> torch.optim.SGD:
    """Return SGD over all parameters that moves whatever has a gradient, even one of zeros."""
    return torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9, weight_decay=0.1)


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of all parameters and buffers by name."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def train(
    model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 3, clear: bool = True
) -> dict[str, torch.Tensor]:
    """Train on seeded images (6, 1, 6, 7), each layer in the mode it is in; return the state after it.

    Without `clear`, gradients add up over the steps, and so does any that is left from before.
    """
    torch.manual_seed(1)
    for _ in range(steps):
        images, weights = torch.randn(6, 1, 6, 7) + 1, torch.rand(6, 1)
        if clear:
            optimizer.zero_grad()
        loss = (weights * (model(images) - 1).square()).mean()
        if loss.requires_grad:  # not so where everything is frozen
            loss.backward()
        optimizer.step()
    return state(model)


def step_along(
    model: nn.Module, optimizer: torch.optim.Optimizer, gradients: list[float]
) -> list[dict[str, torch.Tensor]]:
    """Take one step for each number, with all gradients equal to it; return the parameters after each step."""
    states = []
    for number in gradients:
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, number)
        optimizer.step()
        states.append({name: value.detach().clone() for name, value in model.named_parameters()})
    return states


def linear_sizes(model: nn.Module) -> dict[str, list[int]]:
    """Return in_features, out_features and the weight's two sizes of each Linear, by name."""
    linears = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    return {name: [m.in_features, m.out_features, *m.weight.shape] for name, m in linears.items()}


def modes(model: nn.Module) -> dict[str, bool]:
    """Return which modules are in training mode, by name."""
    return {name: module.training for name, module in model.named_modules() if name}


def surroundings(model: nn.Module) -> dict[str, object]:
    """Return modes, numbers that layers compute with, gradients and buffers, each by a name for sentences."""
    found: dict[str, object] = {}
    for path, module in model.named_modules():
        for name in ("training", "momentum", "eps", "track_running_stats", "p"):
            if hasattr(module, name):
                found[f"`{name}` of {path or 'the model'}"] = getattr(module, name)
    for path, parameter in model.named_parameters():
        found[f"The gradient of {path}"] = None if parameter.grad is None else parameter.grad.tolist()
    for path, buffer in model.named_buffers():
        found[f"The buffer {path}"] = buffer.tolist()
    return found


def stray_attributes(module: nn.Module) -> list[str]:
    """Name the attributes that were hung on parameters and modules, and that torch never reads."""
    found = {f"`{name}` on a parameter" for parameter in module.parameters() for name in vars(parameter)}
    invented = {name for part in module.modules() for name in vars(part) if name.startswith("require")}
    return sorted(found | {f"`{name}` on a module" for name in invented})
