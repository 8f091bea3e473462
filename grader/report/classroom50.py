"""Classroom 50's result.json, `classroom50/result/v1`: integers, which sum to the total.

Points are quarters and thirds, and the format has integers only, so scores are in hundredths of a point, rounded
down. The maximum is the same for every submission of a course.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from grader.core.model import Report
from grader.core.safetext import one_line
from grader.report.entries import Entry, entries
from grader.report.phrases import GRADE_AGAIN, void_sentence

SCHEMA = "classroom50/result/v1"
HUNDREDTHS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A submission, as Classroom 50 describes it in the environment of its autograder."""

    classroom: str
    assignment: str
    submission: str
    commit: str = ""
    release: str = ""
    review: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables. Raises LookupError with the names of those that are missing."""
        wanted = {"classroom": "CLASSROOM", "assignment": "ASSIGNMENT", "submission": "SUBMISSION_TAG"}
        missing = [name for name in wanted.values() if name not in environment]
        if missing:
            raise LookupError(", ".join(missing))
        links = {"commit": "COMMIT_URL", "release": "RELEASE_URL", "review": "REVIEW_URL"}
        given = {field: environment[name] for field, name in wanted.items()}
        return cls(**given, **{field: environment.get(name, "") for field, name in links.items()})


def to_classroom50(report: Report, release: Release, now: datetime) -> str:
    """Return result.json. `now` is when grading ended.

    The format shows every test to the student and cannot hide one. So `report` is one as students see it, and the
    hidden checks of an exercise are one test that is not passed, worth 0. Of a report that is not final there is no
    score and no test, so that nothing can be collected as a mark: a `message` says why.
    """
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "classroom": release.classroom,
        "assignment": release.assignment,
        "submission": release.submission,
        "commit": release.commit,
        "release": release.release,
        "review": release.review,
        "datetime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **(_results(report) if report.final else {"message": void_sentence(report, GRADE_AGAIN, one_line)}),
    }
    return json.dumps(document, indent=1)


def _results(report: Report) -> dict[str, Any]:
    """Return the tests and their sums."""
    every = entries(report)
    count = Counter(_name(entry) for entry in every)
    tests = [_test(entry, alone=count[_name(entry)] == 1) for entry in every]
    return {
        "score": sum(test["score"] for test in tests),
        "max-score": sum(test["max-score"] for test in tests),
        "tests": tests,
    }


def _name(entry: Entry) -> str:
    return one_line(f"{entry.group}: {entry.title}")


def _test(entry: Entry, *, alone: bool) -> dict[str, Any]:
    most = round(entry.max_points * HUNDREDTHS)
    earned = most if entry.points >= entry.max_points else math.floor(entry.points * HUNDREDTHS + 1e-6)
    return {
        "test-name": _name(entry) if alone else f"{_name(entry)} ({entry.id})",
        "passed": entry.is_full,
        "score": earned,
        "max-score": most,
    }
