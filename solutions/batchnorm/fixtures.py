"""Looks at a student's layer from beside it: what a call from outside cannot ask of a module.

Weight, bias and running statistics are found by name, else by order, so that a check of what a layer computes does not
ask how they are kept: that is a check of its own.
"""

import torch
from torch import nn

LEARNED = ("weight", "bias")
STATISTICS = ("running_mean", "running_var")


def find(layer: nn.Module) -> dict[str, torch.Tensor]:
    """Return the tensors that a layer keeps as weight, bias and running statistics, as far as it has them."""
    parameters, others = list(layer.parameters()), list(layer.buffers())
    others += [value for value in vars(layer).values() if isinstance(value, torch.Tensor)]
    others = [value for value in others if value.dim() and value.is_floating_point()]
    named = {name: getattr(layer, name, None) for name in (*LEARNED, *STATISTICS)}
    found = {name: value for name, value in named.items() if isinstance(value, torch.Tensor)}
    for names, tensors in ((LEARNED, parameters), (STATISTICS, others)):
        used = [id(value) for value in found.values()]
        unnamed = [value for value in tensors if id(value) not in used]
        found |= dict(zip([name for name in names if name not in found], unnamed, strict=False))
    return found


def set_state(layer: nn.Module, state: dict[str, torch.Tensor]) -> list[str]:
    """Write a state into a layer, wherever it keeps it; return the names for which it keeps nothing."""
    found = find(layer)
    counter = getattr(layer, "num_batches_tracked", None)
    for name, value in state.items():
        kept = counter if name == "num_batches_tracked" else found.get(name)
        if isinstance(kept, torch.Tensor) and kept.numel() == value.numel():
            kept.data.copy_(value.reshape(kept.shape))
    return [name for name in state if name not in found and name != "num_batches_tracked"]


def statistics(layer: nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of the running statistics, each as one row of numbers."""
    found = find(layer)
    return {name: found[name].detach().clone().flatten() for name in STATISTICS if name in found}


def learned_gradients(layer: nn.Module) -> dict[str, torch.Tensor | None]:
    """Return the gradients of weight and bias, each as one row of numbers."""
    found = find(layer)
    given = {name: found[name].grad for name in LEARNED if name in found}
    return {name: None if value is None else value.flatten() for name, value in given.items()}


def to_dtype(layer: nn.Module, name: str) -> nn.Module:
    """Convert the parameters and buffers of a layer to the dtype of that name, in place, and return the layer."""
    return layer.to(getattr(torch, name))


def call_without_gradients(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Run a layer under `torch.no_grad()`, in the mode it is in."""
    with torch.no_grad():
        return layer(x)


def call_with_a_view(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Run a layer on a view with the values of x, whose numbers do not lie in the order of its axes."""
    return layer(x.permute(3, 2, 0, 1).contiguous().permute(2, 3, 1, 0))


def not_none(layer: nn.Module) -> list[str]:
    """Name those of weight and bias that the layer has, and that are not None."""
    return [name for name in LEARNED if getattr(layer, name, None) is not None]


def counter(layer: nn.Module) -> object:
    """Return what the layer keeps as num_batches_tracked."""
    kept = getattr(layer, "num_batches_tracked", None)
    return kept.detach().clone() if isinstance(kept, torch.Tensor) else kept


def in_graph_after(layer: nn.Module, x: torch.Tensor) -> list[str]:
    """Train a layer on a batch; name the running statistics that are joined to its graph."""
    layer(x * 1)
    return [name for name, value in find(layer).items() if name in STATISTICS and value.grad_fn is not None]


def replaced_after(layer: nn.Module, x: torch.Tensor) -> list[str]:
    """Train a layer on a batch; name the statistics that are other tensors than before, and not new values in the old."""
    names = (*STATISTICS, "num_batches_tracked")
    before = {name: getattr(layer, name, None) for name in names}
    saved = layer.state_dict()  # which an assignment to .data leaves behind
    layer(x)
    stale = [name for name, value in saved.items() if name in names and not torch.equal(value, before[name])]
    return [
        name
        for name, kept in before.items()
        if name in stale or (kept is not None and getattr(layer, name) is not kept)
    ]
