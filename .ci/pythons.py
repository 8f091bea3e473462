"""Run the unit tier and the demo with every supported Python of this machine, each in an environment of its own.

    python .ci/pythons.py [python3.12 ...]

A Python is skipped, with the reason, where it is not installed or where pip finds no torch for it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SUPPORTED = ("python3.11", "python3.12", "python3.13", "python3.14")
TEST = ["pytest", "--numprocesses", "auto", "--dist", "loadfile", "-m", "unit"]
DEMO = ["grade", "--submission", "examples/submission", "--fail-under", "0"]


def installed(python: str) -> Path | None:
    """Return the programs of an environment with the project, made anew; None where that fails."""
    folder = ROOT / f".venv-{python}"
    if shutil.which(python) is None or subprocess.run([python, "--version"], capture_output=True).returncode:
        print(f"{python}: skipped, not installed")
        return None
    subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
    install = [
        folder / "bin" / "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-c",
        "constraints.txt",
    ]
    done = subprocess.run([*install, "-e", ".[dev]"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        reason = [line for line in done.stderr.splitlines() if line.startswith("ERROR")][:1]
        print(f"{python}: skipped, {''.join(reason) or done.stderr[-300:]}")
        return None
    return folder / "bin"


def main(pythons: list[str]) -> int:
    """Test with each Python; return how many failed."""
    failed = 0
    for python in pythons or SUPPORTED:
        programs = installed(python)
        if programs is None:
            continue
        codes = [
            subprocess.run([programs / name, *rest], cwd=ROOT).returncode for name, *rest in (TEST, DEMO)
        ]
        print(f"{python}: {'failed' if any(codes) else 'passed'}", flush=True)
        failed += any(codes)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
