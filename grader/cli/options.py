"""Options that several commands share."""

import math
import os
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import click

from grader.cli.commands import COMMANDS
from grader.core.errors import GraderError
from grader.core.model import Reveal
from grader.grading.messages import DEFAULT_SEED

WITHOUT_COMMAND = "grader.without_command"  # a key of click's context: no sub-command was given
REQUIRED_LEVEL = 2  # at level 1 a submission can read the answers, at level 0 it has the instructor's rights

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]

_MOST_JOBS = 256  # each takes memory for a process or two


class NumberRange(click.FloatRange):
    """A range of numbers. NaN is in none of them: it is neither below nor above anything."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; fail as click does where it is none, or out of range."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


# --- the course


def _use_course(ctx: click.Context, _param: click.Parameter, folder: Path | None) -> None:
    """Set the environment variable of the course, for this command and the processes that it starts."""
    if folder is None:
        return
    from grader.course.catalog import COURSE_VARIABLE  # noqa: PLC0415 - `grade --help` reads no course

    if not (folder / "solutions").is_dir():
        raise click.BadParameter(f"{folder} is not a course: it holds no solutions/.")
    before = os.environ.get(COURSE_VARIABLE)
    os.environ[COURSE_VARIABLE] = str(folder.resolve())

    def restore() -> None:
        if before is None:
            os.environ.pop(COURSE_VARIABLE, None)
        else:
            os.environ[COURSE_VARIABLE] = before

    ctx.call_on_close(restore)


course = click.option(
    "--course",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    expose_value=False,
    is_eager=True,
    callback=_use_course,
    help="The folder of the course; CONVGRADER_COURSE, or the installed course, unless given.",
)

# --- exercises and quizzes, with shell completion


def _names(pattern: str, incomplete: str, given: Collection[str] = ()) -> list[str]:
    """Return the names of exercises or quizzes that begin with `incomplete`; none where there is no course."""
    from grader.course.catalog import find_root  # noqa: PLC0415 - `grade --help` reads no course

    try:
        found = sorted(find_root().glob(pattern))
    except GraderError:
        return []  # completion cannot show an error
    names = [path.parent.name if path.stem == "exercise" else path.stem for path in found]
    return [name for name in names if name.startswith(incomplete) and name not in given]


def _exercise_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return exercises, and for the first argument of `grade` also its sub-commands."""
    given = ctx.params.get("exercises") or ()
    found = _names("solutions/*/exercise.yaml", incomplete, given)
    if ctx.meta.get(WITHOUT_COMMAND) and not given:
        found += [name for name in COMMANDS if name.startswith(incomplete)]
    return found


def check_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the checks of the exercise that was given, from the text of its suite."""
    from grader.course.catalog import find_root  # noqa: PLC0415 - `grade --help` reads no course

    name = ctx.params.get("exercise") or next(iter(ctx.params.get("exercises") or ()), None)
    try:
        suite = find_root() / "solutions" / f"{name}" / f"test_{name}.py"
        found = re.findall(r"^def test_(\w+)\(", suite.read_text(encoding="utf-8"), re.MULTILINE)
    except (GraderError, OSError, ValueError):
        return []  # completion cannot show an error
    return [check for check in found if check.startswith(incomplete)]


def _quiz_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return _names("quizzes/*.yaml", incomplete)


exercises = click.argument("exercises", nargs=-1, metavar="[EXERCISE]...", shell_complete=_exercise_names)
exercise = click.argument("exercise", shell_complete=_exercise_names)
one_exercise = click.argument("exercise", required=False, shell_complete=_exercise_names)
check = click.argument("check", required=False, shell_complete=check_names)
section = click.argument("section", shell_complete=_quiz_names)

# --- grading


def require_isolation(
    default: int = REQUIRED_LEVEL, text: str = "Refuse to grade below this isolation level."
) -> Decorator:
    """Add --require-isolation N. Commands that grade other people's work keep the default."""
    return click.option(
        "--require-isolation",
        type=click.IntRange(0, 3),
        default=default,
        metavar="N",
        show_default=True,
        help=text,
    )


def seed(text: str = "Seed of the inputs.") -> Decorator:
    """Add --seed N, the seed of the inputs of suites."""
    return click.option("--seed", type=int, default=DEFAULT_SEED, metavar="N", help=text)


class_seed = click.option(
    "--seed",
    type=click.IntRange(-(2**63), 2**63 - 1),
    metavar="N",
    help="Seed of the inputs, for this run; unless given the secret one of the gradebook, which is drawn once. "
    "`regrade` takes that of each hand-in.",
)


def draw_seed(text: str, default: int | None = None) -> Decorator:
    """Add --seed N, the seed for the numbers of quizzes: random, unless there is a default."""
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=default,
        show_default=default is not None,
        metavar="N",
        help=text,
    )


jobs = click.option(
    "--jobs",
    type=click.IntRange(1, _MOST_JOBS),
    metavar="N",
    help="How many exercises are graded side by side; one per core unless given.",
)

executor = click.option(
    "--executor",
    default="processes",
    metavar="NAME",
    show_default=True,
    help="processes, around one warm process; local: threads around it; dask://HOST:PORT: one warm process on every "
    "worker of a cluster.",
)


def _reveal(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Reveal | None:
    return Reveal(value) if value is not None else None


reveal = click.option(
    "--reveal",
    type=click.Choice([str(reveal) for reveal in Reveal]),
    callback=_reveal,
    help="How much of each check is shown: all, title and outcome, or nothing; as the course says unless given.",
)


def fail_under(text: str) -> Decorator:
    """Add --fail-under PERCENT."""
    return click.option(
        "--fail-under",
        type=NumberRange(0, 100),
        default=100.0,
        metavar="PERCENT",
        show_default=True,
        help=text,
    )


# --- input and output

requirement = click.option(
    "--from",
    "requirement",
    metavar="SPEC",
    help="With --ci: the requirement that pip installs, such as a URL; where this grader came from unless given.",
)


def submission(text: str, metavar: str = "DIR", *, file_okay: bool = True) -> Decorator:
    """Add --submission PATH, which defaults to the current folder."""
    return click.option(
        "--submission",
        type=click.Path(path_type=Path, file_okay=file_okay),
        default=Path(),
        metavar=metavar,
        help=text,
    )


def output(text: str, metavar: str = "FILE", *, required: bool = False) -> Decorator:
    """Add --output FILE."""
    return click.option(
        "--output",
        required=required,
        type=click.Path(path_type=Path, dir_okay=False),
        metavar=metavar,
        help=text,
    )


def _regular(_ctx: click.Context, _param: click.Parameter, value: Path) -> Path:
    """Refuse a pipe, which would hang, and a device, which may never end."""
    if not value.is_file():
        raise click.BadParameter(f"{value} is not a regular file.")
    return value


def existing_file(name: str, metavar: str) -> Decorator:
    """Add an argument that names an existing regular file, such as a gradebook or a report."""
    path = click.Path(path_type=Path, exists=True, dir_okay=False)
    return click.argument(name, type=path, callback=_regular, metavar=metavar)


gradebook = existing_file("gradebook", "FILE.db")


def together(*options: Decorator) -> Decorator:
    """Combine decorators into one; `--help` lists the options in this order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add
