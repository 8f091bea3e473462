"""What a gradebook says about a class: scores, exercises and checks, mistakes by frequency, times. Never torch."""

from grader.statistics.pseudonyms import anonymous, pseudonyms
from grader.statistics.records import (
    Bin,
    CheckSummary,
    ClassSummary,
    Day,
    ExerciseSummary,
    MisconceptionSummary,
    MistakeSummary,
    Share,
    Spread,
    StudentSummary,
    Tally,
    VoidSummary,
)
from grader.statistics.similar import with_similar
from grader.statistics.summary import summarize

__all__ = [
    "Bin",
    "CheckSummary",
    "ClassSummary",
    "Day",
    "ExerciseSummary",
    "MisconceptionSummary",
    "MistakeSummary",
    "Share",
    "Spread",
    "StudentSummary",
    "Tally",
    "VoidSummary",
    "anonymous",
    "pseudonyms",
    "summarize",
    "with_similar",
]
