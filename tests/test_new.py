"""`grade new`: what it writes passes `grade check`, and other files and lines stay unchanged."""

import ast
import re
import shutil
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner, Result
from test_quiz import BANK

from grader import authoring, quiz
from grader.authoring import skeletons
from grader.cli import grade as command
from grader.core.errors import DocumentError, UsageError
from grader.course import catalog
from grader.course.known_mistakes import read_mistakes
from grader.quiz.types import ITEM_TYPES

pytestmark = pytest.mark.usefixtures("forked_warm_processes")

MINIATURE = Path(__file__).parent / "course"
TYPES = skeletons.item_types()


@pytest.fixture
def course(tmp_path, monkeypatch) -> Path:
    """A copy of the miniature course, with a quiz."""
    root = tmp_path / "course"
    shutil.copytree(MINIATURE, root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "quizzes").mkdir(exist_ok=True)
    (root / "quizzes" / "first.yaml").write_text(f"# A comment.\n{BANK}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return root


def new(course: Path, *words: str) -> Result:
    return CliRunner().invoke(command, ["new", *words, "--course", str(course)])


def everything(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


# --- an exercise


@pytest.mark.cold
def test_a_new_exercise_passes_grade_check(course):
    before = everything(course)
    done = new(course, "exercise", "channel_mean", "--title", "Means of channels", "--section", "4.2")
    assert done.exit_code == 0, done.output
    assert "channel_mean: 8 checks, 6 of 6 mistakes caught, sound." in done.output
    written = re.findall(r"^written  (\S+)$", done.output, re.M)
    after = everything(course)
    assert sorted(written) == sorted(set(after) - set(before))
    assert {name: after[name] for name in before} == before
    found = catalog.load(course).exercise("channel_mean")
    assert (found.title, found.section, found.points) == ("Means of channels", "4.2", 10)


def test_every_mutant_of_a_new_exercise_is_killed(course, dispatcher):
    skeletons.new_exercise(catalog.load(course), "means", title="Means", section="1", commands=())
    loaded = catalog.load(course)
    (findings,) = authoring.check_mutants(loaded, [loaded.exercise("means")], dispatcher, 0)
    assert findings.mutants > 5
    assert not findings.survivors


def test_the_first_exercise_of_a_course_needs_no_other(tmp_path):
    (tmp_path / "solutions").mkdir()
    skeletons.new_exercise(catalog.load(tmp_path), "means", title="Means", section="1", commands=())
    assert [exercise.id for exercise in catalog.load(tmp_path).exercises] == ["means"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("3d", "cannot be the name of an exercise"),
        ("Means", "cannot be the name of an exercise"),
        ("../means", "cannot be the name of an exercise"),
        ("lambda", "is a keyword or builtin of Python"),
        ("print", "is a keyword or builtin of Python"),
        ("random", "would shadow a module"),
        ("torch", "would shadow a module"),
        ("reference", "would shadow a module"),
        ("stats", "is a command"),
        ("run", "is a command"),
        ("scaling", "solutions/scaling already exists"),
        ("double", "The exercise scaling already defines"),
    ],
)
def test_an_invalid_name_is_refused_and_nothing_is_written(course, name, words):
    before = everything(course)
    done = new(course, "exercise", name)
    assert isinstance(done.exception, UsageError)
    assert words in str(done.exception)
    assert everything(course) == before


def test_a_stub_that_exists_is_not_overwritten(course):
    (course / "exercises" / "means.py").write_text("mine", encoding="utf-8")
    before = everything(course)
    assert isinstance(new(course, "exercise", "means").exception, UsageError)
    assert everything(course) == before


@pytest.mark.parametrize("title", ["a: [b", "[b", "- b", "b # c", "it's", "yes"])
def test_a_title_with_yaml_syntax_is_kept_as_it_is(course, title):
    skeletons.new_exercise(catalog.load(course), "means", title=title, section="1", commands=())
    assert catalog.load(course).exercise("means").title == title


@pytest.mark.parametrize("title", ['a "b', "a\\b", "a\nb", "a\tb"])
def test_a_title_that_needs_escapes_is_refused(course, title):
    before = everything(course)
    assert isinstance(new(course, "exercise", "means", "--title", title).exception, UsageError)
    assert everything(course) == before


# --- a known mistake


@pytest.mark.parametrize("function", ["double", "total", "Scale"])
@pytest.mark.cold
def test_a_new_mistake_is_caught_and_the_others_stay(course, function):
    path = course / "solutions" / "scaling" / "mistakes.py"
    before = path.read_text(encoding="utf-8")
    done = new(
        course, "mistake", "scaling", "adds_one", "--function", function, "--sentence", "One too many."
    )
    assert done.exit_code == 0, done.output
    line = int(re.search(r"^written  solutions/scaling/mistakes.py:(\d+)$", done.output, re.M)[1])
    text = path.read_text(encoding="utf-8")
    assert text.splitlines()[line - 2] == f'@mistake("{function}")'
    assert re.match(r"(def|class) adds_one\(", text.splitlines()[line - 1])
    assert "adds-one" in {listed.id for listed in read_mistakes(path)}
    assert [part for part in before.splitlines() if part not in text.splitlines()] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["scaling", "no-name"], "cannot be the name of a function"),
        (["scaling", "x", "--function", "doubel"], 'Did you mean "double"?'),
        (["scaling", "x", "--sentence", 'a """ b'], "must be one line of text"),
        (["scalin", "x"], 'Did you mean "scaling"?'),
    ],
)
def test_an_invalid_mistake_is_refused_and_nothing_is_written(course, words, message):
    before = everything(course)
    done = new(course, "mistake", *words)
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert everything(course) == before


@pytest.mark.cold
@pytest.mark.parametrize("text", [None, '"""Known mistakes."""\n'], ids=["no file", "only a docstring"])
def test_a_first_mistake_gets_the_imports_it_needs(course, text):
    path = course / "solutions" / "scaling" / "mistakes.py"
    path.unlink() if text is None else path.write_text(text, encoding="utf-8")
    done = new(course, "mistake", "scaling", "adds_one")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[2:5] == ["from reference import double", "", "from grader.mistakes import mistake"]
    assert "1 of 1 mistakes caught" in done.output
    assert [line for line in done.output.splitlines() if "adds-one" in line] == []


@pytest.mark.cold
def test_a_mistake_of_that_name_is_not_written_twice(course):
    assert new(course, "mistake", "scaling", "adds_one").exit_code == 0
    assert "already" in str(new(course, "mistake", "scaling", "adds_one").exception)


def test_a_mistakes_file_that_is_not_python_is_reported_with_its_line(course):
    path = course / "solutions" / "scaling" / "mistakes.py"
    path.write_text("def broken(:\n", encoding="utf-8")
    done = new(course, "mistake", "scaling", "adds_one")
    assert isinstance(done.exception, DocumentError)
    assert str(done.exception).startswith("solutions/scaling/mistakes.py:1:")


def test_line_endings_are_kept(course):
    path = course / "solutions" / "scaling" / "mistakes.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    skeletons.new_mistake(
        catalog.load(course),
        catalog.load(course).exercise("scaling"),
        "adds_one",
        function=None,
        sentence="No.",
    )
    data = path.read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n")
    ast.parse(data)


# --- an item


@pytest.mark.parametrize("kind", TYPES)
def test_a_new_item_of_every_type_is_valid_and_the_others_stay_unchanged(course, kind):
    path = course / "quizzes" / "first.yaml"
    before = path.read_text(encoding="utf-8")
    place = skeletons.new_item(
        catalog.load(course), "first", kind=kind, item_id="mine", title=None, section="1"
    )
    text = path.read_text(encoding="utf-8")
    assert text.startswith(before.rstrip("\n"))
    assert text.splitlines()[place.line - 1].strip() == "- id: mine"
    (item,) = [item for item in quiz.load_bank(path).items if item.id == "mine"]
    assert item.type == kind
    computed, problems = authoring.check_quizzes(catalog.load(course))
    assert not problems
    assert computed


def test_there_is_a_skeleton_for_every_item_type():
    found = {name for kind in ITEM_TYPES for name in get_args(kind.model_fields["type"].annotation)}
    assert set(TYPES) == found


def test_an_item_is_added_before_those_of_earlier_draws(course):
    path = course / "quizzes" / "first.yaml"
    earlier = "\n# Of the first draw.\nearlier:\n  - {id: old, until: 1, type: numeric, objective: o, prompt: p, explanation: e, key: 7}\n"
    path.write_text(path.read_text(encoding="utf-8") + earlier, encoding="utf-8")
    skeletons.new_item(catalog.load(course), "first", kind="numeric", item_id="last", title=None, section="1")
    bank = quiz.load_bank(path)
    assert bank.items[-1].id == "last"
    assert [item.id for item in bank.asked(1)][-1] == "old"
    assert path.read_text(encoding="utf-8").endswith(earlier)


def test_the_command_adds_an_item_and_checks_the_quizzes(course):
    done = new(course, "item", "first", "--type", "shape")
    assert done.exit_code == 0, done.output
    assert re.search(r"^written  quizzes/first.yaml:\d+$", done.output, re.M)
    assert "keys computed, sound." in done.output
    assert new(course, "item", "first", "--type", "shape").exit_code == 0
    ids = [item.id for item in quiz.load_bank(course / "quizzes" / "first.yaml").items]
    assert ids[-2:] == ["new-shape", "new-shape-2"]


def test_a_quiz_is_started_only_with_a_title(course):
    refused = new(course, "item", "frist")
    assert 'Did you mean "first"?' in str(refused.exception)
    done = new(course, "item", "sizes", "--title", "Sizes", "--section", "2.1")
    assert done.exit_code == 0, done.output
    bank = quiz.load_bank(course / "quizzes" / "sizes.yaml")
    assert (bank.title, bank.section, len(bank.items)) == ("Sizes", "2.1", 1)


def test_text_after_the_items_stays_after_them(course):
    path = course / "quizzes" / "first.yaml"
    path.write_text(f"{BANK.rstrip()}\n\n# The end.\n", encoding="utf-8")
    skeletons.new_item(catalog.load(course), "first", kind="single", item_id="mine", title=None, section="1")
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n# The end.\n")
    assert text.count("- id: mine") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("items:\n", "items: [{id: x}]\nrest:\n"), "items"),
        (lambda _: 'title: T\nsection: "1"\nitems: []\n', "items"),
    ],
)
def test_a_bank_to_which_nothing_can_be_added_is_not_changed(course, change, message):
    path = course / "quizzes" / "first.yaml"
    path.write_text(change(BANK), encoding="utf-8")
    before = everything(course)
    with pytest.raises((DocumentError, UsageError), match=message):
        skeletons.new_item(
            catalog.load(course), "first", kind="single", item_id="mine", title=None, section="1"
        )
    assert everything(course) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [("def broken(:\n", "mistakes.py:1:12: is not Python"), (None, "mistakes.py:1:1: is missing")],
)
def test_mistakes_that_cannot_be_read_are_reported_with_their_place(course, text, message):
    path = course / "solutions" / "scaling" / "mistakes.py"
    path.unlink() if text is None else path.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(command, ["check", "scaling", "--course", str(course)])
    assert done.exit_code == 0, "the exit code is the command's return value"
    assert f"solutions/scaling/{message}" in done.output
