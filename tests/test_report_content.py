"""What a report says is decided once, and the text and the page both say it."""

import html
import re
from dataclasses import replace

import pytest
from test_report import POOLING, QUIZZES, RELU, RICH, check

from grader.core.model import ExerciseResult, ItemResult, Outcome, QuizResult
from grader.report import Help, Style, to_html, to_text
from grader.report.content import Status, exercise_content, quiz_content, status_of

WIDE = Style(width=400)
WAITING = ExerciseResult(
    id="relu",
    title="ReLU",
    outcome=Outcome.SKIPPED,
    points=0,
    max_points=1,
    checks=(
        check("test_a", "It waits", Outcome.SKIPPED, 1, rationale="Waits for a check that you cannot see."),
    ),
)
WITHDRAWN = QuizResult(
    id="pooling",
    title="Pooling",
    points=1,
    max_points=2,
    items=(
        ItemResult(id="right", type="single", prompt="Why?", points=1, max_points=1, answered=True),
        ItemResult(id="gone", type="single", prompt="Why?", points=0, max_points=0, answered=False),
        ItemResult(id="missing", type="single", prompt="Why?", points=0, max_points=1, answered=False),
    ),
)


def words(page: str) -> str:
    """Return the text of a page, its tags taken out."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", page)).split())


def flat(text: str) -> str:
    return " ".join(text.replace("`", "").split())


def test_checks_are_sorted_into_the_first_the_others_the_waiting_and_the_passed():
    content = exercise_content(POOLING)
    assert content.first is not None
    assert content.first.title == "Negative inputs keep their sign"
    assert [c.outcome for c in content.waiting] == [Outcome.SKIPPED]
    assert {c.outcome for c in content.others} == {
        Outcome.FAILED,
        Outcome.TIME_LIMIT,
        Outcome.NOT_ATTEMPTED,
        Outcome.CRASHED,
    }
    assert len(content.passed) == 2
    assert 1 + len(content.others) + len(content.waiting) + len(content.passed) == len(POOLING.checks)


def test_a_mistake_that_the_first_check_named_is_not_named_again():
    content = exercise_content(POOLING)
    assert content.first is not None
    assert content.first.reason == "the same mistake"
    reasons = {c.title: c.reason for c in content.others}
    assert reasons["Padding never wins"] == "the same mistake"
    assert reasons["Windows that stick out are dropped"] == "a known mistake, ceil-for-floor"


def test_what_came_is_not_repeated_where_the_rationale_says_it():
    first = exercise_content(RELU).first
    assert first is not None
    assert first.example is not None
    assert [row.kind for row in first.example.rows] == ["call", "argument", "expected"]


@pytest.mark.parametrize(
    ("points", "opened", "shown"), [(1, ("one",), True), (3, ("one",), False), (1, (), False)], ids=str
)
def test_open_hints_are_shown_until_the_exercise_is_finished(points, opened, shown):
    content = exercise_content(replace(RELU, points=points), Help(opened=opened, count=2))
    assert (content.hints is not None) == shown


def test_a_check_that_waits_gets_no_advice_on_its_input():
    content = exercise_content(WAITING)
    assert content.first is not None
    assert content.first.advice == ""
    report = replace(RICH, exercises=(WAITING,), quizzes=())
    assert "Work this input out" not in to_text(report, WIDE) + to_html(report)


def test_a_withdrawn_item_does_not_wait_for_an_answer():
    assert quiz_content(WITHDRAWN).unanswered == "1 not answered yet: missing."
    report = replace(RICH, exercises=(), quizzes=(WITHDRAWN,))
    for text in (to_text(report, WIDE), words(to_html(report))):
        assert "1 not answered yet: missing." in text


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_status(outcome):
    expected = {
        Outcome.PASSED: Status.PASSED,
        Outcome.SKIPPED: Status.WAITING,
        Outcome.NOT_ATTEMPTED: Status.WAITING,
        Outcome.INTERNAL_ERROR: Status.VOID,
    }
    assert status_of(outcome) is expected.get(outcome, Status.FAILED)


def test_the_text_and_the_page_say_the_same():
    text, page = flat(to_text(RICH, WIDE)), words(to_html(RICH))
    for result in RICH.exercises:
        content = exercise_content(result)
        sentences = [content.not_attempted, content.passing, content.solution, content.hidden]
        if content.whole is not None:
            sentences += [content.whole.message, content.whole.advice]
        if content.first is not None:
            sentences += [content.first.rationale, content.first.advice, content.first.earned]
            if content.first.mistake is not None:
                sentences += [content.first.mistake.lead, content.first.mistake.message]
        sentences += [c.reason for c in content.others]
        for sentence in map(flat, filter(None, sentences)):
            assert sentence in text, sentence
            assert sentence in page, sentence
    for quiz in map(quiz_content, QUIZZES):
        for sentence in filter(None, [*quiz.problems, quiz.unanswered, quiz.heading.earned]):
            assert sentence in text, sentence
            assert sentence in page, sentence
