"""Claims 19,000 tensors without elements and with huge axes."""

from grader.sandbox.protocol.messages import Call, ItemsValue, Returned, TensorValue
from grader.sandbox.worker.service import Service
from honest import halve, largest


def lie(self, request, payload):
    reply, data = ANSWER(self, request, payload)
    if request.__class__ is not Call or request.name != "halve":
        return reply, data
    claimed = TensorValue(dtype="bfloat16", shape=(2**40, 0, 2**20))
    return Returned(number=request.number, value=ItemsValue(form="list", items=(claimed,) * 19_000)), b""


ANSWER = Service.answer
Service.answer = lie
