"""Proves quizzes: items hold for many seeds, and torch and the references compute every key that can be."""

from grader import quiz
from grader.catalog import Course
from grader.errors import DocumentError, Problem


def check_quizzes(course: Course) -> tuple[int, list[Problem]]:
    """Load every bank, draw every item many times, and compute every key with torch and the references.

    Return how many keys were computed, and the problems.
    """
    try:
        banks = quiz.load_banks(course.quizzes)
    except DocumentError as error:
        return 0, list(error.problems)
    names = reference_names(course)
    computed = sum(quiz.computable(item) for bank in banks for item in bank.items)
    return computed, [
        problem for bank in banks for problem in (*quiz.stress(bank), *quiz.verify(bank, names))
    ]


def reference_names(course: Course) -> dict[str, object]:
    """Return torch's names and those of all references, for the `verify` of quiz items."""
    import torch  # noqa: PLC0415 - only this command needs it here

    torch.set_num_threads(1)
    names: dict[str, object] = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    for exercise in course.exercises:
        path = exercise.folder / "reference.py"
        namespace: dict[str, object] = {"__name__": f"reference_{exercise.id}"}
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)  # noqa: S102 - the course's own
        names |= {name: namespace[name] for name in exercise.names if name in namespace}
    return names
