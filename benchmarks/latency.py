"""What grading costs, in one run on one machine: medians, and ratios to a baseline of the same run.

    python benchmarks/latency.py [--rounds 7]

Cold `grade relu` is measured against cold `python -c "import torch, pytest"`, the runs taken in turn so that
a noisy neighbor hits both. The warm figures come from one warm process in this interpreter.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from grader.core.model import Limits
from grader.course import catalog
from grader.grading.attempt import grade_exercises
from grader.grading.dispatcher import Dispatcher
from grader.sandbox.protocol.messages import Call, Load
from grader.sandbox.protocol.orders import WorkerOrder
from grader.sandbox.protocol.values import Packer
from grader.sandbox.supervisor import Sandbox
from grader.submission import open_submission

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="cold runs of each command")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        write_submission(workspace)
        baseline, cold = cold_starts(workspace, rounds)
        rows = [
            ('cold `python -c "import torch, pytest"`', baseline, 1.0),
            ("cold `grade relu`", cold, cold / baseline),
        ]
        for name, seconds in warm(workspace):
            rows.append((name, seconds, seconds / baseline))
    print(
        f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}, ",
        end="",
    )
    print(f"torch {torch.__version__}; medians of {rounds} cold runs and of 30 warm ones.\n")
    print("| what | median | ratio to the baseline |\n|---|---:|---:|")
    for name, seconds, ratio in rows:
        print(f"| {name} | {seconds * 1000:.4g} ms | {ratio:.3g} |")


def write_submission(folder: Path) -> None:
    """Hand in the reference of `relu`."""
    reference = (ROOT / "solutions" / "relu" / "reference.py").read_text(encoding="utf-8")
    (folder / "relu.py").write_text(reference, encoding="utf-8")


def cold_starts(workspace: Path, rounds: int) -> tuple[float, float]:
    """Return the median seconds of the baseline and of `grade relu`, measured in turn."""
    baseline = [sys.executable, "-c", "import torch, pytest"]
    grade = [sys.executable, "-m", "grader", "relu", "--submission", str(workspace)]
    times: dict[str, list[float]] = {"baseline": [], "grade": []}
    for turn in range(rounds + 1):
        for name, command in (("baseline", baseline), ("grade", grade)):
            seconds = cold_run(command, workspace)
            if turn:  # the first turn fills the disk cache
                times[name].append(seconds)
    return statistics.median(times["baseline"]), statistics.median(times["grade"])


def cold_run(command: list[str], folder: Path) -> float:
    """Return the seconds that one command takes."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    return time.perf_counter() - started


def warm(workspace: Path) -> list[tuple[str, float]]:
    """Return the median seconds of a worker's start, a small call, and a whole grading, in a warm process."""
    course = catalog.load(catalog.find_root())
    relu = course.exercise("relu")
    assert relu is not None
    with Dispatcher() as dispatcher:
        dispatcher.ready()
        grading = median(lambda: list(grade_exercises(dispatcher, open_submission(workspace), [relu], 0)))
        launcher = dispatcher.launcher(WorkerOrder(memory_limit_mib=1024, output_limit_kib=1024))
        load = Load(module="relu", sources={"relu.py": (workspace / "relu.py").read_text(encoding="utf-8")})

        def start() -> Sandbox:
            sandbox = Sandbox(launcher, load, Limits())
            sandbox.ensure_loaded()
            return sandbox

        started = median(start, after=Sandbox.close)
        sandbox = start()
        small = median(lambda: call(sandbox, torch.ones(9)), rounds=1000)
        sandbox.close()
    return [
        ("worker start, locked down, module imported", started),
        ("a small call (9 floats there and back)", small),
        (f"a full warm grading of `relu` ({len_checks(relu.folder)} checks)", grading),
    ]


def call(sandbox: Sandbox, tensor: torch.Tensor) -> None:
    """Call relu once through the wire."""
    packer = Packer(repr)  # type: ignore[arg-type]
    args, kwargs = packer.pack((tensor,)), packer.pack({})
    request = Call(number=0, owner="student", name="relu", args=args, kwargs=kwargs)
    sandbox.ask(request, packer.payload, what="relu", deadline=time.monotonic() + 10)


def len_checks(folder: Path) -> int:
    """Count the tests of a suite."""
    return (folder / "test_relu.py").read_text(encoding="utf-8").count("\ndef test_")


def median(
    action: Callable[[], object], *, rounds: int = 30, after: Callable[..., object] | None = None
) -> float:
    """Return the median seconds of an action; `after` cleans up its result, untimed."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        result = action()
        times.append(time.perf_counter() - started)
        if after is not None:
            after(result)
    return statistics.median(times)


if __name__ == "__main__":
    main()
