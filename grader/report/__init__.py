"""A report as a JSON document, and pure renderers of it: text and a page for people, JUnit for CI."""

from grader.report.changes import changes
from grader.report.document import FORMAT, from_json, to_document, to_json
from grader.report.junit import to_junit
from grader.report.layout import Style
from grader.report.page import to_html
from grader.report.text import exercise_text, quizzes_text, summary_text, to_text

__all__ = [
    "FORMAT",
    "Style",
    "changes",
    "exercise_text",
    "from_json",
    "quizzes_text",
    "summary_text",
    "to_document",
    "to_html",
    "to_json",
    "to_junit",
    "to_text",
]
