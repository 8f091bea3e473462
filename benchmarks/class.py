"""The cost of grading a class: rates, memory and one submission that hangs, compared with targets and alternatives.

    python benchmarks/class.py [--sizes 100 1000 10000] [--exercise relu] [--wrong 0.1] [--jobs 2] [--rounds 3]
                               [--sample 12] [--peers] [--peer-python PATH]

The class is generated: every submission is the reference of one exercise with a comment of its own, so that no two
share a result in the cache, and one in ten has a known mistake, each time a different one.

What is measured is the command that an instructor runs, `grade class FOLDER --gradebook FILE`. Its start-up is the time
of a class of one; "past start-up" is the time of a class minus the start-up, divided by the number of further
submissions. The alternatives run alternately with it in each round, on the smallest class: a fresh pytest for each of
`--sample` submissions, and a bare fork for each (plain.py). The largest classes are run once, since their time is an
average already.

Memory is the PSS of all processes of a run (shared pages are divided among the processes that share them), sampled
repeatedly. A sample takes 20 ms, so it is taken in a separate run from the rates, or every other second.
"""

import argparse
import contextlib
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from memory import Sampler
from peers import peer_rows
from plain import exercise_of, fork_each, pytest_each, write_plain_suite

from grader.authoring.reference_submissions import mistake_modules, reference_source
from grader.classroom.gradebook import Gradebook
from grader.core.model import Exercise
from grader.course.known_mistakes import read_mistakes

OFTEN = 200  # classes up to this size are graded in every round
OFTEN_S, SELDOM_S = 0.2, 2.0  # sampling interval of memory, in small classes and in large ones
ENOUGH = 5  # samples in a quarter of a run, below which growth is not reported
HANGING = 20  # the size of the class in which one submission hangs
MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of `grade class`: its seconds, and the memory of all its processes, sampled."""

    seconds: float
    samples: tuple[tuple[float, int], ...]

    def peak_mib(self) -> float:
        """Return the largest sample."""
        return max((size for _, size in self.samples), default=0) / MIB

    def typical_mib(self, after_s: float) -> float:
        """Return the median of the samples past the start-up."""
        return statistics.median(self._past(after_s)) / MIB

    def growth(self, after_s: float) -> str:
        """Return the median of the last quarter minus that of the first, or "too short" for too few samples."""
        sizes = self._past(after_s)
        quarter = len(sizes) // 4
        if quarter < ENOUGH:
            return "too short"
        grown = statistics.median(sizes[-quarter:]) - statistics.median(sizes[:quarter])
        return f"{grown / MIB:+.1f} MiB"

    def _past(self, after_s: float) -> list[int]:
        return [size for at, size in self.samples if at > after_s] or [0]


@dataclass(slots=True, kw_only=True)
class Bench:
    """The settings of the benchmark, and the classes that it has generated."""

    exercise: Exercise
    wrong: float
    jobs: int
    folder: Path
    classes: dict[tuple[int, float], Path] = field(default_factory=dict)

    def class_of(self, size: int, wrong: float | None = None) -> Path:
        """Return a generated class of that size."""
        share = self.wrong if wrong is None else wrong
        if (size, share) not in self.classes:
            folder = self.folder / f"class-{size}-{share}"
            generate(folder, self.exercise, size, share)
            self.classes[size, share] = folder
        return self.classes[size, share]

    def grade(
        self, handed_in: Path, book: Path | None = None, *, jobs: int | None = None, every_s: float = 0.0
    ) -> Run:
        """Run `grade class` with a new gradebook, which is deleted unless `book` names it.

        Memory is sampled every `every_s` seconds; 0 for never.
        """
        kept = book or self.folder / "deleted-later.db"
        try:
            return grade_class(handed_in, kept, jobs or self.jobs, every_s)
        finally:
            if book is None:
                for path in self.folder.glob("deleted-later.db*"):
                    path.unlink()


def generate(folder: Path, exercise: Exercise, count: int, wrong: float) -> None:
    """Write a class of distinct submissions; a share of `wrong` makes one known mistake each."""
    mistakes = read_mistakes(exercise.folder / "mistakes.py")
    reference = reference_source(exercise)
    for n in range(count):
        student = folder / f"s{n:05}"
        student.mkdir(parents=True)
        made = int((n + 1) * wrong)
        files = {f"{exercise.id}.py": reference}
        if made > int(n * wrong):
            files = mistake_modules(exercise, mistakes[made % len(mistakes)])
        files[f"{exercise.id}.py"] += f"\n# Submission {n}.\n"
        for name, text in files.items():
            (student / name).write_text(text, encoding="utf-8")


def grade_class(handed_in: Path, book: Path, jobs: int, every_s: float) -> Run:
    """Run the command, and check that it graded every submission."""
    command = [
        sys.executable,
        "-m",
        "grader",
        "class",
        str(handed_in),
        "--gradebook",
        str(book),
        "--jobs",
        str(jobs),
    ]
    started = time.perf_counter()
    with Sampler(every_s=every_s) if every_s else contextlib.nullcontext(Sampler(every_s=0)) as sampler:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    *_, last = done.stdout.splitlines()
    whole = sum(1 for _ in handed_in.iterdir())
    if not last.startswith(f"{whole} of {whole} submissions graded"):
        raise RuntimeError(f"`grade class` did not grade every submission: {last}")
    return Run(seconds=seconds, samples=tuple(sampler.samples))


def results(book: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the outcomes of each student's checks."""
    with Gradebook(book) as opened:
        return {
            verdict.student: [(c.id, str(c.outcome)) for e in verdict.report.exercises for c in e.checks]
            for verdict in opened.verdicts()
        }


# --- measurements


@dataclass(slots=True)
class Rates:
    """The times in seconds of each round, and the memory of a second job."""

    start_up: list[float] = field(default_factory=list)
    pytest: list[float] = field(default_factory=list)
    convgrader: list[float] = field(default_factory=list)
    fork: list[float] = field(default_factory=list)
    convgrader_right: list[float] = field(default_factory=list)
    further_mib: list[float] = field(default_factory=list)


def take_turns(bench: Bench, size: int, sample: int, rounds: int) -> Rates:
    """Measure `grade class` and the alternatives alternately, so that other load on the machine affects all of them."""
    rates = Rates()
    mixed, right = bench.class_of(size), bench.class_of(size, 0.0)
    plain = plain_copies(bench, mixed, sample)
    bench.grade(bench.class_of(1))  # fills the disk cache
    for _ in range(rounds):
        start_up = bench.grade(bench.class_of(1)).seconds
        rates.start_up.append(start_up)
        rates.pytest.append(pytest_each(plain, bench.jobs) / len(plain))
        rates.convgrader.append(past(bench.grade(mixed), start_up, size))
        rates.fork.append(fork_each(bench.exercise, sorted(right.iterdir()), bench.jobs) / size)
        rates.convgrader_right.append(past(bench.grade(right), start_up, size))
        one, two = (bench.grade(mixed, jobs=jobs, every_s=OFTEN_S).typical_mib(start_up) for jobs in (1, 2))
        rates.further_mib.append(two - one)
    return rates


def past(run: Run, start_up: float, size: int) -> float:
    """Return the seconds of each submission past the start-up, which includes the first one."""
    return (run.seconds - start_up) / (size - 1)


def plain_copies(bench: Bench, handed_in: Path, sample: int) -> list[Path]:
    """Return copies of the first submissions, each with the plain suite beside it."""
    copies = []
    for student in sorted(handed_in.iterdir())[:sample]:
        copy = bench.folder / "plain" / student.name
        shutil.copytree(student, copy)
        write_plain_suite(copy, bench.exercise)
        copies.append(copy)
    return copies


def size_rows(bench: Bench, sizes: Sequence[int], start_up: float, rounds: int) -> Iterator[str]:
    """Yield a row for each size of a class: time, memory, and the time of a second, unchanged run."""
    for size in sizes:
        book = bench.folder / f"{size}.db"
        graded = bench.class_of(size)
        runs = [bench.grade(graded).seconds for _ in range(rounds if size <= OFTEN else 0)]
        read = bench.grade(graded, book, every_s=OFTEN_S if size <= OFTEN else SELDOM_S)
        seconds = statistics.median(runs or [read.seconds])
        each = (seconds - start_up) / (size - 1)
        again = statistics.median(bench.grade(graded, book).seconds for _ in range(len(runs) or 1))
        kept = sum(path.stat().st_size for path in bench.folder.glob(f"{size}.db*"))
        yield (
            f"| {size} | {seconds:.4g} s | {each * 1000:.3g} ms | {1 / each:.3g} "
            f"| {read.peak_mib():.0f} MiB | {read.typical_mib(start_up):.0f} MiB | {read.growth(start_up)} "
            f"| {again:.3g} s | 1/{seconds / again:.3g} | {again / size * 1000:.3g} ms | {kept / size / 1024:.3g} KiB |"
        )


def convgrader_row(bench: Bench, rounds: int) -> str:
    """Return the row of convgrader measured as the peers are: with its start-up, which ten submissions share."""
    ten, one = bench.class_of(10, 0.0), bench.class_of(1)
    cold = statistics.median(bench.grade(one).seconds for _ in range(rounds))
    each = statistics.median(bench.grade(ten).seconds / 10 for _ in range(rounds))
    return f"| convgrader, start-up included | {cold:.3g} s | {each * 1000:.4g} ms |"


def hanging(bench: Bench, rounds: int) -> tuple[float, float]:
    """Return the seconds that one hanging submission adds to a class, and the call limit of the exercise.

    Raises AssertionError where it changes the results of another submission.
    """
    sound = bench.class_of(HANGING)
    hangs = bench.folder / "hangs"
    shutil.copytree(sound, hangs)
    victim = sorted(hangs.iterdir())[HANGING // 2]
    module = victim / f"{bench.exercise.id}.py"
    text = module.read_text(encoding="utf-8")
    loop = f"\n\ndef {bench.exercise.names[0]}(*_args, **_more):\n    while True:\n        pass\n"
    module.write_text(text + loop, encoding="utf-8")
    added = []
    for n in range(rounds):
        with_it, without = bench.folder / f"hangs-{n}.db", bench.folder / f"sound-{n}.db"
        added.append(bench.grade(hangs, with_it).seconds - bench.grade(sound, without).seconds)
        got, expected = results(with_it), results(without)
        hung = got.pop(victim.name)
        expected.pop(victim.name)
        assert "time_limit" in {outcome for _, outcome in hung}, "nothing hung"
        assert got == expected, "the results of other submissions have changed"
    return statistics.median(added), bench.exercise.limits.call_limit_s


# --- output


def main() -> None:
    """Measure everything in one run, and print the tables."""
    given, began = arguments(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(
            exercise=exercise_of(given.exercise), wrong=given.wrong, jobs=given.jobs, folder=Path(folder)
        )
        print(
            f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
            f"torch {torch.__version__}; `{bench.exercise.id}`, {given.wrong:.0%} of the submissions wrong, "
            f"{given.jobs} jobs, medians of {given.rounds} rounds; classes of more than {OFTEN} are run once.\n"
        )
        rates = take_turns(bench, min(given.sizes), given.sample, given.rounds)
        start_up = statistics.median(rates.start_up)
        print_lines(rate_rows(rates, bench))
        print_lines(
            ("| one submission of 20 hangs: it adds | {:.3g} s | the call limit, {:g} s |").format(
                *hanging(bench, given.rounds)
            ),
        )
        print(
            "\n| submissions | whole | each, past start-up | a second | peak PSS | median PSS "
            "| last quarter minus first | again, unchanged | ... to the first | ... each | gradebook, each |"
        )
        print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
        print_lines(size_rows(bench, given.sizes, start_up, given.rounds))
        if given.peers:
            print(
                f"\n| on 10 right submissions | one, cold | each, {given.jobs} at once |\n|---|---:|---:|",
                flush=True,
            )
            ten = sorted(bench.class_of(10, 0.0).iterdir())
            print_lines(
                peer_rows(bench.exercise, ten, Path(folder), given.peer_python, given.jobs, given.rounds)
            )
            print_lines(convgrader_row(bench, given.rounds))
    print(f"\nThe benchmark took {(time.monotonic() - began) / 60:.0f} minutes.")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[100, 1000, 10_000], help="submissions in a class"
    )
    parser.add_argument("--exercise", default="relu", help="the exercise that is handed in")
    parser.add_argument(
        "--wrong", type=float, default=0.1, help="share of the submissions with a known mistake"
    )
    parser.add_argument("--jobs", type=int, default=2, help="parallel gradings, also of the alternatives")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median is reported")
    parser.add_argument("--sample", type=int, default=12, help="submissions that a fresh pytest is run on")
    parser.add_argument(
        "--peers", action="store_true", help="measure other graders, where they are installed"
    )
    parser.add_argument(
        "--peer-python", type=Path, default=Path(sys.executable), help="the Python they are installed in"
    )
    return parser.parse_args()


def rate_rows(rates: Rates, bench: Bench) -> Iterator[str]:
    """Yield the table of rates and their targets."""
    middle = statistics.median
    faster = middle(theirs / own for theirs, own in zip(rates.pytest, rates.convgrader, strict=True))
    dearer = middle(own / bare for own, bare in zip(rates.convgrader_right, rates.fork, strict=True))
    yield "| what | figure | target |"
    yield "|---|---:|---:|"
    yield f"| start-up: a class of one | {middle(rates.start_up):.3g} s | |"
    yield f"| a fresh pytest for each, {bench.jobs} at once: each | {middle(rates.pytest) * 1000:.4g} ms | |"
    yield f"| convgrader, past start-up: each | {middle(rates.convgrader) * 1000:.3g} ms | |"
    yield f"| ... its rate, in rates of a fresh pytest | {faster:.3g} | 16 or more |"
    yield f"| a bare fork for each, right ones: each | {middle(rates.fork) * 1000:.3g} ms | |"
    yield f"| convgrader, right ones: each | {middle(rates.convgrader_right) * 1000:.3g} ms | |"
    yield f"| ... its time, in times of a bare fork | {dearer:.3g} | 2 or less |"
    yield f"| a second job side by side | {middle(rates.further_mib):.3g} MiB | 30 MB or less |"


def print_lines(lines: Iterator[str] | tuple[str, ...] | str) -> None:
    """Print rows as they are measured."""
    for line in (lines,) if isinstance(lines, str) else lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
