"""Looks for the smallest call that fails as a check did: the student's function and the reference differ likewise."""

import contextlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader.core.model import Counterexample, Frame, Outcome
from grader.core.safetext import one_line
from grader.grading.engine.feedback import value_text
from grader.grading.engine.feedback.likeness import (
    Failure,
    could_be,
    in_form_of,
    kind_of,
    signature_of,
    way_of,
)
from grader.grading.engine.proxy import CallFailed, CallRecord, Conversation, Student
from grader.grading.engine.suite.comparison import Mismatch, assert_matches
from grader.grading.engine.suite.small_inputs import SMALL_INPUTS, PackedCall

MAX_CALLS = 500  # not seconds: the same submission gets the same example on every machine
MAX_SEARCH_S = 5.0  # only for code so slow that MAX_CALLS would take minutes
MAX_SEARCHES_S = 15.0  # the same, for all functions of an exercise together
MAX_TRIES = 200  # calls that are drawn before the first failing one; only those of the right kind are made
PROBES = 30
MAX_RATIONALE_CHARACTERS = 600
_DRAWN: dict[Callable[[], object], Sequence[PackedCall]] = {}  # the calls that are probed, by strategy
_FATAL = {Outcome.TIME_LIMIT, Outcome.CRASHED, Outcome.MEMORY_LIMIT, Outcome.OUTPUT_LIMIT, Outcome.TAMPERING}


class _SearchEnded(BaseException):
    """The budget is used up, or the worker is lost. Not an Exception: Hypothesis would report one as a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingCall:
    """A failing call, and the sentence that says how it fails."""

    example: Counterexample
    rationale: str
    name: str
    args: tuple[object, ...]
    kwargs: dict[str, object]
    mismatch: Mismatch

    @property
    def traceback(self) -> tuple[Frame, ...]:
        """The student's own lines, where the call raised."""
        return self.mismatch.got.traceback if isinstance(self.mismatch.got, CallFailed) else ()


def smallest(
    name: str, reference: Callable[..., object], conversation: Conversation, failure: Failure
) -> FailingCall | None:
    """Return the smallest call of the student's `name` that fails like `failure`; None where the budget finds none."""
    if name not in SMALL_INPUTS or name in conversation.lost:
        return None
    from hypothesis.errors import Flaky  # noqa: PLC0415 - 0.3 s, paid only on failure

    search = _Search(name, reference, conversation, failure)
    if not any(search.could_draw(*packed) for packed in _probes(name, reference)):
        return None  # no strategy draws float64, say
    try:
        found = _find(name, search.fails, MAX_TRIES)
        if found is not None:
            search.fails(found)
    except (Flaky, _SearchEnded):  # flaky: the student's function does not always give the same
        return search.best  # the smallest so far
    return search.best


def warm(reference: Mapping[str, object]) -> None:
    """Draw the calls that are probed, before forking: children inherit them, and the modules that drawing imports."""
    for name in SMALL_INPUTS:
        asked = reference.get(name)
        # What a strategy raises is reported by the search that uses it.
        with contextlib.suppress(Exception):
            if callable(asked):
                _probes(name, asked)


def probe(name: str, reference: Callable[..., object], conversation: Conversation) -> None:
    """Make a few small calls to the student's `name`, for the record: more exchanges make a diagnosis more certain.

    Where many checks wait for the failed one, little has been called before.
    """
    if name not in SMALL_INPUTS or name in conversation.lost:
        return
    end = time.monotonic() + MAX_SEARCH_S
    for args, kwargs in _probes(name, reference):
        with contextlib.suppress(CallFailed):
            getattr(Student(conversation), name)(*args, **kwargs)
        if not conversation.complete or time.monotonic() > end:
            return


def _probes(name: str, reference: Callable[..., object]) -> Sequence[PackedCall]:
    """Return the calls that are probed; they depend on no result, so they are drawn once."""
    strategy = SMALL_INPUTS[name]
    if strategy not in _DRAWN:
        drawn: list[PackedCall] = []

        def keep(packed: PackedCall) -> bool:
            args, kwargs = packed
            with contextlib.suppress(Exception):  # where the reference raises, any result is right
                reference(*args, **kwargs)
                drawn.append(packed)
            return False

        _find(name, keep, PROBES)
        _DRAWN[strategy] = drawn
    return _DRAWN[strategy]


def _find(name: str, wanted: Callable[[PackedCall], bool], tries: int) -> PackedCall | None:
    """Return the smallest call that is wanted, or None where no try of `tries` is."""
    from hypothesis import HealthCheck, Phase, find, settings  # noqa: PLC0415 - 0.3 s, paid only on failure
    from hypothesis.errors import NoSuchExample  # noqa: PLC0415

    _draw_nothing_from_sources()
    strategy: Any = SMALL_INPUTS[name]()
    quiet = settings(
        max_examples=tries,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    try:
        return find(strategy, wanted, settings=quiet, random=random.Random(0))  # type: ignore[no-any-return]  # noqa: S311 - reproducible on purpose
    except NoSuchExample:
        return None


def _draw_nothing_from_sources() -> None:
    """Keep Hypothesis from drawing constants that it finds in modules outside of site-packages.

    It would parse the grader's own sources and the suite in every process that searches, which takes longer than the
    search, and find other calls where the grader is installed in another way. There is no setting for it.
    """
    from hypothesis.internal.conjecture import providers  # noqa: PLC0415

    if (none := getattr(providers, "_local_constants", None)) is not None:
        providers._get_local_constants = lambda: none  # noqa: SLF001


class _Search:
    """Keeps the best failing call so far, so that running out of time loses nothing."""

    def __init__(
        self, name: str, reference: Callable[..., object], conversation: Conversation, failure: Failure
    ) -> None:
        self._name, self._reference, self._conversation = name, reference, conversation
        self._failure = failure
        self._signature = signature_of(reference)
        self._kind = kind_of(failure.record.args, failure.record.kwargs, self._signature)
        self._end = time.monotonic() + MAX_SEARCH_S
        self._calls = 0
        self._kept: tuple[tuple[object, ...], dict[str, object], Mismatch] | None = None

    def could_draw(self, args: tuple[object, ...], kwargs: dict[str, object]) -> bool:
        """Return whether a strategy that draws this call may draw one of the wanted kind."""
        form = in_form_of(self._failure.record, args, kwargs, self._signature)
        return form is not None and could_be(kind_of(*form, self._signature), self._kind)

    def fails(self, packed: PackedCall) -> bool:
        """Return whether the student's result differs from the reference's on this call, as it did in the check."""
        call = in_form_of(self._failure.record, *packed, self._signature)
        if call is None or kind_of(*call, self._signature) != self._kind:
            return False
        args, kwargs = call
        self._calls += 1
        overdue = self._calls > MAX_CALLS or time.monotonic() > self._end
        if overdue or self._name in self._conversation.lost:
            raise _SearchEnded
        try:
            expected = self._reference(*args, **kwargs)
        except Exception:  # noqa: BLE001 - a call on which the reference raises is not an example
            return False
        mismatch = self._mismatch(args, kwargs, expected)
        if mismatch is None or way_of(mismatch) != self._failure.way:
            return False
        self._kept = (args, kwargs, mismatch)
        return True

    def _mismatch(
        self, args: tuple[object, ...], kwargs: dict[str, object], expected: object
    ) -> Mismatch | None:
        try:
            got = getattr(Student(self._conversation), self._name)(*args, **kwargs)
            assert_matches(got, expected, check_dtype=self._failure.compares_types, rtol=1e-4, atol=1e-5)
        except Mismatch as mismatch:
            return mismatch
        except CallFailed as failed:
            if failed.outcome in _FATAL:
                return None
            return Mismatch(failed.sentence, got=failed, expected=expected)
        finally:
            # The calls of a search are not evidence for the diagnosis, and must not use up memory.
            self._conversation.exchanges.clear()
            self._conversation.calls.clear()
        return None

    @property
    def best(self) -> FailingCall | None:
        """The smallest failing call so far, described only when it is needed."""
        if self._kept is None:
            return None
        args, kwargs, mismatch = self._kept
        record = CallRecord(name=self._name, root=self._name, args=args, kwargs=kwargs)
        got = "" if isinstance(mismatch.got, CallFailed) else None
        example = value_text.counterexample(record, self._reference, mismatch, got=got, smallest=True)
        return FailingCall(
            example=example,
            rationale=one_line(mismatch.rationale, limit=MAX_RATIONALE_CHARACTERS),
            name=self._name,
            args=args,
            kwargs=kwargs,
            mismatch=mismatch,
        )
