"""The command `grade`: parses, calls, renders. The only package that prints or exits."""

import sys
from collections.abc import Sequence

import click

from grader import __version__
from grader.cli import options
from grader.cli.commands import COMMANDS
from grader.core.errors import GraderError

_DEFAULT = "run"


def _course_words(args: Sequence[str]) -> int:
    """Return how many words `--course DIR` takes at the front: it may stand before the sub-command."""
    first = args[0] if args else ""
    return 2 if first == "--course" else int(first.startswith("--course="))


class _Grade(click.Group):
    """`grade` alone, or followed by exercise ids, grades; a first word that is a sub-command runs that."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        before = _course_words(args)
        first_word = args[before] if len(args) > before else ""
        if first_word not in {*COMMANDS, _DEFAULT, "--help", "--version"}:
            args = [*args[:before], _DEFAULT, *args[before:]]
            ctx.meta[options.WITHOUT_COMMAND] = True
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Import a sub-command when it is asked for: nobody pays for the others."""
        if name == _DEFAULT:
            from grader.cli.run import run_command  # noqa: PLC0415

            return run_command
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        command: click.Command = getattr(__import__(module, fromlist=[attribute]), attribute)
        return command

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "[EXERCISE]... [OPTIONS]  |  COMMAND [ARGS]...")


@click.group(cls=_Grade, invoke_without_command=True, context_settings={"help_option_names": ["--help"]})
@options.course
@click.version_option(__version__, prog_name="convgrader")
def grade() -> None:
    """Grade the exercises and quizzes in this folder.

    \b
    grade                      everything here
    grade relu pooling         these two exercises
    grade --submission DIR     the submission in DIR
    grade run --help           all options of grading
    """  # noqa: D301 - \b is click's mark for text that keeps its lines


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code DESIGN promises."""
    try:
        code = grade.main(arguments, prog_name="grade", standalone_mode=False)
    except click.exceptions.Exit as ending:
        code = ending.exit_code
    except click.Abort:
        click.echo("Interrupted.", err=True)
        code = 130
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except GraderError as error:
        click.echo(f"{error}", err=True)
        code = error.exit_code
    sys.exit(code if isinstance(code, int) else 0)
