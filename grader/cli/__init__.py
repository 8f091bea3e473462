"""The command `grade`: parses arguments, calls the other packages, renders. Only this package prints or exits."""

import gc
import sys
from collections.abc import Sequence

import click

from grader import __version__
from grader.cli import options, standard_streams
from grader.cli.commands import COMMANDS
from grader.core.errors import GraderError

_DEFAULT = "run"
# Between two collections of garbage: with Python's 700, they take a fifth of the time of most commands.
_NEW_OBJECTS = 50_000


def _course_arguments(args: Sequence[str]) -> int:
    """Return the number of leading arguments that are `--course DIR`, which may come before the sub-command."""
    first = args[0] if args else ""
    return 2 if first == "--course" else int(first.startswith("--course="))


class _Grade(click.Group):
    """Runs a sub-command; `grade` alone, or followed by exercise ids, runs `grade run`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        before = _course_arguments(args)
        first_word = args[before] if len(args) > before else ""
        if first_word not in {*COMMANDS, _DEFAULT, "--help", "--version"}:
            args = [*args[:before], _DEFAULT, *args[before:]]
            ctx.meta[options.WITHOUT_COMMAND] = True
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of this sub-command only: `grade --help` and most commands must start fast."""
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
    grade                      everything in this folder
    grade relu pooling         these two exercises
    grade --submission DIR     the submission in DIR
    grade run --help           all options for grading
    """  # noqa: D301 - \b is click's mark for text that keeps its lines


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 to 4 as in docs/reference/cli.md, 130 where it was interrupted.

    Where standard output cannot be written to, the command does its work and the exit code is 3. A pipe whose reader
    has ended is no error of that kind: nothing is said, and the exit code is 1 at least.
    """
    gc.set_threshold(_NEW_OBJECTS)
    with standard_streams.guarded():
        code = _run(arguments)
        lost = standard_streams.lost()
        if isinstance(lost, BrokenPipeError):
            code = code or 1
        elif lost is not None:
            click.echo(
                f"Standard output cannot be written to: {lost.strerror}. What the command printed is lost, "
                "and all else is done. Print to another place.",
                err=True,
            )
            code = max(code, 3)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    """Run a command and return its exit code; print the error that it ends with."""
    try:
        code = grade.main(arguments, prog_name="grade", standalone_mode=False)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except GraderError as error:
        click.echo(f"{error}", err=True)
        return error.exit_code
    return code if isinstance(code, int) else 0
