"""What diagnosis finds, and whether it ever names a mistake that was not made.

    python benchmarks/diagnosis.py [EXERCISE ...] [--pairs 60] [--mutants 80] [--seed 0]

Submissions of four kinds are run through the suite of their exercise, in this process:

mistakes   every known mistake
hidden     every known mistake, with itself taken out of the list that diagnosis may choose from
pairs      two known mistakes, sampled: in two names, or composed in one
mutants    the reference with one small change, those of `grade check --mutants`, sampled

A submission is *diagnosed* when its first failed check gets a diagnosis: all of it, or the part its checks reached.
It counts as *other* when any check names a mistake that was not made. Whatever is named gives every recorded result
(tests/test_diagnosis.py holds diagnosis to that); "other" is stricter, and counts what happens to give the same. For
hidden mistakes it should be 0. A mutant was made by no mistake with a name: there, "other" may be right,
and --verbose lists them for reading.

The seconds are those of the explanation alone: the search for the smallest failing call, and the diagnosis.
"""

import argparse
import ast
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import combinations
from multiprocessing import get_context
from types import FrameType, ModuleType

import torch

from grader.authoring.mutants import mutants
from grader.core.model import Exercise, Outcome
from grader.course import catalog
from grader.course.known_mistakes import KNOWN, Mistake
from grader.grading.engine.explanation import Evidence
from grader.grading.engine.feedback.composition import compositions
from grader.grading.engine.feedback.counterexample import probe, smallest
from grader.grading.engine.feedback.diagnosis import Diagnoser
from grader.grading.engine.feedback.replay import Replayer, units_of
from grader.grading.engine.proxy import Conversation
from grader.grading.engine.suite.plugin import CheckRun, collect, run_checks
from grader.sandbox.protocol.messages import Question, Reply
from grader.sandbox.worker.service import Service

TIME_LIMIT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A namespace to grade, and the ids of the known mistakes in it."""

    kind: str
    label: str
    namespace: dict[str, object]
    made: frozenset[str]
    hidden: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """The checks that failed, the ids of the mistakes that each names, and how long that took."""

    failed: list[str]
    named: list[frozenset[str]]
    explained_s: float


@dataclass(slots=True)
class Local:
    """Answers in this process."""

    service: Service

    def ask(
        self,
        request: Question,
        payload: bytes,
        *,
        what: str,  # noqa: ARG002 - nothing can be lost here
        deadline: float,  # noqa: ARG002
    ) -> tuple[Reply, bytearray]:
        """Answer at once."""
        reply, data = self.service.answer(request, bytearray(payload))
        return reply, bytearray(data)


@dataclass(slots=True)
class Bench:
    """One exercise: its reference and known mistakes, and copies of both to make submissions of."""

    exercise: Exercise
    reference: ModuleType = field(init=False)
    known: ModuleType = field(init=False)
    fixtures: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Import the exercise's modules."""
        sys.path.insert(0, str(self.exercise.folder))
        self.reference = import_module("reference")
        if (self.exercise.folder / "fixtures.py").is_file():
            self.fixtures = vars(import_module("fixtures"))
        self.known = import_module("mistakes")

    def copied(self, tree: ast.Module | None = None) -> tuple[dict[str, object], list[Mistake], Replayer]:
        """Return a reference of its own (of `tree`, where given), and mistakes that know no other."""
        before, listed = sys.modules["reference"], list(KNOWN)
        module = ModuleType("reference")
        source = tree or ast.parse(self._read("reference.py"))
        exec(compile(source, "reference", "exec"), vars(module))  # noqa: S102 - the course's own
        sys.modules["reference"] = module
        KNOWN.clear()
        space: dict[str, object] = {"__name__": "mistakes_copy"}
        try:
            exec(compile(self._read("mistakes.py"), "mistakes", "exec"), space)  # noqa: S102 - the course's own
            return vars(module), list(KNOWN), Replayer(dict(vars(module)), {}, (vars(module), space))
        finally:
            sys.modules["reference"] = before
            KNOWN[:] = listed

    def _read(self, name: str) -> str:
        return (self.exercise.folder / name).read_text(encoding="utf-8")

    # --- submissions

    def submissions(self, draw: random.Random, pairs: int, mutants: int) -> Iterator[Submission]:
        """Yield all kinds, one after the other."""
        for kind in ("mistakes", "hidden"):
            for number, mistake in enumerate(KNOWN):
                namespace, copies, _ = self.copied()
                namespace[mistake.name] = copies[number].variant
                hidden = mistake.id if kind == "hidden" else ""
                made = frozenset() if hidden else frozenset([mistake.id])
                yield Submission(kind=kind, label=mistake.id, namespace=namespace, made=made, hidden=hidden)
        numbers = list(combinations(range(len(KNOWN)), 2))
        for one, other in draw.sample(numbers, min(pairs, len(numbers))):
            yield from self._pair(one, other, draw)
        yield from self._mutants(draw, mutants)

    def _pair(self, one: int, other: int, draw: random.Random) -> Iterator[Submission]:
        """Yield a submission with two mistakes, where they can be put together."""
        namespace, copies, replayer = self.copied()
        first, second = copies[one], copies[other]
        if first.name == second.name:
            composed = compositions(replayer, first, second)
            if not composed:
                return
            namespace[first.name] = draw.choice(composed)
            kind = "pairs in one"
        else:
            kind = "pairs in two"
            for mistake in (first, second):
                for space, key in replayer._spots[mistake.name]:  # noqa: SLF001 - what a file of one's own does
                    space[key] = replayer.bound(mistake.name, mistake.variant)
        made = frozenset([first.id, second.id])
        yield Submission(kind=kind, label=f"{first.id}+{second.id}", namespace=namespace, made=made)

    def _mutants(self, draw: random.Random, count: int) -> Iterator[Submission]:
        found = mutants(self._read("reference.py"))
        for mutant in sorted(draw.sample(found, min(count, len(found))), key=found.index):
            try:
                namespace, _, _ = self.copied(ast.parse(mutant.source))
            except Exception:  # noqa: BLE001, S112 - a mutant that cannot be imported is no submission
                continue
            label = f"line {mutant.line}: {mutant.new.strip()[:80]}"
            yield Submission(kind="mutants", label=label, namespace=namespace, made=frozenset())

    # --- grading

    def grade(self, submission: Submission) -> Graded | None:
        """Return what failed, and what is said of it; None where it took too long."""
        evidence, failed = Evidence(), []

        def report(run: CheckRun) -> bool:
            outcome = Outcome.PASSED if run.error is None and not run.waits_for else Outcome.FAILED
            evidence.add(run, outcome, self.exercise.names)
            if outcome is not Outcome.PASSED and not run.waits_for:
                failed.append(run.spec.id)
            return outcome is Outcome.PASSED

        def start(_: object) -> Conversation:
            return Conversation(Local(Service(submission.namespace, self.fixtures)))

        try:
            with deadline(TIME_LIMIT_S):
                run_checks(collect(self.exercise.suite), seed=0, start=start, report=report)
                begun = time.perf_counter()
                places = (vars(self.reference), vars(self.known))
                self._search(evidence, start(None))
                replayer = Replayer(dict(vars(self.reference)), self.fixtures, places)
                mistakes = [mistake for mistake in KNOWN if mistake.id != submission.hidden]
                diagnoser = Diagnoser(replayer, mistakes, units_of(evidence.segments))
                diagnoses = [diagnoser.of_check(check, evidence.names.get(check, [])) for check in failed]
                for n, check in enumerate(failed):
                    if not diagnoses[n] and (likely := diagnoser.of_check_alone(check)):
                        diagnoses[n] = (likely,)
        except TimeoutError:
            return None
        named = [frozenset(mistake.id for mistake in found) for found in diagnoses]
        return Graded(failed=failed, named=named, explained_s=time.perf_counter() - begun)

    def _search(self, evidence: Evidence, conversation: Conversation) -> None:
        """Look for the smallest failing calls, and ask small calls, as grading does."""
        for check, names in evidence.names.items():
            if check in evidence.failures and f"small calls of {names[0]}" not in evidence.segments:
                reference = getattr(self.reference, names[0])
                smallest(names[0], reference, replace(conversation, exchanges=[]), evidence.failures[check])
                conversation = replace(conversation, exchanges=[])
                probe(names[0], reference, conversation)
                evidence.segments[f"small calls of {names[0]}"] = conversation.exchanges


@contextmanager
def deadline(seconds: int) -> Iterator[None]:
    """Raise TimeoutError after some seconds."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


# --- the table


def measure(exercise: str, pairs: int, mutants: int, seed: int) -> list[tuple[str, str, str, float]]:
    """Return (kind, label, ending, seconds) of each submission of one exercise that fails a check."""
    torch.set_num_threads(1)
    found = catalog.load(catalog.find_root()).exercise(exercise)
    assert found is not None
    bench = Bench(found)
    rows = []
    for submission in bench.submissions(random.Random(seed), pairs, mutants):  # noqa: S311 - reproducible on purpose
        graded = bench.grade(submission)
        if graded is None:
            rows.append((submission.kind, submission.label, "took too long", float(TIME_LIMIT_S)))
        elif graded.failed:
            ending, named = ending_of(submission, graded.named)
            rows.append((submission.kind, f"{submission.label}{named}", ending, graded.explained_s))
    return rows


def ending_of(submission: Submission, diagnosed: Sequence[frozenset[str]]) -> tuple[str, str]:
    """Return how a submission ended, and what was named where it is worth reading."""
    foreign = [ids for ids in diagnosed if ids - submission.made]
    if foreign:
        size = "two" if any(len(ids) > 1 for ids in foreign) else "one"
        return f"other: {size}", f" -> {' / '.join(sorted({'+'.join(sorted(ids)) for ids in foreign}))}"
    if not diagnosed[0]:
        return "silent", ""
    return ("all" if frozenset[str]().union(*diagnosed) == submission.made else "part"), ""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("exercises", nargs="*")
    parser.add_argument("--pairs", type=int, default=60, help="pairs to draw for each exercise")
    parser.add_argument("--mutants", type=int, default=80, help="mutants to draw for each exercise")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbose", action="store_true", help="list what names a mistake that was not made")
    options = parser.parse_args()
    names = options.exercises or [e.id for e in catalog.load(catalog.find_root()).exercises]
    print(
        "| exercise | kind | fail | all diagnosed | part diagnosed | none | one other | two others | seconds |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    totals: Counter[tuple[str, str]] = Counter()
    for name in names:  # a process for each: their modules share names
        with get_context("spawn").Pool(1) as pool:
            rows = pool.apply(measure, (name, options.pairs, options.mutants, options.seed))
        for kind in dict.fromkeys(row[0] for row in rows):
            of_kind = [row for row in rows if row[0] == kind]
            counts = Counter(ending for _, _, ending, _ in of_kind)
            totals.update({(kind, ending): count for ending, count in counts.items()})
            print(line(name, kind, counts, sorted(row[3] for row in of_kind)), flush=True)
        if options.verbose:
            for kind, label, ending, _ in rows:
                if ending.startswith(("other", "took")) or (kind == "mistakes" and ending != "all"):
                    print(f"    {kind}: {label} ({ending})", flush=True)
    for kind in dict.fromkeys(kind for kind, _ in totals):
        print(line("**all**", kind, Counter({e: n for (k, e), n in totals.items() if k == kind}), []))


def line(exercise: str, kind: str, counts: Counter[str], times: Sequence[float]) -> str:
    """Return one row of the table."""
    shown = [counts[e] for e in ("all", "part", "silent", "other: one", "other: two")]
    spent = f"{times[len(times) // 2]:.2f}, {times[-1]:.2f}" if times else ""
    return f"| {exercise} | {kind} | {sum(counts.values())} | {' | '.join(map(str, shown))} | {spent} |"


if __name__ == "__main__":
    main()
