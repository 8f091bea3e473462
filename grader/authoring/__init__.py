"""Proves that a course is sound: its exercises, their suites, the keys of its quizzes, and its tree."""

from grader.authoring import mutants, release, scaffold, schemas
from grader.authoring.cache_key import bank_key, exercise_key
from grader.authoring.exercise_check import Proof, check_exercises
from grader.authoring.mutants import Mutant
from grader.authoring.mutation_check import Survival, check_mutants
from grader.authoring.quiz_check import BankProof, bank_paths, check_banks, check_quizzes
from grader.authoring.seed_check import THREADS, Steadiness, check_repeatedly
from grader.authoring.source_lint import check_files
from grader.authoring.tree_check import check_tree
from grader.authoring.verified_cache import Sound, unless_known
from grader.authoring.visibility_check import check_reveals

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
    "scaffold",
    "schemas",
    "unless_known",
]
