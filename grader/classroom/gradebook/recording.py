"""Writes the rows of a verdict, in an open transaction."""

import sqlite3

from grader.classroom.gradebook import results
from grader.classroom.gradebook.rows import MAX_NUMBER
from grader.core.model import ExerciseResult, QuizResult, Report
from grader.report import head_to_json


def insert(db: sqlite3.Connection, table: str, **row: object) -> int:
    """Insert a row, its values by column, and return its id."""
    columns, marks = ", ".join(f'"{name}"' for name in row), ", ".join(f":{name}" for name in row)
    added = db.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", row)  # noqa: S608 - no outside text
    return added.lastrowid or 0


def add_verdict(
    db: sqlite3.Connection, hand_in: int, report: Report, *, version: int, conditions: str, graded_at: str
) -> None:
    """Add a verdict on the hand-in with this id, its parts and their checks."""
    verdict = insert(
        db,
        "verdicts",
        hand_in=hand_in,
        number=_verdicts_on(db, hand_in) + 1,
        version=version,
        conditions=conditions,
        graded_at=graded_at,
        points=report.points,
        max_points=report.max_points,
        score=report.score,
        void=not report.final,
        isolation_level=report.isolation.level,
        seed=report.seed,
        grader=report.versions.grader,
        torch=report.versions.torch,
        python=report.versions.python,
        report=head_to_json(report),
    )
    for position, exercise in enumerate(report.exercises):
        _add_part(db, verdict, position, exercise)
        _add_checks(db, verdict, exercise)
    for position, quiz in enumerate(report.quizzes):
        _add_part(db, verdict, position, quiz)


def _verdicts_on(db: sqlite3.Connection, hand_in: int) -> int:
    """Return the number of the newest verdict on a hand-in; 0 without any."""
    query = (
        "SELECT coalesce(max(number), 0) FROM verdicts "
        "WHERE hand_in = ? AND typeof(number) = 'integer' AND number BETWEEN 0 AND ?"
    )
    (found,) = db.execute(query, (hand_in, MAX_NUMBER)).fetchone()
    return int(found)


def _add_part(db: sqlite3.Connection, verdict: int, position: int, part: ExerciseResult | QuizResult) -> None:
    insert(
        db,
        "parts",
        verdict=verdict,
        kind="exercise" if isinstance(part, ExerciseResult) else "quiz",
        part=part.id,
        position=position,
        outcome=part.outcome if isinstance(part, ExerciseResult) else "",
        points=part.points,
        max_points=part.max_points,
        result=results.store(db, part),
    )


def _add_checks(db: sqlite3.Connection, verdict: int, exercise: ExerciseResult) -> None:
    for check in exercise.checks:
        insert(
            db,
            "checks",
            verdict=verdict,
            exercise=exercise.id,
            check=check.id,
            outcome=check.outcome,
            points=check.points,
            max_points=check.max_points,
            mistake=check.diagnosis.mistake if check.diagnosis else "",
        )
