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


def assert_one_of(got, expected, *conventions, what):
    """Raise unless `got` is what is expected, or what another convention gives, which has a check of its own."""
    for other in conventions:
        same_shape = type(got) is torch.Tensor and got.shape == other.shape
        if same_shape and torch.allclose(got.double(), other.double(), rtol=1e-4, atol=1e-5):
            return
    assert_matches(got, expected, rtol=1e-4, atol=1e-5, check_dtype=False, what=what)


@pytest.mark.points(1)
def test_shape(student, rng):
    """The result is a tensor of the input's shape"""
    x = uneven(rng, 3, 5, 4, 7)
    assert_matches(student.BatchNorm2d(5)(x), x, atol=INF, check_dtype=False)


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


@pytest.mark.points(3)
@pytest.mark.requires("test_shape")
def test_uneven_channels(student, rng):
    """Uneven channels come out right, in a batch of one as well"""
    for shape in ((3, 5, 4, 7), (1, 5, 2, 5)):
        x = uneven(rng, *shape)
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
    left = student.fixtures.not_none(layer)
    assert not left, f"Without affine, self.{left[0]} should be None, as in torch: programs ask for that."
    x = uneven(rng, 2, 3, 3, 5)
    assert_matches(layer(x), expected(x), rtol=1e-4, atol=1e-5, check_dtype=False)


# Libraries differ in what momentum weighs and in the variance they keep. Each of the two choices has its own
# check; the checks of the statistics accept either.


def after_a_batch(student, start):
    """Return the state of a fresh layer, with these entries changed, after one batch worked by hand."""
    layer = student.BatchNorm2d(2)
    layer.load_state_dict(nn.BatchNorm2d(2).state_dict() | start)
    layer(image([1.0, 3.0, 5.0, 7.0], [2.0, 2.0, 2.0, 10.0]))
    return layer.state_dict()


@pytest.mark.points(1)
@pytest.mark.requires("test_shape", "test_state")
def test_running_mean(student):
    """A training batch draws running_mean towards its mean"""
    got = after_a_batch(student, {"running_mean": torch.tensor([0.0, 10.0])})["running_mean"]
    # Both batch means are 4: 0.9 * 0 + 0.1 * 4 and 0.9 * 10 + 0.1 * 4; the other way round 3.6 and 1 + 3.6.
    assert_one_of(got, torch.tensor([0.4, 9.4]), torch.tensor([3.6, 4.6]), what="running_mean")


@pytest.mark.points(1)
@pytest.mark.requires("test_shape", "test_state")
def test_running_var(student):
    """A training batch draws running_var towards its variance"""
    got = after_a_batch(student, {"running_var": torch.tensor([1.0, 2.0])})["running_var"]
    # Unbiased variances 20 / 3 and 48 / 3: 0.9 * 1 + 0.1 * 6.66667 and 0.9 * 2 + 0.1 * 16. Biased ones 5 and 12.
    others = ([1.4, 3.0], [6.1, 14.6], [4.6, 11.0])  # biased; the other momentum; both
    assert_one_of(got, torch.tensor([1.566667, 3.4]), *map(torch.tensor, others), what="running_var")


@pytest.mark.points(1)
@pytest.mark.requires("test_running_var")
def test_running_var_is_unbiased(student):
    """running_var keeps the variance that divides by n - 1"""
    got = after_a_batch(student, {"running_var": torch.tensor([1.0, 2.0])})["running_var"]
    assert_one_of(got, torch.tensor([1.566667, 3.4]), torch.tensor([6.1, 14.6]), what="running_var")


@pytest.mark.points(2)
@pytest.mark.requires("test_running_mean", "test_running_var")
def test_momentum(student, rng):
    """Momentum is the weight of the new batch, batch after batch"""
    dims = (0, 2, 3)
    for momentum, options in ((0.1, {}), (0.25, {"momentum": 0.25})):
        state = drawn_state(rng, 3)
        layer = student.BatchNorm2d(3, **options)
        layer.load_state_dict(state)
        mean, biased, unbiased = state["running_mean"], state["running_var"], state["running_var"]
        for shape in ((2, 3, 3, 5), (1, 3, 4, 2), (2, 3, 1, 1)):
            x = uneven(rng, *shape)
            layer(x)
            mean = torch.lerp(mean, x.mean(dim=dims), momentum)
            biased = torch.lerp(biased, x.var(dim=dims, correction=0), momentum)
            unbiased = torch.lerp(unbiased, x.var(dim=dims), momentum)
        got = layer.state_dict()
        assert_one_of(got["running_mean"], mean, what="running_mean")
        assert_one_of(got["running_var"], unbiased, biased, what="running_var")


@pytest.mark.points(1)
@pytest.mark.requires("test_shape", "test_state")
def test_batches_are_counted(student, rng):
    """Only training batches are counted"""
    layer = student.BatchNorm2d(2)
    for _ in range(3):
        layer(uneven(rng, 2, 2, 3, 4))
    student.fixtures.call_without_gradients(layer.eval(), uneven(rng, 2, 2, 3, 4))
    counted = layer.state_dict()["num_batches_tracked"]
    assert_matches(counted, torch.tensor(3), what="num_batches_tracked")


@pytest.mark.points(3)
@pytest.mark.requires("test_shape", "test_state")
def test_evaluation(student):
    """Evaluation normalizes one image by what was learned"""
    layer = student.BatchNorm2d(2)
    running = {"running_mean": torch.tensor([1.0, -2.0]), "running_var": torch.tensor([4.0, 0.25])}
    affine = {"weight": torch.tensor([3.0, 1.0]), "bias": torch.tensor([0.0, -5.0])}
    layer.load_state_dict(nn.BatchNorm2d(2).state_dict() | running | affine)
    # Worked by hand: channel 0 is 3 (x - 1) / 2, channel 1 is (x + 2) / 0.5 - 5.
    x = torch.tensor([[[[5.0, -3.0, 1.0]], [[-2.0, 0.0, -3.0]]]])
    expected = torch.tensor([[[[6.0, -6.0, 0.0]], [[-5.0, -1.0, -7.0]]]])
    got = student.fixtures.call_without_gradients(layer.eval(), x)  # as everybody evaluates
    assert_matches(got, expected, atol=1e-3, check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_shape", "test_state")
def test_evaluation_learns_nothing(student, rng):
    """Evaluation leaves the running statistics alone"""
    layer = student.BatchNorm2d(3)
    fresh = layer.state_dict()
    layer(uneven(rng, 2, 3, 4, 5))
    trained = layer.state_dict()
    student.fixtures.call_without_gradients(layer.eval(), uneven(rng, 2, 3, 4, 5))
    after = layer.state_dict()
    for name in ("running_mean", "running_var"):
        assert not torch.equal(fresh[name], trained[name]), f"{name} does not move in training either."
        assert torch.equal(trained[name], after[name]), f"{name} moved during evaluation."


@pytest.mark.points(1)
@pytest.mark.requires("test_shape", "test_state")
def test_mode_decides(student, rng):
    """train() and eval() decide, and torch.no_grad() does not"""
    state, x = drawn_state(rng, 3), uneven(rng, 2, 3, 4, 5)
    training, evaluating = student.BatchNorm2d(3), student.BatchNorm2d(3)
    training.load_state_dict(state)
    evaluating.load_state_dict(state)
    got = student.fixtures.call_without_gradients(training, x)
    assert_matches(got, twin(state)(x), rtol=1e-4, atol=1e-5, check_dtype=False)
    got, expected = evaluating.eval()(x), twin(state).eval()
    assert_matches(got, expected(x), rtol=1e-4, atol=1e-5, check_dtype=False)
    got.sum().backward()
    expected(x).sum().backward()
    for name, parameter in expected.named_parameters():
        gradient, what = evaluating.gradients()[name], f"the gradient of {name} in evaluation"
        assert_matches(gradient, parameter.grad, rtol=1e-3, atol=1e-4, check_dtype=False, what=what)


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
    """Weight and bias get their gradients"""
    state, x = drawn_state(rng, 3), uneven(rng, 2, 3, 4, 5)
    pull = torch.randn(2, 3, 4, 5, generator=rng)
    layer, expected = student.BatchNorm2d(3), twin(state)
    layer.load_state_dict(state)
    for run in (layer, expected):
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
    """The result has the dtype of the input, float64 too"""
    state, x = drawn_state(rng, 3), uneven(rng, 2, 3, 4, 5)
    layer = student.BatchNorm2d(3)
    assert_matches(layer(x), x, atol=INF)
    x = x.double()
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
