"""Hidden suite of `batchnorm`. Outputs, buffers and gradients are judged apart from each other."""

import pytest
import torch
from torch import nn

from grader.suite import assert_matches

INF = float("inf")  # as a tolerance: any value will do, only type, shape and dtype are compared


def image(*channels):
    """Build a batch (2, C, 1, W) from the values of each channel, the first half being the first image."""
    return torch.stack([torch.tensor(values).view(2, 1, -1) for values in channels], dim=1)


def uneven(rng, *shape):
    """Draw a batch whose channels differ in mean and scale, so that doing nothing is not right."""
    channel = torch.arange(shape[1], dtype=torch.float32).view(1, -1, 1, 1)
    return torch.randn(*shape, generator=rng) * (1 + channel) + 3 - 2 * channel


def drawn_state(rng, channels):
    """Draw a state with every entry away from where it starts."""
    return {
        "weight": torch.randn(channels, generator=rng),
        "bias": torch.randn(channels, generator=rng),
        "running_mean": torch.randn(channels, generator=rng),
        "running_var": torch.rand(channels, generator=rng) + 0.5,
        "num_batches_tracked": torch.tensor(3),
    }


def twin(state, **options):
    """Return torch's layer with that state."""
    layer = nn.BatchNorm2d(len(state["running_mean"]), **options)
    layer.load_state_dict(state)
    return layer


@pytest.mark.points(1)
def test_shape(student, rng):
    """The result has the type and shape of the input"""
    x = uneven(rng, 3, 5, 4, 7)
    assert_matches(student.BatchNorm2d(5)(x), x, atol=INF)


@pytest.mark.points(2)
def test_state(student):
    """The state has torch's names and first values"""
    layer = student.BatchNorm2d(3)
    learned = sorted(name for name, _ in layer.named_parameters())
    assert_matches(layer.state_dict(), nn.BatchNorm2d(3).state_dict(), what="the state")
    assert learned == ["bias", "weight"], (
        f"An optimizer would train {', '.join(learned) or 'nothing'}: only weight and bias are learned."
    )


@pytest.mark.points(2)
@pytest.mark.requires("test_shape")
def test_small_batch(student):
    """A small batch worked by hand comes out right"""
    # Means 4 and 4; squared distances 9 1 1 9 and 4 4 4 36; biased variances 5 and 12.
    x = image([1.0, 3.0, 5.0, 7.0], [2.0, 2.0, 2.0, 10.0])
    expected = image([-1.34164, -0.44721, 0.44721, 1.34164], [-0.57735, -0.57735, -0.57735, 1.73205])
    assert_matches(student.BatchNorm2d(2)(x), expected, atol=1e-4, check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_shape")
def test_uneven_channels(student, rng):
    """Channels of other means and scales come out right"""
    x = uneven(rng, 3, 5, 4, 7)
    expected = nn.BatchNorm2d(5)(x).detach()
    assert_matches(student.BatchNorm2d(5)(x), expected, rtol=1e-4, atol=1e-5, check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_shape", "test_state")
def test_weight_and_bias(student):
    """Each channel gets its own weight and bias"""
    layer = student.BatchNorm2d(2)
    state = nn.BatchNorm2d(2).state_dict()
    layer.load_state_dict(state | {"weight": torch.tensor([2.0, -1.0]), "bias": torch.tensor([10.0, 0.5])})
    x = image([1.0, 3.0, 5.0, 7.0], [2.0, 2.0, 2.0, 10.0])
    expected = image([7.31672, 9.10557, 10.89443, 12.68328], [1.07735, 1.07735, 1.07735, -1.23205])
    assert_matches(layer(x), expected, atol=1e-4, check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_shape")
def test_one_image(student, rng):
    """A batch of one image trains as well"""
    x = uneven(rng, 1, 3, 2, 5)
    expected = nn.BatchNorm2d(3)(x).detach()
    assert_matches(student.BatchNorm2d(3)(x), expected, rtol=1e-4, atol=1e-5, check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_shape")
def test_eps(student):
    """Nearly constant channels neither explode nor turn NaN"""
    # Biased variances 1e-6 and 0. With eps 1e-5 the root is 0.0033166, with eps 0.25 it is 0.5.
    x = image([0.0, 2e-3, 0.0, 2e-3], [5.0, 5.0, 5.0, 5.0])
    expected = image([-0.301511, 0.301511, -0.301511, 0.301511], [0.0, 0.0, 0.0, 0.0])
    assert_matches(student.BatchNorm2d(2)(x), expected, atol=1e-4, check_dtype=False)
    expected = image([-0.002, 0.002, -0.002, 0.002], [0.0, 0.0, 0.0, 0.0])
    assert_matches(student.BatchNorm2d(2, eps=0.25)(x), expected, atol=1e-6, check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_shape")
def test_no_affine(student, rng):
    """Without affine there is nothing to learn"""
    layer = student.BatchNorm2d(3, 1e-5, 0.1, False)  # in torch's order: eps, momentum, affine
    expected = nn.BatchNorm2d(3, affine=False)
    assert_matches(layer.state_dict(), expected.state_dict(), what="the state")
    x = uneven(rng, 2, 3, 3, 5)
    assert_matches(layer(x), expected(x), rtol=1e-4, atol=1e-5, check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_shape", "test_state")
def test_running_mean(student):
    """One training batch moves running_mean as far as it should"""
    layer = student.BatchNorm2d(2)
    start = {"running_mean": torch.tensor([0.0, 10.0])}
    layer.load_state_dict(nn.BatchNorm2d(2).state_dict() | start)
    layer(image([1.0, 3.0, 5.0, 7.0], [2.0, 2.0, 2.0, 10.0]))
    # Both batch means are 4: 0.9 * 0 + 0.1 * 4 and 0.9 * 10 + 0.1 * 4.
    assert_matches(layer.state_dict()["running_mean"], torch.tensor([0.4, 9.4]), what="running_mean")


@pytest.mark.points(2)
@pytest.mark.requires("test_shape", "test_state")
def test_running_var(student):
    """One training batch moves running_var as far as it should"""
    layer = student.BatchNorm2d(2)
    start = {"running_var": torch.tensor([1.0, 2.0])}
    layer.load_state_dict(nn.BatchNorm2d(2).state_dict() | start)
    layer(image([1.0, 3.0, 5.0, 7.0], [2.0, 2.0, 2.0, 10.0]))
    # Unbiased variances 20 / 3 and 48 / 3: 0.9 * 1 + 0.1 * 6.66667 and 0.9 * 2 + 0.1 * 16.
    expected = torch.tensor([1.566667, 3.4])
    assert_matches(layer.state_dict()["running_var"], expected, what="running_var")


@pytest.mark.points(1)
@pytest.mark.requires("test_shape", "test_state")
def test_another_momentum(student, rng):
    """Several batches with another momentum add up"""
    state = drawn_state(rng, 3)
    expected = twin(state, momentum=0.5)
    layer = student.BatchNorm2d(3, momentum=0.5)
    layer.load_state_dict(state)
    for shape in ((2, 3, 3, 5), (1, 3, 4, 2), (2, 3, 1, 1)):
        x = uneven(rng, *shape)
        expected(x)
        layer(x)
    got = layer.state_dict()
    for name in ("running_mean", "running_var"):
        assert_matches(got[name], expected.state_dict()[name], rtol=1e-4, atol=1e-5, what=name)


@pytest.mark.points(1)
@pytest.mark.requires("test_shape", "test_state")
def test_batches_are_counted(student, rng):
    """Only training batches are counted"""
    layer = student.BatchNorm2d(2)
    for _ in range(3):
        layer(uneven(rng, 2, 2, 3, 4))
    layer.eval()(uneven(rng, 2, 2, 3, 4))
    counted = layer.state_dict()["num_batches_tracked"]
    assert_matches(counted, torch.tensor(3), what="num_batches_tracked")


@pytest.mark.points(3)
@pytest.mark.requires("test_shape", "test_state")
def test_evaluation(student):
    """Evaluation normalises one image by what was learned"""
    layer = student.BatchNorm2d(2)
    running = {"running_mean": torch.tensor([1.0, -2.0]), "running_var": torch.tensor([4.0, 0.25])}
    affine = {"weight": torch.tensor([3.0, 1.0]), "bias": torch.tensor([0.0, -5.0])}
    layer.load_state_dict(nn.BatchNorm2d(2).state_dict() | running | affine)
    layer.eval()
    # Worked by hand: channel 0 is 3 (x - 1) / 2, channel 1 is (x + 2) / 0.5 - 5.
    x = torch.tensor([[[[5.0, -3.0, 1.0]], [[-2.0, 0.0, -3.0]]]])
    expected = torch.tensor([[[[6.0, -6.0, 0.0]], [[-5.0, -1.0, -7.0]]]])
    assert_matches(layer(x), expected, atol=1e-3, check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_shape", "test_state")
def test_evaluation_learns_nothing(student, rng):
    """Evaluation leaves the running statistics alone"""
    layer = student.BatchNorm2d(3)
    fresh = layer.state_dict()
    layer(uneven(rng, 2, 3, 4, 5))
    trained = layer.state_dict()
    layer.eval()(uneven(rng, 2, 3, 4, 5))
    after = layer.state_dict()
    for name in ("running_mean", "running_var"):
        assert not torch.equal(fresh[name], trained[name]), f"{name} does not move in training either."
        assert torch.equal(trained[name], after[name]), f"{name} moved during evaluation."


@pytest.mark.points(1)
@pytest.mark.requires("test_shape", "test_state")
def test_mode_decides(student, rng):
    """A layer in training mode trains under no_grad too"""
    state, x = drawn_state(rng, 3), uneven(rng, 2, 3, 4, 5)
    expected, layer = twin(state), student.BatchNorm2d(3)
    layer.load_state_dict(state)
    result = student.fixtures.call_without_gradients(layer, x)
    assert_matches(result, expected(x), rtol=1e-4, atol=1e-5, check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_shape", "test_state")
def test_input_gradient(student, rng):
    """The gradient of the input takes the whole path"""
    state, values = drawn_state(rng, 3), uneven(rng, 2, 3, 4, 5)
    pull = torch.randn(2, 3, 4, 5, generator=rng)
    gradients = []
    layer = student.BatchNorm2d(3)
    layer.load_state_dict(state)
    for run in (layer, twin(state)):
        x = values.clone().requires_grad_()
        (run(x) * pull).sum().backward()
        gradients.append(x.grad)
    assert_matches(*gradients, rtol=1e-3, atol=1e-4, check_dtype=False, what="the gradient of x")


@pytest.mark.points(1)
@pytest.mark.requires("test_shape", "test_state")
def test_parameter_gradients(student, rng):
    """Weight and bias get their gradients in both modes"""
    state, x = drawn_state(rng, 3), uneven(rng, 2, 3, 4, 5)
    pull = torch.randn(2, 3, 4, 5, generator=rng)
    layer, expected = student.BatchNorm2d(3), twin(state)
    layer.load_state_dict(state)
    for training in (False, True):
        for run in (layer.train(training), expected.train(training)):
            run.zero_grad()
            (run(x) * pull).sum().backward()
        for name, parameter in expected.named_parameters():
            got, what = layer.gradients()[name], f"the gradient of {name}"
            assert_matches(got, parameter.grad, rtol=1e-3, atol=1e-4, check_dtype=False, what=what)


@pytest.mark.points(1)
@pytest.mark.requires("test_shape", "test_state")
def test_statistics_leave_the_graph(student, rng):
    """Running statistics keep no past batch alive"""
    layer = student.BatchNorm2d(2)
    layer(uneven(rng, 2, 2, 3, 4).requires_grad_())
    joined = student.fixtures.buffers_in_graph(layer)
    assert not joined, f"{' and '.join(joined)} would keep the graph of every past batch in memory."


@pytest.mark.points(1)
@pytest.mark.requires("test_shape", "test_state")
def test_float64(student, rng):
    """The layer can be converted to float64"""
    state, x = drawn_state(rng, 3), uneven(rng, 2, 3, 4, 5).double()
    layer = student.BatchNorm2d(3)
    layer.load_state_dict(state)
    layer = student.fixtures.to_float64(layer)
    assert_matches(layer(x), twin(state).double()(x), rtol=1e-4, atol=1e-4)


@pytest.mark.points(2)
@pytest.mark.requires("test_shape")
def test_input_kept(student, rng):
    """The input is left as it was in both modes"""
    layer = student.BatchNorm2d(3)
    for training in (True, False):
        layer.train(training)(uneven(rng, 2, 3, 4, 5))
        assert not student.changed_inputs(), "The layer changed x in place: compute a new tensor instead."
