"""Packs Python values and tensors into messages and payloads, and unpacks them, checking everything received."""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from msgspec.structs import replace

from grader.core.errors import ProtocolError
from grader.sandbox.protocol.frames import MAX_PAYLOAD_BYTES
from grader.sandbox.protocol.messages import (
    MAX_AXES,
    MAX_DETAIL_CHARS,
    MAX_FRAME_ITEMS,
    MAX_FRAME_TENSORS,
    EntriesValue,
    ForeignValue,
    HandleValue,
    ItemsValue,
    TensorValue,
    Value,
    text_from,
    type_name,
)

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float32,
        torch.float64,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
    )
}
MAX_TENSOR_BYTES = 64 * 2**20
MAX_DEPTH_LEVELS = 16  # of containers inside containers
MAX_TEXT_CHARS = 100_000  # of one string or key
MAX_FRAME_TEXT_BYTES = 1_000_000  # of one header: UTF-8 of all keys, strings and descriptions, and all shapes
_AXIS_BYTES = 9  # of a size in a header, at most
_ALIGNMENT_BYTES = 16  # a multiple of every dtype's size, so that each buffer starts aligned


def _padded(count: int) -> int:
    return -(-count // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES


Outgoing = Callable[[object], HandleValue | ForeignValue]
Incoming = Callable[..., object]  # takes the handle or foreign value, and the numbers of an array, if any


@dataclass(slots=True)
class Packer:
    """Packs the values of one frame; what exceeds the limits of a frame becomes a foreign value.

    So the header of any value fits: MAX_FRAME_ITEMS values with names of their own, and MAX_FRAME_TEXT_BYTES.
    `other` turns objects that do not cross into handles or foreign values. `tensors` are the packed tensors in the
    order of their buffers; the numbers of numpy arrays, which no gradient reaches, are in the buffers alone.
    With `turns` a tensor that is not contiguous arrives as one that is not either.
    """

    other: Outgoing
    turns: bool = False
    buffers: list[bytes] = field(default_factory=list)
    tensors: list[torch.Tensor] = field(default_factory=list)
    _items: int = 0
    _text_bytes: int = 0
    _tensor_bytes: int = 0

    def pack(self, value: object) -> Value:
        """Return `value` as it is written into a header; append the bytes of its tensors to `buffers`."""
        self._items += 1
        return self._pack(value, 0)

    def _pack(self, value: object, depth: int) -> Value:
        kind = type(value)
        if depth > MAX_DEPTH_LEVELS:
            return self._described(foreign(value, "nested too deeply"))
        if value is None or kind is bool or kind is float:
            return value  # type: ignore[return-value]
        if isinstance(value, int) and kind is int:
            return value if -(2**63) <= value < 2**63 else self._described(foreign(value, "beyond 64 bits"))
        if isinstance(value, str) and kind is str:
            return self._text(value)
        if kind is torch.Tensor:
            return self._tensor(value)  # type: ignore[arg-type]
        if isinstance(value, (list, tuple)) and kind in (list, tuple, torch.Size):
            items = tuple(
                value[: MAX_FRAME_ITEMS + 1]
            )  # a copy: a thread of the student may append to the list
            if not self._admit(len(items)):
                return self._described(foreign(value, f"of {len(value)} items, more than can be looked at"))
            form = "list" if kind is list else "tuple"
            return ItemsValue(form=form, items=tuple(self._pack(item, depth + 1) for item in items))  # type: ignore[arg-type]
        if isinstance(value, dict) and kind in (dict, OrderedDict):
            return self._entries(value, depth)
        described = self._described(self.other(value))
        if isinstance(described, ForeignValue) and type(value) is np.ndarray:
            return self._with_numbers(described, value)
        return described

    def _with_numbers(self, described: ForeignValue, array: "np.ndarray[Any, Any]") -> ForeignValue:
        """Add the numbers of an array, where torch has a dtype for them and they fit into the frame."""
        try:
            held = self._tensor(torch.from_numpy(array.copy()), in_graph=False)
        except (TypeError, ValueError):
            return described
        return replace(described, array=held) if isinstance(held, TensorValue) else described

    def _described(self, value: HandleValue | ForeignValue) -> HandleValue | ForeignValue:
        """Return a description if it fits into the header, else one without details."""
        words = value.type_name if isinstance(value, HandleValue) else value.type_name + value.detail
        if self._spend(len(words.encode())):
            return value
        return ForeignValue(type_name="value", detail="among more text than can be looked at")

    def _spend(self, count: int) -> bool:
        """Count bytes of the header, if its limit allows them."""
        if self._text_bytes + count > MAX_FRAME_TEXT_BYTES:
            return False
        self._text_bytes += count
        return True

    def _admit(self, count: int) -> bool:
        """Count the items of a container, all before the first is packed, if the limit of the frame allows them."""
        if self._items + count > MAX_FRAME_ITEMS:
            return False
        self._items += count
        return True

    def _entries(self, value: dict[object, object], depth: int) -> Value:
        if not self._admit(len(value)):
            return self._described(foreign(value, f"of {len(value)} items, more than can be looked at"))
        keys = [self._text(key) if type(key) is str else key for key in value]
        if not all(type(key) is str or (type(key) is int and -(2**63) <= key < 2**63) for key in keys):
            return self._described(foreign(value, "with keys that are neither short strings nor integers"))
        packed = (self._pack(item, depth + 1) for item in value.values())
        return EntriesValue(entries=tuple(zip(keys, packed, strict=True)))  # type: ignore[arg-type]

    def _text(self, value: str) -> Value:
        text = value[: MAX_TEXT_CHARS + 1].encode(
            "utf-8", "backslashreplace"
        )  # a lone surrogate has no UTF-8
        if len(value) > MAX_TEXT_CHARS or not self._spend(len(text)):
            return self._described(foreign(value, f"of {len(value)} characters"))
        return text.decode()

    def _tensor(self, tensor: torch.Tensor, *, in_graph: bool = True) -> Value:
        refusal = _refusal(tensor)
        self._tensor_bytes += _padded(_size_bytes(tensor)) if not refusal else 0
        if self._tensor_bytes > MAX_PAYLOAD_BYTES:
            refusal = f"and with the others before it larger than {MAX_PAYLOAD_BYTES // 2**20} MiB"
        is_one_too_many = len(self.buffers) == MAX_FRAME_TENSORS
        if not refusal and (is_one_too_many or not self._spend(_AXIS_BYTES * tensor.dim())):
            refusal = "among more of them than can be looked at"
        if refusal:
            return self._described(foreign(tensor, refusal))
        data = tensor_bytes(tensor)
        if in_graph:
            self.tensors.append(tensor)
        self.buffers.append(data + b"\0" * (_padded(len(data)) - len(data)))
        dtype = str(tensor.dtype).removeprefix("torch.")
        turned = self.turns and not tensor.is_contiguous()
        shape = tuple(tensor.shape)
        return TensorValue(dtype=dtype, shape=shape, requires_grad=tensor.requires_grad, turned=turned)

    @property
    def payload(self) -> bytes:
        """The bytes of all tensors packed so far."""
        return b"".join(self.buffers)


def foreign(value: object, detail: str = "") -> ForeignValue:
    """Return the description that is sent for a value that does not cross."""
    return ForeignValue(type_name=type_name(value), detail=text_from(detail, MAX_DETAIL_CHARS))


def _refusal(tensor: torch.Tensor) -> str:
    """Return why this tensor does not cross; "" if it does."""
    if tensor.is_nested:  # it has no shape
        return "that is nested, where an ordinary tensor is expected"
    if tensor.layout is not torch.strided:
        return f"with the layout {tensor.layout}, where a dense tensor is expected"
    if tensor.device.type != "cpu":
        return f"on the device {tensor.device}, where a CPU tensor is expected"
    if str(tensor.dtype).removeprefix("torch.") not in DTYPES:
        return f"of dtype {tensor.dtype}"
    if tensor.dim() > MAX_AXES:
        return f"of {tensor.dim()} axes, more than the {MAX_AXES} that can be looked at"
    if _size_bytes(tensor) > MAX_TENSOR_BYTES:
        return f"of shape {tuple(tensor.shape)}, larger than {MAX_TENSOR_BYTES // 2**20} MiB"
    return ""


def _size_bytes(tensor: torch.Tensor) -> int:
    """Return the size of all elements; `numel` would overflow where an axis is expanded beyond 64 bits."""
    return math.prod(tensor.shape) * tensor.element_size()


def tensor_bytes(tensor: torch.Tensor) -> bytes:
    """Return the elements of a dense CPU tensor in row-major order, as bytes."""
    # A copy, not contiguous(): a view of one element may keep a stride with which view(torch.uint8) fails.
    copy = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu").copy_(tensor.detach())
    return copy.reshape(-1).view(torch.uint8).numpy().tobytes()


@dataclass(slots=True)
class Unpacker:
    """Reads the values of one frame; raises ProtocolError for what a correct Packer never writes."""

    payload: bytearray
    other: Incoming
    tensors: list[torch.Tensor] = field(default_factory=list)
    _offset: int = 0
    _items: int = 0

    def unpack(self, value: Value, depth: int = 0) -> object:
        """Return the value. Its tensors own their memory and never require grad."""
        self._items += 1
        # One level more: a foreign value stands for what is too deep. One item more: a Call has two values.
        if depth > MAX_DEPTH_LEVELS + 1 or self._items > MAX_FRAME_ITEMS + 1:
            raise ProtocolError("a value is nested too deeply or has too many items")
        if isinstance(value, TensorValue):
            return self._tensor(value)
        if isinstance(value, ItemsValue):
            items = [self.unpack(item, depth + 1) for item in value.items]
            return items if value.form == "list" else tuple(items)
        if isinstance(value, EntriesValue):
            return {key: self.unpack(item, depth + 1) for key, item in value.entries}
        if isinstance(value, ForeignValue) and value.array is not None:
            return self.other(value, self._tensor(value.array))
        if isinstance(value, (HandleValue, ForeignValue)):
            return self.other(value)
        return value

    def _tensor(self, value: TensorValue) -> torch.Tensor:
        dtype = DTYPES.get(value.dtype)
        if dtype is None:
            raise ProtocolError(f"a tensor claims the dtype {value.dtype[:40]!r}")
        if len(self.tensors) == MAX_FRAME_TENSORS:
            raise ProtocolError(f"a frame holds more than {MAX_FRAME_TENSORS} tensors")
        if len(value.shape) > MAX_AXES or any(size < 0 for size in value.shape):
            raise ProtocolError("a tensor claims an impossible shape")
        count = math.prod(value.shape)
        size = count * dtype.itemsize
        if size > len(self.payload) - self._offset:
            raise ProtocolError("a tensor claims more bytes than its frame holds")
        try:
            tensor = self._read(dtype, value.shape, count, turned=value.turned)
        except Exception:  # noqa: BLE001 - whatever torch refuses: a size beyond 64 bits, strides that overflow them
            raise ProtocolError("a tensor claims an impossible shape") from None
        self._offset += _padded(size)
        self.tensors.append(tensor)
        return tensor

    def _read(self, dtype: torch.dtype, shape: tuple[int, ...], count: int, *, turned: bool) -> torch.Tensor:
        """Return the next `count` elements of the payload as a tensor. Each byte but 0 is true, as in torch's casts."""
        tensor = torch.empty(shape[::-1] if turned else shape, dtype=dtype, device="cpu")
        if turned:
            tensor = tensor.permute(tuple(range(tensor.dim()))[::-1])
        if count:
            stored = torch.uint8 if dtype is torch.bool else dtype
            source = torch.frombuffer(self.payload, dtype=stored, count=count, offset=self._offset)
            tensor.copy_(source.reshape(shape))
        return tensor

    def finish(self) -> None:
        """Raise ProtocolError if the payload has bytes that belong to no tensor of the header."""
        if self._offset != len(self.payload):
            raise ProtocolError("a frame carries bytes that belong to no tensor")


def gradient_flags(described: object) -> Iterator[bool]:
    """Yield `requires_grad` of every tensor in packed values, in the order of their buffers."""
    if isinstance(described, TensorValue):
        yield described.requires_grad
    elif isinstance(described, ItemsValue):
        yield from gradient_flags(described.items)
    elif isinstance(described, EntriesValue):
        yield from gradient_flags(tuple(item for _, item in described.entries))
    elif isinstance(described, tuple):
        for item in described:
            yield from gradient_flags(item)


def unpack_all(values: Sequence[Value], payload: bytearray, other: Incoming) -> list[object]:
    """Unpack the values of one frame in their order; raise ProtocolError if bytes of the payload are left."""
    unpacker = Unpacker(payload, other)
    unpacked = [unpacker.unpack(value) for value in values]
    unpacker.finish()
    return unpacked
