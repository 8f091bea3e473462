"""Fine-tuning: keep what a network has learned, and train only what the new task needs.

The early layers of a trained network know edges and colors, which every task needs; the last layer knows
the old classes, which the new task does not. So the early layers are frozen, and the last one is replaced.

A parameter is frozen when autograd computes no gradient for it (`requires_grad` is False), so that no
optimizer step moves it. The grader does not look at that flag. It trains the network for some steps after
your function, and compares the weights.

Where the notes (section 9) stop short, and you must not:

- They freeze `model.layer1` and call it the early layers. In a ResNet, `conv1` and `bn1` come before it and
  would still train: freezing UP TO a layer is what is meant.
- They leave the head with the 1000 classes of ImageNet. The new task needs a head of its own.
- They do not say that BatchNorm keeps running statistics. Those are buffers: `requires_grad = False` does not
  stop them, and a frozen layer drifts with every batch it sees in training mode.
- They say nothing of the optimizer. It should be given only what is to train: a frozen parameter that still has
  an old gradient moves on, and weight decay shrinks it even where that gradient is zero.
- `pretrained=True` is deprecated: write `weights=ResNet18_Weights.DEFAULT`.

In a program, the order is: freeze, replace the head, make the optimizer; and then in every epoch
`model.train()`, `freeze_batchnorm(model)`, and the training steps.

Source: section 9 of the notes; Yosinski et al. 2014, How transferable are features in deep neural networks?
"""

import torch
from torch import nn


def freeze(module: nn.Module) -> None:
    """Freeze all parameters of a module, at any depth, in place.

    A parameter that has a gradient from an earlier step forgets it (`.grad` becomes None): an optimizer that
    was built before would go on stepping along it. Every layer stays in the mode it is in, training or evaluation:
    modes are the business of `freeze_batchnorm`. Running statistics, and how BatchNorm keeps them, stay as well.

    Example: after `freeze(model.layer1)`, training moves every parameter except those in `model.layer1`.
    """
    raise NotImplementedError


def freeze_until(model: nn.Module, name: str) -> None:
    """Freeze every direct child of the model up to and including the child called `name`, in place, as `freeze` does.

    "Up to" means the order in which the children were registered, which is the order of `named_children()`.
    All later children stay as they are, also those that were frozen before. The child called `name` may be one
    without parameters, such as a pooling. Raise ValueError when no direct child has that name (no check asks for
    that).

    Example: a model has the children stem, layer1, layer10, head. `freeze_until(model, "layer1")` freezes
    stem and layer1; layer10 and head go on training.
    """
    raise NotImplementedError


def trainable_parameters(model: nn.Module) -> int:
    """Return how many numbers of the model are trained, as an int: the elements of all parameters that are not frozen.

    A parameter that two layers share counts once, and buffers do not count. Counting changes nothing in the model.

    Example: `nn.Linear(3, 2)` has a weight of 2 x 3 and a bias of 2, so 8; with the weight frozen it has 2.
    """
    raise NotImplementedError


def replace_head(model: nn.Module, num_classes: int) -> nn.Module:
    """Replace the head by a new `nn.Linear` with `num_classes` outputs, in place, and return the model.

    The head is the last `nn.Linear` among the model's modules, in the order of `named_modules()`. It may be
    called anything and may stand inside another module. The new one takes as many inputs as the old one, has a
    bias even where the old one had none, and is trainable even where the old one was frozen. It is new even where
    the number of classes stays the same. Nothing else changes.

    Example: a model whose classifier is Sequential(Linear(8, 6), ReLU(), Linear(6, 10)) gets, for 3 classes,
    the classifier Sequential(Linear(8, 6), ReLU(), Linear(6, 3)).
    """
    raise NotImplementedError


def make_optimizer(model: nn.Module, lr: float) -> torch.optim.SGD:
    """Return plain SGD with learning rate `lr` over the parameters that are trainable now, and no others.

    "Plain" means without momentum and weight decay. A frozen parameter does not belong in it: were it unfrozen
    later, the optimizer would start to move it. The model itself stays as it is. A parameter that two layers share
    is moved once in each step.

    Example: nn.Linear(3, 2) with its weight frozen gives an optimizer that holds one tensor, the bias. With
    lr 0.1 and a gradient of [1, -2], one step moves the bias by [-0.1, 0.2].
    """
    raise NotImplementedError


def freeze_batchnorm(model: nn.Module) -> None:
    """Put each BatchNorm layer whose own parameters are all frozen into evaluation mode, in place.

    That keeps its running statistics, and makes it normalize with them. It concerns BatchNorm1d, 2d and 3d,
    at any depth, also where the model itself is one; one without parameters (affine=False) has nothing to train, and
    counts as frozen. Every other layer stays in the mode it is in, and so does a BatchNorm layer of which any parameter
    is trainable. Only modes change: after a later `model.train()` every layer learns its statistics as before.

    `model.train()` puts all layers back into training mode, so this is called after it, in each epoch. Do not
    call it in here.

    Example: in nn.Sequential(conv, norm1, norm2, drop), all in training mode, with conv and norm1 frozen,
    `freeze_batchnorm` puts norm1 into evaluation mode; norm2 and drop stay in training mode.
    """
    raise NotImplementedError
