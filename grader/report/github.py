"""GitHub Actions: annotations in the log, and Markdown for the summary of a job.

GitHub shows ten annotations of a kind in a step, so the nine worst are written, and a tenth that counts the others. A
line of the log that starts with `::` or holds `##[` is a command. So the report in the log stands between
`stop-commands` and a token that is made after the submission has run, and every annotation is escaped by the rules of
the runner.
"""

import html
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from grader.core.model import Report
from grader.core.safetext import one_line, printable
from grader.report.entries import Entry, entries, worst_first
from grader.report.phrases import (
    GRADE_AGAIN,
    all_hidden,
    earned,
    earned_of,
    hidden_sentence,
    share,
    void_sentence,
)
from grader.report.text_layout import Style
from grader.report.text_report import to_text

MOST_ANNOTATIONS = 10
MOST_BYTES = 2**20  # GitHub drops a longer summary altogether
_COUNT_BYTES = 80  # reserved for the line that counts what did not fit
_MAX_MESSAGE = 1000
_MAX_DETAILS = 4000
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryPaths:
    """The folder of a submission in its repository, `""` or `path/to/it/`, and the file of each exercise in it."""

    root: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


def to_github(report: Report, style: Style, token: str, paths: RepositoryPaths | None = None) -> str:
    """Return what to print in a step: the report as text, with commands stopped, then annotations.

    `token` is random and made after grading. Without `paths`, annotations name no file.
    """
    text = [f"::stop-commands::{token}", to_text(report, style), f"::{token}::"]
    return "\n".join([*text, *_annotations(report, paths)])


def _annotations(report: Report, paths: RepositoryPaths | None) -> Iterator[str]:
    found = worst_first(entries(report))
    shown = found if len(found) <= MOST_ANNOTATIONS else found[: MOST_ANNOTATIONS - 1]
    for entry in shown:
        yield _annotation(entry, paths)
    if more := len(found) - len(shown):
        message = f"{more} more are not shown here: read the summary of this job, or the log."
        yield f"::error title=and {more} more::{_data(message)}"


def _annotation(entry: Entry, paths: RepositoryPaths | None) -> str:
    properties = _where(entry, paths) if paths is not None else {}
    properties["title"] = f"{entry.group}: {entry.title} ({entry.earned})"
    written = ",".join(f"{name}={_property(one_line(value))}" for name, value in properties.items())
    return f"::error {written}::{_data(printable(_details_of(entry), limit=_MAX_MESSAGE))}"


def _where(entry: Entry, paths: RepositoryPaths) -> dict[str, str]:
    if entry.frame is not None:
        return {"file": f"{paths.root}{entry.frame.path}", "line": str(entry.frame.line)}
    path = paths.files.get(entry.group)
    return {"file": f"{paths.root}{path}", "line": "1"} if path else {}


def _details_of(entry: Entry) -> str:
    return "\n".join([entry.message, *entry.lines])


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# --- the summary


def to_markdown(report: Report, limit: int = MOST_BYTES) -> str:
    """Return the report as GitHub Markdown of at most `limit` bytes in UTF-8; entries that do not fit are counted.

    Returns "" where not even the table fits.
    """
    head = f"{_heading(report)}\n\n{_table(report)}\n"
    left = limit - len(head.encode()) - _COUNT_BYTES
    if left < 0:
        return ""
    parts = [_details(entry) for entry in worst_first(entries(report))]
    sizes = itertools.accumulate(len(part.encode()) for part in parts)
    shown = sum(size <= left for size in sizes)
    rest = len(parts) - shown
    return "".join([head, *parts[:shown], f"\n{rest} more did not fit here: read the log.\n" if rest else ""])


def _heading(report: Report) -> str:
    hidden = all_hidden(report.exercises)
    lines = [f"## {earned(report)}, {share(report)}"]
    if hidden is not None:
        lines.append(hidden_sentence(hidden))
    if void := void_sentence(report, GRADE_AGAIN, safe):
        lines.append(void)
    lines.append(f"Isolation level {report.isolation.level} of 3.")
    return "\n\n".join(lines)


def _table(report: Report) -> str:
    rows = ["| part | title | points |", "|---|---|---:|"]
    for exercise in report.exercises:
        rows.append(f"| {safe(exercise.id)} | {safe(exercise.title)} | {earned_of(exercise)} |")
    for quiz in report.quizzes:
        rows.append(f"| {safe('quiz ' + quiz.id)} | {safe(quiz.title)} | {earned_of(quiz)} |")
    return "\n".join(rows)


def _details(entry: Entry) -> str:
    summary = f"{safe(entry.group)}&#58; {safe(entry.title)} ({entry.earned})"
    body = html.escape(printable(_details_of(entry), limit=_MAX_DETAILS))
    # A blank line comes before <pre>: then only </pre> ends the block, and blank lines in a student's text do not.
    return f"\n<details><summary>{summary}</summary>\n\n<pre>{body}</pre>\n\n</details>\n"


def safe(text: str) -> str:
    """Return an untrusted line as text in Markdown and HTML.

    Punctuation becomes character references, which are never read as markup, link or mention.
    """
    return _PUNCTUATION.sub(lambda found: f"&#{ord(found[0])};", one_line(text))
