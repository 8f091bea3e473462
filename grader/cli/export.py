"""`grade export`: writes marks, quizzes and the grader itself in the formats of other systems."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from grader import quiz
from grader.classroom import class_marks, course_versions
from grader.classroom.class_marks import ClassMembers
from grader.classroom.gradebook import Gradebook
from grader.classroom.late_policy import Policy, WithoutHandIn, last_hand_ins
from grader.classroom.roster import Roster
from grader.cli import options, policy_options
from grader.cli.class_options import name_damaged, warn_of_versions
from grader.cli.run import choose, write_bytes
from grader.core.errors import InternalError, UsageError
from grader.core.model import Mark, Person, Score
from grader.core.regular_file import read_regular
from grader.core.safetext import one_line
from grader.core.suggestions import question
from grader.course import catalog
from grader.export import canvas, gradescope_autograder, marks, moodle, qti, questions
from grader.grading.messages import DEFAULT_SEED

_MAX_NAME_CHARS = 60
_MAX_TEMPLATE_BYTES = 64 * 2**20


def _title(assignment: str | None, gradebook: Path) -> str:
    """Return the name of the assignment; a byte in it that is not UTF-8 as an escape."""
    return (assignment or gradebook.stem).encode("utf-8", "backslashreplace").decode()


@click.group("export", short_help="Export marks and quizzes to other systems (for instructors).")
def export_command() -> None:
    """Export marks, quizzes and the grader itself to other systems."""


_gradebook = options.together(
    options.gradebook,
    options.output("The file to write.", "OUT.csv", required=True),
    click.option(
        "--assignment",
        metavar="NAME",
        help="The name of the assignment; the name of FILE.db unless given.",
    ),
    policy_options.roster,
    policy_options.late_policy,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ClassExport:
    """The marks to write, all on one scale, whose they are by the roster, who is excused, and the exit code.

    The code is 3 where an error in the grader leaves a student without a mark, 1 where a hand-in is damaged, a mark is
    on another scale, or a hand-in is not in the roster.
    """

    marks: tuple[Mark, ...]
    people: Mapping[str, Person]
    excused: tuple[str, ...]
    code: int


def _marks(gradebook: Path, policy: Policy, roster: Roster | None) -> _ClassExport:
    """Return what to export, and say what is left out and why. Raises UsageError and InternalError."""
    if said := policy_options.due_text(policy):
        click.echo(said, err=True)
    with Gradebook.reading(gradebook) as book:
        scores = list(book.scores())
        newest = book.newest_version()
        code = name_damaged(book)
    if not scores:
        raise UsageError(
            f"There is no attempt in {gradebook}. Add some: `grade class SUBMISSIONS --gradebook {gradebook}`."
        )
    of_class = class_marks.members(policy, roster, [score.student for score in scores])
    found, excused = of_class.marks(scores), of_class.excused(scores)
    if not found and not excused:
        raise InternalError(
            f"No attempt in {gradebook} could be graded in full. Run `grade regrade {gradebook}`, then export again."
        )
    on_scale = course_versions.sort(found, scores, newest)
    written = [*on_scale.usable, *of_class.zeros(on_scale.max_points)]
    _warn_of_roster(of_class)
    _warn("no mark, excused", excused)
    is_void = _warn_of_void(scores, of_class.policy, {mark.student for mark in found}, excused)
    for mark in on_scale.off_scale:
        _warn(
            f"not written, {mark.max_points:g} points were possible, and not {on_scale.max_points:g}: graded with "
            "another version of the course; run `grade regrade`, then export again",
            [mark.student],
        )
    warn_of_versions(on_scale)
    return _ClassExport(
        marks=tuple(sorted(written, key=lambda mark: mark.student)),
        people=of_class.people,
        excused=tuple(excused),
        code=3 if is_void else max(code, 1 if on_scale.off_scale or of_class.unmatched else 0),
    )


def _warn_of_roster(of_class: ClassMembers) -> None:
    """Name those of whom only the hand-ins, or only the roster, know."""
    for student, reason in of_class.unmatched.items():
        _warn(reason, [student])
    what = {
        WithoutHandIn.ZERO: "nothing handed in, 0 points",
        WithoutHandIn.BLANK: "nothing handed in, no mark",
    }
    if of_class.policy.missing in what:
        absent = [one.id for one in of_class.missing if one.id not in of_class.policy.excused]
        _warn(what[of_class.policy.missing], absent)


def _warn_of_void(
    scores: Iterable[Score], policy: Policy, marked: Collection[str], excused: Iterable[str]
) -> bool:
    """Name the students whose last hand-in is void; tell whether one of them has no mark."""
    remedy = "because of an error in the grader; run `grade regrade`, then export again"
    void = [score for score in last_hand_ins(policy.received(scores)).values() if score.void]
    concerned = {member for score in void for member in policy.members(score.student)}.difference(excused)
    missing = sorted(concerned.difference(marked))
    _warn(f"not graded, {remedy}", missing)
    older = sorted(concerned.intersection(marked))
    _warn(f"mark of an earlier attempt: a part of the last was not graded, {remedy}", older)
    return bool(missing)


def _warn(problem: str, students: Iterable[str]) -> None:
    for student in students:
        click.echo(f"{problem}: {one_line(student, limit=_MAX_NAME_CHARS)}", err=True)


def _report_written(marks: Sequence[Mark], output: Path) -> None:
    of = f" out of {marks[0].max_points:g}" if marks else ""
    click.echo(f"{len(marks)} marks{of} written to {output}.")


@export_command.command("nbgrader", short_help="Marks as nbgrader's CSV.")
@_gradebook
def nbgrader_command(
    gradebook: Path, output: Path, assignment: str | None, roster: Roster | None, policy: Policy
) -> int:
    """Write the marks of FILE.db as the CSV that `nbgrader export` writes.

    Example: grade export nbgrader course.db --output grades.csv --due 2026-03-01T23:59 --late-per-day 10
    """
    found = _marks(gradebook, policy, roster)
    text = marks.to_nbgrader(found.marks, _title(assignment, gradebook), policy.due, found.people)
    write_bytes(text.encode(), output)
    _report_written(found.marks, output)
    return found.code


@export_command.command("moodle", short_help="Marks as a CSV for Moodle.")
@_gradebook
def moodle_command(
    gradebook: Path, output: Path, assignment: str | None, roster: Roster | None, policy: Policy
) -> int:
    """Write the marks of FILE.db as a CSV for Moodle: Grades, Import, CSV file.

    In Moodle, map "ID number" or "Email address", whichever has values, and both columns of the assignment. The names
    of the hand-ins identify the students; a name with an @ is an email address.

    Example: grade export moodle course.db --output moodle.csv --assignment "Week 4"
    """
    found = _marks(gradebook, policy, roster)
    text = marks.to_moodle(found.marks, _title(assignment, gradebook), found.people)
    write_bytes(text.encode(), output)
    if marks.mixed(found.marks, found.people):
        click.echo(
            "Some students are named by email address and some are not; Moodle matches by one of the two.",
            err=True,
        )
    _report_written(found.marks, output)
    return found.code


@export_command.command("canvas", short_help="Marks into a gradebook exported from Canvas.")
@_gradebook
@click.option(
    "--template",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="EXPORTED.csv",
    help="The gradebook as Canvas exported it.",
)
@click.option("--column", metavar="TITLE|ID", help="The column to fill; the assignment's name unless given.")
def canvas_command(
    gradebook: Path,
    output: Path,
    assignment: str | None,
    template: Path,
    column: str | None,
    roster: Roster | None,
    policy: Policy,
) -> int:
    """Fill one column of a gradebook exported from Canvas with the marks of FILE.db, and change nothing else.

    Students are matched by ID, SIS user id, SIS login id or exact name. Exits with 1 if one cannot be matched, and
    names them; with 3 if an error in the grader leaves a student without a mark.

    Example: grade export canvas course.db --template exported.csv --column "Week 4" --output import.csv
    """
    found = _marks(gradebook, policy, roster)
    try:
        text = read_regular(template, _MAX_TEMPLATE_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{template} cannot be read as UTF-8 text: {reason}.") from None
    filled = canvas.fill(
        text,
        found.marks,
        column or _title(assignment, gradebook),
        people=found.people,
        excused=found.excused,
    )
    write_bytes(filled.text.encode(), output)
    for student, reason in filled.unmatched.items():
        click.echo(f"not written, {reason}: {one_line(student, limit=_MAX_NAME_CHARS)}", err=True)
    max_points = {mark.max_points for mark in found.marks}
    if filled.possible is not None and max_points != {filled.possible}:
        click.echo(f"Marks are scaled to {filled.possible:g}, the points possible in Canvas.", err=True)
    written, count = len(filled.matched), len(found.marks) + len(found.excused)
    click.echo(f'{written} of {count} marks written to "{one_line(filled.column)}" in {output}.')
    return found.code or (1 if filled.unmatched else 0)


@export_command.command("gradescope", short_help="An autograder for Gradescope.")
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.zip")
@options.exercises
@options.require_isolation()
@options.seed()
@options.course
def gradescope_command(output: Path, exercises: tuple[str, ...], require_isolation: int, seed: int) -> int:
    """Write an autograder for Gradescope that grades everything, or only the exercises you name.

    Upload it under Configure Autograder. A submission that cannot be graded gets an error there, and no score.

    Example: grade export gradescope autograder.zip pooling relu
    """
    course = catalog.load(catalog.find_root())
    choose(course, exercises)
    data = gradescope_autograder.autograder(course.root, exercises, level=require_isolation, seed=seed)
    write_bytes(data, output)
    click.echo(
        f"{output} written: {len(data) / 2**20:.1f} MiB. It contains the grader and the suites: keep it secret."
    )
    return 0


@export_command.command("quizzes", short_help="Quizzes for Canvas or Moodle.")
@click.argument("target", type=click.Choice(["canvas", "moodle"]))
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT")
@click.argument("names", nargs=-1, metavar="[QUIZ]...")
@options.draw_seed("Seed that items with drawn numbers are drawn from.", DEFAULT_SEED)
@options.course
def quizzes_command(target: str, output: Path, names: tuple[str, ...], seed: int) -> int:
    """Write the quizzes of the course, or those you name: a QTI 1.2 zip for Canvas, Moodle XML for Moodle.

    Items whose type or credit the other system does not support are left out and named; the exit code is then 1.

    \b
    grade export quizzes canvas quizzes.zip
    grade export quizzes moodle pooling.xml pooling
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    banks = {bank.id: bank for bank in quiz.load_banks(catalog.load(catalog.find_root()).quizzes)}
    for name in names:
        if name not in banks:
            raise UsageError(f'There is no quiz "{name}".{question(name, list(banks))}')
    chosen = [bank for bank in banks.values() if not names or bank.id in names]
    made = [(bank, *questions.questions(bank, seed)) for bank in chosen]
    if target == "canvas":
        data = qti.to_qti_zip([(bank.id, bank.title, found) for bank, found, _ in made])
    else:
        data = moodle.to_moodle_xml([(bank.title, found) for bank, found, _ in made]).encode()
    write_bytes(data, output)
    left_out = [(bank.id, item, reason) for bank, _, reasons in made for item, reason in reasons.items()]
    for bank_id, item, reason in left_out:
        click.echo(f"left out, {reason}: {bank_id} {item}", err=True)
    count = sum(len(found) for _, found, _ in made)
    click.echo(f"{count} of {count + len(left_out)} items of {len(made)} quizzes written to {output}.")
    return 1 if left_out else 0
