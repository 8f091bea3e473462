"""Another course, in a folder outside the repository: every command works with `--course DIR`."""

import json
import os
from pathlib import Path

import grade_command
import pytest
import yaml

from grader.course.catalog import COURSE_VARIABLE

FILES = {
    "exercises/halving.py": '''
        """Halving: the only exercise of another course."""


        def halve(x):
            """Return half of the tensor `x`."""
            raise NotImplementedError
        ''',
    "solutions/halving/exercise.yaml": """
        title: Halves
        section: "1"
        points: 2
        names: [halve]
        objectives: [divide by two]
        source: none
        hints: [What times two is x?]
        """,
    "solutions/halving/reference.py": '''
        """Halving is dividing by two."""


        def halve(x):
            """Return half of the tensor `x`."""
            return x / 2
        ''',
    "solutions/halving/test_halving.py": '''
        """Hidden suite of halving."""

        import pytest
        import torch
        from grader.suite import assert_matches


        @pytest.mark.points(2)
        def test_halves(student, rng):
            """Every value is halved"""
            x = torch.randn(3, generator=rng)
            assert_matches(student.halve(x), x / 2)
        ''',
    "solutions/halving/mistakes.py": '''
        """Known mistakes of halving."""

        from grader.mistakes import mistake


        @mistake("halve")
        def floors(x):
            """`//` throws the fraction away: use /."""
            return x // 2
        ''',
    "quizzes/halves.yaml": """
        title: Halves
        section: "1"
        items:
          - id: half-of-five
            type: numeric
            points: 1
            objective: divide by two
            prompt: What is half of 5?
            key: 2.5
            verify: 5 / 2
            expected_wrong:
              - {value: 2, feedback: Nothing is rounded here., misconception: floors}
            explanation: Half of 5 is 2.5.
        """,
}


def dedented(text: str) -> str:
    lines = text.strip("\n").split("\n")
    margin = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[margin:] for line in lines).rstrip() + "\n"


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """The folder of the other course."""
    root = tmp_path_factory.mktemp("elsewhere")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedented(text), encoding="utf-8")
    return root


@pytest.fixture
def grade(tmp_path):
    """Run `grade` in an empty folder, without a course in the environment."""

    def run(*arguments: str | Path, typed: str = "", code: int = 0) -> str:
        environment = {name: value for name, value in os.environ.items() if name != COURSE_VARIABLE}
        done = grade_command.run(*arguments, folder=tmp_path, environment=environment, typed=typed)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_it_is_checked_and_has_too_few_checks_mistakes_and_hints(grade, other):
    shown = grade("check", "--course", other, code=4)
    assert "1 of 1 mistakes caught" in shown
    assert "1 keys computed, sound" in shown
    assert shown.count(" required") == 3, "too few checks, mistakes and hints are its only problems"
    assert "3 problems" in shown


def test_a_student_works_through_it(grade, other, tmp_path):
    assert "halving" in grade("--course", other, "list")
    grade("init", "work", "--course", other)
    assert sorted(p.name for p in (tmp_path / "work" / "exercises").iterdir()) == ["halving.py"]
    assert "What times two is x?" in grade("hint", "halving", "--submission", "work", "--course", other)
    grade("quiz", "halves", "--submission", "work", "--course", other, typed="2.5\n")
    answers = yaml.safe_load((tmp_path / "work" / "answers" / "halves.yaml").read_text(encoding="utf-8"))
    assert "2.5" in str(answers)
    wrong = "def halve(x):\n    return x // 2\n"
    (tmp_path / "work" / "exercises" / "halving.py").write_text(wrong, encoding="utf-8")
    shown = grade("--submission", "work", "--course", other, "--format", "json", code=1)
    report = json.loads(shown)
    assert report["exercises"][0]["checks"][0]["diagnosis"]["mistake"] == "floors"
    assert (report["points"], report["max_points"]) == (1, 3)


@pytest.mark.parametrize("executor", ["local", "processes"])
def test_a_class_is_graded_with_it_by_every_executor(grade, other, tmp_path, executor):
    (tmp_path / "handed-in" / "ada").mkdir(parents=True)
    right = (other / "solutions" / "halving" / "reference.py").read_text(encoding="utf-8")
    (tmp_path / "handed-in" / "ada" / "halving.py").write_text(right, encoding="utf-8")
    command = ("class", "handed-in", "--gradebook", "course.db", "--executor", executor, "--course", other)
    assert "2 of 3" in grade(*command)
    assert "1 student" in grade("stats", "course.db", "--course", other)
    assert "No two solutions reach" in grade("similar", "course.db", "--course", other)
    assert "0 of 1 hand-ins would change" in grade("regrade", "course.db", "--dry-run", "--course", other)


def test_a_folder_that_is_not_a_course_is_refused(grade, tmp_path):
    for words in (["list", "--course", tmp_path], ["--course", tmp_path, "list"], [f"--course={tmp_path}"]):
        assert "holds no solutions/" in grade(*words, code=2)


def test_the_environment_is_as_before_after_a_command_in_the_same_process(other, monkeypatch, capsys):
    from grader.cli import main

    for before in (None, "elsewhere"):
        monkeypatch.delenv(COURSE_VARIABLE, raising=False)
        if before:
            monkeypatch.setenv(COURSE_VARIABLE, before)
        with pytest.raises(SystemExit):
            main(["list", "--course", str(other)])
        assert "halving" in capsys.readouterr().out
        assert os.environ.get(COURSE_VARIABLE) == before
