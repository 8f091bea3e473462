"""Replays recorded calls on known mistakes. A mistake is the diagnosis when it explains every recorded result."""

from collections.abc import Mapping, Sequence

import torch

from grader.mistakes import Mistake
from grader.proxy import Exchange
from grader.service import Service
from grader.wire.messages import Call, ForeignValue, HandleValue, Question, Raised, Reply, Returned
from grader.wire.values import Unpacker

RTOL, ATOL = 1e-4, 1e-5


def explaining(
    name: str,
    mistakes: Sequence[Mistake],
    segments: Sequence[Sequence[Exchange]],
    namespace: Mapping[str, object],
    fixtures: Mapping[str, object],
) -> tuple[Mistake, ...]:
    """Return the mistakes in `name` that give exactly the replies recorded, in every check that calls `name`.

    `segments` holds the exchanges of one check each; `namespace` is the reference's.
    """
    relevant = [
        segment for segment in segments if any(_calls(exchange.request, name) for exchange in segment)
    ]
    if not relevant:
        return ()
    return tuple(
        mistake
        for mistake in mistakes
        if mistake.name == name
        and all(_explains({**namespace, name: mistake.variant}, fixtures, segment) for segment in relevant)
    )


def _calls(request: Question, name: str) -> bool:
    return isinstance(request, Call) and request.owner == "student" and request.name == name


def _explains(
    namespace: Mapping[str, object], fixtures: Mapping[str, object], segment: Sequence[Exchange]
) -> bool:
    service = Service(namespace, fixtures)
    with torch.enable_grad():
        for exchange in segment:
            reply, data = service.answer(exchange.request, bytearray(exchange.payload))
            if not _same(reply, bytearray(data), exchange.reply, bytearray(exchange.data)):
                return False
    return True


def _same(one: Reply, data: bytearray, other: Reply, other_data: bytearray) -> bool:
    if isinstance(one, Raised) and isinstance(other, Raised):
        return one.cause == other.cause and one.type_name == other.type_name
    if not (isinstance(one, Returned) and isinstance(other, Returned)):
        return False
    if bool(one.changed) != bool(other.changed):
        return False
    first, second = Unpacker(data, _stand_in), Unpacker(other_data, _stand_in)
    return _equal(first.unpack(one.value), second.unpack(other.value))


def _stand_in(value: HandleValue | ForeignValue) -> str:
    """Compare objects that do not cross by kind alone: a mistake's class need not bear the student's name."""
    if isinstance(value, HandleValue):
        return "module" if value.is_module else value.type_name
    return value.type_name


def _equal(one: object, other: object) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return (
            one.shape == other.shape
            and one.dtype == other.dtype
            and torch.allclose(one.double(), other.double(), rtol=RTOL, atol=ATOL, equal_nan=True)
        )
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        return _equal(torch.tensor(one, dtype=torch.float64), torch.tensor(other, dtype=torch.float64))
    return one == other
