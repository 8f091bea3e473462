"""A result whose type cannot be sent: any use of it in a check raises the sentence that explains it."""

from typing import NoReturn

from grader.core.model import Outcome
from grader.grading.engine.proxy.call_failure import CallFailed, type_shown
from grader.sandbox.protocol.messages import ForeignValue

_ADVICE = {
    "ndarray": "Return a torch.Tensor: stay with torch functions, or wrap it with torch.from_numpy.",
    "Parameter": "Return a plain tensor.",
    "generator": "Return the values themselves, in a tensor or a list.",
    "int64": "Convert it with int(...).",
    "int32": "Convert it with int(...).",
    "float64": "Convert it with float(...).",
    "float32": "Convert it with float(...).",
}


class ForeignResult:
    """Stands for a result of a type that cannot be sent. Any use of it raises CallFailed."""

    def __init__(self, label: str, value: ForeignValue) -> None:
        self._label = label
        self._value = value

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
