"""An exercise, imported once for all its submissions: reference, fixtures and checks."""

import importlib
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from grader.core.error_location import blame
from grader.core.errors import DocumentError, Problem
from grader.core.safetext import printable
from grader.grading.engine.feedback import counterexample
from grader.grading.engine.proxy import Conversation
from grader.grading.engine.suite import old_names
from grader.grading.engine.suite.global_state import Globals
from grader.grading.engine.suite.plugin import Check, collect, run_checks
from grader.grading.messages import NotGraded
from grader.sandbox.protocol.messages import Question, Reply
from grader.sandbox.worker.service import Service

MAX_ERROR_CHARACTERS = 2000
_REHEARSALS = 2  # Python specializes code that ran a few times; a third run makes no difference
_REHEARSAL_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An imported exercise, the same for every submission: reference, fixtures and checks.

    `state` is what the globals of all three were before any check ran.
    """

    reference: ModuleType
    fixtures: Mapping[str, object]
    checks: tuple[Check, ...]
    state: Globals


def prepare(suite: Path) -> Prepared:
    """Import an exercise, given the path of its suite.

    Raises DocumentError with a problem for each file that cannot be imported, and for a suite that cannot be run.
    """
    sys.path.insert(0, str(suite.parent))
    old_names.register()
    problems: list[Problem] = []
    modules = {
        name: _imported(name, suite.parent, problems)
        for name in ("reference", "fixtures")
        if name == "reference" or (suite.parent / f"{name}.py").is_file()
    }
    checks: tuple[Check, ...] = ()
    try:
        checks = collect(suite)
    except DocumentError as error:
        problems += error.problems
    if problems:
        raise DocumentError(dict.fromkeys(problems))
    spaces = [*map(vars, modules.values()), *{id(c.globals): c.globals for c in checks}.values()]
    return Prepared(
        reference=modules["reference"],
        fixtures=vars(modules["fixtures"]) if "fixtures" in modules else {},
        checks=checks,
        state=Globals(spaces),
    )


def _imported(name: str, folder: Path, problems: list[Problem]) -> ModuleType:
    """Import a file of an exercise, or add to `problems` why it cannot be imported."""
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an error in the exercise, whatever it is: its author must read it
        unplaced = Problem(path=f"{name}.py", message=f"cannot be imported: {describe_error(error)}")
        problems.append(blame(error, folder) or unplaced)
        return ModuleType(name)


def rehearse(prepared: Prepared) -> None:
    """Run checks a few times on the reference, and a search: what happens only the first time is done before forking.

    What a check raises here it raises in a grading too, which reports it. Of a slow suite a part is enough.
    """
    until = time.monotonic() + _REHEARSAL_S
    for _ in range(_REHEARSALS):
        run_checks(
            prepared.checks,
            seed=0,
            start=lambda _: Conversation(LocalBackend(Service(vars(prepared.reference), prepared.fixtures))),
            report=lambda run: run.error is None and time.monotonic() < until,
            first_failure=True,
        )
        prepared.state.put_back()
    counterexample.warm(vars(prepared.reference))


def prepare_or_explain(suite: Path) -> Prepared | NotGraded:
    """Import an exercise, or return why no submission of it can be graded."""
    try:
        return prepare(suite)
    except DocumentError as error:
        return NotGraded(reason=str(error), problems=error.problems)
    except Exception as error:  # noqa: BLE001 - an error in the grader, whatever it is: report it, take no points
        return NotGraded(reason=describe_error(error))


def describe_error(error: BaseException) -> str:
    """Return an exception of the grader or the course as text, with the file and line that raised it.

    Its message may quote a student's value, so it has a limit.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace is not None else ""
    return f"{type(error).__name__}: {printable(str(error), limit=MAX_ERROR_CHARACTERS)}{place}"


@dataclass(slots=True)
class LocalBackend:
    """A backend in this process: the reference answers instead of the student's code."""

    service: Service

    def ask(
        self,
        request: Question,
        payload: bytes,
        *,
        what: str,  # noqa: ARG002 - names the call in the errors of a sandbox; here no worker can be lost
        deadline: float,  # noqa: ARG002
    ) -> tuple[Reply, bytearray]:
        """Answer at once."""
        reply, data = self.service.answer(request, bytearray(payload))
        return reply, bytearray(data)
