"""`grade stats`: statistics on a class from its gradebook, for the instructor and for a lecture."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from grader.classroom import course_versions, report, similarity, statistics
from grader.classroom.gradebook import Gradebook
from grader.classroom.late_policy import Policy
from grader.classroom.statistics import ClassSummary
from grader.cli import options, policy_options, terminal
from grader.cli.class_options import name_damaged, warn_of_versions
from grader.cli.run import choose, write
from grader.core.errors import UsageError
from grader.course import catalog

_FORMATS: dict[str, Callable[[ClassSummary], str]] = {
    "html": report.to_html,
    "json": report.to_json,
}


@click.command("stats", short_help="Statistics on a class from its gradebook (for instructors).")
@options.gradebook
@options.exercises
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", *_FORMATS]),
    default="text",
    show_default=True,
    help="The output format; html is one page that needs no network.",
)
@options.output("Write the result to FILE instead of the terminal.")
@click.option("--all", "show_all", is_flag=True, help="As text: every check and every mistake.")
@click.option(
    "--quiz",
    "quizzes",
    multiple=True,
    metavar="QUIZ",
    help="As text: only this quiz, with every item, its options and frequent wrong responses.",
)
@click.option(
    "--anonymous", is_flag=True, help="For a lecture: numbers instead of names, and no similar solutions."
)
@policy_options.late_policy
@options.course
def stats_command(
    gradebook: Path,
    exercises: tuple[str, ...],
    form: str,
    output: Path | None,
    show_all: bool,
    quizzes: tuple[str, ...],
    anonymous: bool,
    policy: Policy,
) -> int:
    """Summarize FILE.db: scores, exercises, checks, mistakes and misconceptions, quiz items, hand-ins.

    With exercises named, only these count, and every check of them is shown. Exits with 1 where a hand-in is damaged:
    it does not count, and is named. FILE.db is not changed.

    \b
    grade stats course.db
    grade stats course.db pooling relu --keep last
    grade stats course.db --quiz pooling
    grade stats course.db --format html --output class.html --anonymous
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    course = catalog.load(catalog.find_root())
    choose(course, exercises)
    with Gradebook.reading(gradebook) as book, similarity.open_cache() as cache:
        summary = statistics.summarize(book, course, policy, title=gradebook.stem, chosen=exercises)
        if anonymous:
            summary = statistics.anonymous(summary, statistics.pseudonyms(book))
        else:
            summary = statistics.with_similar(summary, book, course, exercises, cache)
        scores = list(book.scores())
        warn_of_versions(course_versions.sort(policy.marks(scores), scores, book.newest_version()))
        code = name_damaged(book)
    _require_answers(quizzes, summary)
    style = terminal.style(output, min_columns=60)
    full = show_all or bool(exercises)
    text = (
        _FORMATS[form](summary)
        if form in _FORMATS
        else report.to_text(summary, style, show_all=full, quizzes=quizzes)
    )
    write(text, output)
    return code


def _require_answers(quizzes: Sequence[str], summary: ClassSummary) -> None:
    answered = [quiz.id for quiz in summary.quizzes]
    for wanted in quizzes:
        if wanted not in answered:
            raise UsageError(
                f'No student answered a quiz "{wanted}". Quizzes with answers: {", ".join(answered) or "none"}.'
            )
