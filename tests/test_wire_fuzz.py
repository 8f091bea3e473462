"""The protocol, fuzzed: for any bytes from a worker, the trusted side returns a value or raises one of its own errors."""

import contextlib
import functools
import os
import socket
import struct
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from grader.core.errors import ProtocolError
from grader.core.model import Limits, Outcome
from grader.course import catalog
from grader.grading.attempt import grade_exercises
from grader.grading.engine.proxy import CallFailed, Conversation, Student
from grader.grading.engine.suite.comparison import Mismatch
from grader.sandbox.protocol import frames, messages, orders
from grader.sandbox.protocol.frames import Closed, DescriptorChannel, Overdue, PipeChannel, SocketChannel
from grader.sandbox.protocol.messages import (
    Backward,
    Call,
    EntriesValue,
    ForeignValue,
    HandleValue,
    ItemsValue,
    Load,
    Loaded,
    Raised,
    Reset,
    Returned,
    TensorValue,
    TracebackLine,
)
from grader.sandbox.protocol.values import DTYPES, Packer, foreign, unpack_all
from grader.sandbox.supervisor import Sandbox
from grader.submission import open_submission
from grader.suite import assert_matches

ROUNDS = int(os.environ.get("CONVGRADER_FUZZ_ROUNDS", "300"))
FUZZ = settings(max_examples=ROUNDS, deadline=None, suppress_health_check=[HealthCheck.too_slow])

NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
SIZES = st.sampled_from([0, 1, 2, 3, 4, 7, 1000, 2**31, 2**62, 2**63 - 1])
TENSORS = st.builds(
    TensorValue,
    dtype=st.sampled_from([*DTYPES, "object", ""]),
    shape=st.lists(SIZES, max_size=4).map(tuple),
    requires_grad=st.booleans(),
)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | TEXTS
    | st.builds(ForeignValue, type_name=NAMES, detail=TEXTS)
    | st.builds(HandleValue, handle=st.integers(-2, 2**40), type_name=NAMES, is_module=st.booleans())
)
VALUES = st.recursive(
    PLAIN | TENSORS,
    lambda inner: (
        st.builds(
            ItemsValue, form=st.sampled_from(["list", "tuple"]), items=st.lists(inner, max_size=4).map(tuple)
        )
        | st.builds(
            EntriesValue,
            entries=st.lists(st.tuples(TEXTS | st.integers(-5, 5), inner), max_size=4).map(tuple),
        )
    ),
    max_leaves=8,
)
WILD_SIZES = st.sampled_from([0, 0, 1, 3, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1, -1])
WILD_TENSORS = st.builds(
    TensorValue,
    dtype=st.sampled_from([*DTYPES, "object"]),
    shape=(st.lists(WILD_SIZES, max_size=4) | st.lists(WILD_SIZES, min_size=60, max_size=70)).map(tuple),
)
NUMBERS = st.sampled_from([0, 0, 0, 1, 2, -1, 2**40])
LINES = st.builds(TracebackLine, path=TEXTS, line=st.integers(0, 2**31 - 1), function=NAMES, text=TEXTS)
REPLIES = (
    st.builds(Loaded, names=st.lists(NAMES, max_size=5).map(tuple))
    | st.builds(Returned, number=NUMBERS, value=VALUES, changed=st.lists(NAMES, max_size=3).map(tuple))
    | st.builds(
        Raised,
        number=NUMBERS,
        cause=st.sampled_from(messages.Cause.__args__),
        type_name=NAMES,
        message=TEXTS,
        traceback=st.lists(LINES, max_size=3).map(tuple),
    )
)
REQUESTS = (
    st.builds(
        Load, module=NAMES, root=TEXTS, sources=st.dictionaries(NAMES, TEXTS, max_size=3), fixtures=TEXTS
    )
    | st.builds(
        Call,
        number=NUMBERS,
        owner=st.sampled_from(["student", "fixtures", "handle"]),
        name=NAMES,
        handle=NUMBERS,
        args=VALUES,
        kwargs=VALUES,
        record=st.booleans(),
    )
    | st.builds(Backward, number=NUMBERS, call=NUMBERS, gradients=VALUES)
    | st.builds(Reset, number=NUMBERS)
)
PYTHON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=10,
)


def frame(header: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("!4sII", frames.MAGIC, len(header), len(payload)) + header + payload


# --- every message


@FUZZ
@given(REPLIES)
def test_every_reply_arrives_as_it_was_sent(reply):
    assert repr(messages.decode_reply(messages.encode(reply))) == repr(reply)


@FUZZ
@given(REQUESTS)
def test_every_request_arrives_as_it_was_sent(request):
    assert repr(messages.decode_request(messages.encode(request))) == repr(request)


@FUZZ
@given(REPLIES, st.data())
def test_a_reply_with_changed_bytes_is_a_reply_or_a_protocol_error(reply, data):
    header = bytearray(messages.encode(reply))
    for _ in range(data.draw(st.integers(1, 4))):
        header[data.draw(st.integers(0, len(header) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ProtocolError):
        messages.decode_reply(bytes(header[: data.draw(st.integers(0, len(header)))]))


@pytest.mark.parametrize(
    "order",
    [
        orders.GradeOrder(suite="/course/test_relu.py", version="1", wall_limit_s=3, slot=1, warm=("optim",)),
        orders.ForkOrder(worker=orders.WorkerOrder(memory_limit_mib=1, output_limit_kib=1)),
    ],
)
def test_every_order_arrives_as_it_was_sent(order):
    import msgspec

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(order), type=orders.Order) == order


# --- every value


@FUZZ
@given(PYTHON)
def test_every_python_value_crosses_or_is_foreign(value):
    packer = Packer(foreign)
    packed = packer.pack(value)
    reply = messages.decode_reply(messages.encode(Returned(number=0, value=packed)))
    unpack_all([reply.value], bytearray(packer.payload), lambda other: other)


@FUZZ
@given(VALUES | WILD_TENSORS, st.binary(max_size=64))
@example(TensorValue(dtype="float32", shape=(0, 2**63)), b"")
@example(TensorValue(dtype="bfloat16", shape=(2**40, 0, 2**20)), b"")
def test_every_claim_is_a_value_or_a_protocol_error_within_bounds(value, payload):
    tracemalloc.start()
    try:
        with contextlib.suppress(ProtocolError):
            unpack_all([value], bytearray(payload), lambda other: other)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


class Longer(dict):
    """A dict that holds more than it says."""

    def __len__(self) -> int:
        return 0

    def values(self):
        return range(30_000)


Longer.__name__ = "dict"
NAMELESS = type("NamelessType", (type,), {"__name__": property(lambda _: 1 / 0)})
BEYOND = {
    "one axis too many": lambda: torch.ones((1,) * (messages.MAX_AXES + 1)),
    "a hundred axes": lambda: torch.ones((1,) * 100),
    "axes without elements": lambda: torch.empty((0,) * 100),
    "a lying dict": Longer,
    "a class without a name": NAMELESS("C", (), {}),
    "a class of an odd name": type("\u202e\x1b", (), {}),
    "odd fields": lambda: np.zeros(2, dtype=[("\x1b\n", "f4")]),
    "a nested tensor": lambda: torch.nested.nested_tensor([torch.ones(1)], layout=torch.strided),
    "odd keys": lambda: {"\ud800": 1, True: 2},
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("name", BEYOND)
def test_what_the_receiver_refuses_is_never_sent(name):
    packer = Packer(foreign)
    packed = packer.pack([BEYOND[name](), torch.ones(2)])
    reply = messages.decode_reply(messages.encode(Returned(number=0, value=packed)))
    ((_, last),) = unpack_all([reply.value], bytearray(packer.payload), lambda other: other)
    assert torch.equal(last, torch.ones(2))


ODD = type("\U0001f600" * 200, (), {})
WIDE = torch.empty((0,) + (1,) * 61 + (2**30, 2**30))
LARGE = {
    "objects with long names": [ODD()] * 19_000,
    "arrays": [np.zeros((1,) * 32)] * 19_000,
    "tensors with many axes": [WIDE] * 19_000,
    "tensors that do not cross": [torch.ones(1, dtype=torch.cfloat)] * 19_000,
    "modules with long names": [type("\U0001f600" * 200, (torch.nn.Module,), {})()] * 19_000,
    "long keys": {"\U0001f600" * 80_000 + str(n): n for n in range(12)},
    "many keys": {"\U0001f600" * 90 + str(n): n for n in range(19_000)},
    "whole keys": {2**62 + n: 2**62 for n in range(19_000)},
    "long strings": ["\udfff" * 90_000] * 10,
    "too deep": functools.reduce(lambda inner, _: [inner], range(14), [[[ODD()] * 900]]) * 9,
    "each of them": [ODD(), WIDE, "\U0001f600" * 1000, 2**70, {1.5: 2}] * 3_800,
}


@pytest.mark.parametrize("name", LARGE)
def test_the_header_of_every_value_fits_into_a_frame(name):
    numbers = iter(range(2**40, 2**41))

    def described(thing):
        if isinstance(thing, torch.nn.Module):
            return HandleValue(
                handle=next(numbers), type_name=messages.name_from(type(thing).__name__), is_module=True
            )
        return foreign(thing, "\U0001f600" * 300)

    packer = Packer(described)
    packed = packer.pack(LARGE[name])
    header = messages.encode(Returned(number=2**40, value=packed, changed=("\U0001f600" * 100,) * 1000))
    assert frames.fits(len(header), len(packer.payload))
    reply = messages.decode_reply(header)
    unpack_all([reply.value], bytearray(packer.payload), lambda other, *_: other)


@pytest.mark.parametrize("way", ["socket", "descriptors", "pipes"])
@pytest.mark.parametrize("large", [(frames.MAX_HEADER_BYTES + 1, 0), (0, frames.MAX_PAYLOAD_BYTES + 1)])
def test_a_sender_refuses_what_the_receiver_would_refuse(way, large):
    left, right = socket.socketpair()
    with (
        left,
        right,
        left.makefile("rb", buffering=0) as reading,
        left.makefile("wb", buffering=0) as writing,
    ):
        channel = {
            "socket": lambda: SocketChannel(left),
            "descriptors": lambda: DescriptorChannel(left.fileno(), left.fileno()),
            "pipes": lambda: PipeChannel(reading, writing),
        }[way]()
        with pytest.raises(frames.TooLarge):
            channel.send(*map(bytes, large))
        right.setblocking(False)
        with pytest.raises(BlockingIOError):
            right.recv(1)  # nothing of it was sent
        right.close()


def test_sources_larger_than_a_header_reach_the_worker():
    load = Load(module="m", sources={f"{n}.py": "#" * 2**20 for n in range(5)})
    header, payload = messages.encode_load(load)
    assert frames.fits(len(header), len(payload))
    assert messages.with_sources(messages.decode_request(header), payload) == load


# --- every frame


@FUZZ
@given(st.lists(st.binary(max_size=40) | REPLIES.map(messages.encode).map(frame), max_size=4).map(b"".join))
def test_arbitrary_bytes_end_in_frames_or_a_typed_error(data):
    left, right = socket.socketpair()
    with left, right:
        right.sendall(data)
        right.shutdown(socket.SHUT_WR)
        channel = SocketChannel(left)
        tracemalloc.start()
        started = time.monotonic()
        try:
            with contextlib.suppress(ProtocolError, Closed, Overdue):
                while True:
                    messages.decode_reply(channel.receive(time.monotonic() + 1)[0])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert time.monotonic() - started < 5
        assert peak < 2 * (frames.MAX_HEADER_BYTES + frames.MAX_PAYLOAD_BYTES)


# --- a worker whose replies are generated


@dataclass
class Liar:
    """A worker that has sent all its replies before the first request."""

    channel: SocketChannel

    def end(self, patience_s: float = 0.0) -> orders.Ending:  # noqa: ARG002
        self.channel.close()
        return orders.Ending()


@dataclass
class Liars:
    """Starts workers that lie."""

    said: bytes

    def start(self, cpu_limit_s: int) -> Liar:  # noqa: ARG002
        left, right = socket.socketpair()
        up = frame(messages.encode(Loaded(names=())))
        right.sendall(up + up + self.said)
        right.shutdown(socket.SHUT_WR)
        right.close()
        return Liar(SocketChannel(left))


def use(student: Student) -> None:
    """Use a function and a module as suites do."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    result = student.halve(x)
    assert_matches(result, torch.tensor([0.5, 1.0]))
    result.sum().backward()
    model = student.Net()
    assert_matches(model(x), x)
    assert_matches(model.state_dict(), {"weight": x})


@FUZZ
@given(st.lists(st.tuples(REPLIES, st.binary(max_size=32)), max_size=6))
def test_a_lying_worker_fails_the_check_and_nothing_else(replies):
    said = b"".join(frame(messages.encode(reply), payload) for reply, payload in replies)
    sandbox = Sandbox(Liars(said), Load(module="m", sources={}), Limits(call_limit_s=2.0))
    started = time.monotonic()
    try:
        use(Student(Conversation(sandbox)))
    except CallFailed as ending:
        assert ending.outcome is not Outcome.INTERNAL_ERROR
        assert ending.outcome is not Outcome.PASSED
    except (Mismatch, TypeError, AttributeError, ValueError, RuntimeError, KeyError):
        pass  # a wrong value, used as if it were right: the grading process attributes this to the student
    finally:
        sandbox.close()
    assert time.monotonic() - started < 10


# --- a worker that lies during a whole grading

FUZZER = """
import random

from grader.sandbox.worker.service import Service
from grader.sandbox.protocol import messages as m

DICE = random.Random({seed})
ANSWER = Service.answer


def value(depth=0):
    kind = DICE.randrange(11 if depth < 3 else 8)
    if kind < 3:
        shape = tuple(DICE.choice([0, 1, 2, 3, 4, 2**31, 2**62]) for _ in range(DICE.randrange(4)))
        return m.TensorValue(dtype=DICE.choice(["float32", "int64", "bool", "bfloat16", "x"]), shape=shape,
                             requires_grad=DICE.random() < 0.5)
    if kind < 8:
        return DICE.choice([None, True, 0, -(2**63), 1e308, float("nan"), float("inf"), "", "a" * 1000,
                            m.ForeignValue(type_name="Odd", detail="x"), m.HandleValue(handle=7, type_name="N",
                            is_module=DICE.random() < 0.5)])
    inner = tuple(value(depth + 1) for _ in range(DICE.randrange(4)))
    if kind < 10:
        return m.ItemsValue(form=DICE.choice(["list", "tuple"]), items=inner)
    return m.EntriesValue(entries=tuple((DICE.choice(["a", 1, ""]), one) for one in inner))


def lie(self, request, payload):
    reply, data = ANSWER(self, request, payload)
    if DICE.random() < 0.3:
        return reply, data
    number = request.number if DICE.random() < 0.9 else DICE.randrange(-2, 5)
    if DICE.random() < 0.2:
        cause = DICE.choice(m.Cause.__args__)
        place = m.TracebackLine(path="exercises/halving.py", line=DICE.randrange(-5, 50), function="f", text="x")
        return m.Raised(number=number, cause=cause, type_name="E", message="m" * DICE.randrange(3), traceback=(place,)), b""
    if isinstance(reply, m.Returned) and isinstance(reply.value, m.TensorValue) and DICE.random() < 0.5:
        flip = bytes(DICE.randrange(256) for _ in range(len(data)))
        return m.Returned(number=number, value=reply.value, changed=("x",)), flip
    return m.Returned(number=number, value=value(), changed=("x",) * DICE.randrange(3)), DICE.choice([b"", data, bytes(64)])


Service.answer = lie
"""


@pytest.mark.parametrize("name", ["hostile_course", "course"])  # functions; functions and a module
@pytest.mark.parametrize("seed", range(max(20, ROUNDS // 20)))
def test_lies_of_a_worker_are_never_an_internal_error(dispatcher, tmp_path, name, seed):
    course = catalog.load(Path(__file__).parent / name)
    reference = (course.exercises[0].folder / "reference.py").read_text(encoding="utf-8")
    (tmp_path / f"{course.exercises[0].id}.py").write_text(
        reference + FUZZER.replace("{seed}", str(seed)), encoding="utf-8"
    )
    (result,) = grade_exercises(dispatcher, open_submission(tmp_path), course.exercises[:1], seed=0)
    assert result.outcome is not Outcome.INTERNAL_ERROR, result
    assert result.max_points == course.exercises[0].points
    assert result.message == "", "the explanation failed"
