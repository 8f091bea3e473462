"""A report as text, JSON and JUnit, and that the text of a student breaks none of them."""

import json
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import click
import pytest

from grader.core.model import (
    Argument,
    CheckResult,
    Counterexample,
    Diagnosis,
    ExerciseResult,
    Frame,
    Isolation,
    ItemResult,
    Outcome,
    Picture,
    Plane,
    QuizResult,
    Report,
    Versions,
)
from grader.report import (
    FORMAT,
    Help,
    Style,
    exercise_text,
    from_json,
    quizzes_text,
    summary_text,
    to_document,
    to_gradescope,
    to_html,
    to_json,
    to_junit,
    to_markdown,
    to_text,
)
from grader.report.content import exercise_content

CEIL = Diagnosis(
    mistake="ceil-for-floor",
    message="A window that does not fit entirely is dropped: round down, never up. Try size 5 by hand.",
)
ZERO = Diagnosis(mistake="zero-init", message="The maximum of negative numbers is negative: start from -inf.")

PICTURE = Picture(
    call="max_pool2d(x, 3)",
    plane="sample 1, channel 0",
    height=8,
    width=5,
    block_height=2,
    block_width=1,
    expected=((-1, -0.5, 0, 0.5, 1), (1, 1, 1, 1, 1), (-1, -1, -1, -1, -1), (0, 0, 0, 0, 0)),
    got=((0, 0, 0, 0.5, 1), (1, 1, 1, 1, None), (-1, -1, -1, -1, -1), (0, 0, 0, 0, -2)),
    difference=((1, 0.5, 0, 0, 0), (0, 0, 0, 0, None), (0, 0, 0, 0, 0), (0, 0, 0, 0, -2)),
)


def check(name: str, title: str, outcome: Outcome, points: float, **more: object) -> CheckResult:
    earned = points if outcome is Outcome.PASSED else 0.0
    return CheckResult(
        id=name, title=title, outcome=outcome, points=earned, max_points=points, duration_s=0.01, **more
    )


POOLING = ExerciseResult(
    id="pooling",
    title="Pooling by hand",
    outcome=Outcome.TIME_LIMIT,
    points=5.5,
    max_points=16,
    checks=(
        check("test_type", "The result is a tensor", Outcome.PASSED, 2),
        check("test_shape", "The shape is that of torch", Outcome.PASSED, 3.5),
        check(
            "test_negative",
            "Negative inputs keep their sign",
            Outcome.FAILED,
            2,
            rationale="The result is wrong in 2 of 2 places.",
            counterexample=Counterexample(
                call="max_pool2d(x, 2, stride=1)",
                arguments=(Argument(name="x", value="tensor of shape (1, 1, 2, 3)\n-1 -2 -1\n-1 -1 -1"),),
                expected="tensor of shape (1, 1, 1, 2)\n-1 -1",
                got="tensor of shape (1, 1, 1, 2)\n0 0",
                where="everywhere: 0 where -1 is expected",
                smallest=True,
            ),
            picture=PICTURE,
            diagnosis=ZERO,
        ),
        check("test_padding", "Padding never wins", Outcome.FAILED, 2, rationale="It is 0.", diagnosis=ZERO),
        check("test_floor", "Windows that stick out are dropped", Outcome.FAILED, 1, diagnosis=CEIL),
        check(
            "test_overlap",
            "Windows may overlap",
            Outcome.TIME_LIMIT,
            2,
            rationale="`f` did not end within 4 s.",
        ),
        check(
            "test_avg",
            "The average divides by the window",
            Outcome.NOT_ATTEMPTED,
            1,
            rationale="Not written.",
        ),
        check(
            "test_avg_padding",
            "Padding counts in the average",
            Outcome.SKIPPED,
            1.5,
            rationale="Waits for: The average divides by the window.",
        ),
        check(
            "test_global",
            "The global average is (N, C)",
            Outcome.CRASHED,
            1,
            rationale="The worker ended: SIGSEGV.",
        ),
    ),
    output="starting\nx = 3",
    duration_s=4.2,
)
RELU = ExerciseResult(
    id="relu",
    title="ReLU and its relatives",
    outcome=Outcome.RAISED,
    points=1,
    max_points=3,
    checks=(
        check("test_relu", "Positive numbers pass", Outcome.PASSED, 1),
        check(
            "test_leaky",
            "Negative numbers leak",
            Outcome.RAISED,
            2,
            rationale="`leaky_relu` raised NameError: name 'slope' is not defined.",
            counterexample=Counterexample(
                call="leaky_relu(x)",
                arguments=(Argument(name="x", value="tensor of shape (1,)\n0"),),
                expected="tensor of shape (1,)\n0",
                got="`leaky_relu` raised NameError: name 'slope' is not defined.",
                smallest=True,
            ),
            traceback=(
                Frame(path="exercises/relu.py", line=14, function="leaky_relu", text="    return _scaled(x)"),
                Frame(path="exercises/relu.py", line=9, function="_scaled", text="    return x * slope"),
            ),
        ),
    ),
)
LENET = ExerciseResult(
    id="lenet",
    title="LeNet-5, nearly",
    outcome=Outcome.RAISED,
    points=0,
    max_points=12,
    message="Python cannot read your file: invalid syntax.",
    traceback=(Frame(path="exercises/lenet.py", line=3, function="", text="    def f(:\n          ^"),),
)
FREEZING = ExerciseResult(
    id="freezing",
    title="Fine-tuning",
    outcome=Outcome.NOT_ATTEMPTED,
    points=0,
    max_points=10,
    checks=(check("test_freeze", "Frozen weights stay", Outcome.NOT_ATTEMPTED, 10),),
)
BATCHNORM = ExerciseResult(
    id="batchnorm",
    title="Batch normalization by hand",
    outcome=Outcome.PASSED,
    points=4,
    max_points=4,
    checks=(
        check("test_train", "Batches are normalized", Outcome.PASSED, 2),
        check("test_eval", "Evaluation uses the running statistics", Outcome.PASSED, 2),
    ),
)
TRAINING = ExerciseResult(
    id="training",
    title="One step of training",
    outcome=Outcome.INTERNAL_ERROR,
    points=0,
    max_points=6,
    checks=(
        check(
            "test_step",
            "One step lowers the loss",
            Outcome.INTERNAL_ERROR,
            3,
            rationale="The suite is broken.",
        ),
        check(
            "test_write",
            "Nothing is written",
            Outcome.TAMPERING,
            1,
            rationale="The worker sent bytes of its own.",
        ),
        check("test_memory", "The step is small", Outcome.MEMORY_LIMIT, 1, rationale="It asked for 3 GiB."),
        check(
            "test_quiet",
            "The step is silent",
            Outcome.OUTPUT_LIMIT,
            1,
            rationale="It printed more than 1 MiB.",
        ),
    ),
)
QUIZZES = (
    QuizResult(
        id="pooling",
        title="Pooling",
        points=2.5,
        max_points=5,
        items=(
            ItemResult(
                id="window",
                type="numeric",
                prompt="How large?",
                points=2,
                max_points=2,
                answered=True,
                number=1,
            ),
            ItemResult(
                id="shape",
                type="shape",
                prompt="\nWhat shape has the output of a 2 x 2 window at stride 1?\n\n```\ncode\n```",
                points=0.5,
                max_points=1,
                answered=True,
                response="(1, 8, 32, 32)",
                feedback=("A window at stride 1 fits 31 times.", "Padding would keep 32."),
                misconceptions=("same-size",),
                number=2,
            ),
            ItemResult(
                id="why", type="single", prompt="Why?", points=0, max_points=1, answered=False, number=3
            ),
            ItemResult(
                id="when", type="single", prompt="When?", points=0, max_points=1, answered=False, number=4
            ),
        ),
        problems=('answers/pooling.yaml:7:3: there is no item "wich". Did you mean "which"?',),
    ),
    QuizResult(
        id="lenet",
        title="LeNet",
        points=0,
        max_points=2,
        items=(
            ItemResult(
                id="a", type="single", prompt="Why?", points=0, max_points=2, answered=False, number=1
            ),
        ),
    ),
    QuizResult(
        id="activation",
        title="Activations",
        points=3,
        max_points=3,
        items=(
            ItemResult(id="a", type="single", prompt="Why?", points=3, max_points=3, answered=True, number=1),
        ),
    ),
)
RICH = Report(
    points=16,
    max_points=61,
    score=16 / 61,
    isolation=Isolation(
        level=2, layers=("process", "limits", "seccomp", "Landlock"), missing=("namespaces",)
    ),
    versions=Versions(grader="0.1.0", torch="2.13.0", python="3.11.7"),
    seed=7,
    exercises=(POOLING, RELU, LENET, FREEZING, BATCHNORM, TRAINING),
    quizzes=QUIZZES,
)
FINAL = replace(RICH, exercises=RICH.exercises[:-1], max_points=55, score=16 / 55)
HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07 \x9b2J \x00 ]]> <!-- <b> & \" ' \ud800 \U0010ffff \ufffe",
    "\u202eevil\u2066 \u200b \u2028 \x0b \x0c \x85 \r\n=cmd|' /C calc'!A0 [[ATTACHMENT|/etc/passwd]]",
    "::error::forged\n  ::set-output name=x::1\n##[error]forged ##vso[task.complete]",
    "y" * 75 + "::error::forged " + "x" * 5000,
    "`code in backticks\n::error::forged`",
    "字" * 200 + " z\u0301" * 200 + "\N{GRINNING FACE} `" + "code " * 100 + "` `",
    "\n\n\n",
    "",
    "\n".join(f"line {n}" for n in range(500)),
)
STYLES = [
    Style(width=width, color=color, unicode=unicode)
    for width, color, unicode in product((60, 80), (False, True), (False, True))
]


def poisoned(value: object, text: str) -> object:
    """Return a record with every text replaced, but for ids, the isolation and the versions."""
    if isinstance(value, tuple):
        return tuple(poisoned(item, text) for item in value)
    if isinstance(value, str) and not isinstance(value, StrEnum):
        return text
    if not is_dataclass(value) or isinstance(value, (type, Isolation, Versions)):
        return value
    kept = {"id", "mistake", "type"}
    return replace(
        value,
        **{f.name: poisoned(getattr(value, f.name), text) for f in fields(value) if f.name not in kept},
    )


@cache
def hostile() -> list[Report]:
    reports = [poisoned(RICH, text) for text in HOSTILE]
    return [report for report in reports if isinstance(report, Report)]


@cache
def hostile_lines(style: Style) -> list[str]:
    """The lines of the rich report and of all hostile ones; no other character than \\n may end a line."""
    return [line for report in hostile() for line in to_text(report, style).split("\n")]


def columns(line: str) -> int:
    """Count columns as a terminal does, apart from color."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in click.unstyle(line))


# --- text


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_no_line_is_longer_than_the_width(style: Style) -> None:
    too_long = [line for line in hostile_lines(style) if columns(line) > style.width]
    assert not too_long


def test_the_narrowest_style_keeps_its_width_too() -> None:
    style = Style(width=40)
    assert max(columns(line) for line in hostile_lines(style)) == 40


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_the_only_escapes_are_colors(style: Style) -> None:
    lines = [click.unstyle(line) if style.color else line for line in hostile_lines(style)]
    assert not {c for line in lines for c in set(line) if unicodedata.category(c)[0] == "C"}


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_without_unicode_everything_is_ascii(style: Style) -> None:
    assert all(line.isascii() for line in hostile_lines(style)) is not style.unicode


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_no_line_is_a_command_to_a_ci_log(style: Style) -> None:
    lines = [click.unstyle(line) for line in hostile_lines(style)]
    assert not [line for line in lines if line.lstrip().startswith("::")]
    assert not [line for line in lines if "##[" in line or "##vso[" in line]


def test_color_changes_no_text() -> None:
    checks = tuple(
        replace(check, picture=None) for check in POOLING.checks
    )  # which has colors for characters
    report = replace(RICH, exercises=(replace(POOLING, checks=checks), *RICH.exercises[1:]))
    colored = to_text(report, Style(color=True))
    assert colored != to_text(report, Style())
    assert click.unstyle(colored) == to_text(report, Style())


def test_the_whole_text_is_its_blocks_as_the_command_prints_them() -> None:
    blocks = [exercise_text(exercise, Style()) for exercise in RICH.exercises]
    blocks += [quizzes_text(RICH.quizzes, Style()), summary_text(RICH, Style())]
    assert to_text(RICH, Style()) == "\n".join(blocks)
    assert quizzes_text((), Style()) == ""


@pytest.mark.parametrize(
    ("opened", "said"),
    [
        ((), "Stuck? `grade hint pooling` gives a nudge."),
        (("Pad.",), "Stuck? `grade hint pooling` opens hint 2 of 2."),
        (
            ("Pad.", "With -inf."),
            "Stuck? All 2 hints are open; `grade hint pooling 1` shows the first again.",
        ),
    ],
)
def test_the_advice_names_the_next_hint(opened: tuple[str, ...], said: str) -> None:
    text = to_text(RICH, Style(width=100), {"pooling": Help(opened=opened, count=2)})
    assert said in " ".join(text.split())
    assert "`grade hint relu` gives a nudge." in " ".join(text.split())  # without hints of its own


def test_output_and_large_values_are_capped() -> None:
    lines = "\n".join(f"line {n}" for n in range(500))
    shown = exercise_text(replace(BATCHNORM, output=lines), Style()).splitlines()
    assert len(shown) < 20
    assert "    │ (and more)" in shown
    example = Counterexample(call="f(x)", arguments=(Argument(name="x", value=lines),))
    failed = replace(RELU.checks[1], counterexample=example)
    shown = exercise_text(replace(RELU, checks=(failed,)), Style()).splitlines()
    assert len(shown) < 40
    assert "      ..." in shown


def test_rows_of_a_tensor_keep_their_columns() -> None:
    example = Counterexample(call="f(x)", arguments=(Argument(name="x", value="[[ 1,  2],\n [10, 20]]"),))
    failed = replace(RELU.checks[1], counterexample=example)
    text = exercise_text(replace(RELU, checks=(failed,)), Style())
    assert "      x\n      [[ 1,  2],\n       [10, 20]]\n" in text


def test_a_caret_stays_below_its_character() -> None:
    assert "        │ def f(:\n        │       ^\n" in exercise_text(LENET, Style())


def test_a_failed_check_comes_before_an_unwritten_or_void_one() -> None:
    unwritten, wrong = POOLING.checks[6], POOLING.checks[3]
    broken = TRAINING.checks[0]
    for checks, first in [
        ((unwritten, wrong), wrong),
        ((broken, unwritten), unwritten),
        ((broken, wrong), wrong),
        ((broken,), broken),
    ]:
        shown = exercise_content(replace(POOLING, checks=checks)).first
        assert shown is not None
        assert shown.title == first.title


def test_a_line_of_another_check_says_when_it_is_the_same_mistake() -> None:
    lines = exercise_text(POOLING, Style()).splitlines()
    assert any("Padding never wins · the same mistake" in line for line in lines)
    assert any("dropped · a known mistake, ceil-for-floor" in line for line in lines)


def test_points_are_never_rounded_up() -> None:
    nearly = replace(BATCHNORM, points=3.999, outcome=Outcome.FAILED)
    assert exercise_text(nearly, Style()).split("\n")[0].endswith("███████████░  3.99/4")


def test_a_style_has_a_least_width() -> None:
    with pytest.raises(ValueError, match="at least 40 columns"):
        Style(width=39)


def test_full_marks_are_praised_and_have_no_next_step() -> None:
    report = replace(RICH, points=8, max_points=8, score=1.0, exercises=(BATCHNORM, BATCHNORM), quizzes=())
    assert summary_text(report, Style()).endswith("Everything passes. Well done.")


def test_an_empty_report_has_a_summary_too() -> None:
    empty = replace(RICH, points=0, max_points=0, score=0.0, exercises=(), quizzes=())
    assert "not counted" in to_text(empty, Style())


GOLDEN = """\
pooling  Pooling by hand                                    ████░░░░░░░░  5.5/16

  ✗ Padding never wins · the same mistake                                    0/2
  ✗ Windows that stick out are dropped · a known mistake, ceil-for-floor     0/1
  ✗ Windows may overlap · `f` did not end within 4 s                         0/2
  ✗ The global average is (N, C) · The worker ended: SIGSEGV                 0/1
  ○ 1 more check asks for what is not written yet
  ○ 1 check waits for: The average divides by the window

    Your code printed:
    │ starting
    │ x = 3

  ✗ Negative inputs keep their sign                                          0/2
    The result is wrong in 2 of 2 places.

    The smallest input found that fails:
      call   max_pool2d(x, 2, stride=1)
      x (1, 1, 2, 3)   expected (1, 1, 1, 2)   got (1, 1, 1, 2)
      -1 -2 -1         -1 -1                   0 0
      -1 -1 -1
      where  everywhere: 0 where -1 is expected

    As a picture, from max_pool2d(x, 3), sample 1, channel 0 (8 x 5, drawn in
    blocks of 2 x 1):
    expected                got                     difference
    ░░▒▒▓▓████              ▓▓▓▓▓▓████              + + · · ·
    ██████████              ████████??              · · · · ??
    ░░░░░░░░░░              ░░░░░░░░░░              · · · · ·
    ▓▓▓▓▓▓▓▓▓▓              ▓▓▓▓▓▓▓▓··              · · · · --
    -1 .. 1                 -2 .. 1                 -2 .. 1
    values -2 ·░▒▓█ 1
    difference + too large, - too small, · right
    ? is NaN or infinite

    Your results are exactly those of a known mistake, zero-init:
      The maximum of negative numbers is negative: start from -inf.

  → Work this input out by hand, then follow your code through it.
    `grade replay pooling --pdb` stops in it. Stuck? `grade hint pooling` gives
    a nudge.

  ○ 2 of 9 checks pass.

relu  ReLU and its relatives                                ████░░░░░░░░     1/3

  ✗ Negative numbers leak                                                    0/2
    `leaky_relu` raised NameError: name 'slope' is not defined.

      exercises/relu.py:14 in leaky_relu
        │ return _scaled(x)
      exercises/relu.py:9 in _scaled
        │ return x * slope

    The smallest input found that fails:
      call  leaky_relu(x)
      x (1,)   expected (1,)
      0        0

  → Make this call work first. `grade replay relu --pdb` stops in it. Stuck?
    `grade hint relu` gives a nudge.

  ○ 1 of 2 checks pass.

lenet  LeNet-5, nearly                                      ░░░░░░░░░░░░    0/12

  ✗ Python cannot read your file: invalid syntax.

      exercises/lenet.py:3
        │ def f(:
        │       ^

  → The checks run as soon as the file loads.

freezing  Fine-tuning                                       ░░░░░░░░░░░░    0/10
  ○ Not attempted yet: open exercises/freezing.py.

batchnorm  Batch normalization by hand                      ████████████     4/4
  ✓ All 2 checks pass. `grade solution batchnorm` shows our solution,
    `grade next` goes on.

training  One step of training                                        not graded

  ! One step lowers the loss · The suite is broken                    not graded
  ✗ The step is small · It asked for 3 GiB                                   0/1
  ✗ The step is silent · It printed more than 1 MiB                          0/1

  ✗ Nothing is written                                                       0/1
    The worker sent bytes of its own.

  → Your code may only compute. Remove what does more than that, then grade
    again.

  ○ 0 of 4 checks pass.

quiz pooling  Pooling                                       ██████░░░░░░   2.5/5
  ✗ answers/pooling.yaml:7:3: there is no item "wich". Did you mean "which"?
  ✗ 2 shape                                                                0.5/1
    What shape has the output of a 2 x 2 window at stride 1?
    Your answer: (1, 8, 32, 32)
    A window at stride 1 fits 31 times.
    Padding would keep 32.
  ○ 2 not answered yet: 3 why, 4 when.

quiz lenet  LeNet                                           ░░░░░░░░░░░░     0/2
quiz activation  Activations                                ████████████     3/3
  ○ 1 of 3 not begun: `grade quiz lenet` asks the questions.

────────────────────────────────────────────────────────────────────────────────
pooling          Pooling by hand                            ████░░░░░░░░  5.5/16
relu             ReLU and its relatives                     ████░░░░░░░░     1/3
lenet            LeNet-5, nearly                            ░░░░░░░░░░░░    0/12
freezing         Fine-tuning                                ░░░░░░░░░░░░    0/10
batchnorm        Batch normalization by hand                ████████████     4/4
training         One step of training                                 not graded
quiz pooling     Pooling                                    ██████░░░░░░   2.5/5
quiz lenet       LeNet                                      ░░░░░░░░░░░░     0/2
quiz activation  Activations                                ████████████     3/3

Total  some of it could not be graded                                  not final

Isolation level 2 of 3: process, limits, seccomp, Landlock. Missing here:
namespaces. Seed 7.
Not graded, through an error in the grader: training. Nothing is decided: grade
again, or tell your instructor.
"""


def test_the_rich_report_looks_as_agreed() -> None:
    assert to_text(RICH, Style()) == GOLDEN.rstrip("\n")


def test_a_final_report_ends_with_its_total() -> None:
    assert "Total  29 %                                                 ███░░░░░░░░░   16/55\n" in to_text(
        FINAL, Style()
    )


def test_ascii_uses_plain_marks_and_bars() -> None:
    lines = exercise_text(POOLING, Style(unicode=False)).splitlines()
    assert lines[0].endswith("####--------  5.5/16")
    assert any(line.startswith("  x Negative inputs keep their sign  ") for line in lines)
    assert "  - 2 of 9 checks pass." in lines
    assert "    | x = 3" in lines


# --- JSON


def test_json_is_read_back_as_the_same_report() -> None:
    assert from_json(to_json(RICH)) == RICH


def test_hostile_text_survives_json_as_valid_ascii() -> None:
    for report in hostile():
        text = to_json(report)
        assert text.isascii()
        json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8")  # no lone surrogate is left
        assert to_document(from_json(text)) == json.loads(text)


def test_the_document_has_the_fields_of_the_contract() -> None:
    document = to_document(RICH)
    assert document["format"] == FORMAT == "convgrader/report/1"
    assert {"points", "max_points", "score", "isolation", "versions", "seed", "exercises", "quizzes"} < set(
        document
    )
    assert document["isolation"] == {
        "level": 2,
        "layers": ["process", "limits", "seccomp", "Landlock"],
        "missing": ["namespaces"],
    }
    failed = document["exercises"][0]["checks"][2]
    assert (failed["id"], failed["outcome"], failed["points"], failed["max_points"]) == (
        "test_negative",
        "failed",
        0,
        2,
    )
    assert failed["diagnosis"] == {
        "mistake": "zero-init",
        "message": ZERO.message,
        "of_check_alone": False,
    }


def names_in(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(names_in(item) for item in value.values()))
    return set().union(*(names_in(item) for item in value)) if isinstance(value, list) else set()


def test_every_field_and_outcome_is_described() -> None:
    page = (Path(__file__).parents[1] / "docs" / "report-format.md").read_text(encoding="utf-8")
    assert not [name for name in names_in(to_document(RICH)) | set(Outcome) if f"`{name}`" not in page]


def test_a_report_without_the_later_fields_can_be_read() -> None:
    document = to_document(RICH)
    for exercise in document["exercises"]:
        for each in exercise["checks"]:
            del each["picture"]
    first = from_json(json.dumps(document)).exercises[0]
    assert first.checks[2] == replace(POOLING.checks[2], picture=None)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"convgrader/report/1"', '"convgrader/report/2"', "its format is 'convgrader/report/2'"),
        ('"seed": 7', '"seed": "7"', r"Expected `int \| null`, got `str`"),
        ('"seed": 7', '"seed": 7, "grade": 1', "fields are missing or unknown"),
        ('"seed": 7,', "", "missing required field `seed`"),
        ('"outcome": "raised"', '"outcome": "perfect"', "Invalid enum value 'perfect'"),
        ('"points": 16', '"points": NaN', "it holds NaN"),
    ],
)
def test_what_is_not_exactly_a_report_is_refused(old: str, new: str, words: str) -> None:
    text = to_json(RICH)
    assert old in text
    with pytest.raises(ValueError, match=words):
        from_json(text.replace(old, new, 1))


NUMBERS = [
    "1e999",
    "-1e999",
    "1e308",
    "-1e308",
    "-1",
    "-0.5",
    "1e10",
    "9" * 400,
    "1" + "0" * 30,
    "1e-400",
    "0",
    "-0.0",
]


def places(value: object, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield where the numbers of a document are."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in steps:
        yield from places(item, (*here, key))
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield here


@pytest.mark.parametrize("number", NUMBERS)
def test_a_report_with_any_other_number_is_refused_or_can_be_rendered(number: str) -> None:
    found = list(places(to_document(RICH)))
    assert len(found) > 30
    for place in found:
        document = to_document(RICH)
        within: Any = document
        for step in place[:-1]:
            within = within[step]
        within[place[-1]] = "NUMBER"
        try:
            report = from_json(json.dumps(document).replace('"NUMBER"', number))
        except ValueError as error:
            assert len(str(error)) < 300, place
            continue
        assert all(math.isfinite(part.points) for part in (report, *report.exercises)), place
        assert to_text(report, STYLES[0]), place
        for render in (to_html, to_json, to_junit, to_markdown, to_gradescope):
            assert render(report), place


@pytest.mark.parametrize("number", ["1e999", "-1e308", "-1", "1e10"])
@pytest.mark.parametrize("field", ["points", "max_points", "duration_s", "score"])
def test_an_amount_that_none_can_be_is_refused_wherever_it_is(field: str, number: str) -> None:
    text = to_json(RICH, indent=None)
    found = list(re.finditer(rf'"{field}": [0-9.e+-]+', text))
    assert found
    for one in found:
        with pytest.raises(ValueError, match=r"does not follow|holds the number"):
            from_json(f'{text[: one.start()]}"{field}": {number}{text[one.end() :]}')


@pytest.mark.parametrize("plane", [(), ((),), ((1.0,), (1.0, 2.0)), ((1.0, 2.0), (1.0,))])
def test_a_picture_that_cannot_be_drawn_is_refused(plane: Plane) -> None:
    picture = replace(next(check.picture for check in POOLING.checks if check.picture), got=plane)
    broken = replace(POOLING, checks=(replace(POOLING.checks[0], picture=picture),))
    with pytest.raises(ValueError, match="the picture of"):
        from_json(to_json(replace(RICH, exercises=(broken,))))


@pytest.mark.parametrize("text", ["", "[]", "null", '{"format": 1}', "{", "[" * 200_000])
def test_another_document_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a report|Expecting"):
        from_json(text)


# --- JUnit


def test_junit_counts_are_those_of_its_cases() -> None:
    root = ET.fromstring(to_junit(RICH))
    counts = {name: root.get(name) for name in ("tests", "failures", "errors")}
    assert counts == {"tests": "26", "failures": "6", "errors": "9"}
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.attrib["tests"]) == len(cases)
        for attribute, child in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[attribute]) == len(suite.findall(f"testcase/{child}"))
    assert [suite.get("name") for suite in root][-3:] == ["quiz.pooling", "quiz.lenet", "quiz.activation"]


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_its_element(outcome: Outcome) -> None:
    part = replace(BATCHNORM, checks=(replace(BATCHNORM.checks[0], outcome=outcome, rationale="Why."),))
    case = ET.fromstring(to_junit(replace(RICH, exercises=(part,), quizzes=()))).find("testsuite/testcase")
    assert case is not None
    ours = {"passed": [], "skipped": ["skipped"], "failed": ["failure"], "not_attempted": ["failure"]}
    assert [child.tag for child in case] == ours.get(outcome, ["error"])
    if outcome not in (Outcome.PASSED, Outcome.SKIPPED):
        assert (case[0].get("type"), case[0].get("message")) == (outcome, "Why.")


def test_a_module_that_does_not_load_is_one_case_with_its_line() -> None:
    root = ET.fromstring(to_junit(replace(RICH, exercises=(LENET,), quizzes=())))
    error = root.find("testsuite/testcase/error")
    assert error is not None
    assert error.get("message") == LENET.message
    assert "exercises/lenet.py:3:" in (error.text or "")


def test_no_two_cases_share_a_name() -> None:
    cases = list(ET.fromstring(to_junit(RICH)).iter("testcase"))
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases)


def test_junit_holds_hostile_text_and_stays_well_formed() -> None:
    for report in hostile():
        text = to_junit(report)
        assert text.isascii()
        assert "<![CDATA[" not in text
        root = ET.fromstring(text)
        assert len(list(root.iter("testcase"))) >= 26
        assert not list(root.iter("system-out"))  # attachments are read there


def test_points_are_in_the_properties_of_a_suite() -> None:
    suite = ET.fromstring(to_junit(RICH)).find("testsuite")
    assert suite is not None
    assert {p.get("name"): p.get("value") for p in suite.iter("property")} == {
        "points": "5.5",
        "max_points": "16",
    }


def test_withdrawn_items_do_not_wait_for_an_answer():
    items = (
        ItemResult(id="given", type="order", prompt="Why?", points=2, max_points=2, answered=False),
        ItemResult(
            id="gone", type="grid", prompt="Why?", points=0, max_points=0, answered=True, response="1 2"
        ),
        ItemResult(
            id="right", type="text", prompt="Why?", points=1, max_points=1, answered=True, response="relu"
        ),
    )
    part = QuizResult(id="quiz", title="Quiz", points=3, max_points=3, items=items)
    report = replace(RICH, points=3, max_points=3, score=1.0, exercises=(), quizzes=(part,))
    text = quizzes_text(report.quizzes, Style())
    assert "not answered yet" not in text
    assert "gone" not in text
    given, gone, right = ET.fromstring(to_junit(report)).iter("testcase")
    assert (list(given), [child.get("message") for child in gone], list(right)) == (
        [],
        ["Withdrawn: it does not count."],
        [],
    )
    assert from_json(to_json(report)) == report


def test_two_mistakes_together_are_both_named() -> None:
    both = Diagnosis(mistake="zero-padding+stride-ignored", message="Pad with -inf. Use `stride`.")
    checks = [replace(c, diagnosis=both) if c.diagnosis == ZERO else c for c in POOLING.checks]
    text = exercise_text(replace(POOLING, checks=tuple(checks)), Style())
    words = " ".join(text.split())
    assert (
        "Your results are exactly those of two known mistakes together, zero-padding and stride-ignored: "
        "Pad with -inf. Use `stride`."
    ) in words
    assert (
        "Padding never wins - the same mistake" in words or "Padding never wins · the same mistake" in words
    )


def test_a_question_is_shown_with_its_code_and_no_further() -> None:
    prompt = "What does\nthis print?\n\n    x = 1\n\n    print(x)\n\nThink first."
    item = ItemResult(
        id="prints", type="code_output", prompt=prompt, points=0, max_points=1, answered=True, response="2"
    )
    long = replace(item, id="long", prompt="Why?\n\n" + "\n".join(f"    line {n}" for n in range(40)))
    part = QuizResult(id="quiz", title="Quiz", points=0, max_points=2, items=(item, long))
    lines = quizzes_text((part,), Style()).splitlines()
    start = lines.index("    What does this print?")
    assert lines[start + 1 : start + 5] == ["        x = 1", "", "        print(x)", "    Your answer: 2"]
    assert sum("line " in line for line in lines) == 11
    assert "        (and more)" in lines
