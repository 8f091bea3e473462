"""The hostile catalogue: every folder of tests/hostile is handed in, and must change nothing but its own result.

A folder's name is the outcome it must get, and what is wrong with it. `expected.yaml` says what differs from the
rule: the attacked function is lost, the other one and the other exercise keep their points. The submissions import
`honest`, which solves the exercise, and `targets`, which tells them where everything worth attacking is.
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
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
import yaml

from grader.cli import main, run
from grader.course import catalog
from grader.grading.attempt import grade_exercises
from grader.grading.dispatcher import MAX_LEVEL_VARIABLE, Dispatcher
from grader.submission import open_submission

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's")

CATALOGUE = Path(__file__).parent / "hostile"
COURSE = Path(__file__).parent / "hostile_course"
HONEST = (COURSE / "solutions" / "halving" / "reference.py").read_text("utf-8").replace("CANARY", "no")
HONEST_SHIFTING = (
    (COURSE / "solutions" / "shifting" / "reference.py").read_text("utf-8").replace("CANARY", "no")
)
FULL_MARKS = {"halving": 10.0, "shifting": 5.0}
SECONDS = {3: 10.0, 2: 10.0, 0: 40.0}  # of the wall, for the whole command; a call may take 1 s of it
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
    """One folder of the catalogue."""

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


CASES = {folder.name: Case(folder) for folder in sorted(CATALOGUE.iterdir())}
RUNS = [
    (name, level)
    for level in (3, 2, 0)
    for name, case in CASES.items()
    if level in case.expected.get("levels", (3, 2, 0))
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
        """Return the source of the module that tells submissions where to aim."""
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
        """Return which sockets somebody reached."""
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


@pytest.fixture(scope="module")
def dispatchers(tmp_path_factory) -> Iterator[dict[int, Dispatcher]]:
    """One warm grader for each level, for all cases: what one leaves behind, the next would find.

    Each has graded an honest submission: the hosts of the exercises are there, and no case may add a process.
    """
    honest = tmp_path_factory.mktemp("honest")
    (honest / "halving.py").write_text(HONEST, encoding="utf-8")
    (honest / "shifting.py").write_text(HONEST_SHIFTING, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        made = {}
        for level in (3, 2, 0):
            patch.setenv(MAX_LEVEL_VARIABLE, str(level))
            made[level] = stack.enter_context(Dispatcher())
            list(grade_exercises(made[level], open_submission(honest), catalog.load(COURSE).exercises, 0))
        yield made


@pytest.fixture
def grade(surroundings, dispatchers, monkeypatch):
    """Run the command `grade` on what is warm at a level; return its exit code, stdout and stderr."""
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))
    monkeypatch.setenv("HOME", str(surroundings.home))
    monkeypatch.setenv("CONVGRADER_SECRET", "CANARY-OF-THE-ENVIRONMENT")

    def run_at(level: int, *arguments: str):
        monkeypatch.setattr(run, "Dispatcher", lambda _: contextlib.nullcontext(dispatchers[level]))
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
    """Lay out what a case hands in, and return its path."""
    folder = root / "submission"
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
    return zipped(case, folder, root / "submission.zip") if "zip" in case.expected else folder


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
    return path


def files_of(*folders: Path) -> dict[str, tuple[int, int]]:
    """Return all files of folders with size and time of change."""
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for folder in folders
        for path in folder.rglob("*")
        if path.name != "__pycache__" and path.suffix != ".pyc" and not path.is_dir()
    }


def processes() -> set[int]:
    """Return the processes that came from this one, however far, and are not dead."""
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


def settles(before: set[int]) -> set[int]:
    """Return which processes are there that were not before, after a moment to end."""
    deadline = time.monotonic() + 5
    while (left := processes() - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


@pytest.mark.parametrize(("name", "level"), RUNS, ids=[f"{name}-level{level}" for name, level in RUNS])
def test_a_hostile_submission_changes_nothing_but_its_own_result(
    grade, dispatchers, surroundings, tmp_path, monkeypatch, name, level
):
    case = CASES[name]
    if dispatchers[level].ready().level < level:
        pytest.skip(f"this machine gives no level {level}: {dispatchers[level].ready().missing}")
    submission = handed_in(case, surroundings, tmp_path)
    files, running = files_of(surroundings.root, tmp_path, COURSE), processes()
    monkeypatch.chdir(tmp_path)
    attacked = case.expected.get("exercise", "halving")
    # A process that is spawned costs seconds: at level 0 the attacked exercise alone.
    named = [attacked] if level == 0 else []
    seed = str(case.expected.get("seed", 0))
    started = time.monotonic()
    ended = grade(level, *named, "--submission", str(submission), "--format", "json", "--seed", seed)
    seconds = time.monotonic() - started
    told = ended.stdout + ended.stderr

    assert seconds < max(SECONDS[level], case.expected.get("seconds", 0)), "too slow"
    if case.outcome == "refused":
        assert ended.exit_code == 2
    else:
        report = json.loads(ended.stdout)
        results = {exercise["id"]: exercise for exercise in report["exercises"]}
        assert results[attacked]["outcome"] == case.outcome_at(level), results[attacked]
        for exercise, result in results.items():
            assert result["points"] == case.points()[exercise], result
            assert result["max_points"] == FULL_MARKS[exercise]
        assert ended.exit_code == (report["score"] < 1)
        assert sum(quiz["points"] for quiz in report["quizzes"]) == 0
    assert case.expected.get("words", "") in told
    assert "LEAK" not in re.sub(r'"(?:text|call)": ".*?(?<!\\)"', "", told)
    assert "CANARY-" not in told
    assert surroundings.reached() == []
    assert settles(running) == set()
    assert files_of(surroundings.root, tmp_path, COURSE) == files
    if case.expected.get("renders"):
        for form in ("text", "junit"):
            check_rendering(grade(level, "--submission", str(submission), "--format", form).stdout, form)
    if level:
        check_the_next(grade, level, tmp_path)


def check_rendering(text: str, form: str) -> None:
    """Check that nothing a terminal, a CI server or a browser obeys is in a report."""
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", text)
    assert not re.search(r"(?m)^\s*(::|##\[|##vso)", text)
    if form == "junit":
        root = ET.fromstring(text)
        assert {element.tag for element in root.iter()} <= {
            "testsuites", "testsuite", "testcase", "failure", "error", "skipped", "properties", "property",
        }  # fmt: skip
        assert "<script" not in text


def check_the_next(grade, level: int, tmp_path: Path) -> None:
    """Check that an honest submission, graded next, gets what it deserves."""
    folder = tmp_path / "next" / "exercises"
    folder.mkdir(parents=True)
    (folder / "halving.py").write_text(HONEST, encoding="utf-8")
    (folder / "shifting.py").write_text(HONEST_SHIFTING, encoding="utf-8")
    ended = grade(level, "--submission", str(folder.parent), "--format", "json")
    report = json.loads(ended.stdout)
    assert {exercise["id"]: exercise["points"] for exercise in report["exercises"]} == FULL_MARKS, report
    assert {exercise["outcome"] for exercise in report["exercises"]} == {"passed"}


def test_the_catalogue_is_as_large_as_promised():
    assert len(CASES) >= 60
