"""The formats of a report, by their names for `--format`."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click

from grader.core.errors import UsageError
from grader.core.model import Report, Seen
from grader.core.regular_file import read_regular
from grader.report import (
    MOST_BYTES,
    Help,
    Release,
    RepositoryPaths,
    Style,
    SubmissionMetadata,
    read_metadata,
    shown,
    to_classroom50,
    to_github,
    to_gradescope,
    to_html,
    to_json,
    to_junit,
    to_markdown,
    to_text,
)
from grader.submission import Snapshot, is_notebook, open_submission

METADATA_VARIABLE = "CONVGRADER_GRADESCOPE_METADATA"
_MAX_METADATA_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """What the renderer of a format may use besides the report.

    `submission` is the graded path, `hints` the open hints and `seen` what students may see, both by exercise. With
    `verbose`, text shows every check in full.
    """

    style: Style = field(default_factory=Style)
    submission: Path = Path()
    hints: Mapping[str, Help] = field(default_factory=dict)
    seen: Mapping[str, Seen] = field(default_factory=dict)
    verbose: bool = False


Renderer = Callable[[Report, RenderOptions], str]


def _github(report: Report, rendering: RenderOptions) -> str:
    return to_github(
        report, rendering.style, secrets.token_hex(16), _repository_files(report, rendering.submission)
    )


def _gradescope(report: Report, rendering: RenderOptions) -> str:
    return to_gradescope(report, _gradescope_metadata(), rendering.seen)


def _classroom50(report: Report, _setting: RenderOptions) -> str:
    return to_classroom50(report, _classroom50_release(), datetime.now(UTC))


def _as_student_sees_it(form: Renderer) -> Renderer:
    return lambda report, rendering: form(shown(report, rendering.seen), rendering)


# Each gets the whole report. Only Gradescope can hide a test from students and show it to instructors.
FORMATS: dict[str, Renderer] = {
    "text": _as_student_sees_it(
        lambda report, rendering: to_text(report, rendering.style, rendering.hints, verbose=rendering.verbose)
    ),
    "json": _as_student_sees_it(lambda report, _: to_json(report)),
    "junit": _as_student_sees_it(lambda report, _: to_junit(report)),
    "html": _as_student_sees_it(lambda report, rendering: to_html(report, rendering.hints)),
    "markdown": _as_student_sees_it(lambda report, _: to_markdown(report)),
    "github": _as_student_sees_it(_github),
    "gradescope": _gradescope,
    "classroom50": _as_student_sees_it(_classroom50),
}
PUBLISHED = ("gradescope", "classroom50")  # what a service takes a mark from


report_format = click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="How to write the report.",
)


def _repository_files(report: Report, path: Path) -> RepositoryPaths | None:
    """Return the paths of the submission's files in the repository; None where it is outside, or a zip."""
    repository = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
    if not path.is_dir() or not path.resolve().is_relative_to(repository):
        return None
    submission = open_submission(path)
    snapshots = {exercise.id: submission.snapshot(exercise.id) for exercise in report.exercises}
    files = {
        name: f"{s.root}{name}.py"
        for name, s in snapshots.items()
        if isinstance(s, Snapshot)
        and not is_notebook(s.root)  # a line of a cell is not a line of the notebook's file
    }
    below = path.resolve().relative_to(repository)
    return RepositoryPaths(root="" if below == Path() else f"{below.as_posix()}/", files=files)


def _gradescope_metadata() -> SubmissionMetadata | None:
    path = os.environ.get(METADATA_VARIABLE)
    if not path:
        return None
    try:
        return read_metadata(read_regular(Path(path), _MAX_METADATA_BYTES).decode("utf-8"))
    except (OSError, ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
        raise UsageError(
            f"{METADATA_VARIABLE} names {path}, which cannot be read as submission_metadata.json: {error}."
        ) from None


def _classroom50_release() -> Release:
    try:
        return Release.from_environment(os.environ)
    except LookupError as error:
        raise UsageError(
            f"--format classroom50 only works in an autograder of Classroom 50: {error.args[0]} is not set."
        ) from None


def add_step_summary(report: Report) -> None:
    """Append the report to the summary of a GitHub Actions step, if there is one, within the size limit of the file."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        file = Path(path)
        remaining_bytes = MOST_BYTES - (file.stat().st_size if file.exists() else 0)
        with file.open("a", encoding="utf-8") as summary:
            summary.write(to_markdown(report, remaining_bytes))
    except OSError as error:
        click.echo(f"The step summary cannot be written to {path}: {error.strerror}.", err=True)
