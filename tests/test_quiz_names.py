"""An item has one number and one name: in the terminal, on the page to answer in, in every report."""

import html
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_quiz import BANK, load
from test_report import RICH

from grader import quiz
from grader.cli import grade as command
from grader.core.model import QuizResult, Report
from grader.quiz.answers import Responses
from grader.quiz.bank import Bank
from grader.quiz.draw import DRAW, FIRST_DRAW
from grader.quiz.page import to_html as to_page
from grader.quiz.sheet import filled
from grader.report import Style, from_json, quizzes_text, to_gradescope, to_html, to_json, to_markdown

ROOT = Path(__file__).parents[1]
BANKS = quiz.load_banks(ROOT / "quizzes")
WRONG = {"one": "a", "some": "b", "how-many": 13, "what-shape": "(3, 2)"}
WITHDRAWN = {
    "none": (),
    "first": ("one",),
    "second": ("some",),
    "last": ("what-shape",),
    "two": ("one", "how-many"),
}
_NAME = r"[1-9]\d* [a-z0-9-]+"


def withdrawn(folder: Path, *items: str, how: str = "drop") -> Bank:
    """Return the bank of four items, some of them withdrawn."""
    text = BANK
    for item in items:
        text = text.replace(f"  - id: {item}\n", f"  - id: {item}\n    void: {how}\n")
    return load(folder, text)


def names_on_page(bank: Bank, responses: Responses) -> list[str]:
    return re.findall(rf"<h2>({_NAME})<small>", to_page(bank, responses))


def names_in_terminal(folder: Path, bank: Bank, responses: Responses) -> list[str]:
    """Return the names that `grade quiz` shows, from the first item to the last, where Enter skips each."""
    answers = folder / "answers" / f"{bank.id}.yaml"
    answers.parent.mkdir(exist_ok=True)
    sheet = filled(bank, responses.given, seed=responses.seed, draw=responses.draw)
    answers.write_text(sheet, encoding="utf-8")
    done = CliRunner().invoke(command, ["quiz", bank.id], input="#1\n" + "\n" * 30)
    assert done.exit_code == 0, done.output
    return list(dict.fromkeys(re.findall(rf"^({_NAME}) \(of ", done.output, re.MULTILINE)))


def report_on(bank: Bank, given: Mapping[str, object], *, seed: int = 0, draw: int = DRAW) -> Report:
    result = quiz.grade(bank, filled(bank, given, seed=seed, draw=draw), shown="first.yaml")
    assert result.problems == ()
    return replace(RICH, exercises=(), quizzes=(result,), points=result.points, max_points=result.max_points)


def names_in_json(report: Report) -> list[str]:
    (found,) = json.loads(to_json(report))["quizzes"]
    return [f"{item['number']} {item['id']}" for item in found["items"]]


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder to answer the quizzes of this course in."""
    monkeypatch.setenv("CONVGRADER_COURSE", str(ROOT))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("draw", [FIRST_DRAW, DRAW])
@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.id)
def test_every_quiz_of_the_course_has_the_same_names_everywhere(course, bank, draw):
    asked = [item for item in bank.sheet(7, draw) if item.void is None]
    expected = [f"{item.number} {item.id}" for item in asked]
    first = {asked[0].id: asked[0].key_response()}
    report = report_on(bank, first, seed=7, draw=draw)
    assert [name for name in names_in_json(report) if name in expected] == expected
    responses = Responses(seed=7, draw=draw, given=first)
    assert names_on_page(bank, responses) == expected
    shown = names_in_terminal(course, bank, responses)
    assert sorted(shown, key=expected.index) == expected
    open_ones = f"{len(expected) - 1} not answered yet: {', '.join(expected[1:])}."
    for text in (quizzes_text(report.quizzes, Style(width=2000)), html.unescape(to_html(report))):
        assert open_ones in text


@pytest.mark.parametrize("how", ["drop", "full"])
@pytest.mark.parametrize("items", WITHDRAWN.values(), ids=WITHDRAWN)
def test_withdrawing_an_item_changes_the_number_of_no_other(tmp_path, items, how):
    bank = withdrawn(tmp_path, *items, how=how)
    expected = [f"{n} {item}" for n, item in enumerate(WRONG, start=1) if item not in items]
    assert names_on_page(bank, Responses()) == expected
    report = report_on(bank, WRONG)
    assert names_in_json(report) == [f"{n} {item}" for n, item in enumerate(WRONG, start=1)]
    lines = quizzes_text(report.quizzes, Style()).splitlines()
    assert [found[1] for line in lines if (found := re.match(rf"  ✗ ({_NAME}) ", line))] == expected
    assert re.findall(rf"<h4>({_NAME})</h4>", to_html(report)) == expected
    for name in expected:
        assert name in html.unescape(to_markdown(report))
        assert name in to_gradescope(report)


def test_a_number_that_was_withdrawn_is_not_gone_to(tmp_path, monkeypatch):
    root = tmp_path / "course"
    (root / "solutions").mkdir(parents=True)
    (root / "quizzes").mkdir()
    withdrawn(root / "quizzes", "some")
    monkeypatch.setenv("CONVGRADER_COURSE", str(root))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, ["quiz", "first"], input="#2\n#4\nq\n")
    assert "The items are numbered 1 to 4; those that are missing were withdrawn." in done.output
    assert "4 what-shape (of 4, 1 point)" in done.output
    assert "3 of 3 not answered: 1 one, 3 how-many, 4 what-shape." in done.output


def test_a_report_from_before_items_had_numbers_is_read_and_names_them_by_id(tmp_path):
    report = report_on(load(tmp_path, BANK), WRONG)
    text = re.sub(r',\s*"number": \d+', "", to_json(report))
    assert '"number"' not in text
    old = from_json(text)
    assert {item.number for part in old.quizzes for item in part.items} == {0}
    assert "  ✗ how-many  " in quizzes_text(old.quizzes, Style())
    assert "<h4>how-many</h4>" in to_html(old)


@pytest.mark.parametrize("number", ["-1", "1e9", "1000000001", "true", '"1"'])
def test_a_number_that_no_item_has_is_refused(tmp_path, number):
    text = to_json(report_on(load(tmp_path, BANK), WRONG)).replace('"number": 3', f'"number": {number}', 1)
    with pytest.raises(ValueError, match="does not follow"):
        from_json(text)


def test_the_numbers_of_a_result_are_those_of_its_sheet(tmp_path):
    bank = load(tmp_path, BANK)
    results: list[QuizResult] = [
        quiz.grade(bank, None),
        quiz.grade(bank, filled(bank, {}, seed=3), shown="x"),
    ]
    for result in results:
        assert [item.number for item in result.items] == [1, 2, 3, 4]
