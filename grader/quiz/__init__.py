"""Quizzes: banks of items, answers files, credit, and keys that torch computes. Needs no torch itself."""

from grader.quiz.answers import grade, template
from grader.quiz.bank import Bank, load_bank, load_banks
from grader.quiz.items import Item
from grader.quiz.oracle import verify

__all__ = ["Bank", "Item", "grade", "load_bank", "load_banks", "template", "verify"]
