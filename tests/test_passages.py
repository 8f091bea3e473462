"""The places in the text of the course that explain the checks: in exercise.yaml, in results, in reports, in `grade check`."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from grader import authoring
from grader.core.errors import DocumentError
from grader.core.model import (
    CheckResult,
    ExerciseResult,
    Isolation,
    Outcome,
    Passage,
    Report,
    Reveal,
    Seen,
    Versions,
)
from grader.course import catalog, visibility
from grader.grading.messages import Graded, Job
from grader.report import Style, check_text, exercise_text, from_json, shown_exercise, to_html, to_json
from grader.report.json_report import to_document

ROOT = Path(__file__).parents[1]
COURSE = Path(__file__).parent / "course"
HERE = Passage(page="4. Pooling", heading="Where the <gradient> goes")

PASSAGES = """
passages:
  - page: "1. Scaling"
    heading: "By hand"
  - page: "1. Scaling"
    heading: "What a *scale* is"
    checks: [{check}]
"""
PAGE = """\
# 1. *Scaling*

```python
# 9. No title
## No heading
```

## By hand

## What a `scale` is
"""


@pytest.mark.parametrize("exercise", catalog.load(ROOT).exercises, ids=lambda exercise: exercise.id)
def test_every_check_of_the_course_has_a_place(exercise):
    checks = [test.id for test in visibility.read(exercise.suite)]
    assert len(checks) >= 8
    for check in checks:
        assert exercise.passage(check) is not None, check
    own = {check for check, _ in exercise.passages}
    assert set(checks) - own, "no check needs the default"
    assert len({passage for _, passage in exercise.passages}) >= 3


def test_the_places_of_the_course_exist():
    assert authoring.check_passages(catalog.load(ROOT)) == []


# --- a course with a text


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "course"
    shutil.copytree(COURSE, root)
    (root / "docs" / "notes").mkdir(parents=True)
    (root / "docs" / "notes" / "scaling.md").write_text(PAGE, encoding="utf-8")
    return root


def add(root: Path, text: str) -> None:
    path = root / "solutions" / "scaling" / "exercise.yaml"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def messages(root: Path) -> list[str]:
    return [problem.message for problem in authoring.check_passages(catalog.load(root))]


def a_check(root: Path) -> str:
    return visibility.read(root / "solutions" / "scaling" / "test_scaling.py")[0].id


def test_a_place_may_be_for_one_check_or_for_all_others(root):
    name = a_check(root)
    add(root, PASSAGES.format(check=name).replace("*", ""))
    (exercise,) = catalog.load(root).exercises
    assert exercise.passage(name) == Passage(page="1. Scaling", heading="What a scale is")
    assert exercise.passage("test_of_any_other_name") == Passage(page="1. Scaling", heading="By hand")
    assert messages(root) == []


def test_without_places_there_is_none(root):
    (exercise,) = catalog.load(root).exercises
    assert exercise.passage(a_check(root)) is None
    assert messages(root) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('page: "1. Scaling"', 'page: "1. Scalings"', "docs/notes has no page '1. Scalings'; did you mean \"1. Scaling\"?"),
        ('page: "1. Scaling"', 'page: "9. No title"', "docs/notes has no page '9. No title'"),
        ('"By hand"', '"By hands"', "1. Scaling has no heading 'By hands'; did you mean \"By hand\"?"),
        ('"By hand"', '"No heading"', "1. Scaling has no heading 'No heading'"),
        ('"By hand"', '"1. Scaling"', "1. Scaling has no heading '1. Scaling'"),
        ("checks: [", "checks: [test_xyzw_q, ", "the suite has no check 'test_xyzw_q'"),
    ],
)  # fmt: skip
def test_a_place_that_does_not_exist_is_a_problem_at_its_line(root, old, new, message):
    text = PASSAGES.format(check=a_check(root)).replace("*", "").replace(old, new, 1)
    add(root, text)
    (problem,) = authoring.check_passages(catalog.load(root))
    assert problem.message == message
    lines = (root / problem.path).read_text(encoding="utf-8").splitlines()
    assert new.removeprefix("checks: [").rstrip(", ") in lines[problem.line - 1]
    assert problem.path == "solutions/scaling/exercise.yaml"


def test_a_course_without_a_text_may_name_places_of_another(root):
    shutil.rmtree(root / "docs")
    add(root, PASSAGES.format(check=a_check(root)))
    assert messages(root) == []


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ('  - {page: "a", heading: "b"}\n', "a place for all other checks is given a second time"),
        ('  - {page: "a", heading: "b", checks: [CHECK]}\n', "CHECK is given a second time"),
        ('  - {page: "a", heading: "b", checks: [test_x, test_x]}\n', "test_x is given a second time"),
    ],
)
def test_what_is_given_twice_is_a_problem_of_the_file(root, entry, word):
    name = a_check(root)
    add(root, PASSAGES.format(check=name) + entry.replace("CHECK", name))
    with pytest.raises(DocumentError, match=word.replace("CHECK", name)):
        catalog.load(root)


# --- results and reports


def test_what_fails_names_its_place_and_what_passes_names_none(dispatcher):
    exercise = catalog.load(ROOT).exercise("relu")
    source = (exercise.folder / "reference.py").read_text(encoding="utf-8")
    source += "\n\ndef leaky_relu(x, negative_slope=0.01):\n    return x\n"
    (graded,) = dispatcher.grade([Job(exercise=exercise, module="relu", sources={"relu.py": source}, seed=0)])
    assert isinstance(graded, Graded)
    found = {check.outcome for check in graded.result.checks}
    assert {Outcome.PASSED, Outcome.FAILED} <= found
    for check in graded.result.checks:
        wanted = None if check.outcome in (Outcome.PASSED, Outcome.SKIPPED) else exercise.passage(check.id)
        assert check.passage == wanted
    text = " ".join(exercise_text(graded.result, Style()).split())
    assert 'Read "The family" in 5. Activation.' in text


def one(passage: Passage | None = HERE) -> ExerciseResult:
    check = CheckResult(
        id="test_first", title="First", outcome=Outcome.FAILED, points=0.0, max_points=1.0, rationale="Why.", passage=passage
    )  # fmt: skip
    return ExerciseResult(
        id="pooling", title="Pooling", outcome=Outcome.FAILED, points=0.0, max_points=1.0, checks=(check,)
    )


def a_report(result: ExerciseResult) -> Report:
    return Report(
        points=0.0, max_points=1.0, score=0.0, isolation=Isolation(level=3), seed=0,
        versions=Versions(grader="0", torch="0", python="0"), exercises=(result,),
    )  # fmt: skip


def test_every_report_of_a_check_in_full_names_the_place():
    wanted = 'Read "Where the <gradient> goes" in 4. Pooling.'
    assert wanted in " ".join(exercise_text(one(), Style()).split())
    assert wanted in " ".join(check_text(one(), "test_first", Style()).split())
    page = to_html(a_report(one()))
    assert "Where the &lt;gradient&gt; goes" in page
    assert "<gradient>" not in page


def test_a_check_that_keeps_its_details_names_no_place():
    shown = shown_exercise(one(), Seen(default=Reveal.TITLE))
    assert shown.checks[0].passage is None
    assert "Read" not in exercise_text(shown, Style())


def test_the_report_as_json_keeps_the_place_and_an_older_one_lacks_it():
    report = a_report(one())
    assert from_json(to_json(report)) == report
    document = to_document(report)
    (check,) = document["exercises"][0]["checks"]
    assert check["passage"] == {"page": "4. Pooling", "heading": "Where the <gradient> goes"}
    del check["passage"]
    assert from_json(json.dumps(document)) == replace(report, exercises=(one(None),))
