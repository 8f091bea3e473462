"""What a gradebook says about a class: scores, exercises and checks, mistakes, quiz items, times. Never torch."""

from grader.statistics.choices import ENOUGH
from grader.statistics.pseudonyms import anonymous, pseudonyms
from grader.statistics.records import (
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
from grader.statistics.similar import with_similar
from grader.statistics.summary import summarize

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
