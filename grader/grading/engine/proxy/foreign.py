"""A result whose type cannot be sent: any use of it in a check raises the sentence that explains it.

A number of a foreign type, such as numpy's, is a number all the same: only what looks at its type sees the difference.
"""

from typing import NoReturn

import torch

from grader.core.model import Outcome
from grader.grading.engine.proxy.call_failure import CallFailed, type_shown
from grader.sandbox.protocol.messages import ForeignValue

_ADVICE = {
    "ndarray": "Return a torch.Tensor: stay with torch functions, or wrap it with torch.from_numpy.",
    "Parameter": "Return a plain tensor.",
    "generator": "Return the values themselves, in a tensor or a list.",
    "bool": "Convert it with bool(...).",
    "bool_": "Convert it with bool(...).",
}


class ForeignNumber:
    """A number whose type is not Python's: a base of the two classes that stand for one."""

    type_name: str

    @property
    def plain(self) -> int | float:
        """The number as Python's own."""
        return int(self) if isinstance(self, int) else float(self)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"{self.type_name}({self.plain!r})"

    __str__ = __repr__


class _ForeignInt(ForeignNumber, int):
    pass


class _ForeignFloat(ForeignNumber, float):
    pass


def foreign_number(number: float, type_name: str) -> ForeignNumber:
    """Return what stands for a number of a foreign type."""
    made = _ForeignInt(number) if isinstance(number, int) else _ForeignFloat(number)
    made.type_name = type_name.strip() or "number"
    return made


def plain_numbers(value: object) -> object:
    """Return a value with Python's own numbers in place of foreign ones, inside lists, tuples and dicts too."""
    if isinstance(value, ForeignNumber):
        return value.plain
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        items = map(plain_numbers, value)
        return list(items) if isinstance(value, list) else tuple(items)
    if type(value) is dict:
        return {key: plain_numbers(item) for key, item in value.items()}
    return value


class ForeignResult:
    """Stands for a result of a type that cannot be sent. Any use of it raises CallFailed.

    `array` holds the numbers of a numpy array, which checks of values may go on with.
    """

    def __init__(self, label: str, value: ForeignValue, array: torch.Tensor | None = None) -> None:
        self._label = label
        self._value = value
        self.array = array

    @property
    def sentence(self) -> str:
        """What the student reads."""
        value = self._value
        advice = _ADVICE.get(value.type_name, "Return a plain tensor, number, tuple or list.")
        if value.type_name == "Tensor":
            advice = "Return an ordinary dense CPU tensor."
        return f"`{self._label}` returned {self.described}. {advice}"

    @property
    def described(self) -> str:
        """What was returned, with its article: an ndarray of shape (2, 3) and dtype float64."""
        value = self._value
        name = value.type_name.strip()
        if not name:
            return " ".join(filter(None, (type_shown(name), value.detail)))
        article = "an" if name[0] in "AEIOaeio" or name == "ndarray" else "a"
        return " ".join(filter(None, (article, name, value.detail)))

    def __repr__(self) -> str:
        return f"<{self._value.type_name}>"

    def _refuse(self, *_: object) -> NoReturn:
        raise CallFailed(Outcome.FAILED, self.sentence)

    def __getattr__(self, name: str) -> NoReturn:
        self._refuse()

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __len__ = __iter__ = __getitem__ = __contains__ = __call__ = _refuse
    __int__ = __float__ = __bool__ = __index__ = __neg__ = __abs__ = _refuse
    __hash__ = None  # type: ignore[assignment]

    @property
    def type_name(self) -> str:
        """The type the student returned."""
        return self._value.type_name
