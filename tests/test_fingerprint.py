"""Fingerprints: everything that could change a result changes its key."""

import shutil
from pathlib import Path

import pytest

from grader.course import catalog, fingerprint

ROOT = Path(__file__).parents[1]


@pytest.fixture
def course(tmp_path) -> Path:
    """A copy of the course."""
    for name in ("exercises", "solutions"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def prints(course: Path) -> dict[str, str]:
    return {one.id: fingerprint.exercise(one) for one in catalog.load(course).exercises}


def changed_by(course: Path, name: str) -> set[str]:
    """Return the exercises of which results may differ once a file has one byte more."""
    before = prints(course)
    with (course / name).open("ab") as file:
        file.write(b"\n")
    after = prints(course)
    return {exercise for exercise in after if after[exercise] != before[exercise]}


@pytest.mark.parametrize(
    ("name", "exercises"),
    [
        ("solutions/relu/test_relu.py", {"relu"}),
        ("solutions/relu/mistakes.py", {"relu"}),
        ("solutions/training/fixtures.py", {"training"}),
        ("solutions/relu/exercise.yaml", set()),
    ],
)
def test_a_change_regrades_just_its_exercise(course, name, exercises):
    assert changed_by(course, name) == exercises


def test_a_reference_that_another_suite_reads_is_part_of_its_results(course):
    """`training` trains the student's LeNet and measures it in the reference's."""
    assert {"lenet", "training"} <= changed_by(course, "solutions/lenet/reference.py")


def test_the_data_of_a_course_is_part_of_all_results(course):
    assert changed_by(course, "exercises/data/digits.npz") == set(prints(course))


def test_the_same_course_elsewhere_has_the_same_prints(course, tmp_path):
    before = prints(course)
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("exercises", "solutions"):
        (course / name).rename(moved / name)
    assert prints(moved) == before


@pytest.mark.parametrize("library", ["hypothesis", "numpy", "pytest", "torch"])
def test_another_version_of_a_library_is_another_engine(monkeypatch, library):
    before, version = fingerprint.engine_now(), fingerprint.version
    monkeypatch.setattr(fingerprint, "version", lambda name: "0" if name == library else version(name))
    assert fingerprint.engine_now() != before
