"""The catalog: a course on disk is read into records, or all its problems are reported at once."""

import shutil
from pathlib import Path

import pytest

from grader.core.errors import DocumentError, UsageError
from grader.core.model import section_order
from grader.course import catalog

COURSE = Path(__file__).parent / "course"


def test_an_exercise_is_read_with_its_limits_and_defaults(course):
    exercise = course.exercise("scaling")
    assert exercise.names == ("double", "total", "Scale")
    assert (exercise.limits.call_limit_s, exercise.limits.check_limit_s) == (1.5, 20.0)
    assert exercise.stub == COURSE / "exercises" / "scaling.py"
    assert course.exercise("nothing") is None


def test_sections_are_ordered_as_numbers():
    assert sorted(["10", "9", "7.2", "7.1", "2-3"], key=section_order) == ["2-3", "7.1", "7.2", "9", "10"]


def test_the_problems_of_all_exercises_are_reported_at_once(tmp_path):
    for name in ("one", "two"):
        shutil.copytree(COURSE / "solutions" / "scaling", tmp_path / "solutions" / name)
        path = tmp_path / "solutions" / name / "exercise.yaml"
        text = path.read_text(encoding="utf-8").replace("points: 13", "points: many")
        path.write_text(text.replace("call_limit_s", "call_limit"), encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        catalog.load(tmp_path)
    assert [str(problem) for problem in caught.value.problems] == [
        f"solutions/{name}/exercise.yaml:{place}"
        for name in ("one", "two")
        for place in (
            "3:9: \"points\" must be a number, not 'many'",
            '8:10: the key "call_limit" is not known here; did you mean "call_limit_s"?',
        )
    ]


def test_a_course_named_by_the_environment_must_be_one(tmp_path, monkeypatch):
    monkeypatch.setenv(catalog.COURSE_VARIABLE, str(tmp_path))
    with pytest.raises(UsageError, match="holds no solutions/"):
        catalog.find_root()


def test_without_it_the_course_of_the_checkout_is_found(monkeypatch):
    monkeypatch.delenv(catalog.COURSE_VARIABLE, raising=False)
    assert len(catalog.load(catalog.find_root()).exercises) >= 6


# --- limits: the smallest and the largest that is accepted, and one beyond


@pytest.mark.parametrize(
    ("old", "good", "bad"),
    [
        ("points: 13", "points: 0.25", "points: 0"),
        ("call_limit_s: 1.5", "call_limit_s: 0.1", "call_limit_s: 0"),
        ("memory_limit_mib: 256", "memory_limit_mib: 1", "memory_limit_mib: 0"),
        ("output_limit_kib: 256", "output_limit_kib: 1", "output_limit_kib: 0"),
        ("title: Scaling", f"title: {'t' * 600}", f"title: {'t' * 601}"),
        ("title: Scaling", "title: t", "title: ''"),
    ],
)
def test_a_value_of_an_exercise_has_limits(tmp_path, old, good, bad):
    folder = tmp_path / "solutions" / "scaling"
    shutil.copytree(COURSE / "solutions" / "scaling", folder)
    path = folder / "exercise.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, good), encoding="utf-8")
    assert len(catalog.load(tmp_path).exercises) == 1
    path.write_text(text.replace(old, bad), encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        catalog.load(tmp_path)
    assert len(caught.value.problems) == 1
