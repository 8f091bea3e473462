"""`grade release`: students receive everything they need, and no solutions, keys or feedback."""

import io
import re
import shutil
import zipfile
from pathlib import Path

import grade_command
import pytest
import yaml

from grader import authoring
from grader.cli import main
from grader.course import catalog

ROOT = Path(__file__).parent.parent
SEED = 3


def flat(text: str) -> str:
    """Return a text as one line without comment marks: answer sheets and banks break lines at different places."""
    return " ".join(re.sub(r"^[\s#]*", "", text, flags=re.MULTILINE).split())


@pytest.fixture(scope="module")
def real():
    return catalog.load(ROOT)


@pytest.fixture(scope="module")
def released(real):
    return authoring.release.files(real, SEED)


def test_it_contains_what_a_student_needs(real, released):
    for exercise in real.exercises:
        assert released[f"exercises/{exercise.id}.py"] == exercise.stub.read_bytes()
        shown = flat(released[f"hints/{exercise.id}.md"].decode())
        assert all(flat(hint) in shown for hint in exercise.hints)
    assert "exercises/data/digits.npz" in released
    for path in real.quizzes.glob("*.yaml"):
        bank = yaml.safe_load(path.read_text(encoding="utf-8"))
        shown = released[f"quizzes/{path.stem}.md"].decode()
        sheet = yaml.safe_load(released[f"answers/{path.stem}.yaml"])
        assert [item["id"] for item in bank["items"]] == list(sheet["answers"])
        assert all(f". {item['id']} (" in shown for item in bank["items"])


def test_nothing_of_the_solutions_is_inside(real, released):
    assert not [name for name in released if "solution" in name or "test_" in name or "mistake" in name]
    stubs = {flat(line) for e in real.exercises for line in e.stub.read_text(encoding="utf-8").splitlines()}
    for path in (ROOT / "solutions").rglob("*.py"):
        lines = {flat(line) for line in path.read_text(encoding="utf-8").splitlines()} - stubs
        long = [line for line in lines if len(line) > 60]
        for name, data in released.items():
            if name.startswith("hints/"):
                continue  # hints are public and may quote a call; they are searched for statements
            text = flat(data.decode("utf-8", "replace"))
            assert not [line for line in long if line in text], f"{name} holds lines of {path}"


def secret_texts(value, under=""):
    """Yield every text of a bank that is shown only once an answer is given, or never."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from secret_texts(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from secret_texts(inner, under)
    elif under in ("feedback", "explanation", "verify", "misconception") and "{" not in str(value):
        yield flat(str(value))


@pytest.mark.parametrize("path", sorted((ROOT / "quizzes").glob("*.yaml")), ids=lambda path: path.stem)
def test_no_key_and_no_feedback_of_a_quiz_is_inside(released, path):
    sheet = yaml.safe_load(released[f"answers/{path.stem}.yaml"])
    assert set(sheet) <= {"quiz", "seed", "draw", "answers"}
    assert set(sheet["answers"].values()) == {None}
    secrets = {
        text for text in secret_texts(yaml.safe_load(path.read_text(encoding="utf-8"))) if len(text) > 15
    }
    assert len(secrets) > 20
    for name, data in released.items():
        if not name.startswith("exercises/"):
            text = flat(data.decode("utf-8", "replace"))
            assert not [secret for secret in secrets if secret in text], name
            assert not re.search(
                r"^\s*(key|correct|expected_wrong|misconception|verify):", data.decode(), re.MULTILINE
            )


def test_the_same_course_gives_the_same_bytes(real, released):
    first = authoring.release.archive(released)
    assert first == authoring.release.archive(authoring.release.files(real, SEED))
    assert first != authoring.release.archive(authoring.release.files(real, SEED + 1)), (
        "the seed draws the numbers"
    )
    assert zipfile.ZipFile(io.BytesIO(first)).namelist() == sorted(released)


def test_the_command_writes_a_zip_and_a_folder_with_a_workflow(tmp_path):
    command = ["release", "--from", "convgrader==1.0"]
    for out, more in (("a.zip", []), ("b.zip", []), ("folder", ["--ci", "gitlab"])):
        grade_command.run(*command, out, *more, folder=tmp_path).check_returncode()
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    names = zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert ".github/workflows/grade.yml" in names
    there = {
        p.relative_to(tmp_path / "folder").as_posix() for p in (tmp_path / "folder").rglob("*") if p.is_file()
    }
    assert there == {*names, ".gitlab-ci.yml"} - {".github/workflows/grade.yml"}
    again = grade_command.run(*command, "folder", folder=tmp_path)
    assert again.returncode == 2
    assert "already exists" in again.stderr


REFERENCE_LINE = "return torch.stack([window.max() for window in every_window_of(x, kernel_size, stride)])"
LEAKING_BANK = """
title: Leaks
section: "1"
items:
  - id: leak
    type: single
    points: 1
    objective: notice
    prompt: "Which one? {hidden}"
    options:
      a: {text: One., correct: true, feedback: Right you are.}
      b: {text: Two., feedback: "Two is what you get when padding counts twice.", misconception: twice}
    explanation: It is one.
"""


@pytest.mark.parametrize("where", ["a hint", "a quiz"])
def test_a_course_that_shows_its_solutions_is_not_released(tmp_path, monkeypatch, capsys, where):
    course = tmp_path / "course"
    shutil.copytree(Path(__file__).parent / "course", course)
    solution = course / "solutions" / "scaling"
    reference = solution / "reference.py"
    text = reference.read_text(encoding="utf-8")
    reference.write_text(
        f"{text}\n\ndef secret(x, kernel_size, stride):\n    {REFERENCE_LINE}\n", encoding="utf-8"
    )
    (course / "quizzes").mkdir()
    hidden = "Two is what you get when padding counts twice." if where == "a quiz" else ""
    (course / "quizzes" / "leaks.yaml").write_text(LEAKING_BANK.replace("{hidden}", hidden), encoding="utf-8")
    if where == "a hint":
        document = (solution / "exercise.yaml").read_text(encoding="utf-8")
        document = document.replace("hints: [A nudge,", f"hints: ['Write {REFERENCE_LINE}',")
        (solution / "exercise.yaml").write_text(document, encoding="utf-8")
    with pytest.raises(SystemExit) as ending:
        main(["release", str(tmp_path / "out"), "--ci", "none", "--course", str(course)])
    assert ending.value.code == 4
    assert not (tmp_path / "out").exists()
    errors = capsys.readouterr().err
    assert ("hints/scaling.md: contains text of solutions/scaling/reference.py" in errors) == (
        where == "a hint"
    )
    assert ("quizzes/leaks.md: contains text of quizzes/leaks.yaml" in errors) == (where == "a quiz")
