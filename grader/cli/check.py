"""`grade check`: proves that the course's content is sound."""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import click

from grader import authoring
from grader.cli import options
from grader.cli.run import choose
from grader.core.errors import Problem
from grader.core.model import Exercise
from grader.core.safetext import one_line
from grader.course import catalog
from grader.course.catalog import Course
from grader.grading.dispatcher import Dispatcher

_WIDTH = 80
_UNCHANGED = "(unchanged)"

Found = TypeVar("Found", authoring.Proof, authoring.Survival, authoring.Steadiness)


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
@click.option("--fresh", is_flag=True, help="Check what is unchanged since it was last found sound, too.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Name the checks that catch each mistake, or use a tolerance."
)
@options.course
def check_command(
    exercises: tuple[str, ...], mutants: bool, repeat: int | None, seed: int, fresh: bool, verbose: bool
) -> int:
    """Grade every stub, reference and known mistake, and verify every quiz key. Exits with 4 on a problem.

    A stub must earn nothing and be "not attempted"; a reference must earn all; every known mistake must be
    caught by a check, and told apart from the others. Quiz keys are computed with torch and the references.

    All problems are told at once, as PATH:LINE:COLUMN: what is wrong; one broken file hides no others.

    What was found sound is remembered in ~/.cache/convgrader (or $XDG_CACHE_HOME/convgrader) and not checked
    again until a file changes that it depends on, or the grader, or a library; such lines end with "(unchanged)".

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
    course, broken = catalog.survey(catalog.find_root())
    chosen = choose(course, exercises)
    with Dispatcher(many=True, lazy=True) as dispatcher:
        check = _Check(course, dispatcher, seed, authoring.Sound(fresh=fresh), verbose)
        if mutants:
            check.mutants(chosen)
        if repeat:
            check.repeat(chosen, repeat)
        if not mutants and not repeat:
            check.plain(chosen, exercises)
    check.add(broken.pop(catalog.COURSE_FILE, ()))
    for name in (name for name in broken if not exercises or name in exercises):
        check.unread(name, broken[name])
    return check.told()


class _Check:
    """One run of the command: shows a line for each thing as it is checked, and keeps what is wrong for the end."""

    def __init__(
        self, course: Course, dispatcher: Dispatcher, seed: int, sound: authoring.Sound, verbose: bool
    ) -> None:
        self._course, self._dispatcher, self._seed = course, dispatcher, seed
        self._sound, self._verbose = sound, verbose
        self._problems: list[Problem] = []
        self._survivors = 0
        self._unchanged = False

    def plain(self, chosen: Sequence[Exercise], named: Sequence[str]) -> None:
        """Check stubs, references, mistakes; the tree and the quizzes too, unless exercises were named."""
        tree = [*authoring.check_tree(self._course), *authoring.check_reveals(self._course)]
        self._problems += [problem for problem in tree if not named or _concerns(problem, named)]

        def check(exercises: Sequence[Exercise]) -> Iterator[authoring.Proof]:
            return authoring.check_exercises(self._course, exercises, self._dispatcher, self._seed)

        for proof, unchanged in self._each(chosen, "plain", authoring.Proof, check):
            self._show(
                proof, f"{_caught(proof)}, {_state(proof.problems)}", unchanged, graded=proof.checks > 0
            )
            if self._verbose:
                for mistake, checks in proof.caught.items():
                    click.echo(f"  {mistake}: {', '.join(checks) or 'missed'}")
        if not named:
            self._quizzes()

    def _quizzes(self) -> None:
        checked = authoring.unless_known(
            self._sound,
            authoring.bank_paths(self._course),
            authoring.BankProof,
            lambda path, engine: authoring.bank_key(self._course, path, engine),
            lambda paths: authoring.check_banks(self._course, paths),
        )
        found = list(checked)
        proofs, known = [proof for proof, _ in found], [unchanged for _, unchanged in found]
        problems = [problem for proof in proofs for problem in proof.problems]
        self._problems += problems
        line = f"quizzes: {sum(proof.computed for proof in proofs)} keys computed, {_state(problems)}"
        if any(known):
            line += f" {_UNCHANGED}" if all(known) else f" ({sum(known)} of {len(known)} unchanged)"
        self._unchanged |= any(known)
        click.echo(line)

    def mutants(self, chosen: Sequence[Exercise]) -> None:
        """Show how many mutants are killed, and each survivor."""

        def check(exercises: Sequence[Exercise]) -> Iterator[authoring.Survival]:
            return authoring.check_mutants(self._course, exercises, self._dispatcher, self._seed)

        for survival, unchanged in self._each(chosen, "mutants", authoring.Survival, check):
            self._show(survival, _killed(survival), unchanged, graded=survival.mutants > 0)
            self._survivors += len(survival.survivors)
            for mutant in survival.survivors:
                click.echo("\n".join(_survivor(survival.reference, mutant)))

    def repeat(self, chosen: Sequence[Exercise], times: int) -> None:
        """Show what uses most of its tolerance in many gradings."""

        def check(exercises: Sequence[Exercise]) -> Iterator[authoring.Steadiness]:
            return authoring.check_repeatedly(self._course, exercises, self._dispatcher, self._seed, times)

        for found, unchanged in self._each(chosen, f"repeat {times}", authoring.Steadiness, check):
            line = f"{found.gradings} gradings of the reference, {found.mistaken} of mistakes, {_state(found.problems)}"
            self._show(found, line, unchanged, graded=found.gradings > 0)
            for text in _tolerances(found, self._verbose) if found.gradings else ():
                click.echo(text)

    def add(self, problems: Iterable[Problem]) -> None:
        """Keep what is wrong with the course as a whole."""
        self._problems += problems

    def unread(self, name: str, problems: Sequence[Problem]) -> None:
        """Tell of an exercise whose exercise.yaml cannot be read, and what else can be seen in its files."""
        found = [*problems, *authoring.check_files(self._course, name)]
        self._problems += found
        click.echo(f"{name}: not graded, {_state(found)}")

    def told(self) -> int:
        """Tell all problems as an editor would, and how many; return the exit code."""
        problems = sorted(set(self._problems), key=lambda p: (p.path, p.line, p.column, p.message))
        for problem in problems:
            click.echo(_line(problem), err=True)
        total = len(problems) + self._survivors
        summary = _counted(total, "problem") + "." if total else "All sound."
        if self._unchanged:
            summary += " What is unchanged was found sound before; --fresh checks it again."
        click.echo(summary)
        return 4 if total else 0

    def _each(
        self,
        chosen: Sequence[Exercise],
        mode: str,
        kind: type[Found],
        check: Callable[[Sequence[Exercise]], Iterator[Found]],
    ) -> Iterator[tuple[Found, bool]]:
        """Check the exercises that are not known to be sound in this mode; yield what is found of each, in order."""

        def key(exercise: Exercise, engine: str) -> str:
            return authoring.exercise_key(exercise, mode, self._seed, engine)

        return authoring.unless_known(self._sound, chosen, kind, key, check)

    def _show(
        self,
        found: authoring.Proof | authoring.Survival | authoring.Steadiness,
        line: str,
        unchanged: bool,
        *,
        graded: bool,
    ) -> None:
        self._problems += found.problems
        self._unchanged |= unchanged
        line = line if graded else f"not graded, {_state(found.problems)}"
        click.echo(f"{found.exercise}: {line}{f' {_UNCHANGED}' if unchanged else ''}")


def _concerns(problem: Problem, exercises: Sequence[str]) -> bool:
    """Tell whether a problem of the tree is one of these exercises."""
    return any(
        problem.path.startswith(f"solutions/{name}/") or problem.path == f"exercises/{name}.py"
        for name in exercises
    )


def _line(problem: Problem) -> str:
    """Return a problem as editors read them; what is wrong with a file as a whole stands at its beginning."""
    place = f"{problem.path}:{max(problem.line, 1)}:{max(problem.column, 1)}"
    return f"{place}: {one_line(problem.message, limit=1000)}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _state(problems: Sequence[Problem]) -> str:
    return _counted(len(problems), "problem") if problems else "sound"


def _caught(proof: authoring.Proof) -> str:
    caught = sum(bool(checks) for checks in proof.caught.values())
    return f"{proof.checks} checks, {caught} of {len(proof.caught)} mistakes caught"


def _killed(survival: authoring.Survival) -> str:
    overdue = f" ({survival.overdue} by a limit)" if survival.overdue else ""
    left = len(survival.survivors)
    state = f"{left} unexplained" if left else _state(survival.problems)
    return (
        f"{survival.killed} of {survival.mutants} mutants killed{overdue}, "
        f"{survival.explained} equivalent, {state}"
    )


def _survivor(path: str, mutant: authoring.Mutant) -> Iterator[str]:
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


def _tolerances(steadiness: authoring.Steadiness, verbose: bool) -> Iterator[str]:
    """Tell what uses most of its tolerance, and all that uses too much of it; with `verbose`, everything."""
    tightest = sorted(steadiness.tolerance_used.items(), key=lambda item: -item[1])
    if not tightest:
        yield "  no check compares with a tolerance"
    for n, (check, share) in enumerate(tightest):
        tight = check in steadiness.tight
        if verbose or tight or n == 0:
            yield f"  {'warning: ' if tight else ''}{check} uses {share:.2%} of its tolerance"
