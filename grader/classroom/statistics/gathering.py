"""Reads the data of a summary from a gradebook: for each student the hand-in that counts, and the first answers."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from grader.classroom.gradebook import DamagedRow, Gradebook, Parts
from grader.classroom.late_policy import Policy, last_hand_ins
from grader.classroom.statistics.summary_records import VoidSummary
from grader.core.model import ExerciseResult, Mark, Outcome, QuizResult, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentRecord:
    """One student: times of handing in, mark, exercises of the hand-in that counts, and first answers to quizzes.

    `quizzes` holds each quiz as in the first hand-in that answered any of it, by its newest verdict: later answers were
    given with feedback, and say less about the items. `versions` holds the fingerprints of these quizzes when they were
    graded. `answered` is true where the hand-in that counts answers any item.
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
    """Return every student who has a mark, by name, and those whose last hand-in is void.

    With exercises chosen, only these count, and no quiz. A hand-in that is damaged does not count, and is named in
    `book.damaged`.
    """
    times: dict[str, set[datetime]] = {}
    scores = list(policy.received(book.scores(chosen)))
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
    last = last_hand_ins(scores)
    void = [_void(book, score, score.student in marked) for score in last.values() if score.void]
    return found, void


def _record(
    book: Gradebook,
    policy: Policy,
    scores: Sequence[Score],
    times: tuple[datetime, ...],
    chosen: Collection[str],
) -> StudentRecord | None:
    """Return the record of one student by the hand-in that counts; None without a mark.

    The report of a hand-in may be damaged where its points are not. Then the hand-in counts no more.
    """
    while (mark := policy.mark(scores)) is not None:
        record = _gathered(book, mark, times, [score.number for score in scores], chosen)
        if record is not None:
            return record
        scores = [score for score in scores if score.number != mark.number]
    return None


def _void(book: Gradebook, score: Score, marked: bool) -> VoidSummary:
    exercises = _parts(book, score.student, score.number, lambda kind, _part: kind == "exercise").exercises
    void = tuple(result.id for result in exercises if result.is_void)
    return VoidSummary(student=score.student, exercises=void, marked=marked)


def _parts(book: Gradebook, student: str, number: int, wanted: Callable[[str, str], bool]) -> Parts:
    """Return results of a hand-in; none where they are damaged, which is then named."""
    try:
        return book.parts(student, number, wanted)
    except DamagedRow as damaged:
        book.skip(damaged)
        return Parts(exercises=(), quizzes=())


def _gathered(
    book: Gradebook, mark: Mark, times: tuple[datetime, ...], numbers: Sequence[int], chosen: Collection[str]
) -> StudentRecord | None:
    """Return the record of a student with this mark; None where the report of its hand-in is damaged.

    `numbers` are those of all hand-ins of the student, in their order.
    """
    try:
        counts = book.parts(mark.student, mark.number, lambda kind, part: _counts(kind, part, chosen))
    except DamagedRow as damaged:
        book.skip(damaged)
        return None
    quizzes, versions = ({}, {}) if chosen else _first_answers(book, mark.student, numbers)
    return StudentRecord(
        student=mark.student,
        times=times,
        mark=mark,
        exercises=tuple(_slim(counts.exercises)),
        quizzes=tuple(quizzes.values()),
        versions=versions,
        answered=any(map(_answered, counts.quizzes)),
    )


def _counts(kind: str, part: str, chosen: Collection[str]) -> bool:
    return not chosen or (kind == "exercise" and part in chosen)


def _first_answers(
    book: Gradebook, student: str, numbers: Sequence[int]
) -> tuple[dict[str, QuizResult], dict[str, str]]:
    """Return each quiz by the first hand-in that answers any item of it, and the version of each."""
    found: dict[str, QuizResult] = {}
    versions: dict[str, str] = {}

    def is_open(kind: str, part: str) -> bool:
        return kind == "quiz" and part not in found

    for number in numbers:
        quizzes = _parts(book, student, number, is_open).quizzes
        first = {quiz.id: quiz for quiz in quizzes if _answered(quiz)}
        if first:
            known = book.quiz_versions(student, number)
            versions |= {name: known.get(name, "") for name in first}
            found |= first
    return found, versions


def _answered(quiz: QuizResult) -> bool:
    return any(item.answered for item in quiz.items)


def _slim(results: Sequence[ExerciseResult]) -> Iterator[ExerciseResult]:
    """Yield results without pictures, tracebacks and output: a whole class is held in memory."""
    for result in results:
        checks = tuple(replace(check, picture=None, traceback=()) for check in result.checks)
        yield replace(result, checks=checks, traceback=(), output="")


def attempted(result: ExerciseResult) -> bool:
    """Return whether the student changed anything in the exercise."""
    return result.outcome is not Outcome.NOT_ATTEMPTED
