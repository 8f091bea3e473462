"""GitHub Actions: annotations in the log, and a page in Markdown for the summary of a job.

GitHub shows ten annotations of a kind in a step, so the nine worst are written, and a tenth that counts the others. A
line of the log that starts with `::` or holds `##[` is a command; the report in the log stands between `stop-commands`
and a token that nobody could know when their code ran, and every annotation is escaped by the runner's own rules.
"""

import html
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from grader.core.model import Outcome, Report
from grader.core.safetext import one_line, printable
from grader.report.entries import Entry, entries, worst_first
from grader.report.phrases import all_hidden, earned, earned_of, hidden_sentence, share
from grader.report.text_layout import Style, amount
from grader.report.text_report import to_text

MOST_ANNOTATIONS = 10
MOST_BYTES = 2**20  # GitHub drops a summary that is longer, all of it
_COUNT_BYTES = 80  # of the line that counts what did not fit
_MESSAGE = 1000
_TOLD = 4000
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryPaths:
    """Where a submission lies in the repository, `""` or `path/to/it/`, and the file in it of each exercise."""

    root: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


def to_github(report: Report, style: Style, token: str, places: RepositoryPaths | None = None) -> str:
    """Return what to print in a step: the report as text, where no command is read, then annotations.

    `token` is random and made after grading. Without `places`, annotations name no file.
    """
    text = [f"::stop-commands::{token}", to_text(report, style), f"::{token}::"]
    return "\n".join([*text, *_annotations(report, places)])


def _annotations(report: Report, places: RepositoryPaths | None) -> Iterator[str]:
    found = worst_first(entries(report))
    shown = found if len(found) <= MOST_ANNOTATIONS else found[: MOST_ANNOTATIONS - 1]
    for entry in shown:
        yield _annotation(entry, places)
    if more := len(found) - len(shown):
        message = f"{more} more are not shown here: read the summary of this job, or the log."
        yield f"::error title=and {more} more::{_data(message)}"


def _annotation(entry: Entry, places: RepositoryPaths | None) -> str:
    properties = _where(entry, places) if places is not None else {}
    properties["title"] = f"{entry.group}: {entry.title} ({amount(entry.points, entry.max_points)})"
    written = ",".join(f"{name}={_property(one_line(value))}" for name, value in properties.items())
    return f"::error {written}::{_data(printable(_told(entry), limit=_MESSAGE))}"


def _where(entry: Entry, places: RepositoryPaths) -> dict[str, str]:
    if entry.frame is not None:
        return {"file": f"{places.root}{entry.frame.path}", "line": str(entry.frame.line)}
    path = places.files.get(entry.group)
    return {"file": f"{places.root}{path}", "line": "1"} if path else {}


def _told(entry: Entry) -> str:
    return "\n".join([entry.message, *entry.lines])


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# --- the summary


def to_markdown(report: Report, room: int = MOST_BYTES) -> str:
    """Return the report as GitHub Markdown of at most `room` bytes: what does not fit is counted, not cut in two."""
    head = f"{_heading(report)}\n\n{_table(report)}\n"
    left = room - len(head.encode()) - _COUNT_BYTES
    if left < 0:
        return ""
    parts = [_details(entry) for entry in worst_first(entries(report))]
    sizes = itertools.accumulate(len(part.encode()) for part in parts)
    shown = sum(size <= left for size in sizes)
    rest = len(parts) - shown
    return "".join([head, *parts[:shown], f"\n{rest} more did not fit here: read the log.\n" if rest else ""])


def _heading(report: Report) -> str:
    void = [safe(e.id) for e in report.exercises if e.outcome is Outcome.INTERNAL_ERROR]
    hidden = all_hidden(report.exercises)
    lines = [f"## {earned(report)}, {share(report)}"]
    if hidden is not None:
        lines.append(hidden_sentence(hidden))
    if void:
        lines.append(f"Not counted, through a fault of ours: {', '.join(void)}. Please grade again.")
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
    earned = amount(entry.points, entry.max_points)
    summary = f"{safe(entry.group)}&#58; {safe(entry.title)} ({earned})"
    body = html.escape(printable(_told(entry), limit=_TOLD))
    # A blank line before <pre>: from there on only </pre> ends it, and blank lines of a student's do not.
    return f"\n<details><summary>{summary}</summary>\n\n<pre>{body}</pre>\n\n</details>\n"


def safe(text: str) -> str:
    """Return a line of any origin as text in Markdown and HTML: no character reference is markup, link or mention."""
    return _PUNCTUATION.sub(lambda found: f"&#{ord(found[0])};", one_line(text))
