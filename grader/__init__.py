"""Grades exercises and quizzes on convolutional networks without running student code beside the tests."""

__version__ = "0.1.0"


def load_ipython_extension(shell: object) -> None:
    """Let `%load_ext grader` add `%%grade` to IPython or a notebook."""
    from grader.workspace import notebook  # noqa: PLC0415 - who grades from a terminal needs none of it

    notebook.load(shell)


def unload_ipython_extension(shell: object) -> None:
    """Let `%unload_ext grader` take it away."""
    from grader.workspace import notebook  # noqa: PLC0415

    notebook.unload(shell)
