"""A quiz as a page: it holds no key, and what a browser downloads from it is what `grade` reads."""

import json
import re
from pathlib import Path

import pytest
from browsing import download, emulate
from click.testing import CliRunner

from grader import quiz
from grader.cli import grade as command
from grader.quiz.answers import Responses, read_answers
from grader.quiz.page import to_html
from grader.quiz.sheet import filled
from grader.quiz.types import ClozeItem, MatchItem, OrderItem

BANKS = quiz.load_banks(Path(__file__).parents[1] / "quizzes")
TYPED = "\" ' : # --- !!python/object:x {a: b} [c \\ \u2028 \u0085 \ufeff \N{GRINNING FACE} <b>"


def private(item) -> set[str]:
    """Every text of an item that only grading may show."""
    found = {item.explanation, item.objective}
    for part in (item, *getattr(item, "options", {}).values(), *getattr(item, "reasons", {}).values()):
        found |= {getattr(part, "feedback", ""), getattr(part, "misconception", None) or ""}
    for part in (item, *getattr(item, "blanks", {}).values()):
        found |= {wrong.feedback for wrong in getattr(part, "expected_wrong", [])}
    for row in getattr(item, "rows", {}).values():
        found |= {wrong.feedback for wrong in row.expected_wrong.values()}
    return {text for text in found if len(text) > 12}


@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.id)
def test_no_feedback_is_in_the_page(bank):
    page = to_html(bank, Responses(seed=7))
    items = bank.sheet(7)
    assert sum(len(private(item)) for item in items) > 30
    assert [
        text for item in items for text in private(item) if text in page or json.dumps(text) in page
    ] == []


@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.id)
def test_the_page_is_the_same_whatever_the_key_is(bank, monkeypatch):
    """A page that held a key in any form would change with it."""
    items = bank.sheet(7)
    page = to_html(bank, Responses(seed=7))
    changed = []
    for item in items:
        update: dict[str, object] = {"explanation": "other"}
        for name in ("options", "reasons"):
            if options := getattr(item, name, None):
                update[name] = {
                    letter: option.model_copy(update={"correct": not option.correct})
                    for letter, option in options.items()
                }
        if isinstance(item, MatchItem):
            update["rows"] = {name: row.model_copy(update={"key": "z"}) for name, row in item.rows.items()}
        if isinstance(item, OrderItem):
            update["key"] = list(reversed(item.key))
        if isinstance(getattr(item, "key", None), (int, float, str)):
            update["key"] = "another" if isinstance(item.key, str) else 123456789
        if hasattr(item, "accept"):
            update["accept"] = ["another"]
        if isinstance(item, ClozeItem):
            update["blanks"] = {
                name: blank.model_copy(update={"accept": ["x"], "key": [3, 3]})
                for name, blank in item.blanks.items()
            }
        changed.append(item.model_copy(update=update))
    monkeypatch.setattr(quiz.Bank, "sheet", lambda _self, _seed=0, _draw=2: changed)
    assert to_html(bank, Responses(seed=7)) == page


@pytest.fixture
def answer(browser, tmp_path):
    """Open the page of a bank in a browser; return what a click on the button downloads."""

    def run(bank, responses: Responses, script: str = "") -> str:
        page = tmp_path / f"{bank.id}.html"
        page.write_text(to_html(bank, responses), encoding="utf-8")
        browser.get_log("browser")
        browser.get(page.as_uri())
        if script:
            browser.execute_script(script)
        path = tmp_path / "downloads" / f"{bank.id}.yaml"
        text = download(browser, path, browser.find_element("id", "download").click)
        assert browser.get_log("browser") == []
        return text

    return run


def keys(bank, seed: int) -> dict[str, object]:
    return {item.id: item.key_response() for item in bank.sheet(seed)}


@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.id)
def test_an_unchanged_page_gives_the_very_file_it_was_made_from(answer, bank):
    given = keys(bank, 7)
    assert answer(bank, Responses(seed=7, given=given)) == filled(bank, given, seed=7)


@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.id)
def test_what_is_filled_in_anew_earns_everything(answer, bank):
    """The controls hold the key, the page takes it for typed: every response is put together by the script."""
    again = "for (const item of quiz.items) item.parts = {}; changed();"
    text = answer(bank, Responses(seed=8, given=keys(bank, 8)), again)
    graded = quiz.grade(bank, text)
    assert graded.problems == ()
    assert graded.points == graded.max_points


def test_hostile_text_comes_through(answer):
    bank = next(bank for bank in BANKS if bank.id == "pooling")
    item = next(item for item in bank.items if item.type == "text" and not item.choices)
    script = f"fieldsets.get('{item.id}').querySelector('[data-part]').value = {json.dumps(TYPED)};"
    text = answer(bank, Responses(seed=9), script)
    read = read_answers(bank, text, shown="x")
    assert read.problems == ()
    assert read.given[item.id] == TYPED


def test_what_was_chosen_is_there_again_and_hints_are_recorded(answer, browser):
    bank = next(bank for bank in BANKS if bank.id == "pooling")
    hinted = next(item for item in bank.items if item.hints)
    first = (
        "const set = document.querySelector('fieldset[data-kind=one]'); set.querySelector('input').click();"
    )
    opens = f"{first} fieldsets.get('{hinted.id}').querySelector('button:not([hidden])').click();"
    text = answer(bank, Responses(seed=10), opens)
    read = read_answers(bank, text, shown="x")
    assert read.hints == {hinted.id: 1}
    assert list(read.given.values()) == ["a"]
    assert answer(bank, Responses(seed=10)) == text  # loaded again, nothing clicked
    assert browser.find_element("id", "state").text.startswith(f"1 of {len(bank.items)} answered")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.id)
def test_no_page_scrolls_sideways(answer, browser, bank, width):
    emulate(browser, width=width)
    answer(bank, Responses(seed=11))
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_the_command_writes_the_page_and_the_sheet_it_belongs_to(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVGRADER_COURSE", str(Path(__file__).parents[1]))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, ["quiz", "pooling", "--html"])
    assert done.exit_code == 0, done.output
    seed = re.search(r"^seed: (\d+)$", Path("answers/pooling.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    page = Path("pooling.html").read_text(encoding="utf-8")
    assert f"convgrader quiz pooling {seed[1]}" in page
    assert "script-src 'sha256-" in page.replace("&#x27;", "'")
    refused = CliRunner().invoke(command, ["quiz", "pooling", "--output", "x.html"])
    assert "--html" in str(refused.exception)
