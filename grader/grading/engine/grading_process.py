"""The trusted process that grades one exercise: loads suite and reference, calls the worker, decides and explains."""

import contextlib
import gc
import importlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from grader.core import scoring
from grader.core.errors import InternalError
from grader.core.model import CheckResult, Counterexample, ExerciseResult, Flag, Frame, Outcome, Snippet
from grader.core.safetext import one_line, printable
from grader.grading import messages
from grader.grading.engine import source_flags
from grader.grading.engine.explanation import Evidence, Explanations
from grader.grading.engine.feedback import module_listing, picture, snippet, value_text
from grader.grading.engine.feedback.literals import Unwritable
from grader.grading.engine.preparation import LocalBackend, Prepared, describe_error, prepare_or_explain
from grader.grading.engine.proxy import CallFailed, CallRecord, Conversation, RemoteObject, failure
from grader.grading.engine.sent_values import SentValues
from grader.grading.engine.suite.comparison import Mismatch, type_name
from grader.grading.engine.suite.plugin import CheckRun, CheckSpec, run_checks, selected
from grader.grading.engine.suite.tolerance_use import measuring
from grader.grading.messages import CheckEnded, Graded, Job, NotGraded
from grader.sandbox.protocol.frames import Channel, Closed
from grader.sandbox.protocol.messages import Load, Setting
from grader.sandbox.protocol.orders import WorkerOrder
from grader.sandbox.spawned import Process, SpawnLauncher
from grader.sandbox.supervisor import ForkLauncher, Launcher, LoadFailed, Sandbox, WorkerLost
from grader.sandbox.worker.service import Service, seed_everything

MAX_OUTPUT_CHARACTERS = 4000
UNEXPLAINED = "No diagnosis could be made, through an error in the grader"
MAX_RATIONALE_CHARACTERS = 600
NOT_WRITTEN = "it cannot be written down, through an error in the grader"
# Methods of modules of which the student knows nothing, and those that only prepare what is compared.
_OWN_METHODS = {"gradients", "requires_grad", "parameters_by_name", "is_training"}
_PREPARING = {"train", "eval", "zero_grad", "load_state_dict"}
MAX_SNIPPETS_CHARACTERS = 2**20  # characters of all snippets together; one more still fits into a message


def _fixture_source(folder: Path) -> str:
    fixtures = folder / "fixtures.py"
    return fixtures.read_text(encoding="utf-8") if fixtures.is_file() else ""


def run_forked(
    channel: Channel,
    zygote: socket.socket,
    slot: int,
    prepared: Prepared | NotGraded,
    on_pass: Callable[[], None],
) -> None:
    """Grade the one job that comes through `channel`, with workers forked from the zygote."""
    _, job = channel.receive()
    _serve(channel, job, lambda order: ForkLauncher(zygote, order, slot), lambda _: prepared, on_pass)


def run_spawned(channel: Channel, job: bytes | bytearray, workers: list[Process]) -> None:
    """Grade a job, and send its results through `channel`, with these workers and with others like them."""
    torch.set_num_threads(1)
    _serve(channel, job, lambda order: SpawnLauncher(order, workers), prepare_or_explain)


def _serve(
    channel: Channel,
    data: bytes | bytearray,
    launcher: Callable[[WorkerOrder], Launcher],
    prepare: Callable[[Path], Prepared | NotGraded],
    on_pass: Callable[[], None] = lambda: None,
) -> None:
    """Grade a job, and send each result as it is known. `on_pass` is called before a passed result is sent."""
    job = messages.decode(data)
    if not isinstance(job, Job):
        raise TypeError(f"expected a job, not {type(job).__name__}")
    try:
        grading = ExerciseGrading(job, launcher, prepare, lambda m: channel.send(messages.fitting(m)))
        graded: messages.Message = grading.run()
    except Closed:
        return  # the command has ended
    except Exception as error:  # noqa: BLE001 - an error in the grader, whatever it is: report it, take no points
        graded = NotGraded(reason=describe_error(error))
    if isinstance(graded, Graded) and graded.result.outcome is Outcome.PASSED:
        on_pass()
    with contextlib.suppress(Closed):
        channel.send(messages.fitting(graded))


def warm() -> None:
    """Import what only some gradings need, in a process that waits for its job."""
    for name in ("hypothesis", "hypothesis.internal.conjecture.providers", "grader.course.known_mistakes"):
        importlib.import_module(name)
    seed_everything()  # imports numpy.random
    gc.collect()
    gc.freeze()


@dataclass(slots=True)
class ExerciseGrading:
    """One exercise of one submission, graded once."""

    job: Job
    launcher: Callable[[WorkerOrder], Launcher]
    prepare: Callable[[Path], Prepared | NotGraded]
    send: Callable[[messages.Message], None]
    results: dict[str, CheckResult] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)
    lost: dict[str, WorkerLost] = field(default_factory=dict)
    shares: list[float] = field(default_factory=list)
    tolerance_used: dict[str, float] = field(default_factory=dict)
    snippets: dict[str, Snippet] = field(default_factory=dict)
    prepared: Prepared = field(init=False)
    sandbox: Sandbox = field(init=False)
    settings: set[tuple[str, Setting]] = field(default_factory=set)  # what functions left changed
    sent: SentValues | None = None
    lenient: Sandbox | None = None  # where tolerated operators work, once a check has used one

    def run(self) -> Graded | NotGraded:
        """Grade, explain, flag for review, and return the result of the exercise."""
        started = time.monotonic()
        self._start_worker()
        # While the worker imports the submission, this process reads it, and imports the exercise if it has not yet.
        bans = bool(self.job.exercise.banned_operators)
        flags = source_flags.flags(self.job.sources, self.job.module, root=self.job.root, bans=bans)
        path = f"{self.job.root}{self.job.module}.py"
        flags += tuple(Flag(path=path, line=1, name=self.job.module, reason=note) for note in self.job.notes)
        prepared = self.prepare(self.job.exercise.suite)
        if isinstance(prepared, NotGraded):
            self.sandbox.close()
            return prepared
        self.prepared = prepared
        if self.job.count_sent:
            self.sent = SentValues(prepared.reference, self.job.exercise.names)
        graded = self._grade(started)
        flags += source_flags.setting_flags(
            self.settings, self.job.sources, f"{self.job.module}.py", root=self.job.root
        )
        result = replace(graded.result, flags=flags)
        return Graded(
            result=result,
            explained_by=graded.explained_by,
            tolerance_used=self.tolerance_used,
            snippets=self.snippets,
            sent={row: dict(kinds) for row, kinds in self.sent.counts.items()} if self.sent else {},
        )

    def _start_worker(self) -> None:
        self.sandbox = self._started(self.job.exercise.banned_operators)

    def _start_lenient(self) -> Sandbox:
        """Start a worker in which tolerated operators work, for all checks to come but those marked `by_hand`."""
        exercise = self.job.exercise
        tolerated = exercise.tolerated_operators
        self.lenient = self._started(
            tuple(name for name in exercise.banned_operators if name not in tolerated)
        )
        return self.lenient

    def _started(self, banned: tuple[str, ...]) -> Sandbox:
        exercise = self.job.exercise
        order = WorkerOrder(
            memory_limit_mib=exercise.limits.memory_limit_mib,
            output_limit_kib=exercise.limits.output_limit_kib,
            banned_operators=banned,
        )
        load = Load(
            module=self.job.module,
            root=self.job.root,
            sources=self.job.sources,
            fixtures=_fixture_source(exercise.folder),
            threads=self.job.threads,
        )
        sandbox = Sandbox(self.launcher(order), load, exercise.limits)
        sandbox.open(exercise.limits.exercise_limit_s)
        sandbox.start()
        return sandbox

    def _grade(self, started: float) -> Graded:
        try:
            self._load()
        except (LoadFailed, WorkerLost) as ending:
            return Graded(result=self._not_loaded(ending, time.monotonic() - started))
        self._run_checks()
        explained, problem = {}, ""
        try:
            explained = self._explain() if self.job.explain else {}
        except Exception as error:  # noqa: BLE001 - an error in the grader, after the points are final: report it, keep them
            problem = f"{UNEXPLAINED}: {describe_error(error)}."
        self._close()
        result = scoring.exercise_result(
            self.job.exercise,
            tuple(self.results.values()),
            message=problem,
            output=self._output(),
            duration_s=time.monotonic() - started,
        )
        return Graded(result=result, explained_by=explained)

    def _load(self) -> None:
        """Wait until the submission is imported. Raises LoadFailed or WorkerLost."""
        try:
            self.sandbox.ensure_loaded()
        except LoadFailed as ending:
            if not self.job.exercise.tolerated_operators or ending.reply.cause != "banned":
                raise
            self._start_lenient().ensure_loaded()

    def _close(self) -> None:
        self.sandbox.close()
        if self.lenient is not None:
            self.lenient.close()

    def _output(self) -> str:
        """Return what the submission printed: where tolerated operators work, if it uses them."""
        printed = (self.lenient or self.sandbox).output
        return printable(printed.decode("utf-8", "replace"), limit=MAX_OUTPUT_CHARACTERS)

    def _explain(self) -> dict[str, tuple[str, ...]]:
        explanations = Explanations(
            evidence=self.evidence,
            results=self.results,
            reference=self.prepared.reference,
            fixtures=self.prepared.fixtures,
            sandbox=self.lenient or self.sandbox,
            sources=self.job.sources,
            module=self.job.module,
            lost=self.lost,
            search=self.job.search,
        )
        explained = explanations.add()
        for check, found in explanations.found.items() if self.job.replay else ():
            reference = getattr(self.prepared.reference, found.name)
            with contextlib.suppress(Unwritable):  # then the check's own call stays
                self.snippets[check] = snippet.of_call(
                    self.job.module, found.name, found.args, found.kwargs, found.mismatch, reference
                )
        return explained

    # --- the module as a whole

    def _not_loaded(self, ending: LoadFailed | WorkerLost, duration_s: float) -> ExerciseResult:
        if isinstance(ending, LoadFailed):
            failed = failure(f"import {self.job.module}", ending.reply)
            outcome, message, trace = failed.outcome, failed.sentence, failed.traceback
        else:
            outcome, message, trace = ending.outcome, f"{ending.message[:1].upper()}{ending.message[1:]}.", ()
        self._close()
        return scoring.exercise_result(
            self.job.exercise,
            (),
            outcome=outcome,
            message=one_line(message, limit=MAX_RATIONALE_CHARACTERS),
            traceback=trace,
            output=self._output(),
            duration_s=duration_s,
        )

    # --- checks

    def _run_checks(self) -> None:
        job = self.job
        torch.set_num_threads(job.threads)  # this process forks nothing, so more than one is safe
        with measuring() if job.measure else contextlib.nullcontext(self.shares) as self.shares:
            run_checks(
                selected(self.prepared.checks, job.only),
                seed=job.seed,
                start=self._start,
                report=self._report,
                first_failure=job.first_failure,
            )

    def _sandbox_of(self, spec: CheckSpec) -> Sandbox:
        """Return the worker that answers a check: one marked `by_hand` tolerates no banned operator."""
        return self.sandbox if self.lenient is None or spec.by_hand else self.lenient

    def _start(self, spec: CheckSpec) -> Conversation:
        sandbox = self._sandbox_of(spec)
        return Conversation(sandbox, time.monotonic() + self.job.exercise.limits.check_limit_s, self.lost)

    def _uses_tolerated(self, run: CheckRun) -> bool:
        """Return whether a check ended at an operator that only the checks marked `by_hand` refuse.

        That is what the worker says. A false claim gains nothing: there all other operators stay switched off.
        """
        refused = isinstance(run.error, CallFailed) and run.error.cause == "banned"
        tolerates = bool(self.job.exercise.tolerated_operators) and not run.spec.by_hand
        return refused and tolerates and self.lenient is None

    def _again(self, run: CheckRun) -> CheckRun:
        """Run a check once more, where tolerated operators work."""
        self.sandbox.reset(len(run.conversation.exchanges))
        self._start_lenient()
        self.shares.clear()
        conversation, error = self._start(run.spec), None
        started = time.monotonic()
        try:
            assert run.rerun is not None
            run.rerun(conversation)
        except BaseException as raised:  # noqa: BLE001 - as in the first run: the report classifies it
            error = raised
        duration_s = run.duration_s + time.monotonic() - started
        return replace(run, conversation=conversation, error=error, duration_s=duration_s)

    def _report(self, run: CheckRun) -> bool:
        if self._uses_tolerated(run):
            run = self._again(run)
        conversation = run.conversation
        self.settings |= conversation.settings
        result = self._result(run)
        self.results[run.spec.id] = result
        if self.shares:
            self.tolerance_used[run.spec.id] = max(self.shares)
            self.shares.clear()
        self.evidence.add(run, result.outcome, self.job.exercise.names)
        if self.job.replay and run.error is not None:
            self.snippets[run.spec.id] = self._snippet(run, run.error, result.outcome)
        if self.sent and conversation.complete:
            self.sent.add(conversation.exchanges)
        self._sandbox_of(run.spec).reset(len(conversation.exchanges))
        if self.job.tell_checks:
            self.send(CheckEnded(result=result))
        return result.outcome is Outcome.PASSED

    def _snippet(self, run: CheckRun, error: BaseException, outcome: Outcome) -> Snippet:
        """Write the calls of the check as code, or why that cannot be done."""
        if outcome is Outcome.INTERNAL_ERROR:
            return Snippet(reason="it failed through an error in the grader")
        if sum(len(one.code) for one in self.snippets.values()) > MAX_SNIPPETS_CHARACTERS:
            return Snippet(reason="there are others before it, and they are large: fix those first")
        try:
            found = snippet.of_check(self.job.module, run.conversation, error, vars(self.prepared.reference))
            large = len(found.code) > MAX_SNIPPETS_CHARACTERS
            return (
                Snippet(reason="its calls have too many values for a file that a person reads")
                if large
                else found
            )
        except Unwritable as why:
            return Snippet(reason=str(why))
        except Exception as failed:  # noqa: BLE001 - an error in the grader, and no reason not to grade
            return Snippet(reason=f"{NOT_WRITTEN}: {describe_error(failed)}")

    def _result(self, run: CheckRun) -> CheckResult:
        spec, error = run.spec, run.error
        plain = CheckResult(
            id=spec.id,
            title=spec.title,
            outcome=Outcome.PASSED,
            points=spec.points,
            max_points=spec.points,
            duration_s=run.duration_s,
        )
        if run.waits_for:
            waits = self.results[run.waits_for].title
            return replace(plain, outcome=Outcome.SKIPPED, points=0.0, rationale=f"Waits for: {waits}.")
        if error is None:
            return plain
        outcome, rationale, frames = self._ending(run, error)
        failed = replace(plain, outcome=outcome, points=0.0)
        if outcome is not Outcome.INTERNAL_ERROR:
            failed = replace(failed, passage=self.job.exercise.passage(spec.id))
        example = self._example(run.conversation, error) if outcome is not Outcome.INTERNAL_ERROR else None
        rationale = one_line(rationale, limit=MAX_RATIONALE_CHARACTERS)
        shown = picture.picture(error, example.call) if example and isinstance(error, Mismatch) else None
        return replace(failed, rationale=rationale, counterexample=example, picture=shown, traceback=frames)

    def _ending(self, run: CheckRun, error: BaseException) -> tuple[Outcome, str, tuple[Frame, ...]]:
        """Return the outcome, the rationale and the student's own traceback of what a check raised."""
        if isinstance(error, CallFailed):
            return error.outcome, error.sentence, error.traceback
        if isinstance(error, InternalError):
            return Outcome.INTERNAL_ERROR, str(error), ()
        if isinstance(error, AssertionError):
            return Outcome.FAILED, str(error) or "The result is not the expected one.", ()
        if self._reference_passes(run):
            return Outcome.FAILED, self._unusable(run.conversation, error), ()
        return Outcome.INTERNAL_ERROR, f"The suite is broken: {describe_error(error)}", ()

    def _reference_passes(self, run: CheckRun) -> bool:
        """Find out whether the suite or the submission caused an error: run the check once more on the reference."""
        assert run.rerun is not None
        try:
            run.rerun(
                Conversation(LocalBackend(Service(vars(self.prepared.reference), self.prepared.fixtures)))
            )
        except Exception:  # noqa: BLE001 - any failure on the reference means that the suite is broken
            return False
        return True

    @staticmethod
    def _unusable(conversation: Conversation, error: BaseException) -> str:
        last = conversation.calls[-1] if conversation.calls else None
        if last is None:
            return f"The check could not go on: {error}."
        if last.result is None:
            return f"`{last.name}` returned None. Does its last line return the result?"
        if "require grad" in str(error) or "require gradients" in str(error):
            return _without_gradient(last)
        if isinstance(error, AttributeError) and not isinstance(last.result, torch.Tensor):
            return f"`{last.name}` returned {type_name(last.result)}, where a tensor is expected."
        return f"What `{last.name}` returned cannot be used here: {error}."

    def _example(self, conversation: Conversation, error: BaseException) -> Counterexample | None:
        record = _compared(conversation.calls, error)
        if record is None:
            return None
        wrong = error if isinstance(error, Mismatch) else None
        return value_text.counterexample(
            record,
            self._signature_of(record),
            wrong,
            listing=lambda thing: module_listing.listing(thing, self.prepared.fixtures),
            made_by=None if record.maker is None else self._signature_of(record.maker),
        )

    def _signature_of(self, record: CallRecord) -> Callable[..., object] | None:
        """Return the reference's function whose signature names the parameters of a call, or its module's forward."""
        found = getattr(self.prepared.reference, record.root, None)
        if record.name == record.root:
            return found
        return getattr(found, "forward", None) if record.name.endswith(".forward") else None


def _without_gradient(last: CallRecord) -> str:
    """Say why a result has no gradient."""
    result = last.result
    if isinstance(result, torch.Tensor) and not result.is_floating_point():
        dtype = str(result.dtype).removeprefix("torch.")
        return f"`{last.name}` returned {dtype}, and only floating-point numbers have a gradient."
    return (
        f"What `{last.name}` returned is cut off from the graph: keep to torch operations, "
        "without .detach(), .item(), numpy or torch.no_grad()."
    )


def _compared(calls: list[CallRecord], error: BaseException) -> CallRecord | None:
    """Return the call whose result was compared, or the last one that computes something where that is unknown."""
    if isinstance(error, Mismatch) and isinstance(error.got, torch.Tensor) and error.got.numel():
        for record in reversed(calls):
            # A view of the result counts: suites compare `result.flatten(1)` too.
            if isinstance(record.result, torch.Tensor) and _shares(record.result, error.got):
                return record
    if calls and calls[-1].result is ...:
        return calls[-1]  # it failed
    known = [record for record in reversed(calls) if record.method not in _OWN_METHODS]
    computing = (r for r in known if r.method not in _PREPARING and not isinstance(r.result, RemoteObject))
    return next(computing, known[0] if known else None)


def _shares(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()
