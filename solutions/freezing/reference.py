"""Freezing, the head, and the optimizer of fine-tuning.

Why it is written this way:

- Only parameters have requires_grad. The same word on a module, or with a letter missing, is an attribute that Python
  creates silently, so the flag is set on each of `parameters()`, which reaches any depth.
- A frozen parameter's .grad is set to None, since an optimizer skips a parameter for that reason alone: an old gradient,
  even one of zeros, still moves it by momentum or weight decay.
- "Until a layer" is a matter of order. A name's text says nothing of its place: "layer1" is part of "layer10", and
  "layer10" comes before "layer2" in the alphabet. So whole names are compared, in the order of named_children().
- A head is found by its kind and place, not by its name, and replaced in its parent, which is where forward looks for
  it. Setting out_features would change a label and no weight.
- Running statistics are buffers, which no flag of a parameter stops: evaluation mode does, layer by layer. Since
  model.train() undoes it, freeze_batchnorm is called after it, in every epoch.
"""

import torch
from torch import nn

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def freeze(module: nn.Module) -> None:
    """Freeze all parameters of a module, at any depth, in place."""
    for parameter in module.parameters():
        parameter.requires_grad = False
        # An optimizer skips a parameter only when its gradient is None: an old gradient would still be used.
        parameter.grad = None


def freeze_until(model: nn.Module, name: str) -> None:
    """Freeze every direct child up to and including the one called `name`. Raises ValueError without one."""
    names = [child_name for child_name, _ in model.named_children()]
    if name not in names:
        raise ValueError(f"The model has no child {name!r}; its children are {', '.join(names)}.")
    for child_name in names[: names.index(name) + 1]:
        freeze(model.get_submodule(child_name))


def trainable_parameters(model: nn.Module) -> int:
    """Return the number of elements of all parameters that are not frozen."""
    # parameters() gives a shared parameter once, and no buffers.
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def replace_head(model: nn.Module, num_classes: int) -> nn.Module:
    """Replace the last nn.Linear by a new one with `num_classes` outputs, in place; return the model."""
    linears = [(path, module) for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    path, head = linears[-1]
    parent, _, name = path.rpartition(".")  # "classifier.2" -> "classifier" and "2"; "fc" -> "" and "fc"
    setattr(model.get_submodule(parent), name, nn.Linear(head.in_features, num_classes))
    return model


def make_optimizer(model: nn.Module, lr: float) -> torch.optim.SGD:
    """Return plain SGD over the parameters that are trainable now."""
    return torch.optim.SGD([parameter for parameter in model.parameters() if parameter.requires_grad], lr=lr)


def freeze_batchnorm(model: nn.Module) -> None:
    """Put each BatchNorm layer whose own parameters are all frozen into evaluation mode, in place."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS) and not any(p.requires_grad for p in module.parameters()):
            module.eval()
