"""`grade replay [EXERCISE] [CHECK]`: writes a failing case as a Python file, and runs it with the student's Python."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from grader.cli import options
from grader.cli.help import choose_one
from grader.core.errors import InternalError, UsageError
from grader.core.model import CheckResult, Exercise, ExerciseResult, Outcome, Reveal, Snippet
from grader.core.safetext import one_line, printable
from grader.core.suggestions import question
from grader.course import catalog
from grader.course.visibility import seen as seen_of
from grader.grading import attempt
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import Graded
from grader.grading.script_run import run_in_worker
from grader.report import first_to_fix, shown_exercise
from grader.report.phrases import dedented
from grader.report.redaction import WITHHELD
from grader.submission import Folder, Submission, is_notebook
from grader.workspace import own_workspaces, replay_files

_MAX_RATIONALE_CHARS = 600
_MAX_PATH_CHARS = 300
_MAX_OUTPUT_CHARS = 2**16
_IMPORT_FAILURES = (Outcome.RAISED, Outcome.CRASHED, Outcome.TIME_LIMIT)


@click.command("replay", short_help="Run a failing case on its own, in a debugger if you like.")
@options.one_exercise
@options.check
@click.option("--pdb", "debug", is_flag=True, help="Stop in your function, in Python's debugger.")
@click.option("--no-run", is_flag=True, help="Only write the file.")
@click.option(
    "--trust",
    is_flag=True,
    help="Run the code with your own rights, also in a workspace that `grade init` did not start here.",
)
@options.submission("The workspace; this folder unless given.")
@options.seed("Seed of the inputs; the course's own unless given.")
@options.course
def replay_command(
    exercise: str | None,
    check: str | None,
    submission: Path,
    seed: int,
    *,
    debug: bool,
    no_run: bool,
    trust: bool,
) -> int:
    """Grade EXERCISE, write a failing case as a small Python file in replays/, and run that file.

    The case is the smallest input that fails, of CHECK or of the first check to fix. The file does not need the grader:
    it imports your module, makes the call, and prints your result beside the expected one. A file that you have changed
    is never overwritten. Exits with 0 if nothing fails any more, with 1 if the case fails.

    In a workspace that you started with `grade init` on this machine it runs as any program of yours. The code of any
    other folder runs in a worker, isolated as in a grading, unless you add --trust; --pdb there needs --trust.

    \b
    grade replay pooling                  the first check to fix
    grade replay pooling padding --pdb    stop in your function, in the debugger
    grade replay pooling --no-run         only write the file
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    if not submission.is_dir():
        raise UsageError(f"{submission} is not a folder. Name your workspace: --submission DIR.")
    is_trusted = trust or own_workspaces.is_own(submission)
    if debug and not no_run and not is_trusted:
        raise UsageError(f"{_not_own(submission)} The debugger cannot be isolated. {_ADD_TRUST}")
    with Dispatcher() as dispatcher:
        course = catalog.load(catalog.find_root())
        chosen = [choose_one(course, exercise)] if exercise is not None else list(course.exercises)
        if not no_run and not is_trusted:
            _refuse_without_isolation(submission, dispatcher)
        handed_in = Submission(Folder(submission))
        found, graded, planned = _grade(dispatcher, handed_in, chosen, seed)
        case = _choose_case(found, graded, planned, check)
        if isinstance(case, _NoCase):
            click.echo(case.text)
            return case.code
        path = _write(case, submission)
        if no_run:
            return 0
        if not is_trusted:
            return _run_isolated(case, path, planned, submission, dispatcher)
    return _run(case, path, planned, submission, debug=debug)


def _write(case: replay_files.Case, workspace: Path) -> Path:
    """Write the file of a case, and say where it is."""
    path, kept = replay_files.write(case, workspace)
    if kept is not None:
        click.echo(f"{kept} has your changes and was not overwritten. The case is in {path}.")
    else:
        click.echo(f"{path} written.")
    return path


class _NoCase:
    """There is no case to write: the message for the student, and the exit code."""

    def __init__(self, text: str, code: int) -> None:
        self.text, self.code = text, code


def _grade(
    dispatcher: Dispatcher, handed_in: Submission, chosen: Sequence[Exercise], seed: int
) -> tuple[ExerciseResult, dict[str, Snippet], attempt.Plan]:
    """Grade exercises; return the one that `grade` would name next, its cases by check, and the plan."""
    planned = attempt.plan(handed_in, chosen, seed)
    endings = dict(
        zip(planned.jobs, dispatcher.grade([job.with_replay() for job in planned.jobs.values()]), strict=True)
    )
    seen = {one.id: seen_of(one) for one in chosen}
    results = [
        shown_exercise(planned.refused.get(one.id) or attempt.result_of(one, endings[one.id]), seen[one.id])
        for one in chosen
    ]
    unfinished = [result for result in results if not result.is_full]
    found = max(unfinished or results, key=lambda result: (not result.is_void, result.points > 0))
    ending = endings.get(found.id)
    written = ending.snippets if isinstance(ending, Graded) else {}
    hidden = Snippet(reason=WITHHELD[0].lower() + WITHHELD[1:].rstrip("."))
    of = seen[found.id].of
    snippets = {check: one if of(check) is Reveal.ALL else hidden for check, one in written.items()}
    return found, snippets, planned


def _choose_case(
    result: ExerciseResult, snippets: dict[str, Snippet], planned: attempt.Plan, wanted: str | None
) -> replay_files.Case | _NoCase:
    """Return the case to replay, or why there is none and what to do instead."""
    if result.is_void:
        raise InternalError(result.message or f"{result.id} could not be graded. Please try again.")
    job = planned.jobs.get(result.id)
    if job is not None and is_notebook(job.root):
        raise UsageError(
            f"{result.id} is a cell of {job.root[:-1]}, and only files can be replayed. In the notebook, make the call "
            "in another cell, then run %debug."
        )
    if result.id in planned.refused or not result.checks:
        return _import_case(result, planned)
    failed = [check for check in result.checks if check.outcome is not Outcome.PASSED]
    check = _named(result, wanted) if wanted is not None else first_to_fix(failed)
    if check is None or check.outcome is Outcome.PASSED:
        every = f"All checks of {result.id} pass"
        if result.hidden is not None:
            every = f"No check of {result.id} that you can see fails"
        which = f"“{check.title}” passes" if check is not None else every
        return _NoCase(f"{which}: there is nothing to replay.", 0)
    if check.outcome is Outcome.SKIPPED:
        return _NoCase(f"{check.id} did not run. {check.rationale}", 1)
    if check.outcome is Outcome.NOT_ATTEMPTED:
        text = f"{check.id}: {one_line(check.rationale)} Open exercises/{result.id}.py, and write it."
        return _NoCase(text, 1)
    snippet = snippets.get(check.id) or Snippet(reason="its calls were not recorded")
    if snippet.reason:
        return _NoCase(_not_replayable(result, check, snippet.reason, failed, snippets), 1)
    return replay_files.Case(
        exercise=result.id,
        root=planned.jobs[result.id].root,
        snippet=snippet,
        check=check,
        outcome=check.outcome,
    )


def _import_case(result: ExerciseResult, planned: attempt.Plan) -> replay_files.Case | _NoCase:
    """Return the case that imports a module, where that fails."""
    if result.id in planned.refused or result.outcome not in _IMPORT_FAILURES:
        return _NoCase(result.message or f"Not attempted yet: open exercises/{result.id}.py.", 1)
    job = planned.jobs[result.id]
    return replay_files.Case(exercise=result.id, root=job.root, snippet=Snippet(), outcome=result.outcome)


def _named(result: ExerciseResult, wanted: str) -> CheckResult:
    names = {check.id.removeprefix("test_"): check for check in result.checks}
    found = names.get(wanted.removeprefix("test_"))
    if found is None:
        hint = question(wanted, names) or f" There are: {', '.join(names)}."
        raise UsageError(f'{result.id} has no check "{wanted}".{hint}')
    return found


def _not_replayable(
    result: ExerciseResult,
    check: CheckResult,
    reason: str,
    failed: Sequence[CheckResult],
    snippets: dict[str, Snippet],
) -> str:
    others = [c.id.removeprefix("test_") for c in failed if c.id in snippets and not snippets[c.id].reason]
    instead = (
        f"Replay another: grade replay {result.id} {others[0]}"
        if others
        else f"Add a call of your own below your code in exercises/{result.id}.py, and run that file."
    )
    rationale = one_line(check.rationale, limit=_MAX_RATIONALE_CHARS)
    return f"{check.id}: {rationale}\nIt cannot be replayed: {reason}.\n{instead}"


# --- running it in a worker


_ADD_TRUST = "If the code may run with your rights, reading and changing your files, add --trust."


def _not_own(workspace: Path) -> str:
    shown = one_line(str(workspace.resolve()), limit=_MAX_PATH_CHARS)
    return f"{shown} was not started with `grade init` here: its code may be somebody else's."


def _refuse_without_isolation(workspace: Path, dispatcher: Dispatcher) -> None:
    """Raise UsageError where a worker would not keep the code of a stranger from this machine's files."""
    level = dispatcher.isolation().level
    if level < options.REQUIRED_LEVEL:
        needed = f"Isolation level {options.REQUIRED_LEVEL} is needed to run it; this machine has {level}."
        raise UsageError(f"{_not_own(workspace)} {needed} {_ADD_TRUST}")


def _run_isolated(
    case: replay_files.Case, path: Path, planned: attempt.Plan, workspace: Path, dispatcher: Dispatcher
) -> int:
    """Run the case in a worker; print what it printed, and the error as Python would. Return the exit code."""
    click.echo(
        f"{_not_own(workspace)} So it runs in a worker, at isolation level {dispatcher.isolation().level}. {_ADD_TRUST}"
    )
    ended = run_in_worker(dispatcher, planned.jobs[case.exercise], case.name, case.text())
    if ended.output:
        click.echo(printable(ended.output.rstrip("\n"), limit=_MAX_OUTPUT_CHARS))
    if not ended.error:
        return _explain_success(case)
    lines = ["Traceback (most recent call last):"] if ended.traceback else []
    for frame in ended.traceback:
        shown = str(path) if frame.path == ended.path else frame.path
        inside = f", in {frame.function}" if frame.function else ""
        lines += [
            f'  File "{shown}", line {frame.line}{inside}',
            *(f"    {line}" for line in dedented(frame.text)),
        ]
    click.echo(printable("\n".join([*lines, ended.error])), err=True)
    return 1


# --- running it with the user's rights


def _run(case: replay_files.Case, path: Path, planned: attempt.Plan, workspace: Path, *, debug: bool) -> int:
    """Run the file in the workspace, with this terminal; return the exit code."""
    if case.outcome is Outcome.MEMORY_LIMIT and not debug:
        click.echo("It was not run, because this call exceeded the memory limit. To run it yourself:")
        click.echo(f"  {shlex.join(['python', str(path)])}")
        return 1
    file = os.path.relpath(path, workspace)
    words = [*_debugger(case, planned, workspace), file] if debug else [file]
    click.echo(f"$ {shlex.join(['python', *words])}")
    sys.stdout.flush()
    with _ignoring_interrupts():
        code = subprocess.call([sys.executable, *words], cwd=workspace)
    if code in (-signal.SIGINT, 130):
        raise KeyboardInterrupt
    if debug:
        return 1  # the exit code of a debugger says nothing about the case, which failed when it was graded
    if code == 0:
        return _explain_success(case)
    if code < 0:
        click.echo(f"Python was killed by {signal.Signals(-code).name}.", err=True)
    return 1


def _explain_success(case: replay_files.Case) -> int:
    if case.snippet.judges:
        click.echo(
            "The case passes here but failed when it was graded. While grading there are no files, no network and "
            "only one thread, and the check made other calls before this one.",
            err=True,
        )
        return 0
    assert case.check is not None
    rationale = one_line(case.check.rationale, limit=_MAX_RATIONALE_CHARS)
    click.echo(f"The check still fails, in what it computes from this: {rationale}")
    return 1


def _debugger(case: replay_files.Case, planned: attempt.Plan, workspace: Path) -> list[str]:
    """Return the arguments that start the debugger with a breakpoint at the first line of the student's function.

    A call that raises needs none: the debugger stops at the line that raised.
    """
    job = planned.jobs[case.exercise]
    line = replay_files.first_line(job.sources[f"{case.exercise}.py"], case.snippet.entry)
    module = (workspace / job.root / f"{case.exercise}.py").resolve()
    stops = case.outcome is not Outcome.RAISED and line is not None and "," not in str(module)
    commands = [*([f"tbreak {module}:{line}"] if stops else []), "continue"]
    return ["-m", "pdb", *(word for command in commands for word in ("-c", command))]


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C in this process: it is for the file that runs, or for its debugger."""
    before = signal.signal(
        signal.SIGINT, lambda *_: None
    )  # a handler, not SIG_IGN, which the child would inherit
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
