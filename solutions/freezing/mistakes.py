"""Known mistakes of freezing and fine-tuning."""

import torch
from reference import BATCH_NORMS, freeze, freeze_batchnorm, trainable_parameters
from torch import nn

from grader.mistakes import mistake

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
    """You clear the gradients, and the next backward fills them again: set requires_grad to False."""
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
    """You freeze the module's own parameters and not those of its blocks: parameters() reaches any depth."""
    for parameter in module.parameters(recurse=False):
        parameter.requires_grad, parameter.grad = False, None


@mistake("freeze")
def direct_children_only(module):
    """You go one level down, and blocks inside blocks still train: parameters() reaches any depth."""
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
    """Nothing is frozen: detach() returns a new tensor, no_grad() ends with its block. Set p.requires_grad = False on each parameter."""
    for parameter in module.parameters():
        parameter.detach()


@mistake("freeze")
def biases_stay(module):
    """You freeze only tensors of two axes and more, and biases and BatchNorm's weights still train: take all parameters."""
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


# --- freeze_until


@mistake("freeze_until")
def excludes_the_named(model, name):
    """You stop before the named child, and it is to be frozen too: freeze first, then compare the name."""
    for child_name, child in model.named_children():
        if child_name == name:
            break
        freeze(child)


@mistake("freeze_until")
def only_the_named(model, name):
    """You freeze the named child alone: all children before it are to be frozen as well."""
    freeze(model.get_submodule(name))


@mistake("freeze_until")
def substring(model, name):
    """`name in other` and startswith hold for "layer1" and "layer10" too: compare whole names with ==."""
    for child_name, child in model.named_children():
        freeze(child)
        if name in child_name:
            break


@mistake("freeze_until")
def whatever_contains_the_name(model, name):
    """You freeze what contains the name, so "layer1" takes layer10 along: go by the order of the children."""
    for path, parameter in model.named_parameters():
        if name in path:
            parameter.requires_grad = False


@mistake("freeze_until")
def order_of_the_alphabet(model, name):
    """You compare names by the alphabet, where "layer10" < "layer2": go by the order of named_children()."""
    for child_name, child in model.named_children():
        if child_name <= name:
            freeze(child)


@mistake("freeze_until")
def stops_inside_the_layer(model, name):
    """You stop at the named child's first parameter, so its bias still trains: loop over children."""
    for path, parameter in model.named_parameters():
        parameter.requires_grad = False
        if path.split(".")[0] == name:
            break


@mistake("freeze_until")
def counts_tensors_not_layers(model, name):
    """You count parameter tensors, and a layer has two, weight and bias: loop over the children instead."""
    count = [child_name for child_name, _ in model.named_children()].index(name) + 1
    for parameter in list(model.parameters())[:count]:
        parameter.requires_grad, parameter.grad = False, None


@mistake("freeze_until")
def thaws_the_later_ones(model, name):
    """You set the later children to trainable: leave them as they are, one of them may have been frozen before."""
    reached = False
    for child_name, child in model.named_children():
        child.requires_grad_(reached)
        reached = reached or child_name == name


@mistake("freeze_until")
def never_stops(model, name):
    """You freeze the whole model: stop after the child that is called `name`."""
    freeze(model)


@mistake("freeze_until")
def freezes_the_later_ones(model, name):
    """You freeze what comes after the named child: the early layers are frozen, the later ones train."""
    passed = False
    for child_name, child in model.named_children():
        if passed:
            freeze(child)
        passed = passed or child_name == name


# --- trainable_parameters


@mistake("trainable_parameters")
def counts_all(model):
    """You count frozen parameters too: add the condition `if p.requires_grad`."""
    return sum(parameter.numel() for parameter in model.parameters())


@mistake("trainable_parameters")
def counts_tensors(model):
    """You count tensors, and each holds many numbers: add up p.numel()."""
    return len([parameter for parameter in model.parameters() if parameter.requires_grad])


@mistake("trainable_parameters")
def counts_the_state(model):
    """Count model.parameters(): the state_dict holds buffers as well, and knows nothing of freezing."""
    return sum(value.numel() for value in model.state_dict().values())


@mistake("trainable_parameters")
def counts_buffers_too(model):
    """You add the buffers: running_mean and running_var are not learned. BatchNorm has 2 parameters for each channel, not 4."""
    return trainable_parameters(model) + sum(buffer.numel() for buffer in model.buffers())


@mistake("trainable_parameters")
def counts_weights_only(model):
    """You count weights, and biases are trained too: add up all of model.parameters()."""
    named = model.named_parameters()
    return sum(p.numel() for name, p in named if p.requires_grad and name.endswith("weight"))


@mistake("trainable_parameters")
def returns_both_counts(model):
    """Return one number: yours is a tuple of trainable and total."""
    return trainable_parameters(model), sum(parameter.numel() for parameter in model.parameters())


@mistake("trainable_parameters")
def counts_frozen(model):
    """You count what is frozen: the condition is the wrong way round."""
    return sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)


@mistake("trainable_parameters")
def counts_at_every_level(model):
    """You count layers inside blocks repeatedly: model.parameters() reaches any depth by itself."""
    return sum(trainable_parameters(module) for module in model.modules())


@mistake("trainable_parameters")
def counts_shared_twice(model):
    """You count a shared weight once for each layer: model.parameters() gives it only once."""
    own = (parameter for module in model.modules() for parameter in module.parameters(recurse=False))
    return sum(parameter.numel() for parameter in own if parameter.requires_grad)


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
    """You take for granted that the head is called fc: find the last nn.Linear in named_modules()."""
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


@mistake("replace_head")
def only_out_features(model, num_classes):
    """out_features is only a label, and the weight keeps its shape: build a new nn.Linear."""
    last_linear(model)[1].out_features = num_classes
    return model


@mistake("replace_head")
def last_child(model, num_classes):
    """You take the last child for the head: look for the last nn.Linear among named_modules()."""
    name, child = list(model.named_children())[-1]
    setattr(model, name, nn.Linear(child.in_features, num_classes))
    return model


@mistake("replace_head")
def first_linear(model, num_classes):
    """You replace the first Linear: the head is the last one."""
    path, head = next((path, part) for path, part in model.named_modules() if isinstance(part, nn.Linear))
    put(model, path, nn.Linear(head.in_features, num_classes))
    return model


@mistake("replace_head")
def every_linear(model, num_classes):
    """You replace every Linear, and the earlier ones lose what they have learned: replace only the last."""
    linears = [(path, part) for path, part in model.named_modules() if isinstance(part, nn.Linear)]
    for path, part in linears:
        put(model, path, nn.Linear(part.in_features, num_classes))
    return model


@mistake("replace_head")
def one_more_layer(model, num_classes):
    """You put a layer behind the old head: replace the head itself, with its in_features."""
    return nn.Sequential(model, nn.Linear(last_linear(model)[1].out_features, num_classes))


@mistake("replace_head")
def a_new_model(model, num_classes):
    """You build a new model around the old layers: change the one that was given, with setattr."""
    head = nn.Linear(last_linear(model)[1].in_features, num_classes)
    return nn.Sequential(*list(model.children())[:-1], head)


@mistake("replace_head")
def returns_nothing(model, num_classes):
    """You replace the head and return nothing: the last line must return the model."""
    path, head = last_linear(model)
    put(model, path, nn.Linear(head.in_features, num_classes))


@mistake("replace_head")
def returns_the_head(model, num_classes):
    """You return the new head: return the model that holds it."""
    path, head = last_linear(model)
    put(model, path, nn.Linear(head.in_features, num_classes))
    return model.get_submodule(path)


@mistake("replace_head")
def head_frozen_too(model, num_classes):
    """You freeze the new head like the old one: a new layer trains, unless you freeze it afterwards."""
    path, head = last_linear(model)
    new = nn.Linear(head.in_features, num_classes).requires_grad_(head.weight.requires_grad)
    put(model, path, new)
    return model


@mistake("replace_head")
def freezes_after_replacing(model, num_classes):
    """You freeze the whole model after the head is in, so the head is frozen too: freeze first, then replace it."""
    path, head = last_linear(model)
    put(model, path, nn.Linear(head.in_features, num_classes))
    freeze(model)
    return model


@mistake("replace_head")
def keeps_the_old_rows(model, num_classes):
    """You cut rows out of the old weight: a new task needs a new layer, nn.Linear(in_features, num_classes)."""
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
    """You freeze the rest of the model on the way: replace the head, and leave freezing to freeze."""
    path, head = last_linear(model)
    freeze(model)
    put(model, path, nn.Linear(head.in_features, num_classes))
    return model


# --- make_optimizer


@mistake("make_optimizer")
def all_parameters(model, lr):
    """You hand over all parameters: give the optimizer only those with requires_grad."""
    return torch.optim.SGD(model.parameters(), lr=lr)


@mistake("make_optimizer")
def only_the_head(model, lr):
    """You hand over the last layer alone: every trainable parameter belongs in the optimizer."""
    return torch.optim.SGD(list(model.children())[-1].parameters(), lr=lr)


@mistake("make_optimizer")
def first_tensor_only(model, lr):
    """You hand over the first trainable tensor alone: give the optimizer a list of all of them."""
    return torch.optim.SGD([next(p for p in model.parameters() if p.requires_grad)], lr=lr)


@mistake("make_optimizer")
def rate_of_the_head(model, lr):
    """You give the head a larger rate than the rest: one rate for all is asked for, `lr`."""
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
    """You always use the same learning rate: use the argument `lr`."""
    return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.01)


@mistake("make_optimizer")
def with_momentum(model, lr):
    """You add momentum: plain SGD has none."""
    return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=lr, momentum=0.9)


@mistake("make_optimizer")
def with_weight_decay(model, lr):
    """You add weight decay: plain SGD has none."""
    return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=lr, weight_decay=1e-2)


@mistake("make_optimizer")
def adam(model, lr):
    """You return Adam, which takes other steps: torch.optim.SGD is asked for."""
    return torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr)


# --- freeze_batchnorm


@mistake("freeze_batchnorm")
def flags_only(model):
    """Call eval() on the layer: running statistics are buffers, which requires_grad does not stop."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS) and not trainable_parameters(module):
            module.requires_grad_(False)


@mistake("freeze_batchnorm")
def momentum_zero(model):
    """With momentum 0 the layer still normalizes with the batch: call eval() on it."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS) and not trainable_parameters(module):
            module.momentum = 0.0


@mistake("freeze_batchnorm")
def freezes_all_norms(model):
    """You stop every BatchNorm layer: those with trainable parameters must go on learning statistics."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS):
            module.eval()


@mistake("freeze_batchnorm")
def any_frozen_parameter(model):
    """One frozen parameter is enough for you: only a layer whose parameters are all frozen is stopped."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS) and not all(p.requires_grad for p in module.parameters()):
            module.eval()


@mistake("freeze_batchnorm")
def two_dimensional_only(model):
    """You look for BatchNorm2d alone: BatchNorm1d and BatchNorm3d keep statistics too."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and not trainable_parameters(module):
            module.eval()


@mistake("freeze_batchnorm")
def children_only(model):
    """You look at the direct children alone: modules() gives the layers inside blocks as well."""
    for module in model.children():
        if isinstance(module, BATCH_NORMS) and not trainable_parameters(module):
            module.eval()


@mistake("freeze_batchnorm")
def whole_model(model):
    """You put the whole model into evaluation mode, dropout too: call eval() on BatchNorm layers only."""
    model.eval()


@mistake("freeze_batchnorm")
def whole_blocks(model):
    """You stop every frozen module, and dropout has no parameters at all: look for BatchNorm layers only."""
    for module in model.modules():
        if not trainable_parameters(module):
            module.eval()


@mistake("freeze_batchnorm")
def train_undoes_eval(model):
    """model.train() after eval() puts every layer back into training mode: call it before, and eval() last."""
    freeze_batchnorm(model)
    model.train()


@mistake("freeze_batchnorm")
def statistics_reset(model):
    """You switch off track_running_stats, and the layer normalizes with the batch: call eval() on it."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS) and not trainable_parameters(module):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None


@mistake("freeze_batchnorm")
def looks_at_the_weight_alone(model):
    """You look at the weight alone: a layer whose bias still trains must go on learning its statistics."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS) and not module.weight.requires_grad:
            module.eval()


@mistake("freeze_batchnorm")
def freezes_the_parameters_too(model):
    """You freeze the parameters of every BatchNorm layer on the way: only the modes are to change, and only of frozen ones."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS):
            module.requires_grad_(False)
            module.eval()
