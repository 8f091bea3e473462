"""After the last check: finds the known mistakes that explain the results, and the smallest call that fails."""

import ast
import importlib
import time
from collections.abc import KeysView, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType

from grader.core.model import CheckResult, Diagnosis, Outcome, Reveal
from grader.course.confirmations import code_of
from grader.course.known_mistakes import KNOWN, Mistake
from grader.grading.engine.feedback import counterexample
from grader.grading.engine.feedback.diagnosis import Diagnoser, Explanation
from grader.grading.engine.feedback.likeness import Failure, failure_of
from grader.grading.engine.feedback.replay import Replayer, units_of
from grader.grading.engine.feedback.slips import slip
from grader.grading.engine.feedback.value_text import place
from grader.grading.engine.proxy import CallFailed, Conversation, Exchange
from grader.grading.engine.suite.comparison import Mismatch
from grader.grading.engine.suite.plugin import CheckRun
from grader.grading.engine.suite.small_inputs import SMALL_INPUTS
from grader.sandbox.supervisor import LoadFailed, Sandbox, WorkerLost


@dataclass(slots=True)
class Evidence:
    """What the checks of one exercise recorded for its explanations."""

    segments: dict[str, list[Exchange]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    reveal: dict[str, Reveal | None] = field(default_factory=dict)

    def most_shown_first(self) -> list[str]:
        """Return the failed checks, those that show most to students first: they get the counterexample."""
        middle = (
            Reveal.TITLE.strictness / 2
        )  # of a check without a mark of its own: less than all, more than a title
        strictness = {check: middle if own is None else own.strictness for check, own in self.reveal.items()}
        return sorted(self.names, key=lambda check: strictness[check])

    def add(self, run: CheckRun, outcome: Outcome, names: tuple[str, ...]) -> None:
        """Keep the exchanges of one check, and which of the exercise's `names` a failed one called, the last first."""
        conversation = run.conversation
        if run.spec.by_hand and isinstance(run.error, CallFailed) and run.error.cause == "banned":
            return  # what was refused here worked in all other checks, which are the evidence
        if conversation.complete and conversation.exchanges and not run.spec.long:
            self.segments[run.spec.id] = conversation.exchanges
        if outcome is not Outcome.PASSED:
            called = dict.fromkeys(call.root for call in reversed(conversation.calls))
            self.names[run.spec.id] = [name for name in called if name in names]
            self.reveal[run.spec.id] = run.spec.reveal
        if run.error is not None and (isinstance(run.error, Mismatch) or outcome is Outcome.RAISED):
            # Not for a missing or refused function, which fails on every input.
            failure = failure_of(conversation.calls, run.error)
            if failure is not None:
                self.failures[run.spec.id] = failure
        if isinstance(run.error, CallFailed) and run.error.where:
            self.where[run.spec.id] = place(run.error.where)


@dataclass(slots=True, kw_only=True)
class Explanations:
    """Adds explanations to the results of one exercise.

    Without `search` no smallest failing call is looked for. The diagnosis needs none: it has the calls of the checks,
    and others that depend on no result.
    """

    evidence: Evidence
    results: dict[str, CheckResult]
    reference: ModuleType
    fixtures: Mapping[str, object]
    sandbox: Sandbox
    sources: Mapping[str, str]
    module: str
    lost: dict[str, WorkerLost]
    search: bool = True
    found: dict[str, counterexample.FailingCall] = field(default_factory=dict)  # by check, where one was
    _slips: dict[str, str] = field(default_factory=dict)
    _code: dict[str, dict[str, list[ast.AST]]] = field(default_factory=dict)

    def add(self) -> dict[str, tuple[str, ...]]:
        """Diagnose every failed check, and look for the smallest failing call of functions.

        Returns, for each failing name, the ids of all mistakes in it that explain it by themselves.
        """
        if not self.evidence.names:
            return {}
        self.sandbox.disconnect()  # the search gets a worker of its own, whose prints do not belong to the checks
        known, namespace = vars(importlib.import_module("mistakes")), vars(self.reference)
        self.sandbox.close()
        printed = len(self.sandbox.output)
        try:
            wanted = self._to_search()
            if wanted:
                self.sandbox.start()
            replayer = Replayer(dict(namespace), self.fixtures, (namespace, known))
            units = units_of(self.evidence.segments)
            failing = self._failing()
            # While the worker imports the submission: a diagnosis needs these replays in any case.
            for unit in units:
                if not failing.isdisjoint(unit.names):
                    replayer.right(unit)
            units += units_of(self._search(wanted))
            self.sandbox.disconnect()
            self._add_places()
            return self._diagnose(Diagnoser(replayer, KNOWN, sorted(units, key=lambda unit: unit.size)))
        finally:
            self.sandbox.close()
            del self.sandbox.output[printed:]

    def _diagnose(self, diagnoser: Diagnoser) -> dict[str, tuple[str, ...]]:
        """Put the known mistakes into the failed checks that they explain."""
        for check, names in self.evidence.names.items():
            self._add_slip(check, names)
            found = diagnoser.of_check(check, names)
            if not found and (likely := diagnoser.of_check_alone(check)):
                self.results[check] = replace(self.results[check], diagnosis=self._tentative(likely))
            if found:
                self.results[check] = replace(self.results[check], diagnosis=self._diagnosis(found, names))
        return {name: tuple(m.id for m in diagnoser.singles(name)) for name in self._failing()}

    def _diagnosis(self, found: Explanation, names: list[str]) -> Diagnosis:
        """Return an explanation as a record. A sentence about another function than the check's own names it."""
        named = {mistake.name for mistake in found} | {names[0]}
        prefixes = [f"In `{m.name}`: " if len(named) > 1 else "" for m in found]
        parts = [prefix + self._said(m) for prefix, m in zip(prefixes, found, strict=True)]
        return Diagnosis(mistake="+".join(m.id for m in found), message=" ".join(parts))

    def _tentative(self, mistake: Mistake) -> Diagnosis:
        return Diagnosis(mistake=mistake.id, message=self._said(mistake), of_check_alone=True)

    def _said(self, mistake: Mistake) -> str:
        return mistake.said_of(self._code_of(mistake.name) if mistake.confirm else {})

    def _code_of(self, name: str) -> dict[str, list[ast.AST]]:
        """Return the nodes of what the submission defines as `name`, by file, read once."""
        if name not in self._code:
            self._code[name] = code_of(name, self.sources, self.module)
        return self._code[name]

    def _add_slip(self, check: str, names: list[str]) -> None:
        """Add a sentence on a statement without effect, or the like, in what a check that failed calls."""
        result = self.results[check]
        if result.outcome not in (Outcome.FAILED, Outcome.RAISED):
            return
        for name in names:
            if name not in self._slips:
                self._slips[name] = slip(self._code_of(name), f"{self.module}.py")
            if said := self._slips[name]:
                self.results[check] = replace(result, rationale=f"{result.rationale} {said}")
                return

    def _failing(self) -> KeysView[str]:
        """Return the names that failed checks call."""
        return dict.fromkeys(name for names in self.evidence.names.values() for name in names).keys()

    def _add_places(self) -> None:
        """Add the places that a suite found to the calls that raised."""
        for check, where in self.evidence.where.items():
            example = self.results[check].counterexample
            if example is not None and not example.where:
                self.results[check] = replace(
                    self.results[check], counterexample=replace(example, where=where)
                )

    def _search(self, wanted: Mapping[str, str]) -> dict[str, list[Exchange]]:
        """Put the smallest failing call of each function into its check; return the exchanges of other small calls."""
        small: dict[str, list[Exchange]] = {}
        end = time.monotonic() + counterexample.MAX_SEARCHES_S
        for name, check in wanted.items():
            if time.monotonic() > end:
                break  # the checks' own calls are shown instead
            found = self._search_for(name, check, small)
            if found is not None:
                self.results[check] = replace(
                    self.results[check],
                    rationale=found.rationale,
                    counterexample=found.example,
                    traceback=found.traceback,
                )
                self.found[check] = found
        return small

    def _to_search(self) -> dict[str, str]:
        """Return the functions that small calls can be made to, each with the check that shows the smallest."""
        found: dict[str, str] = {}
        for check in self.evidence.most_shown_first():
            failure = self.evidence.failures.get(check)
            name = failure.record.name if failure is not None else ""
            if name in SMALL_INPUTS and hasattr(self.reference, name):
                found.setdefault(name, check)
        return found

    def _search_for(
        self, name: str, check: str, small: dict[str, list[Exchange]]
    ) -> counterexample.FailingCall | None:
        """Return the smallest call of one function that fails as a check did, if one is looked for and found.

        The exchanges of other small calls are added to `small`.
        """
        reference, failure = getattr(self.reference, name), self.evidence.failures[check]
        conversation = Conversation(self.sandbox, lost=self.lost)
        try:
            found = counterexample.smallest(name, reference, conversation, failure) if self.search else None
            probed = Conversation(self.sandbox, lost=self.lost)
            counterexample.probe(name, reference, probed)
        except (WorkerLost, LoadFailed):
            return None  # the check's own call is shown instead
        if probed.complete:  # else a reply was malformed or is missing, and cannot be compared
            small[f"small calls of {name}"] = probed.exchanges
        return found
