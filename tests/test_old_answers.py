"""Answers files of the version before (0.1.0 at fe7e707) are marked as they were: see tests/old_files/answers.json.

That file holds for each quiz three answers files as that version wrote them, and the points of every item.
"""

import json
from pathlib import Path

import pytest

from grader import quiz

ROOT = Path(__file__).parent.parent
RECORDED = json.loads((ROOT / "tests" / "old_files" / "answers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("old", RECORDED, ids=lambda old: f"{old['quiz']}-{old['seed']}")
def test_an_old_answers_file_earns_what_it_earned(old):
    bank = quiz.load_bank(ROOT / "quizzes" / f"{old['quiz']}.yaml")
    result = quiz.grade(bank, old["text"], shown="answers.yaml")
    assert result.problems == ()
    assert {item.id: item.points for item in result.items} == old["points"]
    assert result.max_points == old["max_points"]


def test_every_quiz_has_old_answers_right_and_wrong():
    assert {old["quiz"] for old in RECORDED} == {path.stem for path in (ROOT / "quizzes").glob("*.yaml")}
    points = [points for old in RECORDED for points in old["points"].values()]
    assert points.count(0) > 50
    assert sum(point > 0 for point in points) > 150
