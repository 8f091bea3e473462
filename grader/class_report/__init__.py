"""A report on a class, in three renderings of one summary: text, a page, and a JSON document. Pure functions."""

from grader.class_report.document import FORMAT, to_json
from grader.class_report.page import to_html
from grader.class_report.text import to_text

__all__ = ["FORMAT", "to_html", "to_json", "to_text"]
