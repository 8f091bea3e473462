"""`grade similar`: the output for pairs, with hostile names and code in them."""

import json
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import click
import imagined_class
import pytest
from click.testing import CliRunner
from test_class_report import ALIKE, LAST_YEAR
from test_page import ATTACKS
from test_report import STYLES, poisoned
from test_similarity import EDNA, disguised, people
from test_statistics import RIGHT, add, report

from grader.classroom.gradebook import Gradebook
from grader.classroom.report import similar_json, similar_text
from grader.classroom.report.similarity_text import small_class
from grader.classroom.similarity import Comparison, Unread
from grader.cli.similar import similar_command
from grader.core.errors import UsageError
from grader.report import Style
from grader.submission import Stored

pytestmark = pytest.mark.usefixtures("forked_warm_processes")

FOUND = Comparison(
    exercise="pooling",
    students=12,
    found=40,
    pairs=(ALIKE, LAST_YEAR, *(replace(ALIKE, score=0.7 + n / 1000) for n in range(37))),
    unread=tuple(
        Unread(exercise="pooling", student=f"mal{n}", number=n, reason="it is odd") for n in range(9)
    ),
)
SOLUTIONS = {
    "edna <b>": EDNA,
    "zed\x1b[31m": disguised(EDNA),
    "dan": Path(__file__).parents[1].joinpath("exercises", "pooling.py").read_text("utf-8"),
    "mal": "def (",
    **{name: text for name, text in people("pooling").items() if name != "edna"},
    **{f"s{n}": imagined_class.pooling(n) for n in range(6)},
}


@pytest.fixture
def gradebook(tmp_path):
    path = tmp_path / "week4.db"
    with Gradebook(path) as book:
        for name, text in SOLUTIONS.items():
            content = Stored({"exercises/pooling.py": text.encode()}).pack()
            add(book, name, report(RIGHT), content=content)
    return path


def run(*arguments: object) -> str:
    found = CliRunner().invoke(
        similar_command, [str(argument) for argument in arguments], standalone_mode=False
    )
    if found.exception is not None:
        raise found.exception
    assert found.return_value == 0
    return found.output


def test_the_pair_is_shown_with_its_lines(gradebook):
    text = run(gradebook)
    assert text.startswith("Similar solutions in week4" + " " * 43 + "19 students\n")
    assert "A lead to look at, not a verdict" in text
    assert "  1.00  pooling  edna <b> and zed\\x1b[31m\n" in text
    assert "best = shifted if best is None else torch.maximum(best, shifted)" in text
    assert "unique to this pair; no other student has half of them." in " ".join(text.split())
    assert "mal, attempt 1, pooling: it is not valid Python." in " ".join(text.split())
    assert "dan" not in text


def test_the_document_holds_everything(gradebook):
    document = json.loads(run(gradebook, "pooling", "--format", "json"))
    assert document["format"] == "convgrader/similar/1"
    assert document["note"] == "A lead to look at, not a verdict."
    (found,) = document["exercises"]
    (pair,) = found["pairs"]
    assert pair["first"]["student"] == "edna <b>"
    assert pair["blocks"][0]["first"]["text"]
    assert found["students"] == len(SOLUTIONS) - 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_anonymous_pairs_hold_no_name_and_no_code(gradebook, form):
    text = run(gradebook, "--anonymous", "--format", form)
    assert len(set(re.findall(r"student \d{4}", text))) == 3  # the pair, and whose work cannot be read
    assert not re.search(r"edna|zed|\bmal\b|shifted|2026", text)


def test_the_minimum_decides(gradebook):
    assert "No two solutions reach 0.7 (relu). Lower it with `--minimum`." in run(gradebook, "relu")
    wide = json.loads(run(gradebook, "pooling", "--minimum", "0.3", "--format", "json"))["exercises"][0]
    assert wide["found"] > 1
    assert all(pair["score"] >= 0.3 for pair in wide["pairs"])


def test_a_folder_can_be_compared_with(gradebook, tmp_path):
    published = tmp_path / "published"
    published.mkdir()
    (published / "pooling.py").write_text(SOLUTIONS["gus"], "utf-8")
    assert "gus and published (outside the class)" in run(gradebook, "--against", published)
    with pytest.raises(UsageError, match="There is no submission in"):
        run(gradebook, "relu", "--against", published)
    last_year = tmp_path / "last-year"
    (last_year / "old").mkdir(parents=True)
    (last_year / "old" / "pooling.py").write_text(SOLUTIONS["gus"], "utf-8")
    (last_year / "broken.zip").write_text("no zip", "utf-8")
    words = [str(gradebook), "pooling", "--against", str(last_year)]
    done = CliRunner().invoke(similar_command, words, standalone_mode=False)
    assert done.return_value == 1
    assert "skipped, outside the class: broken: " in done.stderr
    assert "gus and old (outside the class)" in done.stdout
    with pytest.raises(click.BadParameter, match="does not exist"):
        run(gradebook, "--against", tmp_path / "gone")


def test_usage_errors_name_the_problem(gradebook, tmp_path):
    with pytest.raises(UsageError, match=r'no exercise "poolin"\. Did you mean "pooling"'):
        run(gradebook, "poolin")
    with Gradebook(tmp_path / "new.db"):
        pass
    with pytest.raises(UsageError, match="new holds no attempt"):
        run(tmp_path / "new.db")


def test_it_is_written_to_a_file(gradebook, tmp_path):
    assert run(gradebook, "--output", tmp_path / "similar.txt") == ""
    assert "edna <b> and zed" in (tmp_path / "similar.txt").read_text("utf-8")


def test_a_small_class_has_a_warning():
    assert "In a class of 3 it is unclear which code is unusual" in " ".join(
        similar_text("week4", 3, [FOUND], 0.7, Style()).split()
    )
    assert "it is unclear" not in similar_text("week4", 30, [FOUND], 0.7, Style())


@pytest.mark.parametrize(("students", "is_small"), [(19, True), (20, False)])
def test_a_class_is_small_below_twenty_students(students, is_small):
    assert bool(small_class(students)) is is_small


@pytest.mark.parametrize(("pairs", "in_short"), [(10, 0), (11, 1), (30, 20), (31, 20)])
def test_ten_pairs_are_shown_with_lines_and_twenty_more_in_short(pairs, in_short):
    found = replace(FOUND, pairs=(ALIKE,) * pairs, found=pairs, unread=())
    text = similar_text("w", 30, [found], 0.7, Style())
    assert text.count("exercises/pooling.py, lines 12-13") == min(pairs, 10)
    assert len(re.findall(r"^  0\.85  pooling", text, re.MULTILINE)) == min(pairs, 10) + in_short
    assert ("And 1 pair less alike." in text) is (pairs > 30)


@pytest.mark.parametrize(("count", "more"), [(6, False), (7, True)])
def test_at_most_six_solutions_that_were_not_compared_are_named(count, more):
    found = replace(FOUND, unread=FOUND.unread[:count])
    text = similar_text("w", 30, [found], 0.7, Style())
    assert text.count("it is odd") == 6
    assert ("and 1 more." in text) is more


def test_the_terminal_shows_the_first_pairs_and_counts_the_others():
    short, full = (
        similar_text("w", 12, [FOUND], 0.7, Style(), show_all=everything) for everything in (False, True)
    )
    assert short.count("exercises/pooling.py, lines 12-13") == 9
    assert full.count("exercises/pooling.py, lines 12-13") == 38
    assert len(re.findall(r"^  0\.\d\d  pooling", short, re.MULTILINE)) == 30
    assert "And 10 pairs less alike." in short
    assert "And 1 pair less alike." in full
    assert "and 3 more." in short


@pytest.mark.parametrize("style", STYLES, ids=str)
@pytest.mark.parametrize("everything", [False, True])
def test_no_line_is_wider_than_the_terminal_with_any_text(style, everything):
    fewer = replace(FOUND, pairs=FOUND.pairs[:12])
    for found in (fewer, *(poisoned(fewer, text) for text in ATTACKS)):
        for line in similar_text(found.exercise, 12, [found], 0.7, style, show_all=everything).split("\n"):
            plain = click.unstyle(line)
            assert sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in plain) <= style.width, (
                line
            )
            assert style.unicode or line.isascii()
            assert not [
                c for c in plain if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
            ]
            assert not re.match(r"\s*::", plain)
            assert "##[" not in plain


def test_json_of_hostile_pairs_is_ascii_and_can_be_read():
    for text in (*ATTACKS, "\ud800"):
        document = similar_json(text, [poisoned(FOUND, text)], 0.7)
        assert document.isascii()
        assert json.loads(document)["format"] == "convgrader/similar/1"


def test_the_command_never_imports_torch(run_without_torch, gradebook):
    run_without_torch("similar", gradebook)
