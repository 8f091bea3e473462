"""`grade new`: an exercise, a known mistake or a quiz item to begin with, checked at once."""

from collections.abc import Sequence

import click

from grader import authoring
from grader.cli import options
from grader.cli.commands import COMMANDS
from grader.cli.help import choose_one
from grader.core.errors import Problem
from grader.core.model import section_order
from grader.course import catalog
from grader.course.catalog import Course
from grader.grading.dispatcher import Dispatcher

_SENTENCE = "Say here what is wrong, and how to think of it, in one or two sentences."


@click.group("new", short_help="Begin an exercise, a known mistake or a quiz item (for instructors).")
def new_command() -> None:
    """Write an exercise, a known mistake or a quiz item that works, to be changed; it is checked at once.

    \b
    grade new exercise channel_mean
    grade new mistake pooling forgets_the_stride
    grade new item pooling --type numeric
    """  # noqa: D301 - \b is click's mark for text that keeps its lines


@new_command.command("exercise", short_help="Begin an exercise.")
@click.argument("name")
@click.option(
    "--title", metavar="TEXT", help="What students read as its title; the name in words unless given."
)
@click.option("--section", metavar="N", help="The section of the notes; the last of the course unless given.")
@options.course
def exercise_command(name: str, title: str | None, section: str | None) -> int:
    """Write stub, reference, hidden suite, known mistakes and exercise.yaml of a small exercise.

    It is sound as it stands: eight checks on one function, six known mistakes, three hints. Change it piece by piece,
    and run `grade check NAME` in between. Exits with 4 where something is not sound.

    Example: grade new exercise channel_mean --title "Means of channels" --section 4.2
    """
    course = catalog.load(catalog.find_root())
    title = title or name.replace("_", " ").capitalize()
    section = section or _last_section(course)
    words = (*COMMANDS, "run")
    written = authoring.scaffold.new_exercise(course, name, title=title, section=section, words=words)
    _tell("written", written)
    return _checked(name, f"Now change them piece by piece; `grade check {name}` proves each step.")


def _last_section(course: Course) -> str:
    found = [exercise.section for exercise in course.exercises]
    return max(found, key=section_order, default="1")


@new_command.command("mistake", short_help="Add a known mistake to an exercise.")
@options.exercise
@click.argument("name")
@click.option(
    "--function", metavar="NAME", help="What it is a mistake of; the first name of the exercise unless given."
)
@click.option("--sentence", metavar="TEXT", default=_SENTENCE, help="What whoever made it is told.")
@options.course
def mistake_command(exercise: str, name: str, function: str | None, sentence: str) -> int:
    """Append a wrong variant to solutions/EXERCISE/mistakes.py, which is NAME in Python.

    It is wrong in every value; put the real mistake in its place. Exits with 4 where a check misses it, or where the
    diagnosis cannot tell it from another.

    Example: grade new mistake pooling forgets_the_stride --function max_pool2d
    """
    course = catalog.load(catalog.find_root())
    found = choose_one(course, exercise)
    place = authoring.scaffold.new_mistake(course, found, name, function=function, sentence=sentence)
    _tell("written", [f"{place.path}:{place.line}"])
    return _checked(
        exercise, f"Now put the real mistake there; `grade check {exercise} -v` tells which check catches it."
    )


@new_command.command("item", short_help="Add an item to a quiz, or begin a quiz.")
@options.section
@click.option(
    "--type", "kind", type=click.Choice(authoring.scaffold.item_types()), default="single", metavar="TYPE",
    help=f"What kind of item: {', '.join(authoring.scaffold.item_types())}; single unless given.",
)  # fmt: skip
@click.option("--id", "item_id", metavar="ID", help="Its id; new-TYPE unless given.")
@click.option("--title", metavar="TEXT", help="Begin the quiz, with this title.")
@click.option("--section", "number", metavar="N", help="The section of the notes that a new quiz is about.")
@options.course
def item_command(section: str, kind: str, item_id: str | None, title: str | None, number: str | None) -> int:
    """Append an item to quizzes/SECTION.yaml, and leave every other line of it as it is.

    Its key is right and computed; change prompt, key and feedback. Exits with 4 where a quiz is not sound.

    \b
    grade new item pooling --type numeric --id windows-in-a-row
    grade new item receptive_fields --title "Receptive fields" --section 5.1
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    course = catalog.load(catalog.find_root())
    place = authoring.scaffold.new_item(
        course, section, kind=kind, item_id=item_id, title=title, section=number or _last_section(course)
    )
    _tell("written", [f"{place.path}:{place.line}"])
    computed, problems = authoring.check_quizzes(course)
    return _told(
        problems, f"quizzes: {computed} keys computed", "Now change its prompt, its key and its feedback."
    )


# --- what became of it


def _tell(what: str, places: Sequence[str]) -> None:
    for place in places:
        click.echo(f"{what}  {place}")


def _checked(name: str, following: str) -> int:
    """Check an exercise as it lies there now."""
    with Dispatcher() as dispatcher:
        course = catalog.load(catalog.find_root())
        (proof,) = authoring.check_exercises(
            course, [choose_one(course, name)], dispatcher, options.DEFAULT_SEED
        )
    caught = sum(bool(checks) for checks in proof.caught.values())
    done = f"{name}: {proof.checks} checks, {caught} of {len(proof.caught)} mistakes caught"
    return _told(proof.problems, done, following)


def _told(problems: Sequence[Problem], done: str, following: str) -> int:
    for problem in problems:
        click.echo(str(problem), err=True)
    if problems:
        click.echo(f"{done}, but not sound.")
        return 4
    click.echo(click.wrap_text(f"{done}, sound. {following}", width=80))
    return 0
