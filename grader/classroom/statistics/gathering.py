"""Reads the data of a summary from a gradebook: for each student the attempt that counts, and the first answers."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from grader.classroom.gradebook import Gradebook
from grader.classroom.late_policy import Policy
from grader.classroom.statistics.summary_records import VoidSummary
from grader.core.model import ExerciseResult, Mark, Outcome, QuizResult, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentRecord:
    """One student: times of handing in, mark, exercises of the attempt that counts, and first answers to quizzes.

    `quizzes` holds each quiz as in the first attempt that answered any of it: later answers were given with feedback,
    and say less about the items. Where the same hand-in was graded once more, that grading is used, since its key is
    newer. `versions` holds the fingerprints of these quizzes when they were graded. `answered` is true where the
    attempt that counts answers any item.
    """

    student: str
    times: tuple[datetime, ...]
    mark: Mark
    exercises: tuple[ExerciseResult, ...]
    quizzes: tuple[QuizResult, ...]
    versions: Mapping[str, str]
    answered: bool


def gather(
    book: Gradebook, policy: Policy, chosen: Collection[str] = ()
) -> tuple[list[StudentRecord], list[VoidSummary]]:
    """Return every student who has a mark, by name, and those whose last attempt is void.

    With exercises chosen, only these count, and no quiz.
    """
    times: dict[str, set[datetime]] = {}
    scores = list(book.scores(chosen))
    for score in scores:
        times.setdefault(score.student, set()).add(score.submitted_at)
    marks = policy.marks(scores)
    marked = {mark.student for mark in marks}
    last = {score.student: score for score in scores}  # scores are sorted by number
    void = [_void(book, score, score.student in marked) for score in last.values() if score.void]
    return [_gathered(book, mark, tuple(sorted(times[mark.student])), chosen) for mark in marks], void


def _void(book: Gradebook, score: Score, marked: bool) -> VoidSummary:
    results = book.attempt(score.student, score.number).report.exercises
    exercises = tuple(result.id for result in results if result.is_void)
    return VoidSummary(student=score.student, exercises=exercises, marked=marked)


def _gathered(
    book: Gradebook, mark: Mark, times: tuple[datetime, ...], chosen: Collection[str]
) -> StudentRecord:
    exercises: tuple[ExerciseResult, ...] | None = None
    answered = False
    first: dict[str, int] = {}
    found: dict[str, QuizResult] = {}
    for attempt in book.attempts(mark.student):
        report = attempt.report
        quizzes = () if chosen else report.quizzes
        begun = [quiz for quiz in quizzes if any(item.answered for item in quiz.items)]
        for quiz in begun:
            if quiz.id not in first:
                first[quiz.id], found[quiz.id] = attempt.number, quiz
        if attempt.number == mark.number:
            exercises = tuple(_slim(report.exercises, chosen))
            answered = bool(begun)
        if exercises is not None and len(first) == len(quizzes):
            break
    regraded, versions = _regraded(book, mark.student, first)
    return StudentRecord(
        student=mark.student,
        times=times,
        mark=mark,
        exercises=exercises or (),
        quizzes=tuple(regraded.get(name, quiz) for name, quiz in found.items()),
        versions=versions,
        answered=answered,
    )


def _regraded(
    book: Gradebook, student: str, first: Mapping[str, int]
) -> tuple[dict[str, QuizResult], dict[str, str]]:
    """Return the quizzes of these attempts that were graded again, as last graded, and the versions of all."""
    if not first:
        return {}, {}
    graded = {attempt.number: attempt for attempt in book.fingerprints(student)}
    last: dict[str, int] = {}
    for name, number in first.items():
        same = graded[number].submission
        last[name] = max(n for n, g in graded.items() if g.submission == same and name in g.quizzes)
    numbers = {last[name] for name, number in first.items() if last[name] != number}
    reports = {number: book.attempt(student, number).report for number in numbers}
    again = {
        quiz.id: quiz
        for n in numbers
        for quiz in reports[n].quizzes
        if last.get(quiz.id) == n != first[quiz.id]
    }
    return again, {name: graded[number].quizzes[name] for name, number in last.items()}


def _slim(results: Sequence[ExerciseResult], chosen: Collection[str]) -> Iterator[ExerciseResult]:
    """Yield results without pictures, tracebacks and output: a whole class is held in memory."""
    for result in results:
        if not chosen or result.id in chosen:
            checks = tuple(replace(check, picture=None, traceback=()) for check in result.checks)
            yield replace(result, checks=checks, traceback=(), output="")


def attempted(result: ExerciseResult) -> bool:
    """Return whether the student changed anything in the exercise."""
    return result.outcome is not Outcome.NOT_ATTEMPTED
