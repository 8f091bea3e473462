"""`grade reset`: puts a stub back, and keeps what was there."""

from datetime import datetime
from pathlib import Path

import click

from grader.cli import options
from grader.cli.help import choose_one
from grader.course import catalog
from grader.workspace import scaffold


@click.command("reset", short_help="Put the stub of an exercise back; yours is kept.")
@options.exercise
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.submission("The workspace; this folder unless given.")
@options.course
def reset_command(exercise: str, yes: bool, submission: Path) -> int:
    """Put the stub of EXERCISE back. The file that was there is kept in backups/.

    Asks first; exits with 1 where the answer is no.

    \b
    grade reset pooling
    grade reset pooling --yes
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    found = choose_one(catalog.load(catalog.find_root()), exercise)
    path = scaffold.module(found, submission)
    if scaffold.is_stub(found, path):
        click.echo(f"{path} is the stub already.")
        return 0
    question = f"Put the stub back in {path}? What is there now is kept in {submission / 'backups'}."
    if path.exists() and not yes and not click.confirm(question):
        click.echo("Nothing was changed.")
        return 1
    click.echo(told(path, scaffold.reset(found, submission, datetime.now().astimezone())))
    return 0


def told(path: Path, kept: Path | None) -> str:
    """Say what was done."""
    return f"{path} is the stub again." + (f" Yours is kept: {kept}" if kept is not None else "")
