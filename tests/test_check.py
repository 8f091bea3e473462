"""`grade check`: every problem with its place, all in one run; unchanged content comes from the cache."""

import os
import re
import shutil
import stat
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import grade_command
import pytest
from click.testing import CliRunner
from test_quiz import BANK

from grader.authoring import cache_key, quiz_check, verified_cache
from grader.authoring.source_lint import check_sources
from grader.cli import check as command
from grader.cli.check import check_command
from grader.core import user_folders
from grader.core.errors import UsageError
from grader.course import catalog, cross_references, fingerprint
from grader.grading.messages import Graded, Job, NotGraded

pytestmark = pytest.mark.usefixtures("forked_warm_processes")

MINIATURE = Path(__file__).parent / "course"
PLACE = re.compile(r"^(\S+?):(\d+):(\d+): (.+)$", re.MULTILINE)


def replace(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, (path, old)
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")


def add_exercise(root: Path, name: str) -> Path:
    """Copy the miniature exercise under another name; return its folder."""
    folder = root / "solutions" / name
    shutil.copytree(MINIATURE / "solutions" / "scaling", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "test_scaling.py").rename(folder / f"test_{name}.py")
    (root / "exercises").mkdir(exist_ok=True)
    shutil.copy(MINIATURE / "exercises" / "scaling.py", root / "exercises" / f"{name}.py")
    return folder


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A course with a quiz and no exercise yet, and an empty cache."""
    monkeypatch.setenv(user_folders.CACHE_VARIABLE, str(tmp_path / "cache"))
    course = tmp_path / "course"
    (course / "quizzes").mkdir(parents=True)
    (course / "quizzes" / "first.yaml").write_text(BANK, encoding="utf-8")
    monkeypatch.setenv("CONVGRADER_COURSE", str(course))
    return course


@pytest.fixture
def scaling(root) -> Path:
    """The folder of the one exercise of that course."""
    return add_exercise(root, "scaling")


def run(*words: str, code: int | None = None) -> str:
    done = CliRunner().invoke(check_command, words, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    assert code is None or done.return_value == code, done.output
    return done.output


def problems(output: str) -> list[tuple[str, int, int, str]]:
    return [(path, int(line), int(column), message) for path, line, column, message in PLACE.findall(output)]


class GradingRequested(Exception):
    """A test that must not grade anything called the dispatcher."""


class RefusingDispatcher:
    """Stands in for the dispatcher, and raises GradingRequested for any job."""

    def __init__(self, *, many: bool, lazy: bool) -> None:
        assert many
        assert lazy

    def __enter__(self) -> "RefusingDispatcher":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def grade(self, todo: Sequence[Job], **_: object) -> Iterator[Graded | NotGraded]:
        """Refuse to grade anything."""
        if todo:
            raise GradingRequested(sorted({job.exercise.id for job in todo}))
        yield from ()


@pytest.fixture
def nothing_is_graded(monkeypatch):
    """Make every grading raise GradingRequested."""
    monkeypatch.setattr(command, "Dispatcher", RefusingDispatcher)


# --- all problems at once


def test_all_problems_of_a_course_are_reported_in_one_run_sorted_and_with_their_places(
    root, nothing_is_graded
):
    one, two, three, _, five = (add_exercise(root, name) for name in ("one", "two", "three", "four", "five"))
    replace(one / "exercise.yaml", ("hints:", "hintz:"))
    replace(one / "mistakes.py", ("def squares(x):", "def squares(x:"))
    replace(two / "exercise.yaml", ("title: Scaling", "title: [Scaling"))
    replace(three / "mistakes.py", ('@mistake("double")', '@mistake("duble")'))
    replace(root / "exercises" / "four.py", ("def total(", "def totals("))
    replace(five / "test_five.py", ("def test_shape(", "de test_shape("))
    for name in ("first", "second"):
        replaced = BANK.replace("prompt:", "promt:", 1)
        (root / "quizzes" / f"{name}.yaml").write_text(replaced, encoding="utf-8")
    output = run(code=4)
    found = problems(output)
    assert [place[0] for place in found] == [
        "quizzes/first.yaml",
        "quizzes/second.yaml",
        "solutions/five/test_five.py",
        "solutions/four/exercise.yaml",
        "solutions/one/exercise.yaml",
        "solutions/one/mistakes.py",
        "solutions/three/mistakes.py",
        "solutions/two/exercise.yaml",
    ]
    assert found == sorted(found)
    reported = {path: (line, column, message) for path, line, column, message in found}
    assert reported["solutions/one/exercise.yaml"] == (
        7, 1, 'the key "hintz" is not known here; did you mean "hints"?',
    )  # fmt: skip
    assert reported["solutions/three/mistakes.py"] == (
        9, 10, '"duble" is not a name of three; did you mean "double"?',
    )  # fmt: skip
    assert reported["solutions/four/exercise.yaml"] == (
        4, 17, '"total" is not defined in exercises/four.py; did you mean "totals"?',
    )  # fmt: skip
    assert reported["solutions/five/test_five.py"][0] == 16
    assert reported["solutions/one/mistakes.py"][0] == 10
    assert output.splitlines()[-1] == "8 problems."


def test_a_broken_exercise_does_not_hide_problems_of_another(root):
    broken, unsound = add_exercise(root, "broken"), add_exercise(root, "unsound")
    replace(broken / "exercise.yaml", ("points: 13", "points: many"))
    replace(unsound / "mistakes.py", ("return x * x", "return 2 * x"))
    output = run(code=4)
    assert "solutions/broken/exercise.yaml:3:9: " in output
    assert "solutions/unsound/mistakes.py:10:1: squares is missed: every check passes" in output
    assert "broken: not graded, 1 problem\n" in output
    assert "unsound: 8 checks, 5 of 6 mistakes caught, 1 problem\n" in output


def test_problems_of_several_checks_are_each_at_their_line(root):
    folder = add_exercise(root, "scaling")
    suite = folder / "test_scaling.py"
    replace(suite, ("@pytest.mark.points(3)\n", ""), ('    """The sum starts at the given number"""\n', ""))
    found = problems(run("scaling", code=4))
    assert [(line, message.split(";")[0]) for _, line, _, message in found] == [
        (21, "test_values needs its points: @pytest.mark.points(2)"),
        (47, "test_total needs a docstring: its first line is the title that students read"),
    ]


def test_problems_outside_the_named_exercises_are_reported_only_by_a_run_without_names(
    root, nothing_is_graded
):
    one, two = add_exercise(root, "one"), add_exercise(root, "two")
    replace(one / "exercise.yaml", ("hints:", "hintz:"))
    replace(two / "exercise.yaml", ("hints:", "hintz:"))
    (two / "stray.txt").write_text("", encoding="utf-8")
    (root / "exercises" / "stray.py").write_text("", encoding="utf-8")
    assert {path for path, *_ in problems(run("two", code=4))} == {
        "solutions/two/exercise.yaml",
        "solutions/two/stray.txt",
    }
    assert len(problems(run(code=4))) == 4


@pytest.mark.parametrize("mode", [(), ("--mutants",), ("--repeat", "1")], ids=str)
def test_every_mode_reports_files_that_cannot_be_read(root, nothing_is_graded, mode):
    one, two = add_exercise(root, "one"), add_exercise(root, "two")
    replace(one / "exercise.yaml", ("hints:", "hintz:"))
    (two / "reference.py").unlink()
    (two / "equivalents.yaml").write_text("equivalent: []\n", encoding="utf-8")
    (two / "untested.yaml").write_text("untestet: []\n", encoding="utf-8")
    found = {path: message for path, _, _, message in problems(run(*mode, code=4))}
    assert "hints" in found["solutions/one/exercise.yaml"]
    assert found["solutions/two/reference.py"] == "is missing"
    if not mode:
        assert 'did you mean "untested"?' in found["solutions/two/untested.yaml"]
    if mode != ("--repeat", "1"):
        assert 'did you mean "equivalents"?' in found["solutions/two/equivalents.yaml"]


# --- did you mean


DID_YOU_MEAN = [
    ("exercise.yaml", ("call_limit_s", "call_limit"), 'the key "call_limit" is not known here; did you mean "call_limit_s"?'),
    ("exercise.yaml", ("[double,", "[doubel,"), '"doubel" is not defined in exercises/scaling.py and solutions/scaling/reference.py; did you mean "double"?'),
    ("reference.py", ("def total(", "def totl("), '"total" is not defined in solutions/scaling/reference.py; did you mean "totl"?'),
    ("mistakes.py", ('@mistake("total")', '@mistake("totals")'), '"totals" is not a name of scaling; did you mean "total"?'),
    ("test_scaling.py", ('requires("test_shape")', 'requires("test_shap")'), '"test_shap" is not a check of this suite; did you mean "test_shape"?'),
    ("test_scaling.py", ('requires("test_shape")', 'requires("test_total")'), '"test_total" comes later than test_values: a check can only require earlier ones'),
    ("test_scaling.py", ('@small_inputs("double")', '@small_inputs("duoble")'), '"duoble" is not a name of scaling; did you mean "double"?'),
    ("test_scaling.py", ("def test_counts(", "def test_learns("), '"test_learns" is already defined in line 63, and replaces that check'),
    ("mistakes.py", ("def in_place(", "def squares("), '"squares" is already defined in line 10, and replaces that mistake'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "change", "message"), DID_YOU_MEAN, ids=[message[:40] for *_, message in DID_YOU_MEAN]
)
def test_a_misspelled_name_gets_a_suggestion(scaling, nothing_is_graded, name, change, message):
    replace(scaling / name, change)
    found = problems(run("scaling", code=4))
    assert [text for *_, text in found] == [message], "one misspelling must be one problem"


def test_a_misspelled_exercise_gets_a_suggestion_also_where_its_yaml_cannot_be_read(
    scaling, nothing_is_graded
):
    with pytest.raises(UsageError, match=re.escape('no exercise "scalin". Did you mean "scaling"?')):
        run("scalin")
    replace(scaling / "exercise.yaml", ("hints:", "hintz:"))
    with pytest.raises(UsageError, match=re.escape('no exercise "scalin". Did you mean "scaling"?')):
        run("scalin")
    assert "hintz" in run("scaling", code=4)


def test_names_that_only_running_the_code_could_show_are_not_reported(scaling, root):
    replace(scaling / "reference.py", ("import torch\n", "import torch\nfrom math import *\n"))
    replace(scaling / "exercise.yaml", ("[double,", "[floor, double,"))
    replace(root / "exercises" / "scaling.py", ("import torch\n", "import torch\nif True:\n    floor = 1\n"))
    course = catalog.load(root)
    assert check_sources(course, course.exercises[0]) == []


def test_suggestions_are_made_in_one_module():
    import grader

    importing = [
        path.name
        for path in Path(grader.__file__).parent.rglob("*.py")
        if "import difflib" in path.read_text(encoding="utf-8")
    ]
    assert importing == ["suggestions.py"]


# --- what raises


RAISES = "\nraise ValueError('on\\npurpose')\n"


@pytest.mark.parametrize("name", ["reference.py", "fixtures.py", "test_scaling.py", "mistakes.py"])
def test_an_exception_during_import_is_reported_once_at_its_line(scaling, name):
    path = scaling / name
    path.write_text(path.read_text(encoding="utf-8") + RAISES, encoding="utf-8")
    line = path.read_text(encoding="utf-8").splitlines().index(RAISES.strip()) + 1
    output = run("scaling", code=4)
    (found,) = problems(output)
    assert found == (
        f"solutions/scaling/{name}", line, 1, "raises ValueError while it is imported: on purpose",
    )  # fmt: skip
    assert "Traceback" not in output


def test_an_exception_is_reported_at_the_line_and_column_of_the_exercise(scaling):
    replace(
        scaling / "fixtures.py",
        ("import torch\n", "import torch\n\nSIZES = torch.zeros(2) @ torch.zeros(3)\n"),
    )
    replace(
        scaling / "test_scaling.py",
        ("import torch\n", "import torch\nfrom grader.suite import asert_matches\n"),
    )
    found = problems(run("scaling", code=4))
    assert [place[:3] for place in found] == [
        ("solutions/scaling/fixtures.py", 5, 9),
        ("solutions/scaling/test_scaling.py", 5, 1),
    ]
    assert "raises RuntimeError" in found[0][3]
    assert "raises ImportError" in found[1][3]


def test_files_that_call_exit_are_reported_at_their_line(scaling):
    for name in ("reference.py", "test_scaling.py"):
        path = scaling / name
        path.write_text("import sys\nsys.exit(3)\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    found = problems(run("scaling", code=4))
    assert [place[:3] for place in found] == [
        ("solutions/scaling/reference.py", 2, 1),
        ("solutions/scaling/test_scaling.py", 2, 1),
    ]


def test_a_stub_that_raises_is_reported_at_its_line(scaling, root):
    replace(root / "exercises" / "scaling.py", ("import torch\n", "import torch\n\nONES = torch.one(3)\n"))
    found = problems(run("scaling", code=4))
    assert [place[:3] for place in found] == [("exercises/scaling.py", 5, 1)]


def test_a_reference_that_raises_is_reported_once_and_other_quizzes_are_checked(root, nothing_is_graded):
    folder = add_exercise(root, "scaling")
    replace(folder / "exercise.yaml", ("hints:", "hintz:"))
    (folder / "reference.py").write_text(
        "import torch\n\nHALF = 1 / 0\n\n\ndef double(x):\n    return 2 * x\n"
    )
    found = quiz_check.run_references(catalog.survey(root)[0])
    assert [str(problem) for problem in found.problems] == [
        "solutions/scaling/reference.py:3:8: raises ZeroDivisionError while it is imported: division by zero"
    ]
    assert "double" in found.undefined
    assert "torch" in found.names


@pytest.mark.parametrize("name", ["reference.py", "mistakes.py", "test_scaling.py"])
def test_a_file_that_is_not_text_or_is_missing_is_reported(scaling, nothing_is_graded, name):
    (scaling / name).write_bytes(b"# fine\n\xff\n")
    assert [place[:3] for place in problems(run("scaling", code=4))] == [(f"solutions/scaling/{name}", 2, 1)]
    (scaling / name).unlink()
    assert problems(run("scaling", code=4)) == [(f"solutions/scaling/{name}", 1, 1, "is missing")]


# --- unchanged


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> Path:
    """A folder with a sound course of two exercises and a quiz, and a cache with its findings."""
    folder = tmp_path_factory.mktemp("known")
    course = folder / "course"
    for name in ("one", "two"):
        add_exercise(course, name)
    (course / "exercises" / "data").mkdir()
    (course / "exercises" / "data" / "README.md").write_text("Made for this test, CC0.\n", encoding="utf-8")
    (course / "quizzes").mkdir()
    (course / "quizzes" / "first.yaml").write_text(BANK, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(user_folders.CACHE_VARIABLE, str(folder / "cache"))
        patch.setenv("CONVGRADER_COURSE", str(course))
        (folder / "first.txt").write_text(run("-v", code=0), encoding="utf-8")
    return folder


@pytest.fixture
def again(known, tmp_path, monkeypatch, nothing_is_graded) -> Path:
    """A copy of that course and its cache, in which grading raises GradingRequested."""
    folder = Path(shutil.copytree(known, tmp_path / "again"))
    monkeypatch.setenv(user_folders.CACHE_VARIABLE, str(folder / "cache"))
    monkeypatch.setenv("CONVGRADER_COURSE", str(folder / "course"))
    return folder


def entries(folder: Path) -> list[Path]:
    return sorted((folder / "cache" / "convgrader" / "check").iterdir())


def test_unchanged_exercises_are_marked_and_not_graded_again(again):
    first = (again / "first.txt").read_text(encoding="utf-8")
    output = run("-v", code=0)
    assert output.replace(" (unchanged)", "") == first.replace(
        "All sound.", "All sound. What is unchanged was found sound before; --fresh checks it again."
    )
    assert output.count("sound (unchanged)\n") == 3
    assert max(map(len, run(code=0).splitlines())) <= 80


def test_nothing_is_started_and_torch_is_not_imported_if_nothing_changed(
    known, run_without_torch, monkeypatch
):
    monkeypatch.setenv(user_folders.CACHE_VARIABLE, str(known / "cache"))
    run_without_torch("check", "--course", known / "course")


CHANGES = [
    ("exercises/one.py", ("any shape", "any  shape")),
    ("solutions/one/reference.py", ("2 * x", "x * 2")),
    ("solutions/one/test_one.py", ("-2.0", "-2.5")),
    ("solutions/one/mistakes.py", ("Negative", "All negative")),
    ("solutions/one/exercise.yaml", ("A nudge", "A push")),
    ("solutions/one/fixtures.py", ("second", "last")),
]


@pytest.mark.parametrize(("name", "change"), CHANGES, ids=[name for name, _ in CHANGES])
def test_a_changed_file_makes_its_exercise_be_checked_again(again, name, change):
    replace(again / "course" / name, change)
    with pytest.raises(GradingRequested, match=re.escape("['one']")):
        run()
    assert "(unchanged)" in run("two", code=0), "the other exercise does not depend on it"


def test_changed_data_makes_all_exercises_be_checked_again(again):
    (again / "course" / "exercises" / "data" / "digits.csv").write_text("1,2\n", encoding="utf-8")
    with pytest.raises(GradingRequested, match=re.escape("['one', 'two']")):
        run()


@pytest.mark.parametrize("mode", [("--seed", "1"), ("--mutants",), ("--repeat", "1")], ids=str)
def test_seed_and_mode_are_part_of_the_key(again, mode):
    with pytest.raises(GradingRequested):
        run(*mode)


def test_engine_libraries_and_isolation_are_part_of_the_key(again, monkeypatch):
    assert "(unchanged)" in run("one", code=0)
    with monkeypatch.context() as patch:
        patch.setattr(fingerprint, "engine_now", lambda: "another")
        with pytest.raises(GradingRequested):
            run("one")
    with monkeypatch.context() as patch:
        patch.setattr(cache_key, "version", lambda _: "99")
        with pytest.raises(GradingRequested):
            run("one")
    monkeypatch.setenv("CONVGRADER_MAX_ISOLATION", "1")
    with pytest.raises(GradingRequested):
        run("one")


def test_fresh_checks_everything(again):
    with pytest.raises(GradingRequested, match=re.escape("['one', 'two']")):
        run("--fresh")


def test_fresh_writes_what_it_finds(again, monkeypatch, dispatcher):
    def entered(**_: object) -> object:
        return Kept(dispatcher)

    class Kept:
        def __init__(self, inner: object) -> None:
            self.inner = inner

        def __enter__(self) -> object:
            return self.inner

        def __exit__(self, *_: object) -> None:
            pass

    shutil.rmtree(again / "cache")
    monkeypatch.setattr(command, "Dispatcher", entered)
    assert "(unchanged)" not in run("one", "--fresh", code=0)
    monkeypatch.setattr(command, "Dispatcher", RefusingDispatcher)
    assert "sound (unchanged)" in run("one", code=0)


def test_only_findings_without_problems_are_stored(root, monkeypatch):
    folder = add_exercise(root, "scaling")
    replace(folder / "mistakes.py", ("return x * x", "return 2 * x"))
    assert "squares is missed" in run("scaling", code=4)
    assert not (root.parent / "cache").exists()
    monkeypatch.setattr(command, "Dispatcher", RefusingDispatcher)
    with pytest.raises(GradingRequested):
        run("scaling")


def test_findings_are_not_stored_if_the_key_changed_during_the_check(tmp_path):
    found = quiz_check.QuizFindings(bank="b", computed=1, problems=())
    kept, texts = verified_cache.VerifiedCache(tmp_path / "kept"), iter(["before", "after"])

    def check(things: Sequence[str]) -> Iterator[quiz_check.QuizFindings]:
        yield from (found for _ in things)

    key = "0" * 32
    list(
        verified_cache.check_with_cache(
            kept, ["b"], quiz_check.QuizFindings, lambda _, __: next(texts), check
        )
    )
    assert kept.read("before", quiz_check.QuizFindings) is None
    assert kept.read("after", quiz_check.QuizFindings) is None
    list(verified_cache.check_with_cache(kept, ["b"], quiz_check.QuizFindings, lambda _, __: key, check))
    assert kept.read(key, quiz_check.QuizFindings) == found


SPOILED = {
    "cut off": lambda data: data[:-10],
    "one letter": lambda data: data.replace(b'"checks":8', b'"checks":9').replace(
        b'"computed":', b'"computed":1'
    ),
    "empty": lambda _: b"",
    "noise": lambda data: bytes(reversed(data)),
    "plain JSON": lambda data: data.partition(b"\n")[2],
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_damaged_entry_is_not_used(again, spoil):
    for path in entries(again):
        path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(GradingRequested, match=re.escape("['one', 'two']")):
        run()


def test_an_entry_of_another_key_is_not_used(again):
    first, second, third = entries(again)
    data = first.read_bytes()
    for path in (second, third):
        path.write_bytes(data)
    first.write_bytes(third.read_bytes())
    with pytest.raises(GradingRequested):
        run()


def test_an_entry_with_problems_is_not_used(tmp_path):
    kept = verified_cache.VerifiedCache(tmp_path / "kept")
    broken = quiz_check.QuizFindings(
        bank="b", computed=1, problems=(quiz_check.Problem(path="p", message="m"),)
    )
    kept.write("0" * 32, broken)
    assert kept.read("0" * 32, quiz_check.QuizFindings) is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_cache_that_others_can_write_to_is_neither_used_nor_written(again):
    folder = again / "cache" / "convgrader" / "check"
    folder.chmod(0o777)
    with pytest.raises(GradingRequested):
        run()
    before = entries(again)
    verified_cache.VerifiedCache(folder).write(
        "0" * 32, quiz_check.QuizFindings(bank="b", computed=1, problems=())
    )
    assert entries(again) == before
    folder.chmod(0o700)
    assert "(unchanged)" in run(code=0)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX owners")
def test_a_cache_of_another_user_is_not_used(again, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(GradingRequested):
        run()


@pytest.mark.parametrize("way", ["a file in its place", "no home", "a link"])
def test_a_cache_that_cannot_be_written_is_ignored(scaling, tmp_path, monkeypatch, way):
    cache = tmp_path / "cache"
    if way == "a file in its place":
        cache.write_text("mine", encoding="utf-8")
    elif way == "a link":
        (cache / "convgrader").mkdir(parents=True)
        (cache / "convgrader" / "check").symlink_to(tmp_path / "elsewhere")
    else:
        monkeypatch.delenv(user_folders.CACHE_VARIABLE)

        def homeless() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", homeless)
    kept = verified_cache.VerifiedCache()
    kept.write("0" * 32, quiz_check.QuizFindings(bank="b", computed=1, problems=()))
    assert kept.read("0" * 32, quiz_check.QuizFindings) is None
    assert not (tmp_path / "elsewhere").exists()


def test_the_cache_folder_follows_the_xdg_specification(tmp_path, monkeypatch):
    monkeypatch.setenv(user_folders.CACHE_VARIABLE, str(tmp_path / "x"))
    assert user_folders.cache_folder("check") == tmp_path / "x" / "convgrader" / "check"
    monkeypatch.setenv(user_folders.CACHE_VARIABLE, "relative")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert user_folders.cache_folder("check") == tmp_path / "home" / ".cache" / "convgrader" / "check"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_the_cache_is_private_and_old_entries_are_deleted(tmp_path):
    kept = verified_cache.VerifiedCache(tmp_path / "kept")
    old, fresh = "0" * 32, "1" * 32
    kept.write(old, quiz_check.QuizFindings(bank="b", computed=1, problems=()))
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    os.utime(tmp_path / "kept" / old, (0, 0))
    kept.write(fresh, quiz_check.QuizFindings(bank="b", computed=1, problems=()))
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [fresh]


def test_a_quiz_is_checked_again_when_it_or_a_reference_it_names_changes(again):
    course = again / "course"
    path = course / "quizzes" / "first.yaml"

    def key() -> str:
        return cache_key.bank_key(catalog.load(course), path, "engine")

    before = key()
    replace(course / "solutions" / "one" / "reference.py", ("2 * x", "x * 2"))
    assert key() == before, "the bank uses no name of that reference"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}# double\n", encoding="utf-8")
    named = key()
    assert named != before
    replace(course / "solutions" / "one" / "reference.py", ("x * 2", "2 * x"))
    assert key() != named


@pytest.mark.parametrize(
    ("text", "relied"),
    [
        ("import two\n", ["two"]),
        ("from two import double\n", ["two"]),
        ("def f():\n    from two import double\n", ["two"]),
        ("import three\n", ["three", "two"]),
        ("PATH = ROOT / 'solutions' / 'two' / 'reference.py'\n", ["two"]),
        ("PATH = 'solutions/two/reference.py'\n", ["two"]),
        ("from importlib import import_module\n", ["three", "two"]),
        ("FOUND = ROOT.glob('*/reference.py')\n", ["three", "two"]),
        ('"""As in two/three."""\n# two\nx = "the two of them"\n', []),
    ],
    ids=str,
)
def test_an_exercise_depends_on_the_references_it_may_import_or_read(root, text, relied):
    folders = {name: add_exercise(root, name) for name in ("one", "two", "three")}
    for name, source in (("one", text), ("two", ""), ("three", "import two\n")):
        path = folders[name] / "reference.py"
        path.write_text(path.read_text(encoding="utf-8") + source, encoding="utf-8")
    course = catalog.load(root)
    exercise = course.exercise("one")
    assert sorted(cross_references.relied_on(exercise)) == relied
    before = cache_key.exercise_key(exercise, "plain", 0, "engine")
    replace(folders["two"] / "reference.py", ("2 * x", "x * 2"))
    after = cache_key.exercise_key(exercise, "plain", 0, "engine")
    assert (before != after) == ("two" in relied)


def test_every_required_library_is_part_of_the_key():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    required = {re.split(r"[<>=!~\[ ]", line)[0] for line in project["project"]["dependencies"]}
    assert {*cache_key.PACKAGES, "torch"} == required


@pytest.mark.cold
def test_a_course_in_another_folder_uses_the_same_cache(again):
    moved = (again / "course").rename(again / "moved")
    done = grade_command.run("check", "one", "--course", moved, folder=again)
    done.check_returncode()
    assert "one: 8 checks, 6 of 6 mistakes caught, sound (unchanged)" in done.stdout
