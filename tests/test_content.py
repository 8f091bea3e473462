"""`grade check` of exercises and folders: a sound course passes, every kind of problem is found with file and line."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from grader import authoring
from grader.authoring.exercise_check import _outliers
from grader.cli.check import _show_mistakes, _show_outliers, check_command
from grader.course import catalog
from grader.course.known_mistakes import Listed, read_mistakes
from grader.grading.dispatcher import Dispatcher

COURSE = Path(__file__).parent / "course"
USER_CACHE = os.environ.get("XDG_CACHE_HOME", "")  # as it is outside of tests, which have one of their own
LISTED = Listed(id="no-result", name="f", attribute="no_result", message="Return it.", outlier="", line=1)


@pytest.fixture
def spoiled(tmp_path):
    """Return a function that replaces text in a copy of the miniature course, and the folder of the copy."""
    root = Path(shutil.copytree(COURSE, tmp_path / "course", ignore=shutil.ignore_patterns("__pycache__")))

    def spoil(name: str, old: str, new: str) -> Path:
        path = root / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        return root

    return spoil


def problems(root: Path, dispatcher: Dispatcher) -> list[str]:
    course = catalog.load(root)
    proofs = list(authoring.check_exercises(course, course.exercises, dispatcher, seed=0))
    return [str(problem) for proof in proofs for problem in proof.problems]


# The miniature course has one known mistake more than required, and exactly enough checks and hints.
UNSOUND = [
    ("exercises/scaling.py", '    """Return twice `x`, any shape."""\n    raise NotImplementedError', '    """Return twice `x`."""\n    return 2 * x', "exercises/scaling.py: the stub earns 6 points"),
    ("solutions/scaling/reference.py", "return 2 * x", "return 3 * x", "test_scaling.py:23:1: the reference does not pass: test_values: "),
    ("solutions/scaling/exercise.yaml", "points: 13", "points: 14", "exercise.yaml:3:9: the checks add up to 13 points, but exercise.yaml says 14"),
    ("solutions/scaling/mistakes.py", "return x * x", "return 2 * x", "mistakes.py:10:1: squares is missed: every check passes"),
    ("solutions/scaling/mistakes.py", '@mistake("double")\ndef squares', '@mistake("double", outlier="Why.")\ndef squares', "mistakes.py:10:1: squares costs 31% of the points: its `outlier` explains nothing"),
    ("solutions/scaling/mistakes.py", "return 2 * x.abs()", "return x ** 2", "squares cannot be distinguished from absolute"),
    ("solutions/scaling/mistakes.py", '    """Twice x is x + x, not x * x."""\n', "", "squares has no docstring"),
    ("solutions/scaling/exercise.yaml", "hints: [A nudge, More, Almost the answer]", "hints: [A nudge]", "exercise.yaml:7:8: holds 1 hints; at least 3 are required"),
    ("solutions/scaling/test_scaling.py", '"""Every value is doubled"""', '"""The input is left as it was"""', "share the title"),
    ("solutions/scaling/exercise.yaml", "[addcmul]", "[adcmul]", "test_scaling.py: the exercise could not be graded: InternalError: A worker could not be started"),
    ("solutions/scaling/test_scaling.py", "student.fixtures.ones(3)", "undefined", "the reference does not pass: test_total: The suite is broken"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "new", "message"), UNSOUND, ids=[message[-40:] for *_, message in UNSOUND]
)
def test_an_unsound_exercise_is_found(spoiled, dispatcher, name, old, new, message):
    found = problems(spoiled(name, old, new), dispatcher)
    assert any(message in problem for problem in found), found


def test_a_sound_exercise_has_no_problem(dispatcher):
    assert problems(COURSE, dispatcher) == []


def test_files_that_belong_to_no_exercise_are_found(spoiled):
    root = spoiled("exercises/scaling.py", "x", "x")
    (root / "exercises" / "stray.py").write_text("", encoding="utf-8")
    (root / "solutions" / "scaling" / "notes.txt").write_text("", encoding="utf-8")
    (root / "quizzes").mkdir(exist_ok=True)
    (root / "quizzes" / "old.bak").write_text("", encoding="utf-8")
    assert [str(problem) for problem in authoring.check_tree(catalog.load(root))] == [
        "solutions/scaling/notes.txt: belongs to no exercise",
        "exercises/stray.py: is a stub without an exercise",
        "quizzes/old.bak: is not a quiz bank (.yaml)",
    ]


def test_the_command_exits_with_four_and_names_what_is_wrong(spoiled, monkeypatch):
    from click.testing import CliRunner

    root = spoiled("solutions/scaling/mistakes.py", "return x * x", "return 2 * x")
    monkeypatch.setenv("CONVGRADER_COURSE", str(root))
    done = CliRunner().invoke(check_command, [], standalone_mode=False)
    assert done.return_value == 4
    assert "squares is missed" in done.output


def test_the_command_shows_what_each_mistake_costs(monkeypatch):
    from click.testing import CliRunner

    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))
    done = CliRunner().invoke(check_command, ["-v"], standalone_mode=False)
    assert "\n   31% squares: test_values\n   15% in-place: test_input_kept, test_gradient\n" in done.output
    assert "of the points" not in done.output


def test_a_mistake_outside_of_the_usual_cost_is_named_with_its_reason(capsys):
    found = authoring.ExerciseFindings(
        exercise="scaling",
        checks=8,
        caught={"one": ("test_values",), "two": ("test_values",), "three": (), "four": ("test_total",)},
        costs={"one": 0.36, "two": 0.35, "four": 1.0},
        outliers={"one": "Why.", "four": ""},
        problems=(),
    )
    _show_mistakes(found)
    assert capsys.readouterr().out.splitlines() == [
        "   36% one: test_values",
        "   35% two: test_values",
        "     - three: missed",
        "  100% four: test_total",
    ]
    _show_outliers(found, verbose=False)
    unexplained = "  outside 5% to 35% of the points without a reason: four"
    assert capsys.readouterr().out.splitlines() == [unexplained]
    _show_outliers(found, verbose=True)
    assert capsys.readouterr().out.splitlines() == [
        unexplained,
        "  Outside 5% to 35% of the points, with a reason:",
        "    one: Why.",
    ]


@pytest.mark.parametrize(
    ("cost", "outlier"),
    [(0.0, True), (0.0499, True), (0.05, False), (0.2, False), (0.35, False), (0.3501, True), (1.0, True)],
)
@pytest.mark.parametrize("reason", ["", "Why."])
def test_a_mistake_costs_5_to_35_percent_or_has_a_reason(cost, outlier, reason):
    (mistake,) = [replace(LISTED, outlier=reason)]
    outliers, problems = _outliers("solutions/f/mistakes.py", [mistake], {mistake.id: cost})
    assert outliers == ({mistake.id: reason} if outlier else {})
    assert bool(problems) == (bool(reason) and not outlier)  # a reason that explains nothing is outdated


def test_a_mistake_that_was_not_graded_is_no_outlier():
    assert _outliers("solutions/f/mistakes.py", [replace(LISTED, outlier="Why.")], {}) == ({}, [])


@pytest.mark.cold
@pytest.mark.timeout(900)  # minutes, where `make test` has not checked the course before
def test_every_mistake_of_the_course_costs_5_to_35_percent_or_has_a_reason(monkeypatch):
    from click.testing import CliRunner

    monkeypatch.setenv("XDG_CACHE_HOME", USER_CACHE)
    done = CliRunner().invoke(check_command, ["-v"], standalone_mode=False)
    assert done.return_value == 0, done.output
    assert "of the points without a reason" not in done.output
    assert "5% to 35% of the points, with a reason:\n    image-without-batch: " in done.output


def test_mistakes_are_listed_without_running_them(tmp_path):
    path = tmp_path / "mistakes.py"
    path.write_text(
        'raise SystemExit\n@mistake("f")\nclass NoPadding:\n    """One sentence,\n    on two lines.\n\n    More."""\n'
    )
    (listed,) = read_mistakes(path)
    assert (listed.id, listed.name, listed.message, listed.line) == (
        "no-padding",
        "f",
        "One sentence, on two lines.",
        3,
    )


def test_the_reason_of_an_outlier_is_a_text_or_the_name_of_one(tmp_path):
    path = tmp_path / "mistakes.py"
    path.write_text(
        "WHY = 'Nothing trains.'\n"
        "@mistake('f', outlier='No result.')\ndef one(): ...\n"
        "@mistake('f', outlier=WHY)\ndef two(): ...\n"
        "@mistake('f', outlier=ELSEWHERE)\ndef three(): ...\n"
        "@mistake('f')\ndef four(): ...\n"
    )
    assert [listed.outlier for listed in read_mistakes(path)] == ["No result.", "Nothing trains.", "", ""]


def test_data_need_a_readme_that_states_their_license(spoiled):
    root = spoiled("exercises/scaling.py", "x", "x")
    data = root / "exercises" / "data"
    data.mkdir()
    (data / "digits.npz").write_bytes(b"PK")
    assert [str(problem) for problem in authoring.check_tree(catalog.load(root))] == [
        "exercises/data/README.md: is missing; it must name the source and the license of the data",
    ]
    (data / "README.md").write_text("CC BY 4.0\n", encoding="utf-8")
    assert authoring.check_tree(catalog.load(root)) == []
    (data / "more").mkdir()
    (data / "load.py").write_text("", encoding="utf-8")
    assert [str(problem) for problem in authoring.check_tree(catalog.load(root))] == [
        "exercises/data/load.py: is not a data file; the folder holds data and their README",
        "exercises/data/more: is not a data file; the folder holds data and their README",
    ]


def test_an_exercise_may_build_on_what_the_student_wrote_for_another(spoiled, dispatcher):
    root = spoiled("exercises/scaling.py", "x", "x")
    second = Path(shutil.copytree(root / "solutions" / "scaling", root / "solutions" / "second"))
    shutil.copy(root / "exercises" / "scaling.py", root / "exercises" / "second.py")
    fixtures = (second / "fixtures.py").read_text(encoding="utf-8")
    built_on = fixtures.replace(
        "return torch.ones(count)", "import scaling\n    return scaling.double(torch.ones(count)) / 2"
    )
    assert built_on != fixtures
    (second / "fixtures.py").write_text(built_on, encoding="utf-8")
    suite = (second / "test_scaling.py").rename(second / "test_second.py")
    as_in_a_submission = "import sys, reference\nsys.modules['scaling'] = reference\n"
    suite.write_text(as_in_a_submission + suite.read_text(encoding="utf-8"), encoding="utf-8")
    assert problems(root, dispatcher) == []
