"""A quiz as one HTML page that is answered in a browser, without its keys."""

from grader.quiz.page.answer_page import Served, item_state, to_html
from grader.quiz.page.result_markup import Result, result_markup

__all__ = ["Result", "Served", "item_state", "result_markup", "to_html"]
