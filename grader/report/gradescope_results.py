"""Gradescope's results.json, by its autograder specification: an entry per check and item.

A test that students may see is `visible`. Another is `hidden`: it counts, and only instructors see it. Gradescope then
hides the total too, so nothing else is ever hidden. Every text has the format `text`, which Gradescope escapes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grader.core.model import Report, Seen
from grader.core.safetext import one_line, printable
from grader.report.entries import Entry, entries
from grader.report.json_report import MAX_POINTS, finite, of_64_bits, refuse_constant
from grader.report.phrases import all_hidden, earned, hidden_sentence, void_sentence
from grader.report.redaction import shown, unseen
from grader.report.text_layout import amount

MOST_OUTPUT = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionMetadata:
    """What Gradescope says of a submission: the points of the assignment, the times, and the number of the attempt."""

    total_points: float | None = None
    created_at: datetime | None = None
    due_date: datetime | None = None
    attempt: int = 1


def read_metadata(text: str) -> SubmissionMetadata:
    """Read the text of a submission_metadata.json. Raises ValueError where it is not one."""
    try:
        document = json.loads(text, parse_float=finite, parse_int=of_64_bits, parse_constant=refuse_constant)
    except RecursionError:
        raise ValueError("submission_metadata.json is nested too deeply.") from None
    if not isinstance(document, dict):
        raise ValueError("submission_metadata.json is not a JSON object.")  # noqa: TRY004 - callers catch ValueError alone
    assignment = document.get("assignment") or {}
    total = assignment.get("total_points")
    if total and not 0 < float(total) <= MAX_POINTS:
        raise ValueError(f"total_points is {total}.")
    return SubmissionMetadata(
        total_points=float(total) if total else None,
        created_at=_time(document.get("created_at")),
        due_date=_time(_own_due_date(document) or assignment.get("due_date")),
        attempt=1 + len(document.get("previous_submissions") or ()),
    )


def _own_due_date(document: dict[str, Any]) -> Any:
    """Return the due date of a single student, who may have an extension; None for a group."""
    users: list[dict[str, Any]] = document.get("users") or []
    return (users[0].get("assignment") or {}).get("due_date") if len(users) == 1 else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone() if text else None


def to_gradescope(
    report: Report, metadata: SubmissionMetadata | None = None, seen: Mapping[str, Seen] | None = None
) -> str:
    """Return results.json. The score is scaled where the assignment is out of another number of points.

    `report` is whole, and all of it counts; `seen` says how much of each exercise students see. Of a report that is not
    final there is no score, neither in all nor of a test, whose sum would count without one: Gradescope then reports
    that the autograder failed, and an instructor runs it again.
    """
    visible = shown(report, seen or {})
    secret = unseen(report, seen or {})
    metadata = metadata or SubmissionMetadata()
    total = metadata.total_points or report.max_points
    score = report.points if total == report.max_points else report.score * total
    numbers = _numbered([*_entries(visible), *_entries(secret)])
    open_count = len(_entries(visible))
    document = {
        **({"score": score} if report.final else {}),
        "execution_time": sum(exercise.duration_s for exercise in visible.exercises),
        "output": "\n".join(_summary(visible, metadata, score, total)),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [
            _test(entry, number, "visible" if n < open_count else "hidden", has_score=report.final)
            for n, (entry, number) in enumerate(numbers)
        ],
        "extra_data": {
            "isolation_level": report.isolation.level,
            "grader": report.versions.grader,
            "torch": report.versions.torch,
        },
    }
    return json.dumps(document, indent=1, allow_nan=False)


def _entries(report: Report) -> list[Entry]:
    return [entry for entry in entries(report) if not entry.hidden]


def _numbered(found: list[Entry]) -> list[tuple[Entry, str]]:
    """Return each entry with its number: 2.3 is the third entry of the second exercise or quiz."""
    numbered: list[tuple[Entry, str]] = []
    groups: dict[str, int] = {}
    for entry in found:
        groups.setdefault(entry.group, 0)
        groups[entry.group] += 1
        numbered.append((entry, f"{list(groups).index(entry.group) + 1}.{groups[entry.group]}"))
    return numbered


def _test(entry: Entry, number: str, visibility: str, *, has_score: bool) -> dict[str, Any]:
    return {
        "name": one_line(f"{entry.group}: {entry.title}"),
        "number": number,
        **({"score": entry.points, "max_score": entry.max_points} if has_score else {}),
        **({} if entry.void else {"status": "passed" if entry.is_full else "failed"}),
        "output": printable("\n".join(filter(None, [entry.message, *entry.lines])), limit=MOST_OUTPUT),
        "visibility": visibility,
    }


def _summary(report: Report, metadata: SubmissionMetadata, score: float, total: float) -> list[str]:
    """Return what students read first, from the report as they see it; where checks are hidden, without the score."""
    hidden = all_hidden(report.exercises)
    lines = [f"{earned(report)}."]
    if hidden is not None:
        lines.append(hidden_sentence(hidden))
    elif total != report.max_points and report.final:
        lines.append(f"This assignment is out of {total:g}, so that is {amount(score, total)} here.")
    again = "the autograder failed, and your instructor has to run it again."
    if void := void_sentence(report, again, one_line):
        lines.append(void)
    if metadata.attempt > 1:
        lines.append(f"Attempt {metadata.attempt}.")
    if metadata.created_at and metadata.due_date and metadata.created_at > metadata.due_date:
        lines.append("Handed in after the due date; Gradescope applies the late policy of the assignment.")
    lines.append(f"Isolation level {report.isolation.level} of 3.")
    return lines
