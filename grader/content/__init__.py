"""Proves that a course is sound: its exercises, their suites, the keys of its quizzes, and its tree."""

from grader.content import mutants, release, schemas, skeletons
from grader.content.dependence import bank_key, exercise_key
from grader.content.keys import BankProof, bank_paths, check_banks, check_quizzes
from grader.content.mutants import Mutant
from grader.content.proofs import Proof, check_exercises
from grader.content.reveals import check_reveals
from grader.content.sound import Sound, unless_known
from grader.content.sources import check_files
from grader.content.steadiness import THREADS, Steadiness, check_repeatedly
from grader.content.survivors import Survival, check_mutants
from grader.content.tree import check_tree

__all__ = [
    "THREADS",
    "BankProof",
    "Mutant",
    "Proof",
    "Sound",
    "Steadiness",
    "Survival",
    "bank_key",
    "bank_paths",
    "check_banks",
    "check_exercises",
    "check_files",
    "check_mutants",
    "check_quizzes",
    "check_repeatedly",
    "check_reveals",
    "check_tree",
    "exercise_key",
    "mutants",
    "release",
    "schemas",
    "skeletons",
    "unless_known",
]
