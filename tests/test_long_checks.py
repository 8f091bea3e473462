"""Checks marked `long`: they are graded like any other, and not replayed on the known mistakes."""

from dataclasses import replace

import pytest

from grader.core.model import Exercise, Outcome
from grader.grading.messages import Graded, Job

SUITE = '''
import pytest
import torch
from grader.suite import assert_matches

@pytest.mark.points(1)
def test_values(student):
    """The values"""
    assert_matches(student.double(torch.full((2,), 3.0)), torch.full((2,), 6.0))

@pytest.mark.points(1)
@pytest.mark.long
def test_training(student):
    """A training"""
    assert_matches(student.double(torch.full((2,), 5.0)), torch.full((2,), 10.0))

@pytest.mark.points(1)
def test_other(student):
    """Another function"""
    assert_matches(student.total(torch.ones(2)), 2.0)
'''
TOTAL = "\ndef total(x, start=0.0):\n    return float(x.sum()) + start\n"
MISTAKES = '''
from grader.mistakes import mistake

@mistake("double")
def squared(x):
    """It is squared."""
    return x * x

@mistake("double")
def kept(x):
    """It is returned as it came."""
    return x
'''


@pytest.fixture
def exercise(copied_exercise) -> Exercise:
    (copied_exercise.folder / "test_scaling.py").write_text(SUITE, encoding="utf-8")
    (copied_exercise.folder / "mistakes.py").write_text(MISTAKES, encoding="utf-8")
    return replace(copied_exercise, points=3)


def graded(dispatcher, exercise: Exercise, source: str) -> Graded:
    job = Job(exercise=exercise, module="scaling", sources={"scaling.py": source}, seed=0)
    (found,) = dispatcher.grade([job])
    assert isinstance(found, Graded), found
    return found


def test_a_long_check_is_graded_and_its_calls_are_no_evidence(dispatcher, exercise):
    """Doubled for small numbers only: the long check alone fails, on a value that `kept` gives too."""
    source = f"def double(x):\n    return x if x.max() > 4 else 2 * x\n{TOTAL}"
    found = graded(dispatcher, exercise, source)
    assert [c.outcome for c in found.result.checks] == [Outcome.PASSED, Outcome.FAILED, Outcome.PASSED]
    assert found.result.checks[1].diagnosis is None


def test_a_long_check_has_the_diagnosis_of_the_shorter_ones(dispatcher, exercise):
    found = graded(dispatcher, exercise, f"def double(x):\n    return x\n{TOTAL}")
    said = [check.diagnosis and check.diagnosis.mistake for check in found.result.checks]
    assert said == ["kept", "kept", None]
