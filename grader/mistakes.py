"""What a mistakes.py of a course imports: `@mistake("name")` registers a wrong variant of the reference's `name`."""

from grader.course.known_mistakes import mistake

__all__ = ["mistake"]
