"""What a suite uses in place of the student's module. Every value that comes back has been validated.

`student.max_pool2d(x, 2)` calls into the worker; `student.LeNet()` is a module in the worker;
`student.fixtures.small_cnn()` runs the exercise's fixtures beside the student's code.
"""

from typing import Literal

from grader.grading.engine.proxy.call_failure import CallFailed, failure, frames
from grader.grading.engine.proxy.conversation import (
    Backend,
    CallRecord,
    Conversation,
    Exchange,
    RemoteModule,
    RemoteObject,
)
from grader.grading.engine.proxy.foreign import ForeignNumber, ForeignResult

__all__ = [
    "Backend",
    "CallFailed",
    "CallRecord",
    "Conversation",
    "Exchange",
    "ForeignNumber",
    "ForeignResult",
    "RemoteModule",
    "RemoteObject",
    "Student",
    "failure",
    "frames",
]


class RemoteFunction:
    """A name of the student's module, or of the fixtures beside it, that can be called."""

    def __init__(self, conversation: Conversation, owner: Literal["student", "fixtures"], name: str) -> None:
        self._conversation, self._owner, self.__name__ = conversation, owner, name

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Call it in the worker and return the validated result."""
        return self._conversation.call(self._owner, self.__name__, args, kwargs)


class Names:
    """Gives a remote function for every public name asked of it."""

    def __init__(self, conversation: Conversation, owner: Literal["student", "fixtures"]) -> None:
        self._conversation, self._owner = conversation, owner

    def __getattr__(self, name: str) -> RemoteFunction:
        if name.startswith("_"):
            raise AttributeError(name)
        return RemoteFunction(self._conversation, self._owner, name)


class Student(Names):
    """The student's module, as the fixture `student` of a suite gives it."""

    def __init__(self, conversation: Conversation) -> None:
        super().__init__(conversation, "student")
        self.fixtures = Names(conversation, "fixtures")

    def changed_inputs(self) -> tuple[str, ...]:
        """Return the names of the arguments that the last call changed in place."""
        return self._conversation.changed

    def changed_settings(self) -> tuple[str, ...]:
        """Return the settings of the process that a call of this check left changed: "gradients", "default dtype"."""
        return tuple(sorted({setting for _, setting in self._conversation.settings}))

    def last_called(self) -> str:
        """Return the name of what was called last: `max_pool2d`, `BatchNorm2d(...).forward`; "" before any call."""
        return self._conversation.calls[-1].name if self._conversation.calls else ""
