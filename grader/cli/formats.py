"""The formats a report can be written in, by the names of `--format`."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click

from grader.core.errors import UsageError
from grader.core.model import Report, Seen
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a format may need besides the report."""

    style: Style = field(default_factory=Style)
    submission: Path = Path()
    hints: Mapping[str, Help] = field(default_factory=dict)
    seen: Mapping[str, Seen] = field(default_factory=dict)


Form = Callable[[Report, Setting], str]


def _github(report: Report, setting: Setting) -> str:
    return to_github(report, setting.style, secrets.token_hex(16), _places(report, setting.submission))


def _gradescope(report: Report, setting: Setting) -> str:
    return to_gradescope(report, _handed(), setting.seen)


def _classroom50(report: Report, _setting: Setting) -> str:
    return to_classroom50(report, _release(), datetime.now(UTC))


def _as_seen(form: Form) -> Form:
    return lambda report, setting: form(shown(report, setting.seen), setting)


# Each takes the whole report. Gradescope alone can keep a test from a student and show it to an instructor.
FORMATS: dict[str, Form] = {
    "text": _as_seen(lambda report, setting: to_text(report, setting.style, setting.hints)),
    "json": _as_seen(lambda report, _: to_json(report)),
    "junit": _as_seen(lambda report, _: to_junit(report)),
    "html": _as_seen(lambda report, setting: to_html(report, setting.hints)),
    "markdown": _as_seen(lambda report, _: to_markdown(report)),
    "github": _as_seen(_github),
    "gradescope": _gradescope,
    "classroom50": _as_seen(_classroom50),
}


report_format = click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="How to write the report.",
)


def _places(report: Report, path: Path) -> RepositoryPaths | None:
    """Return where the submission's files lie in the repository; None where they do not, as those of a zip."""
    repository = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
    if not path.is_dir() or not path.resolve().is_relative_to(repository):
        return None
    submission = open_submission(path)
    snapshots = {exercise.id: submission.snapshot(exercise.id) for exercise in report.exercises}
    files = {
        name: f"{s.root}{name}.py"
        for name, s in snapshots.items()
        if isinstance(s, Snapshot) and not is_notebook(s.root)  # a cell's line is no line of its file
    }
    below = path.resolve().relative_to(repository)
    return RepositoryPaths(root="" if below == Path() else f"{below.as_posix()}/", files=files)


def _handed() -> SubmissionMetadata | None:
    path = os.environ.get(METADATA_VARIABLE)
    if not path:
        return None
    try:
        return read_metadata(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{METADATA_VARIABLE} names {path}, which is no submission_metadata.json: {error}."
        ) from None


def _release() -> Release:
    try:
        return Release.from_environment(os.environ)
    except LookupError as error:
        raise UsageError(
            f"--format classroom50 is for an autograder of Classroom 50. Its environment lacks {error.args[0]}."
        ) from None


def add_step_summary(report: Report) -> None:
    """Add the report to the summary of a GitHub step, where there is one: within the limit, with what is there."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        file = Path(path)
        room = MOST_BYTES - (file.stat().st_size if file.exists() else 0)
        with file.open("a", encoding="utf-8") as summary:
            summary.write(to_markdown(report, room))
    except OSError as error:
        click.echo(f"The summary of this step cannot be written to {path}: {error.strerror}.", err=True)
