"""`grade [EXERCISE]...`: grades a submission and renders the report."""

import contextlib
import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from grader.cli import options, standby, terminal
from grader.cli.commands import COMMANDS
from grader.cli.formats import FORMATS, RenderOptions, add_step_summary, report_format
from grader.cli.progress import ProgressLine
from grader.core import scoring
from grader.core.atomic_write import write_whole
from grader.core.errors import GraderError, IsolationRefused, UsageError
from grader.core.model import Exercise, ExerciseResult, Outcome, QuizResult, Report, Reveal
from grader.core.suggestions import question
from grader.course import catalog
from grader.course.catalog import Course
from grader.course.visibility import seen as seen_of
from grader.grading import attempt, selection
from grader.grading.dispatcher import Dispatcher
from grader.grading.selection import refuse_empty
from grader.report import (
    NONE_OPENED,
    Help,
    begun,
    check_text,
    exercise_text,
    quizzes_text,
    shown,
    shown_exercise,
    summary_text,
    untouched_text,
)
from grader.submission import Submission, is_notebook, open_submission
from grader.workspace import scaffold
from grader.workspace.opened_hints import OpenedHints
from grader.workspace.progress import WorkspaceProgress
from grader.workspace.quiz_tries import QuizTries, untried

_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO}


@click.command("run", short_help="Grade exercises and quizzes (the default).")
@options.exercises
@options.submission("The folder, zip or notebook to grade; this folder unless given.", "PATH")
@report_format
@options.output("Write the report to FILE instead of the terminal.")
@options.fail_under("Exit with 1 below this score.")
@options.require_isolation(0)
@options.jobs
@options.seed("Seed of the inputs; the course's own unless given.")
@options.reveal
@click.option(
    "--verbose", "-v", is_flag=True, help="Show every check in full, not only the first that fails."
)
@click.option(
    "--check",
    metavar="NAME",
    shell_complete=options.check_names,
    help="Show one check of one exercise in full.",
)
@options.course
def run_command(
    exercises: tuple[str, ...],
    submission: Path,
    form: str,
    output: Path | None,
    fail_under: float,
    require_isolation: int,
    jobs: int | None,
    seed: int,
    reveal: Reveal | None,
    verbose: bool,
    check: str | None,
) -> int:
    """Grade all exercises and quizzes of a submission, or only the exercises you name, by id or by file.

    The first check that fails is shown in full, every other in a line; with --verbose, all of them.

    A course can hide details of checks, or whole checks, from its students. Points, percent and exit code then count
    only what is shown. With --reveal all, instructors see everything.

    \b
    grade                                  everything in this folder
    grade relu pooling                     these two exercises
    grade exercises/relu.py -v             one exercise, every check in full
    grade relu --check relu_values         one check of it
    grade --submission ada --format json   another folder, as JSON
    grade --submission ada --reveal all    with what ada does not see
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    if output is not None and not output.absolute().parent.is_dir():
        raise UsageError(f"The report cannot be written to {output}: there is no folder {output.parent}.")
    if check is not None and (len(exercises) != 1 or form != "text" or output is not None):
        raise UsageError("--check shows one check of one exercise as text: `grade relu --check NAME`.")
    is_own_work = submission == Path()
    # Where there may be something to grade, torch is imported while the course is read.
    root, stays = catalog.find_root(), standby.is_wanted(submission)
    is_lazy = scaffold.looks_untouched(root, submission)
    with Dispatcher(jobs, lazy=is_lazy, standby=stays) as dispatcher:
        course = catalog.load(root)
        chosen = choose(course, exercises, submission)
        handed_in = open_submission(submission)
        if not exercises:
            refuse_empty(course, handed_in, submission)
        seen = {exercise.id: seen_of(exercise, reveal) for exercise in chosen}
        style = replace(terminal.style(output), height=terminal.height() if len(chosen) == 1 else None)
        rendering = RenderOptions(style=style, submission=submission, seen=seen, verbose=verbose)
        destination = _Destination(form=form, output=output, rendering=rendering, check=check)
        destination.write_not_graded(chosen, seed)
        if require_isolation:
            refuse_below(require_isolation, dispatcher)
        planned = attempt.plan(handed_in, chosen, seed)
        quizzes = [] if exercises else _quizzes(course, handed_in, submission, reveal)
        if destination.is_live and planned.is_untouched and not any(map(begun, quizzes)):
            click.echo(untouched_text(chosen, quizzes, style))
            return 0 if fail_under == 0 else 1
        helps = hint_states(planned, helps_of(submission, chosen) if is_own_work else {})
        destination = replace(destination, rendering=replace(rendering, hints=helps))
        results = _grade_exercises(dispatcher, planned, chosen, destination)
        report = attempt.report(dispatcher, results, quizzes, seed)
    if is_own_work:
        record_progress(submission, planned, chosen, results)
    destination.write_report(report)
    if stays:
        standby.announce_once(style.width)
    return exit_code(shown(report, seen), fail_under)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Destination:
    """Where the report goes, and in which format. As text on the terminal, each exercise is shown as it ends."""

    form: str
    output: Path | None
    rendering: RenderOptions
    check: str | None = None

    @property
    def is_live(self) -> bool:
        """Tell whether exercises are shown one by one."""
        return self.form == "text" and self.output is None

    def write_not_graded(self, exercises: Sequence[Exercise], seed: int) -> None:
        """Replace an old report by one that says "not graded", so that it cannot pass for the result of this run."""
        if self.output is not None and not _is_stream(self.output):
            write(FORMATS[self.form](attempt.not_graded(exercises, seed), self.rendering), self.output)

    def show_exercise(self, result: ExerciseResult) -> None:
        """Print an exercise as the student may see it; of several, none that is not attempted: the table names it."""
        visible = shown_exercise(result, self.rendering.seen[result.id])
        style, hints = self.rendering.style, self.rendering.hints.get(result.id, NONE_OPENED)
        if self.check is not None:
            click.echo(check_text(visible, _check_id(visible, self.check), style, hints))
        elif len(self.rendering.seen) == 1 or visible.outcome is not Outcome.NOT_ATTEMPTED:
            click.echo(exercise_text(visible, style, hints, verbose=self.rendering.verbose))

    def write_report(self, report: Report) -> None:
        """Write the whole report; where the exercises are on the terminal already, only what follows them."""
        visible = shown(report, self.rendering.seen)
        if self.is_live:
            style, hints, verbose = self.rendering.style, self.rendering.hints, self.rendering.verbose
            summary = "" if self.check else summary_text(visible, style, hints, verbose=verbose)
            if text := "\n".join(filter(None, [quizzes_text(visible.quizzes, style), summary])):
                click.echo(text)
            return
        write(FORMATS[self.form](report, self.rendering), self.output)
        if self.form == "github":
            add_step_summary(visible)
        if self.output is not None:
            click.echo(f"Report written to {self.output}.", err=True)


def _quizzes(
    course: Course, handed_in: Submission, submission: Path, reveal: Reveal | None
) -> list[QuizResult]:
    """Grade the quizzes of a submission, with the feedback that the course shows after the tries of this workspace."""
    if reveal is Reveal.ALL:
        return list(attempt.Quizzes(course).grade(handed_in))
    used = QuizTries(submission).used if submission == Path() else untried
    return list(attempt.Quizzes(course).grade(handed_in, tries=used))


def _grade_exercises(
    dispatcher: Dispatcher, planned: attempt.Plan, chosen: Sequence[Exercise], destination: _Destination
) -> list[ExerciseResult]:
    """Grade exercises side by side; show each as it ends, where the destination is the terminal."""
    results = []
    counts_checks = len(planned.jobs) == 1
    line = ProgressLine("checks") if counts_checks else ProgressLine("exercises", len(planned.jobs))
    check_ended = line.ended if counts_checks else line.working_on
    exercise_ended = line.working_on if counts_checks else line.ended
    with line:
        for result in attempt.carry_out(
            dispatcher,
            planned,
            chosen,
            lambda exercise, _check: check_ended(exercise),
            lambda exercise, _count: exercise_ended(exercise),
        ):
            results.append(result)
            if destination.is_live:
                with line.paused():
                    destination.show_exercise(result)
    return results


def hint_states(planned: attempt.Plan, opened: Mapping[str, Help]) -> dict[str, Help]:
    """Return the open hints of each exercise, and which exercises are cells of a notebook."""
    cells = {
        name: replace(opened.get(name, NONE_OPENED), is_file=False)
        for name, job in planned.jobs.items()
        if is_notebook(job.root)
    }
    return {**opened, **cells}


def helps_of(workspace: Path, exercises: Sequence[Exercise]) -> dict[str, Help]:
    """Return what a workspace knows of each exercise: its open hints, and how many checks passed last time.

    A record that cannot be read is left out.
    """
    opened, passed = OpenedHints(workspace), {}
    with contextlib.suppress(UsageError):
        passed = WorkspaceProgress(workspace).passed()
    with contextlib.suppress(UsageError):
        return {
            exercise.id: Help(
                opened=opened.texts(exercise),
                count=len(exercise.hints),
                passed_before=passed.get(exercise.id),
            )
            for exercise in exercises
        }
    return {}


def record_progress(
    workspace: Path, planned: attempt.Plan, chosen: Sequence[Exercise], results: Sequence[ExerciseResult]
) -> None:
    """Record in a workspace what exercises earned, for `grade list`; skip it where the file cannot be written.

    Students can read the files of their workspace, so only what the course shows them is recorded.
    """
    seen = {exercise.id: seen_of(exercise) for exercise in chosen}
    with contextlib.suppress(UsageError):
        WorkspaceProgress(workspace).note(
            planned, [shown_exercise(result, seen[result.id]) for result in results]
        )


def choose(course: Course, words: Sequence[str], submission: Path = Path()) -> list[Exercise]:
    """Return the exercises of these ids or paths of a submission, or all; raise UsageError for an unknown one.

    An id of an exercise that cannot be read is known, and left out.
    """
    return selection.choose(course, selection.as_ids(course, words, submission), COMMANDS)


def _check_id(result: ExerciseResult, wanted: str) -> str:
    """Return the id of a check that a student may see, by that id or without its `test_`."""
    names = [check.id.removeprefix("test_") for check in result.checks]
    name = wanted.removeprefix("test_")
    if not names:
        raise UsageError(f"No check of {result.id} has run: `grade {result.id}` says why.")
    if name not in names:
        hint = question(name, names) or f" There are: {', '.join(names)}."
        raise UsageError(f'{result.id} has no check "{wanted}".{hint}')
    return f"test_{name}"


def refuse_below(required: int, dispatcher: Dispatcher) -> None:
    """Raise IsolationRefused where the isolation level of this machine is below the required one."""
    if required and (found := dispatcher.isolation()).level < required:
        raise IsolationRefused(level=found.level, required=required, missing=found.missing)


def exit_code(report: Report, fail_under: float) -> int:
    """Return 3 where an error in the grader voids a part, else 0 or 1 by the score."""
    if not report.final:
        return 3
    return 0 if scoring.meets(report, fail_under) else 1


def write(text: str, output: Path | None) -> None:
    """Write a report to a file, completely or not at all; to the terminal where `output` is None."""
    if output is None:
        click.echo(text)
        return
    write_bytes((text if text.endswith("\n") else text + "\n").encode(), output)


def write_bytes(data: bytes, output: Path) -> None:
    """Write a file completely or not at all.

    Raises UsageError where it cannot be written, or is a link to a file; GraderError where the disk is full or fails.
    """
    try:
        if _is_stream(output):
            output.write_bytes(data)
            return
        if output.is_symlink():  # in the folder of a submission it may lead to any file of the user
            raise UsageError(f"{output} is a link, and links are not followed. Name another file.")
        write_whole(output, data)
    except OSError as error:
        kind = GraderError if error.errno in _OF_THE_DISK else UsageError  # else another path may do
        raise kind(f"{output} cannot be written: {error.strerror}.") from None


def _is_stream(output: Path) -> bool:
    """Tell whether a path is a pipe or a device, such as /dev/stdout, whatever that leads to."""
    is_of_system = output.is_absolute() and output.parts[1:2] in [("dev",), ("proc",)]
    return output.exists() and (is_of_system or not output.is_file())
