"""Grades exercises and quizzes on convolutional networks without running student code beside the tests.

`grader.grade(path)` grades a submission and returns a `grader.Report`. Both are imported when they are first used, so
that `import grader` costs nothing.
"""

import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # `python -m grader` puts the current folder first, and a stranger's click.py there would run in place of click.
    del sys.path[0]

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.core.model import Report
    from grader.grading.api import grade

__all__ = ["Report", "__version__", "grade"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "grade":
        from grader.grading.api import grade  # noqa: PLC0415

        return grade
    if name == "Report":
        from grader.core.model import Report  # noqa: PLC0415

        return Report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: object) -> None:
    """Let `%load_ext grader` add `%%grade` to IPython or a notebook."""
    from grader.workspace import notebook  # noqa: PLC0415 - grading from a terminal needs none of it

    notebook.load(shell)


def unload_ipython_extension(shell: object) -> None:
    """Let `%unload_ext grader` remove `%%grade`."""
    from grader.workspace import notebook  # noqa: PLC0415

    notebook.unload(shell)
