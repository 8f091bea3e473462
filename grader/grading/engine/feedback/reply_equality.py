"""Compares two replies: the same ending, the same values up to rounding, the same arguments changed.

Values that depend on random numbers are compared by shape and dtype alone: a layer's first weights depend on the order
in which layers are made, which is not a mistake.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from grader.sandbox.protocol.messages import ForeignValue, HandleValue, Raised, Reply, Returned
from grader.sandbox.protocol.values import Unpacker

RTOL, ATOL = 1e-4, 1e-5
FEW = 1024  # values of a large tensor that are compared before all of them

Path = tuple[str | int, ...]
Chance = frozenset[Path]
NO_CHANCE: Chance = frozenset()
_SIZES = re.compile("shape|size|dimension")
_OF_TORCH = re.compile("optimizer got an empty parameter list|Expected more than 1 value per channel")


@dataclass(frozen=True, slots=True)
class ComparableReply:
    """The part of a reply that is compared."""

    ending: tuple[str, ...]
    value: object = None


def read(reply: Reply, data: bytes | bytearray) -> ComparableReply:
    """Return the part of a reply that can be compared."""
    if isinstance(reply, Raised):
        # The text of a ValueError is the author's choice. A message of torch is a result: of sizes, of a misused layer.
        said = _OF_TORCH.search(reply.message)
        about_sizes = reply.type_name == "RuntimeError" and _SIZES.search(reply.message)
        return ComparableReply(
            (reply.cause, reply.type_name, reply.message if about_sizes else said[0] if said else "")
        )
    if not isinstance(reply, Returned):
        return ComparableReply(("loaded",))
    value = Unpacker(bytearray(data), _stand_in).unpack(reply.value)
    return ComparableReply(("returned", "changed" if reply.changed else ""), value)


def _stand_in(value: HandleValue | ForeignValue, _array: object = None) -> object:
    """Compare objects that are not sent by kind alone: a mistake's class may have another name than the student's.

    So the numbers of an array do not count either: numpy makes float64 of them in many ways.
    """
    if isinstance(value, HandleValue):
        return "module" if value.is_module else value.type_name
    return value.type_name if value.number is None else (value.type_name, value.number)


def same(
    one: ComparableReply, other: ComparableReply, chance: Chance = NO_CHANCE, *, ordered: bool = True
) -> bool:
    """Return whether two replies are alike. At the paths in `chance`, shape and dtype are enough."""
    return one.ending == other.ending and _equal(one.value, other.value, chance, (), ordered)


def _equal(one: object, other: object, chance: Chance, path: Path, ordered: bool) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        alike = one.shape == other.shape and one.dtype == other.dtype
        return alike and (path in chance or _close(one, other))
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(
            _equal(a, b, chance, (*path, n), ordered) for n, (a, b) in enumerate(pairs)
        )
    if isinstance(one, dict) and isinstance(other, dict):
        alike = list(one) == list(other) if ordered else one.keys() == other.keys()
        return alike and all(_equal(one[key], other[key], chance, (*path, key), ordered) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        pair = (torch.tensor(value, dtype=torch.float64) for value in (one, other))
        return path in chance or _close(*pair)
    return one == other


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    if torch.equal(one, other):  # takes a tenth of the time
        return True
    first = one.flatten()[:FEW], other.flatten()[:FEW]  # where values differ, the first ones mostly do
    return _within_tolerance(*first) and (one.numel() <= FEW or _within_tolerance(one, other))


def _within_tolerance(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.allclose(one.double(), other.double(), rtol=RTOL, atol=ATOL, equal_nan=True)


def chance_in(one: ComparableReply, other: ComparableReply) -> Chance:
    """Return where two replies of the same code, with two seeds, differ in values of one shape."""
    return frozenset(_varying(one.value, other.value, ())) if one.ending == other.ending else NO_CHANCE


def _varying(one: object, other: object, path: Path) -> Iterator[Path]:
    if isinstance(one, (torch.Tensor, float)):
        if not _equal(one, other, NO_CHANCE, path, True) and _equal(
            one, other, frozenset([path]), path, True
        ):
            yield path
    elif isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        for n, (a, b) in enumerate(zip(one, other, strict=False)):
            yield from _varying(a, b, (*path, n))
    elif isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() & other.keys():
            yield from _varying(one[key], other[key], (*path, key))
