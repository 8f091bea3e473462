"""Reads the data of a summary from a gradebook: for each student the attempt that counts, and the first answers."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from grader.classroom.gradebook import DamagedRow, Gradebook
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

    With exercises chosen, only these count, and no quiz. An attempt that is damaged does not count, and is named in
    `book.damaged`.
    """
    times: dict[str, set[datetime]] = {}
    scores = list(book.scores(chosen))
    for score in scores:
        times.setdefault(score.student, set()).add(score.submitted_at)
    by_student: dict[str, list[Score]] = {}
    for score in scores:
        by_student.setdefault(score.student, []).append(score)
    found = [
        record
        for student, own in sorted(by_student.items())
        if (record := _record(book, policy, own, tuple(sorted(times[student])), chosen)) is not None
    ]
    marked = {record.student for record in found}
    last = {score.student: score for score in scores}  # scores are sorted by number
    void = [_void(book, score, score.student in marked) for score in last.values() if score.void]
    return found, void


def _record(
    book: Gradebook,
    policy: Policy,
    scores: Sequence[Score],
    times: tuple[datetime, ...],
    chosen: Collection[str],
) -> StudentRecord | None:
    """Return the record of one student by the attempt that counts; None without a mark.

    The report of an attempt may be damaged where its points are not. Then the attempt counts no more.
    """
    while (mark := policy.mark(scores)) is not None:
        record = _gathered(book, mark, times, chosen)
        if record is not None:
            return record
        scores = [score for score in scores if score.number != mark.number]
    return None


def _void(book: Gradebook, score: Score, marked: bool) -> VoidSummary:
    try:
        results = book.attempt(score.student, score.number).report.exercises
    except DamagedRow as damaged:
        book.skip(damaged)
        results = ()
    exercises = tuple(result.id for result in results if result.is_void)
    return VoidSummary(student=score.student, exercises=exercises, marked=marked)


def _gathered(
    book: Gradebook, mark: Mark, times: tuple[datetime, ...], chosen: Collection[str]
) -> StudentRecord | None:
    """Return the record of a student with this mark; None where the report of its attempt is damaged."""
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
    if exercises is None:
        return None
    regraded, versions = _regraded(book, mark.student, first)
    return StudentRecord(
        student=mark.student,
        times=times,
        mark=mark,
        exercises=exercises,
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
        last[name] = max(
            (n for n, g in graded.items() if g.submission == same and name in g.quizzes), default=number
        )
    again: dict[str, QuizResult] = {}
    for n in {last[name] for name, number in first.items() if last[name] != number}:
        try:
            quizzes = book.attempt(student, n).report.quizzes
        except DamagedRow as damaged:
            book.skip(damaged)
            continue
        again |= {quiz.id: quiz for quiz in quizzes if last.get(quiz.id) == n != first[quiz.id]}
    return again, {name: graded[number].quizzes.get(name, "") for name, number in last.items()}


def _slim(results: Sequence[ExerciseResult], chosen: Collection[str]) -> Iterator[ExerciseResult]:
    """Yield results without pictures, tracebacks and output: a whole class is held in memory."""
    for result in results:
        if not chosen or result.id in chosen:
            checks = tuple(replace(check, picture=None, traceback=()) for check in result.checks)
            yield replace(result, checks=checks, traceback=(), output="")


def attempted(result: ExerciseResult) -> bool:
    """Return whether the student changed anything in the exercise."""
    return result.outcome is not Outcome.NOT_ATTEMPTED
