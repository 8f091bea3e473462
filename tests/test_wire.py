"""The wire: what crosses comes back equal, and what no honest worker sends is refused with a typed error."""

import contextlib
import socket
import struct
import threading
import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grader.core.errors import ProtocolError
from grader.sandbox.protocol import frames, messages
from grader.sandbox.protocol.frames import Closed, DescriptorChannel, Overdue, PipeChannel, SocketChannel
from grader.sandbox.protocol.messages import EntriesValue, ForeignValue, ItemsValue, Returned, TensorValue
from grader.sandbox.protocol.values import DTYPES, Packer, unpack_all


def foreign(thing):
    return ForeignValue(type_name=type(thing).__name__)


def crossed(value):
    """Send a value through the whole codec and back."""
    packer = Packer(foreign)
    header = messages.encode(Returned(number=0, value=packer.pack(value)))
    (back,) = unpack_all(
        [messages.decode_reply(header).value], bytearray(packer.payload), lambda other: other
    )
    return back


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(0, 9), inner)
    ),
    max_leaves=10,
)


@given(plain)
def test_plain_values_cross_unchanged(value):
    assert crossed(value) == value


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 1, 3), (2, 0, 4)], ids=str)
def test_tensors_of_every_dtype_and_shape_cross_bit_for_bit(dtype, shape):
    tensor = torch.randint(0, 2, shape).to(dtype)
    back = crossed(tensor)
    assert (back.dtype, back.shape) == (dtype, shape)
    assert torch.equal(back, tensor)


def test_views_cross_as_what_they_show():
    tensor = torch.arange(12.0).reshape(3, 4)
    for view in (tensor.T, tensor[:, ::2], tensor.expand(2, 3, 4), tensor.flip(0), torch.tensor([1j]).imag):
        assert torch.equal(crossed(view), view)


def test_several_tensors_keep_their_order():
    first, second = crossed((torch.ones(3, dtype=torch.int8), {"b": torch.zeros(2, 2)}))
    assert torch.equal(first, torch.ones(3, dtype=torch.int8))
    assert torch.equal(second["b"], torch.zeros(2, 2))


@pytest.mark.parametrize(
    "thing",
    [
        2**63,
        object(),
        {1.5: 2},
        torch.ones(2).to_sparse(),
        torch.ones(2, dtype=torch.cfloat),
        "a" * 100_001,
        {1, 2},
    ],
    ids=["huge int", "object", "dict of floats", "sparse", "complex", "long text", "set"],
)
def test_what_does_not_cross_arrives_as_foreign(thing):
    assert isinstance(crossed(thing), ForeignValue)


def test_deep_nesting_ends_in_a_foreign_value():
    value = []
    for _ in range(1000):
        value = [value]
    assert "nested too deeply" in str(crossed(value))


@pytest.mark.parametrize(
    "value",
    [
        TensorValue(dtype="float32", shape=(10**9,)),
        TensorValue(dtype="float32", shape=(-1, -4)),
        TensorValue(dtype="float32", shape=(1,) * 65),
        TensorValue(dtype="object", shape=(1,)),
        TensorValue(dtype="float32", shape=(2,)),
        ItemsValue(form="list", items=(1,) * 30_000),
        EntriesValue(entries=()),
        7,
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_value_that_does_not_fit_its_payload_is_refused(value):
    with pytest.raises(ProtocolError):
        unpack_all([value], bytearray(4), lambda other: other)


@given(st.binary(max_size=200))
def test_arbitrary_headers_end_in_a_protocol_error(data):
    with pytest.raises(ProtocolError):
        messages.decode_reply(b"\xc1" + data)
    try:
        messages.decode_reply(data)
    except ProtocolError:
        return


def test_a_header_with_an_unknown_field_is_refused():
    import msgspec

    header = msgspec.msgpack.encode(
        {"kind": "returned", "number": 1, "value": None, "changed": [], "points": 10}
    )
    with pytest.raises(ProtocolError, match="points"):
        messages.decode_reply(header)


@pytest.fixture(params=["socket", "pipes"])
def pair(request):
    """A channel, and the raw other end."""
    left, right = socket.socketpair()
    with left, right:
        if request.param == "socket":
            yield SocketChannel(left), right
        else:
            channel = PipeChannel(left.makefile("rb", buffering=0), left.makefile("wb", buffering=0))
            yield channel, right
            right.shutdown(socket.SHUT_RDWR)
            channel.close()


def test_a_frame_arrives_whole(pair):
    channel, raw = pair
    SocketChannel(raw).send(b"header", b"payload")
    assert channel.receive() == (b"header", bytearray(b"payload"))


def test_a_frame_without_the_magic_number_is_refused(pair):
    channel, raw = pair
    raw.sendall(b"GET / HTTP/1.1\r\n")
    with pytest.raises(ProtocolError, match="magic number"):
        channel.receive()


def test_a_frame_that_announces_too_much_is_refused_before_any_memory_is_taken(pair):
    channel, raw = pair
    raw.sendall(struct.pack("!4sII", frames.MAGIC, 10, 2**32 - 1))
    with pytest.raises(ProtocolError, match="more than the limits of a frame"):
        channel.receive()


def test_dripping_bytes_do_not_stretch_the_deadline(pair):
    channel, raw = pair
    raw.sendall(frames.MAGIC)
    started = time.monotonic()
    with pytest.raises(Overdue):
        channel.receive(time.monotonic() + 0.1)
    assert time.monotonic() - started < 1.0


def test_a_closed_connection_is_told_apart_from_a_late_one(pair):
    channel, raw = pair
    raw.sendall(frames.MAGIC)
    raw.shutdown(socket.SHUT_RDWR)
    with pytest.raises(Closed):
        channel.receive(time.monotonic() + 5)


def test_a_frame_that_nobody_reads_does_not_stretch_the_deadline(pair):
    channel, _ = pair
    started = time.monotonic()
    with pytest.raises(Overdue):
        channel.send(b"header", bytes(64 * 2**20), time.monotonic() + 0.1)
    assert time.monotonic() - started < 2.0


def test_a_frame_that_nobody_can_read_any_more_finds_the_connection_closed(pair):
    channel, raw = pair
    raw.shutdown(socket.SHUT_RDWR)
    with pytest.raises(Closed):
        channel.send(b"header", bytes(2**22), time.monotonic() + 5)


def test_unasked_frames_wait_outside():
    left, right = socket.socketpair()
    with left, right:
        channel = PipeChannel(left.makefile("rb", buffering=0), left.makefile("wb", buffering=0))
        right.settimeout(0.5)
        frame = struct.pack("!4sII", frames.MAGIC, 1, 2**20) + bytes(1 + 2**20)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 50:
                right.sendall(frame)
                sent += 1
        assert sent < 5
        right.shutdown(socket.SHUT_RDWR)
        channel.close()


def test_a_descriptor_that_was_told_not_to_wait_waits_all_the_same():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = DescriptorChannel(ours.fileno(), ours.fileno())
        ours.setblocking(False)
        frame = b"CG1\n" + struct.pack("!II", 4, 3) + b"head" + b"pay"
        sender = threading.Timer(0.2, theirs.sendall, [frame])
        sender.start()
        assert channel.receive() == (b"head", bytearray(b"pay"))
        sender.join()
        ours.setblocking(False)
        received = bytearray()
        size = 8 * 2**20 + 16  # more than a socket holds

        def read() -> None:
            while len(received) < size:
                received.extend(theirs.recv(2**20))

        reader = threading.Timer(0.2, read)
        reader.start()
        channel.send(b"head", bytes(size - 12 - 4))
        reader.join()
        assert len(received) == size
