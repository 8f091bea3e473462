"""A quiz as one HTML page that is answered in a browser, without its keys."""

from grader.quiz.page.answer_page import to_html

__all__ = ["to_html"]
