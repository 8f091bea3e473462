"""The messages between the command and a grading process. Both are trusted; reading them needs no torch."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import msgspec.structs

from grader.core.errors import Problem
from grader.core.model import CheckResult, Exercise, ExerciseResult, Snippet
from grader.core.safetext import printable
from grader.sandbox.protocol.frames import MAX_HEADER_BYTES

DEFAULT_SEED = 0  # of the inputs of suites
_MAX_PROBLEMS = 20  # of an error in the grader that is too long for a frame


class _JobMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Job(_JobMessage, frozen=True, kw_only=True, tag="job"):
    """Grade one exercise: `sources` (path below `root` -> text) is the snapshot of the submission's modules.

    `notes` are sentences about this choice, which come back as flags. With `tell_checks`, a CheckEnded comes as soon
    as a check has ended.

    The rest is for authors: without `search` no smallest failing call is looked for, `first_failure` ends the grading
    with the first check that fails, `only` are the ids of the checks that run, with those they require, `threads` is
    how many torch may use in the grading process and in the worker, `measure` has it report how much of its tolerance a
    check uses, and `count_sent` which kinds of values the suite sends. `replay` has it write each failing case as code.
    """

    exercise: Exercise
    module: str
    root: str = ""
    sources: dict[str, str]
    notes: tuple[str, ...] = ()
    seed: int
    tell_checks: bool = True
    explain: bool = True
    search: bool = True
    first_failure: bool = False
    only: tuple[str, ...] = ()
    threads: int = 1
    measure: bool = False
    count_sent: bool = False
    replay: bool = False

    def with_replay(self) -> "Job":
        """Return the same job, with its failing cases as code."""
        return msgspec.structs.replace(self, replay=True)


class CheckEnded(_JobMessage, frozen=True, kw_only=True, tag="check"):
    """One check has ended; its diagnosis and its smallest counterexample may still follow."""

    result: CheckResult


class Graded(_JobMessage, frozen=True, kw_only=True, tag="graded"):
    """The exercise is graded. `explained_by` lists, for each name, the known mistakes that explain its results.

    `tolerance_used` is, for each check with a tolerance, the largest |got - expected| as a share of the tolerance.
    `snippets` are failing cases as code, by check. `sent` says of each parameter how many calls had
    which kind of value.
    """

    result: ExerciseResult
    explained_by: dict[str, tuple[str, ...]] = {}
    tolerance_used: dict[str, float] = {}
    snippets: dict[str, Snippet] = {}
    sent: dict[str, dict[str, int]] = {}


class NotGraded(_JobMessage, frozen=True, kw_only=True, tag="not_graded"):
    """The exercise could not be graded, through an error in the grader or in the exercise.

    `problems` are the lines of the exercise at fault, as far as they are known; their paths start at its folder.
    """

    reason: str
    problems: tuple[Problem, ...] = ()


Message = Job | CheckEnded | Graded | NotGraded


def _encode_path(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"a message cannot hold a {type(value).__name__}")


def _decode_path(kind: type, value: Any) -> Any:
    return kind(value)


def _plain(check: CheckResult) -> CheckResult:
    """Return a check without what explains it, but for its sentence."""
    rationale = printable(check.rationale)
    return replace(check, picture=None, counterexample=None, traceback=(), rationale=rationale)


_LEFT_OUT: tuple[tuple[str, Callable[[ExerciseResult], ExerciseResult]], ...] = (
    ("Pictures", lambda r: replace(r, checks=tuple(replace(check, picture=None) for check in r.checks))),
    ("Pictures, examples and tracebacks", lambda r: replace(r, checks=tuple(map(_plain, r.checks)))),
    (
        "Pictures, examples, tracebacks, flags and sentences",
        lambda r: replace(
            r,
            checks=tuple(replace(_plain(c), rationale="") for c in r.checks),
            flags=(),
            output="",
            traceback=(),
        ),
    ),
)

_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_path)
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message, dec_hook=_decode_path)


def encode(message: Message) -> bytes:
    """Return a message as bytes."""
    return _encoder.encode(message)


def fitting(message: Message) -> bytes:
    """Return a message as bytes that fit into the header of a frame.

    Each text of a result is bounded where it is made. Should all together be too large, what explains the result is
    left out, the largest first, and its message says so; outcomes and points stay.
    """
    return next(data for data in map(encode, _shorter(message)) if len(data) <= MAX_HEADER_BYTES)


def _shorter(message: Message) -> Iterator[Message]:
    """Yield the message, then shorter and shorter forms of it; the last one fits."""
    yield message
    if isinstance(message, Graded):
        left = msgspec.structs.replace(message, snippets={})
        yield left
        for what, without in _LEFT_OUT:
            said = f"{what} would make this result too large, and are left out."
            left = msgspec.structs.replace(left, result=replace(without(left.result), message=said))
            yield left
    elif isinstance(message, CheckEnded):
        yield CheckEnded(result=_plain(message.result))
    elif isinstance(message, NotGraded):
        yield NotGraded(reason=printable(message.reason), problems=message.problems[:_MAX_PROBLEMS])


def decode(data: bytes | bytearray) -> Message:
    """Read a message of a trusted process."""
    return _decoder.decode(data)
