"""What matters of one exercise is on a screen of 80x24 when the command ends: the first failure, and the next step."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.authoring.reference_submissions import mistake_modules, reference_modules
from grader.core.model import (
    Argument,
    CheckResult,
    Counterexample,
    Diagnosis,
    ExerciseResult,
    Frame,
    Outcome,
    Passage,
)
from grader.course import catalog
from grader.course.known_mistakes import read_mistakes
from grader.grading.messages import Graded, Job
from grader.report import Help, Style, check_text, exercise_text
from grader.report.content import exercise_content
from grader.report.example_text import MARK, example_lines
from grader.report.text_layout import columns

SCREEN = Style(width=80, height=24)
COURSE = catalog.load(catalog.find_root())
PASSAGE = Passage(page="4. Pooling", heading="Padding is not the same for both")
EVERY = 8  # one in so many known mistakes is graded here


def matrix(rows: int, numbers: int) -> str:
    return "\n".join([f"tensor of shape (1, 1, {rows}, {numbers})"] + [" ".join(["-1.25"] * numbers)] * rows)


def sentences(most: int) -> st.SearchStrategy[str]:
    return st.integers(1, most).map(lambda count: " ".join(["word"] * count) + ".")


@st.composite
def failures(draw: st.DrawFn) -> CheckResult:
    rows, numbers = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    example = Counterexample(
        call="max_pool2d(x, 2)",
        arguments=(Argument(name="x", value=matrix(draw(st.integers(1, 8)), draw(st.integers(1, 8)))),),
        expected=matrix(rows, numbers),
        got=matrix(rows, numbers),
        where=draw(sentences(25)),
        wrong=((draw(st.integers(1, rows)), draw(st.integers(0, numbers - 1))),),
        smallest=draw(st.booleans()),
    )
    frame = Frame(path="exercises/pooling.py", line=3, function="max_pool2d", text="    return x + 1")
    return CheckResult(
        id="test_first",
        title="The first check that fails",
        outcome=draw(st.sampled_from([Outcome.FAILED, Outcome.RAISED])),
        points=0.0,
        max_points=1.0,
        rationale=draw(sentences(30)),
        counterexample=draw(st.sampled_from([None, example])),
        diagnosis=draw(st.sampled_from([None, Diagnosis(mistake="of-signs", message="word " * 40)])),
        traceback=(frame,) * draw(st.integers(0, 9)),
        passage=draw(st.sampled_from([None, PASSAGE, Passage(page="page " * 20, heading="heading " * 20)])),
    )


def exercise(*checks: CheckResult) -> ExerciseResult:
    return ExerciseResult(
        id="pooling", title="Pooling", outcome=Outcome.FAILED, points=0.0, max_points=9.0, checks=checks
    )


def check(name: str, outcome: Outcome, rationale: str = "") -> CheckResult:
    return CheckResult(
        id=f"test_{name}",
        title=f"Check {name}",
        outcome=outcome,
        points=0.0,
        max_points=1.0,
        rationale=rationale,
    )


def screen(text: str) -> str:
    """Return what a screen of 24 lines shows when the shell has printed its prompt."""
    return "\n".join([*text.splitlines(), "$"][-24:])


def assert_on_screen(result: ExerciseResult) -> None:
    first = exercise_content(result).first
    assert first is not None
    text = exercise_text(result, SCREEN)
    assert all(columns(line) <= 80 for line in text.splitlines())
    shown = " ".join(screen(text).split())
    wanted = [" ".join(first.title.split())[:60], " ".join(first.rationale.split())[:40], "checks pass"]
    wanted += [" ".join(first.mistake.message.split())[-30:]] if first.mistake is not None else []
    wanted += [" ".join(first.advice.split())[-30:]]
    if first.example is not None:
        rows = first.example.rows
        table = next((row.value.split("\n") for row in rows if row.kind == "where" and "\n" in row.value), [])
        # A table of layers says itself what is expected and what came.
        wanted += [
            row.name for row in rows if row.kind in (("call",) if table else ("call", "expected", "got"))
        ]
        wanted += [" ".join(line.split()) for line in table[:1] + [line for line in table if line[0] == ">"]]
    assert [words for words in wanted if words not in shown] == [], text


TABLE = "\n".join(
    [
        "   layer  shape  expected  yours",
        *[f"   conv{n}  9  0 to 1  0 to 1" for n in range(6)],
        ">  last  9  0 to 1  -1 to 1",
        "last, in sample 3: first at channel 0,",
        "row 3: 1 instead of 2",
    ]
)


def test_a_table_of_layers_stays_where_values_do_not_fit():
    example = Counterexample(
        call="LeNet().eval().forward(x)", expected=matrix(4, 10), got=matrix(4, 10), where=TABLE, wrong=((1, 0),),
    )  # fmt: skip
    diagnosis = Diagnosis(mistake="of-signs", message="word " * 40)
    failed = replace(
        check("first", Outcome.FAILED, "It is wrong."), counterexample=example, diagnosis=diagnosis
    )
    shown = screen(exercise_text(exercise(failed), SCREEN)).splitlines()
    start = next(n for n, line in enumerate(shown) if line.split() == ["layer", "shape", "expected", "yours"])
    assert [line.split()[0] for line in shown[start + 1 : start + 5]] == ["conv5", ">", "last,", "row"]
    assert any("Check first" in line for line in shown)
    assert not any(line.lstrip().startswith(("expected", "got")) for line in shown)
    whole = [line.strip() for line in exercise_text(exercise(failed), Style()).splitlines()]
    assert all(line.strip() in whole for line in TABLE.split("\n"))


def test_what_follows_the_marked_row_of_a_long_table_does_not_hide_it():
    rows = [f"{'>' if n == 2 else ' '}  layer{n}" for n in range(12)]
    example = Counterexample(call="f(x)", where="\n".join(["   layer", *rows]))
    failed = replace(check("first", Outcome.FAILED, "Why. " * 150), counterexample=example)
    shown = exercise_text(exercise(failed), SCREEN)
    assert ">  layer2" in shown
    assert "layer11" not in shown


@given(failures())
def test_the_first_failure_is_on_the_screen_from_its_title_to_the_next_step(failed):
    assert_on_screen(exercise(*[check(f"{n}", Outcome.FAILED, "Why.") for n in range(20)], failed))


@given(failures())
def test_a_screen_that_is_not_known_cuts_nothing_and_verbose_shows_every_check_in_full(failed):
    both = exercise(failed, replace(failed, id="test_second"))
    assert "-v` shows" not in exercise_text(both, Style(width=80))
    text = exercise_text(both, Style(width=80), verbose=True)
    assert text.count("The first check that fails") == 2
    frames = text.count("exercises/pooling.py:3")
    assert frames == 2 * min(5, len(failed.traceback))


def test_the_first_failure_ends_with_the_place_that_explains_it_and_a_long_one_is_cut():
    failed = replace(check("first", Outcome.FAILED, "Why."), passage=PASSAGE)
    text = " ".join(exercise_text(exercise(failed), SCREEN).split())
    assert 'gives a nudge. Read "Padding is not the same for both" in 4. Pooling. ' in text
    long = replace(failed, passage=Passage(page="page " * 40, heading="heading"))
    text = exercise_text(exercise(long), SCREEN)
    assert 'Read "heading" in page page' in " ".join(text.split())
    assert "…" in text
    assert all(columns(line) <= 80 for line in text.splitlines())


def test_of_what_the_screen_has_no_lines_for_the_place_goes_last():
    wide = "\n".join(["tensor of shape (9, 9)"] + [" ".join(["-1.25"] * 9)] * 9)
    example = Counterexample(call="f(x)", expected=wide, got=wide, where="somewhere")
    failed = replace(check("first", Outcome.FAILED, "Why. " * 20), counterexample=example, passage=PASSAGE)
    for height in range(14, 60):
        text = exercise_text(exercise(failed), replace(SCREEN, height=height))
        if "Read" not in text:
            assert "..." in text  # values were cut before
    assert 'Read "Padding' in exercise_text(exercise(failed), SCREEN)


def test_what_waits_is_one_line_that_says_for_what():
    waiting = [check(f"{n}", Outcome.SKIPPED, "Waits for: Check one.") for n in range(7)]
    waiting.append(check("last", Outcome.SKIPPED, "Waits for: Check 3."))
    text = exercise_text(exercise(check("one", Outcome.FAILED, "No."), *waiting), SCREEN)
    assert "8 checks wait for: Check one\n" in text
    waiting[0] = check("0", Outcome.SKIPPED, "Waits for: Check two.")
    text = exercise_text(exercise(check("one", Outcome.FAILED, "No."), *waiting), SCREEN)
    assert "8 checks wait for 2 others to pass\n" in text


def test_what_is_not_written_is_one_line():
    checks = [check("one", Outcome.FAILED, "No."), *[check(f"{n}", Outcome.NOT_ATTEMPTED) for n in range(5)]]
    assert "5 more checks ask for what is not written yet\n" in exercise_text(exercise(*checks), SCREEN)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (None, "1 of 2 checks pass."),
        (0, "1 of 2 checks pass, 1 more than last time."),
        (1, "1 of 2 checks pass."),
        (2, "1 of 2 checks pass, 1 fewer than last time."),
    ],
)
def test_the_last_line_counts_what_passes_and_what_was_gained(before, said):
    result = exercise(check("one", Outcome.PASSED), check("two", Outcome.FAILED, "No."))
    assert exercise_text(result, SCREEN, Help(passed_before=before)).rstrip().endswith(said)


def example_of(**fields: object) -> str:
    failed = check("one", Outcome.FAILED, "No.")
    values = {"call": "f(x)", "expected": matrix(2, 3), "got": matrix(2, 3), **fields}
    result = exercise(
        CheckResult(
            **{name: getattr(failed, name) for name in ("id", "title", "outcome", "points", "max_points")},
            counterexample=Counterexample(**values),
        )
    )
    found = exercise_content(result).first
    assert found is not None
    assert found.example is not None
    return "\n".join(example_lines(found.example, Style(width=80)))


def test_expected_and_got_stand_side_by_side_and_wrong_cells_are_marked():
    lines = example_of(wrong=((1, 2), (2, 0))).splitlines()
    title = next(line for line in lines if "expected" in line)
    assert "got (1, 1, 2, 3), wrong *" in title
    column = title.index("got")
    rows = [line[column:].rstrip() for line in lines[lines.index(title) + 1 :]]
    assert rows == ["-1.25  -1.25  -1.25*", "-1.25* -1.25  -1.25"]


def test_values_that_are_too_wide_stand_below_each_other_and_none_is_cut():
    wide = matrix(2, 11)
    text = example_of(expected=wide, got=wide)
    assert text.count(" ".join(["-1.25"] * 11)) == 4


def test_of_many_lines_those_around_the_first_wrong_cell_are_shown():
    tall = "\n".join(["tensor of shape (40, 1)", *map(str, range(40))])
    text = example_of(expected=tall, got=tall, wrong=((31, 0),))
    assert f"30{MARK}" in text
    assert len(text.splitlines()) < 20
    assert re.search(r"\.\.\. +\.\.\.", text)


def test_one_check_is_shown_whatever_its_outcome():
    result = exercise(check("one", Outcome.PASSED), check("two", Outcome.FAILED, "No."))
    assert "Check one" in check_text(result, "test_one", SCREEN)
    assert "Check two" not in check_text(result, "test_one", SCREEN)


@pytest.mark.cold
@pytest.mark.parametrize("of", COURSE.exercises, ids=lambda exercise: exercise.id)
def test_known_mistakes_are_explained_on_one_screen(dispatcher, of):
    for mistake in read_mistakes(of.folder / "mistakes.py")[::EVERY]:
        sources = reference_modules(COURSE) | mistake_modules(of, mistake)
        (graded,) = dispatcher.grade([Job(exercise=of, module=of.id, sources=sources, seed=0)])
        assert isinstance(graded, Graded), graded
        assert_on_screen(graded.result)
