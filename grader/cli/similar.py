"""`grade similar`: which solutions in a gradebook are more alike than the exercise makes them, and where."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import click

from grader.classroom import report, similarity, statistics
from grader.classroom.gradebook import Gradebook
from grader.classroom.similarity import Comparison, SolutionSource
from grader.cli import options, terminal
from grader.cli.class_options import name_damaged, shown_name
from grader.cli.progress import ProgressLine
from grader.cli.run import choose, write
from grader.core.errors import UsageError
from grader.core.model import Exercise
from grader.core.safetext import one_line
from grader.course import catalog


@click.command("similar", short_help="Which solutions of a class are alike (for instructors).")
@options.gradebook
@options.exercises
@click.option(
    "--minimum",
    type=options.NumberRange(0.1, 1),
    default=similarity.MINIMUM,
    show_default=True,
    metavar="SCORE",
    help="Leave out pairs below this score.",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    metavar="FOLDER",
    help="Also compare with these: last year's hand-ins, or a published solution. May be given again.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The output format.",
)
@options.output("Write the result to FILE instead of the terminal.")
@click.option("--all", "show_all", is_flag=True, help="As text: every pair with all its lines.")
@click.option("--anonymous", is_flag=True, help="Show numbers instead of names, and no code.")
@options.course
def similar_command(
    gradebook: Path,
    exercises: tuple[str, ...],
    minimum: float,
    against: tuple[Path, ...],
    form: str,
    output: Path | None,
    show_all: bool,
    anonymous: bool,
) -> int:
    """Find pairs of students in FILE.db whose code shares more than the stub, the course and the class explain.

    A pair is a lead to look at, not a verdict: you see which lines match and how many others have them, never who
    copied. Every attempt is compared, not only those that count. Names, order, formatting, comments and temporaries
    make no difference; code that a third of the class has does not count. No code is run, and nothing leaves this
    machine. FILE.db is not changed; what was read of it is kept in your cache folder, until `grade erase`. Exits with 1
    where a hand-in is damaged: it is left out, and named.

    \b
    grade similar course.db
    grade similar course.db pooling batchnorm --minimum 0.5
    grade similar course.db --against last-year --against published-solution
    grade similar course.db --format json --output similar.json
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    course = catalog.load(catalog.find_root())
    chosen = choose(course, exercises)
    with Gradebook.reading(gradebook) as book, similarity.open_cache() as cache:
        students = book.students()
        if not students:
            message = (
                f"{gradebook.stem} holds no attempt. `grade class SUBMISSIONS --gradebook FILE` adds them."
            )
            raise UsageError(message)
        ids = [exercise.id for exercise in chosen]
        outside = _SkippedOutside()
        others = [similarity.of_folder(folder, ids, outside.skip) for folder in against]
        found = [_compare(book, exercise, others, minimum, cache) for exercise in _with_status(chosen)]
        if anonymous:
            found = report.unnamed(found, statistics.pseudonyms(book))
        code = max(name_damaged(book), outside.code)
    if form == "json":
        write(report.similar_json(gradebook.stem, found, minimum), output)
        return code
    style = terminal.style(output, min_columns=60)
    text = report.similar_text(gradebook.stem, len(students), found, minimum, style, show_all=show_all)
    write(text, output)
    return code


class _SkippedOutside:
    """Names what cannot be read in the folders of --against. `code` is the exit code: 1 where there is any."""

    def __init__(self) -> None:
        self.code = 0

    def skip(self, name: str, reason: str) -> None:
        """Name a solution that is left out."""
        click.echo(f"skipped, outside the class: {shown_name(name)}: {one_line(reason)}", err=True)
        self.code = 1


def _with_status(exercises: Sequence[Exercise]) -> Iterator[Exercise]:
    """Yield exercises; show each on a terminal's stderr, since the first comparison of a large class takes a minute."""
    with ProgressLine("exercises", len(exercises)) as line:
        for exercise in exercises:
            line.working_on(exercise.id)
            yield exercise
            line.ended(exercise.id)


def _compare(
    book: Gradebook,
    exercise: Exercise,
    others: Sequence[Mapping[str, list[SolutionSource]]],
    minimum: float,
    cache: similarity.Cache | None,
) -> Comparison:
    sources = chain(
        similarity.of_class(book, exercise.id, exercise.stub.read_text(encoding="utf-8")),
        *(folder[exercise.id] for folder in others),
    )
    return similarity.compare(
        exercise.id, sources, similarity.published(exercise), minimum=minimum, cache=cache
    )
