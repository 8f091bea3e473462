"""The fence around each submission of a class: whatever goes wrong with one, at any step, the others are graded."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grader.classroom import batch, remote_worker
from grader.classroom.batch import ClassRun, StudentResult, _PendingSubmission
from grader.classroom.executors import OpenedExecutor
from grader.classroom.gradebook import Gradebook, GradebookUnusable
from grader.cli.class_options import exit_code, refusal_line
from grader.cli.classes import _write_report
from grader.cli.student_reports import StudentReports
from grader.core import error_location
from grader.core.errors import GraderError, InternalError, IsolationRefused, UsageError
from grader.grading import attempt
from grader.submission import Stored, stored
from grader.submission.handed_in import HandedIn

COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")
STUDENTS = ("ann", "bob", "cyd", "dan", "eve")
VICTIM = "cyd"


@pytest.fixture
def handed_in(tmp_path) -> list[HandedIn]:
    """Five students with right solutions, each a text of its own."""
    for student in STUDENTS:
        folder = tmp_path / "handed-in" / student / "exercises"
        folder.mkdir(parents=True)
        (folder / "scaling.py").write_text(f"{REFERENCE}\n# by {student}\n", encoding="utf-8")
    return [HandedIn(student=student, path=tmp_path / "handed-in" / student) for student in STUDENTS]


@pytest.fixture
def current(monkeypatch) -> Callable[[], str]:
    """Return whose submission is inside the fence."""
    now = [""]
    fenced = ClassRun._fenced

    def watched(run, student, step):
        now[0] = student
        return fenced(run, student, step)

    monkeypatch.setattr(ClassRun, "_fenced", watched)
    return lambda: now[0]


@pytest.fixture
def run_class(course, dispatcher, tmp_path, monkeypatch) -> Callable[..., dict[str, StudentResult]]:
    """Grade with the shared warm process, in threads."""
    monkeypatch.setattr(remote_worker, "_dispatcher", dispatcher)

    def run(handed_in: list[HandedIn]) -> dict[str, StudentResult]:
        with Gradebook(tmp_path / "course.db") as book, ThreadPoolExecutor(2) as pool:
            opened = OpenedExecutor(pool=pool, width=2)
            whole = ClassRun(course=course, gradebook=book, executor=opened, seed=0, required_level=0)
            return {one.student: one for one in whole.grade(handed_in)}

    return run


def failing(original: Callable[..., object], when: Callable[..., bool], error: BaseException):
    """Return a function that raises `error` when it is called for the victim."""

    def step(*arguments, **named):
        if when(*arguments):
            raise error
        return original(*arguments, **named)

    return step


# Each step of a submission: where it is, and its name. Those of the executor are below.
STEPS = {
    "opening": (HandedIn, "open"),
    "reading a file": (stored.Recording, "read"),
    "listing files": (stored.Recording, "modules"),
    "planning": (attempt, "plan"),
    "quizzes": (attempt.Quizzes, "grade"),
    "packing": (Stored, "pack"),
    "fingerprints": (batch.fingerprint, "result"),
    "looking for the hand-in": (Gradebook, "find"),
    "looking into the cache": (Gradebook, "cached"),
    "the order": (_PendingSubmission, "work_order"),
    "taking the results": (_PendingSubmission, "add"),
    "adding up": (batch.scoring, "report"),
    "the time": (HandedIn, "moment"),
    "recording": (Gradebook, "add"),
}
ERRORS = [
    ValueError("embedded null byte"),
    OverflowError("date value out of range"),
    RecursionError("maximum recursion depth exceeded"),
    MemoryError(),
    UnicodeEncodeError("utf-8", "M\udcfcller", 1, 2, "surrogates not allowed"),
    AssertionError(),
    KeyError("\x1b[31m"),
    sqlite3.IntegrityError("UNIQUE constraint failed"),
    InternalError("a process of the grader failed"),
    TimeoutError("timed out"),
]


def assert_only_the_victim_lacks_a_grade(ended: dict[str, StudentResult], code: int) -> None:
    assert sorted(ended) == sorted(STUDENTS)
    assert {name: one.report.score for name, one in ended.items() if name != VICTIM} == dict.fromkeys(
        sorted(set(STUDENTS) - {VICTIM}), 1.0
    )
    (line,) = refusal_line(ended[VICTIM]).splitlines()
    assert line.startswith(f"not graded  {VICTIM}: ")
    assert line.isprintable()
    assert max(map(exit_code, ended.values())) == code


@pytest.mark.parametrize("step", STEPS)
def test_an_error_in_any_step_costs_only_its_submission(run_class, handed_in, current, monkeypatch, step):
    owner, name = STEPS[step]
    error = OverflowError("date value out of range")
    monkeypatch.setattr(owner, name, failing(getattr(owner, name), lambda *_: current() == VICTIM, error))
    ended = run_class(handed_in)
    assert_only_the_victim_lacks_a_grade(ended, code=3)
    assert "an error in the grader, OverflowError: date value out of range (grader/" in ended[VICTIM].refused


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_of_any_kind_costs_only_its_submission(run_class, handed_in, current, monkeypatch, error):
    monkeypatch.setattr(HandedIn, "moment", failing(HandedIn.moment, lambda *_: current() == VICTIM, error))
    assert_only_the_victim_lacks_a_grade(run_class(handed_in), code=3)


@pytest.mark.parametrize("error", [UsageError("no zip"), PermissionError(13, "Permission denied", "cyd.zip")])
def test_what_cannot_be_read_is_no_error_of_the_grader(run_class, handed_in, current, monkeypatch, error):
    monkeypatch.setattr(HandedIn, "open", failing(HandedIn.open, lambda *_: current() == VICTIM, error))
    assert_only_the_victim_lacks_a_grade(run_class(handed_in), code=1)


def is_of_victim(order: bytes) -> bool:
    return f"# by {VICTIM}".encode() in order


@pytest.mark.parametrize("reply", [b"", b"\xc1", b"\x80", b"\x81\xa9endings\x90" * 2])
def test_a_damaged_reply_of_an_executor_costs_only_its_submission(run_class, handed_in, monkeypatch, reply):
    perform = batch.perform
    monkeypatch.setattr(batch, "perform", lambda data: reply if is_of_victim(data) else perform(data))
    assert_only_the_victim_lacks_a_grade(run_class(handed_in), code=3)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_executor_that_fails_costs_only_its_submission(run_class, handed_in, monkeypatch, error):
    monkeypatch.setattr(batch, "perform", failing(batch.perform, is_of_victim, error))
    assert_only_the_victim_lacks_a_grade(run_class(handed_in), code=3)


def test_the_next_run_grades_what_the_fence_kept_out(run_class, handed_in, current, monkeypatch):
    with monkeypatch.context() as patch:
        step = failing(Gradebook.add, lambda *_: current() == VICTIM, ValueError())
        patch.setattr(Gradebook, "add", step)
        run_class(handed_in)
    ended = run_class(handed_in)
    assert {name for name, one in ended.items() if not one.again} == {VICTIM}
    assert all(one.report.score == 1 for one in ended.values())


# --- what ends the run, with words


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (sqlite3.OperationalError("database or disk is full"), GradebookUnusable),
        (sqlite3.DatabaseError("database disk image is malformed"), GradebookUnusable),
        (GradebookUnusable("Another process has locked the gradebook"), GradebookUnusable),
        (IsolationRefused(level=1, required=2, missing=()), IsolationRefused),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_what_concerns_every_submission_ends_the_run(
    run_class, handed_in, current, monkeypatch, error, expected
):
    monkeypatch.setattr(Gradebook, "add", failing(Gradebook.add, lambda *_: current() == VICTIM, error))
    with pytest.raises(expected) as caught:
        run_class(handed_in)
    if isinstance(error, sqlite3.Error):
        assert f"course.db cannot be used any more: {error}." in str(caught.value)
    assert isinstance(caught.value, GraderError | KeyboardInterrupt)


# --- what the instructor reads


def test_an_error_is_named_with_its_innermost_line_in_the_grader():
    with pytest.raises(UsageError) as caught:
        HandedIn(student="a", path=Path("x"), problem="two of them").open()
    found = error_location.summary(caught.value)
    assert found.startswith("UsageError: two of them (grader/submission/handed_in.py, line ")
    assert error_location.summary(ValueError()) == "ValueError"
    assert "\x1b" not in error_location.summary(ValueError("\x1b[31m"))


def test_a_report_that_cannot_be_written_is_a_remark_on_its_student_only(
    run_class, handed_in, tmp_path, monkeypatch
):
    ended = run_class(handed_in)
    writer = StudentReports(tmp_path / "reports", STUDENTS, {}, shows_seed=True)
    (tmp_path / "reports" / f"{VICTIM}.json").mkdir()
    remarks = {name: _write_report(writer, one) for name, one in ended.items()}
    assert [name for name, remark in remarks.items() if remark] == [VICTIM]
    assert "no report written: UsageError: " in remarks[VICTIM]
    assert len([path for path in (tmp_path / "reports").iterdir() if path.is_file()]) == 4
