"""Times a save under `grade watch`, in one run on one machine: medians, and ratios to a cold `grade`.

    python benchmarks/watch.py [--saves 20] [--level 0 --pause 10]

The suite is that of `relu`, 20 checks, in a workspace that holds the whole course. A save replaces `relu.py`, right and
wrong in turn, and is timed from before it is written until the last line of its verdict has come through a pipe. Cold
runs of `grade relu` and of `python -c "import torch"` (T) are spread among the saves, so that other load on the machine
affects all.

At level 0, which is what macOS and Windows have, only `relu` is watched, and there is time between two saves for the
interpreters that the next one needs.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from plain import exercise_of

from grader.grading.starters import MAX_LEVEL_VARIABLE
from grader.workspace.watch import has_events

GRADE = [sys.executable, "-m", "grader"]
LIMIT_S = 240.0


def main() -> None:
    """Measure with events and with polling, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--saves", type=int, default=20, help="saves of each kind")
    parser.add_argument("--level", choices="0123", default="3", help="the highest isolation level")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two saves")
    arguments = parser.parse_args()
    saves, pause_s = arguments.saves, arguments.pause
    os.environ[MAX_LEVEL_VARIABLE] = arguments.level
    words = ["relu"] if arguments.level == "0" else []
    if not has_events():
        raise SystemExit("watchfiles is not installed: pip install 'convgrader[watch]'")
    cold: dict[str, list[float]] = {"grade": [], "torch": []}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        subprocess.run([*GRADE, "init", folder, "--seed", "1"], check=True, stdout=subprocess.DEVNULL)
        for name, options in [("events", []), ("polling", ["--poll"])][: 1 if words else 2]:
            right, wrong = measure(workspace, [*words, *options], saves, pause_s, cold)
            rows += [(f"right, {name}", right), (f"wrong, with a counterexample, {name}", wrong)]
    baseline, unit = (statistics.median(cold[what]) for what in ("grade", "torch"))
    print(
        f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}. "
        f"Level {arguments.level} at most. Cold `grade relu`: median {baseline * 1000:.4g} ms "
        f"of {len(cold['grade'])} runs, {baseline / unit:.2f} T.\n"
    )
    print("| save | median | longest | ratio to a cold run | in T |\n|---|---:|---:|---:|---:|")
    for name, seconds in rows:
        middle = statistics.median(seconds)
        print(
            f"| {name} | {middle * 1000:.3g} ms | {max(seconds) * 1000:.3g} ms | 1/{baseline / middle:.3g} "
            f"| {middle / unit:.2f} |"
        )


def measure(
    workspace: Path, options: Sequence[str], saves: int, pause_s: float, cold: dict[str, list[float]]
) -> tuple[list[float], list[float]]:
    """Return the seconds of `saves` right and as many wrong saves; add those of cold runs to `cold`."""
    reference = (exercise_of("relu").folder / "reference.py").read_text(encoding="utf-8")
    texts = {"20/20": reference, "19/20": reference.replace("0.01", "0.02")}
    seconds: dict[str, list[float]] = {points: [] for points in texts}
    with watching(workspace, options) as lines:
        # The first grading, of everything that is watched.
        wait_for("Not attempted" if "relu" in options else "training", lines)
        for number in range(saves):
            for points, text in texts.items():
                time.sleep(pause_s)
                seconds[points].append(save(workspace, f"{text}\n# {number}\n", points, lines))
            if number % 5 == 0:
                cold["grade"].append(cold_run([*GRADE, "relu"], workspace))
                cold["torch"].append(cold_run([sys.executable, "-c", "import torch"], workspace))
    return seconds["20/20"], seconds["19/20"]


@contextmanager
def watching(workspace: Path, options: Sequence[str]) -> Iterator["Lines"]:
    """Run `grade watch` on a workspace, and give the lines it prints."""
    command = [*GRADE, "watch", "--submission", str(workspace), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Lines(process)
        finally:
            process.terminate()


class Lines:
    """What a process prints, line by line, each with the moment it came."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._found: list[tuple[float, str]] = []
        self._more = threading.Condition()
        threading.Thread(target=self._read, args=[process], daemon=True).start()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with self._more:
                self._found.append((time.perf_counter(), line))
                self._more.notify_all()

    def take(self, deadline: float) -> tuple[float, str]:
        """Return the next line, and when it came."""
        with self._more:
            if not self._more.wait_for(lambda: self._found, deadline - time.perf_counter()):
                raise SystemExit(f"No verdict came within {LIMIT_S:.0f} s.")
            return self._found.pop(0)


def wait_for(word: str, lines: Lines) -> float:
    """Wait for a line with this word; return when it came."""
    deadline = time.perf_counter() + LIMIT_S
    while True:
        came, line = lines.take(deadline)
        if word in line:
            return came


def save(workspace: Path, text: str, points: str, lines: Lines) -> float:
    """Write `relu.py` as an editor does, and return the seconds until the last line of its verdict."""
    fresh = workspace / "exercises" / ".relu.py.swp"
    started = time.perf_counter()
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(workspace / "exercises" / "relu.py")
    wait_for(points, lines)
    return wait_for("checks pass", lines) - started


def cold_run(command: Sequence[str], workspace: Path) -> float:
    """Return the seconds of a fresh process."""
    started = time.perf_counter()
    subprocess.run(command, cwd=workspace, check=False, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
