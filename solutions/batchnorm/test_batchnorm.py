"""Hidden suite of `batchnorm`. Outputs, buffers and gradients are judged apart from each other.

One slip costs the check that is about it, as far as that is possible:

- Each check writes the state it begins with to where the layer keeps it: names, buffers and first values have checks of
  their own. So has the result being a single tensor: the values of other checks are the first of a tuple.
- The variance that divides by n - 1 is accepted wherever a check is not about it: see `assert_either`.
- The smallest image that can show a fault comes first: a check stops at the first difference, which students read.
- A check that is not about axes has images on which other axes give the same, or cause no error: one channel and one
  column, or as many images and as many columns as channels. One that is not about the variance has variances of 1, which
  are deviations as well. A check that is not about the choice of statistics has running statistics that
  are those of the batch.
"""

import pytest
import torch
from torch import nn

from grader.suite import assert_matches

INF = float("inf")  # as a tolerance: any value will do, only type, shape and dtype are compared


def uneven(rng, *shape):
    """Draw a batch whose channels differ in mean and scale, so that doing nothing is not right."""
    channel = torch.arange(shape[1], dtype=torch.float32).view(1, -1, 1, 1)
    return torch.randn(*shape, generator=rng) * (1 + channel) + 3 - 2 * channel


def with_variance_1(x):
    """Move a batch so that the variance of each channel, which divides by n, is 1. Its mean stays."""
    var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0, keepdim=True)
    return (x - mean) / var.sqrt() + mean


def fresh_state(channels):
    return nn.BatchNorm2d(channels).state_dict()


def drawn_state(rng, channels):
    """Draw a state with every entry away from where it starts."""
    return {
        "weight": torch.randn(channels, generator=rng),
        "bias": torch.randn(channels, generator=rng),
        "running_mean": torch.randn(channels, generator=rng),
        "running_var": torch.rand(channels, generator=rng) + 0.5,
        "num_batches_tracked": torch.tensor(3),
    }


def loaded(student, state, **options):
    """Return the student's layer, with this state."""
    layer = student.BatchNorm2d(len(state["running_mean"]), **options)
    absent = student.fixtures.set_state(layer, state)
    assert not absent, f"The layer has nothing that it keeps as {' or '.join(absent)}."
    return layer


def twin(state, **options):
    """Return torch's layer with that state."""
    layer = nn.BatchNorm2d(len(state["running_mean"]), **options)
    layer.load_state_dict(state)
    return layer


class OtherTwin(nn.Module):
    """A layer in training that differs from torch's in one thing: its variance divides by n - 1."""

    def __init__(self, state, eps=1e-5):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(state[name].clone()) for name in ("weight", "bias"))
        self.eps = eps

    def forward(self, x):
        mean, var = (of(dim=(0, 2, 3), keepdim=True) for of in (x.mean, x.var))
        view = (1, -1, 1, 1)
        return (x - mean) / torch.sqrt(var + self.eps) * self.weight.view(view) + self.bias.view(view)


def batch_of(result):
    """Return the batch in a result: other values behind it cost the check of the shape alone."""
    if isinstance(result, (tuple, list)) and result and isinstance(result[0], torch.Tensor):
        return result[0]
    return result


def assert_one_of(got, expected, *conventions, what="the result", rtol=1e-4, atol=1e-5):
    """Raise unless `got` is what is expected, or what another convention gives, which has a check of its own."""
    got = batch_of(got)
    for other in conventions:
        same_shape = type(got) is torch.Tensor and got.shape == other.shape
        if same_shape and torch.allclose(got.double(), other.double(), rtol, atol, equal_nan=True):
            return
    assert_matches(got, expected, rtol=rtol, atol=atol, check_dtype=False, what=what)


def assert_values(got, expected, *, what="the result", rtol=1e-4, atol=1e-5):
    assert_matches(batch_of(got), expected, rtol=rtol, atol=atol, check_dtype=False, what=what)


@pytest.mark.points(2)
def test_shape(student, rng):
    """The result is a tensor of the input's shape"""
    for shape in ((2, 2, 1, 2), (2, 3, 1, 2), (3, 5, 4, 5), (3, 5, 4, 7)):
        x = uneven(rng, *shape)
        assert_matches(student.BatchNorm2d(shape[1])(x), x, atol=INF, check_dtype=False)


@pytest.mark.points(2)
def test_state(student):
    """The state has torch's names and first values"""
    layer = student.BatchNorm2d(3)
    learned = sorted(name for name, _ in layer.named_parameters())
    state, expected = layer.state_dict(), fresh_state(3)
    for counted in (state, expected):
        counted.pop("num_batches_tracked", None)  # it has a check of its own
    assert_matches(state, expected, what="the state")
    assert learned == ["bias", "weight"], (
        f"An optimizer would train {', '.join(learned) or 'nothing'}: only weight and bias are learned."
    )


@pytest.mark.points(2)
def test_small_batch(student):
    """A small batch worked by hand comes out right"""
    # Means 4 and 4; squared distances 9 1 1 9 and 4 4 4 36; biased variances 5 and 12.
    for numbers in (
        ([1.0, 3.0, 5.0, 7.0], [-1.34164, -0.44721, 0.44721, 1.34164]),
        ([2.0, 2.0, 2.0, 10.0], [-0.57735, -0.57735, -0.57735, 1.73205]),
    ):
        x, expected = torch.tensor(numbers).view(2, 2, 1, 2, 1)
        assert_values(loaded(student, fresh_state(1))(x), expected, atol=1e-4)


@pytest.mark.points(2)
def test_uneven_channels(student, rng):
    """Each channel has its own mean and variance, in any batch, and far from zero as well"""
    for shape in ((2, 2, 1, 2), (3, 2, 1, 4), (3, 5, 4, 7), (1, 5, 2, 5), (2, 17, 1, 3), (4, 2, 1, 1)):
        x, state = uneven(rng, *shape), fresh_state(shape[1])
        assert_one_of(loaded(student, state)(x), twin(state)(x).detach(), OtherTwin(state)(x).detach())
    x, state = uneven(rng, 2, 3, 3, 5), fresh_state(3)
    x[1, 0, 2, 0] = float("nan")  # its channel is lost, and no other
    assert_one_of(loaded(student, state)(x), twin(state)(x).detach(), OtherTwin(state)(x).detach())
    # Here x squared has no digits left for the variance: float32 holds 7 of them.
    x = torch.tensor([[9999.0, 10001.0, 10003.0, 9997.0], [-4001.0, -4000.0, -3998.0, -4001.0]])
    x = x.view(2, 2, 2).transpose(0, 1).reshape(2, 2, 1, 2)
    state, precise = fresh_state(2), x.double()
    others = [layer.double()(precise).detach() for layer in (twin(state), OtherTwin(state))]
    assert_one_of(loaded(student, state)(x), *others, atol=2e-2)


@pytest.mark.points(2)
def test_weight_and_bias(student):
    """Each channel gets its own weight and bias, and both learn"""
    # Every mean is 0 and every variance 1: what is left of the layer is weight * x + bias.
    x = torch.tensor([[[[-1.0, 1.0]], [[1.0, -1.0]]], [[[1.0, -1.0]], [[-1.0, 1.0]]]])
    state = fresh_state(2) | {"weight": torch.tensor([2.0, -1.0]), "bias": torch.tensor([10.0, 0.5])}
    pull = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]], [[[0.5, 1.0]], [[2.0, 4.0]]]])
    layer = loaded(student, state, momentum=1e-6)
    results, gradients = [], []
    for run in (layer, twin(state), OtherTwin(state)):
        results.append(batch_of(run(x)))
        (results[-1] * pull).sum().backward()
        if run is not layer:
            gradients.append({name: value.grad for name, value in run.named_parameters()})
    assert_one_of(*(result.detach() for result in results))
    received = student.fixtures.learned_gradients(layer)
    for name in ("weight", "bias"):
        assert received.get(name) is not None, f"No gradient reaches {name}."
        assert_one_of(received[name], *(given[name] for given in gradients), what=f"the gradient of {name}")


@pytest.mark.points(2)
def test_eps(student):
    """Nearly constant channels neither explode nor turn NaN, in both modes and with any eps"""
    # Mean 0 and the biased variances 1e-6 and 0. With eps 1e-5 the root is 0.0033166, with eps 0.25 it is 0.5.
    nearly, constant = torch.tensor([-1e-3, 1e-3, -1e-3, 1e-3]).view(2, 1, 2, 1), torch.zeros(2, 1, 2, 1)
    for options, size, x in (
        ({"eps": 0.25}, 0.002, nearly),
        ({}, 0.301511, nearly),
        ({}, 0.0, constant),
        ({"eps": 0.25}, 0.0, constant),
        ({"eps": 30.0}, 0.000182574, nearly),
        ({"eps": 0.0}, 1.0, nearly),
    ):
        eps = options.get("eps", 1e-5)
        expected = x * 1e3 * size
        other = x / torch.sqrt(x.var() + eps)
        # The running statistics are those of the batch, so that it does not matter here which are used.
        state = fresh_state(1) | {"running_var": x.var(correction=0).view(1)}
        layer = loaded(student, state, momentum=1e-6, **options)
        for training in (True, False):
            student.fixtures.set_state(layer, state)
            got = layer.train(training)(x)
            mode, others = ("training", [other]) if training else ("evaluation", [])
            assert_one_of(got, expected, *others, what=f"the result in {mode}", atol=1e-4 * size + 1e-6)


@pytest.mark.points(2)
def test_no_affine(student, rng):
    """Without affine there is nothing to learn"""
    layer = student.BatchNorm2d(2, 0.5, 0.3, False)  # in torch's order: eps, momentum, affine
    left = student.fixtures.not_none(layer)
    assert not left, f"Without affine, self.{left[0]} should be None, as in torch: programs ask for that."
    learned = [name for name, _ in layer.named_parameters() if not name.startswith("running_")]
    assert not learned, f"Without affine there should be no parameter, and there is {learned[0]}."
    assert list(student.fixtures.statistics(layer)) == ["running_mean", "running_var"], (
        "Without affine the layer still keeps its running statistics."
    )
    # It does what the student's own layer does whose weights are 1 and whose biases are 0: the rest has its own checks.
    state, x = fresh_state(2) | {"running_var": torch.tensor([1.0, 2.0])}, uneven(rng, 2, 2, 1, 2)
    student.fixtures.set_state(layer, {name: state[name] for name in ("running_mean", "running_var")})
    for training in (True, False):
        results, gradients, statistics = [], [], []
        for run in (layer, loaded(student, state, eps=0.5, momentum=0.3)):
            leaf = x.clone().requires_grad_()
            results.append(batch_of(run.train(training)(leaf)))
            (results[-1] * x).sum().backward()
            gradients.append(leaf.grad)
            statistics.append(student.fixtures.statistics(run))
        for pair, what in (
            (results, "the result without affine"),
            (gradients, "the gradient of x without affine"),
            ([moved["running_mean"] for moved in statistics], "running_mean without affine"),
            ([moved["running_var"] for moved in statistics], "running_var without affine"),
        ):
            assert_values(*pair, what=what)
        student.fixtures.set_state(layer, {name: state[name] for name in ("running_mean", "running_var")})


# Libraries differ in what momentum weighs and in the variance they keep. Each of the two choices has its own
# check; the checks of the statistics accept either.


def after_a_batch(student, start, *channels):
    """Return the running statistics, which start like this, after one batch that is worked by hand."""
    layer = loaded(student, fresh_state(len(channels)) | start)
    layer(torch.stack([torch.tensor(values).view(2, 2, -1) for values in channels], dim=1))
    return student.fixtures.statistics(layer)


@pytest.mark.points(2)
def test_running_statistics(student):
    """A training batch draws the running statistics of its layer towards its own"""
    another = loaded(student, fresh_state(2))
    start = {"running_mean": torch.tensor([0.0, 10.0]), "running_var": torch.tensor([1.0, 2.0])}
    got = after_a_batch(student, start, [1.0, 3.0, 5.0, 7.0] * 2, [3.0, 3.0, 3.0, 11.0] * 2)
    # Batch means 4 and 5: 0.9 * 0 + 0.1 * 4 and 0.9 * 10 + 0.1 * 5; the other way round 3.6 and 1 + 4.5.
    assert_one_of(
        got["running_mean"], torch.tensor([0.4, 9.5]), torch.tensor([3.6, 5.5]), what="running_mean"
    )
    # Unbiased variances 40 / 7 and 96 / 7: 0.9 * 1 + 0.1 * 5.71429 and 0.9 * 2 + 0.1 * 13.7143. Biased ones 5 and 12.
    others = ([1.4, 3.0], [5.242857, 12.542857], [4.6, 11.0])  # biased; the other momentum; both
    assert_one_of(
        got["running_var"], torch.tensor([1.471429, 3.171429]), *map(torch.tensor, others), what="running_var"
    )
    left = student.fixtures.statistics(another)
    assert_values(left["running_mean"], torch.zeros(2), what="running_mean of another layer")
    assert_values(left["running_var"], torch.ones(2), what="running_var of another layer")


@pytest.mark.points(2)
@pytest.mark.requires("test_running_statistics")
def test_running_var_is_unbiased(student):
    """running_var keeps the variance that divides by n - 1"""
    got = after_a_batch(student, {"running_var": torch.tensor([2.0])}, [1.0, 3.0, 5.0, 7.0])["running_var"]
    # 0.9 * 2 + 0.1 * 6.66667; the other way round 0.1 * 2 + 0.9 * 6.66667.
    assert_one_of(got, torch.tensor([2.466667]), torch.tensor([6.2]), what="running_var")


@pytest.mark.points(2)
def test_momentum(student, rng):
    """Momentum is the weight of the new batch, batch after batch"""
    dims = (0, 2, 3)
    for options in (
        {},
        {"momentum": 0.25, "eps": 1e-7},  # too small to show in a result
        {"momentum": 0.0},
        {"momentum": 1.0},
        {"momentum": 0.75},
    ):
        state, momentum = drawn_state(rng, 1), options.get("momentum", 0.1)
        layer = loaded(student, state, **options)
        mean, biased, unbiased = state["running_mean"], state["running_var"], state["running_var"]
        for shape in ((2, 1, 3, 1), (1, 1, 4, 1), (2, 1, 1, 1)):
            x = with_variance_1(uneven(rng, *shape))
            layer(x)
            mean = torch.lerp(mean, x.mean(dim=dims), momentum)
            biased = torch.lerp(biased, x.var(dim=dims, correction=0), momentum)
            unbiased = torch.lerp(unbiased, x.var(dim=dims), momentum)
        got = student.fixtures.statistics(layer)
        assert_one_of(got["running_mean"], mean, what="running_mean")
        assert_one_of(got["running_var"], unbiased, biased, what="running_var")


@pytest.mark.points(2)
def test_batches_are_counted(student, rng):
    """Training batches are counted, and no others"""
    x = uneven(rng, 2, 2, 1, 2)
    for affine in (True, False):
        layer, counted = student.BatchNorm2d(2, affine=affine), 0
        assert "num_batches_tracked" in layer.state_dict(), "The state lacks the buffer num_batches_tracked."
        for training in (True, True, True, False, True):
            assert_matches(student.fixtures.counter(layer), torch.tensor(counted), what="num_batches_tracked")
            if training:
                layer.train()(x)
            else:
                student.fixtures.call_without_gradients(layer.eval(), x)  # as everybody evaluates
            counted += training
        assert_matches(student.fixtures.counter(layer), torch.tensor(counted), what="num_batches_tracked")


@pytest.mark.points(2)
def test_evaluation(student):
    """Evaluation normalizes one image, or one pixel, by what was learned"""
    running = {"running_mean": torch.tensor([1.0, -2.0]), "running_var": torch.tensor([4.0, 0.25])}
    affine = {"weight": torch.tensor([3.0, 1.0]), "bias": torch.tensor([0.0, -5.0])}
    layer = loaded(student, fresh_state(2) | running | affine).eval()
    # Worked by hand: channel 0 is 3 (x - 1) / 2, channel 1 is (x + 2) / 0.5 - 5.
    x = torch.tensor([[[[5.0, -3.0, INF]], [[-2.0, float("nan"), -3.0]]]])
    expected = torch.tensor([[[[6.0, -6.0, INF]], [[-5.0, float("nan"), -7.0]]]])
    got = student.fixtures.call_without_gradients(layer, x)  # as everybody evaluates
    assert_values(got, expected, atol=1e-3)
    got = student.fixtures.call_without_gradients(layer, x[..., :1])
    assert_values(got, expected[..., :1], atol=1e-3, what="the result for one pixel")


@pytest.mark.points(2)
def test_evaluation_learns_nothing(student, rng):
    """Evaluation leaves the running statistics alone"""
    layer = loaded(student, drawn_state(rng, 3))
    before = student.fixtures.statistics(layer)
    student.fixtures.call_without_gradients(layer.eval(), uneven(rng, 3, 3, 4, 3))
    after = student.fixtures.statistics(layer)
    for name in ("running_mean", "running_var"):
        assert torch.equal(before[name], after[name]), f"{name} moved during evaluation."


@pytest.mark.points(2)
def test_mode_decides(student, rng):
    """train() and eval() decide, and torch.no_grad() does not"""
    state, x = drawn_state(rng, 1), with_variance_1(uneven(rng, 2, 1, 4, 1))
    training, evaluating = loaded(student, state), loaded(student, state).eval()
    got = student.fixtures.call_without_gradients(training, x)
    assert_one_of(got, twin(state)(x).detach(), OtherTwin(state)(x).detach())
    moved = student.fixtures.statistics(training)
    for name in ("running_mean", "running_var"):
        assert not torch.equal(moved[name], state[name]), (
            f"{name} does not move in training under torch.no_grad()."
        )
    usual = loaded(student, state)
    usual(x)
    counts = [student.fixtures.counter(layer) for layer in (training, usual, evaluating)]
    assert counts[0] == counts[1], (
        "Under torch.no_grad() batches are counted in another way than with gradients."
    )
    x.requires_grad_()
    got, expected = batch_of(evaluating(x)), twin(state).eval()
    (wanted,) = torch.autograd.grad(expected(x).sum(), x)
    assert_values(got, expected(x).detach())
    assert student.fixtures.counter(evaluating) == counts[2], (
        "A batch is counted in evaluation, with gradients."
    )
    got.sum().backward()
    assert_values(x.grad, wanted, what="the gradient of x in evaluation")
    expected(x.detach()).sum().backward()
    received = student.fixtures.learned_gradients(evaluating)
    for name, parameter in expected.named_parameters():
        what = f"the gradient of {name} in evaluation"
        assert received.get(name) is not None, f"In evaluation no gradient reaches {name}."
        assert_values(received[name], parameter.grad, rtol=1e-3, atol=1e-4, what=what)


@pytest.mark.points(2)
def test_input_gradient(student, rng):
    """The gradient of the input takes the whole path"""
    state, values = drawn_state(rng, 2), with_variance_1(uneven(rng, 2, 2, 1, 2))
    state["weight"] = torch.full((2,), 1.75)  # that each channel has its own is for other checks
    state["bias"] = torch.full((2,), -0.5)
    pull = torch.randn(2, 2, 1, 2, generator=rng)
    gradients = []
    for run in (loaded(student, state), twin(state), OtherTwin(state)):
        x = values.clone().requires_grad_()
        (batch_of(run(x)) * pull).sum().backward()
        gradients.append(x.grad)
    assert gradients[0] is not None, "There is no gradient of x."
    assert_one_of(*gradients, rtol=1e-3, atol=1e-4, what="the gradient of x")


@pytest.mark.points(2)
def test_statistics_leave_the_graph(student, rng):
    """Running statistics are written into the buffers, and keep no past batch alive"""
    layer, x = student.BatchNorm2d(2), uneven(rng, 2, 2, 1, 2)
    joined = student.fixtures.in_graph_after(layer, x.clone().requires_grad_())
    assert not joined, f"{' and '.join(joined)} would keep the graph of every past batch in memory."
    replaced = student.fixtures.replaced_after(layer, x)
    assert not replaced, (
        f"After a batch there is another tensor behind {' and '.join(replaced)}: write the new values into the buffer, "
        "for example with copy_, because other programs, and an earlier state_dict(), hold on to it."
    )


@pytest.mark.points(2)
def test_float64(student, rng):
    """The result has the dtype of the input, float64 too"""
    state, x = drawn_state(rng, 2), uneven(rng, 2, 2, 1, 2)
    # Means 0 and variances 1: in few digits, any order of the steps gives the same.
    fresh, signs = fresh_state(2), torch.tensor([1.0, -1.0]).repeat(4).view(2, 2, 1, 2)
    layer = loaded(student, fresh)
    for dtype in ("float32", "float16", "bfloat16", "float64"):
        like = signs.to(getattr(torch, dtype))
        student.fixtures.to_dtype(layer, dtype)
        for training in (True, False):
            student.fixtures.set_state(layer, fresh)
            assert_matches(batch_of(layer.train(training)(like)), like, atol=INF)
    student.fixtures.set_state(layer, state)
    precise = batch_of(layer.train()(x.double())).detach()
    assert not torch.equal(precise, precise.float().double()), (
        "In float64 the result has no more digits than in float32: something on the way is float32."
    )
    for name, value in student.fixtures.statistics(layer).items():
        assert_matches(value, state[name].double(), atol=INF, what=name)


@pytest.mark.points(2)
def test_input_kept(student, rng):
    """The input may be any view, and is left as it was in both modes"""
    layer = student.BatchNorm2d(3)
    for training in (True, False):
        layer.train(training)(uneven(rng, 3, 3, 4, 3))
        assert not student.changed_inputs(), "The layer changed x in place: compute a new tensor instead."
    for training in (True, False):
        x = uneven(rng, 3, 3, 4, 3)
        got = batch_of(student.fixtures.call_with_a_view(layer.train(training), x))
        assert_matches(got, x, atol=INF, check_dtype=False)
