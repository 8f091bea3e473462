"""A call that does not end with a value, in the words that the student reads."""

from grader.core.model import Frame, Outcome
from grader.sandbox.protocol.messages import Cause, Raised, TracebackLine

_OUTCOMES: dict[Cause, Outcome] = {
    "raised": Outcome.RAISED,
    "syntax": Outcome.RAISED,
    "refused": Outcome.RAISED,
    "exit": Outcome.RAISED,
    "not_implemented": Outcome.NOT_ATTEMPTED,
    "memory": Outcome.MEMORY_LIMIT,
    "missing": Outcome.FAILED,
    "signature": Outcome.FAILED,
    "banned": Outcome.FAILED,
    "detached": Outcome.FAILED,
    "device": Outcome.RAISED,
}


class CallFailed(Exception):
    """A call did not end with a value. `sentence` is student-safe apart from the student's own text."""

    def __init__(
        self,
        outcome: Outcome,
        sentence: str,
        traceback: tuple[Frame, ...] = (),
        cause: Cause | None = None,
    ) -> None:
        super().__init__(sentence)
        self.outcome = outcome
        self.sentence = sentence
        self.traceback = traceback
        self.cause = cause
        self.where = ""  # a suite may add the step of a model at which its shapes go wrong


def failure(label: str, reply: Raised) -> CallFailed:
    """Turn what the student's code raised into the sentence and the traceback the student reads."""
    message = " ".join(reply.message.split())
    sentences: dict[Cause, str] = {
        "raised": f"`{label}` raised {reply.type_name}: {message}",
        "syntax": f"Python cannot read your file: {message}",
        "not_implemented": f"`{label}` is not written yet.",
        "missing": message,
        "device": message,
        "signature": message,
        "memory": f"`{label}` asked for more memory than it may use: {message}",
        "banned": message,
        "refused": f"`{label}` was refused: {message}. Graded code may open no files, sockets or processes.",
        "exit": f"`{label}` called {message}: a function returns its result, and never ends the program.",
        "detached": f"`{label}`: {message} Keep to torch operations, without .detach(), .item() or numpy.",
    }
    sentence = sentence_of(sentences[reply.cause])
    return CallFailed(_OUTCOMES[reply.cause], sentence, frames(reply.traceback), reply.cause)


def frames(lines: tuple[TracebackLine, ...]) -> tuple[Frame, ...]:
    """Return a traceback as records."""
    return tuple(
        Frame(path=line.path, line=line.line, function=line.function, text=line.text) for line in lines
    )


def sentence_of(text: str) -> str:
    """Return `text` with a capital letter and a full stop."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
