"""`grade release`: writes the files that students receive, after a search for solutions, keys and feedback."""

from pathlib import Path

import click

from grader import authoring
from grader.cli import options
from grader.core.atomic_write import write_whole
from grader.core.errors import DocumentError, UsageError
from grader.course import catalog
from grader.export import ci, origin
from grader.workspace import scaffold


@click.command("release", short_help="Write the files for students (for instructors).")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@options.draw_seed("Seed for the numbers in the answer sheets.", default=0)
@click.option(
    "--ci",
    "service",
    type=click.Choice([*ci.SERVICES, "none"]),
    default="github",
    show_default=True,
    help="The CI service whose workflow is added.",
)
@options.requirement
@options.fail_under("With --ci: fail below this score.")
@options.course
def release_command(out: Path, seed: int, service: str, requirement: str | None, fail_under: float) -> int:
    """Write stubs, quizzes without keys, hints, answer sheets and a workflow to OUT, a new folder or a .zip.

    First the files are searched for statements of the solutions and for feedback of the quizzes. If there is any,
    nothing is written and the exit code is 4. The same course gives the same bytes.

    \b
    grade release week4.zip
    grade release week4 --ci gitlab --from "convgrader==1.0"
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise UsageError(f"{out} already exists. Name a new folder or .zip, or move this one first.")
    course = catalog.load(catalog.find_root())
    released = authoring.release.files(course, seed)
    if service != "none":
        found = origin.find() if requirement is None else origin.Origin(requirement=requirement)
        released[ci.SERVICES[service].path] = ci.workflow(service, found.requirement, fail_under).encode()
        for caution in found.cautions:
            click.echo(caution, err=True)
    problems = authoring.release.leaks(course, released, seed)
    if problems:
        raise DocumentError(problems)
    _write(released, out)
    click.echo(f"{out}: {len(released)} files written. They contain no solutions, keys or feedback.")
    return 0


def _write(released: dict[str, bytes], out: Path) -> None:
    try:
        if out.suffix.lower() == ".zip":
            write_whole(out, authoring.release.archive(released))
        else:
            scaffold.write(released, out)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.") from None
