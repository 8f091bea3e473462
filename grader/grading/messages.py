"""The messages between the command and a grading process. Both are trusted; reading them needs no torch."""

from pathlib import Path
from typing import Any

import msgspec
import msgspec.structs

from grader.core.errors import Problem
from grader.core.model import CheckResult, Exercise, ExerciseResult, Snippet

DEFAULT_SEED = 0  # of the inputs of suites


class _JobMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Job(_JobMessage, frozen=True, kw_only=True, tag="job"):
    """Grade one exercise: `sources` (path below `root` -> text) is the snapshot of the submission's modules.

    `notes` are sentences about this choice, which come back as flags. With `tell_checks`, a CheckEnded comes as soon
    as a check has ended.

    The rest is for `grade check`: `first_failure` ends the grading with the first check that fails, `threads` is how
    many torch may use in the grading process, and `measure` has it report how much of its tolerance a check uses.
    `replay` has it write each failing case as code.
    """

    exercise: Exercise
    module: str
    root: str = ""
    sources: dict[str, str]
    notes: tuple[str, ...] = ()
    seed: int
    tell_checks: bool = True
    explain: bool = True
    first_failure: bool = False
    threads: int = 1
    measure: bool = False
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
    `snippets` are failing cases as code, by check.
    """

    result: ExerciseResult
    explained_by: dict[str, tuple[str, ...]] = {}
    tolerance_used: dict[str, float] = {}
    snippets: dict[str, Snippet] = {}


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


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_path)
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message, dec_hook=_decode_path)


def encode(message: Message) -> bytes:
    """Return a message as bytes."""
    return _encoder.encode(message)


def decode(data: bytes) -> Message:
    """Read a message of a trusted process."""
    return _decoder.decode(data)
