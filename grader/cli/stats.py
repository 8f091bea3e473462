"""`grade stats`: what a gradebook says about a class, for the instructor and for the lecture."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from grader.classroom import report, statistics
from grader.classroom.gradebook import Gradebook
from grader.classroom.late_policy import Policy
from grader.classroom.statistics import ClassSummary
from grader.cli import options, terminal
from grader.cli.run import choose, write
from grader.core.errors import UsageError
from grader.course import catalog

_FORMATS: dict[str, Callable[[ClassSummary], str]] = {
    "html": report.to_html,
    "json": report.to_json,
}


@click.command("stats", short_help="What a gradebook says about a class (for instructors).")
@options.gradebook
@options.exercises
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", *_FORMATS]),
    default="text",
    show_default=True,
    help="How to write it: html is one page that needs no network.",
)
@options.output("Write it to FILE instead of the terminal.")
@click.option("--all", "everything", is_flag=True, help="As text: every check and every mistake.")
@click.option(
    "--quiz",
    "quizzes",
    multiple=True,
    metavar="QUIZ",
    help="As text: only this quiz, with every item, its options and what was written.",
)
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
    quizzes: tuple[str, ...],
    anonymous: bool,
    policy: Policy,
) -> int:
    """Sum up FILE.db: scores, exercises and checks, what this class misunderstood, its quizzes item by item, hand-ins.

    With exercises named, only these count, and each is told in full.

    \b
    grade stats course.db
    grade stats course.db pooling relu --keep last
    grade stats course.db --quiz pooling
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
    _refuse_unanswered(quizzes, summary)
    style = terminal.style(output, min_columns=60)
    full = everything or bool(exercises)
    text = (
        _FORMATS[form](summary)
        if form in _FORMATS
        else report.to_text(summary, style, all_of_it=full, quizzes=quizzes)
    )
    write(text, output)
    return 0


def _refuse_unanswered(quizzes: Sequence[str], summary: ClassSummary) -> None:
    answered = [quiz.id for quiz in summary.quizzes]
    for wanted in quizzes:
        if wanted not in answered:
            raise UsageError(
                f'Nobody here answered a quiz "{wanted}". Answered were: {", ".join(answered) or "none"}.'
            )
