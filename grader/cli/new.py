"""`grade new`: writes a working exercise, known mistake or quiz item to start from, and checks it at once."""

from collections.abc import Sequence

import click

from grader import authoring
from grader.cli import options
from grader.cli.check import caught_text
from grader.cli.commands import COMMANDS
from grader.cli.help import choose_one
from grader.core.errors import Problem
from grader.core.model import section_order
from grader.course import catalog
from grader.course.catalog import Course
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import DEFAULT_SEED

_SENTENCE_TEMPLATE = "Say here what is wrong, and how to think of it, in one or two sentences."


@click.group("new", short_help="Start an exercise, a known mistake or a quiz item (for instructors).")
def new_command() -> None:
    """Write a working exercise, known mistake or quiz item for you to change, and check it at once.

    \b
    grade new exercise channel_mean
    grade new mistake pooling forgets_the_stride
    grade new item pooling --type numeric
    """  # noqa: D301 - \b is click's mark for text that keeps its lines


@new_command.command("exercise", short_help="Start an exercise.")
@click.argument("name")
@click.option("--title", metavar="TEXT", help="The title that students read; made from NAME unless given.")
@click.option(
    "--section", metavar="N", help="The section of the notes; the last one of the course unless given."
)
@options.course
def exercise_command(name: str, title: str | None, section: str | None) -> int:
    """Write stub, reference, hidden suite, known mistakes and exercise.yaml of a small exercise.

    It passes `grade check` as it is: one function, eight checks, six known mistakes, three hints. Change it piece by
    piece, and run `grade check NAME` after each step. Exits with 4 if there is a problem.

    Example: grade new exercise channel_mean --title "Means of channels" --section 4.2
    """
    course = catalog.load(catalog.find_root())
    title = title or name.replace("_", " ").capitalize()
    section = section or _last_section(course)
    commands = (*COMMANDS, "run")
    written = authoring.skeletons.new_exercise(course, name, title=title, section=section, commands=commands)
    _print_written(written)
    return _check_exercise(name, f"Now change them piece by piece; `grade check {name}` proves each step.")


def _last_section(course: Course) -> str:
    found = [exercise.section for exercise in course.exercises]
    return max(found, key=section_order, default="1")


@new_command.command("mistake", short_help="Add a known mistake to an exercise.")
@options.exercise
@click.argument("name")
@click.option(
    "--function",
    metavar="NAME",
    help="The function or class it is a mistake of; the first of the exercise unless given.",
)
@click.option(
    "--sentence", metavar="TEXT", default=_SENTENCE_TEMPLATE, help="The diagnosis that students read."
)
@options.course
def mistake_command(exercise: str, name: str, function: str | None, sentence: str) -> int:
    """Append a wrong variant to solutions/EXERCISE/mistakes.py, as a Python function or class NAME.

    Every value it returns is wrong; write the real mistake in its place. Exits with 4 if no check catches it, or if its
    results equal those of another mistake.

    Example: grade new mistake pooling forgets_the_stride --function max_pool2d
    """
    course = catalog.load(catalog.find_root())
    found = choose_one(course, exercise)
    place = authoring.skeletons.new_mistake(course, found, name, function=function, sentence=sentence)
    _print_written([f"{place.path}:{place.line}"])
    return _check_exercise(
        exercise, f"Now write the real mistake; `grade check {exercise} -v` shows which check catches it."
    )


@new_command.command("item", short_help="Add an item to a quiz, or start a quiz.")
@options.section
@click.option(
    "--type", "kind", type=click.Choice(authoring.skeletons.item_types()), default="single", metavar="TYPE",
    help=f"The item type: {', '.join(authoring.skeletons.item_types())}; single unless given.",
)  # fmt: skip
@click.option("--id", "item_id", metavar="ID", help="Its id; new-TYPE unless given.")
@click.option("--title", metavar="TEXT", help="Start a new quiz with this title.")
@click.option("--section", "number", metavar="N", help="The section of the notes, for a new quiz.")
@options.course
def item_command(section: str, kind: str, item_id: str | None, title: str | None, number: str | None) -> int:
    """Append an item to quizzes/SECTION.yaml, and change no other line of it.

    The item is valid and its key is computed; change prompt, key and feedback. Exits with 4 if a quiz has a problem.

    \b
    grade new item pooling --type numeric --id windows-in-a-row
    grade new item receptive_fields --title "Receptive fields" --section 5.1
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    course = catalog.load(catalog.find_root())
    place = authoring.skeletons.new_item(
        course, section, kind=kind, item_id=item_id, title=title, section=number or _last_section(course)
    )
    _print_written([f"{place.path}:{place.line}"])
    computed, problems = authoring.check_quizzes(course)
    return _summarize(
        problems, f"quizzes: {computed} keys computed", "Now change its prompt, its key and its feedback."
    )


# --- what was written, and its check


def _print_written(places: Sequence[str]) -> None:
    for place in places:
        click.echo(f"written  {place}")


def _check_exercise(name: str, next_step: str) -> int:
    """Check an exercise as it is on disk now; return the exit code."""
    with Dispatcher() as dispatcher:
        course = catalog.load(catalog.find_root())
        (findings,) = authoring.check_exercises(course, [choose_one(course, name)], dispatcher, DEFAULT_SEED)
    return _summarize(findings.problems, f"{name}: {caught_text(findings)}", next_step)


def _summarize(problems: Sequence[Problem], summary: str, next_step: str) -> int:
    for problem in problems:
        click.echo(str(problem), err=True)
    if problems:
        click.echo(f"{summary}, but not sound.")
        return 4
    click.echo(click.wrap_text(f"{summary}, sound. {next_step}", width=80))
    return 0
