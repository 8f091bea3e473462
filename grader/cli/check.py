"""`grade check`: proves that the course's content is sound."""

import textwrap
from collections.abc import Iterator, Sequence

import click

from grader import catalog, content
from grader.catalog import Course
from grader.cli import options
from grader.cli.run import choose
from grader.dispatch import Dispatcher
from grader.errors import Problem
from grader.model import Exercise

_WIDTH = 80


@click.command("check", short_help="Prove that exercises and quizzes are sound (for instructors).")
@options.exercises
@click.option("--mutants", is_flag=True, help="Grade every mutant of the references instead.")
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    metavar="N",
    help="Grade references and known mistakes with N seeds instead.",
)
@options.seed("Seed of the inputs, or the first of them.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Name the checks that catch each mistake, or use a tolerance."
)
@options.course
def check_command(
    exercises: tuple[str, ...], mutants: bool, repeat: int | None, seed: int, verbose: bool
) -> int:
    """Grade every stub, reference and known mistake, and verify every quiz key. Exits with 4 on a problem.

    A stub must earn nothing and be "not attempted"; a reference must earn all; every known mistake must be
    caught by a check, and told apart from the others. Quiz keys are computed with torch and the references.

    With --mutants each reference is changed in one place at a time. A check must kill every such mutant, or
    solutions/<id>/equivalents.yaml says why none can.

    With --repeat each reference is graded with N seeds, with one thread of torch and with two, and must earn all
    each time; known mistakes must be caught with the first five seeds. The check that uses most of its tolerance
    is named, and any that uses more than half is a warning.

    \b
    grade check                     everything
    grade check pooling -v          which check catches which mistake
    grade check pooling --mutants
    grade check --repeat 50
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    problems: list[Problem] = []
    unexplained = 0
    with Dispatcher(many=True) as dispatcher:
        course = catalog.load(catalog.find_root())
        chosen = choose(course, exercises)
        if mutants:
            unexplained, found = _mutants(course, chosen, dispatcher, seed)
            problems += found
        if repeat:
            problems += _repeated(course, chosen, dispatcher, seed, repeat, verbose)
        if not mutants and not repeat:
            problems += _plain(course, chosen, dispatcher, seed, verbose, quizzes=not exercises)
    for problem in problems:
        click.echo(str(problem), err=True)
    total = len(problems) + unexplained
    click.echo(_counted(total, "problem") + "." if total else "All sound.")
    return 4 if total else 0


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _state(problems: Sequence[Problem]) -> str:
    return _counted(len(problems), "problem") if problems else "sound"


# --- stubs, references, mistakes, keys


def _plain(
    course: Course,
    chosen: Sequence[Exercise],
    dispatcher: Dispatcher,
    seed: int,
    verbose: bool,
    *,
    quizzes: bool,
) -> list[Problem]:
    problems = [*content.check_tree(course), *content.check_reveals(course)]
    for proof in content.check_exercises(course, chosen, dispatcher, seed):
        problems += proof.problems
        _show(proof, verbose)
    if quizzes:
        computed, found = content.check_quizzes(course)
        problems += found
        click.echo(f"quizzes: {computed} keys computed, {_state(found)}")
    return problems


def _show(proof: content.Proof, verbose: bool) -> None:
    caught = sum(bool(checks) for checks in proof.caught.values())
    click.echo(
        f"{proof.exercise}: {proof.checks} checks, {caught} of {len(proof.caught)} mistakes caught, "
        f"{_state(proof.problems)}"
    )
    if verbose:
        for mistake, checks in proof.caught.items():
            click.echo(f"  {mistake}: {', '.join(checks) or 'missed'}")


# --- mutants


def _mutants(
    course: Course, chosen: Sequence[Exercise], dispatcher: Dispatcher, seed: int
) -> tuple[int, list[Problem]]:
    """Show how many mutants are killed, and each survivor; return how many of those nobody explains, and problems."""
    unexplained = 0
    problems: list[Problem] = []
    for survival in content.check_mutants(course, chosen, dispatcher, seed):
        unexplained += len(survival.survivors)
        problems += survival.problems
        click.echo(_survival_line(survival))
        for mutant in survival.survivors:
            click.echo("\n".join(_survivor(survival.reference, mutant)))
    return unexplained, problems


def _survival_line(survival: content.Survival) -> str:
    overdue = f" ({survival.overdue} by a limit)" if survival.overdue else ""
    left = len(survival.survivors)
    state = f"{left} unexplained" if left else _state(survival.problems)
    return (
        f"{survival.exercise}: {survival.killed} of {survival.mutants} mutants killed{overdue}, "
        f"{survival.explained} equivalent, {state}"
    )


def _survivor(path: str, mutant: content.Mutant) -> Iterator[str]:
    yield f"  {path}:{mutant.line}:{mutant.column}: {mutant.id} survives in {mutant.scope}"
    for sign, text in (("-", mutant.old), ("+", mutant.new)):
        for line in text.splitlines():
            yield from textwrap.wrap(
                line,
                _WIDTH,
                initial_indent=f"    {sign} ",
                subsequent_indent="        ",
                break_on_hyphens=False,
                break_long_words=False,
                drop_whitespace=True,
            )


# --- repeats


def _repeated(
    course: Course, chosen: Sequence[Exercise], dispatcher: Dispatcher, seed: int, times: int, verbose: bool
) -> list[Problem]:
    problems: list[Problem] = []
    for steadiness in content.check_repeatedly(course, chosen, dispatcher, seed, times):
        problems += steadiness.problems
        click.echo(
            f"{steadiness.exercise}: {steadiness.gradings} gradings of the reference, {steadiness.mistaken} of "
            f"mistakes, {_state(steadiness.problems)}"
        )
        for line in _tolerances(steadiness, verbose):
            click.echo(line)
    return problems


def _tolerances(steadiness: content.Steadiness, verbose: bool) -> Iterator[str]:
    """Tell what uses most of its tolerance, and all that uses too much of it; with `verbose`, everything."""
    tightest = sorted(steadiness.tolerance_used.items(), key=lambda item: -item[1])
    if not tightest:
        yield "  no check compares with a tolerance"
    for n, (check, share) in enumerate(tightest):
        tight = check in steadiness.tight
        if verbose or tight or n == 0:
            yield f"  {'warning: ' if tight else ''}{check} uses {share:.2%} of its tolerance"
