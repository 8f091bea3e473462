"""Hidden suite of `lenet`. Expected values are worked by hand, or the reference with the same weights."""

import fixtures
import pytest
import reference
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

LAYERS = ("conv1", "conv2", "fc1", "fc2")
NAMES = {shape: name for name, shape in SHAPES.items()}  # no two parameters have one shape


def names_in_the_table(model):
    """Map the model's own names to those of the table, by shape: other names cost their own check, not all."""
    return {name: NAMES[tuple(tensor.shape)] for name, tensor in model.named_parameters()}


def load(model, state):
    """Give the model these weights, whatever its layers are called."""
    model.load_state_dict({own: state[name] for own, name in names_in_the_table(model).items()})


def assert_logits(got, expected, **tolerances):
    """Raise unless these are the logits, or their log-softmax, which has a check of its own."""
    if type(got) is torch.Tensor and got.shape == expected.shape and are_log_probabilities(got):
        expected = F.log_softmax(expected, dim=1)
    assert_matches(got, expected, axes=("N", "class"), **tolerances)


def are_log_probabilities(rows):
    """Tell whether the exponentials of each row sum to 1."""
    return torch.allclose(rows.detach().double().exp().sum(dim=1), torch.ones(len(rows)).double(), atol=1e-4)


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


def weights(rng):
    """Return weights large enough that every layer shows in the output."""
    return {name: torch.randn(shape, generator=rng) / shape[-1] ** 0.5 for name, shape in SHAPES.items()}


def pair(student, rng):
    """Return the student's model and the reference, with the same weights."""
    state = weights(rng)
    tested, wanted = student.LeNet(), reference.LeNet()
    load(tested, state)
    wanted.load_state_dict(state)
    return tested, wanted


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
            assert_matches(found, SHAPES, what="the shape of")


@pytest.mark.points(1)
@pytest.mark.requires("test_parameters_are_those_of_the_table")
def test_layers_have_the_names_of_the_table(student):
    """The layers are called conv1, conv2, fc1 and fc2"""
    layers = dict.fromkeys(name.rpartition(".")[0] for name, _ in student.LeNet().named_parameters())
    misnamed = ", ".join(f"`{name}`" for name in layers if name not in LAYERS)
    assert not misnamed, f"The layers fit, but not all names: {misnamed}. Use conv1, conv2, fc1 and fc2."
    assert names_in_the_table(student.LeNet()) == {name: name for name in SHAPES}, (
        "The names are right, but not every layer bears its own: conv1 comes first, then conv2, fc1 and fc2."
    )


@pytest.mark.points(1)
def test_a_batch_of_one(student):
    """A batch of one image works"""
    model, x = student.LeNet(), torch.zeros(1, 1, 28, 28)
    with layer_by_layer(model, x, TABLE):
        assert_shape(model(x), (1, 10))


@pytest.mark.points(1)
@pytest.mark.requires("test_logits_have_ten_columns")
def test_an_uneven_batch(student):
    """A batch of any size works"""
    assert_shape(student.LeNet()(torch.zeros(3, 1, 28, 28)), (3, 10))


@pytest.mark.points(1)
@pytest.mark.requires("test_logits_have_ten_columns", "test_parameters_are_those_of_the_table")
def test_an_image_worked_by_hand(student):
    """An image followed by hand gives the same logits"""
    model = student.LeNet()
    load(model, worked_weights())
    x = torch.zeros(2, 1, 28, 28)  # the second image stays empty
    x[0, 0, 5, 8:10] = torch.tensor([1.0, 3.0])  # one window of the first pooling, whose maximum is 3
    x[0, 0, 8, 2] = -4.0
    # Before flatten: channel 0 has 3 at (1, 2), channel 1 has 4 at (2, 0), channel 2 has 3 at (1, 2).
    # After fc1 and ReLU: 2 * 3 = 6, 4, and 0 for -3. Class 0: 6 - 4; class 3: -6; class 9: its bias.
    expected = torch.zeros(2, 10)
    expected[0, 0], expected[0, 3], expected[:, 9] = 2.0, -6.0, 0.5
    assert_logits(model.eval()(x), expected)


@pytest.mark.points(2)
@pytest.mark.requires("test_logits_have_ten_columns", "test_parameters_are_those_of_the_table")
def test_forward_equals_the_table(student, rng):
    """The forward pass computes the table, layer by layer"""
    tested, wanted = pair(student, rng)
    x = torch.randn(64, 1, 28, 28, generator=rng)
    assert_logits(tested.eval()(x), wanted(x), rtol=1e-4, atol=1e-4)


@pytest.mark.points(1)
@pytest.mark.requires("test_logits_have_ten_columns", "test_parameters_are_those_of_the_table")
def test_logits_are_not_normalised(student, rng):
    """The outputs are logits: negative ones, not probabilities"""
    tested, _ = pair(student, rng)
    logits = tested.eval()(torch.randn(64, 1, 28, 28, generator=rng)).detach()
    assert not torch.allclose(logits.sum(dim=1), torch.ones(64), atol=1e-4), (
        "Each row sums to 1: leave out the softmax."
    )
    assert not are_log_probabilities(logits), "The rows are log-probabilities: leave out the log-softmax."
    assert bool((logits < 0).any()), "No logit is negative: leave out the ReLU after the last layer."


@pytest.mark.points(1)
@pytest.mark.requires("test_forward_equals_the_table")
def test_training_mode_changes_nothing(student, rng):
    """Training and evaluation mode give the same logits"""
    tested, wanted = pair(student, rng)
    x = torch.randn(64, 1, 28, 28, generator=rng)
    assert_logits(tested.train()(x), wanted(x), rtol=1e-4, atol=1e-4)


@pytest.mark.points(2)
@pytest.mark.requires("test_forward_equals_the_table")
def test_every_parameter_gets_a_gradient(student, rng):
    """A loss reaches every parameter"""
    tested, wanted = pair(student, rng)
    x, y = torch.randn(64, 1, 28, 28, generator=rng), torch.arange(64) % 10
    F.cross_entropy(tested.eval()(x), y).backward()
    F.cross_entropy(wanted(x), y).backward()
    expected = {name: parameter.grad for name, parameter in wanted.named_parameters()}
    names = names_in_the_table(tested)
    got = {names[own]: gradient for own, gradient in tested.gradients().items()}
    assert_matches(got, expected, rtol=1e-3, atol=1e-5, what="the gradient of")


@pytest.mark.points(1)
def test_shapes_of_a_sequential_model(student):
    """layer_shapes lists the children of a sequential model"""
    shapes = student.layer_shapes(student.fixtures.plain(), torch.zeros(2, 3, 7, 9))
    assert_matches(
        shapes, {"0": (2, 4, 3, 4), "1": (2, 4, 3, 4), "2": (2, 48), "3": (2, 5)}, what="the shape of"
    )


@pytest.mark.points(2)
@pytest.mark.requires("test_shapes_of_a_sequential_model")
def test_shapes_of_a_crooked_model(student):
    """Nested, repeated and unused children are listed right"""
    shapes = student.layer_shapes(student.fixtures.crooked(), torch.zeros(3, 1, 8, 12))
    expected = {"inner": (3, 2, 8, 12), "norm": (3, 2, 8, 12), "pool": (3, 2, 2, 3), "last": (3, 2)}
    assert_matches(shapes, expected, what="the shape of")


@pytest.mark.points(1)
@pytest.mark.requires("test_shapes_of_a_crooked_model")
def test_shapes_come_in_the_order_of_running(student):
    """The children are listed in the order in which they ran"""
    shapes = student.layer_shapes(student.fixtures.crooked(), torch.zeros(3, 1, 8, 12))
    assert_matches(list(shapes), ["inner", "norm", "pool", "last"], what="the order of the names")


@pytest.mark.points(1)
@pytest.mark.requires("test_shapes_of_a_sequential_model")
def test_the_model_keeps_its_state(student, rng):
    """Looking at a model changes nothing in it"""
    model, wanted = student.fixtures.crooked(), fixtures.crooked()
    student.layer_shapes(model, torch.randn(3, 1, 8, 12, generator=rng))
    assert_matches(model.state_dict(), dict(wanted.state_dict()), what="the state")
    expected = {name: parameter.requires_grad for name, parameter in wanted.named_parameters()}
    assert_matches(model.requires_grad(), expected, what="requires_grad of")
    left = [name for name, gradient in model.gradients().items() if gradient is not None]
    assert not left, "The parameters have gradients now. Only the shapes are asked for: run no backward pass."
    graph = student.fixtures.ran_with_gradients(model)
    assert not graph, "The model ran with gradients. Run it under torch.no_grad(): the graph is not needed."


@pytest.mark.points(1)
@pytest.mark.requires("test_shapes_of_a_sequential_model")
def test_the_model_keeps_its_mode(student):
    """The model stays in the mode it was in"""
    for mode in (True, False):
        model = student.fixtures.crooked().train(mode)
        student.layer_shapes(model, torch.zeros(3, 1, 8, 12))
        assert model.training is mode, (
            f"The model was in {'training' if mode else 'evaluation'} mode, and no longer is."
        )


@pytest.mark.points(1)
@pytest.mark.requires("test_the_model_keeps_its_mode")
def test_a_frozen_layer_stays_in_its_mode(student):
    """A frozen layer in a training model stays in its own mode"""
    model = student.fixtures.partly_frozen()
    student.layer_shapes(model, torch.zeros(3, 1, 8, 12))
    expected = fixtures.modes(fixtures.partly_frozen())
    assert_matches(student.fixtures.modes(model), expected, what="training mode of")


@pytest.mark.points(1)
@pytest.mark.requires("test_shapes_of_a_sequential_model")
def test_no_hook_stays(student):
    """No hook stays on the model"""
    model = student.fixtures.plain()
    student.layer_shapes(model, torch.zeros(2, 3, 7, 9))
    left = student.fixtures.hooks(model)
    assert left == 0, f"{left} hooks are still on the model. Keep the handles, and remove() each."
