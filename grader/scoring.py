from grader.model import *


def exercise_result(exercise, checks, *, outcome=None, message="", traceback=(), output="", duration_s=0.0):
    if outcome is None:
        outcome = min((c.outcome for c in checks), key=lambda o: o.severity)
    return ExerciseResult(
        id=exercise.id,
        title=exercise.title,
        outcome=outcome,
        points=sum(c.points for c in checks),
        max_points=exercise.points,
        checks=checks,
        message=message,
        traceback=traceback,
        output=output,
        duration_s=duration_s,
    )


def report(exercises, quizzes, *, isolation, versions, seed):
    p = sum(e.points for e in exercises)
    m = sum(e.max_points for e in exercises)
    return Report(
        points=p,
        max_points=m,
        score=p / m,
        isolation=isolation,
        versions=versions,
        seed=seed,
        exercises=tuple(exercises),
        quizzes=tuple(quizzes),
    )


def meets(r, f):
    return r.score * 100 >= f


def has_internal_error(r):
    return any(e.outcome == "internal_error" for e in r.exercises)
