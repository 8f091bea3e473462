"""The class report: one summary, rendered as text, as an HTML page and as a JSON document. Pure functions."""

from grader.classroom.report.class_document import FORMAT, to_json
from grader.classroom.report.class_page import to_html
from grader.classroom.report.class_text import to_text
from grader.classroom.report.similarity_text import similar_json, similar_text, unnamed

__all__ = ["FORMAT", "similar_json", "similar_text", "to_html", "to_json", "to_text", "unnamed"]
