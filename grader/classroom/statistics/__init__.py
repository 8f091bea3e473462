"""Statistics on a class, from its gradebook: scores, exercises, checks, mistakes, quiz items, times. No torch."""

from grader.classroom.statistics.pseudonyms import anonymous, pseudonyms
from grader.classroom.statistics.response_counts import ENOUGH
from grader.classroom.statistics.similar_pairs import with_similar
from grader.classroom.statistics.summary import summarize
from grader.classroom.statistics.summary_records import (
    Bin,
    CheckSummary,
    ClassSummary,
    Concern,
    Day,
    Estimate,
    ExerciseSummary,
    Interval,
    ItemSummary,
    MisconceptionSummary,
    MistakeSummary,
    OptionSummary,
    QuizSummary,
    Share,
    Spread,
    StudentSummary,
    Tally,
    Variants,
    Void,
    VoidSummary,
    WrongResponse,
)

__all__ = [
    "ENOUGH",
    "Bin",
    "CheckSummary",
    "ClassSummary",
    "Concern",
    "Day",
    "Estimate",
    "ExerciseSummary",
    "Interval",
    "ItemSummary",
    "MisconceptionSummary",
    "MistakeSummary",
    "OptionSummary",
    "QuizSummary",
    "Share",
    "Spread",
    "StudentSummary",
    "Tally",
    "Variants",
    "Void",
    "VoidSummary",
    "WrongResponse",
    "anonymous",
    "pseudonyms",
    "summarize",
    "with_similar",
]
