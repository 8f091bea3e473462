"""A call that does not end with a value, in the words that the student reads."""

from grader.core.model import Frame, Outcome
from grader.sandbox.protocol.messages import Cause, Raised, TracebackLine

_OUTCOMES: dict[Cause, Outcome] = {
    "raised": Outcome.RAISED,
    "explained": Outcome.RAISED,
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
    """A call did not end with a value. `sentence` is student-safe apart from the student's own text.

    `kind` is the type of the exception, where the student's code raised one.
    """

    def __init__(
        self,
        outcome: Outcome,
        sentence: str,
        traceback: tuple[Frame, ...] = (),
        cause: Cause | None = None,
        kind: str = "",
    ) -> None:
        super().__init__(sentence)
        self.outcome = outcome
        self.sentence = sentence
        self.traceback = traceback
        self.cause = cause
        self.kind = kind
        self.where = ""  # a suite may add the step of a model at which its shapes go wrong


def failure(label: str, reply: Raised) -> CallFailed:
    """Turn what the student's code raised into the sentence and the traceback the student reads."""
    message, kind = shown(reply.message), type_shown(reply.type_name)
    reason = f": {message}" if message else ""
    line = shown(reply.traceback[-1].text) if reply.traceback else ""
    bare = (
        f" at `{line}`" if kind == "AssertionError" and line.startswith("assert") else ", without a message"
    )
    what_was_raised = f"`{label}` raised {kind}{reason or bare}"
    from_worker = message if _has_words(message) else sentence_of(what_was_raised)  # a whole sentence
    sentences: dict[Cause, str] = {
        "raised": what_was_raised,
        "explained": from_worker,
        "syntax": f"Python cannot read your file{reason}",
        "not_implemented": f"`{label}` is not written yet.",
        "missing": from_worker,
        "device": from_worker,
        "signature": from_worker,
        "memory": f"`{label}` asked for more memory than it may use{reason}",
        "banned": from_worker,
        "refused": f"`{label}` was refused{reason}. Graded code may open no files, sockets or processes.",
        "exit": f"`{label}` called {message or 'exit'}: a function returns its result, and never ends the program.",
        "detached": f"`{label}`: {from_worker} Keep to torch operations, without .detach(), .item() or numpy.",
    }
    sentence = sentence_of(sentences[reply.cause])
    return CallFailed(_OUTCOMES[reply.cause], sentence, frames(reply.traceback), reply.cause, reply.type_name)


def shown(text: str) -> str:
    """Return a text on one line, in quotes where it has neither letters nor digits; "" where there is none."""
    line = " ".join(text.split())
    return line if not line or _has_words(line) else repr(line)


def _has_words(text: str) -> bool:
    return any(map(str.isalnum, text))


def type_shown(name: str) -> str:
    """Return the name of a type; what stands for it where it is blank."""
    return name.strip() or "an object whose type has no name"


def frames(lines: tuple[TracebackLine, ...]) -> tuple[Frame, ...]:
    """Return a traceback as records."""
    return tuple(
        Frame(path=line.path, line=line.line, function=line.function, text=line.text) for line in lines
    )


def sentence_of(text: str) -> str:
    """Return `text` with a capital letter and a full stop, which replaces a colon or comma at its end."""
    text = (text[:1].upper() + text[1:]).rstrip(" :,;")
    return text if text.endswith((".", "!", "?")) else f"{text}."
