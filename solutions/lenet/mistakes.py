"""Known mistakes of `lenet`."""

import torch
import torch.nn.functional as F
from reference import LeNet as Right
from reference import layer_shapes as right_shapes
from torch import nn

from grader.mistakes import mistake

NO_LOGITS = "Without right logits only the parameters and layer_shapes can be judged."


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


@mistake("LeNet", outlier=NO_LOGITS)
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


@mistake("LeNet", outlier="It is another network, for other images: only layer_shapes can be judged.")
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
    """The logits are those without any ReLU: the table has three, after conv1, conv2 and fc1."""

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
class NoActivationAfterConv1(Right):
    """ReLU is missing after conv1: count three of them, after conv1, conv2 and fc1."""

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


@mistake("LeNet")
class NoActivationAfterConv2(Right):
    """ReLU is missing after conv2: count three of them, after conv1, conv2 and fc1."""

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
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
    """The outputs are probabilities: return logits, since CrossEntropyLoss applies log-softmax itself, and a second softmax flattens the gradient."""

    def forward(self, x):
        return F.softmax(super().forward(x), dim=1)


@mistake("LeNet")
class LogSoftmaxInside(Right):
    """The outputs are log-probabilities: return logits, since CrossEntropyLoss applies log-softmax itself. (With NLLLoss you would need yours, but not here.)"""

    def forward(self, x):
        return F.log_softmax(super().forward(x), dim=1)


@mistake("LeNet", outlier=NO_LOGITS)
class FlattenAll(Right):
    """The batch axis is gone, as after flatten() without start_dim, or view(-1): use torch.flatten(x, 1)."""

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten())))


@mistake("LeNet")
class BatchInView(Right):
    """Only batches of 64 pass, as where that size is written into view(): use flatten(1) or view(x.size(0), -1)."""

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.view(64, 2450))))


@mistake(
    "LeNet",
    outlier="No image has logits of its own: only the names of the layers and layer_shapes can be judged.",
)
class ViewMovesIntoBatch(FourLayers):
    """Each image becomes many rows, as view(-1, wrong size) moves the rest into the batch: keep axis 0, with flatten(1)."""

    def __init__(self):
        super().__init__(*convolutions(), nn.Linear(50 * 7, 500), nn.Linear(500, 10))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.reshape(-1, 50 * 7))))


@mistake("LeNet")
class TransposedFlatten(Right):
    """fc1 sees the features in another order, the channels last: flatten from axis 1 on as it lies, (C, H, W), or saved weights do not fit."""

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.permute(0, 2, 3, 1).flatten(1))))


@mistake("LeNet")
class AveragePooling(Right):
    """This averages over each window, as the LeNet of 1998; the table of this exercise takes the maximum."""

    def forward(self, x):
        x = F.avg_pool2d(F.relu(self.conv1(x)), 2)
        x = F.avg_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


@mistake("LeNet")
class AveragePoolingFirst(Right):
    """The first pooling takes the mean of each window, and the second one the maximum: both take the maximum here."""

    def forward(self, x):
        x = F.avg_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


@mistake("LeNet")
class AveragePoolingSecond(Right):
    """The second pooling takes the mean of each window, and the first one the maximum: both take the maximum here."""

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
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


@mistake("LeNet", outlier=NO_LOGITS)
class ReturnsClasses(Right):
    """This is the best class: return all ten logits, which the loss needs. argmax belongs where accuracy is measured."""

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


@mistake("LeNet", outlier=NO_LOGITS)
class NameTypo(Right):
    """The module lacks an attribute that forward uses: are its layers spelled alike in __init__ and forward? Run torch.zeros(1, 1, 28, 28) through it early."""

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
class DropoutInBothModes(Right):
    """Numbers are dropped in evaluation mode too, as F.dropout does without training=self.training. The table has no dropout at all."""

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(F.dropout(x, 0.5))


@mistake("LeNet")
class Squeezed(Right):
    """A batch of one image loses its batch axis, as squeeze() removes every axis of size 1: nothing here has one too many."""

    def forward(self, x):
        return super().forward(x).squeeze()


@mistake("LeNet")
class StartsAtZero(Right):
    """The weights begin at zero, and no gradient gets through them: leave them as torch makes them."""

    def __init__(self):
        super().__init__()
        for parameter in self.parameters():
            nn.init.zeros_(parameter)


@mistake("LeNet")
class Frozen(Right):
    """No parameter takes a gradient: all of them are to train."""

    def __init__(self):
        super().__init__()
        self.requires_grad_(False)


@mistake("LeNet")
class NoBias(FourLayers):
    """All four layers have a bias; leave `bias` at its default."""

    def __init__(self):
        super().__init__(*convolutions(bias=False), nn.Linear(2450, 500), nn.Linear(500, 10))


@mistake("LeNet")
class LayersInPlainList(nn.Module):
    """The module has layers, and no parameters, as where they are kept in a plain Python list: assign each to self, or use nn.ModuleList."""

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
    """The children come in the order in which they are registered, and may run in another: a hook on each tells when it really runs."""
    shapes = right_shapes(model, x)
    return {name: shapes[name] for name, _ in model.named_children() if name in shapes}


@mistake("layer_shapes")
def shape_of_the_first_run(model, x):
    """A child that runs twice keeps the shape of its LAST run: yours is that of the first."""
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
    """This works where each child feeds the next, in the order of registration: let forward run them, and watch it with hooks."""
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
    """Layers inside the children are listed too: only direct children are asked for, each by its own name."""
    shapes = {}

    def remember(name):
        def hook(_module, _inputs, output):
            shapes[name] = tuple(output.shape)

        return hook

    handles = [module.register_forward_hook(remember(name)) for name, module in model.named_modules() if name]
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        model(x)
    for module, mode in modes.items():
        module.training = mode
    for handle in handles:
        handle.remove()
    return shapes


@mistake("layer_shapes")
def leaves_hooks(model, x):
    """Hooks stay on the model, and run in every later forward pass: keep their handles and remove() them."""
    shapes = right_shapes(model, x)
    for child in model.children():
        child.register_forward_hook(lambda _module, _inputs, _output: None)
    return shapes


@mistake("layer_shapes")
def moves_the_statistics(model, x):
    """The running statistics of BatchNorm move, as in training mode: switch to eval first, and back afterwards."""
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
    """The model is left in evaluation mode: put it back into the mode it was in."""
    shapes = right_shapes(model, x)
    model.eval()
    return shapes


@mistake("layer_shapes")
def one_mode_for_all(model, x):
    """All layers end in one mode, also one that was frozen in eval: note the mode of each module, and restore each."""
    training = model.training
    shapes = right_shapes(model, x)
    model.train(training)
    return shapes


@mistake("layer_shapes")
def freezes_the_model(model, x):
    """Afterwards nothing of the model trains: torch.no_grad() around the call touches no parameter."""
    model.requires_grad_(False)
    return right_shapes(model, x)


@mistake("layer_shapes")
def trains_a_step(model, x):
    """The parameters have gradients afterwards, and shapes need no backward pass: run under torch.no_grad()."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    model(x).sum().backward()
    for module, mode in modes.items():
        module.training = mode
    return right_shapes(model, x)


@mistake("layer_shapes")
def returns_lists(model, x):
    """The names are missing: return a dict from the name of a child to its output shape."""
    return list(right_shapes(model, x).values())


@mistake("layer_shapes")
def place_of_the_last_run(model, x):
    """A child that runs twice keeps the place of its FIRST run: yours stands where it ran last."""
    shapes = {}

    def remember(name):
        def hook(_module, _inputs, output):
            shapes.pop(name, None)
            shapes[name] = tuple(output.shape)

        return hook

    handles = [child.register_forward_hook(remember(name)) for name, child in model.named_children()]
    right_shapes(model, x)
    for handle in handles:
        handle.remove()
    return shapes


@mistake("layer_shapes")
def all_under_the_last_name(model, x):
    """All shapes go to the name of the last child, as where hooks look `name` up when they run and the loop has ended: bind it, with a default argument name=name."""
    shapes = list(right_shapes(model, x).values())
    *_, (name, _child) = model.named_children()
    return {name: shapes[-1]}


@mistake("layer_shapes")
def clears_the_hooks_of_others(model, x):
    """Hooks that were on the children before are gone: remove only your own, by the handles that registering them returned."""
    shapes = right_shapes(model, x)
    for child in model.children():
        child._forward_hooks.clear()
    return shapes


@mistake("layer_shapes")
def clears_gradients(model, x):
    """The gradients that were there before are gone: looking at a model leaves them as they are."""
    model.zero_grad()
    return right_shapes(model, x)


@mistake("layer_shapes")
def unfreezes_the_model(model, x):
    """What was frozen trains afterwards: torch.no_grad() around the call needs no change of requires_grad."""
    model.requires_grad_(False)
    shapes = right_shapes(model, x)
    model.requires_grad_(True)
    return shapes


@mistake("layer_shapes")
def modes_of_the_children_only(model, x):
    """Layers inside the children end in the mode of their child: note the mode of each of modules(), and restore each."""
    modes = {child: child.training for child in (model, *model.children())}
    shapes = right_shapes(model, x)
    for child, mode in modes.items():
        child.train(mode)
    return shapes


@mistake("layer_shapes")
def shape_of_the_input(model, x):
    """These are the shapes of what goes into each child: a hook gets (module, inputs, output), and the output is asked for."""
    shapes = {}

    def remember(name):
        def hook(_module, inputs, _output):
            shapes[name] = tuple(inputs[0].shape)

        return hook

    handles = [child.register_forward_hook(remember(name)) for name, child in model.named_children()]
    right_shapes(model, x)
    for handle in handles:
        handle.remove()
    return shapes


@mistake("layer_shapes")
def with_a_graph(model, x):
    """The model ran with gradients, and built a graph that nothing uses: run it under torch.no_grad()."""
    shapes, modes = right_shapes(model, x), {module: module.training for module in model.modules()}
    model.eval()
    model(x)
    for module, mode in modes.items():
        module.training = mode
    return shapes
