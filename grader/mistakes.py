"""What a mistakes.py of a course imports: `@mistake("name")` registers a wrong variant of the reference's `name`.

The others are for its `confirm=`: what is to be found in the student's code before the sentence is said.
"""

from grader.course.confirmations import (
    all_of,
    any_of,
    assigns_attribute,
    calls,
    goes_from_the_end,
    keeps_in_a_local,
    mentions,
    without,
    writes_in_place,
)
from grader.course.known_mistakes import mistake

__all__ = [
    "all_of",
    "any_of",
    "assigns_attribute",
    "calls",
    "goes_from_the_end",
    "keeps_in_a_local",
    "mentions",
    "mistake",
    "without",
    "writes_in_place",
]
