"""`grade [EXERCISE]...`: grades a submission and renders the report."""

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from grader.cli import options
from grader.cli.commands import COMMANDS
from grader.cli.formats import FORMATS, Setting, add_step_summary, report_format
from grader.core import scoring
from grader.core.atomic_write import write_whole
from grader.core.errors import IsolationRefused, UsageError
from grader.core.model import CheckResult, Exercise, ExerciseResult, Report, Reveal
from grader.course import catalog
from grader.course.catalog import Course
from grader.course.visibility import seen as seen_of
from grader.grading import attempt, selection
from grader.grading.dispatcher import Dispatcher
from grader.grading.selection import refuse_empty
from grader.report import (
    NONE_OPENED,
    Help,
    Style,
    exercise_text,
    quizzes_text,
    shown,
    shown_exercise,
    summary_text,
)
from grader.submission import is_notebook, open_submission
from grader.workspace.opened_hints import OpenedHints
from grader.workspace.progress import WorkspaceProgress


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
) -> int:
    """Grade all exercises and quizzes of a submission, or just the named exercises.

    A course may keep details of checks, or whole checks, from its students; points, percent and exit code are then of
    what is shown. With --reveal all, instructors read everything.

    \b
    grade                                  everything in this folder
    grade relu pooling                     these two exercises
    grade --submission ada --format json   another folder, for a machine to read
    grade --submission ada --reveal all    and what ada herself may not see
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    if output is not None and not output.absolute().parent.is_dir():
        raise UsageError(f"The report cannot be written to {output}: there is no folder {output.parent}.")
    with Dispatcher(jobs) as dispatcher:  # first, so that torch is imported while we read the course
        course = catalog.load(catalog.find_root())
        chosen = choose(course, exercises)
        handed_in = open_submission(submission)
        if not exercises:
            refuse_empty(course, handed_in, submission)
        style = Style(color=colour(output), width=width(), unicode=has_unicode())
        seen = {exercise.id: seen_of(exercise, reveal) for exercise in chosen}
        own = submission == Path()  # one's own work, and not what somebody handed in
        setting = Setting(style=style, submission=submission, seen=seen)
        streams = form == "text" and output is None
        if output is not None and not _is_stream(output):
            # First of all: whatever ends this run, no older report can be taken for its result.
            write(FORMATS[form](attempt.not_graded(chosen, seed), setting), output)
        results: list[ExerciseResult] = []
        refuse_below(require_isolation, dispatcher)
        counter = _Counter(streams)
        planned = attempt.plan(handed_in, chosen, seed)
        hints = helps(planned, opened_hints(submission, chosen) if own else {})
        for result in attempt.carry_out(dispatcher, planned, chosen, counter.check_ended):
            results.append(result)
            if streams:
                counter.clear()
                part = shown_exercise(result, seen[result.id])
                click.echo(exercise_text(part, style, hints.get(result.id, NONE_OPENED)))
        quizzes = [] if exercises else list(attempt.Quizzes(course).grade(handed_in))
        report = attempt.report(dispatcher, results, quizzes, seed)
    if own:
        note(submission, planned, chosen, results)
    told = shown(report, seen)
    if streams:
        click.echo(
            "\n".join(filter(None, [quizzes_text(told.quizzes, style), summary_text(told, style, hints)]))
        )
    else:
        write(FORMATS[form](report, replace(setting, hints=hints)), output)
        if form == "github":
            add_step_summary(told)
        if output is not None:
            click.echo(f"Report written to {output}.", err=True)
    return exit_code(told, fail_under)


def helps(planned: attempt.Plan, opened: Mapping[str, Help]) -> dict[str, Help]:
    """Add to what hints are open which exercises are cells of a notebook."""
    cells = {
        name: replace(opened.get(name, NONE_OPENED), is_file=False)
        for name, job in planned.jobs.items()
        if is_notebook(job.root)
    }
    return {**opened, **cells}


def opened_hints(workspace: Path, exercises: Sequence[Exercise]) -> dict[str, Help]:
    """Return which hints have been opened in a workspace; none where that cannot be read."""
    opened = OpenedHints(workspace)
    with contextlib.suppress(UsageError):
        return {
            exercise.id: Help(opened=exercise.hints[: opened.count(exercise)], count=len(exercise.hints))
            for exercise in exercises
        }
    return {}


def note(
    workspace: Path, planned: attempt.Plan, chosen: Sequence[Exercise], results: Sequence[ExerciseResult]
) -> None:
    """Remember in a workspace what exercises earned, for `grade list`; where that cannot be kept, it is not.

    What lies in a workspace is its student's to read, so nothing else is kept there than the course lets them see.
    """
    seen = {exercise.id: seen_of(exercise) for exercise in chosen}
    with contextlib.suppress(UsageError):
        WorkspaceProgress(workspace).note(
            planned, [shown_exercise(result, seen[result.id]) for result in results]
        )


class _Counter:
    """One line on a terminal's error stream that says how far grading is; nothing anywhere else."""

    def __init__(self, wanted: bool) -> None:
        self._shown = wanted and sys.stderr.isatty()
        self._ended = 0

    def check_ended(self, exercise: str, _check: CheckResult) -> None:
        """Count a check. Called from the threads that wait for grading processes."""
        self._ended += 1
        if self._shown:
            click.echo(f"\r{self._ended} checks, {exercise} …".ljust(40), err=True, nl=False)

    def clear(self) -> None:
        """Take the line away before something else is printed."""
        if self._shown:
            click.echo("\r" + " " * 40 + "\r", err=True, nl=False)


def choose(course: Course, ids: Sequence[str]) -> list[Exercise]:
    """Return the exercises of these ids, or all; a misspelled id may stand for a command too."""
    return selection.choose(course, ids, COMMANDS)


def refuse_below(required: int, dispatcher: Dispatcher) -> None:
    """Raise IsolationRefused where this machine isolates less than is required."""
    if required and (found := dispatcher.isolation()).level < required:
        raise IsolationRefused(level=found.level, required=required, missing=found.missing)


def exit_code(report: Report, fail_under: float) -> int:
    """Return 3 where a failure of ours voids a part, else 0 or 1 by the score."""
    if scoring.has_internal_error(report):
        return 3
    return 0 if scoring.meets(report, fail_under) else 1


def write(text: str, output: Path | None) -> None:
    """Write a report whole, or not at all; to the terminal where no file is named."""
    if output is None:
        click.echo(text)
        return
    write_bytes((text if text.endswith("\n") else text + "\n").encode(), output)


def write_bytes(data: bytes, output: Path) -> None:
    """Write a file whole, or not at all."""
    try:
        if _is_stream(output):
            output.write_bytes(data)
            return
        write_whole(output.resolve(), data)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}.") from None


def _is_stream(output: Path) -> bool:
    """Tell whether this is a pipe or a device, such as /dev/stdout."""
    return output.exists() and not output.is_file()


def colour(output: Path | None) -> bool:
    """Tell whether what is written to `output` may be coloured."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return output is None and sys.stdout.isatty() and wanted


def width(least: int = 40) -> int:
    """Return how many columns a report may take."""
    import shutil  # noqa: PLC0415

    return max(least, min(shutil.get_terminal_size((80, 24)).columns, 100))


def prose_width() -> int:
    """Return how many columns prose may take: beyond these the eye loses its line."""
    return min(78, width() - 2)


def has_unicode() -> bool:
    """Tell whether the terminal can show what is not ASCII."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    return encoding.startswith("utf")
