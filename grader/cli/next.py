"""`grade next`: grades the exercise that a student is at, and goes on to the one after it."""

from pathlib import Path

import click

from grader.cli import options
from grader.cli.listing import next_step
from grader.cli.run import run_command
from grader.core.errors import UsageError
from grader.course import catalog
from grader.quiz import load_banks
from grader.workspace.progress import WorkspaceProgress


@click.command("next", short_help="Grade the exercise you are at, and go on once it passes.")
@options.course
@click.pass_context
def next_command(ctx: click.Context) -> int:
    """Grade the first exercise of this workspace that does not pass yet. Once it passes, go on to the next.

    Exits with 0 when all exercises pass, else with 1.

    Example: grade next
    """
    course, progress = catalog.load(catalog.find_root()), WorkspaceProgress(Path())
    if not progress.is_stored():
        raise UsageError(f"There is no workspace in {Path().resolve()}. Start one with `grade init DIR`.")
    standings = progress.exercises(course.exercises)
    for exercise in course.exercises:
        if standings[exercise.id].is_done:
            continue
        if code := ctx.invoke(run_command, exercises=(exercise.id,)):
            return int(code)
    click.echo(
        next_step(
            course.exercises,
            progress.exercises(course.exercises),
            progress.quizzes(load_banks(course.quizzes)),
        )
    )
    return 0
