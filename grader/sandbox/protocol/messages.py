"""The requests of the grader and the replies of a worker, as typed records that refuse unknown fields.

The worker is untrusted: every field of a reply is a claim, checked by the side that reads it.
"""

from typing import Annotated, Literal, TypeVar

import msgspec
import msgspec.structs

from grader.core.errors import ProtocolError

MAX_FRAME_ITEMS = 20_000  # values in one frame, containers included
MAX_FRAME_TENSORS = 2_000  # each takes ten times as long as another value
MAX_NAME_CHARS = 100
MAX_DETAIL_CHARS = 300
MAX_MESSAGE_CHARS = 2_000
MAX_NAMES = 1_000
MAX_TRACEBACK_LINES = 20
MAX_AXES = 64  # more than most of torch's functions take
_MAX_LINE = 2**31 - 1

# A name is inserted into sentences, file names and logs unescaped: one line, no control or format characters.
_CONTROL = "\\x00-\\x1f\\x7f-\\x9f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f"
_Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARS, pattern=f"^[^{_CONTROL}]*\\Z")]
_Detail = Annotated[str, msgspec.Meta(max_length=MAX_DETAIL_CHARS)]
_Size = Annotated[int, msgspec.Meta(ge=0)]


def name_from(text: str) -> str:
    """Return `text` as a name that may cross: at most MAX_NAME_CHARS characters, on one line, printable."""
    return "".join(c if c.isprintable() else "?" for c in str.__str__(text)[:MAX_NAME_CHARS])


def type_name(value: object) -> str:
    """Return the name of a value's type as a name that may cross, whatever its metaclass says."""
    return name_from(_class_name(type(value)))


_class_name = type.__dict__["__name__"].__get__


def text_from(value: object, limit: int) -> str:
    """Return a text that may cross, of at most `limit` characters; "" for what is no text.

    A lone surrogate, which has no UTF-8, is escaped.
    """
    if not isinstance(value, str):
        return ""
    plain = str.__str__(value)  # of a subclass too, which may define any method anew
    return plain[:limit].encode("utf-8", "backslashreplace").decode()[:limit]


def line_from(value: object) -> int:
    """Return a line number that may cross: 0 for what is none."""
    return value if type(value) is int and 0 <= value <= _MAX_LINE else 0


class _FrameStruct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    pass


# --- values ------------------------------------------------------------------------------------------


class TensorValue(_FrameStruct, frozen=True, kw_only=True, tag="tensor"):
    """A tensor: its bytes are in the frame's payload, in the order in which tensors occur in the header.

    With `turned` its axes lie in memory in reverse order, as those of a transposed tensor: `view` joins no two of them.
    """

    dtype: _Name
    shape: Annotated[tuple[_Size, ...], msgspec.Meta(max_length=MAX_AXES)]
    requires_grad: bool = False
    turned: bool = False


class ItemsValue(_FrameStruct, frozen=True, kw_only=True, tag="items"):
    """A list or a tuple."""

    form: Literal["list", "tuple"]
    items: "tuple[Value, ...]"


class EntriesValue(_FrameStruct, frozen=True, kw_only=True, tag="entries"):
    """A dict in its order; keys are strings or integers."""

    entries: "tuple[tuple[str | int, Value], ...]"


class HandleValue(_FrameStruct, frozen=True, kw_only=True, tag="handle"):
    """An object that stays in the worker, a module or an optimizer: its number there."""

    handle: int
    type_name: _Name
    is_module: bool


class ForeignValue(_FrameStruct, frozen=True, kw_only=True, tag="foreign"):
    """A value that does not cross: its type, and in `detail` why or of what size: "of 30000 items, ...".

    Of a number of another type than Python's, such as numpy's, `number` is its value; of a numpy array, `array` holds
    its numbers where torch has a dtype for them.
    """

    type_name: _Name
    detail: _Detail = ""
    number: int | float | None = None
    array: TensorValue | None = None


Value = None | bool | int | float | str | TensorValue | ItemsValue | EntriesValue | HandleValue | ForeignValue


# --- requests ----------------------------------------------------------------------------------------


class Load(_FrameStruct, frozen=True, kw_only=True, tag="load"):
    """Import the student's module `module` from `sources` (path -> text), and `fixtures` beside it.

    Paths are relative to `root`, which tracebacks show in front of them: `exercises/`. `encode_load` puts the sources
    into the payload, for they may be larger than a header. torch may use `threads`.
    """

    module: str
    root: str = ""
    sources: dict[str, str]
    fixtures: str = ""
    threads: Annotated[int, msgspec.Meta(ge=1)] = 1


class Call(_FrameStruct, frozen=True, kw_only=True, tag="call"):
    """Call a function of the student's module, a fixture, or a method of an object that stays in the worker.

    With `record` the worker keeps the autograd graph of this call for one Backward.
    """

    number: int
    owner: Literal["student", "fixtures", "handle"]
    name: str
    handle: int = 0
    args: Value
    kwargs: Value
    record: bool = False


class Backward(_FrameStruct, frozen=True, kw_only=True, tag="backward"):
    """Run backward through the graph of call `call`, from one gradient (or None) for each of its result tensors."""

    number: int
    call: int
    gradients: Value


class Reset(_FrameStruct, frozen=True, kw_only=True, tag="reset"):
    """Delete all objects and graphs: a check has ended."""

    number: int


Question = Call | Backward | Reset
Request = Load | Question


# --- replies -----------------------------------------------------------------------------------------


class Loaded(_FrameStruct, frozen=True, kw_only=True, tag="loaded"):
    """The student's module was imported and defines these public names."""

    names: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=MAX_NAMES)]


# Settings of the process that decide what other code computes.
Setting = Literal["gradients", "default dtype"]


class Returned(_FrameStruct, frozen=True, kw_only=True, tag="returned"):
    """The result of a call, the arguments it changed in place, and the settings that it left changed."""

    number: int
    value: Value
    changed: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=MAX_NAMES)] = ()
    settings: Annotated[tuple[Setting, ...], msgspec.Meta(max_length=MAX_NAMES)] = ()


class TracebackLine(_FrameStruct, frozen=True, kw_only=True, tag="line"):
    """A line of the student's own code in a traceback."""

    path: _Detail
    line: Annotated[int, msgspec.Meta(ge=0, le=_MAX_LINE)]
    function: _Name
    text: _Detail


Cause = Literal[
    "raised",
    "explained",
    "syntax",
    "not_implemented",
    "missing",
    "signature",
    "memory",
    "banned",
    "refused",
    "exit",
    "detached",
    "device",
]


class Raised(_FrameStruct, frozen=True, kw_only=True, tag="raised"):
    """The student's code raised. `traceback` holds the frames of the student's own code only, outermost first."""

    number: int
    cause: Cause
    type_name: _Name
    message: Annotated[str, msgspec.Meta(max_length=MAX_MESSAGE_CHARS)]
    traceback: Annotated[tuple[TracebackLine, ...], msgspec.Meta(max_length=MAX_TRACEBACK_LINES)] = ()


Reply = Loaded | Returned | Raised

Message = TypeVar("Message")

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def encode(message: Request | Reply) -> bytes:
    """Return the header of a frame."""
    return _encoder.encode(message)


def encode_load(load: Load) -> tuple[bytes, bytes]:
    """Return the header and the payload of the frame that carries a submission."""
    return encode(msgspec.structs.replace(load, sources={})), _encoder.encode(load.sources)


def with_sources(load: Load, payload: bytes | bytearray) -> Load:
    """Return a received Load with the sources of its payload."""
    return msgspec.structs.replace(load, sources=msgspec.msgpack.decode(payload, type=dict[str, str]))


def decode_request(header: bytes) -> Request:
    """Decode a header that the grader wrote; raise ProtocolError on any other."""
    return _decode(_requests, header)


def decode_reply(header: bytes) -> Reply:
    """Decode a header that a worker wrote; raise ProtocolError on any other."""
    return _decode(_replies, header)


def _decode(decoder: "msgspec.msgpack.Decoder[Message]", header: bytes) -> Message:
    try:
        return decoder.decode(header)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        # The error may quote the header.
        raise ProtocolError(f"a frame's header is not a message: {str(error)[:MAX_DETAIL_CHARS]}") from error
