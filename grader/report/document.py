"""The JSON document of a report, version convgrader/report/1: docs/report-format.md describes every field."""

import json
from typing import Any

import msgspec

from grader.model import Report

FORMAT = "convgrader/report/1"


def to_document(report: Report) -> dict[str, Any]:
    """Return the report as plain dicts and lists."""
    return {"format": FORMAT, **msgspec.to_builtins(report)}


def to_json(report: Report) -> str:
    """Return the report as JSON text: ASCII only, so that no reader needs to guess its encoding."""
    return json.dumps(to_document(report), indent=1, allow_nan=False)


def from_json(text: str) -> Report:
    """Read a report back. Raises ValueError where it is not of this version."""
    document = json.loads(text)
    found = document.pop("format", None) if isinstance(document, dict) else None
    if found != FORMAT:
        raise ValueError(f"not a {FORMAT} document, but {found!r}")
    return msgspec.convert(document, Report)
