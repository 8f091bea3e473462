"""Limits of `grade check`, `grade new` and `grade release`: for each, a value just below and one just above."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from grader.authoring import release, seed_check, skeletons, verified_cache
from grader.authoring.exercise_check import (
    MAX_CHECKS,
    MIN_CHECKS,
    MIN_HINTS,
    MIN_MISTAKES,
    _reference_problems,
    _too_few,
)
from grader.authoring.mutation_check import MUTANT_LIMITS, _mutant_limits
from grader.authoring.quiz_check import QuizFindings
from grader.authoring.seed_check import MISTAKE_SEEDS, THREADS, TIGHT_SHARE, SeedFindings, check_seeds
from grader.authoring.verified_cache import KEPT_DAYS, MAX_ENTRY_BYTES, VerifiedCache
from grader.core.model import CheckResult, ExerciseResult, Outcome
from grader.course import catalog
from grader.grading.messages import Graded, Job

SOUND = QuizFindings(bank="b", computed=1, problems=())
KEY = "0" * 32


@pytest.fixture
def exercise(course):
    """The one exercise of the miniature course."""
    return course.exercises[0]


# --- grade check


@pytest.mark.parametrize(("count", "enough"), [(MIN_MISTAKES - 1, False), (MIN_MISTAKES, True)])
def test_an_exercise_needs_five_known_mistakes(course, exercise, count, enough):
    assert MIN_MISTAKES == 5
    assert (not list(_too_few(course, exercise, count))) is enough


@pytest.mark.parametrize(("count", "enough"), [(MIN_HINTS - 1, False), (MIN_HINTS, True)])
def test_an_exercise_needs_three_hints(course, exercise, count, enough):
    assert MIN_HINTS == 3
    exercise = replace(exercise, hints=("A hint.",) * count)
    assert (not list(_too_few(course, exercise, MIN_MISTAKES))) is enough


@pytest.mark.parametrize(
    ("count", "valid"),
    [(MIN_CHECKS - 1, False), (MIN_CHECKS, True), (MAX_CHECKS, True), (MAX_CHECKS + 1, False)],
)
def test_a_suite_has_8_to_20_checks(course, exercise, count, valid):
    assert (MIN_CHECKS, MAX_CHECKS) == (8, 24)
    checks = tuple(
        CheckResult(id=f"test_{n}", title=f"{n}", outcome=Outcome.PASSED, points=1, max_points=1)
        for n in range(count)
    )
    result = ExerciseResult(
        id=exercise.id, title="", outcome=Outcome.PASSED, points=count, max_points=count, checks=checks
    )
    exercise = replace(exercise, points=count)
    assert (not list(_reference_problems(course, exercise, Graded(result=result)))) is valid


@pytest.mark.parametrize("name", ["import_limit_s", "call_limit_s", "check_limit_s", "exercise_limit_s"])
def test_a_mutant_gets_the_smaller_of_its_own_limit_and_that_of_mutants(exercise, name):
    limit = getattr(MUTANT_LIMITS, name)
    for given in (limit - 0.1, limit + 0.1):
        found = _mutant_limits(replace(exercise.limits, **{name: given}))
        assert getattr(found, name) == min(given, limit)


@pytest.mark.parametrize(("share", "is_tight"), [(TIGHT_SHARE, False), (TIGHT_SHARE + 0.001, True)])
def test_more_than_half_of_a_tolerance_is_a_warning(share, is_tight):
    assert TIGHT_SHARE == 0.5
    findings = SeedFindings(
        exercise="e", gradings=1, mistakes_graded=0, tolerance_used={"test_a": share}, problems=()
    )
    assert ("test_a" in findings.tight) is is_tight


class RecordingDispatcher:
    """Stands in for a dispatcher: records the jobs, and every one ends with `outcome`."""

    def __init__(self, outcome: Outcome) -> None:
        self.jobs: Sequence[Job] = ()
        self._outcome = outcome

    def grade(self, todo, **_callbacks):
        """Return an ending for each job."""
        self.jobs = todo
        result = ExerciseResult(id="e", title="", outcome=self._outcome, points=0, max_points=0)
        return iter([Graded(result=result)] * len(todo))


@pytest.mark.parametrize(
    ("times", "seeds"), [(MISTAKE_SEEDS - 1, 4), (MISTAKE_SEEDS, 5), (MISTAKE_SEEDS + 1, 5)]
)
def test_known_mistakes_are_graded_with_the_first_five_seeds(course, exercise, times, seeds):
    dispatcher = RecordingDispatcher(Outcome.FAILED)
    list(check_seeds(course, [exercise], dispatcher, 0, times))
    of_reference = [job for job in dispatcher.jobs if job.measure]
    assert len(of_reference) == times * len(THREADS)
    assert {job.seed for job in dispatcher.jobs if not job.measure} == set(range(seeds))
    limits, own = of_reference[0].exercise.limits, exercise.limits
    assert (limits.call_limit_s, limits.check_limit_s, limits.exercise_limit_s) == (
        own.call_limit_s * 10,
        own.check_limit_s * 10,
        own.exercise_limit_s * 10,
    )


@pytest.mark.parametrize(("count", "cut"), [(8, False), (9, True)])
def test_eight_failing_seeds_are_named(count, cut):
    failures = [(seed_check._SeedRun(seed, 1), "why") for seed in range(count)]
    text = seed_check._failure_message("test_a", failures, 10)
    assert (", ..." in text) is cut
    assert "seed 0, 1, 2, 3, 4, 5, 6, 7" in text


# --- its cache


@pytest.mark.parametrize(("more", "used"), [(0, True), (1, False)])
def test_an_entry_of_the_cache_has_at_most_a_mebibyte(tmp_path, monkeypatch, more, used):
    assert MAX_ENTRY_BYTES == 2**20
    cache = VerifiedCache(tmp_path / "cache")
    cache.write(KEY, SOUND)
    size = (tmp_path / "cache" / KEY).stat().st_size
    monkeypatch.setattr(verified_cache, "MAX_ENTRY_BYTES", size - more)
    assert (cache.read(KEY, QuizFindings) == SOUND) is used


@pytest.mark.parametrize(("days", "kept"), [(KEPT_DAYS - 0.1, True), (KEPT_DAYS + 0.1, False)])
def test_an_entry_is_kept_for_sixty_days_after_its_last_use(tmp_path, days, kept):
    assert KEPT_DAYS == 60
    cache = VerifiedCache(tmp_path / "cache")
    cache.write(KEY, SOUND)
    then = time.time() - days * 86400
    os.utime(tmp_path / "cache" / KEY, (then, then))
    cache.write("1" * 32, SOUND)
    assert (tmp_path / "cache" / KEY).exists() is kept


# --- grade new


@pytest.mark.parametrize(("size", "valid"), [(1, True), (41, True), (42, False)])
def test_a_name_has_up_to_41_characters(size, valid):
    assert (skeletons._NAME.fullmatch("x" * size) is not None) is valid


# --- grade release


@pytest.mark.parametrize(("size", "secret"), [(59, False), (60, True)])
def test_a_statement_of_sixty_characters_is_secret(tmp_path, size, secret):
    assert release.MIN_CODE_CHARS == 60
    code = "return " + "x" * (size - len("return "))
    assert _is_leaked(tmp_path, f"def f(x):\n    {code}\n", code, quizzes="") is secret


@pytest.mark.parametrize(("size", "secret"), [(19, False), (20, True)])
def test_feedback_of_twenty_characters_is_secret(tmp_path, size, secret):
    assert release.MIN_PROSE_CHARS == 20
    feedback = "f" * size
    assert _is_leaked(tmp_path, "", feedback, quizzes=feedback) is secret


def _is_leaked(root, reference, released, *, quizzes):
    """Tell whether a release that contains the text `released` is refused."""
    folder = root / "solutions" / "scaling"
    folder.mkdir(parents=True)
    document = 'title: T\nsection: "1"\npoints: 1\nnames: [f]\nobjectives: [o]\nsource: s\nhints: [h]\n'
    (folder / "exercise.yaml").write_text(document, encoding="utf-8")
    (folder / "reference.py").write_text(reference, encoding="utf-8")
    (root / "quizzes").mkdir()
    if quizzes:
        (root / "quizzes" / "q.yaml").write_text(
            f'title: T\nsection: "1"\nitems:\n  - id: a\n    type: numeric\n    objective: o\n    prompt: p\n    key: 1\n'
            f"    expected_wrong: [{{value: 2, feedback: {quizzes}, misconception: m}}]\n    explanation: e\n",
            encoding="utf-8",
        )
    problems = release.leaks(catalog.load(root), {"README.md": released.encode()}, 0)
    return bool(problems)
