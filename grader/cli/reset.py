"""`grade reset`: puts the stub of an exercise back, and keeps a copy of the student's file."""

from datetime import datetime
from pathlib import Path

import click

from grader.cli import options
from grader.cli.help import choose_one
from grader.course import catalog
from grader.workspace import scaffold


@click.command("reset", short_help="Put the stub of an exercise back; your file is kept.")
@options.exercise
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.submission("The workspace; this folder unless given.")
@options.course
def reset_command(exercise: str, yes: bool, submission: Path) -> int:
    """Put the stub of EXERCISE back. Your file is kept in backups/.

    It asks first, and exits with 1 if you answer no.

    \b
    grade reset pooling
    grade reset pooling --yes
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    found = choose_one(catalog.load(catalog.find_root()), exercise)
    path = scaffold.module(found, submission)
    if scaffold.is_stub(found, path):
        click.echo(f"{path} is the stub already.")
        return 0
    question = f"Put the stub back in {path}? Your file is kept in {submission / 'backups'}."
    if path.exists() and not yes and not click.confirm(question):
        click.echo("Nothing was changed.")
        return 1
    click.echo(reset_text(path, scaffold.reset(found, submission, datetime.now().astimezone())))
    return 0


def reset_text(path: Path, kept: Path | None) -> str:
    """Return the message after a reset; `kept` is the copy of the student's file, if there was one."""
    return f"{path} is the stub again." + (f" Your file is kept: {kept}" if kept is not None else "")
