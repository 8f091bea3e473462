"""Replays recorded calls on other code, and compares its replies with the recorded ones.

A unit is the smallest part of a check that can be replayed alone: one call that makes and takes no object,
with its backward pass, or all calls in the check that involve objects, in order.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from types import CodeType
from typing import Any, TypeVar

import torch

from grader.grading.engine.feedback.operation_cost import OperationCost
from grader.grading.engine.feedback.reply_equality import (
    NO_CHANCE,
    Chance,
    ComparableReply,
    chance_in,
    read,
    same,
)
from grader.grading.engine.proxy import Exchange
from grader.sandbox.protocol.messages import (
    Call,
    EntriesValue,
    HandleValue,
    ItemsValue,
    Question,
    Raised,
    Returned,
    Value,
)
from grader.sandbox.worker.service import Service

Namespace = Mapping[str, object]
Code = Mapping[str, Callable[..., object]]
Key = tuple[object, ...]  # of one replay
Found = TypeVar("Found")

PER_EXCHANGE = 0.2  # in the unit of operation_cost
LEAST_BYTES = 2**19  # of an exchange, where units are ordered by size: many small ones are no small unit
PER_BYTE = 1e-6  # of what is sent and of what comes back


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Unit:
    """Exchanges of one check that are replayed together. `names` are the student's, the last called first."""

    check: str
    exchanges: tuple[Exchange, ...]
    names: tuple[str, ...]
    size: int


def units_of(segments: Mapping[str, Sequence[Exchange]]) -> list[Unit]:
    """Cut the exchanges of each check into units, the smallest first; leave out those that call no student code."""
    found = [unit for check, exchanges in segments.items() for unit in _cut(check, exchanges)]
    return sorted((unit for unit in found if unit.names), key=lambda unit: unit.size)


def _cut(check: str, exchanges: Sequence[Exchange]) -> Iterator[Unit]:
    parts: dict[int, list[Exchange]] = {}
    place: dict[int, int] = {}  # from the number of a call to its part; -1 is the part with objects
    for exchange in exchanges:
        request = exchange.request
        if isinstance(request, Call):
            place[request.number] = -1 if involves_objects(request, exchange.reply) else request.number
            parts.setdefault(place[request.number], []).append(exchange)
        else:
            parts.setdefault(place[getattr(request, "call", request.number)], []).append(exchange)
    for part in parts.values():
        called = [e.request.name for e in part if _by_student(e.request)]  # type: ignore[union-attr]
        size = sum(LEAST_BYTES + len(e.payload) + len(e.data) for e in part)
        names = tuple(dict.fromkeys(reversed(called)))
        yield Unit(check=check, exchanges=tuple(part), names=names, size=size)


def _by_student(request: Question) -> bool:
    return isinstance(request, Call) and request.owner == "student"


def involves_objects(request: Call, reply: object) -> bool:
    """Return whether a call makes, takes or is made on an object that stays with the student's code."""
    values = [request.args, request.kwargs, *([reply.value] if isinstance(reply, Returned) else [])]
    return request.owner == "handle" or any(map(_holds_object, values))


def _holds_object(value: Value) -> bool:
    if isinstance(value, ItemsValue):
        return any(map(_holds_object, value.items))
    if isinstance(value, EntriesValue):
        return any(_holds_object(item) for _, item in value.entries)
    return isinstance(value, HandleValue)


def ends_unlike_mistakes(unit: Unit) -> bool:
    """Return whether a reply is one that no known mistake gives: nothing was written, or it was refused."""
    endings = ("not_implemented", "banned", "refused", "exit", "memory")
    return any(isinstance(e.reply, Raised) and e.reply.cause in endings for e in unit.exchanges)


@dataclass(frozen=True, slots=True)
class ReplayMatch:
    """Whether a unit replayed on some code gives what was recorded, and what the reference gives.

    What depends on random numbers is left out.
    """

    recorded: bool
    reference: bool


@dataclass(slots=True)
class Replayer:
    """Replays units on the reference with other code in place of some of its names.

    `places` are the module namespaces in which calls from one name to another are looked up: the reference's
    first. `spent` adds up what the replays would cost on the reference, in the unit of operation_cost.
    """

    reference: Namespace
    fixtures: Namespace
    places: Sequence[dict[str, Any]]
    spent: float = 0
    _costs: dict[Unit, list[float]] = field(default_factory=dict)  # of each exchange
    _spots: dict[str, list[tuple[dict[str, Any], str]]] = field(init=False)
    _right: dict[Unit, list[ComparableReply]] = field(default_factory=dict)
    _chances: dict[Unit, list[Chance]] = field(default_factory=dict)
    _recorded: dict[Unit, list[ComparableReply]] = field(default_factory=dict)
    _verdicts: dict[Key, ReplayMatch] = field(default_factory=dict)
    _given: dict[Key, bool] = field(default_factory=dict)  # where no verdict was needed
    _given_exactly: dict[Key, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the names while they are all still bound to the reference's own."""
        self._spots = _spots(self.reference, self.places)

    def right(self, unit: Unit) -> bool:
        """Return whether the student's replies in a unit are those of the reference."""
        return self.verdict(unit, {}).recorded

    def gives(self, unit: Unit, code: Code, *, wired: bool = False) -> bool:
        """Return whether a unit replayed with `code` in place of names gives what was recorded.

        When `wired`, calls of these names from the rest of the reference and the mistakes reach it too. What depends
        on random numbers is left out. The replay ends at the first reply that differs.
        """
        if not code or _key(unit, code, wired) in self._verdicts:
            return self.verdict(unit, code, wired=wired).recorded
        return _once(self._given, self._gives, unit, code, wired)

    def _gives(self, unit: Unit, code: Code, wired: bool) -> bool:
        recorded, chance = self._recorded_in(unit), self._chance_on(unit)

        def alike(n: int, reply: ComparableReply) -> bool:
            return same(reply, recorded[n], chance[n], ordered=_by_student(unit.exchanges[n].request))

        replies = self._run(unit, code, wired, seed=0, alike=alike)
        if len(replies) < len(recorded):
            return False
        if not any(chance) or _all_same(unit, replies, recorded, [NO_CHANCE] * len(replies)):
            return True
        again = self._run(unit, code, wired, seed=1)
        return _all_same(unit, replies, recorded, _shared(chance, replies, again))

    def gives_exactly(self, unit: Unit, code: Code, *, wired: bool = False) -> bool:
        """Return whether it gives that with the same random numbers, and mappings in the same order."""
        return _once(self._given_exactly, self._gives_exactly, unit, code, wired)

    def _gives_exactly(self, unit: Unit, code: Code, wired: bool) -> bool:
        recorded = self._recorded_in(unit)

        def alike(n: int, reply: ComparableReply) -> bool:
            return same(reply, recorded[n])

        if not code:
            return all(alike(n, reply) for n, reply in enumerate(self._reference_on(unit)))
        return len(self._run(unit, code, wired, seed=0, alike=alike)) == len(recorded)

    def verdict(self, unit: Unit, code: Code, *, wired: bool = False) -> ReplayMatch:
        """Replay a unit to its end, and compare what it gives with both: what was recorded, and the reference's."""
        return _once(self._verdicts, self._judge, unit, code, wired)

    def _judge(self, unit: Unit, code: Code, wired: bool) -> ReplayMatch:
        right = self._reference_on(unit)
        replies = self._run(unit, code, wired, seed=0) if code else right
        recorded = self._recorded_in(unit)

        def alike(chance: Sequence[Chance]) -> ReplayMatch:
            return ReplayMatch(
                recorded=_all_same(unit, replies, recorded, chance),
                reference=_all_same(unit, replies, right, chance),
            )

        verdict = alike([NO_CHANCE] * len(replies))
        if verdict.recorded and verdict.reference:
            return verdict  # whatever depends on random numbers
        chance = self._chance_on(unit)
        if any(chance) and verdict != (by_chance := alike(chance)):
            verdict = by_chance
            if code:  # only where this code depends on random numbers too
                again = self._run(unit, code, wired, seed=1)
                verdict = alike(_shared(chance, replies, again))
        return verdict

    def _recorded_in(self, unit: Unit) -> list[ComparableReply]:
        if unit not in self._recorded:
            self._recorded[unit] = [read(e.reply, e.data) for e in unit.exchanges]
        return self._recorded[unit]

    def left_to_chance(self, unit: Unit) -> bool:
        """Return whether part of what the reference gives in a unit depends on random numbers."""
        return any(self._chance_on(unit))

    def _reference_on(self, unit: Unit) -> list[ComparableReply]:
        """Return what the reference gives."""
        if unit not in self._right:
            self._right[unit] = self._run(unit, {}, wired=False, seed=0)
        return self._right[unit]

    def _chance_on(self, unit: Unit) -> list[Chance]:
        """Return which parts of what the reference gives differ with another seed."""
        if unit not in self._chances:
            self._chances[unit] = list(map(chance_in, self._reference_on(unit), self._measure(unit)))
        return self._chances[unit]

    def _measure(self, unit: Unit) -> list[ComparableReply]:
        """Replay a unit on the reference with another seed; keep what each exchange costs."""
        service = Service(self.reference, self.fixtures, seed=1)
        replies, costs = [], []
        for exchange in unit.exchanges:
            with torch.enable_grad(), OperationCost() as operations:
                replies.append(_answer(service, exchange))
            size = len(exchange.payload) + len(exchange.data)
            costs.append(PER_EXCHANGE + PER_BYTE * size + operations.total)
        self._costs[unit] = costs
        self.spent += 2 * sum(costs)  # this replay, and the one that it is compared with
        return replies

    def _run(
        self,
        unit: Unit,
        code: Code,
        wired: bool,
        seed: int,
        alike: Callable[[int, ComparableReply], bool] = lambda *_: True,
    ) -> list[ComparableReply]:
        """Return the replies of some code, up to the first that is not `alike`."""
        if code:
            self._chance_on(unit)  # what it costs is known from then on
        if wired:
            code = {name: self.bound(name, variant) for name, variant in code.items()}
        service = Service({**self.reference, **code}, self.fixtures, seed=seed)
        costs = self._costs.get(unit) or [0.0] * len(unit.exchanges)
        replies: list[ComparableReply] = []
        with torch.enable_grad(), self._looked_up(code if wired else {}):
            for n, exchange in enumerate(unit.exchanges):
                self.spent += costs[n]
                reply = _answer(service, exchange)
                if not alike(n, reply):
                    break
                replies.append(reply)
        return replies

    # --- which code a name is bound to

    def calls_of(self, name: str) -> frozenset[str]:
        """Return which of the reference's functions and classes the code of `name` looks up, directly or not."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            called = _looked_up_by(self.reference[waiting.pop()]) & self._spots.keys()
            waiting += called - found
            found |= called
        return frozenset(found)

    def delegates(self, name: str, variant: Callable[..., object]) -> bool:
        """Return whether a variant of `name` calls the reference's own."""
        keys = {key for space, key in self._spots[name] if space is getattr(variant, "__globals__", None)}
        return bool(keys & _looked_up_by(variant))

    def bound(
        self, name: str, variant: Callable[..., object], inner: Callable[..., object] | None = None
    ) -> Callable[..., object]:
        """Return `variant` so that, while it runs, `name` is bound to `inner`, or else to the reference's own."""
        if isinstance(variant, type):
            return variant
        target = inner or self.reference[name]

        @wraps(variant)
        def run(*args: object, **kwargs: object) -> object:
            with self._looked_up({name: target}):
                return variant(*args, **kwargs)

        return run

    @contextmanager
    def _looked_up(self, code: Mapping[str, object]) -> Iterator[None]:
        """Bind these names to other code wherever the reference and the mistakes look them up."""
        before = [(space, key, space[key]) for name in code for space, key in self._spots.get(name, ())]
        for name, target in code.items():
            for space, key in self._spots.get(name, ()):
                space[key] = target
        try:
            yield
        finally:
            for space, key, value in before:
                space[key] = value


def _spots(
    reference: Namespace, places: Sequence[dict[str, Any]]
) -> dict[str, list[tuple[dict[str, Any], str]]]:
    """Return where each name of the reference is looked up: the mistakes may import it by another name.

    A class is replaced in the reference alone: mistakes inherit from it, and need it as it is.
    """
    found: dict[str, list[tuple[dict[str, Any], str]]] = {}
    for name, thing in reference.items():
        spaces = places[:1] if isinstance(thing, type) else places
        if callable(thing):
            found[name] = [(space, key) for space in spaces for key, value in space.items() if value is thing]
    return found


def _looked_up_by(thing: object) -> set[str]:
    """Return the names that a function, or the methods of a class, look up: their globals, and some attributes."""
    codes = (
        [getattr(part, "__code__", None) for part in (thing, *vars(thing).values())]
        if callable(thing)
        else []
    )
    found: set[str] = set()
    while codes:
        code = codes.pop()
        if isinstance(code, CodeType):
            found |= set(code.co_names)
            codes += code.co_consts
    return found


def _key(unit: Unit, code: Code, wired: bool) -> Key:
    return unit, wired, frozenset(code.items())


def _once(
    known: dict[Key, Found], find: Callable[[Unit, Code, bool], Found], unit: Unit, code: Code, wired: bool
) -> Found:
    """Return what is known of one replay; find it first where nothing is."""
    key = _key(unit, code, wired)
    if key not in known:
        known[key] = find(unit, code, wired)
    return known[key]


def _answer(service: Service, exchange: Exchange) -> ComparableReply:
    return read(*service.answer(exchange.request, bytearray(exchange.payload)))


def _all_same(
    unit: Unit, some: Sequence[ComparableReply], others: Sequence[ComparableReply], chance: Sequence[Chance]
) -> bool:
    """Compare replies one by one. The order of a mapping counts in what the student's own functions return."""
    return all(
        same(one, other, varies, ordered=_by_student(exchange.request))
        for one, other, varies, exchange in zip(some, others, chance, unit.exchanges, strict=True)
    )


def _shared(
    chance: Sequence[Chance], replies: Sequence[ComparableReply], again: Sequence[ComparableReply]
) -> list[Chance]:
    """Return what depends on random numbers both in the reference's replies and in those of other code."""
    return [a & b for a, b in zip(chance, map(chance_in, replies, again), strict=True)]
