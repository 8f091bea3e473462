"""What is said to the zygote and to keepers: a few bytes each, naming no submission."""

from typing import Literal

import msgspec

MAX_ORDER_BYTES = 64 * 1024
DESCRIPTORS = 2  # that come with each order
LAYERS = ("seccomp", "Landlock", "namespaces")  # what levels 1, 2 and 3 add


class _Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class WorkerOrder(_Message, frozen=True, kw_only=True):
    """What kind of worker to start."""

    memory_limit_mib: int
    output_limit_kib: int
    cpu_limit_s: int = 120
    banned_operators: tuple[str, ...] = ()


class GradeOrder(_Message, frozen=True, kw_only=True, tag="grade"):
    """Fork a grading process; descriptors: its job channel, and an end of the zygote's control socket.

    It is forked from a process that holds the suite, given by its path and by a `version` that another state of its
    files would not have. Jobs that run side by side have different slots: their workers run on different cores.
    """

    suite: str
    version: str
    wall_limit_s: int
    slot: int = 0
    warm: tuple[str, ...] = ()


class ForkOrder(_Message, frozen=True, kw_only=True, tag="fork"):
    """Fork a worker; descriptors: its call channel, and a control channel, on which its keeper tells how it ended."""

    worker: WorkerOrder
    slot: int = 0


Order = GradeOrder | ForkOrder


class Missing(_Message, frozen=True, kw_only=True):
    """A layer that this machine does not give, and why; `code` is the kernel's error, such as EPERM, if it was one."""

    layer: str
    reason: str
    code: str = ""

    def __str__(self) -> str:
        return f"{self.layer}: {self.reason}"


class Ready(_Message, frozen=True, kw_only=True):
    """The zygote's only message: it is warm, and this is what the machine gives."""

    level: int
    layers: tuple[str, ...]
    missing: tuple[Missing, ...]
    torch_version: str
    python_version: str


class Ending(_Message, frozen=True, kw_only=True):
    """How a worker ended, as its keeper saw it: by whom, an exit status or a signal, and what it printed.

    `cause` is "outside" for a SIGKILL that is neither ours nor the processor time limit's: a locked-down worker
    cannot send itself one.
    """

    cause: Literal["itself", "grader", "output_limit", "cpu_limit", "outside"] = "grader"
    exit_status: int = 0
    signal: int = 0
    output: bytes = b""
    printed_bytes: int = 0
    cpu_s: float = 0.0
