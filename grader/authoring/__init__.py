"""Checks, releases and extends a course: exercises, their suites, the keys of quizzes, the folder tree."""

from grader.authoring import mutants, release, schemas, skeletons
from grader.authoring.cache_key import bank_key, exercise_key
from grader.authoring.exercise_check import COST_RANGE, ExerciseFindings, check_exercises
from grader.authoring.input_matrix import rows_as_text
from grader.authoring.mutants import Mutant
from grader.authoring.mutation_check import MutationFindings, check_mutants
from grader.authoring.passage_check import check_passages
from grader.authoring.quiz_check import QuizFindings, bank_paths, check_banks, check_quizzes
from grader.authoring.seed_check import THREADS, SeedFindings, check_seeds
from grader.authoring.source_lint import check_files
from grader.authoring.tree_check import check_tree
from grader.authoring.verified_cache import VerifiedCache, check_with_cache
from grader.authoring.visibility_check import check_visibility

__all__ = [
    "COST_RANGE",
    "THREADS",
    "ExerciseFindings",
    "Mutant",
    "MutationFindings",
    "QuizFindings",
    "SeedFindings",
    "VerifiedCache",
    "bank_key",
    "bank_paths",
    "check_banks",
    "check_exercises",
    "check_files",
    "check_mutants",
    "check_passages",
    "check_quizzes",
    "check_seeds",
    "check_tree",
    "check_visibility",
    "check_with_cache",
    "exercise_key",
    "mutants",
    "release",
    "rows_as_text",
    "schemas",
    "skeletons",
]
