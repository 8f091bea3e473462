"""`grade class`: grades what a whole class handed in."""

import itertools
import time
from pathlib import Path

import click

from grader.classroom.batch import StudentResult
from grader.classroom.earlier_hand_ins import rounds
from grader.classroom.roster import Roster
from grader.cli import options, policy_options
from grader.cli.class_options import ClassGrading, class_grading, exit_code, refusal_line, shown_name
from grader.cli.dry_run import echo_layout, echo_matching, echo_table, named
from grader.cli.progress import ProgressLine
from grader.cli.student_reports import StudentReports, refusing_reports
from grader.core import error_location
from grader.core.errors import UsageError
from grader.core.safetext import one_line
from grader.course import catalog
from grader.course.visibility import seen as seen_of
from grader.submission import collection
from grader.submission.layouts import NAMES

_POINTS_WIDTH = 24  # of the points and the percentage in front of a name


@click.command("class", short_help="Grade what a whole class handed in (for instructors).")
@click.argument("submissions", type=click.Path(path_type=Path, exists=True), metavar="SUBMISSIONS")
@click.option("--assignment", metavar="NAME", help="Of <student>/<assignment>/ trees, grade this one.")
@click.option(
    "--layout",
    metavar="NAME|REGEX",
    help=f"How SUBMISSIONS is named, where that is not recognized: {', '.join(NAMES)}; or a regular expression for the "
    "path of a file, with the groups student, file and time.",
)
@click.option(
    "--dry-run", is_flag=True, help="Show whose each hand-in is, its files and its time, and grade nothing."
)
@click.option(
    "--gradebook",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.db",
    help="Record every hand-in and verdict in FILE.db, and grade only what has changed since.",
)
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the JSON report of each student to DIR, outside of SUBMISSIONS, with only what students may see. "
    "Reports of an earlier run become NAME.json.old, until the student is graded again.",
)
@policy_options.roster
@class_grading
@options.course
def class_command(
    submissions: Path,
    assignment: str | None,
    layout: str | None,
    dry_run: bool,
    gradebook: Path | None,
    reports: Path | None,
    roster: Roster | None,
    grading: ClassGrading,
) -> int:
    """Grade what a class handed in: SUBMISSIONS is the zip that a learning system gives, or its folder.

    Moodle, Canvas, Gradescope, Blackboard, Brightspace, Classroom 50, GitHub Classroom and nbgrader are recognized by
    their names; --layout names another. Else SUBMISSIONS holds a folder, zip, tar archive or notebook for each student,
    or trees of <student>/<assignment>/. --dry-run shows what is made of each entry.

    Of several hand-ins of a student the newest is graded; with a gradebook also those before it, in their order, where
    the download says when they came. A run that was interrupted continues where it stopped, and what has not changed
    is not graded again. Inputs are drawn from a secret seed, one for each gradebook, so that a table of answers earns
    nothing. The hand-in time of a git checkout is that of its HEAD commit. Grading other people's code needs isolation
    level 2 or better; `grade doctor` shows what this machine provides. A submission that cannot be read, or on which
    the grader fails, is named, and the others are graded. Exits with 3 after an error in the grader, with 1 if a
    submission could not be read, else with 0.

    \b
    grade class handed-in --gradebook course.db
    grade class handed-in --reports reports --seed 71
    grade class CS101-Week4-1234.zip --dry-run
    grade class ilias --layout '(?P<student>[^/]+)/(?P<time>\\d{14})_(?P<file>.+)'
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    _refuse_outputs_among(submissions, gradebook, reports)
    collected = collection.collect(submissions, assignment, layout)
    found = tuple(map(refusing_reports, collected.hand_ins))
    course = catalog.load(catalog.find_root())
    if dry_run or not collected.is_plain:
        echo_layout(collected)
    if roster is not None:
        echo_matching(roster.match(one.student for one in found))
    if dry_run:
        return 1 if echo_table((*found, *collected.older), course, len(found)) else 0
    writer = None
    if reports is not None:
        seen = {exercise.id: seen_of(exercise) for exercise in course.exercises}
        students = [one.student for one in found]
        writer = StudentReports(reports, students, seen, shows_seed=gradebook is None)
    code, graded = 0, 0
    with grading.open_run(course, gradebook or Path(":memory:")) as run:
        began = time.monotonic()
        with ProgressLine("submissions", len(found)) as progress:
            earlier = rounds(collected.older, run.gradebook.scores()) if gradebook is not None else []
            for result in itertools.chain.from_iterable(map(run.grade, earlier)):
                with progress.paused():
                    click.echo(_line(result, "an earlier hand-in"))
                code = max(code, exit_code(result))
            for result in run.grade(found):
                unwritten = _write_report(writer, result)
                with progress.paused():
                    click.echo(_line(result, unwritten))
                progress.ended()
                code = max(code, exit_code(result), 3 if unwritten else 0)
                graded += result.report is not None
        seconds = time.monotonic() - began
    click.echo(f"{graded} of {len(found)} submissions graded in {seconds:.0f} s.")
    if writer is not None and (left := writer.left()):
        click.echo(f"Not graded now, and so not replaced in {reports}: {named(left)}.", err=True)
    return code


def _refuse_outputs_among(submissions: Path, gradebook: Path | None, reports: Path | None) -> None:
    """Raise UsageError if an output would lie among the hand-ins: the next run would grade it as a student's."""
    if gradebook is not None and collection.would_be_handed_in(gradebook, submissions):
        raise UsageError(
            f"--gradebook {gradebook} would be part of a hand-in in {submissions}. Name a file outside of it."
        )
    if reports is not None and collection.would_be_handed_in(reports / "NAME.json", submissions):
        raise UsageError(
            f"--reports {reports} would be a hand-in in {submissions}, or part of one. "
            "Name a folder outside of it."
        )


def _write_report(writer: StudentReports | None, result: StudentResult) -> str:
    """Write the report of a student; return why it was not written, or "". One student must not end the class."""
    if writer is None or result.report is None:
        return ""
    try:
        writer.write(result.student, result.report)
    except Exception as error:  # noqa: BLE001 - the fence around each submission ends here
        return f"no report written: {error_location.summary(error)}"
    return ""


def _line(result: StudentResult, remark: str = "") -> str:
    """Return one student's line. The name, a student's text, comes last: a CI log must not read it as a command."""
    report = result.report
    if report is None:
        return refusal_line(result, _POINTS_WIDTH)
    void = "" if report.final else " (some of it could not be graded: grade again)"
    unchanged = " (unchanged)" if result.again else ""
    points = f"{report.points:.6g} of {report.max_points:g}" if report.final else "not final"
    score = f"{report.score:.1%}" if report.final else ""
    notes = "".join(
        f"\n{'':>{_POINTS_WIDTH + 2}}{one_line(note)}"
        for note in (*result.remarks, result.note, remark)
        if note
    )
    return f"{points:>16} {score:>7}  {shown_name(result.student)}{void}{unchanged}{notes}"
