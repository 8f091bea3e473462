"""The hostile catalog: every folder of tests/hostile is handed in, and must change nothing but its own result.

A folder's name is the outcome it must get, and what is wrong with it. `expected.yaml` states what differs from the
rule: the attacked function is lost, the other one and the other exercise keep their points. The submissions import
`honest`, which solves the exercise, and `targets`, which holds the addresses of everything worth attacking.

All cases of a level are graded by one dispatcher, with an honest submission after every tenth. `make test` runs
`REPRESENTATIVE` at level 3, `make test-all` every case at the levels 3, 2 and 0, and all of them as one class. At level 0
`REPRESENTATIVE` has a fresh interpreter for each worker, as users have; the workers of the others are forked from one.
"""

import contextlib
import io
import json
import os
import re
import shutil
import socket
import stat
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import grade_command
import pytest
import yaml
from warm_interpreter import WarmInterpreter

from grader.cli import main, run
from grader.grading.dispatcher import MAX_LEVEL_VARIABLE, Dispatcher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's")

CATALOG = Path(__file__).parent / "hostile"
COURSE = Path(__file__).parent / "hostile_course"
HONEST = (COURSE / "solutions" / "halving" / "reference.py").read_text("utf-8").replace("CANARY", "no")
HONEST_SHIFTING = (
    (COURSE / "solutions" / "shifting" / "reference.py").read_text("utf-8").replace("CANARY", "no")
)
FULL_MARKS = {"halving": 10.0, "shifting": 5.0}
# Wall time limit of one command on a quiet machine, in seconds; a single call may take 1 s of it.
SECONDS = {3: 10.0, 2: 10.0, 0: 40.0}
HONEST_SECONDS = {
    3: 0.5,
    2: 0.5,
    0: 5.0,
}  # what an honest submission takes there; a busy machine gets more time
BETWEEN_HONEST = 10  # cases
# One case for each way in which a submission can end, graded by `make test`.
REPRESENTATIVE = {
    "tampering_early_answer", "time_limit_loop", "memory_limit_torch", "output_limit_stdout", "crashed_segfault",
    "raised_read_reference", "raised_network_tcp", "raised_kill_parent", "raised_linked_module", "raised_zip_bomb",
    "failed_equal_to_all", "failed_prints_commands", "passed_strided", "refused_zip_that_climbs",
}  # fmt: skip
OUTCOMES = [
    "tampering",
    "time_limit",
    "memory_limit",
    "output_limit",
    "crashed",
    "raised",
    "not_attempted",
    "failed",
    "passed",
    "refused",
]
COMMANDS = [
    "::error file=a.py::all is well",
    "::add-mask::points",
    "::stop-commands::x",
    "##vso[task.complete result=Succeeded;]",
    "\x1b[2J\x1b[31mred\x1b]0;title\x07\x9b1m",
    "\r\r\rTotal  100 %",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "]]><testsuite tests='1' failures='0'/>",
    "[[ATTACHMENT|/etc/passwd]]",
    '=HYPERLINK("http://example.com","grade")',
    "+1+1 @SUM(A1) -2",
    "\u202egnp.exe \u2066x\u2069 \u200b\ufeff",
    "a\x00b\x08c\x7f",
]


class Case:
    """One folder of the catalog."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outcome = next(name for name in OUTCOMES if folder.name.startswith(f"{name}_"))
        path = folder / "expected.yaml"
        self.expected = yaml.safe_load(path.read_text("utf-8")) if path.exists() else {}
        unknown = set(self.expected) - {
            "points", "shifting", "quiz", "words", "levels", "outcomes", "exercise", "links", "pipes", "zip", "seconds",
            "renders", "seed",
        }  # fmt: skip
        assert not unknown, f"{path}: {unknown}"

    def outcome_at(self, level: int) -> str:
        return self.expected.get("outcomes", {}).get(level, self.outcome)

    def points(self) -> dict[str, float]:
        rule = 10 if self.outcome == "passed" else 4
        return {"halving": self.expected.get("points", rule), "shifting": self.expected.get("shifting", 5)}


CASES = {folder.name: Case(folder) for folder in sorted(CATALOG.iterdir())}


def cases_at(level: int) -> list[str]:
    """Return the names of the cases that are graded at a level."""
    return [name for name, case in CASES.items() if level in case.expected.get("levels", (3, 2, 0))]


def run_of(name: str, level: int, number: int, kind: str) -> object:
    """Return the parameters of one graded case."""
    mark = getattr(pytest.mark, kind)
    return pytest.param(
        name, level, number % BETWEEN_HONEST == BETWEEN_HONEST - 1, marks=mark, id=f"{name}-level{level}"
    )


RUNS = [run_of(name, 3, number, "warm") for number, name in enumerate(sorted(REPRESENTATIVE))]
RUNS += [
    run_of(name, level, number, "cold")
    for level in (3, 2, 0)
    for number, name in enumerate(
        name for name in cases_at(level) if level != 3 or name not in REPRESENTATIVE
    )
]


class Surroundings:
    """Everything around a submission that it might reach: files, sockets, processes, an environment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder, self.home, self.other = root / "folder", root / "home", root / "other"
        for folder in (self.folder, self.home, self.other / "exercises"):
            folder.mkdir(parents=True)
        (self.home / ".netrc").write_text("CANARY-OF-THE-HOME")
        (self.other / "exercises" / "halving.py").write_text("CANARY = 'CANARY-OF-ANOTHER-STUDENT'")
        self.sockets = [socket.socket(), socket.socket(type=socket.SOCK_DGRAM)]
        self.sockets[0].bind(("127.0.0.1", 0))
        self.port = self.sockets[0].getsockname()[1]
        self.sockets[1].bind(("127.0.0.1", self.port))
        self.abstract = f"convgrader-{os.getpid()}"
        for name in (str(root / "socket"), f"\0{self.abstract}"):
            listening = socket.socket(socket.AF_UNIX)
            listening.bind(name)
            self.sockets.append(listening)
        for listening in self.sockets:
            listening.setblocking(False)
            if listening.type == socket.SOCK_STREAM:
                listening.listen()

    def targets(self) -> str:
        """Return the source of `targets`, the module with the addresses of what submissions attack."""
        from grader.sandbox.protocol.frames import MAGIC

        values = {
            "COURSE": str(COURSE),
            "FOLDER": str(self.folder),
            "HOME": str(self.home),
            "OTHER": str(self.other),
            "PORT": self.port,
            "SOCKET": str(self.root / "socket"),
            "ABSTRACT": self.abstract,
            "PROCESS": os.getpid(),
            "MAGIC": MAGIC,
            "COMMANDS": COMMANDS,
        }
        return "".join(f"{name} = {value!r}\n" for name, value in values.items())

    def reached(self) -> list[str]:
        """Return the addresses of the sockets that received a connection or data."""
        found = []
        for listening in self.sockets:
            with contextlib.suppress(BlockingIOError):
                listening.accept() if listening.type == socket.SOCK_STREAM else listening.recv(1)
                found.append(str(listening.getsockname()))
        return found

    def close(self) -> None:
        for listening in self.sockets:
            listening.close()


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory) -> Iterator[Surroundings]:
    made = Surroundings(tmp_path_factory.mktemp("surroundings"))
    yield made
    made.close()


@dataclass
class Levels:
    """A dispatcher for each level, started when it is first needed and kept for all cases of the level.

    Before its first case it grades an honest submission: then the hosts of the exercises run, and no case may add a process.
    """

    started: dict[tuple[int, bool], Dispatcher]
    stack: contextlib.ExitStack
    warm_workers: bool = True  # at level 0, where each worker of a user is a fresh interpreter
    honest_seconds: dict[int, float] = field(default_factory=dict)

    def at(self, level: int) -> Dispatcher:
        """Return the dispatcher of a level; skip the test where this machine offers less."""
        key = level, self.warm_workers or level > 0
        if key not in self.started:
            self.started[key] = self._start(level)
        ready = self.started[key].ready()
        if ready.level < level:
            pytest.skip(f"level {level} is unavailable on this machine: {ready.missing}")
        return self.started[key]

    def _start(self, level: int) -> Dispatcher:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(MAX_LEVEL_VARIABLE, str(level))
            made = self.stack.enter_context(Dispatcher())
        if level == 0:
            warm = WarmInterpreter(warm_workers=self.warm_workers)
            made._starter.open = self.stack.enter_context(warm).open
        return made

    def limit(self, level: int) -> float:
        """Return the wall time limit of a case in seconds, longer on a machine that grades honest code slowly."""
        return SECONDS[level] * max(1.0, self.honest_seconds[level] / HONEST_SECONDS[level])


@pytest.fixture(scope="module")
def levels(dispatcher) -> Iterator[Levels]:
    with contextlib.ExitStack() as stack:
        yield Levels({(3, True): dispatcher}, stack)


@pytest.fixture
def grade(surroundings, levels, monkeypatch) -> Callable[..., SimpleNamespace]:
    """Run the command `grade` with the dispatcher of a level; return its exit code, stdout and stderr."""
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))
    monkeypatch.setenv("HOME", str(surroundings.home))
    monkeypatch.setenv("CONVGRADER_SECRET", "CANARY-OF-THE-ENVIRONMENT")

    def run_at(level: int, *arguments: str):
        monkeypatch.setattr(run, "Dispatcher", lambda *_, **__: contextlib.nullcontext(levels.at(level)))
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main([*arguments])
        return SimpleNamespace(exit_code=ended.value.code, stdout=out.getvalue(), stderr=err.getvalue())

    return run_at


def handed_in(case: Case, surroundings: Surroundings, root: Path) -> Path:
    """Write what a case hands in to `root`, and return its path."""
    folder = root / case.folder.name
    shutil.copytree(case.folder, folder, ignore=shutil.ignore_patterns("expected.yaml", "__pycache__"))
    links = case.expected.get("links", {})
    if "exercises" not in links:
        (folder / "exercises").mkdir(exist_ok=True)
        for name, text in (
            ("honest", HONEST),
            ("targets", surroundings.targets()),
            ("shifting", HONEST_SHIFTING),
        ):
            path = folder / "exercises" / f"{name}.py"
            if not path.exists():
                path.write_text(text, encoding="utf-8")
    for name, target in links.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(target.replace("@COURSE@", str(COURSE)))
    for name in case.expected.get("pipes", []):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(folder / name)
    return zipped(case, folder, root / f"{case.folder.name}.zip") if "zip" in case.expected else folder


def zipped(case: Case, folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.rglob("*.py"):
            archive.write(file, file.relative_to(folder))
        for member in case.expected["zip"]:
            info = zipfile.ZipInfo(member["name"])
            info.compress_type = zipfile.ZIP_DEFLATED
            if "link" in member:
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(info, member["link"].replace("@COURSE@", str(COURSE)))
            elif "zeros" in member:
                with archive.open(info, "w", force_zip64=True) as content:
                    for _ in range(member["zeros"] // 10**6):
                        content.write(bytes(10**6))
            else:
                archive.writestr(info, member["text"])
    shutil.rmtree(folder)
    return path


def files_of(*folders: Path) -> dict[str, tuple[int, int]]:
    """Return size and modification time of all files in folders, by path."""
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for folder in folders
        for path in folder.rglob("*")
        if path.name != "__pycache__" and path.suffix != ".pyc" and not path.is_dir()
    }


def processes() -> set[int]:
    """Return the living processes that descend from this one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] not in "ZX":
                    parents[int(entry.name)] = int(fields[1])
    found, grown = {os.getpid()}, True
    while grown:
        more = {process for process, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return found


def still_running(before: set[int]) -> set[int]:
    """Return the processes that were started since `before` and have not ended within 5 s."""
    deadline = time.monotonic() + 5
    while (left := processes() - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


@pytest.mark.parametrize(("name", "level", "honest_next"), RUNS)
def test_a_hostile_submission_changes_nothing_but_its_own_result(
    grade, levels, surroundings, tmp_path, monkeypatch, name, level, honest_next
):
    case = CASES[name]
    levels.warm_workers = name not in REPRESENTATIVE
    levels.at(level)
    monkeypatch.chdir(tmp_path)
    if level not in levels.honest_seconds:
        check_an_honest_submission(grade, levels, level, tmp_path / "first")
    submission = handed_in(case, surroundings, tmp_path)
    files, running = files_of(surroundings.root, tmp_path, COURSE), processes()
    attacked = case.expected.get("exercise", "halving")
    named = [attacked] if level == 0 else []  # each exercise may cost a fresh interpreter there
    seed = str(case.expected.get("seed", 0))
    started = time.monotonic()
    ended = grade(level, *named, "--submission", str(submission), "--format", "json", "--seed", seed)
    seconds = time.monotonic() - started
    printed = ended.stdout + ended.stderr

    if case.outcome == "refused":
        assert ended.exit_code == 2
    else:
        report = json.loads(ended.stdout)
        check_report(report, case, level)
        assert ended.exit_code == (report["score"] < 1)
    assert case.expected.get("words", "") in printed
    assert "LEAK" not in re.sub(r'"(?:text|call)": ".*?(?<!\\)"', "", printed)
    assert "CANARY-" not in printed
    if case.outcome == "raised":
        assert "grader/sandbox/" not in printed  # a traceback of a worker's own
    assert surroundings.reached() == []
    assert still_running(running) == set()
    assert files_of(surroundings.root, tmp_path, COURSE) == files
    if case.expected.get("renders"):
        for form in ("text", "junit"):
            check_rendering(grade(level, "--submission", str(submission), "--format", form).stdout, form)
    if honest_next:
        check_an_honest_submission(grade, levels, level, tmp_path / "next")
    assert seconds < max(levels.limit(level), case.expected.get("seconds", 0)), "too slow"


def check_report(report: dict, case: Case, level: int) -> None:
    """Check that a hostile submission has the outcome and the points of its case, and that no quiz gives any."""
    results = {exercise["id"]: exercise for exercise in report["exercises"]}
    attacked = results[case.expected.get("exercise", "halving")]
    assert attacked["outcome"] == case.outcome_at(level), attacked
    for exercise, result in results.items():
        assert result["points"] == case.points()[exercise], result
        assert result["max_points"] == FULL_MARKS[exercise]
    assert sum(quiz["points"] for quiz in report["quizzes"]) == 0


def check_rendering(text: str, form: str) -> None:
    """Check that a report holds no control characters and no commands for terminals, CI servers or browsers."""
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", text)
    assert not re.search(r"(?m)^\s*(::|##\[|##vso)", text)
    if form == "junit":
        root = ET.fromstring(text)
        assert {element.tag for element in root.iter()} <= {
            "testsuites", "testsuite", "testcase", "failure", "error", "skipped", "properties", "property",
        }  # fmt: skip
        assert "<script" not in text


def write_honest(folder: Path) -> None:
    """Write a submission that solves both exercises."""
    (folder / "exercises").mkdir(parents=True)
    (folder / "exercises" / "halving.py").write_text(HONEST, encoding="utf-8")
    (folder / "exercises" / "shifting.py").write_text(HONEST_SHIFTING, encoding="utf-8")


def check_full_marks(report: dict) -> None:
    """Check that every exercise of a report has full marks."""
    assert {exercise["id"]: exercise["points"] for exercise in report["exercises"]} == FULL_MARKS, report
    assert {exercise["outcome"] for exercise in report["exercises"]} == {"passed"}


def check_an_honest_submission(grade, levels: Levels, level: int, folder: Path) -> None:
    """Check that an honest submission gets full marks, and measure how long that takes on this machine now."""
    write_honest(folder)
    started = time.monotonic()
    ended = grade(level, "--submission", str(folder), "--format", "json")
    levels.honest_seconds[level] = time.monotonic() - started
    check_full_marks(json.loads(ended.stdout))


@pytest.mark.cold
@pytest.mark.timeout(1000)
def test_honest_students_of_a_hostile_class_get_full_marks(levels, surroundings, tmp_path):
    """The whole catalog is one class, graded side by side, with an honest student after every tenth."""
    levels.at(3)  # the cases are those of level 3
    folder, reports = tmp_path / "class", tmp_path / "reports"
    folder.mkdir()
    names = [name for name in cases_at(3) if "seed" not in CASES[name].expected]
    for number, name in enumerate(names):
        handed_in(CASES[name], surroundings, folder)
        if number % BETWEEN_HONEST == BETWEEN_HONEST - 1:
            write_honest(folder / f"{name}_then_honest")
    changes = {"CONVGRADER_COURSE": str(COURSE), "HOME": str(surroundings.home)}
    done = grade_command.run("class", folder, "--reports", reports, folder=tmp_path, limit_s=900, **changes)
    assert done.returncode == 1, done.stdout + done.stderr  # some cannot be read
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in reports.iterdir()}
    assert sum(name.endswith("_then_honest") for name in found) == len(names) // BETWEEN_HONEST
    for name, report in found.items():
        if name.endswith("_then_honest"):
            check_full_marks(report)
        else:
            # Side by side on a busy machine a slow call may time out: the exact outcome is asserted case by case above.
            for exercise in report["exercises"]:
                assert exercise["points"] <= CASES[name].points()[exercise["id"]], exercise
    assert set(names) - set(found) == {name for name in names if CASES[name].outcome == "refused"}
    assert surroundings.reached() == []


def test_the_catalog_is_as_large_as_promised():
    assert len(CASES) >= 60
    assert set(CASES) >= REPRESENTATIVE
    assert {CASES[name].outcome for name in REPRESENTATIVE} >= set(OUTCOMES) - {"not_attempted"}
