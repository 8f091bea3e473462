"""`grade init` and `grade quiz`: a student's workspace and the answers to its quizzes."""

import os
from pathlib import Path

import click

from grader import quiz
from grader.cli import options
from grader.core.errors import UsageError
from grader.core.suggestions import question
from grader.course import catalog
from grader.export import ci, origin
from grader.workspace import own_workspaces, scaffold

_sheet_seed = options.draw_seed("Seed for the numbers in a new answer sheet; random unless given.")


@click.command("init", short_help="Start a workspace to work in.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@_sheet_seed
@click.option(
    "--ci",
    "service",
    type=click.Choice(list(ci.SERVICES)),
    help="Write only the file that grades every push: a CI workflow, or an autograder for Classroom 50.",
)
@options.requirement
@options.fail_under("With --ci: fail below this score.")
@options.course
def init_command(
    folder: Path, seed: int | None, service: str | None, requirement: str | None, fail_under: float
) -> int:
    """Write the stubs and answer sheets of the course to DIR. Files that exist are not changed.

    A new DIR is recorded as yours, in ~/.local/state/convgrader (or $XDG_STATE_HOME/convgrader): only there does `grade
    replay` run code with your own rights unasked.

    \b
    grade init my-cnn
    grade init --ci github my-cnn          add a workflow that grades every push
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    if service is not None:
        return _init_ci(folder, service, requirement, fail_under)
    course = catalog.load(catalog.find_root())
    is_new = scaffold.is_new(folder)
    written, kept = scaffold.create(course, folder, quiz.new_seed() if seed is None else seed)
    if is_new:
        _record(folder)
    click.echo(
        f"{folder}: {written} files written"
        + (f"; {kept} exist already and were not changed." if kept else ".")
    )
    click.echo(f"Next: cd {folder}, open exercises/{course.exercises[0].id}.py, and run `grade`.")
    return 0


def _record(workspace: Path) -> None:
    """Record a workspace as the user's own, so that `grade replay` may run its code as any other program."""
    try:
        own_workspaces.record(workspace)
    except OSError as error:
        click.echo(
            f"That this workspace is yours cannot be recorded ({error.strerror}): `grade replay` will ask for --trust.",
            err=True,
        )


def _init_ci(folder: Path, service: str, requirement: str | None, fail_under: float) -> int:
    path = folder / ci.SERVICES[service].path
    if os.path.lexists(path):
        click.echo(f"{path} already exists and was not changed.")
        return 0
    found = origin.find() if requirement is None else origin.Origin(requirement=requirement)
    try:
        text = ci.workflow(service, found.requirement, fail_under)
        scaffold.write({ci.SERVICES[service].path: text.encode()}, folder)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
    click.echo(f"{path} written. It installs {found.requirement}.")
    for caution in found.cautions:
        click.echo(caution, err=True)
    return 0


@click.command("quiz", short_help="Answer a quiz in the terminal, or on a page.")
@options.section
@click.option(
    "--serve", is_flag=True, help="Show the quiz in a browser of this machine; answers are saved at once."
)
@click.option(
    "--port",
    type=click.IntRange(1024, 65535),
    metavar="N",
    help="With --serve: the port; one that is free unless given.",
)
@click.option("--html", "page", is_flag=True, help="Write the quiz as a page to answer in a browser.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The file of the page; SECTION.html beside answers/ unless given.",
)
@click.option("--feedback", is_flag=True, help="At the end, show the points and feedback for your answers.")
@options.submission("The workspace, which holds answers/; this folder unless given.")
@_sheet_seed
@options.course
def quiz_command(
    section: str,
    submission: Path,
    seed: int | None,
    *,
    serve: bool,
    port: int | None,
    page: bool,
    output: Path | None,
    feedback: bool,
) -> int:
    """Ask the questions of the quiz SECTION one by one, and save the answers in answers/SECTION.yaml.

    You can stop at any time and continue later; < goes back to change an answer. With --serve you answer on a page in
    the browser, which saves in the same file; only this machine can reach it, and Ctrl-C ends it. With --html you get
    the page as a file, without keys: save the answers that you download from it as answers/SECTION.yaml.

    \b
    grade quiz pooling                 in the terminal
    grade quiz pooling --feedback      with points and feedback at the end
    grade quiz pooling --serve         on a page in the browser
    grade quiz pooling --html          as a file to answer in a browser elsewhere
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    # `grade list` needs none of it.
    from grader.cli.quiz import ask, write_page  # noqa: PLC0415
    from grader.workspace.answers_file import AnswersFile  # noqa: PLC0415
    from grader.workspace.quiz_tries import QuizTries  # noqa: PLC0415

    if output is not None and not page:
        raise UsageError("--output names the file of a page: add --html.")
    if serve and page:
        raise UsageError("--serve shows the page, and --html writes it to a file: choose one of them.")
    if port is not None and not serve:
        raise UsageError("--port is that of a served page: add --serve.")
    if feedback and page:
        raise UsageError(
            "--feedback works in the terminal only: a page contains no keys. Grade the answers you download from it."
        )
    if feedback and serve:
        raise UsageError("--feedback works in the terminal only: a served page has a button for it.")
    course = catalog.load(catalog.find_root())
    banks = {bank.id: bank for bank in quiz.load_banks(course.quizzes)}
    if section not in banks:
        hint = question(section, list(banks)) or f" There are: {', '.join(banks) or 'none'}."
        raise UsageError(f'There is no quiz "{section}".{hint}')
    if not submission.is_dir():
        raise UsageError(f"{submission} is not a folder. Name the folder for your answers: --submission DIR.")
    answers = AnswersFile.in_workspace(banks[section], submission, seed)
    if serve:
        from grader.cli.quiz_server import serve_quiz  # noqa: PLC0415 - the terminal needs no server

        serve_quiz(answers, QuizTries(submission), port or 0)
    elif page:
        write_page(answers, output or submission / f"{section}.html")
    else:
        ask(answers, QuizTries(submission), feedback=feedback)
    return 0
