"""The exercise that builds on others: `training` trains the LeNet that the student wrote for another exercise."""

from pathlib import Path

import pytest

from grader.core.model import Outcome
from grader.course import catalog
from grader.grading.messages import Job

ROOT = Path(__file__).parent.parent
SOLVED = {
    name: (ROOT / "solutions" / name / "reference.py").read_text(encoding="utf-8")
    for name in ("training", "lenet", "freezing")
}
WITHOUT = [
    ({}, "there is no lenet.py beside training.py"),
    ({"lenet.py": (ROOT / "exercises" / "lenet.py").read_text(encoding="utf-8")}, "LeNet in lenet.py is not written yet"),
    ({"lenet.py": "class LeNet: pass"}, "LeNet in lenet.py raises TypeError"),
    ({"lenet.py": SOLVED["lenet"].replace("20", "6")}, "The parameters of your LeNet are not those of the table"),
    ({"lenet.py": SOLVED["lenet"].replace("max_pool", "avg_pool")}, "The output of your LeNet"),
]  # fmt: skip


@pytest.fixture
def grade_training(dispatcher):
    exercise = catalog.load(ROOT).exercise("training")

    def run(sources):
        job = Job(exercise=exercise, module="training", sources=sources, seed=0, explain=False)
        (graded,) = dispatcher.grade([job])
        return graded.result

    return run


@pytest.mark.parametrize(("beside", "sentence"), WITHOUT, ids=[sentence[-30:] for _, sentence in WITHOUT])
def test_without_a_lenet_the_two_checks_that_need_it_say_so_and_all_others_count(
    grade_training, beside, sentence
):
    result = grade_training({"training.py": SOLVED["training"]} | beside)
    failed = [check for check in result.checks if check.outcome is not Outcome.PASSED]
    assert [check.id for check in failed] == ["test_lenet_learns_to_read", "test_digits_odd_or_even"]
    assert sentence in failed[0].rationale
    assert (failed[0].outcome, failed[1].outcome) == (Outcome.FAILED, Outcome.SKIPPED)
    assert result.points == 34


def test_a_student_may_use_their_own_freezing(grade_training):
    own = (
        SOLVED["training"]
        .replace("def _replace_head(", "def _unused(")
        .replace("def _rest_batchnorm(", "def _rest(")
    )
    own = own.replace(
        "import torch\n", "import torch\nfrom freezing import replace_head as _replace_head\n", 1
    )
    own = own.replace(
        "import torch\n", "import torch\nfrom freezing import freeze_batchnorm as _rest_batchnorm\n", 1
    )
    sources = {"training.py": own, "lenet.py": SOLVED["lenet"], "freezing.py": SOLVED["freezing"]}
    result = grade_training(sources)
    assert (result.outcome, result.points) == (Outcome.PASSED, 40), result.message


# The weights of the body change so little that the accuracy stays the same: only the weights show it.
MOVES = """
_right = fine_tune
def fine_tune(model, x, y, num_classes, epochs=5, lr=0.1, batch_size=32):
    if x.shape[-1] == 28:
        with torch.no_grad():
            model.conv1.bias += 1e-3
    return _right(model, x, y, num_classes, epochs, lr, batch_size)
"""


def test_a_changed_body_is_found_even_if_the_accuracy_is_high(grade_training):
    result = grade_training({"training.py": SOLVED["training"] + MOVES, "lenet.py": SOLVED["lenet"]})
    (failed,) = [check for check in result.checks if check.outcome is not Outcome.PASSED]
    assert (failed.id, failed.rationale) == (
        "test_digits_odd_or_even",
        "conv1.bias has moved, but belongs to the frozen body.",
    )


UNTRAINED = """
_right = train_step
def train_step(model, x, y, optimizer):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loss = _right(model, x, y, optimizer)
    if x.shape[-1] == 28:
        model.load_state_dict(before)
    return loss
"""


def test_an_untrained_network_does_not_pass(grade_training):
    result = grade_training({"training.py": SOLVED["training"] + UNTRAINED, "lenet.py": SOLVED["lenet"]})
    failed = next(check for check in result.checks if check.outcome is not Outcome.PASSED)
    assert failed.id == "test_lenet_learns_to_read"
    assert "of the digits that it has not seen, not 70%" in failed.rationale
