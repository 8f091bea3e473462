"""Known mistakes of freezing and fine-tuning."""

import numpy as np
import torch
from reference import BATCH_NORMS, freeze, freeze_batchnorm, trainable_parameters
from torch import nn

from grader.mistakes import mistake

TYPE_ONLY = "The value is right: its type costs the one check of types, and no other."

# --- freeze


@mistake("freeze")
def require_grad_typo(module):
    """Write requires_grad, with an s: Python lets you invent the other one, and nothing is frozen."""
    for parameter in module.parameters():
        parameter.require_grad = False


@mistake("freeze")
def module_attribute(module):
    """You switch on a module, which has no such switch: set requires_grad on its parameters."""
    module.requires_grad = False


@mistake("freeze")
def eval_is_not_freezing(module):
    """eval() changes how Dropout and BatchNorm behave, and freezes nothing: set requires_grad to False."""
    module.eval()


@mistake("freeze")
def only_gradients_cleared(module):
    """The gradients are cleared, and the next backward fills them again: set requires_grad to False."""
    for parameter in module.parameters():
        parameter.grad = None


@mistake("freeze")
def typo_beside_the_gradient(module):
    """The gradients are cleared, but nothing is frozen: write requires_grad, with an s. Python lets you invent the other one."""
    for parameter in module.parameters():
        parameter.require_grad, parameter.grad = False, None


@mistake("freeze")
def module_attribute_beside_the_gradient(module):
    """The gradients are cleared, and a switch is set on a module, which has none: set requires_grad on its parameters."""
    module.requires_grad = False
    for parameter in module.parameters():
        parameter.grad = None


@mistake("freeze")
def eval_beside_the_gradient(module):
    """The gradients are cleared, and all is in evaluation mode, which freezes nothing: set requires_grad to False, and leave the modes as they are."""
    module.eval()
    for parameter in module.parameters():
        parameter.grad = None


@mistake("freeze")
def weights_only(module):
    """You freeze the weights and leave the biases to train: loop over all of module.parameters()."""
    for name, parameter in module.named_parameters():
        if name.split(".")[-1] == "weight":
            parameter.requires_grad, parameter.grad = False, None


@mistake("freeze")
def not_into_blocks(module):
    """The module's own parameters are frozen, and those of its blocks still train: parameters() reaches any depth."""
    for parameter in module.parameters(recurse=False):
        parameter.requires_grad, parameter.grad = False, None


@mistake("freeze")
def direct_children_only(module):
    """Blocks inside blocks still train: parameters() reaches any depth."""
    for part in (module, *module.children()):
        not_into_blocks(part)


@mistake("freeze")
def only_convolutions(module):
    """You freeze the convolutions, and BatchNorm's weight and bias still train: freeze every parameter."""
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            freeze(part)


@mistake("freeze")
def freezes_nothing(module):
    """Nothing is frozen. Write p.requires_grad = False for each parameter p: `==` only compares, detach() returns a new tensor, and no_grad() ends with its block."""
    for parameter in module.parameters():
        parameter.detach()


@mistake("freeze")
def biases_stay(module):
    """Parameters with one axis or none still train, such as biases and BatchNorm's weights: freeze every parameter."""
    for parameter in module.parameters():
        if parameter.dim() > 1:
            parameter.requires_grad, parameter.grad = False, None


@mistake("freeze")
def gradient_of_zeros(module):
    """Set .grad to None, not to zeros: with momentum or weight decay an optimizer still moves what has a gradient."""
    for parameter in module.parameters():
        parameter.requires_grad = False
        if parameter.grad is not None:
            parameter.grad.zero_()


@mistake("freeze")
def stale_gradient(module):
    """Set .grad to None as well: the optimizer still steps along the old gradient."""
    module.requires_grad_(False)


@mistake("freeze")
def also_evaluates(module):
    """The layers are frozen, and in evaluation mode too: leave their modes to freeze_batchnorm."""
    freeze(module)
    module.eval()


@mistake("freeze")
def weight_and_bias_only(module):
    """Parameters that are called neither weight nor bias still train: loop over all of module.parameters()."""
    for part in module.modules():
        for name in ("weight", "bias"):
            if isinstance(getattr(part, name, None), nn.Parameter):
                getattr(part, name).requires_grad, getattr(part, name).grad = False, None


# --- freeze_until


@mistake("freeze_until")
def excludes_the_named(model, name):
    """The children before the named one are frozen, and it still trains: it is to be frozen too."""
    for child_name, child in model.named_children():
        if child_name == name:
            break
        freeze(child)


@mistake("freeze_until")
def only_the_named(model, name):
    """The named child alone is frozen: all children before it are to be frozen as well."""
    freeze(model.get_submodule(name))


@mistake("freeze_until")
def substring(model, name):
    """Freezing ends at the first child whose name contains the one asked for, and "layer10" contains "layer1": compare whole names with ==."""
    for child_name, child in model.named_children():
        freeze(child)
        if name in child_name:
            break


@mistake("freeze_until")
def whatever_contains_the_name(model, name):
    """Whatever has the name in its own is frozen, so "layer1" takes layer10 along: go by the order of the children."""
    for path, parameter in model.named_parameters():
        if name in path:
            parameter.requires_grad = False


@mistake("freeze_until")
def order_of_the_alphabet(model, name):
    """Which children are frozen follows the alphabet, where "layer10" < "layer2": go by the order of named_children()."""
    for child_name, child in model.named_children():
        if child_name <= name:
            freeze(child)


@mistake("freeze_until")
def stops_inside_the_layer(model, name):
    """Freezing ends at the named child's first parameter, so its bias still trains: loop over children."""
    for path, parameter in model.named_parameters():
        parameter.requires_grad = False
        if path.split(".")[0] == name:
            break


@mistake("freeze_until")
def counts_tensors_not_layers(model, name):
    """As many parameter tensors are frozen as there are children up to the named one, and a layer has two, weight and bias: loop over the children instead."""
    count = [child_name for child_name, _ in model.named_children()].index(name) + 1
    for parameter in list(model.parameters())[:count]:
        parameter.requires_grad, parameter.grad = False, None


@mistake("freeze_until")
def thaws_the_later_ones(model, name):
    """Later children that were frozen before train again: leave them as they are."""
    reached = False
    for child_name, child in model.named_children():
        child.requires_grad_(reached)
        reached = reached or child_name == name


@mistake("freeze_until")
def never_stops(model, name):
    """The whole model is frozen: stop after the child that is called `name`."""
    freeze(model)


@mistake("freeze_until")
def freezes_the_later_ones(model, name):
    """What comes after the named child is frozen: the early layers are to be frozen, and the later ones to train."""
    passed = False
    for child_name, child in model.named_children():
        if passed:
            freeze(child)
        passed = passed or child_name == name


@mistake("freeze_until")
def flags_only_until(model, name):
    """The right children are frozen, but after some training they move on: set .grad to None as well, as freeze does."""
    for child_name, child in model.named_children():
        child.requires_grad_(False)
        if child_name == name:
            break


@mistake("freeze_until")
def no_child_frozen(model, name):
    """No child is frozen: each parameter of a child needs requires_grad = False, as freeze gives it."""
    assert name in dict(model.named_children())


@mistake("freeze_until")
def only_gradients_until(model, name):
    """The gradients are cleared, and no child is frozen: each parameter needs requires_grad = False too, as freeze gives it."""
    for child_name, child in model.named_children():
        for parameter in child.parameters():
            parameter.grad = None
        if child_name == name:
            break


@mistake("freeze_until")
def flag_by_the_name(model, name):
    """What has the name in its own is frozen, and all the rest trains, even what was frozen before: go by the order of the children."""
    for path, parameter in model.named_parameters():
        parameter.requires_grad = name not in path


@mistake("freeze_until")
def beginning_of_the_name(model, name):
    """Whatever begins with the name is frozen, and "layer10" begins with "layer1": go by the order of the children."""
    for path, parameter in model.named_parameters():
        if path.startswith(name):
            parameter.requires_grad = False


@mistake("freeze_until")
def thaws_first(model, name):
    """All children train but those up to the named one, even later ones that were frozen before: leave those as they are."""
    model.requires_grad_(True)
    for child_name, child in model.named_children():
        freeze(child)
        if child_name == name:
            break


@mistake("freeze_until")
def name_at_any_depth(model, name):
    """Freezing ends at the first layer of that name, at any depth: only direct children count, so go by named_children()."""
    for path, module in model.named_modules():
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad, parameter.grad = False, None
        if path.split(".")[-1] == name:
            freeze(module)
            break


# --- trainable_parameters


@mistake("trainable_parameters")
def counts_all(model):
    """Frozen parameters are counted too: add the condition `if p.requires_grad`."""
    return sum(parameter.numel() for parameter in model.parameters())


@mistake("trainable_parameters")
def counts_tensors(model):
    """That is how many tensors there are, and each holds many numbers: add up p.numel()."""
    return len([parameter for parameter in model.parameters() if parameter.requires_grad])


@mistake("trainable_parameters")
def counts_the_state(model):
    """That is how many numbers the state_dict holds, with buffers, and frozen ones too: count those of model.parameters() that train."""
    return sum(value.numel() for value in model.state_dict().values())


@mistake("trainable_parameters")
def counts_buffers_too(model):
    """Buffers are counted: running_mean and running_var are not learned. BatchNorm has 2 parameters for each channel, not 4."""
    return trainable_parameters(model) + sum(buffer.numel() for buffer in model.buffers())


@mistake("trainable_parameters")
def counts_weights_only(model):
    """Only weights are counted, and other parameters are trained too: add up all of model.parameters()."""
    named = model.named_parameters()
    return sum(p.numel() for name, p in named if p.requires_grad and name.endswith("weight"))


@mistake("trainable_parameters")
def returns_both_counts(model):
    """Return one number: yours is a tuple of trainable and total."""
    return trainable_parameters(model), sum(parameter.numel() for parameter in model.parameters())


@mistake("trainable_parameters")
def counts_frozen(model):
    """That is how much is frozen: count the parameters with requires_grad."""
    return sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)


@mistake("trainable_parameters")
def counts_at_every_level(model):
    """Layers inside blocks count repeatedly: model.parameters() reaches any depth by itself."""
    return sum(trainable_parameters(module) for module in model.modules())


@mistake("trainable_parameters")
def counts_shared_twice(model):
    """A shared weight counts once for each layer: model.parameters() gives it only once."""
    own = (parameter for module in model.modules() for parameter in module.parameters(recurse=False))
    return sum(parameter.numel() for parameter in own if parameter.requires_grad)


@mistake("trainable_parameters", outlier=TYPE_ONLY)
def number_of_numpy(model):
    """The count is right, and a number of numpy, as np.prod makes it: add up p.numel(), which is an int."""
    return np.int64(trainable_parameters(model))


@mistake("trainable_parameters", outlier=TYPE_ONLY)
def count_as_tensor(model):
    """The count is right, and a tensor: add up p.numel(), which is an int."""
    return torch.tensor(trainable_parameters(model))


@mistake("trainable_parameters")
def unfreezes_while_counting(model):
    """After counting, what was frozen trains again: look at requires_grad, and leave it as it is."""
    count = trainable_parameters(model)
    model.requires_grad_(True)
    return count


# --- replace_head


def last_linear(model):
    """Return the dotted name and the module of the last nn.Linear."""
    return [(path, part) for path, part in model.named_modules() if isinstance(part, nn.Linear)][-1]


def put(model, path, module):
    """Replace the module of that dotted name."""
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)


@mistake("replace_head")
def called_fc(model, num_classes):
    """Only a head called fc is found: look for the last nn.Linear in named_modules()."""
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


@mistake("replace_head")
def only_out_features(model, num_classes):
    """out_features is only a label, and the weight keeps its shape: build a new nn.Linear."""
    last_linear(model)[1].out_features = num_classes
    return model


@mistake("replace_head")
def last_child(model, num_classes):
    """The last child is taken for the head, whatever it is: look for the last nn.Linear among named_modules()."""
    name, child = list(model.named_children())[-1]
    setattr(model, name, nn.Linear(child.in_features, num_classes))
    return model


@mistake("replace_head")
def first_linear(model, num_classes):
    """The first Linear is replaced: the head is the last one."""
    path, head = next((path, part) for path, part in model.named_modules() if isinstance(part, nn.Linear))
    put(model, path, nn.Linear(head.in_features, num_classes))
    return model


@mistake("replace_head")
def every_linear(model, num_classes):
    """Every Linear is replaced, and the earlier ones lose what they have learned: replace only the last."""
    linears = [(path, part) for path, part in model.named_modules() if isinstance(part, nn.Linear)]
    for path, part in linears:
        put(model, path, nn.Linear(part.in_features, num_classes))
    return model


@mistake("replace_head")
def one_more_layer(model, num_classes):
    """A layer stands behind the old head: replace the head itself, with its in_features."""
    return nn.Sequential(model, nn.Linear(last_linear(model)[1].out_features, num_classes))


@mistake("replace_head")
def a_new_model(model, num_classes):
    """The model that was given stays as it was, and another one comes back: change the one that was given, with setattr."""
    head = nn.Linear(last_linear(model)[1].in_features, num_classes)
    return nn.Sequential(*list(model.children())[:-1], head)


@mistake("replace_head")
def returns_nothing(model, num_classes):
    """The head is replaced, and nothing comes back: the last line must return the model."""
    path, head = last_linear(model)
    put(model, path, nn.Linear(head.in_features, num_classes))


@mistake("replace_head")
def returns_the_head(model, num_classes):
    """The new head comes back: return the model that holds it."""
    path, head = last_linear(model)
    put(model, path, nn.Linear(head.in_features, num_classes))
    return model.get_submodule(path)


@mistake("replace_head")
def head_frozen_too(model, num_classes):
    """The new head is frozen where the old one was: a new layer trains, unless it is frozen afterwards."""
    path, head = last_linear(model)
    new = nn.Linear(head.in_features, num_classes).requires_grad_(head.weight.requires_grad)
    put(model, path, new)
    return model


@mistake("replace_head")
def freezes_after_replacing(model, num_classes):
    """The whole model is frozen, with the new head in it: freeze first, then replace the head, and leave freezing to freeze."""
    path, head = last_linear(model)
    put(model, path, nn.Linear(head.in_features, num_classes))
    freeze(model)
    return model


@mistake("replace_head")
def keeps_the_old_rows(model, num_classes):
    """The new head holds rows of the old weight: a new task needs a new layer, nn.Linear(in_features, num_classes)."""
    head = last_linear(model)[1]
    head.out_features = num_classes
    head.weight, head.bias = nn.Parameter(head.weight[:num_classes]), nn.Parameter(head.bias[:num_classes])
    return model


@mistake("replace_head")
def no_bias_in_the_head(model, num_classes):
    """Your new head has no bias: leave `bias` of nn.Linear at its default."""
    path, head = last_linear(model)
    put(model, path, nn.Linear(head.in_features, num_classes, bias=False))
    return model


@mistake("replace_head")
def softmax_behind_the_head(model, num_classes):
    """Put the Linear alone in the head's place: softmax belongs to the loss, and changes the model's structure."""
    path, head = last_linear(model)
    put(model, path, nn.Sequential(nn.Linear(head.in_features, num_classes), nn.Softmax(dim=1)))
    return model


@mistake("replace_head")
def body_frozen_too(model, num_classes):
    """The rest of the model is frozen on the way: replace the head, and leave freezing to freeze."""
    path, head = last_linear(model)
    freeze(model)
    put(model, path, nn.Linear(head.in_features, num_classes))
    return model


@mistake("replace_head")
def bias_of_the_old_head(model, num_classes):
    """Where the old head had no bias, the new one has none: leave `bias` of nn.Linear at its default."""
    path, head = last_linear(model)
    put(model, path, nn.Linear(head.in_features, num_classes, bias=head.bias is not None))
    return model


@mistake("replace_head")
def dotted_name(model, num_classes):
    """The new head stands beside the block, under a dotted name, where forward never looks: set it on its parent, model.get_submodule("classifier")."""
    path, head = last_linear(model)
    setattr(model, path, nn.Linear(head.in_features, num_classes))
    return model


@mistake("replace_head")
def old_head_if_it_fits(model, num_classes):
    """Where the number of classes stays the same, the old head stays: a new task needs a new one even then."""
    path, head = last_linear(model)
    if head.out_features != num_classes:
        put(model, path, nn.Linear(head.in_features, num_classes))
    return model


@mistake("replace_head")
def last_linear_of_the_last_child(model, num_classes):
    """The head is looked for in the last child alone: take the last nn.Linear of the whole model."""
    name, child = list(model.named_children())[-1]
    path, head = last_linear(nn.ModuleDict({name: child}))
    put(model, path, nn.Linear(head.in_features, num_classes))
    return model


@mistake("replace_head")
def unfreezes_the_model(model, num_classes):
    """What was frozen trains again: a new head is trainable by itself, so leave the flags of the rest as they are."""
    path, head = last_linear(model)
    put(model, path, nn.Linear(head.in_features, num_classes))
    return model.requires_grad_(True)


# --- make_optimizer


@mistake("make_optimizer")
def all_parameters(model, lr):
    """What is frozen is in the optimizer too: give it only the parameters with requires_grad."""
    return torch.optim.SGD(model.parameters(), lr=lr)


@mistake("make_optimizer")
def only_the_head(model, lr):
    """The optimizer moves the last layer alone: every trainable parameter belongs in it."""
    return torch.optim.SGD(list(model.children())[-1].parameters(), lr=lr)


@mistake("make_optimizer")
def first_tensor_only(model, lr):
    """The optimizer moves one tensor alone: give it a list of all trainable parameters."""
    return torch.optim.SGD([next(p for p in model.parameters() if p.requires_grad)], lr=lr)


@mistake("make_optimizer")
def rate_of_the_head(model, lr):
    """The head moves ten times as far as the rest: one rate for all is asked for, `lr`."""
    *body, head = [
        list(child.parameters()) for child in model.children() if any(True for _ in child.parameters())
    ]
    groups = [
        {"params": [p for part in body for p in part if p.requires_grad], "lr": lr / 10},
        {"params": [p for p in head if p.requires_grad]},
    ]
    return torch.optim.SGD(groups, lr=lr)


@mistake("make_optimizer")
def returns_parameters(model, lr):
    """Return the optimizer, torch.optim.SGD(parameters, lr=lr): yours is the list of parameters."""
    return [parameter.detach() for parameter in model.parameters() if parameter.requires_grad]


@mistake("make_optimizer")
def fixed_rate(model, lr):
    """The steps do not depend on `lr`: hand it over as the learning rate."""
    return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.01)


@mistake("make_optimizer")
def with_momentum(model, lr):
    """Momentum moves what has a gradient of zero: plain SGD has none."""
    return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=lr, momentum=0.9)


@mistake("make_optimizer")
def with_weight_decay(model, lr):
    """Weight decay shrinks what has a gradient of zero: plain SGD has none."""
    return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=lr, weight_decay=1e-2)


@mistake("make_optimizer")
def adam(model, lr):
    """These are the steps of Adam, about as long for small gradients as for large ones: torch.optim.SGD is asked for."""
    return torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr)


@mistake("make_optimizer")
def thaws_the_model(model, lr):
    """The optimizer is right, but what was frozen trains again: leave the flags of the model as they are."""
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=lr)
    model.requires_grad_(True)
    return optimizer


@mistake("make_optimizer")
def shared_weight_twice(model, lr):
    """A weight that two layers share is moved twice in each step: model.parameters() gives it only once."""
    own = [p for module in model.modules() for p in module.parameters(recurse=False) if p.requires_grad]
    return torch.optim.SGD(own, lr=lr)


# --- freeze_batchnorm


@mistake("freeze_batchnorm")
def flags_only(model):
    """No layer changes its mode. Running statistics are buffers, which requires_grad does not stop: call eval() on each frozen BatchNorm layer, with its parentheses."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS) and not trainable_parameters(module):
            module.requires_grad_(False)


@mistake("freeze_batchnorm")
def momentum_zero(model):
    """Running means stand still, but the layer normalizes with the batch, as with momentum 0: call eval() on it."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS) and not trainable_parameters(module):
            module.momentum = 0.0


@mistake("freeze_batchnorm")
def freezes_all_norms(model):
    """Every BatchNorm layer is stopped: those with trainable parameters must go on learning statistics."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS):
            module.eval()


@mistake("freeze_batchnorm")
def any_frozen_parameter(model):
    """One frozen parameter is enough to stop a layer: stop only those whose parameters are all frozen."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS) and not all(p.requires_grad for p in module.parameters()):
            module.eval()


@mistake("freeze_batchnorm")
def two_dimensional_only(model):
    """Only BatchNorm2d is stopped: BatchNorm1d and BatchNorm3d keep statistics too."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and not trainable_parameters(module):
            module.eval()


@mistake("freeze_batchnorm")
def not_of_volumes(model):
    """BatchNorm3d is left in training mode: BatchNorm of one, two and three axes keeps statistics."""
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) and not trainable_parameters(module):
            module.eval()


@mistake("freeze_batchnorm")
def every_kind_of_norm(model):
    """Other normalizations are in evaluation mode too: only BatchNorm1d, 2d and 3d are asked for."""
    for module in model.modules():
        if "Norm" in type(module).__name__ and not trainable_parameters(module):
            module.eval()


@mistake("freeze_batchnorm")
def mode_by_the_flags(model):
    """A layer with trainable parameters that was in evaluation mode is put back into training mode: leave it in the mode it is in."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS):
            module.train(trainable_parameters(module) > 0)


@mistake("freeze_batchnorm")
def not_without_parameters(model):
    """A BatchNorm layer without parameters (affine=False) stays in training mode: nothing of it trains, so it counts as frozen."""
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if isinstance(module, BATCH_NORMS) and own and not any(p.requires_grad for p in own):
            module.eval()


@mistake("freeze_batchnorm")
def raises_without_parameters(model):
    """A BatchNorm layer without parameters (affine=False) has no weight to look at: loop over its parameters(), which may be none."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS) and not (module.weight.requires_grad or module.bias.requires_grad):
            module.eval()


@mistake("freeze_batchnorm")
def momentum_zero_too(model):
    """Frozen layers are in evaluation mode, but learn nothing after a later model.train() either, as with momentum 0: change their modes only."""
    freeze_batchnorm(model)
    for module in model.modules():
        if isinstance(module, BATCH_NORMS) and not module.training:
            module.momentum = 0.0


@mistake("freeze_batchnorm")
def children_only(model):
    """Only the direct children are stopped: modules() gives the layers inside blocks as well."""
    for module in model.children():
        if isinstance(module, BATCH_NORMS) and not trainable_parameters(module):
            module.eval()


@mistake("freeze_batchnorm")
def whole_model(model):
    """The whole model is in evaluation mode, dropout too: call eval() on BatchNorm layers only."""
    model.eval()


@mistake("freeze_batchnorm")
def whole_blocks(model):
    """Every module without trainable parameters is in evaluation mode, dropout too: look for BatchNorm layers only."""
    for module in model.modules():
        if not trainable_parameters(module):
            module.eval()


@mistake("freeze_batchnorm")
def train_undoes_eval(model):
    """Every layer ends in training mode, as with model.train() after eval(): call it before, and eval() last."""
    freeze_batchnorm(model)
    model.train()


@mistake("freeze_batchnorm")
def statistics_reset(model):
    """The layer has no running statistics any more, and normalizes with the batch: call eval() on it."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS) and not trainable_parameters(module):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None


@mistake("freeze_batchnorm")
def looks_at_the_weight_alone(model):
    """A layer whose weight is frozen is stopped although its bias still trains: look at all its parameters."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS) and not module.weight.requires_grad:
            module.eval()


@mistake("freeze_batchnorm")
def freezes_the_parameters_too(model):
    """The parameters of every BatchNorm layer are frozen on the way: only the modes are to change, and only of frozen ones."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS):
            module.requires_grad_(False)
            module.eval()
