"""Proves that a course is sound: its exercises, their suites, the keys of its quizzes, and its tree."""

from grader.content import mutants, release, schemas, skeletons
from grader.content.keys import check_quizzes, reference_names
from grader.content.mutants import Mutant
from grader.content.proofs import Proof, check_exercises
from grader.content.reveals import check_reveals
from grader.content.steadiness import THREADS, Steadiness, check_repeatedly
from grader.content.survivors import Survival, check_mutants
from grader.content.tree import check_tree

__all__ = [
    "THREADS",
    "Mutant",
    "Proof",
    "Steadiness",
    "Survival",
    "check_exercises",
    "check_mutants",
    "check_quizzes",
    "check_repeatedly",
    "check_reveals",
    "check_tree",
    "mutants",
    "reference_names",
    "release",
    "schemas",
    "skeletons",
]
