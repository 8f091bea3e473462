"""Nothing of the grader dies under load: eight gradings side by side, hostile ones among them, and no internal error.

`CONVGRADER_STRESS_GRADINGS=2000` grades 2,000; the default is a sample.
"""

import collections
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import pytest
from conftest import REFERENCE
from test_sandbox import alive, descendants

from grader.core.model import Limits, Outcome
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import Graded, Job, NotGraded

if sys.platform != "linux":
    pytest.skip("forking a warm process is for Linux", allow_module_level=True)

from grader.sandbox.worker import cgroup

pytestmark = pytest.mark.cold

GRADINGS = int(os.environ.get("CONVGRADER_STRESS_GRADINGS", "48"))
SIDE_BY_SIDE = 8
# Hostile submissions, each with the outcomes that it may have, and honest ones between them.
HOSTILE = {
    "exit": ("import os\ndef double(x): os._exit(3)", {"crashed"}),
    "fault": ("import ctypes\ndef double(x): ctypes.string_at(8)", {"crashed"}),
    "hang": ("def double(x):\n    while True: pass", {"time_limit"}),
    "flood": ("def double(x):\n    while True: print('x' * 10000)", {"output_limit", "time_limit"}),
    "memory": ("def double(x):\n    kept = []\n    while True: kept.append(bytearray(2**24))", {"memory_limit", "time_limit"}),
    "threads": (
        "import threading, time\nthreading.stack_size(32768)\n"
        "def double(x):\n"
        "    while True:\n"
        "        try: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "        except BaseException: pass",
        {"time_limit"},
    ),
    "descriptors": ("import os\ndef double(x):\n    os.closerange(0, 100)\n    return x", {"crashed"}),
    "stopped": ("import os\nos.closerange(0, 100)", {"crashed"}),
}  # fmt: skip
KINDS = [kind for name in HOSTILE for kind in (name, "honest")]


def test_gradings_side_by_side_end_each_with_an_outcome_of_its_own(course):
    exercise = replace(course.exercises[0], limits=Limits(call_limit_s=2.0, memory_limit_mib=256))
    endings: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    lock = threading.Lock()
    with Dispatcher(SIDE_BY_SIDE, many=True) as dispatcher:

        def grade(kind: str) -> None:
            source = REFERENCE + "\n\n" + HOSTILE.get(kind, ("", set()))[0] + "\n"
            job = Job(exercise=exercise, module="scaling", sources={"scaling.py": source}, seed=0)
            (ending,) = dispatcher.grade([job])
            with lock:
                endings[kind][reason_of(ending)] += 1

        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(grade, islice(cycle(KINDS), GRADINGS)))
        assert dispatcher.is_alive()
        members = descendants(dispatcher._starter._process.pid)
        assert members
    deadline = time.monotonic() + 60
    while (left := [pid for pid in members if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []
    expected = {"honest": {"passed"}, **{kind: outcomes for kind, (_, outcomes) in HOSTILE.items()}}
    assert not {kind: found for kind, found in endings.items() if set(found) - expected[kind]}


def reason_of(ending: Graded | NotGraded) -> str:
    """Return the outcome, with the reason where the grader failed."""
    if isinstance(ending, NotGraded):
        return f"not graded: {ending.reason}"
    failed = [check for check in ending.result.checks if check.outcome is Outcome.INTERNAL_ERROR]
    return f"internal error: {failed[0].rationale}" if failed else ending.result.outcome.value


# --- in a container

SMALL_COURSE = Path(__file__).parent / "hostile_course"
HOARD = """
kept = []

def halve(x):
    while True:
        kept.append(bytearray(b"x" * 2**23))

largest = halve
"""
THREADS = """
import threading, time
threading.stack_size(32768)
while True:
    try:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    except BaseException:
        time.sleep(0.01)
"""


@pytest.fixture
def container():
    """Make a cgroup with a limit, as a container has one; skip where this machine gives none."""
    made = []

    def make(controller: str, names: tuple[str, ...], limit: int) -> Path:
        for parent in cgroup._folders(controller, Path("/")):
            folder = parent / f"convgrader-{os.getpid()}"
            try:
                folder.mkdir()
                made.append(folder)
                next(folder / name for name in names if (folder / name).exists()).write_text(str(limit))
            except (OSError, StopIteration):
                continue
            return folder
        pytest.skip(f"no cgroup with a limit of {controller} can be made here")

    yield make
    for folder in made:
        deadline = time.monotonic() + 30
        while (folder / "cgroup.procs").read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        folder.rmdir()


@pytest.mark.parametrize(
    ("source", "outcome", "words", "controller", "limit"),
    [
        (HOARD, "memory_limit", "asked for more memory", "memory", 900 * 2**20),
        (THREADS, "time_limit", "Started more threads", "pids", 200),
    ],
    ids=["memory", "threads"],
)
def test_what_a_submission_takes_from_a_container_is_its_own_outcome(
    tmp_path, container, source, outcome, words, controller, limit
):
    course = tmp_path / "course"
    shutil.copytree(SMALL_COURSE, course)
    settings = course / "solutions" / "halving" / "exercise.yaml"
    text = settings.read_text(encoding="utf-8")
    assert "call_limit_s: 1.0" in text
    assert "memory_limit_mib: 256" in text  # an exercise may use more than the container has
    text = text.replace("call_limit_s: 1.0", "call_limit_s: 20.0").replace("256, output", "2048, output")
    settings.write_text(text, encoding="utf-8")
    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / "halving.py").write_text(source, encoding="utf-8")
    honest = (
        (SMALL_COURSE / "solutions" / "shifting" / "reference.py")
        .read_text(encoding="utf-8")
        .replace("CANARY", "no")
    )
    (tmp_path / "exercises" / "shifting.py").write_text(honest, encoding="utf-8")
    names = {"memory": ("memory.max", "memory.limit_in_bytes"), "pids": ("pids.max",)}[controller]
    procs = container(controller, names, limit) / "cgroup.procs"
    enter = f'echo $$ > {procs} && exec "$@"'
    command = [sys.executable, "-m", "grader", "--submission", str(tmp_path), "--format", "json"]
    done = subprocess.run(
        ["sh", "-c", enter, "sh", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CONVGRADER_COURSE": str(course)},
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert {one["id"]: one["outcome"] for one in report["exercises"]} == {
        "halving": outcome,
        "shifting": "passed",
    }
    assert report["exercises"][1]["points"] == 5.0
    assert words in done.stdout
