"""Renders a report: text and an HTML page for people, JSON, JUnit and other formats for programs. Pure functions."""

from grader.report.changes import changes
from grader.report.classroom50 import Release, to_classroom50
from grader.report.github import MOST_BYTES, RepositoryPaths, to_github, to_markdown
from grader.report.gradescope_results import SubmissionMetadata, read_metadata, to_gradescope
from grader.report.html_report import exercise_page, to_html
from grader.report.json_report import FORMAT, are_points, from_json, to_document, to_json
from grader.report.junit import to_junit
from grader.report.phrases import (
    NONE_OPENED,
    Help,
    begun,
    first_to_fix,
    hidden_sentence,
    item_name,
    nothing_left,
    sum_hidden,
)
from grader.report.redaction import shown, shown_exercise
from grader.report.report_parts import head_to_json, join, part_from_json, part_to_json, say_the_same, split
from grader.report.text_layout import Style
from grader.report.text_report import (
    check_text,
    exercise_text,
    list_text,
    quizzes_text,
    summary_text,
    to_text,
    untouched_text,
)

__all__ = [
    "FORMAT",
    "MOST_BYTES",
    "NONE_OPENED",
    "Help",
    "Release",
    "RepositoryPaths",
    "Style",
    "SubmissionMetadata",
    "are_points",
    "begun",
    "changes",
    "check_text",
    "exercise_page",
    "exercise_text",
    "first_to_fix",
    "from_json",
    "head_to_json",
    "hidden_sentence",
    "item_name",
    "join",
    "list_text",
    "nothing_left",
    "part_from_json",
    "part_to_json",
    "quizzes_text",
    "read_metadata",
    "say_the_same",
    "shown",
    "shown_exercise",
    "split",
    "sum_hidden",
    "summary_text",
    "to_classroom50",
    "to_document",
    "to_github",
    "to_gradescope",
    "to_html",
    "to_json",
    "to_junit",
    "to_markdown",
    "to_text",
    "untouched_text",
]
