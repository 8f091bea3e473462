"""The gradebook of a class: hand-ins and verdicts in one SQLite file, and a cache of results."""

from grader.classroom.gradebook.book import Gradebook, Recorded
from grader.classroom.gradebook.database import GradebookUnusable, is_unusable
from grader.classroom.gradebook.results import CachedResult
from grader.classroom.gradebook.rows import DamagedRow, HandIn, Parts, Verdict

__all__ = [
    "CachedResult",
    "DamagedRow",
    "Gradebook",
    "GradebookUnusable",
    "HandIn",
    "Parts",
    "Recorded",
    "Verdict",
    "is_unusable",
]
