"""Reads one hand-in: what is to be graded of it, and what an instructor should know before."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from grader.core import error_location
from grader.core.errors import UsageError
from grader.core.model import Exercise
from grader.grading import attempt, selection
from grader.grading.attempt import Plan
from grader.submission import Recording, Submission, Text, Unreadable
from grader.submission.handed_in import HandedIn, Moment
from grader.submission.kinds import ARCHIVE_ENDINGS, UNREAD_ARCHIVES, UNREAD_ENDINGS, ending_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadHandIn:
    """A hand-in in memory: its files, what is to be graded of it, and remarks for instructors."""

    submission: Submission
    recording: Recording
    planned: Plan
    remarks: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of the files that were read."""
        return tuple(
            sorted(name for name, data in self.recording.kept.files.items() if isinstance(data, bytes))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a hand-in is, without grading it: the files that would be graded, its time, or why it would not be."""

    hand_in: HandedIn
    files: tuple[str, ...] = ()
    moment: Moment | None = None
    remarks: tuple[str, ...] = ()
    refused: str = ""


def planned_reading(
    submission: Submission,
    notes: Sequence[str],
    exercises: Sequence[Exercise],
    quizzes: Collection[str],
    seed: int,
) -> ReadHandIn:
    """Read what is to be graded of a submission, each file once."""
    recording = Recording(submission.tree)
    recorded = Submission(recording, submission.problems)
    planned = attempt.plan(recorded, exercises, seed)
    remarks = (
        *notes, *submission.problems, *_of_jobs(planned), *_of_answers(recorded, quizzes), *_of_archives(recording)
    )  # fmt: skip
    return ReadHandIn(
        submission=recorded, recording=recording, planned=planned, remarks=tuple(dict.fromkeys(remarks))
    )


def _of_jobs(planned: Plan) -> Iterator[str]:
    for job in planned.jobs.values():
        yield from job.notes
    for name, result in planned.refused.items():
        if name not in planned.untouched:
            yield result.message


def _of_answers(submission: Submission, quizzes: Collection[str]) -> Iterator[str]:
    for quiz in quizzes:
        found = submission.answers(quiz)
        if isinstance(found, Unreadable):
            yield found.sentence
        elif isinstance(found, Text) and not found.name.startswith("answers/"):
            yield f"{found.name} was graded as answers/{quiz}.yaml."


def _of_archives(recording: Recording) -> Iterator[str]:
    """Yield what is said of archives beside the work: they may hold more of it."""
    for name in recording.names():
        ending = ending_of(name)
        if ending in ARCHIVE_ENDINGS:
            yield f"{name} was not opened, as there is work beside it."
        elif ending in UNREAD_ARCHIVES:
            yield f"{name} is {UNREAD_ENDINGS[ending].partition('.')[0]}."


def preview(hand_in: HandedIn, exercises: Sequence[Exercise], quizzes: Collection[str]) -> Preview:
    """Return what a hand-in is, or why it cannot be read: no other hand-in depends on it."""
    try:
        return _preview(hand_in, exercises, quizzes)
    except UsageError as error:
        refused = str(error)
    except OSError as error:
        refused = f"{error.filename or 'it'} cannot be read: {error.strerror}"
    except Exception as error:  # noqa: BLE001 - the fence around each hand-in
        refused = f"an error in the grader, {error_location.summary(error)}"
    return Preview(hand_in=hand_in, refused=refused, remarks=hand_in.notes)


def _preview(hand_in: HandedIn, exercises: Sequence[Exercise], quizzes: Collection[str]) -> Preview:
    found = planned_reading(hand_in.open(), hand_in.notes, exercises, quizzes, seed=0)
    selection.refuse_unrecognized(found.submission, found.planned, quizzes)
    moment = hand_in.moment(found.recording.kept.files, found.recording)
    remarks = (*found.remarks, moment.note) if moment.note else found.remarks
    return Preview(hand_in=hand_in, files=found.files, moment=moment, remarks=remarks)
