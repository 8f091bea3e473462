"""Hidden suite of `lenet`. Expected values are worked by hand, or computed by torch's own functions from the same weights.

One fault costs the checks that are about it. So the table is computed from the weights that the network has, whatever
their sizes are, as long as there are two convolutions and two linear layers; logits may come inside a tuple but for the
first check; and what a mode or a gradient shows is judged even where the values are wrong.
"""

import fixtures
import pytest
import torch
import torch.nn.functional as F

from grader.suite import assert_matches, assert_shape, layer_by_layer

SHAPES = {
    "conv1.weight": (20, 1, 5, 5),
    "conv1.bias": (20,),
    "conv2.weight": (50, 20, 5, 5),
    "conv2.bias": (50,),
    "fc1.weight": (500, 2450),
    "fc1.bias": (500,),
    "fc2.weight": (10, 500),
    "fc2.bias": (10,),
}


TABLE = [  # the rows of the notes that change the shape
    ("conv1", (20, 28, 28)),
    ("MaxPool", (20, 14, 14)),
    ("conv2", (50, 14, 14)),
    ("MaxPool", (50, 7, 7)),
    ("Flatten", (2450,)),
    ("fc1", (500,)),
    ("fc2", (10,)),
]
ROWS = [name for name, _ in TABLE]

LAYERS = ("conv1", "conv2", "fc1", "fc2")
NAMES = {shape: name for name, shape in SHAPES.items()}  # no two parameters have one shape


def logits_of(result):
    """Return the logits, also where other results stand beside them: that costs the first check only."""
    items = result if isinstance(result, (tuple, list)) else ()
    alike = [item for item in items if type(item) is torch.Tensor and item.dim() == 2 and item.shape[1] == 10]
    return alike[0] if alike else result


def assert_logits(got, expected, **tolerances):
    """Raise unless these are the logits, or their log-softmax, which has a check of its own."""
    if type(got) is torch.Tensor and got.shape == expected.shape and are_log_probabilities(got):
        expected = F.log_softmax(expected, dim=1)
    assert_matches(got, expected, axes=("N", "class"), **tolerances)


def are_log_probabilities(rows):
    """Tell whether the exponentials of each row sum to 1. Rows with NaN do not count."""
    rows = rows[~rows.isnan().any(dim=1)]
    return torch.allclose(rows.detach().double().exp().sum(dim=1), torch.ones(len(rows)).double(), atol=1e-4)


def table(x, parameters):
    """Return the rows of the table with these weights and biases, however they are called and ordered, up to the logits.

    Each row is the name of a layer and what is right behind it, ReLU included. Fails where the weights are not those of
    two convolutions and two linear layers that fit.
    """
    convolutions = sorted((p for p in parameters if p.dim() == 4), key=lambda weight: weight.shape[1])
    linear = sorted((p for p in parameters if p.dim() == 2), key=lambda weight: -weight.shape[0])
    rows = [p for p in parameters if p.dim() == 1]
    layers = []
    for weight in convolutions + linear:
        fitting = [n for n, bias in enumerate(rows) if len(bias) == len(weight)]
        layers.append((weight, rows.pop(fitting[0]) if fitting else None))
    sizes = ", ".join(str(tuple(p.shape)) for p in parameters)
    has_four_layers = len(convolutions) == len(linear) == 2 and not rows
    assert has_four_layers, (
        f"The table has two convolutions and two linear layers; your parameters have the shapes {sizes}."
    )
    channels, reached = len(convolutions[0]), convolutions[1].shape[1]
    assert channels == reached, f"One convolution gives {channels} channels, and the next takes {reached}."
    values = []
    for weight, bias in layers[:2]:
        values.append(F.relu(F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)))
        x = F.max_pool2d(values[-1], 2)
        values.append(x)
    x = x.flatten(1)
    features, taken = linear[0].shape[1], linear[1].shape[1]
    assert features == x.shape[1], (
        f"Your first linear layer takes {features} features, and {x.shape[1]} reach it."
    )
    assert len(linear[0]) == taken, (
        f"One linear layer gives {len(linear[0])} features, and the next takes {taken}."
    )
    hidden = F.relu(F.linear(x, *layers[2]))
    return list(zip(ROWS, [*values, x, hidden, F.linear(hidden, *layers[3])], strict=True))


def worked_weights():
    """Return weights of zeros and a few small numbers, so that an image can be followed with a pencil."""
    state = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
    state["conv1.weight"][0, 0, 2, 2] = 1.0  # filter 0 copies the image
    state["conv1.weight"][1, 0, 2, 2] = -1.0  # filter 1 copies its negative
    state["conv2.weight"][0, 0, 2, 2] = 1.0
    state["conv2.weight"][1, 1, 2, 2] = 1.0
    state["conv2.weight"][2, 0, 2, 1] = 1.0  # reads the left neighbor: what it sees moves right by one
    state["fc1.weight"][0, 0 * 49 + 1 * 7 + 2] = 2.0  # channel 0, row 1, column 2
    state["fc1.weight"][1, 1 * 49 + 2 * 7 + 0] = 1.0  # channel 1, row 2, column 0
    state["fc1.weight"][2, 2 * 49 + 1 * 7 + 2] = -1.0  # channel 2, row 1, column 2
    state["fc2.weight"][0, :2] = torch.tensor([1.0, -1.0])
    state["fc2.weight"][1, 2] = 1.0
    state["fc2.weight"][3, 0] = -1.0
    state["fc2.bias"][9] = 0.5
    return state


def weighted(student, rng):
    """Return the student's model, with weights so large that every layer shows in the output, and these."""
    model = student.LeNet()
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    state = {name: torch.randn(shape, generator=rng) / shape[-1] ** 0.5 for name, shape in shapes.items()}
    model.load_state_dict(model.state_dict() | state)
    return model, state


@pytest.mark.points(1)
def test_logits_have_ten_columns(student):
    """A batch of images becomes ten numbers each"""
    model, x = student.LeNet(), torch.zeros(64, 1, 28, 28)
    with layer_by_layer(model, x, TABLE):
        assert_shape(model(x), (64, 10))


@pytest.mark.points(1)
def test_parameters_are_those_of_the_table(student):
    """The parameters have the shapes of the table"""
    model = student.LeNet()
    found = {name: tuple(tensor.shape) for name, tensor in model.named_parameters()}
    assert found, "The module has no parameters. Assign each layer to an attribute of self, not to a list."
    if sorted(found.values()) != sorted(SHAPES.values()):
        with layer_by_layer(model, torch.zeros(2, 1, 28, 28), TABLE):
            assert_shapes(found, SHAPES, of="the network")


def assert_shapes(got, expected, *, of):
    """Raise unless these are the shapes by name. Names come first: a sentence on a shape needs one."""
    if isinstance(got, dict):
        assert_matches(dict.fromkeys(got), dict.fromkeys(expected), what=of)
    assert_matches(got, expected, what="the shape of" if isinstance(got, dict) else of)


@pytest.mark.points(1)
def test_layers_have_the_names_of_the_table(student):
    """The layers are called conv1, conv2, fc1 and fc2"""
    parameters = dict(student.LeNet().named_parameters())
    layers = dict.fromkeys(name.rpartition(".")[0] for name in parameters)
    assert layers, "The module has no layers. Assign each to an attribute of self, not to a list."
    misnamed = ", ".join(f"`{name}`" for name in layers if name not in LAYERS)
    assert not misnamed, f"Not all names are those of the table: {misnamed}. Use conv1, conv2, fc1 and fc2."
    absent = ", ".join(name for name in LAYERS if f"{name}.weight" not in parameters)
    assert not absent, f"No layer is called {absent}."
    axes = [parameters[f"{name}.weight"].dim() for name in LAYERS]
    first, last = parameters["conv1.weight"], parameters["fc2.weight"]
    each_its_own = axes == [4, 4, 2, 2] and first.shape[1] == 1 and last.shape[0] == 10
    assert each_its_own, (
        "The names are right, but not every layer bears its own: conv1 comes first, then conv2, fc1 and fc2."
    )


@pytest.mark.points(1)
def test_a_batch_of_one(student):
    """A batch of one image works"""
    model, x = student.LeNet(), torch.zeros(1, 1, 28, 28)
    with layer_by_layer(model, x, TABLE):
        assert_shape(logits_of(model(x)), (1, 10))


@pytest.mark.points(1)
def test_an_uneven_batch(student):
    """Batches of any size work, one after the other"""
    model = student.LeNet()
    for count in (3, 70, 2):
        assert_shape(logits_of(model(torch.zeros(count, 1, 28, 28))), (count, 10))


@pytest.mark.points(1)
@pytest.mark.requires("test_parameters_are_those_of_the_table")  # the weights are those of its shapes
def test_an_image_worked_by_hand(student):
    """An image followed by hand gives the same logits"""
    model, state = student.LeNet(), worked_weights()
    names = {name: NAMES[tuple(tensor.shape)] for name, tensor in model.named_parameters()}
    model.load_state_dict(model.state_dict() | {own: state[name] for own, name in names.items()})
    x = torch.zeros(64, 1, 28, 28)  # all but the first image stay empty
    x[0, 0, 5, 8:10] = torch.tensor([1.0, 3.0])  # one window of the first pooling, whose maximum is 3
    x[0, 0, 8, 2] = -4.0
    # Before flatten: channel 0 has 3 at (1, 2), channel 1 has 4 at (2, 0), channel 2 has 3 at (1, 2).
    # After fc1 and ReLU: 2 * 3 = 6, 4, and 0 for -3. Class 0: 6 - 4; class 3: -6; class 9: its bias.
    expected = torch.zeros(64, 10)
    expected[0, 0], expected[0, 3], expected[:, 9] = 2.0, -6.0, 0.5
    with layer_by_layer(model.eval(), x, table(x, list(state.values()))):
        assert_logits(logits_of(model(x)), expected)


@pytest.mark.points(2)
def test_forward_equals_the_table(student, rng):
    """The forward pass computes the table, layer by layer"""
    model, state = weighted(student, rng)
    x = torch.randn(64, 1, 28, 28, generator=rng).transpose(2, 3)  # a view, whose rows do not lie in a row
    x[1] *= 300  # as raw pixels are
    x[2] /= 1000
    for pixel in (0.0, torch.nan):  # with one that is not a number, no logit of its image is
        x[3, 0, 5, 5] = pixel
        rows = table(x, list(state.values()))
        with layer_by_layer(model.eval(), x, rows):
            assert_logits(logits_of(model(x)), rows[-1][1], rtol=1e-4, atol=1e-4)


@pytest.mark.points(1)
def test_logits_are_not_normalised(student, rng):
    """The outputs are logits: negative ones, not probabilities"""
    model, _ = weighted(student, rng)
    logits = logits_of(model.eval()(torch.randn(64, 1, 28, 28, generator=rng)))
    assert_shape(logits, (64, 10))
    logits = logits.detach()
    assert not torch.allclose(logits.sum(dim=1), torch.ones(64), atol=1e-4), (
        "Each row sums to 1: leave out the softmax."
    )
    assert not are_log_probabilities(logits), "The rows are log-probabilities: leave out the log-softmax."
    assert bool((logits < 0).any()), "No logit is negative: leave out the ReLU after the last layer."


@pytest.mark.points(1)
def test_training_mode_changes_nothing(student, rng):
    """Training and evaluation mode give the same logits"""
    model, _ = weighted(student, rng)
    x = torch.randn(64, 1, 28, 28, generator=rng)
    expected = logits_of(model.eval()(x))
    assert_shape(expected, (64, 10))
    got = logits_of(model.train()(x))
    assert_matches(
        got, expected.detach(), rtol=1e-4, atol=1e-4, axes=("N", "class"), what="in training mode it"
    )
    assert model.training, "A forward pass in training mode leaves the model in evaluation mode."


@pytest.mark.points(2)
def test_every_parameter_gets_a_gradient(student, rng):
    """A loss reaches every parameter"""
    x, y = torch.randn(64, 1, 28, 28, generator=rng), torch.arange(64) % 10
    for name, parameter in student.LeNet().named_parameters():
        varied = parameter.dim() < 2 or bool((parameter != parameter.flatten()[0]).any())
        assert varied, f"All numbers of {name} begin alike, and no gradient would part them."
    model, state = weighted(student, rng)
    for mode in (True, False):
        model.train(mode)
        model.zero_grad()
        logits = logits_of(model(x))
        assert_shape(logits, (64, 10))
        F.cross_entropy(logits, y).backward()
        gradients = model.gradients()
        assert gradients, (
            "The module has no parameters. Assign each layer to an attribute of self, not to a list."
        )
        for name, gradient in gradients.items():
            assert gradient is not None, f"No gradient reaches {name}."
            assert bool(gradient.any()), f"All gradients of {name} are zero, so that it never moves."
    own = {name: value.requires_grad_() for name, value in state.items()}
    try:
        wanted = table(x, list(own.values()))[-1][1]
        assert_logits(logits.detach(), wanted.detach(), rtol=1e-4, atol=1e-4)
    except AssertionError:
        return  # what is computed is not the table, which costs other checks: there is nothing to compare with
    F.cross_entropy(wanted, y).backward()
    assert_matches(
        gradients,
        {name: value.grad for name, value in own.items()},
        rtol=1e-3,
        atol=1e-5,
        what="the gradient of",
    )


# --- layer_shapes


@pytest.mark.points(1)
def test_shapes_of_a_sequential_model(student):
    """layer_shapes lists the children of a sequential model"""
    shapes = student.layer_shapes(student.fixtures.plain(), torch.zeros(2, 3, 7, 9))
    assert_shapes(shapes, {"0": (2, 4, 3, 4), "1": (2, 4, 3, 4), "2": (2, 48), "3": (2, 5)}, of="the result")


@pytest.mark.points(2)
def test_shapes_of_a_crooked_model(student):
    """Nested, repeated and unused children are listed right"""
    shapes = student.layer_shapes(student.fixtures.crooked(), torch.zeros(3, 1, 8, 12))
    expected = {"inner": (3, 2, 8, 12), "pool": (3, 2, 2, 3), "norm": (3, 2, 4, 6), "last": (3, 2)}
    assert_shapes(shapes, expected, of="the result")
    # Children that move the batch axis, and one whose output has no axes.
    shapes = student.layer_shapes(student.fixtures.folded(), torch.zeros(2, 3, 4))
    assert_shapes(shapes, {"0": (24,), "1": (4, 6), "2": (4, 1), "3": (4,), "4": ()}, of="the result")


@pytest.mark.points(1)
def test_shapes_come_in_the_order_of_running(student):
    """The children are listed in the order in which they ran"""
    shapes = student.layer_shapes(student.fixtures.crooked(), torch.zeros(3, 1, 8, 12))
    assert_matches(list(shapes), ["inner", "pool", "norm", "last"], what="the order of the names")


def looked_at(student, model, x):
    """Let the student look at a model; return in which mode it ran, and whether it built a graph, for each run."""
    student.layer_shapes(model, x)
    runs = student.fixtures.runs(model)
    assert runs, "The model did not run: let x go through it, by model(x)."
    return runs


@pytest.mark.points(1)
def test_the_model_keeps_its_state(student, rng):
    """Looking at a model changes nothing in it"""
    model, wanted = student.fixtures.used(), fixtures.used()
    runs = looked_at(student, model, torch.randn(3, 1, 8, 12, generator=rng))
    assert_matches(model.state_dict(), dict(wanted.state_dict()), what="the state")
    expected = {name: parameter.requires_grad for name, parameter in wanted.named_parameters()}
    assert_matches(model.requires_grad(), expected, what="requires_grad of")
    gradients = model.gradients()
    for name, parameter in wanted.named_parameters():
        got, before = gradients.get(name), parameter.grad
        same = got is None if before is None else got is not None and torch.equal(got, before)
        assert same, f"The gradient of {name} has changed: run no backward pass, and clear no gradients."
    assert not any(graph for _, graph in runs), (
        "The model ran with gradients. Run it under torch.no_grad(): the graph is not needed."
    )
    assert all(mode == "evaluation" for mode, _ in runs), "The model ran in training mode."
    assert "gradients" not in student.changed_settings(), (
        "Gradients stay switched off for the whole program, and the next backward pass fails: write `with torch.no_grad():`."
    )


@pytest.mark.points(1)
def test_the_model_keeps_its_mode(student):
    """The model stays in the mode it was in"""
    for mode in (True, False):
        model = student.fixtures.crooked().train(mode)
        looked_at(student, model, torch.zeros(3, 1, 8, 12))
        assert model.training is mode, (
            f"The model was in {'training' if mode else 'evaluation'} mode, and no longer is."
        )


@pytest.mark.points(1)
def test_a_frozen_layer_stays_in_its_mode(student):
    """A layer in another mode than the model stays in its own, at any depth"""
    for build in ("partly_frozen", "partly_awake"):
        model = getattr(student.fixtures, build)()
        looked_at(student, model, torch.zeros(3, 1, 8, 12))
        expected = fixtures.modes(getattr(fixtures, build)())
        assert_matches(student.fixtures.modes(model), expected, what="training mode of")


@pytest.mark.points(1)
def test_no_hook_stays(student):
    """No hook stays on the model, and those of others do"""
    model, x = student.fixtures.watched(), torch.zeros(2, 4)
    looked_at(student, model, x)
    number, others = student.fixtures.hooks(model), fixtures.hooks(fixtures.watched())
    assert number <= others, (
        f"{number - others} hooks are still on the model. Keep the handles, and remove() each."
    )
    assert number == others, (
        "A hook that was on the model before is gone: remove only your own, by their handles."
    )
    left = student.fixtures.replaced(model)
    assert not left, (
        f"The forward of {left[0] or 'the model'} is still another function: put back what was there."
    )
    model(x)
    called = student.fixtures.called(model)[-3:]
    assert_matches(
        called, ["its first child", "its last child", "the model"], what="the hooks that were called"
    )
