"""The JSON document of a report, version convgrader/report/1: docs/report-format.md describes every field."""

import json
from typing import Any, NoReturn

import msgspec

from grader.core.model import Report

FORMAT = "convgrader/report/1"
# Fields that the format did not have at first: an older report lacks them.
_ADDED = frozenset({"hidden", "picture"})
_ABSENT = object()


def to_document(report: Report) -> dict[str, Any]:
    """Return the report as plain dicts and lists, with every text valid Unicode."""
    try:
        document = msgspec.msgpack.decode(msgspec.msgpack.encode(report))
    except UnicodeEncodeError:  # checking each text takes ten times as long, and few reports need it
        document = valid(msgspec.to_builtins(report))
    return {"format": FORMAT, "final": report.final, **document}


def to_json(report: Report, *, indent: int | None = 1) -> str:
    """Return the report as JSON text: ASCII only, so that no reader has to guess the encoding."""
    return json.dumps(to_document(report), indent=indent, allow_nan=False)


def from_json(text: str) -> Report:
    """Read a report. Raises ValueError unless `text` is exactly what `to_json` writes or wrote.

    An older report lacks `final`, which its outcomes decide. It may also have left a void exercise out of its sums.
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("This is not a report: it is nested too deeply.") from None
    found = document.pop("format", None) if isinstance(document, dict) else None
    if found != FORMAT:
        raise ValueError(f"This is not a report of the format {FORMAT}: its format is {found!r}.")
    final = document.pop("final", _ABSENT)
    try:
        report = msgspec.convert(document, Report)
    except msgspec.ValidationError as error:
        raise ValueError(f"This report does not follow {FORMAT}: {error}.") from None
    if final is not _ABSENT and final is not report.final:
        raise ValueError(f"This report does not follow {FORMAT}: `final` contradicts the outcomes.")
    written = {"format": FORMAT, "final": report.final, **document}
    if _without_empty_added(to_document(report)) != _without_empty_added(written):
        raise ValueError(f"This report does not follow {FORMAT}: fields are missing or unknown.")
    return report


def _without_empty_added(value: Any) -> Any:
    """Return a document without the added fields that are empty."""
    if isinstance(value, dict):
        return {
            key: _without_empty_added(item)
            for key, item in value.items()
            if not (key in _ADDED and item is None)
        }
    return [_without_empty_added(item) for item in value] if isinstance(value, list) else value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"This is not JSON: it holds {name}.")


def valid(value: Any) -> Any:
    """Return `value` as JSON types, with lone surrogates spelled out: many readers refuse them."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {key: valid(item) for key, item in value.items()}
    return [valid(item) for item in value] if isinstance(value, tuple | list) else value
