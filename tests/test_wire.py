"""The protocol: values that cross come back equal, and what breaks the protocol is refused with a typed error."""

import contextlib
import os
import socket
import struct
import sys
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grader.core.errors import ProtocolError
from grader.sandbox.protocol import frames, messages
from grader.sandbox.protocol.frames import (
    Closed,
    DescriptorChannel,
    Overdue,
    PipeChannel,
    PolledChannel,
    SocketChannel,
)
from grader.sandbox.protocol.messages import (
    EntriesValue,
    ForeignValue,
    HandleValue,
    ItemsValue,
    Loaded,
    Raised,
    Returned,
    TensorValue,
    TracebackLine,
)
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


def test_the_numbers_of_an_array_cross_with_its_description():
    packer = Packer(foreign)
    arrays = [np.arange(6.0).reshape(2, 3).T, np.array([True, False]), np.array(["a"]), np.zeros(2, ">f4")]
    values = [packer.pack([torch.ones(2), array]) for array in arrays]
    assert len(packer.tensors) == len(arrays), "an array is no part of the graph"
    back = unpack_all(values, bytearray(packer.payload), lambda value, array=None: (value.type_name, array))
    first, second, third, fourth = (crossed for _, crossed in back)
    assert torch.equal(first[1], torch.arange(6.0, dtype=torch.float64).reshape(2, 3).T)
    assert torch.equal(second[1], torch.tensor([True, False]))
    assert third == fourth == ("ndarray", None)


def test_a_view_arrives_with_its_axes_turned_in_memory_where_that_is_asked_for():
    view = torch.arange(6.0).reshape(2, 3).mT
    for turns in (True, False):
        packer = Packer(foreign, turns=turns)
        values = [packer.pack(view), packer.pack(view.contiguous())]
        back, whole = unpack_all(values, bytearray(packer.payload), lambda other: other)
        assert (back.is_contiguous(), whole.is_contiguous()) == (not turns, True)
        assert all(torch.equal(tensor, view) for tensor in (back, whole))


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 1, 3), (2, 0, 4)], ids=str)
def test_tensors_of_every_dtype_and_shape_cross_bit_for_bit(dtype, shape):
    tensor = torch.randint(0, 2, shape).to(dtype)
    back = crossed(tensor)
    assert (back.dtype, back.shape) == (dtype, shape)
    assert torch.equal(back, tensor)


def test_a_view_crosses_with_its_values_not_with_its_storage():
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


def test_the_error_about_a_header_is_short_whatever_the_header_says():
    import msgspec

    with pytest.raises(ProtocolError) as caught:
        messages.decode_reply(msgspec.msgpack.encode({"kind": "returned", "k" * 10**6: 1}))
    assert len(str(caught.value)) < 400


def test_a_header_with_an_unknown_field_is_refused():
    import msgspec

    header = msgspec.msgpack.encode(
        {"kind": "returned", "number": 1, "value": None, "changed": [], "points": 10}
    )
    with pytest.raises(ProtocolError, match="points"):
        messages.decode_reply(header)


@pytest.fixture(params=["socket", "polled", "pipes"])
def pair(request):
    """A channel, and the raw other end."""
    left, right = socket.socketpair()
    with left, right:
        if request.param == "socket":
            yield SocketChannel(left), right
        elif request.param == "polled":
            channel = PolledChannel(os.dup(left.fileno()), os.dup(left.fileno()))
            yield channel, right
            channel.close()
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


def test_a_frame_that_arrives_in_parts_does_not_extend_the_deadline(pair):
    channel, raw = pair
    raw.sendall(frames.MAGIC)
    started = time.monotonic()
    with pytest.raises(Overdue):
        channel.receive(time.monotonic() + 0.1)
    assert time.monotonic() - started < 1.0


def test_a_closed_connection_and_a_late_frame_are_different_errors(pair):
    channel, raw = pair
    raw.sendall(frames.MAGIC)
    raw.shutdown(socket.SHUT_RDWR)
    with pytest.raises(Closed):
        channel.receive(time.monotonic() + 5)


def test_a_frame_that_is_not_read_does_not_extend_the_deadline(pair):
    channel, _ = pair
    started = time.monotonic()
    with pytest.raises(Overdue):
        channel.send(b"header", bytes(64 * 2**20), time.monotonic() + 0.1)
    assert time.monotonic() - started < 2.0


def test_sending_to_an_end_that_is_shut_down_raises_closed(pair):
    channel, raw = pair
    raw.shutdown(socket.SHUT_RDWR)
    with pytest.raises(Closed):
        channel.send(b"header", bytes(2**22), time.monotonic() + 5)


@pytest.mark.skipif(sys.platform == "win32", reason="polls pipes")
def test_a_large_frame_crosses_two_pipes_and_a_closed_channel_stays_closed():
    reading, worker_writing = os.pipe()
    worker_reading, writing = os.pipe()
    grader, worker = PolledChannel(reading, writing), DescriptorChannel(worker_reading, worker_writing)
    large = bytes(range(256)) * 2**14  # 4 MiB, more than a pipe holds

    def echo() -> None:
        worker.send(*worker.receive())
        worker.close()

    echoing = threading.Thread(target=echo)
    echoing.start()
    grader.send(b"header", large, time.monotonic() + 30)
    assert grader.receive(time.monotonic() + 30) == (b"header", large)
    echoing.join()
    for use in (grader.receive, lambda: grader.send(b"x")):
        with pytest.raises(Closed):
            use()
    for _ in range(2):
        grader.close()
    with pytest.raises(Closed):
        grader.receive()


def test_frames_that_were_not_asked_for_block_their_sender():
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


def test_a_descriptor_that_was_made_nonblocking_is_made_blocking_again():
    here, there = socket.socketpair()
    with here, there:
        channel = DescriptorChannel(here.fileno(), here.fileno())
        here.setblocking(False)
        frame = b"CG1\n" + struct.pack("!II", 4, 3) + b"head" + b"pay"
        sender = threading.Timer(0.2, there.sendall, [frame])
        sender.start()
        assert channel.receive() == (b"head", bytearray(b"pay"))
        sender.join()
        here.setblocking(False)
        received = bytearray()
        size = 8 * 2**20 + 16  # more than the buffer of a socket

        def read() -> None:
            while len(received) < size:
                received.extend(there.recv(2**20))

        reader = threading.Timer(0.2, read)
        reader.start()
        channel.send(b"head", bytes(size - 12 - 4))
        reader.join()
        assert len(received) == size


# --- limits: the largest that is accepted, and one more


def announced(header: int, payload: int) -> tuple[int, int]:
    """Return what the first twelve bytes of a frame announce."""
    return frames._lengths(struct.pack("!4sII", b"CG1\n", header, payload))


def test_the_sizes_of_a_frame_have_limits():
    mib = 2**20
    assert announced(4 * mib, 256 * mib) == (4 * mib, 256 * mib)
    for header, payload in ((4 * mib + 1, 0), (0, 256 * mib + 1)):
        with pytest.raises(ProtocolError, match="more than the limits of a frame"):
            announced(header, payload)


def raised(**fields):
    return Raised(number=1, cause="raised", type_name="E", message="", **fields)


def line(**fields):
    return TracebackLine(**{"path": "m.py", "line": 1, "function": "f", "text": "", **fields})


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (lambda n: Loaded(names=("n" * n,)), 100),
        (lambda n: Loaded(names=("n",) * n), 1_000),
        (lambda n: Returned(number=1, value=None, changed=("n" * n,)), 100),
        (lambda n: Returned(number=1, value=None, changed=("n",) * n), 1_000),
        (lambda n: Returned(number=1, value=TensorValue(dtype="float32", shape=(1,) * n)), 64),
        (lambda n: Returned(number=1, value=TensorValue(dtype="d" * n, shape=())), 100),
        (lambda n: Returned(number=1, value=HandleValue(handle=0, type_name="t" * n, is_module=True)), 100),
        (lambda n: Returned(number=1, value=ForeignValue(type_name="t" * n)), 100),
        (lambda n: Returned(number=1, value=ForeignValue(type_name="t", detail="d" * n)), 300),
        (lambda n: Raised(number=1, cause="raised", type_name="E" * n, message=""), 100),
        (lambda n: Raised(number=1, cause="raised", type_name="E", message="m" * n), 2_000),
        (lambda n: raised(traceback=(line(),) * n), 20),
        (lambda n: raised(traceback=(line(path="p" * n),)), 300),
        (lambda n: raised(traceback=(line(text="t" * n),)), 300),
        (lambda n: raised(traceback=(line(function="f" * n),)), 100),
    ],
)
def test_every_field_of_a_reply_has_a_limit(make, limit):
    messages.decode_reply(messages.encode(make(limit)))
    with pytest.raises(ProtocolError, match="not a message"):
        messages.decode_reply(messages.encode(make(limit + 1)))


def test_a_size_may_be_zero_but_not_negative():
    messages.decode_reply(messages.encode(Returned(number=1, value=TensorValue(dtype="bool", shape=(0,)))))
    with pytest.raises(ProtocolError):
        messages.decode_reply(
            messages.encode(Returned(number=1, value=TensorValue(dtype="bool", shape=(-1,))))
        )


@pytest.mark.parametrize("code", [0x1F, 0x7F, 0x9F, 0x200B, 0x200F, 0x2028, 0x202E, 0x2060, 0x206F])
def test_a_name_with_a_control_or_format_character_is_refused(code):
    for name in (f"a{chr(code)}b", f"a{chr(code)}"):
        with pytest.raises(ProtocolError):
            messages.decode_reply(messages.encode(Loaded(names=(name,))))
        messages.decode_reply(messages.encode(Loaded(names=(messages.name_from(name),))))
    messages.decode_reply(messages.encode(Loaded(names=("a b~é漢",))))


def test_a_frame_takes_twenty_thousand_items_and_no_more():
    assert crossed([None] * 19_999) == [None] * 19_999  # the list itself is one
    assert isinstance(crossed([None] * 20_000), ForeignValue)
    assert crossed(dict.fromkeys(range(19_999))) == dict.fromkeys(range(19_999))
    assert isinstance(crossed(dict.fromkeys(range(20_000))), ForeignValue)


def test_the_items_of_all_containers_of_a_frame_count_together():
    inner, foreign_one = crossed([[None] * 9_999, [None] * 9_999])
    assert (len(inner), type(foreign_one)) == (9_999, ForeignValue)
    assert crossed([[None] * 9_998, [None] * 9_999])[1] == [None] * 9_999
    for first in (19_000, 1_000):  # items after a container count as those before it do
        value = [[None] * first, *[None] * (19_998 - first)]
        assert crossed(value) == value
        assert isinstance(crossed([*value, None])[0], ForeignValue)


@pytest.mark.parametrize(
    "value",
    [
        lambda n: ItemsValue(form="tuple", items=(None,) * n),
        lambda n: EntriesValue(entries=((1, None),) * n),
        lambda n: ItemsValue(form="list", items=(ItemsValue(form="list", items=(None,) * (n - 1)),)),
    ],
    ids=["list", "dict", "nested"],
)
def test_the_items_of_a_received_container_are_limited(value):
    unpack_all([value(20_000)], bytearray(), lambda other: other)
    with pytest.raises(ProtocolError, match="too many items"):
        unpack_all([value(20_001)], bytearray(), lambda other: other)


def test_a_frame_takes_two_thousand_tensors_and_no_more():
    one = torch.ones(1)
    assert all(isinstance(tensor, torch.Tensor) for tensor in crossed([one] * 2_000))
    *within, beyond = crossed([one] * 2_001)
    assert (len(within), type(beyond)) == (2_000, ForeignValue)
    empty = TensorValue(dtype="float32", shape=(0,))
    unpack_all([ItemsValue(form="list", items=(empty,) * 2_000)], bytearray(), lambda other: other)
    with pytest.raises(ProtocolError, match="more than 2000 tensors"):
        unpack_all([ItemsValue(form="list", items=(empty,) * 2_001)], bytearray(), lambda other: other)


def nested(levels: int, innermost=None):
    for _ in range(levels):
        innermost = [innermost]
    return innermost


def test_containers_nest_sixteen_levels_deep_and_no_more():
    assert crossed(nested(16)) == nested(16)
    deep = crossed(nested(17))
    for _ in range(17):
        (deep,) = deep
    assert deep.detail == "nested too deeply"


def test_the_depth_of_a_received_value_is_limited():
    def received(levels: int):
        value = None
        for _ in range(levels):
            value = ItemsValue(form="list", items=(value,))
        return unpack_all([value], bytearray(), lambda other: other)

    received(17)
    with pytest.raises(ProtocolError, match="nested too deeply"):
        received(18)


def test_a_text_crosses_up_to_its_limit():
    assert crossed("a" * 100_000) == "a" * 100_000
    assert crossed("a" * 100_001).detail == "of 100001 characters"
    assert crossed({"k" * 100_000: 1}) == {"k" * 100_000: 1}
    assert isinstance(crossed({"k" * 100_001: 1}), ForeignValue)


@pytest.mark.parametrize(("letter", "each"), [("a", 100_000), ("é", 50_000)])
def test_the_texts_and_keys_of_a_frame_have_a_budget_of_a_million_bytes(letter, each):
    full = [letter * each] * 10
    assert crossed(full) == full
    assert isinstance(crossed([*full, "a"])[-1], ForeignValue)
    assert isinstance(crossed([full, {"a": 1}])[-1], ForeignValue)


def test_a_tensor_crosses_up_to_64_mib():
    size = 64 * 2**20
    assert Packer(foreign).pack(torch.zeros(size, dtype=torch.uint8)).shape == (size,)
    for large in (torch.zeros(size + 1, dtype=torch.uint8), torch.zeros(1).expand(2**24 + 1)):
        assert "larger than 64 MiB" in Packer(foreign).pack(large).detail


def test_the_tensors_of_a_frame_fill_its_payload_and_no_more():
    packer = Packer(foreign)
    packer._tensor_bytes = 256 * 2**20 - 16  # as if that much was packed already
    assert isinstance(packer.pack(torch.zeros(16, dtype=torch.uint8)), TensorValue)
    packer._tensor_bytes = 256 * 2**20 - 16
    assert "larger than 256 MiB" in packer.pack(torch.zeros(17, dtype=torch.uint8)).detail


def test_a_tensor_of_more_axes_than_torch_has_is_refused():
    (value,) = unpack_all([TensorValue(dtype="uint8", shape=(1,) * 64)], bytearray(16), lambda other: other)
    assert value.dim() == 64
    with pytest.raises(ProtocolError, match="impossible shape"):
        unpack_all([TensorValue(dtype="uint8", shape=(1,) * 65)], bytearray(16), lambda other: other)


def test_a_payload_of_the_size_of_its_tensors_is_accepted_and_no_other():
    claim = TensorValue(dtype="float32", shape=(4,))
    unpack_all([claim], bytearray(16), lambda other: other)
    for size in (15, 17):
        with pytest.raises(ProtocolError):
            unpack_all([claim], bytearray(size), lambda other: other)


def test_integers_cross_up_to_64_bits():
    for value in (2**63 - 1, -(2**63)):
        assert crossed(value) == value
        assert crossed({value: 1}) == {value: 1}
    for value in (2**63, -(2**63) - 1):
        assert crossed(value).detail == "beyond 64 bits"
        assert isinstance(crossed({value: 1}), ForeignValue)
