"""A class: what counts as a submission, who hurts whom, and that strangers are not graded below level 2."""

import json
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from grader import quiz, report
from grader.classroom import batch, remote_worker
from grader.classroom.batch import ClassRun
from grader.classroom.executors import open_executor
from grader.classroom.gradebook import Gradebook
from grader.classroom.remote_worker import WorkOrder
from grader.cli.classes import class_command
from grader.cli.regrade import regrade_command
from grader.core import scoring
from grader.core.errors import IsolationRefused, UsageError
from grader.core.model import CheckResult, ExerciseResult, Isolation, Outcome, Report, Versions
from grader.grading import attempt, messages
from grader.grading.dispatcher import MAX_LEVEL_VARIABLE
from grader.submission import open_submission
from grader.submission.collection import HandedIn

COURSE = Path(__file__).parent / "course"
HOSTILE_COURSE = Path(__file__).parent / "hostile_course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")


@pytest.fixture
def handed_in(tmp_path):
    """Three students: one solved everything, one zipped the stub, one handed in something else."""
    folder = tmp_path / "handed-in"
    (folder / "ada" / "exercises").mkdir(parents=True)
    (folder / "ada" / "exercises" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    with zipfile.ZipFile(folder / "bob.zip", "w") as archive:
        archive.write(COURSE / "exercises" / "scaling.py", "bob/exercises/scaling.py")
    (folder / "cyd.zip").write_text("no zip", encoding="utf-8")
    (folder / "readme.txt").write_text("not a submission", encoding="utf-8")
    (folder / ".git").mkdir()
    (folder / "eve").symlink_to(folder / "ada")
    return folder


@pytest.fixture
def grade_class(monkeypatch):
    """Run `grade class` on the miniature course."""
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(class_command, list(map(str, arguments)), standalone_mode=False)

    return run


def told(done: Result) -> dict[str, str]:
    """Return the lines of a run by student."""
    *lines, _ = done.output.splitlines()
    return {
        line.split("%  ")[-1].split(" ")[0] if "%" in line else line.split()[2].rstrip(":"): line
        for line in lines
    }


def test_everybody_gets_a_line_and_a_report_and_a_bad_zip_hurts_no_other(grade_class, handed_in, tmp_path):
    done = grade_class(handed_in, "--reports", tmp_path / "reports")
    lines = told(done)
    assert done.return_value == 1, done.output
    assert lines["ada"].split() == ["13", "of", "13", "100.0%", "ada"]
    assert lines["bob"].split() == ["0", "of", "13", "0.0%", "bob"]
    assert lines["cyd"].strip().startswith("not graded  cyd: ")
    assert "2 of 3 submissions graded in" in done.output.splitlines()[-1]
    written = {path.stem: path.read_text("utf-8") for path in (tmp_path / "reports").iterdir()}
    assert {name: report.from_json(text).points for name, text in written.items()} == {
        "ada": 13.0,
        "bob": 0.0,
    }


@pytest.mark.parametrize("level", [1, 0])
def test_a_class_is_not_graded_below_level_two_unless_told_otherwise(
    grade_class, handed_in, tmp_path, monkeypatch, level
):
    monkeypatch.setenv(MAX_LEVEL_VARIABLE, str(level))
    done = grade_class(handed_in, "--reports", tmp_path / "reports")
    assert isinstance(done.exception, IsolationRefused)
    assert done.exception.exit_code == 3
    assert "13 of" not in done.output
    assert list((tmp_path / "reports").iterdir()) == []
    accepted = grade_class(handed_in, "--require-isolation", level, "--reports", tmp_path / "reports")
    assert accepted.return_value == 1
    assert json.loads((tmp_path / "reports" / "ada.json").read_text("utf-8"))["isolation"]["level"] == level


def test_a_name_steers_no_terminal_and_commands_no_ci(grade_class, tmp_path):
    for name in ("::error::red", "\x1b[31mred"):
        (tmp_path / name / "exercises").mkdir(parents=True)
    done = grade_class(tmp_path)
    assert "\x1b" not in done.output
    assert "\\x1b[31mred" in done.output
    assert not any(line.lstrip().startswith("::") for line in done.output.splitlines())


# --- the gradebook


def attempts(path: Path) -> list[tuple[str, int, float]]:
    with Gradebook(path) as book:
        return [(a.student, a.number, a.report.points) for a in book.attempts()]


def test_what_has_not_changed_is_not_graded_again(grade_class, handed_in, tmp_path):
    book = tmp_path / "course.db"
    first = told(grade_class(handed_in, "--gradebook", book))
    second = told(grade_class(handed_in, "--gradebook", book))
    assert attempts(book) == [("ada", 1, 13.0), ("bob", 1, 0.0)]
    assert second["ada"] == f"{first['ada']} (unchanged)"
    assert second["bob"] == f"{first['bob']} (unchanged)"


def test_a_student_who_hands_in_again_gets_another_attempt(grade_class, handed_in, tmp_path):
    book = tmp_path / "course.db"
    grade_class(handed_in, "--gradebook", book)
    module = handed_in / "ada" / "exercises" / "scaling.py"
    module.write_text(f"{REFERENCE}\n\ndef double(x):\n    return x * x\n", encoding="utf-8")
    again = told(grade_class(handed_in, "--gradebook", book))
    assert "unchanged" not in again["ada"]
    assert "unchanged" in again["bob"]
    (_, _, before), (_, _, after) = attempts(book)[:2]
    assert before == 13.0 > after


def test_another_seed_is_another_grading(grade_class, handed_in, tmp_path):
    book = tmp_path / "course.db"
    grade_class(handed_in, "--gradebook", book)
    assert "unchanged" not in grade_class(handed_in, "--gradebook", book, "--seed", "5").output
    assert [number for _, number, _ in attempts(book)] == [1, 2, 1, 2]


def test_a_changed_suite_grades_its_exercise_anew_and_no_other(tmp_path, monkeypatch, handed_in):
    course = Path(
        shutil.copytree(HOSTILE_COURSE, tmp_path / "course", ignore=shutil.ignore_patterns("__pycache__"))
    )
    monkeypatch.setenv("CONVGRADER_COURSE", str(course))
    for student in ("ada", "bob"):
        shutil.rmtree(handed_in / student, ignore_errors=True)
        for name in ("halving", "shifting"):
            (handed_in / student / "exercises").mkdir(parents=True, exist_ok=True)
            shutil.copy(
                course / "solutions" / name / "reference.py", handed_in / student / "exercises" / f"{name}.py"
            )
    for leftover in ("bob.zip", "cyd.zip"):
        (handed_in / leftover).unlink()
    graded: list[str] = []
    original = batch.perform

    def watched(data: bytes) -> bytes:
        work = msgspec.msgpack.decode(data, type=WorkOrder)
        graded.extend(messages.decode(job).module for job in work.jobs)
        return original(data)

    monkeypatch.setattr(batch, "perform", watched)
    run = [
        str(handed_in),
        "--gradebook",
        str(tmp_path / "course.db"),
        "--executor",
        "local",
    ]  # so that we see it
    assert CliRunner().invoke(class_command, run, standalone_mode=False).return_value == 0
    # Both handed in the same: with one at a time, the second is not graded at all.
    assert sorted(set(graded)) == ["halving", "shifting"]
    graded.clear()
    suite = course / "solutions" / "halving" / "test_halving.py"
    suite.write_text(suite.read_text("utf-8") + "\n# changed\n", encoding="utf-8")
    assert CliRunner().invoke(class_command, run, standalone_mode=False).return_value == 0
    assert set(graded) == {"halving"}


def test_a_result_from_a_lower_level_is_not_taken_for_one_of_a_higher(
    grade_class, handed_in, tmp_path, monkeypatch
):
    book = tmp_path / "course.db"
    monkeypatch.setenv(MAX_LEVEL_VARIABLE, "1")
    grade_class(handed_in, "--gradebook", book, "--require-isolation", "0")
    monkeypatch.delenv(MAX_LEVEL_VARIABLE)
    again = grade_class(handed_in, "--gradebook", book, "--reports", tmp_path / "reports")
    assert "unchanged" not in again.output
    level = json.loads((tmp_path / "reports" / "ada.json").read_text("utf-8"))["isolation"]["level"]
    assert level >= 2
    lower = grade_class(handed_in, "--gradebook", book, "--require-isolation", "0")
    assert lower.output.count("unchanged") == 2


SLOW = "import time\n\n\ndef double(x):\n    time.sleep(0.2)\n    return 2 * x\n"


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_a_run_that_is_ended_loses_nothing_that_was_finished(tmp_path, monkeypatch, signal_number):
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))
    folder, book = tmp_path / "handed-in", tmp_path / "course.db"
    for n in range(12):
        (folder / f"student{n:02}" / "exercises").mkdir(parents=True)
        text = f"{REFERENCE}\n\n{SLOW}# {n}\n"
        (folder / f"student{n:02}" / "exercises" / "scaling.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "grader", "class", str(folder), "--gradebook", str(book), "--jobs", "2"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen = [run.stdout.readline() for _ in range(3)]
    run.send_signal(signal_number)
    output, errors = run.communicate(timeout=60)
    finished = {line.split()[-1] for line in (*seen, *output.splitlines()) if "student" in line}
    assert 3 <= len(finished) < 12, errors
    if signal_number == signal.SIGINT:
        assert (run.returncode, errors.strip()) == (130, "Interrupted.")
    kept = {student for student, _, _ in attempts(book)}
    assert finished <= kept
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(unchanged)") == len(kept)
    assert attempts(book) == [(f"student{n:02}", 1, 13.0) for n in range(12)]


@pytest.mark.parametrize("executor", ["processes", "local"])
def test_a_warm_process_that_dies_costs_only_what_it_was_doing(handed_in, tmp_path, course, executor):
    with Gradebook(tmp_path / "course.db") as book, open_executor(executor, 1) as opened:
        run = ClassRun(course=course, gradebook=book, executor=opened, seed=0, required_level=0)
        (first,) = run.grade([HandedIn(student="ada", path=handed_in / "ada")])
        assert first.report.points == 13.0
        remote_worker._dispatcher._starter._process.kill()
        remote_worker._dispatcher._starter._process.wait()
        (second,) = run.grade([HandedIn(student="bob", path=handed_in / "bob.zip")])
        assert second.report.max_points == 13.0


def test_work_meant_for_another_version_is_refused_and_costs_nobody_points(
    handed_in, tmp_path, course, monkeypatch
):
    with Gradebook(tmp_path / "course.db") as book, open_executor("local", 1) as opened:
        run = ClassRun(course=course, gradebook=book, executor=opened, seed=0, required_level=0)
        monkeypatch.setattr(remote_worker, "_local_exercise", lambda *_: None)
        (ended,) = run.grade([HandedIn(student="ada", path=handed_in / "ada")])
    (result,) = ended.report.exercises
    assert (result.outcome, result.max_points) == ("internal_error", 0.0)
    assert "another version of scaling" in result.message


def test_the_quizzes_are_read_once_for_a_class(grade_class, handed_in, monkeypatch):
    read = []
    original = quiz.load_banks
    monkeypatch.setattr(quiz, "load_banks", lambda folder: read.append(folder) or original(folder))
    done = grade_class(handed_in)
    assert "2 of 3 submissions graded" in done.output
    assert read == [COURSE / "quizzes"]


def test_in_a_class_as_alone_the_same_example_is_found(grade_class, handed_in, tmp_path, dispatcher, course):
    module = handed_in / "ada" / "exercises" / "scaling.py"
    module.write_text(f"{REFERENCE}\n\ndef double(x):\n    return x * x\n", encoding="utf-8")
    grade_class(handed_in, "--reports", tmp_path / "reports")
    in_class = report.from_json((tmp_path / "reports" / "ada.json").read_text("utf-8"))
    (alone,) = attempt.grade_exercises(dispatcher, open_submission(handed_in / "ada"), course.exercises, 0)
    assert any(check.counterexample and check.counterexample.smallest for check in alone.checks)
    whole = replace(in_class, exercises=(alone,))
    assert scoring.without_times(in_class).exercises == scoring.without_times(whole).exercises


def test_where_nothing_is_wrong_no_mistake_is_read(own_course, handed_in, tmp_path):
    mistakes = own_course / "solutions" / "scaling" / "mistakes.py"
    mistakes.write_text("raise ValueError('read')\n", encoding="utf-8")
    module = tmp_path / "handed-in" / "dan" / "scaling.py"
    module.parent.mkdir()
    module.write_text(f"{REFERENCE}\n\ndef double(x):\n    return x * x\n", encoding="utf-8")
    run = [str(handed_in), "--reports", str(tmp_path / "reports")]
    CliRunner().invoke(class_command, run, standalone_mode=False)
    told = {
        path.stem: report.from_json(path.read_text("utf-8")).exercises[0].message
        for path in (tmp_path / "reports").iterdir()
    }
    assert told["ada"] == ""
    assert "ValueError: read" in told["dan"]


def test_without_a_warm_process_none_is_left_dead(monkeypatch, handed_in, tmp_path, course):
    monkeypatch.setenv(MAX_LEVEL_VARIABLE, "0")
    with Gradebook(tmp_path / "course.db") as book, open_executor("local", 1) as opened:
        run = ClassRun(course=course, gradebook=book, executor=opened, seed=0, required_level=0)
        for n in range(4):
            module = handed_in / "ada" / "exercises" / "scaling.py"
            module.write_text(f"{REFERENCE}\n# {n}\n", encoding="utf-8")
            (ended,) = run.grade([HandedIn(student="ada", path=handed_in / "ada")])
            assert ended.report.points == 13.0
        assert (
            len(remote_worker._dispatcher._starter._running) <= 2
        )  # the one before the last may be ending just now


# --- grading again


@pytest.fixture
def own_course(tmp_path, monkeypatch) -> Path:
    """A copy of the miniature course that a test may change."""
    copied = Path(shutil.copytree(COURSE, tmp_path / "course", ignore=shutil.ignore_patterns("__pycache__")))
    monkeypatch.setenv("CONVGRADER_COURSE", str(copied))
    return copied


def regrade(*arguments: str | Path) -> Result:
    return CliRunner().invoke(regrade_command, list(map(str, arguments)), standalone_mode=False)


def test_grading_again_tells_whose_score_changes_and_how(own_course, handed_in, tmp_path):
    book = tmp_path / "course.db"
    CliRunner().invoke(class_command, [str(handed_in), "--gradebook", str(book)], standalone_mode=False)
    assert regrade(book).output == "0 of 2 students changed.\n"
    shutil.rmtree(handed_in)  # the gradebook holds what was handed in
    suite = own_course / "solutions" / "scaling" / "test_scaling.py"
    title = '"""Every value is doubled"""'
    text = suite.read_text("utf-8")
    assert title in text
    suite.write_text(text.replace(title, f"{title}\n    assert False, 'harder'"), encoding="utf-8")
    dry = regrade(book, "--dry-run")
    assert dry.return_value == 0, dry.output
    assert dry.output.splitlines()[0].endswith("  ada")
    assert "scaling test_values: passed" in dry.output
    assert "-> failed 0/" in dry.output
    assert "bob" not in dry.output
    assert dry.output.endswith("1 of 2 students would change.\n")
    assert [number for _, number, _ in attempts(book)] == [1, 1]
    again = regrade(book)
    assert again.output.replace("changed", "would change") == dry.output
    assert [(student, number) for student, number, _ in attempts(book)] == [
        ("ada", 1),
        ("ada", 2),
        ("bob", 1),
        ("bob", 2),
    ]
    assert regrade(book, "ada").output == "0 of 1 students changed.\n"


def test_grading_again_needs_somebody(own_course, tmp_path):
    empty = tmp_path / "empty.db"
    with Gradebook(empty):
        pass
    assert isinstance(regrade(empty).exception, UsageError)
    done = regrade(empty, "eve")
    assert "eve has no attempt in this gradebook" in str(done.exception)


def test_a_report_tells_what_differs_from_another():
    def exercise(**ends: tuple[Outcome, float]) -> ExerciseResult:
        checks = tuple(
            CheckResult(id=name, title="", outcome=outcome, points=points, max_points=2.0)
            for name, (outcome, points) in ends.items()
        )
        return ExerciseResult(
            id="e", title="", outcome=Outcome.FAILED, points=0.0, max_points=4.0, checks=checks
        )

    def whole(*exercises: ExerciseResult) -> Report:
        return Report(
            points=0.0, max_points=0.0, score=0.0, isolation=Isolation(level=3),
            versions=Versions(grader="", torch="", python=""), seed=0, exercises=exercises,
        )  # fmt: skip

    one = whole(exercise(a=(Outcome.PASSED, 2.0), b=(Outcome.FAILED, 0.0), c=(Outcome.PASSED, 2.0)))
    other = whole(exercise(a=(Outcome.PASSED, 2.0), b=(Outcome.PASSED, 2.0), d=(Outcome.PASSED, 2.0)))
    assert report.changes(one, one) == []
    assert report.changes(one, other) == ["e b: failed 0/2 -> passed 2/2", "e c is gone", "e d is new"]
    assert report.changes(one, whole()) == ["e is gone"]
