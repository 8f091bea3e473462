"""Proves that a course is sound: its exercises, the keys of its quizzes, and its tree."""

from grader.content.keys import check_quizzes, reference_names
from grader.content.proofs import Proof, check_exercises
from grader.content.tree import check_tree

__all__ = ["Proof", "check_exercises", "check_quizzes", "check_tree", "reference_names"]
