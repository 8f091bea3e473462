"""One attempt: grades the exercises and quizzes of one submission, and adds them up to a report."""

import platform
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version

from grader import __version__, quiz
from grader.core import scoring
from grader.core.errors import Problem
from grader.core.model import Exercise, ExerciseResult, Isolation, Outcome, QuizResult, Report, Versions
from grader.course.catalog import Course
from grader.grading.dispatcher import Dispatcher, Ended, Watch, ignore, ignore_end
from grader.grading.messages import Graded, Job, NotGraded
from grader.submission import Submission, Text, Unreadable

NOT_GRADED = "This exercise was not graded: the run did not end."


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be graded of a submission: a job for each exercise that can be read, a result for each other.

    `untouched` are the ids of those whose module is absent, or still the stub; of those, `missing` are absent.
    """

    jobs: dict[str, Job]
    refused: dict[str, ExerciseResult]
    untouched: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)

    @property
    def is_untouched(self) -> bool:
        """Tell whether every exercise is still the stub; of one that is missing nothing is known."""
        return not self.missing and self.untouched == {*self.jobs, *self.refused}


def plan(submission: Submission, exercises: Sequence[Exercise], seed: int) -> Plan:
    """Read a submission, and decide what is to be graded."""
    found = Plan(jobs={}, refused={})
    for exercise in exercises:
        stub = exercise.stub.read_text(encoding="utf-8") if exercise.stub.is_file() else None
        snapshot = submission.snapshot(exercise.id, stub)
        is_begun = (
            snapshot.attempted
            if isinstance(snapshot, Unreadable)
            else snapshot.sources[f"{exercise.id}.py"] != stub
        )
        if not is_begun:
            found.untouched.add(exercise.id)
        if isinstance(snapshot, Unreadable):
            outcome = Outcome.RAISED if snapshot.attempted else Outcome.NOT_ATTEMPTED
            result = scoring.exercise_result(exercise, (), outcome=outcome, message=snapshot.sentence)
            found.refused[exercise.id] = result
            if snapshot.missing:
                found.missing.add(exercise.id)
        else:
            found.jobs[exercise.id] = Job(
                exercise=exercise,
                module=exercise.id,
                root=snapshot.root,
                sources=snapshot.sources,
                notes=snapshot.notes,
                seed=seed,
            )
    return found


def grade_exercises(
    dispatcher: Dispatcher,
    submission: Submission,
    exercises: Sequence[Exercise],
    seed: int,
    watch: Watch = ignore,
) -> Iterator[ExerciseResult]:
    """Grade the exercises side by side; yield the results in order, and call `watch` with each check that ends."""
    yield from carry_out(dispatcher, plan(submission, exercises, seed), exercises, watch)


def carry_out(
    dispatcher: Dispatcher,
    planned: Plan,
    exercises: Sequence[Exercise],
    watch: Watch = ignore,
    ended: Ended = ignore_end,
) -> Iterator[ExerciseResult]:
    """Grade exercises of a plan side by side; yield the results in their order."""
    todo = [planned.jobs[exercise.id] for exercise in exercises if exercise.id in planned.jobs]
    graded = dispatcher.grade(todo, watch, ended)
    for exercise in exercises:
        refused = planned.refused.get(exercise.id)
        yield refused or result_of(exercise, next(graded))


def result_of(exercise: Exercise, ending: Graded | NotGraded) -> ExerciseResult:
    """Return the result of an exercise: void where it could not be graded."""
    if isinstance(ending, Graded):
        return ending.result
    message = f"This exercise could not be graded, through an error in the grader: {ending.reason}."
    return scoring.exercise_result(exercise, (), outcome=Outcome.INTERNAL_ERROR, message=message)


class Quizzes:
    """The quizzes of a course, read once for any number of submissions."""

    def __init__(self, course: Course) -> None:
        """Read every bank. Raises DocumentError with every problem of all."""
        self._banks = quiz.load_banks(course.quizzes)
        self._unanswered: dict[str, QuizResult] = {}

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the quizzes."""
        return tuple(bank.id for bank in self._banks)

    def grade(
        self,
        submission: Submission,
        wanted: Collection[str] | None = None,
        tries: Callable[[quiz.Bank], int] | None = None,
    ) -> Iterator[QuizResult]:
        """Grade the answers to every quiz of the course, or to those whose ids are in `wanted`.

        With `tries`, which tells how many were used, the results are as their students see them; else they are whole.
        """
        for bank in self._banks:
            if wanted is not None and bank.id not in wanted:
                continue
            answers = submission.answers(bank.id)
            if isinstance(answers, Text):
                used = None if tries is None else tries(bank)
                yield quiz.grade(bank, answers.text, shown=answers.name, tries=used)
            elif isinstance(answers, Unreadable):
                yield quiz.grade(bank, Problem(path=answers.name, message=answers.reason))
            else:
                yield self._not_answered(bank)

    def _not_answered(self, bank: quiz.Bank) -> QuizResult:
        if bank.id not in self._unanswered:
            self._unanswered[bank.id] = quiz.grade(bank, None)
        return self._unanswered[bank.id]


def report(
    dispatcher: Dispatcher, exercises: Sequence[ExerciseResult], quizzes: Sequence[QuizResult], seed: int
) -> Report:
    """Add up the results, and name the versions and the isolation they were made with."""
    ready = dispatcher.ready()
    versions = Versions(grader=__version__, torch=ready.torch_version, python=ready.python_version)
    return scoring.report(exercises, quizzes, isolation=dispatcher.isolation(), versions=versions, seed=seed)


def not_graded(exercises: Sequence[Exercise], seed: int) -> Report:
    """Return the report that says "not graded", which stands until the grading has ended.

    It is never final: where there are only quizzes, one void part stands for them.
    """
    void = partial(ExerciseResult, outcome=Outcome.INTERNAL_ERROR, points=0.0, message=NOT_GRADED)
    results = [void(id=one.id, title=one.title, max_points=one.points) for one in exercises]
    results = results or [void(id="quizzes", title="All quizzes", max_points=0.0)]
    versions = Versions(grader=__version__, torch=version("torch"), python=platform.python_version())
    return scoring.report(results, (), isolation=Isolation(level=0), versions=versions, seed=seed)
