"""Hidden suite of `normalization`. Expected values are worked by hand, or torch's own functions on the trusted side.

Another convention costs the check that is about it, and no other:

- The variance that divides by n - 1 is accepted in every check but those of the variance: see `assert_either`.
- eps outside the root changes too little to be seen where variances are near 1, so only the checks of eps see it.
- A dtype, and that the result is a single tensor, are compared in the checks of dtype alone: elsewhere the first tensor of
  a tuple counts.
- No check calls two of the three functions: one mistake made in all of them would hide its own diagnosis.
- Each check is one of twenty points, and none waits for another: a slip in one function costs 1 to 7 of them.
"""

import pytest
import torch
import torch.nn.functional as F

from grader.suite import Mismatch, assert_matches, call, small_inputs


def _small_images(max_channels=2):
    from grader.suite.strategies import images

    # One number alone has no spread: no row of an example is one number, whatever axes a student averages over.
    return images(max_side=3, max_channels=max_channels).filter(lambda x: x.shape[3] > 1)


def _small_options():
    """Strategy of what may be left out: a function of the shape of weight and bias that gives keyword arguments."""
    from hypothesis import strategies as st

    def options(affine, eps):
        def of(shape):
            values = torch.arange(1.0, torch.Size(shape).numel() + 1).reshape(shape)
            return ({"weight": values, "bias": 3 * torch.ones(shape)} if affine else {}) | eps

        return of

    return st.builds(options, st.booleans(), st.sampled_from([{}, {"eps": 0.25}]))


@small_inputs("layer_norm")
def small_layers():
    from hypothesis import strategies as st

    def packed(x, options):
        shape = list(x.shape[1:])
        return call(x, shape, **options(shape))

    return st.builds(packed, _small_images(), _small_options())


@small_inputs("instance_norm")
def small_instances():
    from hypothesis import strategies as st

    return st.builds(lambda x, options: call(x, **options(x.shape[1:2])), _small_images(), _small_options())


@small_inputs("group_norm")
def small_groups():
    from hypothesis import strategies as st

    def packed(x, groups, options):
        return call(x, groups, **options(x.shape[1:2]))

    drawn = st.builds(packed, _small_images(max_channels=4), st.integers(1, 2), _small_options())
    return drawn.filter(lambda c: c[0][0].shape[1] % c[0][1] == 0)


def uneven(rng, *shape):
    """Draw a batch whose samples, channels and columns differ in mean and scale: doing nothing is far off."""
    x = torch.randn(shape, generator=rng)
    for axis, size in enumerate(shape):
        place = torch.arange(float(size)).view([-1 if other == axis else 1 for other in range(len(shape))])
        x = x * (1 + place / size) + 2 * place / size
    return 5 + 3 * x


def with_other_variance(x, rows, weight=None, bias=None, eps=1e-5, correction=1):
    """Normalize x in `rows` equal stretches of its memory, with the variance that divides by n - `correction`."""
    flat = x.reshape(rows, -1)
    result = (flat - flat.mean(1, keepdim=True)) / torch.sqrt(
        flat.var(1, keepdim=True, correction=correction) + eps
    )
    if x.dim() == 4:  # weight and bias are (C, H, W) in layer norm of images, and (C,) in the others
        weight, bias = (v[:, None, None] if v is not None and v.dim() == 1 else v for v in (weight, bias))
    result = result.reshape(x.shape)
    result = result if weight is None else result * weight
    return result if bias is None else result + bias


def first_of(result):
    """Return the first tensor of a tuple: what else was returned costs the check of the dtype alone."""
    if isinstance(result, (tuple, list)) and result and isinstance(result[0], torch.Tensor):
        return result[0]
    return result


def assert_either(got, expected, other, what="the result"):
    """Compare with `expected`; a result that equals `other` passes as well, since its variance has a check of its own."""
    got = first_of(got)
    try:
        assert_matches(got, expected, rtol=1e-4, atol=1e-5, check_dtype=False, what=what)
    except Mismatch:
        if type(got) is not torch.Tensor or got.shape != other.shape:
            raise
        if not torch.allclose(got.double(), other.double(), rtol=1e-4, atol=1e-5):
            raise


def assert_affine(norm, torch_norm, x, rows, weight, bias):
    """Call norm(x, weight, bias) with both, and with each alone; `rows` as in `with_other_variance`."""
    for given in ((weight, bias), (weight, None), (None, bias)):
        assert_either(norm(x, *given), torch_norm(x, *given), with_other_variance(x, rows, *given))


def assert_gradients(norm, torch_norm, x, rows, weight, bias):
    """Compare the gradients of norm(x, weight, bias), in float64, with torch's; then those of norm(x)."""
    pull = torch.cos(torch.arange(float(x.numel()))).reshape(x.shape)
    for values in ((x, weight, bias), (x, None, None)):
        gradients = []
        for run in (norm, torch_norm, lambda x, weight, bias: with_other_variance(x, rows, weight, bias)):
            leaves = [None if value is None else value.double().requires_grad_() for value in values]
            (first_of(run(*leaves)) * pull).sum().backward()
            gradients.append([leaf.grad for leaf in leaves if leaf is not None])
        for name, got, expected, other in zip(("x", "weight", "bias"), *gradients, strict=False):
            assert got is not None, f"No gradient reaches {name}."
            assert_either(got, expected, other, f"the gradient of {name}")


def assert_variance(norm, shape):
    """Run norm on two stretches of four numbers, whose variance must divide by 4, and be exact far from zero."""
    assert_matches(first_of(norm(BATCH.reshape(shape))), BY_HAND.reshape(shape), atol=1e-4, check_dtype=False)
    # Here x squared has no digits left for the variance: float32 holds 7 of them.
    x = torch.tensor([[9999.0, 10001.0, 10003.0, 9997.0], [-4001.0, -4000.0, -3998.0, -4001.0]])
    moved = x.double() - x.double().mean(1, keepdim=True)
    expected = moved / torch.sqrt(moved.square().mean(1, keepdim=True) + 1e-5)
    got = first_of(norm(x.reshape(shape)))
    assert_matches(
        got, expected.reshape(shape), atol=2e-2, check_dtype=False, what="the result far from zero"
    )


def assert_eps(norm, shape, affine_shape):
    """Run norm on two stretches of four nearly equal numbers, with several values of eps, then with weight and bias."""
    # Variances 1e-6 and 0: with eps 1e-5 the first root is 0.0033166, with eps 0.25 it is 0.5.
    nearly = torch.tensor([0.0, 2e-3, 0.0, 2e-3, 5.0, 5.0, 5.0, 5.0]).reshape(shape)
    # With eps 0 no variance may be 0: here they are 1e-6 and 5.
    spread = torch.tensor([0.0, 2e-3, 0.0, 2e-3, 1.0, 3.0, 5.0, 7.0]).reshape(shape)
    flat, steps = [0.0] * 4, [-1.341641, -0.447214, 0.447214, 1.341641]
    for options, x, size, second in (
        ({"eps": 0.25}, nearly, 0.002, flat),
        ({}, nearly, 0.301511, flat),
        ({"eps": 30.0}, nearly, 0.000182574, flat),
        ({"eps": 0.0}, spread, 1.0, steps),
    ):
        expected = torch.tensor([[-size, size, -size, size], second]).reshape(shape)
        other = with_other_variance(x, 2, **options)
        assert_either(norm(x, **options), expected, other)
    weight, bias = torch.full(affine_shape, 2.0), torch.full(affine_shape, 3.0)
    for given in ((weight, bias), (weight, None), (None, bias)):
        expected, other = (with_other_variance(spread, 2, *given, eps=0.25, correction=n) for n in (0, 1))
        assert_either(norm(spread, *given, eps=0.25), expected, other)
    # A number that is missing makes its own stretch NaN, and no other.
    x = torch.tensor([1.0, 3.0, float("nan"), 7.0, 5.0, 5.0, 5.0, 5.0]).reshape(shape)
    expected = torch.tensor([[float("nan")] * 4, flat]).reshape(shape)
    assert_matches(first_of(norm(x)), expected, atol=1e-4, check_dtype=False, what="the result of a NaN")


# Two samples of two channels. Means 4 and 4; squared distances 9 1 1 9 and 4 4 4 36, so the variances are 5 and 12.
BATCH = torch.tensor([[[[1.0, 3.0]], [[5.0, 7.0]]], [[[2.0, 2.0]], [[2.0, 10.0]]]])
BY_HAND = torch.tensor(
    [[[[-1.34164, -0.44721]], [[0.44721, 1.34164]]], [[[-0.57735] * 2], [[-0.57735, 1.73205]]]]
)


def assert_new_tensor(student, norm, shape, affine_shape):
    """Look at type and dtype, in four precisions, and at what was given; the values are left to other checks."""
    # Means 3 and variances 1: in few digits, any order of the steps gives the same.
    x = torch.tensor([4.0, 2.0]).repeat(torch.Size(shape).numel() // 2).reshape(shape)
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        weight, bias = torch.full(affine_shape, 2.0, dtype=dtype), torch.full(affine_shape, 3.0, dtype=dtype)
        for given in ((), (weight, bias)):
            result = norm(x.to(dtype), *given)
            changed = student.changed_inputs()
            assert not changed, f"Your function changed its argument {changed[0]}. Return a new tensor."
            assert_matches(result, x.to(dtype), atol=float("inf"))
    fine = x.double()
    fine.view(-1)[0] += 1e-10
    same = torch.equal(first_of(norm(x.double())), first_of(norm(fine)))
    assert not same, "Digits of float64 are lost on the way: compute in the dtype of the input."


@pytest.mark.points(1)
def test_layer_norm_of_each_sample(student, rng):
    """Layer norm takes the mean of each whole sample: C, H and W"""
    assert_either(student.layer_norm(BATCH, [2, 1, 2]), BY_HAND, with_other_variance(BATCH, 2))
    x = uneven(rng, 3, 4, 2, 5)
    assert_either(student.layer_norm(x, (4, 2, 5)), F.layer_norm(x, [4, 2, 5]), with_other_variance(x, 3))
    x = uneven(rng, 1, 5, 3, 1)
    assert_either(student.layer_norm(x, [5, 3, 1]), F.layer_norm(x, [5, 3, 1]), with_other_variance(x, 1))


@pytest.mark.points(1)
def test_layer_norm_of_tokens(student, rng):
    """normalized_shape names the last axes, for tokens the last one alone, and as many as it has numbers"""
    x = uneven(rng, 2, 3, 6)
    assert_either(student.layer_norm(x, [6]), F.layer_norm(x, [6]), with_other_variance(x, 6))
    for shape, axes in (((2, 3, 6), 2), ((2, 3, 4, 5), 2), ((3, 4, 2, 3, 5), 4), ((5, 4), 1), ((3, 4), 2)):
        x, normalized = uneven(rng, *shape), shape[-axes:]
        rows = x.numel() // torch.Size(normalized).numel()
        expected = F.layer_norm(x, normalized)
        assert_either(student.layer_norm(x, normalized), expected, with_other_variance(x, rows))


@pytest.mark.points(1)
def test_layer_norm_weight_and_bias(student, rng):
    """In layer norm each place has a weight and a bias of its own"""
    for samples, shape in (((2,), [3, 2, 4]), ((2, 3), [6]), ((2,), [3, 4]), ((2, 3), [4, 5])):
        weight, bias = torch.randn(shape, generator=rng), torch.randn(shape, generator=rng)
        assert_affine(
            lambda x, w, b, shape=shape: student.layer_norm(x, shape, w, b),
            lambda x, w, b, shape=shape: F.layer_norm(x, shape, w, b),
            uneven(rng, *samples, *shape), torch.Size(samples).numel(), weight, bias,
        )  # fmt: skip


@pytest.mark.points(1)
def test_layer_norm_variance(student):
    """The variance of layer norm divides by n, not n - 1, and is exact far from zero"""
    assert_variance(lambda x: student.layer_norm(x, [2, 1, 2]), (2, 2, 1, 2))


@pytest.mark.points(1)
def test_layer_norm_eps(student):
    """Nearly constant samples neither explode nor turn NaN"""
    for samples, shape in (((2,), (2, 1, 2)), ((2, 1), (4,)), ((2,), (4,)), ((2,), (2, 2))):
        assert_eps(
            lambda x, *affine, shape=shape, **eps: student.layer_norm(x, shape, *affine, **eps),
            samples + shape,
            shape,
        )


@pytest.mark.points(1)
def test_layer_norm_gradients(student, rng):
    """Gradients of layer norm take the whole path"""
    shape = [2, 1, 3]
    weight, bias = torch.randn(shape, generator=rng), torch.randn(shape, generator=rng)
    assert_gradients(
        lambda x, w, b: student.layer_norm(x, shape, w, b),
        lambda x, w, b: F.layer_norm(x, shape, w, b),
        uneven(rng, 2, *shape), 2, weight, bias,
    )  # fmt: skip


@pytest.mark.points(1)
def test_layer_norm_keeps_dtype_and_image(student):
    """Layer norm gives a new tensor of the same dtype"""
    assert_new_tensor(
        student,
        lambda x, *affine: student.layer_norm(x, [2, 3, 2], *affine),
        (2, 2, 3, 2),
        (2, 3, 2),
    )


@pytest.mark.points(1)
def test_instance_norm_of_each_channel(student, rng):
    """Instance norm takes the mean of each channel of each image"""
    # Means 4 4 1 0, variances 5 12 3 20: 0 0 0 4, say, has the squared distances 1 1 1 9.
    first = [[[1.0, 3.0, 5.0, 7.0]], [[2.0, 2.0, 2.0, 10.0]]]
    second = [[[0.0, 0.0, 0.0, 4.0]], [[-6.0, -2.0, 2.0, 6.0]]]
    x, steps, peak = (
        torch.tensor([first, second]),
        [-1.34164, -0.44721, 0.44721, 1.34164],
        [-0.57735] * 3 + [1.73205],
    )
    expected = torch.tensor([[[steps], [peak]], [[peak], [steps]]])
    assert_either(student.instance_norm(x), expected, with_other_variance(x, 4))
    x = uneven(rng, 3, 4, 2, 5)
    assert_either(student.instance_norm(x), F.instance_norm(x), with_other_variance(x, 12))
    x = uneven(rng, 1, 7, 3, 1)
    assert_either(student.instance_norm(x), F.instance_norm(x), with_other_variance(x, 7))


@pytest.mark.points(1)
def test_instance_norm_weight_and_bias(student, rng):
    """In instance norm each channel has a weight and a bias"""
    # Images are as wide as there are channels: a weight may land on a column unnoticed.
    weight, bias = torch.randn(3, generator=rng), torch.randn(3, generator=rng)
    assert_affine(
        student.instance_norm,
        lambda x, w, b: F.instance_norm(x, weight=w, bias=b),
        uneven(rng, 2, 3, 2, 3), 6, weight, bias,
    )  # fmt: skip


@pytest.mark.points(1)
def test_instance_norm_variance(student):
    """The variance of instance norm divides by n, not n - 1, and is exact far from zero"""
    assert_variance(student.instance_norm, (1, 2, 2, 2))


@pytest.mark.points(1)
def test_instance_norm_eps(student):
    """Nearly constant channels neither explode nor turn NaN"""
    assert_eps(student.instance_norm, (1, 2, 2, 2), (2,))


@pytest.mark.points(1)
def test_instance_norm_gradients(student, rng):
    """Gradients of instance norm take the whole path"""
    weight, bias = torch.randn(2, generator=rng), torch.randn(2, generator=rng)
    assert_gradients(
        student.instance_norm,
        lambda x, w, b: F.instance_norm(x, weight=w, bias=b),
        uneven(rng, 2, 2, 2, 3), 4, weight, bias,
    )  # fmt: skip


@pytest.mark.points(1)
def test_instance_norm_keeps_dtype_and_image(student):
    """Instance norm gives a new tensor of the same dtype"""
    assert_new_tensor(student, student.instance_norm, (2, 2, 3, 2), (2,))


@pytest.mark.points(1)
def test_group_norm_of_neighbours(student, rng):
    """Group norm takes the mean of neighboring channels"""
    # The groups are the channels 0 1 and 2 3, as the samples are above.
    x, by_hand = BATCH.reshape(1, 4, 1, 2), BY_HAND.reshape(1, 4, 1, 2)
    assert_either(student.group_norm(x, 2), by_hand, with_other_variance(x, 2))
    x = uneven(rng, 3, 6, 2, 5)
    assert_either(student.group_norm(x, 2), F.group_norm(x, 2), with_other_variance(x, 6))
    x = uneven(rng, 1, 12, 3, 1)
    for groups in (4, 6, 3):
        expected = F.group_norm(x, groups)
        assert_either(student.group_norm(x, groups), expected, with_other_variance(x, groups))


@pytest.mark.points(1)
def test_group_norm_of_one_and_of_all(student, rng):
    """One group is layer norm, C groups are instance norm"""
    x = uneven(rng, 2, 3, 2, 4)
    assert_either(student.group_norm(x, 1), F.layer_norm(x, [3, 2, 4]), with_other_variance(x, 2))
    assert_either(student.group_norm(x, 3), F.instance_norm(x), with_other_variance(x, 6))


@pytest.mark.points(1)
def test_group_norm_weight_and_bias(student, rng):
    """In group norm each channel has a weight and a bias"""
    weight, bias = torch.randn(4, generator=rng), torch.randn(4, generator=rng)
    for groups in (2, 1, 4):
        assert_affine(
            lambda x, w, b, groups=groups: student.group_norm(x, groups, w, b),
            lambda x, w, b, groups=groups: F.group_norm(x, groups, w, b),
            uneven(rng, 2, 4, 2, 4), 2 * groups, weight, bias,
        )  # fmt: skip


@pytest.mark.points(1)
def test_group_norm_variance(student):
    """The variance of group norm divides by n, not n - 1, and is exact far from zero"""
    assert_variance(lambda x: student.group_norm(x, 2), (1, 4, 1, 2))


@pytest.mark.points(1)
def test_group_norm_eps(student):
    """Nearly constant groups neither explode nor turn NaN"""
    for shape, groups in (((1, 4, 1, 2), 2), ((2, 4, 1, 1), 1), ((1, 2, 2, 2), 2)):
        assert_eps(
            lambda x, *affine, groups=groups, **eps: student.group_norm(x, groups, *affine, **eps),
            shape,
            shape[1:2],
        )


@pytest.mark.points(1)
def test_group_norm_gradients(student, rng):
    """Gradients of group norm take the whole path"""
    weight, bias = torch.randn(4, generator=rng), torch.randn(4, generator=rng)
    assert_gradients(
        lambda x, w, b: student.group_norm(x, 2, w, b),
        lambda x, w, b: F.group_norm(x, 2, w, b),
        uneven(rng, 2, 4, 1, 3), 4, weight, bias,
    )  # fmt: skip


@pytest.mark.points(1)
def test_group_norm_keeps_dtype_and_image(student):
    """Group norm gives a new tensor of the same dtype"""
    assert_new_tensor(student, lambda x, *affine: student.group_norm(x, 2, *affine), (2, 4, 3, 2), (4,))
