"""Responses that are written into an answers file: they are read again, and every other line stays as it is."""

import re
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_quiz import load
from test_quiz_browser import BANK

from grader import quiz
from grader.core.errors import DocumentError
from grader.quiz.answer_edits import after, edited, written_anew
from grader.quiz.answers import Responses, read_answers
from grader.quiz.sheet import as_yaml, filled


def few(bank: str, *ids: str) -> str:
    """Return a bank with these of its items only: each read draws all of them."""
    head, *items = re.split(r"^(?=  - id: )", bank, flags=re.MULTILINE)
    return head + "".join(item for item in items if item.split()[2] in ids)


@cache
def first() -> quiz.Bank:
    with tempfile.TemporaryDirectory() as folder:
        return load(Path(folder), few(BANK, "single", "number", "word", "gaps", "printed"))


@pytest.fixture
def bank() -> quiz.Bank:
    return first()


KEYS = {item.id: item.key_response() for item in first().sheet()}
IDS = sorted(KEYS)


def read(bank: quiz.Bank, text: str) -> Responses:
    return read_answers(bank, text, shown="first.yaml")


# --- what may stand in a file

TYPED = st.one_of(
    st.sampled_from(["", "b", "a, c", "(2, 3)", "42", "1:30", "no", "*", "a: b", "# x", "it's", '"', "- x", "|", "two\nlines", "a\r\nb", "x\x85y", "x\u2028y"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)  # fmt: skip
WRITTEN = st.one_of(
    TYPED.map(as_yaml),
    st.sampled_from(["", "*", "'not closed", "[1, 2", "(1, 64)", "a: b", "50%", "|\n      two\n      # lines", "\n    - a\n    - c", "{a: 1}"]),
)  # fmt: skip
COMMENT = st.sampled_from(["", " # mine", "  # it's", " #", '\t# "'])
BETWEEN = st.sampled_from(["", "  # a note\n", "\n", "# at the margin\n", "    # deep\n", "---\n", "  another-quiz: 'its answer'\n", "  text that belongs to nothing\n"])  # fmt: skip
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def texts(draw) -> str:
    """Return an answers file as students leave them: entries left out, doubled, and of every form, with notes between."""
    lines = ["# my answers\n", "quiz: first\n"]
    lines.append(draw(st.sampled_from(["", "draw: 2\n"])))
    lines.append(draw(st.sampled_from(["", "hints: {single: 1}\n", "hints:\n  single: 1  # opened\n"])))
    lines.append(draw(st.sampled_from(["answers:\n", "answers: # here\n", "answer:\n"])))
    indent = draw(st.sampled_from(["  ", "    ", "  - "]))
    for item_id in draw(st.lists(st.sampled_from(IDS), max_size=8)):
        lines += [draw(BETWEEN), f"{indent}{item_id}: {draw(WRITTEN)}{draw(COMMENT)}\n"]
    lines.append(draw(BETWEEN))
    text = "".join(lines).removesuffix(draw(st.sampled_from(["", "\n"])))
    return text.replace("\n", draw(LINE_ENDS))


@given(data=st.data())
def test_what_is_written_is_read_again_and_nothing_else_is_read_differently(data):
    bank = first()
    text = data.draw(texts())
    response = st.one_of(st.none(), TYPED, *(st.just(value) for value in KEYS.values()))
    wanted = data.draw(st.dictionaries(st.sampled_from(IDS), response, min_size=1, max_size=3))
    hints = data.draw(st.sampled_from([{}, {"single": 2}, {"single": 0}]))
    try:
        before = read(bank, text)
    except DocumentError:
        with pytest.raises(DocumentError):
            edited(bank, text, wanted, hints)
        return
    found = edited(bank, text, wanted, hints)
    expected = after(bank, before, wanted, hints)
    if found is None:
        found = written_anew(bank, expected)
    got = read(bank, found)
    assert (got.given, got.hints, got.seed, got.draw) == (expected.given, expected.hints, before.seed, before.draw)  # fmt: skip
    for item_id, value in wanted.items():
        assert got.written(item_id) == (value if value and value.strip(" ;") else None) if isinstance(value, str) else True  # fmt: skip


def content(line: str) -> str:
    return line.strip().lstrip("#- ").strip()


@given(data=st.data())
def test_every_comment_and_every_other_entry_survives(data):
    bank = first()
    text = data.draw(texts())
    item_id = data.draw(st.sampled_from(IDS))
    try:
        found = edited(bank, text, {item_id: KEYS[item_id]}, {"single": 2})
    except DocumentError:
        return
    if found is None:
        return
    kept = found.splitlines()
    for line in text.splitlines():
        if re.match(r"\s*(?:- )?(?:hints|single|" + re.escape(item_id) + r")\s*:", line):
            note = re.search(r"[ \t](# mine|# it's|# \"|# opened)$", line)
            assert note is None or note[1] in found
        elif line.lstrip().startswith("#") and line.strip() not in (
            "#",
            "# lines",
        ):  # the latter is in a block of text
            assert any(content(line) in content(other) for other in kept), line
        elif re.match(r"\s*(?:another-quiz|quiz|draw|text that)", line):
            assert line in kept or f"  # {line.strip()}" in kept


@given(data=st.data())
def test_a_file_of_the_usual_form_changes_in_one_line(data):
    """Whatever the answers are: no other line changes, down to its end."""
    bank = first()
    some = data.draw(st.lists(st.sampled_from(IDS), unique=True))
    text = filled(bank, {item_id: KEYS[item_id] for item_id in some}).replace("\n", data.draw(LINE_ENDS))
    item_id = data.draw(st.sampled_from(IDS))
    value = data.draw(st.one_of(st.none(), TYPED, st.just(KEYS[item_id])))
    found = edited(bank, text, {item_id: value})
    assert found is not None
    old, new = text.splitlines(keepends=True), found.splitlines(keepends=True)
    assert len(old) == len(new)
    different = [one for one, other in zip(old, new, strict=True) if one != other]
    assert all(line.startswith(f"  {item_id}:") for line in different)
    assert len(different) <= 1


# --- examples

HAND = """\
# mine
quiz: first
# of the other quiz
hints: {single: 1} # one
answers:
  single: a   # not sure
  gaps:
    size: 3   # counted
    # think again
    does: jumps
  number: 'open
  number-two: 7
"""


def test_the_comments_of_an_entry_stay_with_it(bank):
    found = edited(bank, HAND, {"gaps": {"size": "4"}, "single": "b"}, {"single": 2})
    assert found == HAND.replace("{single: 1} # one", "{single: 2} # one").replace("single: a   #", "single: b #").replace(
        "  gaps:\n    size: 3   # counted\n    # think again\n    does: jumps\n",
        "  # counted\n  # think again\n  gaps: {size: '4'}\n",
    )  # fmt: skip


def test_what_was_no_yaml_is_kept_as_a_comment(bank):
    found = edited(bank, HAND, {"number": "42"})
    assert found == HAND.replace("  number: 'open\n", "  # number: 'open\n  number: '42'\n")
    again = edited(bank, found, {"number": "no number"})
    assert edited(bank, again, {"number": "42"}) == found  # what the grader wrote itself is replaced


def test_of_two_responses_the_second_is_kept_as_a_comment(bank):
    text = "quiz: first\nanswers:\n  single: a\n  single: c\n"
    assert read(bank, text).given == {}
    found = edited(bank, text, {"single": "b"})
    assert found == "quiz: first\nanswers:\n  # single: a\n  single: b\n  # single: c\n"


@pytest.mark.parametrize("text", ["quiz: first\nanswers: {single: a, word: stride}\n", "{quiz: first, answers: {single: a}}"])  # fmt: skip
def test_answers_in_curly_brackets_are_written_anew(bank, text):
    assert edited(bank, text, {"word": "pad"}) is None
    anew = written_anew(bank, after(bank, read(bank, text), {"word": "pad"}))
    assert read(bank, anew).given == {"single": "a", "word": "pad"}


@pytest.mark.parametrize("end", ["", "\n", "\n\n# the end", "\nseed: 4"])
@pytest.mark.parametrize(
    "begin", ["quiz: first", "quiz: first\nanswers:", "quiz: first\nanswers:\n  word: pad"]
)
def test_an_item_without_an_entry_gets_one_with_its_question(bank, begin, end):
    found = edited(bank, begin + end, {"number": "42"})
    assert read(bank, found).given["number"] == "42"
    assert "  # How many?\n" in found
    assert all(line in found.splitlines() for line in (begin + end).splitlines())
