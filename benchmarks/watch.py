"""Times a save under `grade watch`, in one run on one machine: medians, and ratios to a cold `grade`.

    python benchmarks/watch.py [--saves 20]

The suite is that of `relu`, 20 checks, in a workspace that holds the whole course. A save replaces `relu.py`, right and
wrong in turn, and is timed from before it is written until the last line of its verdict has come through a pipe. Cold
runs of `grade relu` are spread among the saves, so that other load on the machine affects both.
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

from grader.workspace.watch import has_events

GRADE = [sys.executable, "-m", "grader"]
PAUSE_S = 0.5  # between two saves: a student does not save twice in this time
LIMIT_S = 60.0


def main() -> None:
    """Measure with events and with polling, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--saves", type=int, default=20, help="saves of each kind")
    saves = parser.parse_args().saves
    if not has_events():
        raise SystemExit("watchfiles is not installed: pip install 'convgrader[watch]'")
    cold: list[float] = []
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        subprocess.run([*GRADE, "init", folder, "--seed", "1"], check=True, stdout=subprocess.DEVNULL)
        for name, options in [("events", []), ("polling", ["--poll"])]:
            right, wrong = measure(workspace, options, saves, cold)
            rows += [(f"right, {name}", right), (f"wrong, with a counterexample, {name}", wrong)]
    baseline = statistics.median(cold)
    print(
        f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}. "
        f"Cold `grade relu`: median {baseline * 1000:.4g} ms of {len(cold)} runs.\n"
    )
    print("| save | median | longest | ratio to a cold run |\n|---|---:|---:|---:|")
    for name, seconds in rows:
        middle = statistics.median(seconds)
        print(
            f"| {name} | {middle * 1000:.3g} ms | {max(seconds) * 1000:.3g} ms | 1/{baseline / middle:.3g} |"
        )


def measure(
    workspace: Path, options: Sequence[str], saves: int, cold: list[float]
) -> tuple[list[float], list[float]]:
    """Return the seconds of `saves` right and as many wrong saves; add those of cold runs to `cold`."""
    reference = (exercise_of("relu").folder / "reference.py").read_text(encoding="utf-8")
    texts = {"20/20": reference, "19/20": reference.replace("0.01", "0.02")}
    seconds: dict[str, list[float]] = {points: [] for points in texts}
    with watching(workspace, options) as lines:
        wait_for("training", lines)  # the first grading, of everything
        for number in range(saves):
            for points, text in texts.items():
                time.sleep(PAUSE_S)
                seconds[points].append(save(workspace, f"{text}\n# {number}\n", points, lines))
            if number % 5 == 0:
                cold.append(cold_grade(workspace))
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


def cold_grade(workspace: Path) -> float:
    """Return the seconds of a fresh `grade relu`."""
    started = time.perf_counter()
    subprocess.run([*GRADE, "relu"], cwd=workspace, check=False, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
