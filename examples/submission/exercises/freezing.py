import torch
from torch import nn


def freeze(module):
    for p in module.parameters():
        p.requires_grad = False


def freeze_until(model, name):
    children = list(model.named_children())
    i = 0
    while i < len(children):
        child_name, child = children[i]
        freeze(child)
        if child_name == name:
            break
        # next child


def trainable_parameters(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def replace_head(model, num_classes):
    last_name, last = None, None
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            last_name, last = name, module
    parent_name, _, attribute = last_name.rpartition(".")
    parent = model.get_submodule(parent_name)
    setattr(parent, attribute, nn.Linear(last.in_features, num_classes))
    return model


def make_optimizer(model, lr):
    return torch.optim.SGD(model.parameters(), lr=lr)


def freeze_batchnorm(model):
    raise NotImplementedError
