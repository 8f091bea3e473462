"""`grade stats`: what a gradebook says about a class, for the instructor and for the lecture."""

from collections.abc import Callable
from pathlib import Path

import click

from grader import catalog, class_report, statistics
from grader.cli import options
from grader.cli.run import choose, colour, has_unicode, width, write
from grader.gradebook import Gradebook
from grader.policy import Policy
from grader.report import Style
from grader.statistics import ClassSummary

_FORMATS: dict[str, Callable[[ClassSummary, Style, bool], str]] = {
    "text": lambda summary, style, everything: class_report.to_text(summary, style, all_of_it=everything),
    "html": lambda summary, _, __: class_report.to_html(summary),
    "json": lambda summary, _, __: class_report.to_json(summary),
}


@click.command("stats", short_help="What a gradebook says about a class (for instructors).")
@options.gradebook
@click.argument("exercises", nargs=-1, metavar="[EXERCISE]...")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_FORMATS)),
    default="text",
    show_default=True,
    help="How to write it: html is one page that needs no network.",
)
@options.output("Write it to FILE instead of the terminal.")
@click.option("--all", "everything", is_flag=True, help="As text: every check and every mistake.")
@click.option(
    "--anonymous", is_flag=True, help="Numbers for names and no pairs that are alike: for a lecture."
)
@options.late_policy
@options.course
def stats_command(
    gradebook: Path,
    exercises: tuple[str, ...],
    form: str,
    output: Path | None,
    everything: bool,
    anonymous: bool,
    policy: Policy,
) -> int:
    """Sum up FILE.db: scores, what each exercise and check came to, what this class misunderstood, who handed in when.

    With exercises named, only these count, and each is told in full.

    \b
    grade stats course.db
    grade stats course.db pooling relu --keep last
    grade stats course.db --format html --output class.html --anonymous
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    course = catalog.load(catalog.find_root())
    choose(course, exercises)
    with Gradebook(gradebook) as book:
        summary = statistics.summarize(book, course, policy, title=gradebook.stem, chosen=exercises)
        if anonymous:
            summary = statistics.anonymous(summary, statistics.pseudonyms(book))
        else:
            summary = statistics.with_similar(summary, book, course, exercises)
    style = Style(colour=colour(output), width=width(), unicode=has_unicode())
    write(_FORMATS[form](summary, style, everything or bool(exercises)), output)
    return 0
