"""The summary of a class, computed by hand for a small gradebook."""

import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from grader.classroom import statistics
from grader.classroom.gradebook import Gradebook
from grader.classroom.late_policy import Keep, Policy
from grader.classroom.statistics import ClassSummary, Share, Tally, distribution
from grader.classroom.statistics.mistake_counts import _holds_name
from grader.classroom.statistics.pseudonyms import _numbered
from grader.core import scoring
from grader.core.errors import InternalError, UsageError
from grader.core.model import (
    Argument,
    CheckResult,
    Counterexample,
    Diagnosis,
    ExerciseResult,
    Isolation,
    ItemResult,
    Outcome,
    QuizResult,
    Report,
    Versions,
)
from grader.course import fingerprint
from grader.submission import Stored

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
O = Outcome  # noqa: E741 - short in the tables below
TITLES = {"test_values": "Values", "test_dtype": "The dtype stays"}
SMALL = Counterexample(
    call="double(x)", arguments=(Argument(name="x", value="1"),), expected="2", got="1", smallest=True
)


def checks(first: Outcome, second: Outcome, mistake: str = "", example: Counterexample | None = SMALL):
    """The two checks of the miniature exercise, worth 2 and 1 points; a mistake explains those that failed."""
    found = []
    for (name, title), outcome, points in zip(TITLES.items(), (first, second), (2.0, 1.0), strict=True):
        wrong = outcome is O.FAILED
        found.append(
            CheckResult(
                id=name,
                title=title,
                outcome=outcome,
                points=points if outcome is O.PASSED else 0.0,
                max_points=points,
                counterexample=example if wrong else None,
                diagnosis=Diagnosis(mistake=mistake, message="As reported.") if wrong and mistake else None,
            )
        )
    return tuple(found)


def exercise(*found: CheckResult, whole: Outcome | None = None, name: str = "scaling", seconds: float = 1.0):
    outcome = whole or min((check.outcome for check in found), key=lambda outcome: outcome.severity)
    void = outcome is O.INTERNAL_ERROR
    return ExerciseResult(
        id=name,
        title="Scaling",
        outcome=outcome,
        points=0.0 if void else sum(check.points for check in found),
        max_points=0.0 if void else 3.0,
        checks=found,
        duration_s=seconds,
    )


def item(name: str, *, points: float = 0.0, answered: bool = True, slips: tuple[str, ...] = ()) -> ItemResult:
    return ItemResult(
        id=name,
        type="single",
        prompt="?",
        points=points,
        max_points=1.0,
        answered=answered,
        feedback=tuple(f"Mind {slip}." for slip in slips),
        misconceptions=slips,
    )


def report(*parts: ExerciseResult | QuizResult) -> Report:
    return scoring.report(
        [part for part in parts if isinstance(part, ExerciseResult)],
        [part for part in parts if isinstance(part, QuizResult)],
        isolation=Isolation(level=2),
        versions=Versions(grader="0", torch="2", python="3"),
        seed=0,
    )


def quiz(*items: ItemResult) -> QuizResult:
    return QuizResult(
        id="first", title="First", points=sum(i.points for i in items), max_points=len(items), items=items
    )


def content_of(student: str, hours: float) -> bytes:
    return Stored({"readme.txt": f"{student} {hours}".encode()}).pack()


def add(
    book: Gradebook, student: str, graded: Report, hours: float = 0.0, content: bytes | None = None
) -> None:
    """Add an attempt; the same student and hours are the same hand-in, graded once more."""
    content = content_of(student, hours) if content is None else content
    kinds = [(e.id, "exercise") for e in graded.exercises] + [(q.id, "quiz") for q in graded.quizzes]
    book.add(
        student,
        graded,
        submission=fingerprint.of(content.hex()),
        content=content,
        conditions=f"{student} {hours}",
        submitted_at=NOON + timedelta(hours=hours),
        parts={f"{kind} {part}": "print" for part, kind in kinds},
    )


RIGHT = exercise(*checks(O.PASSED, O.PASSED))
SQUARED = exercise(*checks(O.FAILED, O.PASSED, "squares"), seconds=3.0)
BOTH = exercise(*checks(O.FAILED, O.FAILED, "squares+unknown-one"))
UNEXPLAINED = exercise(*checks(O.PASSED, O.FAILED))
STUB = exercise(*checks(O.NOT_ATTEMPTED, O.NOT_ATTEMPTED))
BROKEN = exercise(whole=O.RAISED)
VOID = exercise(*checks(O.INTERNAL_ERROR, O.PASSED))


@pytest.fixture
def book(tmp_path):
    """Seven students: ada solves it in the second attempt; an error in the grader voids the only one of eve."""
    with Gradebook(tmp_path / "week.db") as opened:
        add(opened, "ada", report(SQUARED, quiz(item("a", slips=("no-bias",)), item("b", points=1.0))), -30)
        add(opened, "ada", report(RIGHT, quiz(item("a", points=1.0), item("b", points=1.0))), 1)
        add(
            opened,
            "bob",
            report(SQUARED, quiz(item("a", slips=("no-bias",)), item("b", slips=("no-bias",)))),
            -2,
        )
        add(opened, "cem", report(BOTH, quiz(item("a", answered=False), item("b", slips=("late",)))), 30)
        add(opened, "dan", report(UNEXPLAINED, quiz(item("a", points=1.0), item("b", answered=False))), -2)
        add(opened, "eve", report(VOID, quiz(item("a", answered=False), item("b", answered=False))), -2)
        add(opened, "fay", report(STUB, quiz(item("a", answered=False), item("b", answered=False))), -2)
        add(opened, "gil", report(BROKEN), -2)
        yield opened


@pytest.fixture
def summarize(book, course):
    def run(policy: Policy | None = None, *chosen: str) -> ClassSummary:
        return statistics.summarize(book, course, policy or Policy(), title="week", chosen=chosen, zone=UTC)

    return run


# --- numbers


def test_a_spread_has_the_quartiles_of_numpy():
    found = distribution.spread([0.4, 0.1, 0.2, 0.3])
    assert (found.n, found.low, found.high, found.median) == (4, 0.1, 0.4, 0.25)
    assert (found.lower_quartile, found.upper_quartile) == pytest.approx((0.175, 0.325))
    assert found.mean == 0.25
    assert found.deviation == pytest.approx(0.12909944)
    assert distribution.spread([]) is None


def test_one_number_is_its_own_quartiles_and_has_no_deviation():
    found = distribution.spread([0.5])
    assert (found.n, found.low, found.lower_quartile, found.median, found.high) == (1, 0.5, 0.5, 0.5, 0.5)
    assert found.deviation is None


def test_a_histogram_holds_every_score_once_and_full_marks_in_the_last_tenth():
    counts = [
        part.count for part in distribution.histogram([0.0, 0.0999, 0.1, 0.3, 0.1 + 0.2, 0.7, 0.999, 1.0])
    ]
    assert counts == [2, 1, 0, 2, 0, 0, 0, 1, 0, 2]


# --- exercises and checks


def test_an_exercise_counts_the_graded_students_by_outcome(summarize):
    (found,) = summarize().exercises
    assert (found.graded, found.max_points) == (6, 3.0)
    assert found.full == Share(count=1, of=6)
    assert found.not_attempted == Share(count=1, of=6)
    assert found.unexplained == Share(count=1, of=6)  # dan
    assert found.scores.mean == pytest.approx((1 + 1 / 3 + 0 + 2 / 3 + 0 + 0) / 6)
    assert found.seconds.high == 3.0
    assert found.seconds.n == 5  # without the stub
    assert [(tally.outcome, tally.count) for tally in found.tallies] == [
        (O.RAISED, 1),
        (O.NOT_ATTEMPTED, 1),
        (O.FAILED, 3),
        (O.PASSED, 1),
    ]


def test_a_check_that_could_not_run_has_the_outcome_of_its_exercise(summarize):
    values, dtype = summarize().exercises[0].checks
    assert (values.id, values.title, values.max_points) == ("test_values", "Values", 2.0)
    assert values.passed == Share(count=2, of=6)
    assert dtype.passed == Share(count=2, of=6)
    assert values.not_attempted == Share(count=1, of=6)
    assert Tally(outcome=O.RAISED, count=1) in values.tallies


def test_a_check_counts_only_students_whose_suite_had_it(book, summarize):
    add(book, "hal", report(exercise(checks(O.PASSED, O.PASSED)[0])))
    values, dtype = summarize().exercises[0].checks
    assert (values.passed.of, dtype.passed.of) == (7, 6)


def test_an_exercise_the_course_no_longer_has_comes_last(book, summarize):
    add(book, "hal", report(replace(RIGHT, id="ancient"), RIGHT))
    assert [found.id for found in summarize().exercises] == ["scaling", "ancient"]


# --- mistakes


def test_students_are_counted_once_for_a_mistake_and_a_pair_counts_for_both(summarize):
    squares, unknown = summarize(Policy(keep=Keep.LAST)).mistakes
    assert (squares.exercise, squares.id, squares.made) == (
        "scaling",
        "squares",
        Share(count=2, of=5),
    )  # bob, cem
    assert squares.together == 1
    assert squares.checks == ("Values", "The dtype stays")
    assert (unknown.id, unknown.made.count, unknown.together) == ("unknown-one", 1, 1)


def test_a_mistake_has_the_message_of_the_course_else_of_the_report(book, summarize):
    squares, unknown = summarize().mistakes
    assert (squares.name, squares.message) == ("double", "Twice x is x + x, not x * x.")
    assert (unknown.name, unknown.message) == ("", "")  # only ever seen in a pair, whose message is about two
    add(book, "hal", report(exercise(*checks(O.FAILED, O.PASSED, "unknown-one"))))
    assert summarize().mistakes[1].message == "As reported."


def test_the_example_is_the_smallest_call_that_most_failed_and_holds_no_name(book, summarize):
    other = replace(SMALL, call="double(y)")
    large = replace(SMALL, call="double(z)", smallest=False)
    named = replace(SMALL, got="ValueError: ADA LOVELACE was here")
    for n, example in enumerate((other, other, large, large, large)):
        add(book, f"student {n}", report(exercise(*checks(O.FAILED, O.PASSED, "squares", example))))
    for n in range(4):
        add(
            book, f"{n} lovelace@example.org", report(exercise(*checks(O.FAILED, O.PASSED, "squares", named)))
        )
    assert summarize().mistakes[0].example == other
    assert summarize().mistakes[1].example is None  # made together with another: its calls show both


@pytest.mark.parametrize(
    "poor", [replace(SMALL, expected=""), replace(SMALL, call=""), replace(SMALL, got="0 " * 200)]
)
def test_an_incomplete_or_long_call_is_no_example(book, summarize, poor):
    for n in range(9):
        add(book, f"student {n}", report(exercise(*checks(O.FAILED, O.PASSED, "squares", poor))))
    assert summarize().mistakes[0].example == SMALL


@pytest.mark.parametrize(("length", "is_example"), [(400, True), (401, False)])
def test_an_example_has_at_most_400_characters(book, summarize, length, is_example):
    used = len(SMALL.call) + len("x1") + len(SMALL.expected)
    long = replace(SMALL, got="0" * (length - used))
    for n in range(9):
        add(book, f"student {n}", report(exercise(*checks(O.FAILED, O.PASSED, "squares", long))))
    assert summarize().mistakes[0].example == (long if is_example else SMALL)


@pytest.mark.parametrize(("name", "is_name"), [("al", False), ("ada", True)])
def test_a_part_of_a_name_counts_from_three_letters_on(name, is_name):
    assert _holds_name(replace(SMALL, got=f"{name}: 1"), f"{name}@example.org") is is_name


@pytest.mark.parametrize("titles", [3, 4])
def test_a_mistake_names_at_most_three_checks(book, summarize, titles):
    (failed, _) = checks(O.FAILED, O.PASSED, "squares")
    many = (replace(failed, id=f"test_{n}", title=f"Title {n}") for n in range(titles))
    add(book, "hal", report(exercise(*many, name="other")))
    (found,) = (one for one in summarize().mistakes if one.exercise == "other")
    assert found.checks == ("Title 0", "Title 1", "Title 2")


def test_a_misconception_counts_students_among_those_who_answered_and_first_answers_only(summarize):
    bias, late = summarize().misconceptions
    assert (bias.id, bias.items, bias.feedback) == (
        "no-bias",
        (("first", "a"), ("first", "b")),
        "Mind no-bias.",
    )
    assert bias.made == Share(count=2, of=4)  # ada, whose second try is right, and bob; of those, cem and dan
    assert late.made == Share(count=1, of=3)


# --- students and times


def test_each_student_has_a_mark_hand_ins_and_whether_they_began(summarize):
    due = Policy(due=NOON, per_day_percent=10)
    students = {student.student: student for student in summarize(due).students}
    ada = students["ada"]
    assert (ada.hand_ins, ada.number, ada.days_late, ada.penalty_percent) == (2, 2, 1, 10)
    assert ada.score == pytest.approx(0.9)
    assert (ada.first, ada.last) == (NOON - timedelta(hours=30), NOON + timedelta(hours=1))
    assert [name for name, student in students.items() if not student.begun] == ["fay"]


def test_a_void_attempt_is_not_counted_and_is_listed(book, summarize, tmp_path, course):
    add(book, "bob", report(VOID), -2)  # his only hand-in, graded once more
    add(book, "dan", report(VOID), 3)
    found = summarize(Policy(keep=Keep.LAST))
    assert not {"bob", "dan", "eve"} & {student.student for student in found.students}
    assert [(s.student, s.exercises, s.marked) for s in found.void] == [
        ("bob", ("scaling",), False),
        ("dan", ("scaling",), False),
        ("eve", ("scaling",), False),
    ]
    with Gradebook(tmp_path / "void.db") as void:
        add(void, "eve", report(VOID))
        with pytest.raises(InternalError, match="graded in full"):
            statistics.summarize(void, course, Policy(), title="void")


def test_scores_and_days_are_those_of_the_class(summarize):
    found = summarize(Policy(due=NOON))
    assert found.scores.n == len(found.students) == sum(part.count for part in found.histogram) == 6
    assert found.hand_ins == ((1, 5), (2, 1))
    assert [(day.day, day.count, day.late) for day in found.days] == [
        (date(2026, 2, 28), 1, 0),
        (date(2026, 3, 1), 5, 1),
        (date(2026, 3, 2), 1, 1),
    ]


def test_grading_once_more_adds_no_hand_in(book, summarize):
    add(book, "gil", report(RIGHT), -2)
    found = next(student for student in summarize().students if student.student == "gil")
    assert (found.hand_ins, found.number, found.score) == (1, 1, 1.0)


def test_the_policy_chooses_the_hand_in_that_counts(book, summarize):
    add(book, "ada", report(STUB), 2)
    assert summarize().exercises[0].full.count == 1
    assert summarize(Policy(keep=Keep.LAST)).exercises[0].full.count == 0


def test_with_exercises_chosen_only_these_count(book, summarize):
    add(book, "hal", report(replace(RIGHT, id="other"), STUB))
    whole = summarize()
    assert [found.id for found in whole.exercises] == ["scaling", "other"]
    chosen = summarize(None, "other")
    assert [found.student for found in chosen.students] == ["hal"]
    assert (chosen.scores.mean, chosen.max_points) == (1.0, 3.0)
    assert [found.id for found in chosen.exercises] == ["other"]
    assert chosen.misconceptions == ()


def test_a_gradebook_without_attempts_is_refused(tmp_path, course):
    with Gradebook(tmp_path / "empty.db") as empty, pytest.raises(UsageError, match="holds no attempt"):
        statistics.summarize(empty, course, Policy(), title="empty")


# --- pseudonyms


def test_pseudonyms_stay_when_others_join_and_cannot_be_computed_from_a_list(book, tmp_path):
    before = statistics.pseudonyms(book)
    add(book, "aaron", report(RIGHT))
    after = statistics.pseudonyms(book)
    assert {name: after[name] for name in before} == before
    assert len(set(after.values())) == len(after) == 8
    with Gradebook(tmp_path / "other.db") as other:
        for name in before:
            add(other, name, report(RIGHT), content=b"other work")
        assert statistics.pseudonyms(other) != before
    with Gradebook(tmp_path / "empty.db") as empty:
        assert statistics.pseudonyms(empty) == {}


def test_two_students_never_share_a_number():
    names = [f"student {n}" for n in range(3000)]
    assert len(set(_numbered(names, b"secret").values())) == 3000


@pytest.mark.parametrize("count", [4, 5, 6])
def test_numbers_stay_distinct_when_all_are_used(monkeypatch, count):
    monkeypatch.setattr(sys.modules[_numbered.__module__], "_COUNT", 5)
    found = set(_numbered([f"student {n}" for n in range(count)], b"secret").values())
    assert len(found) == count
    assert found <= {f"student {1000 + n}" for n in range(max(count, 5))}


def test_an_anonymous_summary_holds_no_name_and_another_order(book, summarize):
    found = statistics.anonymous(summarize(), statistics.pseudonyms(book))
    assert all(student.student.startswith("student ") for student in found.students)
    assert sorted(student.points for student in found.students) == sorted(
        s.points for s in summarize().students
    )
    assert not any(name in repr(found) for name in ("ada", "bob", "'cem", "dan", "'eve", "fay", "gil"))
