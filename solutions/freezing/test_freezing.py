"""Hidden suite of `freezing`. Frozen is what training leaves as it was: no check reads `requires_grad`.

Right parameters are worth the points of their check whatever happens to modes: those have a check of their own. Likewise
only one check looks at the type of a count, and the others at its value.
"""

import contextlib

import fixtures
import pytest
import torch

from grader.suite import assert_matches, assert_shape


def trained(build, frozen):
    """Return the state of a network after training with these parts frozen by hand."""
    model = build()
    fixtures.set_trainable(model, frozen, trainable=False)
    return fixtures.train(model, fixtures.sgd(model))


def parameters(state, build):
    """Return the parameters in a state of such a network, without running statistics."""
    return {name: state[name] for name, _ in build().named_parameters()}


def assert_moved_like(got, before, expected):
    """Raise unless the parameters moved in training exactly where they should."""
    for name, was in before.items():
        stays = torch.equal(expected[name], was)
        assert not stays or torch.equal(got[name], was), f"{name} moved in training, but should be frozen."
        assert stays or not torch.equal(got[name], was), f"{name} did not move in training, but should train."


def assert_trained_like(got, before, expected):
    """Raise unless the parameters moved in training exactly where, and as far as, they should."""
    assert_moved_like(got, before, expected)
    assert_matches(got, expected, rtol=1e-4, atol=1e-5, what="the state after training")


def changes(before, after, but=()):
    """Name what of a model's surroundings has changed, apart from names with one of these texts."""
    return [
        name
        for name, was in before.items()
        if after.get(name) != was and not any(text in name for text in but)
    ]


def assert_left_alone(student, model, before, but=()):
    """Raise unless the surroundings of the model are as before, apart from names with one of these texts."""
    changed = changes(before, student.fixtures.surroundings(model), but)
    assert not changed, f"{changed[0]} has changed, and should be left as it was."


# --- freeze


@pytest.mark.points(1)
def test_frozen_layer_stays(student):
    """A frozen layer stays as it was while the others train"""
    model = student.fixtures.small_cnn()
    before = student.fixtures.state(model)
    student.freeze(student.fixtures.child(model, "stem"))
    stray = student.fixtures.stray_attributes(model)
    got = student.fixtures.train(model, student.fixtures.sgd(model))
    assert not stray, (
        f"You set {' and '.join(stray)}, which torch never reads: Python creates any attribute that you set."
    )
    assert_trained_like(got, before, trained(fixtures.small_cnn, ["stem"]))


@pytest.mark.points(2)
def test_frozen_at_any_depth(student):
    """Freezing reaches every parameter of the layers inside a block"""
    model = student.fixtures.norm_cnn()
    before = student.fixtures.state(model)
    student.freeze(student.fixtures.child(model, "body"))
    got = student.fixtures.train(model, student.fixtures.sgd(model))
    expected = trained(fixtures.norm_cnn, ["body"])
    # How far they moved depends on the modes of the norms, and is for other checks.
    assert_moved_like(*(parameters(state, fixtures.norm_cnn) for state in (got, before, expected)))


@pytest.mark.points(2)
def test_frozen_after_a_step(student):
    """A layer frozen after some training stops at once"""
    model = student.fixtures.small_cnn()
    optimizer = student.fixtures.restless_sgd(model)
    before = student.fixtures.train(model, optimizer)
    student.freeze(student.fixtures.child(model, "layer1"))
    got = student.fixtures.train(model, optimizer, clear=False)
    assert_stopped(got, before, ["layer1.0.weight", "layer1.0.bias"])


@pytest.mark.points(2)
def test_freezing_keeps_the_modes(student):
    """Freezing changes no mode, no statistics, and no gradient of others"""
    for build, name, frozen in (
        ("norm_cnn", "", ""),  # the whole model
        ("used_cnn", "", ""),
        ("used_cnn", "body", "body."),
    ):
        model = getattr(student.fixtures, build)()
        before = student.fixtures.surroundings(model)
        student.freeze(student.fixtures.child(model, name) if name else model)
        assert_left_alone(student, model, before, but=[f"gradient of {frozen}"])


def assert_stopped(got, before, names):
    """Raise unless these parameters, frozen after some training, stayed where they were."""
    for name in names:
        assert torch.equal(got[name], before[name]), (
            f"{name} moved on: the optimizer still finds a gradient there. Is its .grad None?"
        )


# --- freeze_until


@pytest.mark.points(2)
def test_freeze_until_a_layer(student):
    """Every child up to the named one is frozen"""
    for name, frozen in (
        ("layer2", ["stem", "layer1", "layer2"]),
        ("pool", ["stem", "layer1", "layer2", "layer10"]),  # it has no parameters itself
        ("fc", ["stem", "layer1", "layer2", "layer10", "fc"]),
    ):
        model = student.fixtures.small_cnn()
        before = student.fixtures.state(model)
        student.freeze_until(model, name)
        got = student.fixtures.train(model, student.fixtures.sgd(model))
        assert_trained_like(got, before, trained(fixtures.small_cnn, frozen))


@pytest.mark.points(2)
def test_names_that_look_alike(student):
    """Layers with similar names are not confused"""
    for build, name, frozen in (
        ("norm_cnn", "norm", ["stem", "body", "norm"]),  # blocks before it have a norm of that name inside
        ("small_cnn", "layer1", ["stem", "layer1"]),
        ("countdown_cnn", "layer1", ["layer10", "layer2", "layer1"]),
    ):
        model, network = getattr(student.fixtures, build)(), getattr(fixtures, build)
        before = student.fixtures.state(model)
        student.freeze_until(model, name)
        got = student.fixtures.train(model, student.fixtures.sgd(model))
        expected = trained(network, frozen)
        assert_moved_like(*(parameters(state, network) for state in (got, before, expected)))


@pytest.mark.points(2)
def test_children_frozen_after_a_step(student):
    """Children frozen after some training stop at once, and nothing else changes"""
    model = student.fixtures.small_cnn()
    optimizer = student.fixtures.restless_sgd(model)
    before = student.fixtures.train(model, optimizer)
    student.freeze_until(model, "layer1")
    got = student.fixtures.train(model, optimizer, clear=False)
    assert_stopped(got, before, [name for name in before if name.startswith(("stem", "layer1."))])
    model, twin = student.fixtures.used_cnn(), student.fixtures.used_cnn()
    before = student.fixtures.surroundings(model)
    student.freeze_until(model, "body")
    # What their own freeze changes has cost its own check.
    with contextlib.suppress(Exception):
        for name in ("stem", "body"):
            student.freeze(student.fixtures.child(twin, name))
    known = changes(before, student.fixtures.surroundings(twin))
    assert_left_alone(student, model, before, but=["gradient of stem.", "gradient of body.", *known])


@pytest.mark.points(2)
def test_first_layer(student):
    """Freezing the first child leaves the later ones as they are"""
    model = student.fixtures.countdown_cnn()
    student.fixtures.set_trainable(model, ["layer1"], trainable=False)
    before = student.fixtures.state(model)
    student.freeze_until(model, "layer10")
    got = student.fixtures.train(model, student.fixtures.sgd(model))
    assert_trained_like(got, before, trained(fixtures.countdown_cnn, ["layer10", "layer1"]))


# --- trainable_parameters


@pytest.mark.points(1)
def test_count(student):
    """The count of a fresh network is right, and an int"""
    # stem 2*9 + 2 = 20, layer1 3*2*9 + 3 = 57, layer2 3*3 + 3 + 1 = 13, layer10 4*3*9 + 4 = 112, fc 3*4 + 3 = 15.
    assert_matches(student.trainable_parameters(student.fixtures.small_cnn()), 217)


@pytest.mark.points(2)
def test_count_after_freezing(student):
    """Frozen parameters are not counted"""
    model = student.fixtures.small_cnn()
    frozen = ["stem", "layer1", "layer2.0.bias", "layer10"]
    student.fixtures.set_trainable(model, frozen, trainable=False)
    before = student.fixtures.state(model)
    # The weight of layer2 has 9 elements, its gain is 1 number, fc has 15.
    assert_matches(student.trainable_parameters(model), 25, check_dtype=False, what="the count")
    got = student.fixtures.train(model, student.fixtures.sgd(model))
    assert_moved_like(got, before, trained(fixtures.small_cnn, frozen))
    student.fixtures.set_trainable(model, ["stem", "layer1", "layer2", "layer10", "fc"], trainable=False)
    assert_matches(
        student.trainable_parameters(model), 0, check_dtype=False, what="the count where all is frozen"
    )
    model = student.fixtures.used_cnn()
    before = student.fixtures.surroundings(model)
    student.trainable_parameters(model)
    assert_left_alone(student, model, before)


@pytest.mark.points(2)
def test_count_shared(student):
    """Shared weights count once, and running statistics do not"""
    # One weight of 16, two biases of 4, and the weight and bias of the norm, 4 each.
    assert_matches(student.trainable_parameters(student.fixtures.tied_net()), 32, check_dtype=False)


# --- replace_head


@pytest.mark.points(2)
def test_head_scores(student, rng):
    """The returned model scores the new classes"""
    for classes in (7, 1):
        model = student.replace_head(student.fixtures.small_cnn(), classes)
        assert_shape(model(torch.randn(5, 1, 6, 7, generator=rng)), (5, classes))


@pytest.mark.points(1)
def test_head_in_place(student, rng):
    """The head, by any name, is replaced in the model itself"""
    for classes in (7, 4):  # 4 as before
        model = student.fixtures.tied_net()
        before = student.fixtures.state(model)
        student.replace_head(model, classes)
        after = student.fixtures.state(model)
        assert_shape(model(torch.randn(5, 4, generator=rng)), (5, classes), what="the score")
        assert not torch.equal(after["second.weight"], before["second.weight"]), (
            "The head still holds the old weight: it is to be new, whatever the number of classes."
        )


@pytest.mark.points(2)
def test_rest_of_the_model(student):
    """Everything but the head stays as it was, and the new head has a bias"""
    for build, head, classes in (
        ("used_cnn", "classifier.2", 2),
        ("tied_net", "second", 4),
        ("deep_net", "tasks.block.out", 2),
    ):
        model, network = getattr(student.fixtures, build)(), getattr(fixtures, build)
        resting = next(iter(fixtures.modes(network())))
        student.fixtures.child(model, resting).eval()
        before, surroundings = student.fixtures.state(model), student.fixtures.surroundings(model)
        student.replace_head(model, classes)
        after = student.fixtures.state(model)
        assert f"{head}.weight" not in after or f"{head}.bias" in after, "The new head has no bias."
        new = {name: after[name] for name in (f"{head}.weight", f"{head}.bias") if name in after}
        assert_matches(after, before | new, what="the state, without the head's values,")
        assert_left_alone(student, model, surroundings, but=[f" of {head}"])


@pytest.mark.points(2)
def test_head_inside_a_block(student, rng):
    """The last Linear is found inside a block, at any depth"""
    for build, shape, expected in (
        ("norm_cnn", (6, 1, 6, 7), {"classifier.0": [6, 5, 5, 6], "classifier.2": [5, 2, 2, 5]}),
        ("deep_net", (6, 4), {"body": [4, 6, 6, 4], "tasks.block.out": [6, 2, 2, 6]}),
    ):
        model = getattr(student.fixtures, build)()
        student.replace_head(model, 2)
        assert_matches(
            student.fixtures.linear_sizes(model), expected, what="the inputs, outputs and weight of"
        )
        # setattr with a dotted name makes a module of that name beside the block: it has the sizes, and never fits.
        assert_shape(model(torch.randn(shape, generator=rng)), (6, 2), what="the score")


@pytest.mark.points(2)
@pytest.mark.requires("test_head_in_place")  # a model in which nothing was replaced trains as well
def test_head_trains(student):
    """The new head trains, and the rest trains or not as before"""
    model = student.fixtures.small_cnn()
    student.fixtures.set_trainable(model, ["stem", "layer1", "fc"], trainable=False)
    student.replace_head(model, 2)
    before = student.fixtures.state(model)
    after = student.fixtures.train(model, student.fixtures.sgd(model))
    for name, was in before.items():
        moved, frozen = not torch.equal(after[name], was), name.startswith(("stem", "layer1."))
        assert moved or frozen, f"{name} did not move in training, but should train."
        assert not (moved and frozen), f"{name} moved in training, but was frozen before."


# --- make_optimizer


@pytest.mark.points(2)
def test_optimizer_steps(student):
    """The optimizer takes plain SGD steps of the given size"""
    model = student.fixtures.small_cnn()
    before = student.fixtures.state(model)
    # Ten large steps, along the gradients of a real loss.
    got = student.fixtures.train(model, student.make_optimizer(model, 0.3), steps=10)
    other = fixtures.small_cnn()
    expected = fixtures.train(other, torch.optim.SGD(other.parameters(), lr=0.3), steps=10)
    assert_trained_like(got, before, expected)
    for build, lr in (("small_cnn", 0.0), ("tied_net", 4.0)):  # of tied_net two layers share one weight
        model, other = getattr(student.fixtures, build)(), getattr(fixtures, build)()
        gradients = [100.0, 0.0, 0.0]
        got = student.fixtures.step_along(model, student.make_optimizer(model, lr), gradients)
        expected = fixtures.step_along(other, torch.optim.SGD(other.parameters(), lr=lr), gradients)
        assert_matches(got[0], expected[0], rtol=1e-6, what="after one step,")
        for name, value in got[0].items():
            # Even a weight decay of 1e-6 would show.
            assert torch.equal(got[2][name], value), (
                f"{name} moved on where its gradient is zero: plain SGD has neither momentum nor weight decay."
            )


@pytest.mark.points(2)
def test_optimizer_holds_nothing_frozen(student):
    """What was frozen stays out of the optimizer, and the model stays as it is"""
    frozen = ["stem", "layer1", "layer10.0.bias"]
    expected = trained(fixtures.small_cnn, frozen)
    for thawed in (True, False):
        model = student.fixtures.small_cnn()
        student.fixtures.set_trainable(model, frozen, trainable=False)
        before = student.fixtures.state(model)
        optimizer = student.make_optimizer(model, 0.1)
        if thawed:
            student.fixtures.set_trainable(model, frozen, trainable=True)
        got = student.fixtures.train(model, optimizer if thawed else student.fixtures.sgd(model))
        # How far they moved is for the check on plain steps: momentum or Adam costs nothing here.
        assert_moved_like(got, before, expected)
    model = student.fixtures.used_cnn()
    before = student.fixtures.surroundings(model)
    student.make_optimizer(model, 0.1)
    assert_left_alone(student, model, before)


# --- freeze_batchnorm

FROZEN = ["stem", "body", "norm", "classifier.1"]
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def statistics(state):
    """Return the running statistics of all BatchNorm layers in a state."""
    return {name: value for name, value in state.items() if name.endswith(STATISTICS)}


@pytest.mark.points(2)
def test_frozen_statistics_stay(student):
    """Running statistics of frozen layers stay through training"""
    model = student.fixtures.norm_cnn()
    student.fixtures.set_trainable(model, FROZEN, trainable=False)
    before = student.fixtures.state(model)
    for _ in range(2):  # two epochs, each of which begins with train()
        model.train()
        student.freeze_batchnorm(model)
        after = student.fixtures.train(model, student.fixtures.sgd(model))
    for name, was in statistics(before).items():
        assert torch.equal(after[name], was), f"{name} moved, although the layer's parameters are frozen."


@pytest.mark.points(2)
@pytest.mark.requires("test_frozen_statistics_stay")
def test_frozen_layer_normalises(student):
    """A frozen BatchNorm normalizes with its running statistics"""
    model, other = student.fixtures.norm_cnn(), fixtures.norm_cnn()
    student.fixtures.set_trainable(model, FROZEN, trainable=False)
    student.freeze_batchnorm(model)
    got = student.fixtures.train(model, student.fixtures.sgd(model))
    fixtures.set_trainable(other, FROZEN, trainable=False)
    for layer in (other.stem.norm, other.body.inner.norm, other.norm, other.classifier[1]):
        layer.eval()
    expected = fixtures.train(other, fixtures.sgd(other))
    assert_matches(got, expected, rtol=1e-4, atol=1e-5, what="the state after training")
    # All layers back in training mode: they learn statistics as before.
    model.train()
    got, expected = (
        each.train(network, each.sgd(network))
        for each, network in ((student.fixtures, model), (fixtures, other.train()))
    )
    assert_matches(
        statistics(got), statistics(expected), rtol=1e-4, atol=1e-5, what="after a later model.train(),"
    )


@pytest.mark.points(1)
@pytest.mark.requires("test_frozen_statistics_stay")
def test_trainable_statistics_move(student):
    """BatchNorm layers that train go on learning statistics"""
    model = student.fixtures.norm_cnn()
    half_frozen = ["body.inner.norm.weight", "norm.bias"]
    student.fixtures.set_trainable(model, ["stem", *half_frozen], trainable=False)
    before = student.fixtures.state(model)
    student.freeze_batchnorm(model)
    after = student.fixtures.train(model, student.fixtures.sgd(model))
    for layer in ("body.inner.norm", "norm", "classifier.1"):
        name = f"{layer}.running_mean"
        assert not torch.equal(after[name], before[name]), (
            f"{name} stands still, but {layer} has parameters to train."
        )


@pytest.mark.points(2)
def test_other_layers_train(student):
    """All other layers stay in the mode they are in, and nothing but modes changes"""
    model = student.fixtures.used_cnn()  # stem.act and body.inner.norm rest
    student.fixtures.set_trainable(model, ["stem", "norm", "classifier"], trainable=False)
    before = student.fixtures.surroundings(model)
    student.freeze_batchnorm(model)
    assert_resting(student, model, ["body.inner.norm", "classifier.1", "norm", "stem.act", "stem.norm"])
    assert_left_alone(student, model, before, but=["`training` of"])
    model = student.fixtures.norm_cnn()
    student.fixtures.set_trainable(model, ["norm"], trainable=False)
    student.freeze_batchnorm(student.fixtures.child(model, "norm"))  # the model itself is a BatchNorm layer
    assert_resting(student, model, ["norm"])
    model = student.fixtures.norms()
    frozen = [f"block.{name}" for name in ("volume", "row", "instance", "group", "layer")]
    student.fixtures.set_trainable(model, frozen, trainable=False)
    student.fixtures.child(model, "block.resting").eval()  # its parameters are trainable
    student.freeze_batchnorm(model)
    assert_resting(student, model, ["block.plain", "block.resting", "block.row", "block.volume"])


def assert_resting(student, model, expected):
    """Raise unless exactly these modules are in evaluation mode."""
    modes = student.fixtures.modes(model)
    resting = sorted(name for name, training in modes.items() if not training)
    assert_matches(resting, expected, what="the layers in evaluation mode")
