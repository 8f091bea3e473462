"""Reference of `training`."""

import torch
import torch.nn.functional as F
from torch import nn

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def train_step(model: nn.Module, x: torch.Tensor, y: torch.Tensor, optimizer: torch.optim.Optimizer) -> float:
    """Take one step on the cross-entropy of a batch; return the loss before the step."""
    optimizer.zero_grad()  # gradients add up, so those of the last step must go
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the fraction of images that the model, in evaluation mode, gives their label."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            hits = model(x).argmax(dim=1) == y
    finally:
        for module, mode in modes.items():
            module.training = mode  # train(mode) would set the children too, and wake a frozen layer
    return hits.float().mean().item()


def fine_tune(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    num_classes: int,
    epochs: int = 5,
    lr: float = 0.1,
    batch_size: int = 32,
) -> list[float]:
    """Train a new head on a frozen body, in place; return the mean loss of each epoch."""
    model.requires_grad_(False)
    _replace_head(model, num_classes)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=lr)
    losses = []
    for _ in range(epochs):
        model.train()
        _rest_batchnorm(model)  # after train(), which wakes them
        total = 0.0
        for start in range(0, len(x), batch_size):
            images, labels = x[start : start + batch_size], y[start : start + batch_size]
            total += train_step(model, images, labels, optimizer) * len(
                images
            )  # the last batch may be smaller
        losses.append(total / len(x))
    return losses


def _replace_head(model: nn.Module, num_classes: int) -> None:
    path, head = [(path, part) for path, part in model.named_modules() if isinstance(part, nn.Linear)][-1]
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, nn.Linear(head.in_features, num_classes))


def _rest_batchnorm(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, BATCH_NORMS) and not any(p.requires_grad for p in module.parameters()):
            module.eval()
