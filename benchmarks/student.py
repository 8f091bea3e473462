"""What a student waits for, as ratios to a cold `python -c "import torch"` (T) of the same run: medians.

    python benchmarks/student.py [--rounds 7] [--level 0]

All commands of a round are run in turn, so that a noisy neighbor hits all. What stays behind of this benchmark is in a
state folder of its own, and is ended.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="runs of each command")
    parser.add_argument("--level", choices="0123", default="3", help="the highest isolation level")
    arguments = parser.parse_args()
    rounds, level = arguments.rounds, arguments.level
    os.environ["CONVGRADER_MAX_ISOLATION"] = level
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, "XDG_STATE_HOME": f"{folder}/state", "XDG_RUNTIME_DIR": f"{folder}/run"}
        (folder / "run").mkdir(mode=0o700)
        own = {**environment, "CONVGRADER_STANDBY": "0"}
        standby = {**environment, "CONVGRADER_STANDBY": "1"}
        grade = [sys.executable, "-m", "grader"]
        for workspace in ("untouched", "right", "wrong"):
            subprocess.run(
                [*grade, "init", workspace], cwd=folder, env=own, check=True, stdout=subprocess.DEVNULL
            )
        for solution in (ROOT / "solutions").iterdir():
            for workspace in ("right", "wrong"):
                shutil.copy(
                    solution / "reference.py", folder / workspace / "exercises" / f"{solution.name}.py"
                )
        relu = folder / "wrong" / "exercises" / "relu.py"
        relu.write_text("import torch\n\n\ndef relu(x):\n    return x.abs()\n")
        commands = {
            'cold `python -c "import torch"` (T)': ([sys.executable, "-c", "import torch"], "right", own),
            "`grade relu`, right": ([*grade, "relu"], "right", own),
            "a second `grade relu`, right": ([*grade, "relu"], "right", standby),
            "a second `grade relu`, wrong, explained": ([*grade, "relu"], "wrong", standby),
            "`grade`, untouched course": (grade, "untouched", own),
            "`grade`, right course": (grade, "right", own),
            "a second `grade`, right course": (grade, "right", standby),
        }
        times: dict[str, list[float]] = {what: [] for what in commands}
        try:
            for turn in range(rounds + 1):
                for what, (command, workspace, variables) in commands.items():
                    begun = time.perf_counter()
                    subprocess.run(
                        command, cwd=folder / workspace, env=variables, check=False, stdout=subprocess.DEVNULL
                    )
                    if turn:  # the first round starts what stays behind, and fills the caches of the disk
                        times[what].append(time.perf_counter() - begun)
        finally:
            subprocess.run(
                [*grade, "doctor", "--end"], env=environment, check=False, stdout=subprocess.DEVNULL
            )
    baseline = statistics.median(next(iter(times.values())))
    print(
        f"{platform.system()}, {os.cpu_count()} cores, torch {torch.__version__}, level {level} at most; "
        f"medians of {rounds} runs.\n"
    )
    print("| what | median | in T |\n|---|---:|---:|")
    for what, seconds in times.items():
        median = statistics.median(seconds)
        print(f"| {what} | {median * 1000:.4g} ms | {median / baseline:.2f} |")


if __name__ == "__main__":
    main()
