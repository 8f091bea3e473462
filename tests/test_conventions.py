"""Content: a way that differs from torch's costs the checks that are about it, and none of the points of what is right."""

import pytest

from grader import catalog
from grader.dispatch import Dispatcher
from grader.jobs import Graded, Job
from grader.model import Outcome

# What the reference is changed to, and every check that it may cost.
CONVENTIONS = [
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
    ("exercise_id", "old", "new", "cost"),
    [(exercise, *rest) for exercise, _, *rest in CONVENTIONS],
    ids=[f"{exercise}, {way}" for exercise, way, *_ in CONVENTIONS],
)
def test_a_convention_costs_its_own_check_alone(
    dispatcher: Dispatcher, exercise_id: str, old: str, new: str, cost: set[str]
) -> None:
    exercise = catalog.load(catalog.find_root()).exercise(exercise_id)
    reference = (exercise.folder / "reference.py").read_text(encoding="utf-8")
    assert old in reference
    sources = {f"{exercise_id}.py": reference.replace(old, new)}
    job = Job(exercise=exercise, module=exercise_id, sources=sources, seed=0, explain=False)
    (graded,) = dispatcher.grade([job])
    assert isinstance(graded, Graded), graded
    lost = {check.id for check in graded.result.checks if check.outcome is not Outcome.PASSED}
    assert lost == cost
