"""`grade check`: proves that the course's content is sound."""

import click

from grader import catalog, content
from grader.cli.run import DEFAULT_SEED, choose
from grader.dispatch import Dispatcher
from grader.errors import Problem


@click.command("check", short_help="Prove that exercises and quizzes are sound (for instructors).")
@click.argument("exercises", nargs=-1, metavar="[EXERCISE]...")
@click.option("--seed", type=int, default=DEFAULT_SEED, metavar="N", help="Seed of the inputs.")
@click.option("-v", "--verbose", is_flag=True, help="Name the checks that catch each known mistake.")
def check_command(exercises: tuple[str, ...], seed: int, verbose: bool) -> int:
    """Grade every stub, reference and known mistake, and verify every quiz key. Exits with 4 on a problem.

    \b
    A stub must earn nothing and be "not attempted"; a reference must earn all; every known mistake must be
    caught by a check, and told apart from the others. Quiz keys are computed with torch and the references.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    problems: list[Problem] = []
    with Dispatcher() as dispatcher:
        course = catalog.load(catalog.find_root())
        chosen = choose(course, exercises)
        problems += content.check_tree(course)
        for proof in content.check_exercises(course, chosen, dispatcher, seed):
            problems += proof.problems
            _show(proof, verbose)
    if not exercises:
        computed, found = content.check_quizzes(course)
        problems += found
        state = "sound" if not found else f"{len(found)} problems"
        click.echo(f"quizzes: {computed} keys computed, {state}")
    for problem in problems:
        click.echo(str(problem), err=True)
    click.echo(f"{len(problems)} problems." if problems else "All sound.")
    return 4 if problems else 0


def _show(proof: content.Proof, verbose: bool) -> None:
    caught = sum(bool(checks) for checks in proof.caught.values())
    state = "sound" if not proof.problems else f"{len(proof.problems)} problems"
    click.echo(
        f"{proof.exercise}: {proof.checks} checks, {caught} of {len(proof.caught)} mistakes caught, {state}"
    )
    if verbose:
        for mistake, checks in proof.caught.items():
            click.echo(f"  {mistake}: {', '.join(checks) or 'missed'}")
