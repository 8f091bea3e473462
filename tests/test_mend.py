"""What a report says first: the part to mend, with a link to it, and the share of the points as a person writes it."""

import itertools
import re
from dataclasses import replace
from fractions import Fraction

import pytest
from browsing import emulate
from hypothesis import example, given
from hypothesis import strategies as st
from test_report import BATCHNORM, FINAL, FREEZING, LENET, POOLING, QUIZZES, RELU, TRAINING

from grader.classroom.report import class_phrases
from grader.core.model import ExerciseResult, QuizResult, Report
from grader.core.scoring import total
from grader.report import Style, to_html, to_json, to_markdown, to_text
from grader.report.phrases import next_step
from grader.report.text_layout import percent

NOT_BEGUN, DONE = QUIZZES[1:]
PARTS = (POOLING, RELU, LENET, FREEZING, BATCHNORM, TRAINING, *QUIZZES)
# What the link says of a part, and where it leads: to the first failure, or to the part, where nothing failed yet.
MENDS: dict[str, tuple[str, str]] = {
    "pooling": ("pooling Negative inputs keep their sign", "-first"),
    "relu": ("relu Negative numbers leak", "-first"),
    "lenet": ("lenet Python cannot read your file: invalid syntax.", "-first"),
    "freezing": ("freezing Fine-tuning", ""),
    "quiz pooling": ("quiz pooling 2 shape", "-first"),
    "quiz lenet": ("quiz lenet LeNet", ""),
}


def report_of(*parts: ExerciseResult | QuizResult) -> Report:
    exercises = tuple(part for part in parts if isinstance(part, ExerciseResult))
    quizzes = tuple(part for part in parts if isinstance(part, QuizResult))
    points, max_points, score = total(exercises, quizzes)
    return replace(
        FINAL, points=points, max_points=max_points, score=score, exercises=exercises, quizzes=quizzes
    )


def name(part: ExerciseResult | QuizResult) -> str:
    return f"quiz {part.id}" if isinstance(part, QuizResult) else part.id


def link(page: str) -> tuple[str, str] | None:
    """Return text and target of the link to the first part to mend."""
    found = re.search(r'<p class="mend">First to mend: <a href="#([\w-]+)">(.*?)</a></p>', page)
    return (re.sub(r"<.*?>", "", found[2]), found[1]) if found else None


REPORTS = [parts for count in (1, 2, 3, 9) for parts in itertools.combinations(PARTS, count)]


@pytest.mark.parametrize("parts", REPORTS, ids=lambda parts: " ".join(map(name, parts)))
def test_the_first_part_to_mend_is_linked_and_the_only_open_one(parts):
    report = report_of(*parts)
    page = to_html(report)
    open_parts = [part for part in (*report.exercises, *report.quizzes) if name(part) in MENDS]
    begun = [part for part in open_parts if part.points and isinstance(part, ExerciseResult)]
    first = next(iter([*begun, *open_parts]), None)
    details = re.findall(r'<details class="part"( open="")?>.*?id="((?:exercise|quiz)-\d+)"', page)
    if first is None:
        assert "First to mend" not in page
    else:
        kind, siblings = "exercise", [part for part in parts if isinstance(part, ExerciseResult)]
        if isinstance(first, QuizResult):
            kind, siblings = "quiz", [part for part in parts if isinstance(part, QuizResult)]
        anchor = f"{kind}-{siblings.index(first)}"
        text, suffix = MENDS[name(first)]
        assert link(page) == (text, anchor + suffix)
        assert page.count(f' id="{anchor + suffix}"') == 1
        if report.final:
            assert first.id in next_step(report)
    if len(parts) == 1:
        assert details == []  # alone, it has nothing to give way to
        return
    assert len(details) == page.count("<article") == len(parts)
    assert [found for is_open, found in details if is_open] == ([anchor] if first is not None else [])


# --- percentages

POINTS = st.one_of(
    st.tuples(st.integers(0, 4000), st.integers(1, 4000)).map(lambda n: (n[0] / 4, n[1] / 4)),
    st.tuples(st.integers(0, 3000), st.integers(1, 3000)).map(lambda n: (n[0] / 3, n[1] / 3)),
)


@given(POINTS)
@example((0.29, 1.0))
@example((57.75, 58.0))  # 99.6 %
@example((9499.0, 10000.0))
def test_a_percentage_is_whole_and_never_more_than_was_earned(pair):
    earned, most = min(pair), max(pair)
    shown = re.fullmatch(r"(\d+) %", percent(earned / most))
    assert shown
    exact = 100 * Fraction(earned).limit_denominator(100) / Fraction(most).limit_denominator(100)
    assert int(shown[1]) == exact.numerator // exact.denominator
    assert (int(shown[1]) == 100) == (earned == most)


@pytest.mark.parametrize(
    ("points", "shown"),
    [(0, "0 %"), (0.25, "0 %"), (29, "29 %"), (94.99, "94 %"), (95, "95 %"), (99.6, "99 %"), (100, "100 %")],
)
def test_text_page_and_markdown_write_a_score_the_same_way_and_the_json_keeps_it_exact(points, shown):
    part = replace(RELU, points=points, max_points=100)
    report = report_of(part, replace(DONE, points=0, max_points=0))
    assert f"Total  {shown} " in to_text(report, Style())
    assert f"<small>{shown}</small>" in to_html(report)
    assert f" points, {shown}\n" in to_markdown(report)
    assert class_phrases.percent(report.score) == shown
    assert f'"score": {points / 100}' in to_json(report)


# --- in a browser


@pytest.fixture
def shown(browser, tmp_path):
    """A browser at a report with every kind of part."""
    path = tmp_path / "report.html"
    path.write_text(to_html(report_of(*PARTS)), encoding="utf-8")
    emulate(browser)
    browser.get(path.as_uri())
    return browser


_OPEN = "return [...document.querySelectorAll('.part')].filter(part => part.open).map(part => part.querySelector('.body').id)"
_TOP = "return document.querySelector(location.hash).getBoundingClientRect().top"
_ALL_TEXT = """
const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT), unseen = [];
while (walker.nextNode()) {
  const part = walker.currentNode.parentElement, box = part.getBoundingClientRect();
  if (walker.currentNode.data.trim() && !(part.checkVisibility() && box.height > 0)) unseen.push(walker.currentNode.data);
}
return unseen;
"""


def press(browser, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(browser).send_keys(*keys).perform()


def test_the_link_leads_by_keyboard_into_the_part_even_after_it_was_closed(shown):
    from selenium.webdriver.common.keys import Keys

    assert shown.execute_script(_OPEN) == ["exercise-0"]
    summary = shown.find_element("css selector", ".part > summary")
    summary.send_keys(Keys.ENTER)
    assert shown.execute_script(_OPEN) == []
    summary.send_keys(Keys.SPACE)
    assert shown.execute_script(_OPEN) == ["exercise-0"]
    summary.send_keys(Keys.ENTER)
    shown.find_element("css selector", ".mend a").send_keys(Keys.ENTER)
    assert shown.execute_script(_OPEN) == ["exercise-0"]
    assert 0 <= shown.execute_script(_TOP) < 200
    press(shown, Keys.TAB)  # goes on from there
    assert shown.execute_script("return document.activeElement.closest('#exercise-0-first') !== null")


def test_each_link_of_the_table_opens_its_part(shown):
    links = shown.find_elements("css selector", "nav tbody a")
    assert len(links) == len(PARTS)
    opened = {"exercise-0"}
    for one in links:
        target = one.get_attribute("href").partition("#")[2]
        shown.execute_script("scrollTo(0, 0)")
        one.click()
        opened.add(target)
        assert set(shown.execute_script(_OPEN)) == opened
        assert 0 <= shown.execute_script(_TOP) < 900


def test_closed_parts_are_out_of_the_way_on_the_screen_and_whole_on_paper(shown):
    assert len(shown.execute_script(_ALL_TEXT)) > 50
    emulate(shown, width=718, media="print")
    assert shown.execute_script(_ALL_TEXT) == []
