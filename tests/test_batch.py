"""Grading a class: which files are submissions, that none affects another, and the required isolation level."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click import Command
from click.testing import CliRunner, Result

from grader import quiz, report
from grader.classroom import batch, remote_worker
from grader.classroom.batch import ClassRun, StudentResult
from grader.classroom.executors import OpenedExecutor, open_executor
from grader.classroom.gradebook import CachedResult, Gradebook
from grader.classroom.remote_worker import WorkOrder, WorkResult
from grader.cli.class_options import refusal_line, shown_name
from grader.cli.classes import class_command
from grader.cli.export import export_command
from grader.cli.regrade import _change_lines, regrade_command
from grader.cli.stats import stats_command
from grader.core import scoring
from grader.core.errors import IsolationRefused, UsageError
from grader.core.model import CheckResult, ExerciseResult, Isolation, Outcome, Report, Versions
from grader.grading import attempt, messages
from grader.grading.dispatcher import MAX_LEVEL_VARIABLE
from grader.grading.messages import DEFAULT_SEED
from grader.submission import open_submission
from grader.submission.handed_in import HandedIn

pytestmark = pytest.mark.usefixtures("forked_warm_processes")

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
    return folder


@pytest.fixture
def grade_class(monkeypatch):
    """Run `grade class` on the miniature course."""
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(class_command, list(map(str, arguments)), standalone_mode=False)

    return run


def lines_by_student(done: Result) -> dict[str, str]:
    """Return the output lines of a run by student."""
    *lines, _ = done.output.splitlines()
    return {
        line.split("%  ")[-1].split(" ")[0] if "%" in line else line.split()[2].rstrip(":"): line
        for line in lines
    }


def test_each_student_has_a_line_and_a_report_and_a_bad_zip_affects_no_other(
    grade_class, handed_in, tmp_path
):
    done = grade_class(handed_in, "--reports", tmp_path / "reports")
    lines = lines_by_student(done)
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
def test_a_class_is_not_graded_below_level_two_unless_the_option_allows_it(
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


def test_a_name_holds_no_terminal_sequence_and_no_ci_command(grade_class, tmp_path):
    for name in ("::error::red", "\x1b[31mred"):
        (tmp_path / name / "exercises").mkdir(parents=True)
    done = grade_class(tmp_path)
    assert "\x1b" not in done.output
    assert "\\x1b[31mred" in done.output
    assert not any(line.lstrip().startswith("::") for line in done.output.splitlines())


# --- the folder of reports


@pytest.mark.parametrize(
    ("option", "place"),
    [
        ("--reports", "reports"), ("--reports", "new/reports"), ("--reports", "ada"), ("--reports", "ada/reports"),
        ("--reports", "../handed-in/reports"), ("--reports", "link/reports"), ("--reports", ".reports"),
        ("--gradebook", "ada/course.db"), ("--gradebook", "ada/exercises/course.db"), ("--gradebook", "course.zip"),
        ("--gradebook", "course.IPYNB"), ("--gradebook", "link/course.zip"),
    ],
)  # fmt: skip
def test_an_output_among_the_hand_ins_is_refused_before_anything_is_written(
    grade_class, handed_in, option, place
):
    (handed_in / "link").symlink_to(handed_in)
    before = sorted(handed_in.rglob("*"))
    done = grade_class(handed_in, option, handed_in / place)
    assert isinstance(done.exception, UsageError)
    assert re.search(r"would be .*hand-in.* Name a (file|folder) outside of it\.$", str(done.exception))
    assert sorted(handed_in.rglob("*")) == before


def test_outputs_beside_the_hand_ins_become_no_student(grade_class, handed_in):
    outputs = ["--gradebook", handed_in / "course.db", "--reports", handed_in]
    for _ in range(2):
        done = grade_class(handed_in, *outputs)
        assert lines_by_student(done).keys() == {"ada", "bob", "cyd"}


@pytest.mark.parametrize("ending", [".json", ".json.old"])
def test_a_folder_of_reports_among_the_hand_ins_is_named_and_not_graded(
    grade_class, handed_in, tmp_path, ending
):
    book = tmp_path / "course.db"
    grade_class(handed_in, "--gradebook", book, "--reports", tmp_path / "reports")
    (handed_in / "reports").mkdir()
    written = (tmp_path / "reports" / "ada.json").read_bytes()
    (handed_in / "reports" / f"ada{ending}").write_bytes(written)
    (handed_in / "reports" / "ada.html").write_text("a page", encoding="utf-8")
    (handed_in / "ada" / "ada.json").write_bytes(written)  # a student may hand in a report with the work
    done = grade_class(handed_in, "--gradebook", book)
    lines = lines_by_student(done)
    assert done.return_value == 1
    assert lines["reports"].strip().startswith("not graded  reports: reports holds reports of the grader")
    assert lines["ada"].split()[:3] == ["13", "of", "13"]
    with Gradebook(book) as opened:
        assert opened.last_number("reports") == 0
        assert opened.last_number("ada") > 0


def test_reports_of_an_earlier_run_are_set_aside_until_they_are_replaced(grade_class, handed_in, tmp_path):
    reports = tmp_path / "reports"
    grade_class(handed_in, "--reports", reports)
    (reports / "notes.json").write_text('{"mine": 1}', encoding="utf-8")
    (reports / "ada.html").write_text("mine", encoding="utf-8")
    (handed_in / "bob.zip").write_text("no zip any more", encoding="utf-8")
    done = grade_class(handed_in, "--reports", reports)
    assert sorted(path.name for path in reports.iterdir()) == [
        "ada.html", "ada.json", "bob.json.old", "notes.json",
    ]  # fmt: skip
    assert f"Not graded now, and so not replaced in {reports}: bob.json.old." in done.stderr


def test_names_of_any_length_and_kind_get_a_report_each(grade_class, tmp_path):
    students = ["x" * 250, "x" * 251, "Ada", "ada", "con", "a:b", "ends.", "bob"]
    for student in students:
        module = tmp_path / "handed-in" / student / "exercises" / "scaling.py"
        module.parent.mkdir(parents=True)
        module.write_text(f"{REFERENCE}# {student}\n", encoding="utf-8")
    done = grade_class(tmp_path / "handed-in", "--reports", tmp_path / "reports")
    assert done.return_value == 0, done.output
    names = [path.name for path in (tmp_path / "reports").iterdir()]
    assert len({name.casefold() for name in names}) == len(students)
    assert "bob.json" in names


def test_a_folder_of_reports_that_is_a_link_is_refused(grade_class, handed_in, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "reports").symlink_to(tmp_path / "precious")
    done = grade_class(handed_in, "--reports", tmp_path / "reports")
    assert "reports is a link, and links are not followed" in str(done.exception)
    assert list((tmp_path / "precious").iterdir()) == []


# --- the seed


def seeds(path: Path) -> list[int]:
    with Gradebook.reading(path) as book:
        return [verdict.report.seed for verdict in book.verdicts()]


def test_a_class_has_a_secret_seed_which_its_gradebook_keeps(grade_class, handed_in, tmp_path, monkeypatch):
    one, other = tmp_path / "one.db", tmp_path / "other.db"
    for book in (one, other):
        grade_class(handed_in, "--gradebook", book, "--reports", tmp_path / "reports")
    assert len({*seeds(one), *seeds(other), DEFAULT_SEED}) == 3
    assert len(set(seeds(one))) == 1
    again = grade_class(handed_in, "--gradebook", one, "--reports", tmp_path / "reports")
    assert again.output.count("(unchanged)") == 2
    shown = (tmp_path / "reports" / "ada.json").read_text("utf-8")
    assert json.loads(shown)["seed"] is None
    assert str(seeds(one)[0]) not in shown
    assert "Seed" not in report.to_text(report.from_json(shown), report.Style())
    assert regrade(one).output == "0 of 2 hand-ins changed.\n"


def test_without_a_gradebook_each_run_draws_a_seed_and_shows_it(grade_class, handed_in, tmp_path):
    found = set()
    for n in range(2):
        grade_class(handed_in, "--reports", tmp_path / str(n))
        found.add(json.loads((tmp_path / str(n) / "ada.json").read_text("utf-8"))["seed"])
    assert len(found | {DEFAULT_SEED}) == 3


def test_a_given_seed_is_recorded_and_holds_for_one_run(grade_class, handed_in, tmp_path):
    book = tmp_path / "course.db"
    for options in ([], ["--seed", "5"], []):
        grade_class(handed_in, "--gradebook", book, *options)
    first, second, third = seeds(book)[:3]
    assert (first, second) == (third, 5)


# --- the gradebook


def attempts(path: Path) -> list[tuple[str, int, float]]:
    with Gradebook(path) as book:
        return [(v.student, v.hand_in, v.report.points) for v in book.verdicts()]


def test_an_unchanged_submission_is_not_graded_again(grade_class, handed_in, tmp_path):
    book = tmp_path / "course.db"
    first = lines_by_student(grade_class(handed_in, "--gradebook", book))
    second = lines_by_student(grade_class(handed_in, "--gradebook", book))
    assert attempts(book) == [("ada", 1, 13.0), ("bob", 1, 0.0)]
    assert second["ada"] == f"{first['ada']} (unchanged)"
    assert second["bob"] == f"{first['bob']} (unchanged)"


def test_a_changed_submission_is_another_attempt(grade_class, handed_in, tmp_path):
    book = tmp_path / "course.db"
    grade_class(handed_in, "--gradebook", book)
    module = handed_in / "ada" / "exercises" / "scaling.py"
    module.write_text(f"{REFERENCE}\n\ndef double(x):\n    return x * x\n", encoding="utf-8")
    again = lines_by_student(grade_class(handed_in, "--gradebook", book))
    assert "unchanged" not in again["ada"]
    assert "unchanged" in again["bob"]
    (_, _, before), (_, _, after) = attempts(book)[:2]
    assert before == 13.0 > after


def test_another_seed_is_another_verdict(grade_class, handed_in, tmp_path):
    book = tmp_path / "course.db"
    grade_class(handed_in, "--gradebook", book)
    assert "unchanged" not in grade_class(handed_in, "--gradebook", book, "--seed", "5").output
    assert [number for _, number, _ in attempts(book)] == [1, 1, 1, 1]


def test_a_changed_suite_regrades_its_exercise_and_no_other(tmp_path, monkeypatch, handed_in):
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
    ]  # threads, so that `watched` is called in this process
    assert CliRunner().invoke(class_command, run, standalone_mode=False).return_value == 0
    # Both submissions are equal: graded one after the other, the second comes from the cache.
    assert sorted(set(graded)) == ["halving", "shifting"]
    graded.clear()
    suite = course / "solutions" / "halving" / "test_halving.py"
    suite.write_text(suite.read_text("utf-8") + "\n# changed\n", encoding="utf-8")
    assert CliRunner().invoke(class_command, run, standalone_mode=False).return_value == 0
    assert set(graded) == {"halving"}


def test_a_cached_result_of_a_lower_level_is_not_used_for_a_higher_one(
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
def test_an_interrupted_run_keeps_every_finished_result(tmp_path, monkeypatch, signal_number):
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
def test_a_warm_process_that_dies_is_replaced(handed_in, tmp_path, course, executor):
    with Gradebook(tmp_path / "course.db") as book, open_executor(executor, 1) as opened:
        run = ClassRun(course=course, gradebook=book, executor=opened, seed=0, required_level=0)
        (first,) = run.grade([HandedIn(student="ada", path=handed_in / "ada")])
        assert first.report.points == 13.0
        remote_worker._dispatcher._starter._process.kill()
        remote_worker._dispatcher._starter._process.wait()
        (second,) = run.grade([HandedIn(student="bob", path=handed_in / "bob.zip")])
        assert (second.refused, second.report and second.report.max_points) == ("", 13.0)


def test_an_order_for_another_version_is_refused_and_voids_the_exercise(
    handed_in, tmp_path, course, monkeypatch
):
    with Gradebook(tmp_path / "course.db") as book, open_executor("local", 1) as opened:
        run = ClassRun(course=course, gradebook=book, executor=opened, seed=0, required_level=0)
        monkeypatch.setattr(remote_worker, "_local_exercise", lambda *_: None)
        (ended,) = run.grade([HandedIn(student="ada", path=handed_in / "ada")])
    (result,) = ended.report.exercises
    assert (result.outcome, result.points, result.max_points) == ("internal_error", 0.0, 13.0)
    assert not ended.report.final
    assert "another version of scaling" in result.message


TEMPLATE = "Student,ID,Week 4 (12)\nPoints Possible,,13\nada,1,7.00\ndee,2,7.00\n"


def test_a_class_with_one_void_attempt_publishes_no_mark_of_it(grade_class, tmp_path, monkeypatch):
    """The walk of an instructor: class, reports, each export, statistics, and regrade, which gives the mark."""
    for student, text in (("ada", REFERENCE), ("dee", f"{REFERENCE}\n# the grader fails here\n")):
        (tmp_path / "in" / student).mkdir(parents=True)
        (tmp_path / "in" / student / "scaling.py").write_text(text, encoding="utf-8")

    def failing(data: bytes) -> bytes:
        done = remote_worker.perform(data)
        if b"# the grader fails here" not in data:
            return done
        died = (messages.encode(messages.NotGraded(reason="the grading process died")),)
        result = msgspec.msgpack.decode(done, type=WorkResult)
        return msgspec.msgpack.encode(msgspec.structs.replace(result, endings=died))

    book, reports, csv = tmp_path / "week.db", tmp_path / "reports", tmp_path / "out.csv"
    with monkeypatch.context() as patch:
        patch.setattr(batch, "perform", failing)
        done = grade_class(
            tmp_path / "in", "--gradebook", book, "--reports", reports, "--executor", "local", "--jobs", 1
        )
    assert done.return_value == 3
    assert "13 of 13  100.0%  ada\n" in done.output
    assert "not final          dee (some of it could not be graded: grade again)\n" in done.output
    written = json.loads((reports / "dee.json").read_text("utf-8"))
    assert (written["final"], written["points"], written["max_points"]) == (False, 0.0, 13.0)

    def run(command: Command, *words: str | Path) -> Result:
        return CliRunner().invoke(command, list(map(str, words)), standalone_mode=False)

    (tmp_path / "exported.csv").write_text(TEMPLATE, encoding="utf-8")
    canvas = ("--template", tmp_path / "exported.csv", "--column", "Week 4")
    for form, options in (("nbgrader", ()), ("moodle", ()), ("canvas", canvas)):
        for keep in ("best", "last"):
            done = run(export_command, form, book, "--output", csv, "--keep", keep, *options)
            assert done.return_value == 3, done.output
            assert "not graded, because of an error in the grader; run `grade regrade`" in done.stderr
            assert done.stderr.endswith(": dee\n")
            text = csv.read_text("utf-8")
            assert "ada" in text
            assert [row for row in text.splitlines() if "dee" in row] == ["dee,2,7.00"] * (form == "canvas")
    summary = json.loads(run(stats_command, book, "--format", "json").output)
    assert [student["student"] for student in summary["students"]] == ["ada"]
    again = run(regrade_command, book, "dee", "--executor", "local", "--jobs", 1)
    assert again.return_value == 0
    assert again.output.startswith("not final -> 13/13  dee\n")
    assert run(export_command, "moodle", book, "--output", csv).return_value == 0
    assert "dee,,13.00" in csv.read_text("utf-8")


def test_quizzes_are_read_once_for_a_class(grade_class, handed_in, monkeypatch):
    read = []
    original = quiz.load_banks
    monkeypatch.setattr(quiz, "load_banks", lambda folder: read.append(folder) or original(folder))
    done = grade_class(handed_in)
    assert "2 of 3 submissions graded" in done.output
    assert read == [COURSE / "quizzes"]


def test_a_class_finds_the_same_example_as_a_single_grading(
    grade_class, handed_in, tmp_path, dispatcher, course
):
    module = handed_in / "ada" / "exercises" / "scaling.py"
    module.write_text(f"{REFERENCE}\n\ndef double(x):\n    return x * x\n", encoding="utf-8")
    grade_class(handed_in, "--reports", tmp_path / "reports", "--seed", "0")
    in_class = report.from_json((tmp_path / "reports" / "ada.json").read_text("utf-8"))
    (alone,) = attempt.grade_exercises(dispatcher, open_submission(handed_in / "ada"), course.exercises, 0)
    assert any(check.counterexample and check.counterexample.smallest for check in alone.checks)
    whole = replace(in_class, exercises=(alone,))
    assert scoring.without_times(in_class).exercises == scoring.without_times(whole).exercises


def test_mistakes_are_imported_only_for_failing_submissions(own_course, handed_in, tmp_path):
    mistakes = own_course / "solutions" / "scaling" / "mistakes.py"
    mistakes.write_text("raise ValueError('read')\n", encoding="utf-8")
    module = tmp_path / "handed-in" / "dan" / "scaling.py"
    module.parent.mkdir()
    module.write_text(f"{REFERENCE}\n\ndef double(x):\n    return x * x\n", encoding="utf-8")
    run = [str(handed_in), "--reports", str(tmp_path / "reports")]
    CliRunner().invoke(class_command, run, standalone_mode=False)
    messages_by_student = {
        path.stem: report.from_json(path.read_text("utf-8")).exercises[0].message
        for path in (tmp_path / "reports").iterdir()
    }
    assert messages_by_student["ada"] == ""
    assert "ValueError: read" in messages_by_student["dan"]


@pytest.mark.cold
@pytest.mark.skipif(sys.platform == "win32", reason="process groups and fork are POSIX's")
def test_a_student_who_signals_the_process_group_costs_no_other_a_line_at_level_zero(tmp_path):
    attacks = {
        "killer": "os.killpg(0, 15)",
        "killer_at_9": "os.killpg(os.getpgrp(), 9)",
        "parent": "time.sleep(600) if os.fork() == 0 else None",
    }
    sources = {"ada": REFERENCE, "zoe": REFERENCE}
    sources |= {name: f"import os, time\n{attack}\n{REFERENCE}" for name, attack in attacks.items()}
    for student, source in sources.items():
        module = tmp_path / "handed-in" / student / "exercises" / "scaling.py"
        module.parent.mkdir(parents=True)
        module.write_text(source, encoding="utf-8")
    command = [sys.executable, "-P", "-m", "grader", "class", str(tmp_path / "handed-in")]
    done = subprocess.run(
        [*command, "--require-isolation", "0"],
        env={**os.environ, MAX_LEVEL_VARIABLE: "0", "CONVGRADER_COURSE": str(COURSE)},
        capture_output=True,
        text=True,
        start_new_session=True,  # or the signal would reach pytest
        check=False,
    )
    points = {line.split()[-1]: line.split()[0] for line in done.stdout.splitlines() if "%" in line}
    assert points.keys() == sources.keys(), done.stdout + done.stderr
    assert points["ada"] == points["zoe"] == "13"


def test_without_a_warm_process_every_ended_process_is_reaped(monkeypatch, handed_in, tmp_path, course):
    monkeypatch.setenv(MAX_LEVEL_VARIABLE, "0")
    with Gradebook(tmp_path / "course.db") as book, open_executor("local", 1) as opened:
        run = ClassRun(course=course, gradebook=book, executor=opened, seed=0, required_level=0)
        for n in range(4):
            module = handed_in / "ada" / "exercises" / "scaling.py"
            module.write_text(f"{REFERENCE}\n# {n}\n", encoding="utf-8")
            (ended,) = run.grade([HandedIn(student="ada", path=handed_in / "ada")])
            assert ended.report.points == 13.0
        end = time.monotonic() + 10
        while zombies() and time.monotonic() < end:  # the last one may still be ending
            time.sleep(0.1)
        assert zombies() == []


def zombies() -> list[str]:
    """The children of this process that have ended, and that nothing has waited for."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended since it was listed
            found.append(path.read_text().rpartition(")")[2].split())
    return [state for state, parent, *_ in found if state == "Z" and int(parent) == os.getpid()]


# --- limits: just below and just above


class CountingPool(Executor):
    """An executor whose orders complete one at a time, when the run waits for one."""

    def __init__(self) -> None:
        self.pending: list[Future[bytes]] = []
        self.most = 0

    def submit(self, *_arguments) -> "Future[bytes]":
        self.pending.append(Future())
        self.most = max(self.most, len(self.pending))
        return self.pending[-1]

    def wait(self, futures, **_options):
        refusal = messages.encode(messages.NotGraded(reason="not graded here"))
        done = WorkResult(
            endings=(refusal,), isolation=Isolation(level=2), torch_version="", python_version=""
        )
        future = self.pending.pop(0)
        future.set_result(msgspec.msgpack.encode(done))
        return {future}, set(futures) - {future}


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_run_submits_at_most_two_orders_for_each_worker(tmp_path, course, monkeypatch, width, extra):
    pool, count = CountingPool(), batch.QUEUED_PER_WORKER * width + extra
    monkeypatch.setattr(batch, "wait", pool.wait)
    handed_in = []
    for n in range(count):
        (tmp_path / f"s{n}").mkdir()
        (tmp_path / f"s{n}" / "scaling.py").write_text(f"{REFERENCE}# {n}\n", encoding="utf-8")
        handed_in.append(HandedIn(student=f"s{n}", path=tmp_path / f"s{n}"))
    with Gradebook(tmp_path / "course.db") as book:
        opened = OpenedExecutor(pool=pool, width=width)
        run = ClassRun(course=course, gradebook=book, executor=opened, seed=0)
        assert len(list(run.grade(handed_in))) == count
    assert pool.most == min(count, batch.QUEUED_PER_WORKER * width)


@pytest.mark.parametrize(("level", "is_current"), [(1, False), (2, True), (3, True)])
def test_a_cached_result_needs_the_required_level(tmp_path, course, level, is_current):
    result = ExerciseResult(id="e", title="", outcome=Outcome.PASSED, points=1.0, max_points=1.0)
    cached = CachedResult(
        result=result, isolation=Isolation(level=level), versions=Versions(grader="", torch="", python="")
    )
    with Gradebook(tmp_path / "course.db") as book:
        book.keep({"key": cached})
        opened = OpenedExecutor(pool=CountingPool(), width=1)
        run = ClassRun(course=course, gradebook=book, executor=opened, seed=0, required_level=2)
        assert (run._cached("key") is not None) is is_current


@pytest.mark.parametrize(("length", "is_cut"), [(60, False), (61, True)])
def test_a_name_is_cut_after_sixty_characters(length, is_cut):
    assert (shown_name("x" * length) != "x" * length) is is_cut


@pytest.mark.parametrize(("length", "is_cut"), [(600, False), (601, True)])
def test_a_refusal_is_cut_after_600_characters(length, is_cut):
    line = refusal_line(StudentResult(student="ada", refused="x" * length))
    assert (line.count("x") < length) is is_cut


@pytest.mark.parametrize(("count", "more"), [(11, []), (12, []), (13, ["    and 1 more"])])
def test_regrade_shows_at_most_twelve_changes(count, more):
    def whole(outcome: Outcome) -> Report:
        checks = tuple(
            CheckResult(id=f"c{n}", title="", outcome=outcome, points=0.0, max_points=1.0)
            for n in range(count)
        )
        exercise = ExerciseResult(
            id="e", title="", outcome=outcome, points=0.0, max_points=1.0, checks=checks
        )
        return Report(
            points=0.0, max_points=1.0, score=0.0, isolation=Isolation(level=3),
            versions=Versions(grader="", torch="", python=""), seed=0, exercises=(exercise,),
        )  # fmt: skip

    result = StudentResult(student="ada", before=whole(Outcome.FAILED), report=whole(Outcome.RAISED))
    lines = _change_lines(result)
    assert len(lines) == 1 + min(count, 12) + len(more)
    assert lines[13:] == more


# --- grading again


@pytest.fixture
def own_course(tmp_path, monkeypatch) -> Path:
    """A copy of the miniature course that a test may change."""
    copied = Path(shutil.copytree(COURSE, tmp_path / "course", ignore=shutil.ignore_patterns("__pycache__")))
    monkeypatch.setenv("CONVGRADER_COURSE", str(copied))
    return copied


def regrade(*arguments: str | Path) -> Result:
    return CliRunner().invoke(regrade_command, list(map(str, arguments)), standalone_mode=False)


def test_regrade_shows_whose_score_changes_and_how(own_course, handed_in, tmp_path):
    book = tmp_path / "course.db"
    CliRunner().invoke(class_command, [str(handed_in), "--gradebook", str(book)], standalone_mode=False)
    assert regrade(book).output == "0 of 2 hand-ins changed.\n"
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
    assert dry.output.endswith("1 of 2 hand-ins would change.\n")
    assert [number for _, number, _ in attempts(book)] == [1, 1]
    again = regrade(book)
    assert again.output.replace("changed", "would change") == dry.output
    assert [(student, number) for student, number, _ in attempts(book)] == [
        ("ada", 1),
        ("ada", 1),
        ("bob", 1),
    ]
    assert regrade(book, "ada").output == "0 of 1 hand-ins changed.\n"


def test_regrade_needs_an_attempt(own_course, tmp_path):
    empty = tmp_path / "empty.db"
    with Gradebook(empty):
        pass
    assert isinstance(regrade(empty).exception, UsageError)
    done = regrade(empty, "eve")
    assert "eve has no attempt in this gradebook" in str(done.exception)


def test_changes_lists_the_differences_of_two_reports():
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
