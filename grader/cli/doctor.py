"""`grade doctor`: the isolation level of this machine, which layers are missing, and how to get them."""

import textwrap

import click

from grader.cli import options, standby
from grader.core.errors import IsolationRefused
from grader.grading.dispatcher import Dispatcher
from grader.sandbox import diagnostics

_VERDICTS = {
    3: "You can grade anybody's work.",
    2: "You can grade anybody's work.",
    1: "Grade only your own work: a submission could read the files of this machine.",
    0: "Grade only your own work: a submission runs with your rights.",
}
_INDENT = " " * 15


@click.command("doctor", short_help="Show how well this machine isolates submissions.")
@options.require_isolation(0, "Exit with 3 below this isolation level.")
@click.option("--end", is_flag=True, help="Only end the processes that stay behind for the next `grade`.")
def doctor_command(require_isolation: int, end: bool) -> int:
    """Show which isolation layers this machine provides, why a layer is unavailable, and what to do.

    Each layer is tried in processes like those that run submissions, and above level 0 one of those is started. Where
    none can be, this fails with the reason. Processes that stay behind for the next `grade` are listed.

    \b
    grade doctor --require-isolation 2
    grade doctor --end
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    if end:
        click.echo(standby.end_text())
        return 0
    with Dispatcher() as dispatcher:
        isolation, ready = dispatcher.isolation(), dispatcher.ready()
    click.echo(
        textwrap.fill(f"Isolation level {isolation.level} of 3. {_VERDICTS[isolation.level]}", 80) + "\n"
    )
    for layer in diagnostics.layers(isolation, ready.missing):
        mark = "-" if layer.reason else "+"
        click.echo(f"{mark} {layer.name:<12} {_wrapped(layer.stops)}")
        if layer.reason:
            click.echo(f"{_INDENT}{_wrapped(f'Unavailable: {layer.reason}.')}")
            click.echo(f"{_INDENT}{_wrapped(f'{layer.remedy}.')}")
    click.echo(f"\n{textwrap.fill(f'Machine: {diagnostics.machine()}, torch {ready.torch_version}.', 80)}")
    for line in standby.listed_text():
        click.echo(f"\n{textwrap.fill(line, 80)}")
    if isolation.level < require_isolation:
        raise IsolationRefused(level=isolation.level, required=require_isolation, missing=isolation.missing)
    return 0


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 80, initial_indent=_INDENT, subsequent_indent=_INDENT).lstrip()
