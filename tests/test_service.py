"""What a worker sends stays within the limits of a message, whatever the student's code returns or raises."""

import builtins
import contextlib
import json
import os
import sys
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from grader.sandbox.protocol import messages
from grader.sandbox.protocol.messages import Backward, Call, EntriesValue, ItemsValue, Load, Raised, Returned
from grader.sandbox.protocol.values import Packer, foreign
from grader.sandbox.worker import server
from grader.sandbox.worker.global_state import GlobalState
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


# --- exceptions of every kind

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.floats(), st.integers(), st.sampled_from([-1, 2**31, 2**63, 2**64, 10**30]),
    st.text(st.characters(), max_size=400), st.binary(max_size=9), st.lists(st.integers(), max_size=2),
    st.builds(object), st.just({}), st.sampled_from(["m.py", "m" * 400]),
)  # fmt: skip
KINDS = [ValueError, SyntaxError, KeyError, OSError, PermissionError, SystemExit, MemoryError, NotImplementedError,
         AssertionError, UnicodeDecodeError, ImportError, StopIteration, BaseException, TypeError]  # fmt: skip
ATTRIBUTES = ["filename", "lineno", "offset", "text", "msg", "args", "__notes__", "__cause__", "code", "name"]


def of_odd_code(error: BaseException, path: str, function: str, line: int) -> BaseException:
    """Return the exception, raised by code that claims another file, name and line."""
    namespace = {"error": error}
    code = compile("def f():\n    raise error", "m.py", "exec")
    exec(code, namespace)
    with contextlib.suppress(ValueError, TypeError, UnicodeError, OverflowError):
        namespace["f"].__code__ = namespace["f"].__code__.replace(
            co_filename=path, co_name=function, co_firstlineno=line
        )
    with contextlib.suppress(BaseException):
        namespace["f"]()
    return error


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.text(st.characters(), min_size=0, max_size=150),
    st.lists(ANYTHING, max_size=5),
    st.dictionaries(st.sampled_from(ATTRIBUTES), ANYTHING),
    st.sampled_from(["m.py", "m" * 400, "\ud800", "<x>"]),
    st.sampled_from([-5, 0, 1, 2**31 - 1]),
    st.data(),
)
def test_every_exception_arrives_described(kind, name, args, attributes, path, line, data):
    named = type(kind)("E", (kind,), {})
    with contextlib.suppress(ValueError, UnicodeError):  # a name with a null character
        named.__name__ = name
    error = named.__new__(named, *args)
    with contextlib.suppress(Exception):
        error.__init__(*args)
    for attribute, value in attributes.items():
        with contextlib.suppress(TypeError, AttributeError):
            setattr(error, attribute, value)
    error = of_odd_code(error, path, data.draw(st.text(st.characters(), max_size=120)), line)
    reply = raised(1, error, frozenset({"m.py", "m" * 400, "\ud800"}))
    arrived = messages.decode_reply(messages.encode(reply))
    assert arrived == reply


class Text(str):
    """A text of which every part is something else."""

    def __getitem__(self, _):
        return 5

    def rstrip(self, *_):
        return 5

    __hash__ = str.__hash__


AT_IMPORT = {
    "a text that is a number": "raise SyntaxError('m', ('exercises/m.py', 'x', 1, 't'))",
    "a huge line": "raise SyntaxError('m', ('exercises/m.py', 10**30, 1, 't'))",
    "a true line": "raise SyntaxError('m', ('exercises/m.py', True, 1, 't'))",
    "a list for a file": "raise SyntaxError('m', (['m.py'], 1, 1, 't'))",
    "a number for a message": "error = SyntaxError(5); error.filename = 'exercises/m.py'; raise error",
    "half a character": "raise ValueError('\\ud800')",
    "a text of another kind": "raise type('E', (Exception,), {'__str__': lambda self: TEXT('m')})()",
    "a false class": "raise type('E', (Exception,), {'__class__': property(lambda self: 1 / 0)})()",
    "a metaclass": "raise type('M', (type,), {'__name__': property(lambda c: 1 / 0)})('E', (Exception,), {})()",
    "a loader": "exec(compile('1 / 0', 'other.py', 'exec'), {'__name__': 'o', '__loader__': type('L', (), "
    "{'get_source': lambda *_: 1 / 0})()})",
}


@pytest.mark.parametrize("name", AT_IMPORT)
def test_every_exception_of_an_import_arrives_described(name):
    source = AT_IMPORT[name]
    if "TEXT" in source:
        source = f"import builtins\nTEXT = builtins.odd_text\n{source}"
    try:
        builtins.odd_text = Text
        _, reply = server.load(Load(module="m", root="exercises/", sources={"m.py": source}), GlobalState())
    finally:
        del builtins.odd_text
    assert messages.decode_reply(messages.encode(reply)) == reply
    assert isinstance(reply, Raised)


def test_names_that_are_no_names_do_not_end_the_worker():
    source = "globals()[5] = globals()['a\\ud800'] = 1"
    _, reply = server.load(Load(module="m", sources={"m.py": source}), GlobalState())
    assert messages.decode_reply(messages.encode(reply)).names == ("a?",)
    reply, _ = call(Service({5: 1, "relv\ud800": 1}), name="relu")
    assert reply.cause == "missing"


@pytest.mark.parametrize(("value", "kind"), [(None, "None"), (3, "of type int"), ([], "of type list")])
def test_a_name_that_is_no_function_is_said_to_be_none(value, kind):
    reply, _ = call(Service({"f": value}))
    assert reply.message == f"`f` is not a function: it is {kind}."


def test_the_steps_of_a_trace_fit_into_a_frame():
    class Deep(nn.Module):
        def forward(self, x):
            for _ in range(200):
                x = x.unsqueeze(0)
            return x

    packer = Packer(foreign)
    assert isinstance(packer.pack(shape_trace(Deep(), torch.ones(2))), ItemsValue)


def test_a_stream_whose_flush_raises_does_not_end_the_worker(monkeypatch):
    monkeypatch.setattr(sys, "stdout", type("Broken", (), {"flush": lambda _: 1 / 0})())
    server._flush()


@pytest.mark.parametrize(("count", "listed"), [(1_000, 1_000), (1_001, 1_000)])
def test_a_module_lists_a_thousand_names(count, listed):
    source = "\n".join(f"n{n} = 0" for n in range(count))
    _, reply = server.load(Load(module="many", sources={"many.py": source}), GlobalState())
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


# --- what a student's code can set for the whole process, and what is seen of it afterward

SET = {
    "default device": "torch.set_default_device('meta')",
    "a device that is not here": "torch.set_default_device('cuda')",
    "a device twice": "torch.set_default_device('meta'); torch.device('cuda').__enter__()",
    "default dtype": "torch.set_default_dtype(torch.float64)",
    "default tensor type": "torch.set_default_tensor_type(torch.DoubleTensor)",
    "grad mode": "torch.set_grad_enabled(False)",
    "no_grad, entered": "torch.no_grad().__enter__()",
    "inference mode": "KEPT.append(torch.inference_mode()); KEPT[-1].__enter__()",
    "deterministic algorithms": "torch.use_deterministic_algorithms(True)",
    "warn only": "torch.use_deterministic_algorithms(True, warn_only=True)",
    "filling": "torch.utils.deterministic.fill_uninitialized_memory = False",
    "autocast": "torch.autocast('cpu').__enter__()",
    "autocast dtype": "torch.set_autocast_dtype('cpu', torch.float16)",
    "anomaly mode": "torch.autograd.set_detect_anomaly(True)",
    "warnings of torch": "torch.set_warn_always(True)",
    "precision": "torch.set_float32_matmul_precision('medium')",
    "threads": "torch.set_num_threads(3)",
    "denormal numbers": "torch.set_flush_denormal(True)",
    "print options": "torch.set_printoptions(precision=1, sci_mode=True)",
    "warnings filters": "warnings.simplefilter('error')",
    "one warnings filter": "warnings.filterwarnings('error', message='x')",
    "numpy's errors": "np.seterr(all='raise')",
    "numpy's print options": "np.set_printoptions(precision=1)",
    "mkldnn": "torch.backends.mkldnn.set_flags(False)",
    "function mode": "Mode().__enter__()",
    "dispatch mode": "Dispatch().__enter__()",
    "saved tensors": "torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t).__enter__()",
    "forward hook": "nn.modules.module.register_module_forward_hook(lambda *a: a[-1] * 2)",
    "parameter hook": "nn.modules.module.register_module_parameter_registration_hook(lambda *a: None)",
    "multithreading": "torch._C._set_multithreading_enabled(False)",
    "random numbers": "torch.manual_seed(7); np.random.seed(7); random.seed(7)",
    "the generator's state": "torch.set_rng_state(torch.get_rng_state().roll(1))",
}
MODULE = """
import random, warnings
import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

KEPT = []

class Mode(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))

class Dispatch(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))

def change():
    SET_IN_A_CALL
    return [1.0]

def new():
    return torch.ones(2)

def look():
    x = torch.ones(2, requires_grad=True)
    return {
        "made": str((torch.ones(2) / 3).tolist()), "device": str(torch.empty(0).device), "dtype": str(torch.tensor(0.5).dtype),
        "grad": torch.is_grad_enabled(), "tracked": (x * 2).requires_grad, "inference": torch.is_inference_mode_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "fill": torch.utils.deterministic.fill_uninitialized_memory, "autocast": torch.is_autocast_enabled("cpu"),
        "autocast dtype": str(torch.get_autocast_dtype("cpu")), "anomaly": torch.is_anomaly_enabled(),
        "always": torch.is_warn_always_enabled(), "precision": torch.get_float32_matmul_precision(),
        "threads": torch.get_num_threads(), "denormal": (torch.tensor(1e-44) * 1.0).item(), "printed": repr(torch.ones(1) / 3),
        "filters": str(warnings.filters), "errors": str(np.geterr()), "numpy": repr(np.ones(1) / 3),
        "mkldnn": torch.backends.mkldnn.enabled, "modes": torch._C._len_torch_function_stack(),
        "dispatch": torch._C._len_torch_dispatch_stack(), "layer": nn.Identity()(torch.ones(1)).item(),
        "parameters": len(list(nn.Linear(1, 1).parameters())),
        "saved": not getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", lambda _: None)(True),
        "multithreading": torch._C._is_multithreading_enabled(),
        "random": [random.random(), float(np.random.rand()), torch.rand(1).item()],
    }
SET_AT_IMPORT
"""


def seen_after(at_import: str, in_a_call: str) -> dict:
    """Return what a function sees in a worker whose module set something, at its import or in a call before it."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        seen: dict = {"died": True}
        with contextlib.suppress(BaseException):
            torch.set_num_threads(1)
            warnings.simplefilter("ignore")  # pytest makes errors of them
            state = GlobalState()
            source = MODULE.replace("SET_IN_A_CALL", in_a_call).replace("SET_AT_IMPORT", at_import)
            service, reply = server.load(Load(module="m", root="exercises/", sources={"m.py": source}), state)
            if isinstance(reply, Raised):
                seen = {"refused": reply.message}
            else:
                answers = [
                    server._answer(
                        service,
                        Call(number=n, owner="student", name=name, args=NO_ARGS, kwargs=NO_KWARGS),
                        bytearray(),
                    )
                    for n, name in enumerate(["change", "look", "new"])
                ]
                replies = [messages.decode_reply(header).value for header, _ in answers]
                seen = {key: repr(value) for key, value in replies[1].entries} | {
                    "first": repr(replies[0]),
                    "new": repr(replies[2]),
                }
        os.write(writing, json.dumps(seen).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = json.loads(pipe.read())
    os.wait()
    return answer


@pytest.fixture(scope="module")
def untouched() -> dict:
    seen = seen_after("", "pass")
    assert "TensorValue" in seen["new"]
    return seen


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("name", SET)
def test_what_one_call_set_for_the_whole_process_no_later_one_sees(untouched, name):
    assert seen_after("", SET[name]) == untouched


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("name", SET)
def test_what_a_module_set_at_its_import_no_call_sees(untouched, name):
    seen = seen_after(SET[name], "pass")
    if "device" in name and "default dtype" not in name:
        assert "the default device" in seen["refused"]
    else:
        assert seen == untouched


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            "torch.set_default_device('cuda')",
            'Your file makes cuda the default device; there is none here: write device = "cuda" if '
            'torch.cuda.is_available() else "cpu".',
        ),
        (
            "torch.set_default_device('cuda:1')\ntorch.ones(1)",
            'Your file makes cuda the default device; there is none here: write device = "cuda" if '
            'torch.cuda.is_available() else "cpu".',
        ),
        ("torch.set_default_device('mps')", "torch.backends.mps.is_available()"),
        ("torch.set_default_device('meta')", "Your file makes meta the default device; leave it at the CPU."),
    ],
)
def test_a_default_device_that_is_not_here_is_named(source, sentence):
    assert sentence in seen_after(source, "pass")["refused"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_student_code_sees_nothing_of_the_host_process():
    source = "import sys, argparse; p = argparse.ArgumentParser(); p.add_argument('--lr', default=1); p.parse_args()\n"
    source += "import __main__; raise ValueError(sys.argv, sys.orig_argv, sorted(vars(__main__)), __main__.__file__, input)"
    before = sys.argv[:], sys.orig_argv[:]
    refused = seen_after(source, "pass")["refused"]
    assert refused.startswith(
        "(['exercises/m.py'], ['python', 'exercises/m.py'], ['__doc__', '__file__', '__loader__',"
    )
    assert "'exercises/m.py', <" in refused
    assert (sys.argv, sys.orig_argv) == before


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("torch.set_grad_enabled(False)", ("gradients",)),
        ("torch.no_grad().__enter__()", ("gradients",)),
        (
            "torch.set_default_dtype(torch.float64)\n    torch.set_grad_enabled(False)",
            ("default dtype", "gradients"),
        ),
        ("with torch.no_grad():\n        pass", ()),
        ("torch.set_grad_enabled(False)\n    torch.set_grad_enabled(True)", ()),
        ("torch.set_printoptions(precision=2)", ()),
    ],
)
def test_a_reply_names_the_settings_that_a_call_left_changed(text, settings):
    state = GlobalState()
    source = f"import torch\ndef f(x):\n    {text}\n    return x\n"
    service, _ = server.load(Load(module="m", sources={"m.py": source}), state)
    for number in (0, 1):  # what was changed is put back, and changed again by the next call
        request = Call(
            number=number,
            owner="student",
            name="f",
            args=ItemsValue(form="tuple", items=(1,)),
            kwargs=NO_KWARGS,
        )
        reply, _ = service.answer(request, bytearray())
        assert reply.settings == settings
        assert torch.is_grad_enabled()
