"""`grade check`: checks the exercises and quizzes of a course, and reports every problem with its place."""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import click

from grader import authoring
from grader.cli import options
from grader.cli.progress import ProgressLine
from grader.cli.run import choose
from grader.core.errors import Problem
from grader.core.model import Exercise
from grader.core.safetext import one_line
from grader.course import catalog
from grader.course.catalog import Course
from grader.grading.dispatcher import Dispatcher

_WIDTH = 80
_MAX_MESSAGE_CHARS = 1000
_UNCHANGED = "(unchanged)"

Found = TypeVar("Found", authoring.ExerciseFindings, authoring.MutationFindings, authoring.SeedFindings)


@click.command("check", short_help="Check exercises and quizzes for problems (for instructors).")
@options.exercises
@click.option("--mutants", is_flag=True, help="Grade every mutant of the references instead.")
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    metavar="N",
    help="Grade references and known mistakes with N seeds instead.",
)
@options.seed("Seed of the inputs; with --repeat the first of them.")
@click.option("--fresh", is_flag=True, help="Check again what has not changed since it had no problem.")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Name the checks that catch each mistake, and what they send; with --repeat, the tolerance each check uses.",
)
@options.course
def check_command(
    exercises: tuple[str, ...], mutants: bool, repeat: int | None, seed: int, fresh: bool, verbose: bool
) -> int:
    """Grade every stub, reference and known mistake, and compute every quiz key. Exits with 4 on a problem.

    A stub must earn nothing and be "not attempted". A reference must earn full marks. Every known mistake must be
    caught by a check, and its results must differ from those of the others. Quiz keys are computed with torch and the
    references.

    The suite must send what means something to each parameter: large numbers, zero, None, NaN, other dtypes and shapes,
    in training and in evaluation. What no check sends is shown, unless solutions/<id>/untested.yaml says why; -v shows
    how many calls had each kind of value.

    All problems are reported at the end, as PATH:LINE:COLUMN: message. A file that cannot be read does not stop the
    others.

    What had no problem is recorded in ~/.cache/convgrader (or $XDG_CACHE_HOME/convgrader) and checked again only
    after a change of a file it depends on, of the grader or of a library. Its line ends with "(unchanged)".

    With --mutants each reference is changed in one place at a time, or ignores a part of its input. A check must fail
    for every such mutant, unless solutions/<id>/equivalents.yaml explains why none can.

    With --repeat each reference is graded with N seeds, with one thread of torch and with two, and must earn full
    marks each time. Known mistakes must be caught with each of the first five seeds. The check that uses most of its
    tolerance is named; more than half is a warning.

    \b
    grade check                     everything
    grade check pooling -v          which checks catch a mistake, and its cost
    grade check pooling --mutants
    grade check --repeat 50
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    course, unreadable = catalog.survey(catalog.find_root())
    chosen = choose(course, exercises)
    # The line is left first, so that it is erased also where the work is interrupted.
    with Dispatcher(many=True, lazy=True) as dispatcher, ProgressLine("gradings") as progress:
        cache = authoring.VerifiedCache(fresh=fresh)
        run = _CourseCheck(course, dispatcher, seed, cache, progress, verbose)
        if mutants:
            run.check_mutants(chosen)
        if repeat:
            run.check_seeds(chosen, repeat)
        if not mutants and not repeat:
            run.check_content(chosen, exercises)
    run.add_problems(unreadable.pop(catalog.COURSE_FILE, ()))
    for name in (name for name in unreadable if not exercises or name in exercises):
        run.add_unreadable(name, unreadable[name])
    return run.finish()


class _CourseCheck:
    """One run of the command: prints a line for each exercise as it is checked, and collects problems for the end."""

    def __init__(
        self,
        course: Course,
        dispatcher: Dispatcher,
        seed: int,
        cache: authoring.VerifiedCache,
        progress: ProgressLine,
        verbose: bool,
    ) -> None:
        self._course, self._dispatcher, self._seed = course, dispatcher, seed
        self._cache, self._progress, self._verbose = cache, progress, verbose
        self._problems: list[Problem] = []
        self._survivors = 0
        self._used_cache = False

    def check_content(self, chosen: Sequence[Exercise], named: Sequence[str]) -> None:
        """Check stubs, references, mistakes and the folders; the quizzes too, unless exercises were named."""
        in_folders = authoring.check_tree(self._course)
        in_folders += authoring.check_visibility(self._course)
        in_folders += authoring.check_passages(self._course)
        self._problems += [problem for problem in in_folders if not named or _concerns(problem, named)]

        def check(exercises: Sequence[Exercise]) -> Iterator[authoring.ExerciseFindings]:
            return authoring.check_exercises(
                self._course, exercises, self._dispatcher, self._seed, self._grading_ended
            )

        for findings, unchanged in self._check(chosen, "plain", authoring.ExerciseFindings, check):
            line = f"{caught_text(findings)}, {_problem_count(findings.problems)}"
            self._show(findings, line, unchanged, graded=findings.checks > 0)
            if self._verbose:
                _show_mistakes(findings)
            _show_outliers(findings, self._verbose)
            _show_inputs(findings, self._verbose)
        if not named:
            self._check_quizzes()

    def _check_quizzes(self) -> None:
        checked = authoring.check_with_cache(
            self._cache,
            authoring.bank_paths(self._course),
            authoring.QuizFindings,
            lambda path, engine: authoring.bank_key(self._course, path, engine),
            lambda paths: authoring.check_banks(self._course, paths),
        )
        pairs = list(checked)
        findings, cached = [one for one, _ in pairs], [unchanged for _, unchanged in pairs]
        problems = [problem for one in findings for problem in one.problems]
        self._problems += problems
        line = f"quizzes: {sum(one.computed for one in findings)} keys computed, {_problem_count(problems)}"
        if any(cached):
            line += f" {_UNCHANGED}" if all(cached) else f" ({sum(cached)} of {len(cached)} unchanged)"
        self._used_cache |= any(cached)
        click.echo(line)

    def check_mutants(self, chosen: Sequence[Exercise]) -> None:
        """Show how many mutants are killed, and each survivor."""

        def check(exercises: Sequence[Exercise]) -> Iterator[authoring.MutationFindings]:
            return authoring.check_mutants(
                self._course, exercises, self._dispatcher, self._seed, self._grading_ended
            )

        for findings, unchanged in self._check(chosen, "mutants", authoring.MutationFindings, check):
            self._show(findings, _killed(findings), unchanged, graded=findings.mutants > 0)
            self._survivors += len(findings.survivors)
            for mutant in findings.survivors:
                click.echo("\n".join(_survivor(findings.reference, mutant)))

    def check_seeds(self, chosen: Sequence[Exercise], times: int) -> None:
        """Show what many seeds find, and the check that uses most of its tolerance."""

        def check(exercises: Sequence[Exercise]) -> Iterator[authoring.SeedFindings]:
            return authoring.check_seeds(
                self._course, exercises, self._dispatcher, self._seed, times, self._grading_ended
            )

        for findings, unchanged in self._check(chosen, f"repeat {times}", authoring.SeedFindings, check):
            gradings = (
                f"{findings.gradings} gradings of the reference, {findings.mistakes_graded} of mistakes"
            )
            line = f"{gradings}, {_problem_count(findings.problems)}"
            self._show(findings, line, unchanged, graded=findings.gradings > 0)
            for text in _tolerances(findings, self._verbose) if findings.gradings else ():
                click.echo(text)

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Add problems of the course as a whole."""
        self._problems += problems

    def add_unreadable(self, name: str, problems: Sequence[Problem]) -> None:
        """Show an exercise whose exercise.yaml cannot be read, and add its problems and those of its other files."""
        found = [*problems, *authoring.check_files(self._course, name)]
        self._problems += found
        click.echo(f"{name}: not graded, {_problem_count(found)}")

    def finish(self) -> int:
        """Print all problems in the form that editors parse, and their number; return the exit code."""
        problems = sorted(set(self._problems), key=lambda p: (p.path, p.line, p.column, p.message))
        for problem in problems:
            click.echo(_line(problem), err=True)
        total = len(problems) + self._survivors
        summary = _counted(total, "problem") + "." if total else "All sound."
        if self._used_cache:
            summary += " What is unchanged was found sound before; --fresh checks it again."
        click.echo(summary)
        return 4 if total else 0

    def _check(
        self,
        chosen: Sequence[Exercise],
        mode: str,
        kind: type[Found],
        check: Callable[[Sequence[Exercise]], Iterator[Found]],
    ) -> Iterator[tuple[Found, bool]]:
        """Yield the findings of each exercise in this mode, in order, and whether they come from the cache.

        The line of progress is erased until the next ones are asked for.
        """

        def key(exercise: Exercise, engine: str) -> str:
            return authoring.exercise_key(exercise, mode, self._seed, engine)

        for found in authoring.check_with_cache(self._cache, chosen, kind, key, check):
            with self._progress.paused():
                yield found

    def _grading_ended(self, exercise: str, gradings: int) -> None:
        self._progress.expect(gradings)
        self._progress.ended(exercise)

    def _show(
        self,
        findings: authoring.ExerciseFindings | authoring.MutationFindings | authoring.SeedFindings,
        line: str,
        unchanged: bool,
        *,
        graded: bool,
    ) -> None:
        self._problems += findings.problems
        self._used_cache |= unchanged
        line = line if graded else f"not graded, {_problem_count(findings.problems)}"
        click.echo(f"{findings.exercise}: {line}{f' {_UNCHANGED}' if unchanged else ''}")


def _show_mistakes(findings: authoring.ExerciseFindings) -> None:
    """Print what share of the points each known mistake costs, and which checks catch it."""
    for mistake, checks in findings.caught.items():
        cost = f"{findings.costs[mistake]:4.0%}" if mistake in findings.costs else "   -"
        click.echo(f"  {cost} {mistake}: {', '.join(checks) or 'missed'}")


def _show_outliers(findings: authoring.ExerciseFindings, verbose: bool) -> None:
    """Print which known mistakes cost little or much without a reason; when asked, the reasons of the others."""
    groups: dict[str, list[str]] = {}
    for mistake, reason in findings.outliers.items():
        groups.setdefault(reason, []).append(mistake)
    unexplained = groups.pop("", [])
    if unexplained:
        _echo_wrapped(
            f"outside {authoring.COST_RANGE} of the points without a reason: {', '.join(unexplained)}", 2
        )
    if verbose and groups:
        click.echo(f"  Outside {authoring.COST_RANGE} of the points, with a reason:")
        for reason, mistakes in groups.items():
            _echo_wrapped(f"{', '.join(mistakes)}: {reason}", 4)


def _echo_wrapped(text: str, indent: int) -> None:
    first, later = " " * indent, " " * (indent + 2)
    click.echo(
        textwrap.fill(text, _WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)
    )


def _show_inputs(findings: authoring.ExerciseFindings, verbose: bool) -> None:
    """Print what the suite does not send without a reason, and when asked the whole matrix, in calls."""
    for row, kinds in findings.inputs.missing.items() if findings.inputs else ():
        _echo_wrapped(f"no check sends {row}: {', '.join(kinds)}", 2)
    if verbose and findings.inputs and findings.inputs.sent:
        click.echo("  Calls by what the checks send; - for none, (-) for none with a reason:")
        for line in authoring.rows_as_text(findings.inputs, _WIDTH - 4):
            click.echo(f"    {line}")


def _concerns(problem: Problem, exercises: Sequence[str]) -> bool:
    """Tell whether a problem is in a file of one of these exercises."""
    return any(
        problem.path.startswith(f"solutions/{name}/") or problem.path == f"exercises/{name}.py"
        for name in exercises
    )


def _line(problem: Problem) -> str:
    """Return a problem in the form that editors parse; one of a file as a whole is at 1:1."""
    place = f"{problem.path}:{max(problem.line, 1)}:{max(problem.column, 1)}"
    return f"{place}: {one_line(problem.message, limit=_MAX_MESSAGE_CHARS)}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _problem_count(problems: Sequence[Problem]) -> str:
    return _counted(len(problems), "problem") if problems else "sound"


def caught_text(findings: authoring.ExerciseFindings) -> str:
    """Return the number of checks of an exercise, and how many of its known mistakes they catch."""
    caught = sum(bool(checks) for checks in findings.caught.values())
    return f"{findings.checks} checks, {caught} of {len(findings.caught)} mistakes caught"


def _killed(findings: authoring.MutationFindings) -> str:
    overdue = f" ({findings.overdue} by a limit)" if findings.overdue else ""
    unexplained = len(findings.survivors)
    state = f"{unexplained} unexplained" if unexplained else _problem_count(findings.problems)
    return (
        f"{findings.killed} of {findings.mutants} mutants killed{overdue}, "
        f"{findings.explained} equivalent, {state}"
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


def _tolerances(findings: authoring.SeedFindings, verbose: bool) -> Iterator[str]:
    """Yield the check that uses most of its tolerance, and all with a warning; with `verbose`, every check."""
    tightest = sorted(findings.tolerance_used.items(), key=lambda item: -item[1])
    if not tightest:
        yield "  no check compares with a tolerance"
    for n, (check, share) in enumerate(tightest):
        is_tight = check in findings.tight
        if verbose or is_tight or n == 0:
            yield f"  {'warning: ' if is_tight else ''}{check} uses {share:.2%} of its tolerance"
