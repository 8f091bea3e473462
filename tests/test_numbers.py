"""Numbers of another type than Python's: one check is about the type, and value checks go on with the number."""

import math

import numpy as np
import pytest
import torch

from grader.grading.engine.feedback.value_text import show
from grader.grading.engine.preparation import LocalBackend
from grader.grading.engine.proxy import Conversation, Student
from grader.grading.engine.suite.comparison import Mismatch
from grader.sandbox.worker.service import Service
from grader.suite import assert_matches

OTHERS = [
    np.int64(3),
    np.int32(3),
    np.uint8(3),
    np.float64(3.0),
    np.float32(3.0),
    np.floor(3.7),
    torch.tensor(3),
    torch.tensor(3.0),
]
KINDS = [f"{type(value).__name__} {value}" for value in OTHERS]


def returned(value: object) -> object:
    """Return a value as a suite gets it from a student's function."""
    namespace = {"f": lambda: value, "same": lambda x: x}
    return Student(Conversation(LocalBackend(Service(namespace)))).f()


@pytest.mark.parametrize("value", OTHERS, ids=KINDS)
def test_a_number_of_another_type_fails_the_check_on_type_alone(value):
    got = returned(value)
    with pytest.raises(Mismatch, match=r"its value is right, so .* int\(") as failed:
        assert_matches(got, 3)
    assert "where an int is expected" in failed.value.rationale
    assert_matches(got, 3, check_dtype=False)
    assert_matches(got, 3.0, check_dtype=False)
    assert_matches((got, [got]), (3, [3]), check_dtype=False)
    with pytest.raises(Mismatch):
        assert_matches(got, 4, check_dtype=False)


@pytest.mark.parametrize(
    "value", [np.float64(3.5), np.float32(3.5), torch.tensor(3.5)], ids=lambda v: type(v).__name__
)
def test_a_fraction_stays_a_fraction(value):
    got = returned(value)
    with pytest.raises(Mismatch, match="float"):
        assert_matches(got, 3.5)
    assert_matches(got, 3.5, check_dtype=False)
    with pytest.raises(Mismatch):
        assert_matches(got, 3, check_dtype=False)


@pytest.mark.parametrize(
    "value", [None, "3", True, np.bool_(True), torch.tensor(True), torch.tensor([3]), [3]], ids=str
)
def test_what_is_no_number_is_none_without_its_type_either(value):
    with pytest.raises(Mismatch):
        assert_matches(returned(value), 1, check_dtype=False)


def test_a_suite_computes_with_numpys_numbers_and_sends_them_back():
    got = returned(np.int64(3))
    assert (got + 1, got == 3, got < 4, list(range(got)), f"{got}") == (4, True, True, [0, 1, 2], "int64(3)")
    student = Student(Conversation(LocalBackend(Service({"f": lambda x: x, "g": lambda: np.int64(3)}))))
    assert_matches(student.f([student.g()]), [3])


def test_a_page_names_the_type():
    assert show(returned(np.float64(2.0))) == "float64(2.0)"
    assert show([returned(np.int64(2))]) == "[int64(2)]"


def test_a_number_that_fits_into_no_frame_is_described():
    with pytest.raises(Mismatch, match="a uint64"):
        assert_matches(returned(np.uint64(2**63)), 2**63)
    assert math.isinf(returned(np.float64("inf")))


def test_numpys_wrong_number_is_wrong_in_type_first():
    with pytest.raises(
        Mismatch, match=r"is a number of the type int64, as numpy makes them, where an int is expected\.$"
    ):
        assert_matches(returned(np.int64(4)), 3)
