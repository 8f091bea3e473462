"""Quizzes: banks, draws, answers files, credit, and keys that torch computes. Needs no torch itself."""

from grader.quiz.answers import grade
from grader.quiz.bank import Bank, load_bank, load_banks
from grader.quiz.oracle import verify
from grader.quiz.sheet import new_seed, template
from grader.quiz.stress import stress
from grader.quiz.types import Item

__all__ = [
    "Bank",
    "Item",
    "grade",
    "load_bank",
    "load_banks",
    "new_seed",
    "stress",
    "template",
    "verify",
]
