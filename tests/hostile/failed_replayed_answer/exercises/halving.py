"""Sends its first answer again and again."""

from grader.sandbox.worker.service import Service
from honest import halve, largest


ANSWER, KEPT = Service.answer, []


def always_the_first(self, request, payload):
    if not KEPT:
        KEPT.append(ANSWER(self, request, payload))
    return KEPT[0]


Service.answer = always_the_first
