"""Where the time of the tests goes, from pytest's own reports: by tier, by file, and the slowest tests.

    python benchmarks/test_time.py                        # the tests of `make test`
    python benchmarks/test_time.py -m cold                # those of `make test-rest`
    python benchmarks/test_time.py -m unit tests/test_wire.py --slowest 5
    python benchmarks/test_time.py --make test            # the whole command, as a ratio to an import of torch

All other arguments are pytest's. Wall time is the sum of the phases that pytest measures. Processor time is that of the
pytest worker and of all its descendants, from /proc, so that the warm process and its workers count.
The ratio is to cold `python -c "import torch, pytest"`, run before and after, so that a noisy neighbor hits both.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RECORDS = "CONVGRADER_TEST_TIMES"  # names the file to which the plugin appends
TIERS = ("unit", "warm", "cold")
COLD = 'cold `python -c "import torch, pytest"`'
DEFAULT = ["-m", "not cold", "--numprocesses", "auto", "--dist", "loadfile", "--no-loadscope-reorder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedTest:
    """One test: its wall time and its processor time in seconds, setup and teardown included."""

    name: str
    tier: str
    wall_s: float
    cpu_s: float

    @property
    def file(self) -> str:
        """Its file, relative to the repository."""
        return self.name.partition("::")[0]


# --- the plugin, which runs in pytest and in each worker of pytest-xdist


_cpu_before = 0.0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Note the processor time before a test."""
    global _cpu_before  # noqa: PLW0603 - hooks of a module share no object
    _cpu_before = processor_time()
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Put the processor time of a test into the report of its teardown."""
    if call.when == "teardown":
        item.user_properties.append(("cpu_s", processor_time() - _cpu_before))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Append a report to the file that the script reads; a worker's reports arrive in the main process, too."""
    if "PYTEST_XDIST_WORKER" in os.environ or RECORDS not in os.environ:
        return
    record = {
        "name": report.nodeid,
        "tier": next((tier for tier in TIERS if tier in report.keywords), "none"),
        "wall_s": report.duration,
        "cpu_s": dict(report.user_properties).get("cpu_s", 0.0),
    }
    with Path(os.environ[RECORDS]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def processor_time() -> float:
    """Return the processor time of this process and its descendants in seconds, those that were waited for included."""
    if not Path("/proc/self/stat").is_file():
        return 0.0
    children: dict[int, list[int]] = defaultdict(list)
    ticks: dict[int, int] = {}
    for name in filter(str.isdigit, (entry.name for entry in Path("/proc").iterdir())):
        try:
            fields = Path("/proc", name, "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        children[int(fields[1])].append(int(name))
        ticks[int(name)] = sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
    total, waiting = 0, [os.getpid()]
    while waiting:
        process = waiting.pop()
        total += ticks.get(process, 0)
        waiting += children[process]
    return total / os.sysconf("SC_CLK_TCK")


# --- the script


def main() -> int:
    """Run the tests, or a target of make, and print the tables; return the exit code of what ran."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--slowest", type=int, default=20, metavar="N", help="how many tests to list")
    parser.add_argument("--make", metavar="TARGET", help="time this target of make instead")
    options, arguments = parser.parse_known_args()
    before = import_time()
    started = time.monotonic()
    tests: list[TimedTest] = []
    if options.make:
        code = subprocess.run(["make", options.make], cwd=ROOT, check=False).returncode
    else:
        code, tests = run_tests(arguments or DEFAULT)
    wall = time.monotonic() - started
    baseline = (before + import_time()) / 2
    print(f"\n{COLD}: {baseline:.2f} s; this run: {wall:.0f} s, {wall / baseline:.0f} times that.")
    print_tables(tests, options.slowest)
    return code


def import_time() -> float:
    """Return how long an interpreter takes to import torch and pytest, in seconds: the median of three."""
    taken = []
    for _ in range(3):
        started = time.monotonic()
        subprocess.run([sys.executable, "-c", "import torch, pytest"], check=True)
        taken.append(time.monotonic() - started)
    return sorted(taken)[1]


def run_tests(arguments: list[str]) -> tuple[int, list[TimedTest]]:
    """Run pytest with this file as a plugin; return its exit code and the tests that ran."""
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records.jsonl"
        records.touch()
        path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
        environment = os.environ | {RECORDS: str(records), "PYTHONPATH": path}
        command = [sys.executable, "-m", "pytest", "-q", "-p", Path(__file__).stem, *arguments]
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        return code, timed_tests(json.loads(line) for line in records.read_text("utf-8").splitlines())


def timed_tests(records: Iterable[dict[str, object]]) -> list[TimedTest]:
    """Join the reports of setup, call and teardown of each test."""
    wall: dict[tuple[str, str], float] = defaultdict(float)
    cpu: dict[tuple[str, str], float] = defaultdict(float)
    for record in records:
        key = str(record["name"]), str(record["tier"])
        wall[key] += float(str(record["wall_s"]))
        cpu[key] += float(str(record["cpu_s"]))
    return [
        TimedTest(name=name, tier=tier, wall_s=wall[name, tier], cpu_s=cpu[name, tier]) for name, tier in wall
    ]


def print_tables(tests: list[TimedTest], slowest: int) -> None:
    """Print processor and wall time by tier and by file, and the slowest tests by processor time."""
    for title in ("tier", "file"):
        groups: dict[str, list[TimedTest]] = defaultdict(list)
        for test in tests:
            groups[test.tier if title == "tier" else test.file].append(test)
        print(f"\n| {title} | tests | processor s | wall s |\n|---|---:|---:|---:|")
        for name, found in sorted(groups.items(), key=lambda group: -sum(test.cpu_s for test in group[1])):
            cpu, wall = sum(test.cpu_s for test in found), sum(test.wall_s for test in found)
            print(f"| {name} | {len(found)} | {cpu:.1f} | {wall:.1f} |")
    print("\n| slowest test | tier | processor s | wall s |\n|---|---|---:|---:|")
    for test in sorted(tests, key=lambda test: -test.cpu_s)[:slowest]:
        print(f"| {test.name} | {test.tier} | {test.cpu_s:.1f} | {test.wall_s:.1f} |")


if __name__ == "__main__":
    sys.exit(main())
