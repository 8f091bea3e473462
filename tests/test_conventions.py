"""A convention of another library costs its own check, and never the points of what is right."""

from pathlib import Path

import pytest

from grader.authoring.reference_submissions import mistake_modules
from grader.core.model import Outcome
from grader.course import catalog
from grader.course.known_mistakes import read_mistakes
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import Graded, Job

COURSE = catalog.load(Path(__file__).parents[1])

# (exercise, mistake, the checks that may fail). All others must pass, and none may be skipped.
CONVENTIONS = [
    # Numbers as another type.
    ("output_size", "floor-to-float", ["test_output_size_is_a_whole_number"]),
    ("output_size", "half-as-float", ["test_same_padding_keeps_the_size"]),
    ("output_size", "groups-by-true-division", ["test_parameters_of_one_channel"]),
    ("output_size", "work-as-float", ["test_work_of_a_convolution"]),
    # float64, and no graph, out of numpy.
    ("pooling", "numpy-inside", ["test_max_keeps_the_dtype", "test_max_gradient"]),
    ("pooling", "mean-through-numpy", ["test_avg_keeps_the_dtype", "test_avg_gradient"]),
    ("pooling", "detached", ["test_max_gradient"]),
    ("pooling", "always-float32", ["test_avg_keeps_the_dtype"]),
    ("relu", "always-float64", ["test_relu_keeps_shape_and_dtype"]),
    ("relu", "always-float32", ["test_relu_keeps_shape_and_dtype"]),
    ("relu", "through-numpy", ["test_relu_has_a_gradient"]),
    ("relu", "gradient-in-float64", ["test_backward_leaves_its_inputs_alone"]),
    ("relu", "leaky-in-float64", ["test_leaky_relu_leaves_its_input_alone"]),
    ("relu", "elu-in-float64", ["test_elu_alpha"]),
    ("relu", "gelu-in-float64", ["test_gelu_is_exact"]),
    ("batchnorm", "always-float64", ["test_float64"]),
    # Defaults.
    ("pooling", "default-stride-one", ["test_max_stride_left_out"]),
    ("pooling", "stride-required", ["test_max_stride_left_out"]),
    ("pooling", "stride-of-one", ["test_avg_with_any_stride_and_odd_sizes"]),
    ("relu", "another-default", ["test_leaky_relu_default"]),
    ("relu", "default-of-tensorflow", ["test_leaky_relu_default"]),
    ("relu", "default-of-keras", ["test_leaky_relu_default"]),
    # Edges that are defined otherwise elsewhere.
    ("pooling", "zero-padding", ["test_max_padding_never_wins"]),
    ("pooling", "divides-by-count-kept", ["test_avg_padding_counts_as_zeros"]),
    ("relu", "drops-nan", ["test_relu_keeps_nan"]),
    ("relu", "at-zero", ["test_backward_at_zero"]),
    ("relu", "max-trick", ["test_leaky_relu_with_a_steep_slope"]),
    # Approximations.
    ("relu", "tanh-for-erf", ["test_gelu_is_exact"]),
    ("relu", "sigmoid-1702", ["test_gelu_is_exact"]),
    ("relu", "gelu-in-float32", ["test_gelu_is_exact"]),
    # Names, dropout and log-softmax, as other people's LeNets have them.
    ("lenet", "other-names", ["test_layers_have_the_names_of_the_table"]),
    ("lenet", "log-softmax-inside", ["test_logits_are_not_normalised"]),
    ("lenet", "with-dropout", ["test_training_mode_changes_nothing"]),
    # CS231n, Keras, d2l, the Annotated Transformer.
    ("batchnorm", "momentum-reversed", ["test_momentum"]),
    ("batchnorm", "momentum-hard-coded", ["test_momentum"]),
    ("batchnorm", "biased-running", ["test_running_var_is_unbiased"]),
    ("batchnorm", "momentum-reversed-and-biased", ["test_momentum", "test_running_var_is_unbiased"]),
    ("batchnorm", "grad-mode-decides", ["test_mode_decides"]),
    ("batchnorm", "of-the-book", ["test_mode_decides", "test_running_var_is_unbiased"]),
    ("batchnorm", "eps-outside", ["test_eps"]),
    ("batchnorm", "no-counter", ["test_batches_are_counted"]),
    # Functions that work in place and return nothing; optimizers that do more than plain steps.
    ("freezing", "stale-gradient", ["test_frozen_after_a_step"]),
    ("freezing", "gradient-of-zeros", ["test_frozen_after_a_step"]),
    ("freezing", "returns-nothing", ["test_head_scores"]),
    ("freezing", "with-momentum", ["test_optimizer_steps"]),
    ("freezing", "with-weight-decay", ["test_optimizer_steps"]),
    ("freezing", "adam", ["test_optimizer_steps"]),
    ("freezing", "fixed-rate", ["test_optimizer_steps"]),
    ("freezing", "counts-buffers-too", ["test_count_shared"]),
]


def job(exercise_id: str, mistake: str) -> Job:
    """A submission that is the reference, with one known mistake in the place of its name."""
    exercise = COURSE.exercise(exercise_id)
    listed = next(one for one in read_mistakes(exercise.folder / "mistakes.py") if one.id == mistake)
    sources = mistake_modules(exercise, listed)  # a worker cannot import `grader.mistakes`
    return Job(exercise=exercise, module=exercise.id, sources=sources, seed=0, explain=False)


def lost(dispatcher: Dispatcher, todo: Job) -> list[str]:
    """Grade a job; return the checks that did not pass."""
    (graded,) = dispatcher.grade([todo])
    assert isinstance(graded, Graded), graded
    return sorted(check.id for check in graded.result.checks if check.outcome is not Outcome.PASSED)


@pytest.mark.parametrize(
    ("exercise", "mistake", "own"), CONVENTIONS, ids=[f"{e}-{m}" for e, m, _ in CONVENTIONS]
)
def test_a_convention_costs_its_own_checks_only(dispatcher, exercise, mistake, own):
    assert lost(dispatcher, job(exercise, mistake)) == sorted(own)


# What the reference is changed to, and every check that it may cost.
REWRITTEN = [
    ("convolution", "flips the filter", "windows, weight)", "windows, weight.flip(2, 3))", {"test_conv_does_not_flip"}),
    ("convolution", "float64 out", "windows, weight)", "windows, weight).double()", {"test_conv_keeps_the_dtype"}),
    ("convolution", "padding before stride", "stride: int = 1,\n    padding: int = 0,", "padding: int = 0,\n    stride: int = 1,",
     {"test_conv_drops_what_does_not_fit"}),
    ("convolution", "refuses a remainder", "k_h, k_w = weight.shape[2:]", "k_h, k_w = weight.shape[2:]; assert (x.shape[2] + 2 * padding - k_h) % stride == 0",
     {"test_conv_drops_what_does_not_fit"}),
    ("normalization", "n - 1", "correction=0", "correction=1",
     {"test_layer_norm_variance", "test_instance_norm_variance", "test_group_norm_variance"}),
    ("normalization", "eps outside", "torch.sqrt(var + eps)", "(torch.sqrt(var) + eps)",
     {"test_layer_norm_eps", "test_instance_norm_eps", "test_group_norm_eps"}),
    ("normalization", "float64 out", "/ torch.sqrt(var + eps)", "/ torch.sqrt(var + eps).double()",
     {"test_layer_norm_keeps_dtype_and_image", "test_instance_norm_keeps_dtype_and_image", "test_group_norm_keeps_dtype_and_image"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("exercise_id", "old", "new", "own"),
    [(exercise, *rest) for exercise, _, *rest in REWRITTEN],
    ids=[f"{exercise}, {way}" for exercise, way, *_ in REWRITTEN],
)
def test_a_reference_rewritten_by_a_convention_loses_its_own_checks_only(
    dispatcher, exercise_id, old, new, own
):
    exercise = COURSE.exercise(exercise_id)
    reference = (exercise.folder / "reference.py").read_text(encoding="utf-8")
    assert old in reference
    sources = {f"{exercise_id}.py": reference.replace(old, new)}
    assert lost(
        dispatcher, Job(exercise=exercise, module=exercise_id, sources=sources, seed=0, explain=False)
    ) == sorted(own)
