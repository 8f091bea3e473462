"""The HTML page: well formed, self-contained, accessible, and safe from hostile text."""

import itertools
import re
import unicodedata
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_report import HOSTILE, PICTURE, POOLING, QUIZZES, RICH, TRAINING, check, poisoned

import grader.report
from grader.core.model import Flag, Outcome, Report
from grader.report import Help, to_html
from grader.report.html_markup import inline, preformatted, prose, tag
from grader.report.scale import LEVELS
from grader.report.svg import figure

FLAGGED = replace(
    POOLING,
    flags=(Flag(path="exercises/pooling.py", line=3, name="open", reason="reads `files`."),),
    output="hello\n",
)
FULL = replace(RICH, exercises=(FLAGGED, *RICH.exercises[1:]))
ATTACKS = (
    *HOSTILE,
    "</style></title></pre></svg><script>alert(1)</script><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x=\'" autofocus onfocus=alert(1) style="position:fixed',
    "javascript:alert(1) http://evil.example/ url(http://evil.example/x) @import 'http://evil.example'",
    "```\n</pre><script>alert(1)</script>\n``` `<b>` <!-- --> <![CDATA[ ]]> &lt;script&gt; &#60;",
)
VOID = {"meta", "br"}


class Page(HTMLParser):
    """A page as a parser reads it: its elements, its text, and its problems."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        self.problems += [f"<{name}> is never closed" for name in self.open]

    def handle_starttag(self, tag, attrs):
        if len({name for name, _ in attrs}) < len(attrs) or any(value is None for _, value in attrs):
            self.problems.append(f"<{tag}> has an attribute twice, or one without a value: {attrs}")
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    def handle_comment(self, data):
        self.problems.append(f"a comment: {data}")

    def unknown_decl(self, data):
        self.problems.append(f"a declaration: {data}")

    def all(self, name: str) -> list[dict[str, str]]:
        return [attributes for element, attributes in self.elements if element == name]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@cache
def page(report: Report = FULL) -> Page:
    return Page(to_html(report))


@cache
def attacked() -> list[str]:
    return [to_html(poisoned(FULL, text)) for text in ATTACKS]


def vocabulary(of: Page) -> set[tuple[str, str]]:
    """The elements of a page, each with the names of its attributes."""
    return {(name, attribute) for name, attributes in of.elements for attribute in ["", *attributes]}


# --- form


def test_the_page_is_well_formed():
    assert not page().problems
    text = to_html(FULL)
    assert text.startswith('<!doctype html>\n<html lang="en">')
    assert len(page().all("title")) == len(page().all("main")) == len(page().all("h1")) == 1


def test_ids_are_unique_and_every_reference_has_a_target():
    ids = [attributes["id"] for _, attributes in page().elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    named = {
        attributes["aria-labelledby"] for _, attributes in page().elements if "aria-labelledby" in attributes
    }
    named |= {link["href"].removeprefix("#") for link in page().all("a")}
    assert named <= set(ids)
    assert {"exercise-0", "quiz-2", "results"} < named | set(ids)


def test_nothing_is_loaded_or_run():
    assert not {name for name, _ in page().elements} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "base",
        "form",
    }
    attributes = {(name, value) for _, found in page().elements for name, value in found.items()}
    assert not [
        pair for pair in attributes if pair[0].startswith("on") or pair[0] in ("src", "srcset", "action")
    ]
    assert all(value.startswith("#") for name, value in attributes if name == "href")
    css = re.search(r"<style>(.*?)</style>", to_html(FULL), re.DOTALL)[1]
    assert not re.search(r"url\(|@import|https?:|<", css)
    policy = next(meta["content"] for meta in page().all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize("n", range(len(ATTACKS)))
def test_no_text_becomes_an_element_an_attribute_or_a_control_character(n):
    text = attacked()[n]
    found = Page(text)
    assert not found.problems
    known = vocabulary(page()) | {("p", "class"), ("pre", ""), ("pre", "tabindex")}
    assert vocabulary(found) <= known
    assert not [
        c
        for c in set(text)
        if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl") and c not in "\n\t"
    ]
    for _, attributes in found.elements:
        assert set(attributes.get("style", "")) <= set("width: 0123456789.%")
        assert attributes.get("href", "#").startswith("#")


def test_an_attack_is_shown_as_the_text_it_is():
    found = Page(to_html(poisoned(FULL, "<script>alert('1')</script> & \u202e")))
    assert "<script>alert('1')</script> & \\u202e" in found.text


# --- readable by everybody


def test_headings_go_down_one_step_at_a_time():
    levels = [int(name[1]) for name, _ in page().elements if re.fullmatch(r"h\d", name)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_header_cell_has_a_scope_and_every_table_a_caption():
    assert all(cell["scope"] in ("row", "col") for cell in page().all("th"))
    assert len(page().all("caption")) == len(page().all("table")) > 1


def test_pictures_are_described_in_words_and_decoration_is_hidden():
    drawings = page().all("svg")
    assert drawings
    assert all(("aria-label" in d and d["role"] == "img") or d.get("aria-hidden") == "true" for d in drawings)
    labels = [d["aria-label"] for d in drawings if "aria-label" in d]
    assert labels[2] == (
        "difference: 4 of 20 values wrong, 1 NaN or infinite; the largest is -2, row 3, column 4"
    )
    assert all(
        bar.get("aria-hidden") == "true"
        for bar in page().all("span")
        if "bar" in bar.get("class", "").split()
    )


def test_what_scrolls_can_be_reached_by_the_keyboard():
    assert all(block["tabindex"] == "0" for block in page().all("pre"))
    first = next(attributes for name, attributes in page().elements if name == "a")
    assert first == {"href": "#results", "class": "skip"}


def channel(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def luminance(color: str) -> float:
    red, green, blue = (channel(int(color[n : n + 2], 16) / 255) for n in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


CSS = (Path(grader.report.__file__).parent / "page.css").read_text(encoding="utf-8")
COLORS = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", CSS)
THEMES = [{name: pair[dark] for name, *pair in COLORS} for dark in (False, True)]
TEXTS = ("ink", "soft", "pass", "fail", "wait", "void", "link")


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
@pytest.mark.parametrize("name", TEXTS)
def test_text_has_contrast_in_light_and_dark(theme, name):
    grounds = ("ground", "card") if name != "ink" else ("ground", "card", "code", "hint", "known")
    for ground in grounds:
        lighter, darker = sorted((luminance(theme[name]), luminance(theme[ground])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, f"{name} on {ground}"


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
def test_a_two_sided_scale_is_monotonic_on_both_sides(theme):
    """So that who sees no colors still sees how far from 0 a value is."""
    levels = [luminance(theme[f"two-{n}"]) for n in range(LEVELS)]
    middle = LEVELS // 2
    towards = sorted(levels[: middle + 1])
    away = sorted(levels[middle:])
    if levels[middle] > levels[0]:
        assert levels[: middle + 1] == towards
        assert levels[middle:] == away[::-1]
    else:
        assert levels[: middle + 1] == towards[::-1]
        assert levels[middle:] == away


def test_every_class_of_a_drawing_has_its_color():
    used = {name for part in page().all("path") for name in part["class"].split()}
    assert used <= set(re.findall(r"\.([\w-]+) \{ fill:", CSS))
    assert {f"{side}-{n}" for side in ("one", "two") for n in range(LEVELS)} <= set(
        re.findall(r"\.([\w-]+) \{ fill:", CSS)
    )


# --- what it says

SAID = [
    "Not final",
    "some of it could not be graded",
    "Not graded, through an error in the grader: training.",
    "Negative inputs keep their sign",
    "The smallest input found that fails",
    "max_pool2d(x, 2, stride=1)",
    "everywhere: 0 where -1 is expected",
    "As a picture, from max_pool2d(x, 3), sample 1, channel 0 (8 x 5, drawn in blocks of 2 x 1):",
    "The maximum of negative numbers is negative: start from -inf.",
    "grade hint pooling",
    "a known mistake, ceil-for-floor",
    "2 of 9 checks pass",
    "The result is a tensor",
    "For a person to look at; it costs no points (1)",
    "hello",
    "return x * slope",
    "Not attempted yet: open exercises/freezing.py.",
    "not graded",
    "What shape has the output of a 2 x 2 window at stride 1?",
    "(1, 8, 32, 32)",
    "A window at stride 1 fits 31 times.",
    "1 of 4 answers are right.",
    "2 not answered yet: 3 why, 4 when.",
    "Isolation level 2 of 3",
    "Seed 7.",
    "torch 2.13.0",
]


@pytest.mark.parametrize("words", SAID)
def test_the_page_says_what_the_text_says(words):
    assert words in page().text


def test_open_hints_are_shown_and_the_next_is_named():
    opened = {
        "pooling": Help(opened=("Pad with `-inf`.", "<b>"), count=3),
        "batchnorm": Help(opened=("A secret.",), count=3),
    }
    shown = Page(to_html(FULL, opened))
    assert not shown.problems
    assert "Your hints: 2 of 3 open Pad with -inf . <b> grade hint pooling opens hint 3 of 3." in shown.text
    assert "A secret." not in shown.text  # nothing is left to earn there
    assert "Your hints" not in page().text


def test_full_marks_lead_to_the_reference_solution():
    assert "All 2 checks pass. Batches are normalized" in page().text
    assert page().text.count("grade solution") == 1
    assert "grade solution batchnorm shows our solution, grade next goes on." in page().text


def test_only_the_first_failure_is_open():
    text = to_html(replace(FULL, exercises=(FLAGGED,), quizzes=()))
    before, _, after = text.partition("<details>")
    assert "The smallest input found that fails" in before
    assert "The smallest input found that fails" not in after
    # Five further checks, the one that waits, those that pass, what a person should look at, and what was printed.
    assert len(Page(text).all("details")) == 9
    assert "1 check waits for another to pass" in after
    assert "open" not in {name for attributes in Page(text).all("details") for name in attributes}


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_words(outcome):
    part = replace(TRAINING, checks=(check("test_a", "Title", outcome, 1, rationale="Why."),))
    found = page(replace(RICH, exercises=(part,), quizzes=()))
    words = {
        "internal_error": "grader error",
        "not_attempted": "not written",
        "raised": "exception",
        "skipped": "waits",
    }
    assert words.get(outcome, outcome.replace("_", " ")) in found.text or outcome is Outcome.PASSED
    assert not found.problems


def test_an_empty_report_and_a_perfect_one_are_pages_too():
    empty = replace(RICH, points=0, max_points=0, score=0.0, exercises=(), quizzes=())
    assert not page(empty).problems
    perfect = replace(RICH, points=3, max_points=3, score=1.0, exercises=(), quizzes=QUIZZES[2:])
    assert "Everything passes. Well done." in page(perfect).text


# --- its parts


def test_text_is_escaped_unless_it_is_markup_already():
    assert tag("p", "<b>", tag("b", '"'), title='"<', class_="a") == (
        '<p title="&quot;&lt;" class="a">&lt;b&gt;<b>&quot;</b></p>'
    )
    assert tag("meta", http_equiv="x", name=None) == '<meta http-equiv="x">'
    assert inline("use `x < 1`, not `y`") == "use <code>x &lt; 1</code>, not <code>y</code>"
    assert inline("a ` alone") == "a ` alone"
    assert preformatted("\n  a\n b \n") == '<pre tabindex="0">  a\n b</pre>'
    assert prose("What is printed?\n\n    x = 1\n      <y>\n") == tag("p", "What is printed?") + preformatted(
        "x = 1\n  <y>"
    )
    assert prose("One\ntwo\n\n```python\n  <x>\n```\nThree") == (
        '<p>One two</p><pre tabindex="0">  &lt;x&gt;</pre><p>Three</p>'
    )


def test_every_value_of_a_plane_is_drawn_once():
    drawing = Page(str(figure(PICTURE)))
    first = [part["d"] for part in drawing.all("path")]
    cells = sum(int(width) for d in first for width in re.findall(r"h(\d+)v", d))
    assert cells == 3 * 20 + 2 * LEVELS + 1  # three planes, two scales, and what stands for NaN
