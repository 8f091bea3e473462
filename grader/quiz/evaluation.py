"""Evaluates the expressions and the code of a bank. They are the course's own, and run in `grade check` only."""

import contextlib
import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass


class EvaluationError(Exception):
    """An expression raised; the message says what."""


def raises(call: Callable[[], object]) -> str:
    """Return the name of the exception that a call raises, or "": `raises(lambda: nn.Conv2d(3, 8, 3, stride=0))`."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - which one it is, is the question
        return type(error).__name__
    return ""


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates Python with these names."""

    names: Mapping[str, object]

    def value(self, expression: str) -> object:
        """Return the value of an expression. Raises EvaluationError where it has none."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return eval(expression, dict(self.names))  # noqa: S307 - the course's own expression
            except Exception as error:  # noqa: BLE001 - whatever it raises, the author must know
                raise EvaluationError(f"verify fails: {type(error).__name__}: {error}") from None

    def printed(self, code: str) -> str:
        """Return what a piece of code prints, and the name of the exception it ends with, if any."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                exec(compile(code, "<code>", "exec"), dict(self.names))  # noqa: S102 - the course's own code
            except Exception as error:  # noqa: BLE001 - its name is the key
                printed.write(type(error).__name__)
        return printed.getvalue()
