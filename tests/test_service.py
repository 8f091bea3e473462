"""What a worker sends stays within the limits of a message, whatever the student's code returns or raises."""

import pytest
import torch
from torch import nn

from grader.sandbox.protocol import messages
from grader.sandbox.protocol.messages import Backward, Call, EntriesValue, ItemsValue, Load, Raised, Returned
from grader.sandbox.protocol.values import Packer, foreign
from grader.sandbox.worker import server
from grader.sandbox.worker.service import Service
from grader.sandbox.worker.service.exceptions import raised
from grader.sandbox.worker.service.tracing import shape_trace

NO_ARGS, NO_KWARGS = ItemsValue(form="tuple", items=()), EntriesValue(entries=())


def call(service: Service, *, name: str = "f", number: int = 1, record: bool = False, args=()):
    packer = Packer(foreign)
    packed = packer.pack(tuple(args))
    request = Call(number=number, owner="student", name=name, args=packed, kwargs=NO_KWARGS, record=record)
    reply, payload = service.answer(request, bytearray(packer.payload))
    messages.decode_reply(messages.encode(reply))
    return reply, payload


@pytest.mark.parametrize(("size", "shown"), [(2_000, 2_000), (2_001, 2_000)])
def test_the_message_of_an_exception_is_cut_at_2000_characters(size, shown):
    assert len(raised(1, ValueError("m" * size), frozenset()).message) == shown


def test_the_type_of_an_exception_is_a_name():
    error = type("E\u202e" + "x" * 200, (Exception,), {})()
    found = raised(1, error, frozenset())
    assert found.type_name == "E?" + "x" * 98
    messages.decode_reply(messages.encode(found))


@pytest.mark.parametrize(("depth", "lines"), [(19, 20), (20, 20), (30, 20)])
def test_a_traceback_ends_with_its_innermost_twenty_lines(depth, lines):
    source = "def f(n):\n    return f(n - 1) if n else 1 / 0\n"
    namespace: dict = {}
    exec(compile(source, "m.py", "exec"), namespace)
    reply, _ = call(Service(namespace, own_files=frozenset({"m.py"})), args=(depth,))
    assert isinstance(reply, Raised)
    assert len(reply.traceback) == lines
    assert reply.traceback[-1].function == "f"


def test_the_text_and_the_path_of_a_line_are_cut_at_300_characters():
    path = "p" * 301
    error = SyntaxError("m", (path, 1, 1, "t" * 301))
    (line,) = raised(1, error, frozenset({path})).traceback
    assert (len(line.path), len(line.text)) == (300, 300)


@pytest.mark.parametrize(("count", "listed"), [(1_000, 1_000), (1_001, 1_000)])
def test_a_module_lists_a_thousand_names(count, listed):
    source = "\n".join(f"n{n} = 0" for n in range(count))
    _, reply = server.load(Load(module="many", sources={"many.py": source}))
    assert len(reply.names) == listed
    messages.decode_reply(messages.encode(reply))


def test_a_trace_has_two_hundred_steps():
    class Adding(nn.Module):
        def __init__(self, times: int) -> None:
            super().__init__()
            self.times = times

        def forward(self, x):
            for _ in range(self.times):
                x = torch.relu(x)
            return x

    assert len(shape_trace(Adding(199), torch.ones(1))) == 199
    assert len(shape_trace(Adding(200), torch.ones(1))) == 200
    assert len(shape_trace(Adding(201), torch.ones(1))) == 200


def test_a_graph_is_used_once_and_with_one_gradient_for_each_result():
    service = Service({"f": lambda x: (x * 2, x * 3)})
    x = torch.ones(2, requires_grad=True)
    for gradients, words in (((torch.ones(2),), "one gradient for each result"), ((torch.ones(2),) * 2, "")):
        call(service, record=True, args=(x,))
        packer = Packer(foreign)
        request = Backward(number=2, call=1, gradients=packer.pack(gradients))
        reply, _ = service.answer(request, bytearray(packer.payload))
        assert isinstance(reply, Raised if words else Returned)
        again, _ = service.answer(request, bytearray(packer.payload))
        assert "no graph any more" in again.message


@pytest.mark.parametrize("handle", [-1, 1])
def test_an_object_that_is_not_kept_cannot_be_called(handle):
    service = Service({"f": lambda: nn.Linear(1, 1)})
    call(service)
    request = Call(number=2, owner="handle", name="eval", handle=handle, args=NO_ARGS, kwargs=NO_KWARGS)
    assert f"There is no object {handle}." in service.answer(request, bytearray())[0].message
    request = Call(number=3, owner="handle", name="eval", handle=0, args=NO_ARGS, kwargs=NO_KWARGS)
    assert isinstance(service.answer(request, bytearray())[0], Returned)
