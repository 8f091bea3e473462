"""Known mistakes of `lenet`."""

import torch
import torch.nn.functional as F
from reference import LeNet as Right
from reference import layer_shapes as right_shapes
from torch import nn

from grader.mistakes import mistake


class FourLayers(Right):
    """Takes its layers from outside. They are made in the order of the table, so that their first values are a student's."""

    def __init__(self, conv1, conv2, fc1, fc2):
        nn.Module.__init__(self)
        self.conv1, self.conv2, self.fc1, self.fc2 = conv1, conv2, fc1, fc2


def convolutions(**options):
    """Return conv1 and conv2 of the table."""
    return nn.Conv2d(1, 20, 5, padding=2, **options), nn.Conv2d(20, 50, 5, padding=2, **options)


@mistake("LeNet")
class NoPadding(FourLayers):
    """With padding 2 a 5 x 5 convolution keeps 28 x 28, so 50 * 7 * 7 = 2450 features reach fc1. Without it there are 800."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 20, 5), nn.Conv2d(20, 50, 5), nn.Linear(50 * 4 * 4, 500), nn.Linear(500, 10)
        )


@mistake("LeNet")
class ShapesDoNotFit(FourLayers):
    """The layers are right, but what reaches fc1 is not 2450 long: padding=2 on both convolutions, two poolings, flatten(1)."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 20, 5, padding=2),
            nn.Conv2d(20, 50, 5),
            nn.Linear(50 * 7 * 7, 500),
            nn.Linear(500, 10),
        )


@mistake("LeNet")
class OriginalSizes(FourLayers):
    """These are the 6 and 16 filters of 1998. The table of this exercise has 20 and 50, and 2450 features."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 6, 5, padding=2),
            nn.Conv2d(6, 16, 5, padding=2),
            nn.Linear(16 * 7 * 7, 500),
            nn.Linear(500, 10),
        )


@mistake("LeNet")
class NetworkOfLecun(nn.Module):
    """This is the LeNet of 1998, with 6 and 16 filters, sigmoid and average pooling: build the table of this exercise."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.avg_pool2d(torch.sigmoid(self.conv1(x)), 2)
        x = F.avg_pool2d(torch.sigmoid(self.conv2(x)), 2).flatten(1)
        return self.fc3(torch.sigmoid(self.fc2(torch.sigmoid(self.fc1(x)))))


@mistake("LeNet")
class NetworkOfTheTutorial(nn.Module):
    """This is the network of PyTorch's tutorial, for 32 x 32 images, with 6 and 16 filters: build the table of this exercise."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


@mistake("LeNet")
class ThreeLinearLayers(FourLayers):
    """The table has two linear layers, 2450 -> 500 -> 10: you have one more."""

    def __init__(self):
        super().__init__(*convolutions(), nn.Linear(2450, 500), nn.Linear(500, 84))
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        return self.fc3(F.relu(super().forward(x)))


@mistake("LeNet")
class OnePoolingMissing(FourLayers):
    """There is a max pooling after each convolution, so 28 -> 14 -> 7: the second one is missing."""

    def __init__(self):
        super().__init__(*convolutions(), nn.Linear(50 * 14 * 14, 500), nn.Linear(500, 10))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.relu(self.conv2(x))
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


@mistake("LeNet")
class NoActivationAtAll(Right):
    """There is no ReLU in forward: the table has three, after conv1, conv2 and fc1."""

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x), 2)
        x = F.max_pool2d(self.conv2(x), 2)
        return self.fc2(self.fc1(x.flatten(1)))


@mistake("LeNet")
class NoActivationAfterConvolutions(Right):
    """ReLU is missing after the convolutions: count three of them, after conv1, conv2 and fc1."""

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x), 2)
        x = F.max_pool2d(self.conv2(x), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


@mistake("LeNet")
class NoActivationBetweenLinear(Right):
    """Without ReLU between them, fc1 and fc2 are one linear layer. Count three ReLUs."""

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(self.fc1(x.flatten(1)))


@mistake("LeNet")
class ActivationOnLogits(Right):
    """The last layer has no ReLU: logits may be negative, and must be able to say "surely not"."""

    def forward(self, x):
        return F.relu(super().forward(x))


@mistake("LeNet")
class SoftmaxInside(Right):
    """Return logits: CrossEntropyLoss applies log-softmax itself, and a second softmax flattens the gradient."""

    def forward(self, x):
        return F.softmax(super().forward(x), dim=1)


@mistake("LeNet")
class LogSoftmaxInside(Right):
    """Return logits: CrossEntropyLoss applies log-softmax itself. (With NLLLoss you would need yours, but not here.)"""

    def forward(self, x):
        return F.log_softmax(super().forward(x), dim=1)


@mistake("LeNet")
class FlattenAll(Right):
    """flatten() without start_dim swallows the batch axis too: use torch.flatten(x, 1)."""

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten())))


@mistake("LeNet")
class BatchInView(Right):
    """The batch size is written into view(), so only batches of 64 pass: use flatten(1) or view(x.size(0), -1)."""

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.view(64, 2450))))


@mistake("LeNet")
class ViewMovesIntoBatch(FourLayers):
    """view(-1, wrong size) moves the rest into the batch, and each image becomes many rows: keep axis 0, with flatten(1)."""

    def __init__(self):
        super().__init__(*convolutions(), nn.Linear(50 * 7, 500), nn.Linear(500, 10))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.reshape(-1, 50 * 7))))


@mistake("LeNet")
class TransposedFlatten(Right):
    """Flatten from axis 1 on as it lies, (C, H, W): you moved the axes first, and saved weights no longer fit."""

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.permute(0, 2, 3, 1).flatten(1))))


@mistake("LeNet")
class AveragePooling(Right):
    """The LeNet of 1998 averages; the table of this exercise takes the maximum."""

    def forward(self, x):
        x = F.avg_pool2d(F.relu(self.conv1(x)), 2)
        x = F.avg_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


@mistake("LeNet")
class SigmoidActivation(Right):
    """This squashes with sigmoid, as some books do; the table of this exercise says ReLU."""

    def forward(self, x):
        x = F.max_pool2d(torch.sigmoid(self.conv1(x)), 2)
        x = F.max_pool2d(torch.sigmoid(self.conv2(x)), 2)
        return self.fc2(torch.sigmoid(self.fc1(x.flatten(1))))


@mistake("LeNet")
class TanhActivation(Right):
    """This squashes with tanh, as in 1998; the table of this exercise says ReLU."""

    def forward(self, x):
        x = F.max_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.max_pool2d(torch.tanh(self.conv2(x)), 2)
        return self.fc2(torch.tanh(self.fc1(x.flatten(1))))


@mistake("LeNet")
class ReturnsFeaturesToo(Right):
    """Return the logits alone: yours is a tuple of logits and features."""

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        features = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(features), features


@mistake("LeNet")
class ReturnsClasses(Right):
    """You return the best class: return all ten logits, which the loss needs. argmax belongs where accuracy is measured."""

    def forward(self, x):
        return super().forward(x).argmax(dim=1)


@mistake("LeNet")
class WithBatchNorm(Right):
    """The table has no BatchNorm: a good idea, and another network."""

    def __init__(self):
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(20), nn.BatchNorm2d(50)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


@mistake("LeNet")
class NameTypo(Right):
    """A name in forward does not exist: __init__ and forward spell a layer differently. Run torch.zeros(1, 1, 28, 28) through it early."""

    def forward(self, x):
        return super().forward(self.cov1(x))


@mistake("LeNet")
class WithDropout(Right):
    """The table has no dropout. It would also make the output differ from call to call in training mode."""

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(F.dropout(x, 0.5, self.training))


@mistake("LeNet")
class NoBias(FourLayers):
    """All four layers have a bias; leave `bias` at its default."""

    def __init__(self):
        super().__init__(*convolutions(bias=False), nn.Linear(2450, 500), nn.Linear(500, 10))


@mistake("LeNet")
class LayersInPlainList(nn.Module):
    """A plain Python list hides its layers from the module: assign each to self, or use nn.ModuleList."""

    def __init__(self):
        super().__init__()
        self.right = [Right()]

    def forward(self, x):
        return self.right[0](x)


@mistake("LeNet")
class OtherNames(nn.Module):
    """The shapes fit, but the layers must be called conv1, conv2, fc1 and fc2: weights are loaded by these names."""

    def __init__(self):
        super().__init__()
        right = Right()
        self.features = nn.Sequential(
            right.conv1, nn.ReLU(), nn.MaxPool2d(2), right.conv2, nn.ReLU(), nn.MaxPool2d(2)
        )
        self.classifier = nn.Sequential(nn.Flatten(), right.fc1, nn.ReLU(), right.fc2)

    def forward(self, x):
        return self.classifier(self.features(x))


@mistake("layer_shapes")
def registration_order(model, x):
    """Children are registered in one order and may run in another: a hook on each tells when it really runs."""
    shapes = right_shapes(model, x)
    return {name: shapes[name] for name, _ in model.named_children() if name in shapes}


@mistake("layer_shapes")
def shape_of_the_first_run(model, x):
    """A child that runs twice keeps the shape of its LAST run: you keep the first."""
    shapes = {}

    def remember(name):
        def hook(_module, _inputs, output):
            shapes.setdefault(name, tuple(output.shape))

        return hook

    handles = [child.register_forward_hook(remember(name)) for name, child in model.named_children()]
    right_shapes(model, x)
    for handle in handles:
        handle.remove()
    return shapes


@mistake("layer_shapes")
def keyed_by_class(model, x):
    """The keys are the names of the children ("0", "conv1"), not of their classes: two layers may have one class."""
    children = dict(model.named_children())
    return {type(children[name]).__name__: shape for name, shape in right_shapes(model, x).items()}


@mistake("layer_shapes")
def unused_too(model, x):
    """A child that never runs has no output shape: leave it out."""
    shapes = right_shapes(model, x)
    return shapes | {name: () for name, _ in model.named_children() if name not in shapes}


@mistake("layer_shapes")
def sequential_only(model, x):
    """You run the children one after the other by yourself. That works for nn.Sequential only: let forward do it, with hooks."""
    shapes = {}
    with torch.no_grad():
        for name, child in model.named_children():
            x = child(x)
            shapes[name] = tuple(x.shape)
    return shapes


@mistake("layer_shapes")
def without_batch(model, x):
    """The batch axis belongs to the shape: keep all of output.shape."""
    return {name: shape[1:] for name, shape in right_shapes(model, x).items()}


@mistake("layer_shapes")
def all_modules(model, x):
    """Direct children only: named_modules() goes down into nested ones, named_children() does not."""
    shapes = {}

    def remember(name):
        def hook(_module, _inputs, output):
            shapes.pop(name, None)
            shapes[name] = tuple(output.shape)

        return hook

    handles = [module.register_forward_hook(remember(name)) for name, module in model.named_modules() if name]
    training = model.training
    model.eval()
    with torch.no_grad():
        model(x)
    model.train(training)
    for handle in handles:
        handle.remove()
    return shapes


@mistake("layer_shapes")
def leaves_hooks(model, x):
    """Your hooks stay on the model and run in every later forward pass: keep their handles and remove() them."""
    shapes = right_shapes(model, x)
    for child in model.children():
        child.register_forward_hook(lambda _module, _inputs, _output: None)
    return shapes


@mistake("layer_shapes")
def moves_the_statistics(model, x):
    """A forward pass in training mode moves BatchNorm's running statistics: switch to eval first, and back afterwards."""
    shapes = {}

    def remember(name):
        def hook(_module, _inputs, output):
            shapes.pop(name, None)
            shapes[name] = tuple(output.shape)

        return hook

    handles = [child.register_forward_hook(remember(name)) for name, child in model.named_children()]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return shapes


@mistake("layer_shapes")
def stays_in_eval(model, x):
    """You switch the model to eval and leave it there: put it back into the mode it was in."""
    shapes = right_shapes(model, x)
    model.eval()
    return shapes


@mistake("layer_shapes")
def one_mode_for_all(model, x):
    """model.train(mode) sets every layer, also one that was frozen in eval: note the mode of each module, and restore each."""
    training = model.training
    shapes = right_shapes(model, x)
    model.train(training)
    return shapes


@mistake("layer_shapes")
def freezes_the_model(model, x):
    """You switch requires_grad off and leave it off: torch.no_grad() around the call touches no parameter."""
    model.requires_grad_(False)
    return right_shapes(model, x)


@mistake("layer_shapes")
def trains_a_step(model, x):
    """No backward pass is needed for shapes, and yours leaves gradients on the parameters: run under torch.no_grad()."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    model(x).sum().backward()
    for module, mode in modes.items():
        module.training = mode
    return right_shapes(model, x)


@mistake("layer_shapes")
def returns_lists(model, x):
    """Return the names too: a dict from the name of a child to its output shape."""
    return list(right_shapes(model, x).values())
