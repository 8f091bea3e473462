"""Checks the places in the text of the course that exercises name for their checks: `passages` in an exercise.yaml.

The text is docs/notes/*.md, where the course has that folder: each page begins with its title, and has headings of the
second level.
"""

import re
from collections.abc import Iterator

from grader.authoring.source_lint import yaml_problem
from grader.core import yaml_document
from grader.core.errors import DocumentError, Problem
from grader.core.model import Exercise
from grader.core.suggestions import suggestion
from grader.course import visibility
from grader.course.catalog import Course, ExerciseDocument

NOTES = "docs/notes"
_FENCED = re.compile(r"^(```+|~~~+).*?^\1", re.MULTILINE | re.DOTALL)
_MARKS = re.compile(r"[*`]")


def check_passages(course: Course) -> list[Problem]:
    """Return the named pages and headings that the text does not have, and the named checks that no suite has."""
    text = pages(course)
    return [problem for exercise in course.exercises for problem in _of_exercise(course, exercise, text)]


def pages(course: Course) -> dict[str, tuple[str, ...]]:
    """Return the titles of the pages of the text, and the headings of each; nothing where the course has no text."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted((course.root / NOTES).glob("*.md")):
        lines = _FENCED.sub("", path.read_text(encoding="utf-8", errors="replace")).splitlines()
        title = next((line[2:] for line in lines if line.startswith("# ")), "")
        found[_plain(title)] = tuple(_plain(line[3:]) for line in lines if line.startswith("## "))
    return found


def _plain(text: str) -> str:
    return _MARKS.sub("", text).strip()


def _of_exercise(course: Course, exercise: Exercise, text: dict[str, tuple[str, ...]]) -> Iterator[Problem]:
    if not exercise.passages:
        return
    try:
        document = yaml_document.read(exercise.folder / "exercise.yaml", ExerciseDocument).value
        checks = [test.id for test in visibility.read(exercise.suite)]
    except DocumentError:  # reported elsewhere, or the file has changed
        return
    for n, entry in enumerate(document.passages):
        place = ("passages", n)
        if text and entry.page not in text:
            message = f"{NOTES} has no page {entry.page!r}{suggestion(entry.page, list(text))}"
            yield yaml_problem(course, exercise, (*place, "page"), message)
        elif text and entry.heading not in (headings := text[entry.page]):
            message = f"{entry.page} has no heading {entry.heading!r}{suggestion(entry.heading, headings)}"
            yield yaml_problem(course, exercise, (*place, "heading"), message)
        for k, check in enumerate(entry.checks):
            if checks and check not in checks:
                message = f"the suite has no check {check!r}{suggestion(check, checks)}"
                yield yaml_problem(course, exercise, (*place, "checks", k), message)
