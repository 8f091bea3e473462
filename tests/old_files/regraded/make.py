"""Makes class.db, a gradebook of schema 2, with the version that wrote it: 0.1.0 at 753d00f. Nothing runs it any more.

    git worktree add OLD 753d00f
    PYTHONPATH=OLD .venv/bin/python tests/old_files/regraded/make.py tests/old_files/regraded/class.db

A class of six hands in, once or several times, while the course changes. `grade regrade` of that version appended an
attempt for the last hand-in, with the same files and the same time. The attempts, in their order (T1 to T4 are times):

    ada: hand-in A at T1; B at T2; B regraded (an item is void); B regraded (a harder suite); A at T1 once more
    bob: A at T1; B at T2; B regraded; B regraded; the same files at T3
    cyd: the stub at T1; regraded (an item is void); the harder suite changes nothing but the conditions: regraded
    dee: A at T1, void; regraded, whole; regraded
    eve: A at T1; regraded; regraded, void
    gil: A at T1, erased at the end
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec
from click.testing import CliRunner

from grader.classroom import batch, remote_worker
from grader.classroom.remote_worker import WorkResult
from grader.cli import grade
from grader.grading import messages

TESTS = Path(__file__).parents[2]
TIMES = {f"T{day}": 1_772_352_000 + 86_400 * day for day in range(1, 5)}  # days of March 2026, 8:00 UTC
ANSWERS = "pick: b\ntruth: true\n"
WRONG = "\n\ndef double(x):\n    return x * x\n"
MARK = b"# the grader fails here"


def failing(data: bytes) -> bytes:
    """Grade, but say of a marked submission that the grading process died."""
    done = remote_worker.perform(data)
    if MARK not in data:
        return done
    died = (messages.encode(messages.NotGraded(reason="the grading process died")),)
    result = msgspec.msgpack.decode(done, type=WorkResult)
    return msgspec.msgpack.encode(msgspec.structs.replace(result, endings=died))


def hand_in(folder: Path, student: str, text: str, time: str) -> None:
    """Write the submission of a student, all files of one time."""
    for name, content in ((f"exercises/scaling.py", text), ("answers/first.yaml", ANSWERS)):
        path = folder / student / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    for path in (*(folder / student).rglob("*"), folder / student):
        os.utime(path, (TIMES[time], TIMES[time]))


def run(*words: object, fails: bool = False) -> None:
    """Run a command of the grader."""
    batch.perform = failing if fails else remote_worker.perform
    done = CliRunner().invoke(grade, list(map(str, words)), standalone_mode=False)
    print(done.output, done.return_value, done.exception or "")


def main(book: Path) -> None:
    """Write the gradebook."""
    with tempfile.TemporaryDirectory() as name:
        course, folder = Path(name) / "course", Path(name) / "handed-in"
        shutil.copytree(TESTS / "course", course, ignore=shutil.ignore_patterns("__pycache__"))
        (course / "quizzes").mkdir()
        bank = course / "quizzes" / "first.yaml"
        shutil.copy(TESTS / "old_files" / "quizzes" / "first.yaml", bank)
        os.environ["CONVGRADER_COURSE"] = str(course)
        right = (course / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")
        stub = (course / "exercises" / "scaling.py").read_text(encoding="utf-8")
        grading = ("--executor", "local", "--jobs", 1, "--require-isolation", 0)
        hand_in(folder, "ada", right, "T1")
        hand_in(folder, "bob", right + WRONG, "T1")
        hand_in(folder, "cyd", stub, "T1")
        hand_in(folder, "dee", f"{right}{MARK.decode()}\n", "T1")
        hand_in(folder, "eve", f"{right}{MARK.decode()}, of eve\n", "T1")
        hand_in(folder, "gil", f"{right}# gil\n", "T1")
        shutil.move(folder / "eve", Path(name) / "eve")
        run("class", folder, "--gradebook", book, "--seed", 71, *grading, fails=True)
        shutil.move(Path(name) / "eve", folder / "eve")
        hand_in(folder, "ada", right + WRONG, "T2")
        hand_in(folder, "bob", f"{right}# bob\n", "T2")
        for student in ("dee", "gil"):
            shutil.rmtree(folder / student)
        run("class", folder, "--gradebook", book, *grading)
        bank.write_text(bank.read_text("utf-8").replace("id: truth", "id: truth\n    void: full"), encoding="utf-8")
        run("regrade", book, "ada", "bob", "cyd", "dee", "eve", *grading)
        suite = course / "solutions" / "scaling" / "test_scaling.py"
        title = '"""Every value is doubled"""'
        harder = suite.read_text("utf-8").replace(title, f"{title}\n    assert False, 'harder'")
        suite.write_text(harder, encoding="utf-8")
        run("regrade", book, "ada", "bob", "cyd", "dee", *grading)
        run("regrade", book, "eve", *grading, fails=True)
        hand_in(folder, "bob", f"{right}# bob\n", "T3")
        hand_in(folder, "ada", right, "T1")
        for student in ("cyd", "eve"):
            shutil.rmtree(folder / student)
        suite.write_text(harder + "\n# The last version of the suite.\n", encoding="utf-8")
        run("class", folder, "--gradebook", book, *grading)
        run("erase", book, "gil", "--reason", "asked for it")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
