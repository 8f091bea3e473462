"""Says whether another call fails as the one that a check compared: in the same way, with arguments of the same kind.

A smaller call may stand for a check's own only then: else badge, title, text and input would speak of different faults.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from grader.grading.engine.proxy import CallFailed, CallRecord, ForeignResult
from grader.grading.engine.suite.comparison import Mismatch

_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

_EQUAL = (
    "equal numbers"  # no name of a parameter: which of the numbers above 1 are the same, as stride and kernel
)

Way = tuple[object, ...]
Kind = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a check failed, and the call at which it did."""

    way: Way
    record: CallRecord

    @property
    def compares_types(self) -> bool:
        """Whether it is about a type or a dtype, which a value does not show."""
        return self.way[0] in ("dtype", "type")


def failure_of(calls: Sequence[CallRecord], error: BaseException) -> Failure | None:
    """Return how a check failed; None where it is not the result of one call that failed, but a gradient or a state."""
    way = way_of(error)
    record = _failing(calls, error) if way else None
    return Failure(way=way, record=record) if record is not None else None


def way_of(error: BaseException) -> Way:
    """Return what two failures of one kind share; () for one that no other call can have."""
    if isinstance(error, Mismatch) and isinstance(error.got, CallFailed):
        error = error.got
    if isinstance(error, CallFailed):
        frame = error.traceback[-1] if error.traceback else None
        place = (frame.path, frame.line) if frame is not None else ()
        return ("raised", error.outcome, error.kind, *place)
    if not isinstance(error, Mismatch) or not error.step:
        return ()
    if error.step == "type":
        got = error.got
        return ("type", got.type_name if isinstance(got, ForeignResult) else type(got).__name__)
    return (error.step,)


def _failing(calls: Sequence[CallRecord], error: BaseException) -> CallRecord | None:
    """Return the call that raised, or whose result was compared as it is."""
    if not calls:
        return None
    if isinstance(error, CallFailed):
        return calls[-1] if calls[-1].result is ... else None  # else its backward pass raised
    return next((record for record in reversed(calls) if _is_result(record, error)), None)


def _is_result(record: CallRecord, error: BaseException) -> bool:
    got, result = getattr(error, "got", None), record.result
    if isinstance(got, torch.Tensor) and isinstance(result, torch.Tensor):
        return bool(got.numel()) and got.untyped_storage().data_ptr() == result.untyped_storage().data_ptr()
    if isinstance(got, tuple) and isinstance(result, torch.Tensor):
        return getattr(error, "step", "") == "shape" and got == tuple(result.shape)
    if isinstance(got, (int, float)) and isinstance(result, (int, float)):
        return got == result  # it may have been converted before it was compared
    return got is result


def in_form_of(
    own: CallRecord, args: Sequence[object], kwargs: dict[str, object], signature: inspect.Signature | None
) -> tuple[tuple[object, ...], dict[str, object]] | None:
    """Return a call that gives the same parameters as `own`, by place or by name as there; None where it cannot.

    What `own` leaves out is left out, where it is the default; what `own` gives is given, by its default if need be.
    """
    if signature is None or any(p.kind in _VARIABLE for p in signature.parameters.values()):
        return tuple(args), kwargs
    try:
        given = signature.bind(*args, **kwargs).arguments
        wanted = list(signature.bind(*own.args, **own.kwargs).arguments)
    except TypeError:
        return None
    defaults = {name: p.default for name, p in signature.parameters.items()}
    if any(not _is_default(given[name], defaults[name]) for name in given.keys() - wanted):
        return None
    values = {name: given.get(name, defaults[name]) for name in wanted}
    if any(value is inspect.Parameter.empty for value in values.values()):
        return None
    places = [name for name in wanted if name not in own.kwargs]
    return tuple(values[name] for name in places), {name: values[name] for name in own.kwargs}


def _is_default(value: object, default: object) -> bool:
    return value is default or (
        type(value) is type(default) and not isinstance(value, torch.Tensor) and value == default
    )


def kind_of(args: Sequence[object], kwargs: dict[str, object], signature: inspect.Signature | None) -> Kind:
    """Return what two calls of one kind share: which parameters they give, and of which group each value is."""
    try:
        given = signature.bind(*args, **kwargs).arguments if signature is not None else None
    except TypeError:
        given = None
    if given is None:
        given = {**{str(n): value for n, value in enumerate(args)}, **kwargs}
    numbers = [(name, value) for name, value in given.items() if type(value) is int and value > 1]
    same = frozenset((one, other) for one, a in numbers for other, b in numbers if one < other and a == b)
    return {name: _group(value) for name, value in given.items()} | {_EQUAL: same}


def signature_of(function: Callable[..., object]) -> inspect.Signature | None:
    """Return the signature of a function; None where it has none that can be read."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _group(value: object) -> object:
    """Return the group of a value: its sign, whether it is 0 or 1, and of a tensor what its values and sizes share."""
    if isinstance(value, torch.Tensor):
        return _tensor_group(value)
    if isinstance(value, (list, tuple)):
        differ = (
            any(item != value[0] for item in value if not isinstance(item, torch.Tensor)) if value else False
        )
        return (type(value).__name__, differ, *map(_group, value))
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (int, float)):
        return (type(value).__name__, value if value in (0, 1) else value > 0, value > 1)
    return type(value).__name__


class _TensorGroup(NamedTuple):
    """What two tensors of one group share: the form, which no drawing of values changes, and traits of the values."""

    form: tuple[object, ...]
    traits: tuple[bool, ...]


def _tensor_group(value: torch.Tensor) -> _TensorGroup:
    numbers = value.detach()
    negative = numbers < 0
    square = value.dim() < 2 or value.shape[-1] == value.shape[-2]
    odd = (bool(numbers.isnan().any()), bool(numbers.isinf().any())) if value.is_floating_point() else ()
    form = (
        value.dtype,
        2
        if value.dim() == 1
        else value.dim(),  # a row may stand for a table, but an image for no batch of images
        value.numel() == 0,
        value.is_contiguous(),
        value.requires_grad,
        *odd,
    )
    return _TensorGroup(form, (square, bool(negative.any()), bool(negative.all())))


def could_be(drawn: Kind, wanted: Kind) -> bool:
    """Return whether calls that are drawn like this one may be of a kind: they give the same, in the same form."""
    return drawn.keys() == wanted.keys() and all(
        getattr(drawn[name], "form", None) == getattr(wanted[name], "form", None) for name in wanted
    )
