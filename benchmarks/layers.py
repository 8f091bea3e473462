"""What each layer of isolation costs, in one run on one machine: medians, and ratios to a plain pytest.

    python benchmarks/layers.py [--rounds 5]

The baseline is what graders commonly do: a fresh `python -m pytest` that imports the reference of `relu` beside its
own suite of 20 checks. It is run once before each level is measured, so that a noisy neighbor hits both.

At levels 1 to 3 one process is warm, and a grading is forked from it; at level 0 every grading and every worker is a
fresh interpreter. Memory is the sum of the PSS (proportional set size: shared pages are divided among the processes
that share them) of everything below this process: with two workers running, minus with one.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

import torch
from latency import call, cold_run, median, write_submission
from memory import pss_bytes_below
from plain import PYTEST, exercise_of, write_plain_suite

from grader.core.model import Limits
from grader.grading.attempt import grade_exercises
from grader.grading.dispatcher import MAX_LEVEL_VARIABLE, Dispatcher
from grader.sandbox.protocol.messages import Load
from grader.sandbox.protocol.orders import WorkerOrder
from grader.sandbox.supervisor import Sandbox
from grader.submission import open_submission

NAMES = {
    0: "a spawned process, limits",
    1: "+ seccomp, forked",
    2: "+ Landlock",
    3: "+ namespaces",
}


def main() -> None:
    """Measure every level that this machine gives, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5, help="plain pytests for each level")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as submission, tempfile.TemporaryDirectory() as plain:
        write_submission(Path(submission))
        write_submission(Path(plain))
        write_plain_suite(Path(plain), exercise_of("relu"))
        baseline: list[float] = []
        rows = []
        for level in NAMES:
            baseline += [plain_pytest(Path(plain)) for _ in range(rounds)]
            if row := measure(level, Path(submission)):
                rows.append(row)
    cold = statistics.median(baseline)
    print(
        f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}.\nCold `python -m pytest` on the suite of `relu` (20 checks): "
        f"median {cold:.3g} s of {len(baseline)} runs.\n"
    )
    print(
        "| level | worker start | a small call | a grading of `relu` | ... in cold pytests | a further worker |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    for name, start, small, grading, memory in rows:
        print(
            f"| {name} | {start * 1000:.3g} ms | {small * 1000:.3g} ms | {grading * 1000:.4g} ms "
            f"| 1/{cold / grading:.3g} | {memory} |"
        )


def plain_pytest(folder: Path) -> float:
    """Return the seconds of one cold run of the plain suite."""
    return cold_run(PYTEST, folder)


def measure(level: int, submission: Path) -> tuple[str, float, float, float, str] | None:
    """Return the costs of one level, or None where this machine does not give it."""
    os.environ[MAX_LEVEL_VARIABLE] = str(level)
    relu = exercise_of("relu")
    load = Load(module="relu", sources={"relu.py": (submission / "relu.py").read_text(encoding="utf-8")})
    order = WorkerOrder(memory_limit_mib=1024, output_limit_kib=1024, banned_operators=relu.banned_operators)
    rounds = 30 if level else 5
    with Dispatcher() as dispatcher, ExitStack() as workers:
        if dispatcher.ready().level != level:
            print(f"This machine does not give level {level}; see `grade doctor`.", file=sys.stderr)
            return None
        launcher = dispatcher.launcher(order)

        def start() -> Sandbox:
            sandbox = Sandbox(launcher, load, Limits())
            sandbox.ensure_loaded()
            return sandbox

        grading = median(
            lambda: list(grade_exercises(dispatcher, open_submission(submission), [relu], 0)), rounds=rounds
        )
        started = median(start, rounds=rounds, after=Sandbox.close)
        small, one = settle(workers.enter_context(closing(start())))
        _, two = settle(workers.enter_context(closing(start())))
        memory = "not readable" if one is None or two is None else f"{(two - one) / 2**20:.3g} MiB"
    return f"{level}: {NAMES[level]}", started, small, grading, memory


def settle(sandbox: Sandbox) -> tuple[float, int | None]:
    """Have a worker answer small calls; return their median seconds, and the PSS of all processes after them."""
    return median(lambda: call(sandbox, torch.ones(9)), rounds=500), pss_bytes_below(os.getpid())


if __name__ == "__main__":
    main()
