"""A report on a class as a JSON document, version convgrader/class/1."""

import json

import msgspec

from grader.classroom.statistics import ClassSummary
from grader.report.json_report import valid

FORMAT = "convgrader/class/1"


def to_json(summary: ClassSummary) -> str:
    """Return the summary as JSON text: ASCII only, keys named as the fields of the records, times in ISO 8601."""
    document = {"format": FORMAT, **valid(msgspec.to_builtins(summary))}
    return json.dumps(document, indent=1, allow_nan=False)
