"""The command `grade`: its output, its files and its exit codes."""

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import click
import grade_command
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from grader import cli
from grader.course import catalog

pytestmark = pytest.mark.usefixtures("forked_warm_processes")

COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")


@pytest.fixture
def workspace(tmp_path):
    """A workspace in which the exercise is solved."""
    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    return tmp_path


@pytest.fixture
def grade(workspace, monkeypatch):
    """Run `grade` in the workspace and return the finished process."""

    def run(*arguments: str, course: Path = COURSE, **environment: str) -> subprocess.CompletedProcess[str]:
        for name, value in {"CONVGRADER_COURSE": str(course), **environment}.items():
            monkeypatch.setenv(name, value)
        return grade_command.run(*arguments, folder=workspace)

    return run


def spoil(workspace: Path, source: str) -> None:
    (workspace / "exercises" / "scaling.py").write_text(f"{REFERENCE}\n\n{source}", encoding="utf-8")


def test_full_marks_exit_with_zero_and_say_so(grade):
    done = grade()
    assert done.returncode == 0, done.stderr
    assert "13/13" in done.stdout
    assert "All 8 checks pass." in done.stdout


def test_a_failure_exits_with_one_and_shows_call_expected_got_and_diagnosis(grade, workspace):
    spoil(workspace, "def double(x):\n    return x * x\n")
    done = grade("scaling")
    assert done.returncode == 1
    for words in (
        "Every value is doubled",
        "double(x)",
        "expected",
        "got",
        "squares",
        "Twice x is x + x",
        "grade hint",
    ):
        assert words in done.stdout


def test_piped_output_has_no_color_and_fits_eighty_columns(grade, workspace):
    spoil(workspace, "def double(x):\n    print('long ' * 100)\n    raise ValueError('very ' * 100)\n")
    done = grade()
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("environment", "colored"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"TERM": "xterm"}, True)],
    ids=str,
)
def test_color_is_for_terminals_that_have_it_and_students_who_want_it(monkeypatch, environment, colored):
    from grader.cli.terminal import allows_color

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TERM", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert allows_color(None) is colored
    assert not allows_color(Path("report.txt"))


def test_a_threshold_decides_the_exit_code(grade, workspace):
    spoil(workspace, "def double(x):\n    return x * x\n")
    assert grade("--fail-under", "50").returncode == 0
    assert grade("--fail-under", "95").returncode == 1


def test_json_has_the_documented_keys(grade):
    document = json.loads(grade("--format", "json").stdout)
    assert document["format"] == "convgrader/report/1"
    assert (document["points"], document["max_points"], document["score"]) == (13.0, 13.0, 1.0)
    assert set(document["isolation"]) == {"level", "layers", "missing"}
    assert set(document["versions"]) == {"grader", "torch", "python"}
    (exercise,) = document["exercises"]
    assert (exercise["id"], exercise["outcome"]) == ("scaling", "passed")
    promised = {
        "id",
        "title",
        "outcome",
        "points",
        "max_points",
        "rationale",
        "counterexample",
        "diagnosis",
        "duration_s",
    }
    assert promised <= set(exercise["checks"][0])


def test_a_page_can_be_written_to_a_file(grade, workspace):
    spoil(workspace, "def double(x):\n    return '<script>' + str(x)\n")
    done = grade("--format", "html", "--output", "report.html")
    assert done.returncode == 1, done.stderr
    page = (workspace / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>\n")
    assert "Every value is doubled" in page
    assert "<script>" not in page


def test_junit_can_be_written_to_a_file(grade, workspace):
    spoil(workspace, "def double(x):\n    return x * x\n")
    done = grade("--format", "junit", "--output", "report.xml")
    assert (done.returncode, done.stdout) == (1, "")
    root = ET.parse(workspace / "report.xml").getroot()
    assert root.get("tests") == "8"
    assert root.find("testsuite/testcase/failure") is not None


def test_the_same_submission_gives_the_same_report_at_the_same_seed(grade, workspace):
    from grader.core.scoring import without_times
    from grader.report import from_json

    spoil(workspace, "def double(x):\n    return x * torch.randn(())\n")
    first, second = (without_times(from_json(grade("--format", "json").stdout)) for _ in range(2))
    assert first == second


def test_another_folder_can_be_graded(grade, tmp_path_factory):
    other = tmp_path_factory.mktemp("ada")
    (other / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    assert grade("--submission", str(other)).returncode == 0


USAGE = [
    (["scalling"], 'There is no exercise "scalling". Did you mean "scaling"?'),
    (["lst"], 'There is no command "lst". Did you mean `grade list`?'),
    (["--submission", "nowhere"], "nowhere is not a folder, not a zip and no notebook"),
    (["--format", "pdf"], "'pdf' is not one of"),
    (["--fail-under", "120"], "120"),
    (["hint", "scalin"], 'Did you mean "scaling"?'),
    (["hint", "scaling", "9"], "3 hints"),
    (["quiz", "nothing"], 'There is no quiz "nothing"'),
    (["--output", "no/such/folder/report.txt"], "cannot be written"),
]


@pytest.mark.parametrize(("arguments", "words"), USAGE, ids=[" ".join(arguments) for arguments, _ in USAGE])
def test_a_wrong_command_exits_with_two_and_a_suggestion(grade, arguments, words):
    done = grade(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_workspace_says_how_to_start(grade, workspace):
    (workspace / "exercises" / "scaling.py").unlink()
    done = grade()
    assert done.returncode == 2
    assert "grade init" in done.stderr


def test_a_malformed_course_exits_with_four_and_names_the_line(grade, tmp_path):
    course = tmp_path / "course"
    folder = course / "solutions" / "scaling"
    folder.mkdir(parents=True)
    text = (COURSE / "solutions" / "scaling" / "exercise.yaml").read_text(encoding="utf-8")
    (folder / "exercise.yaml").write_text(text.replace("points: 13", "pionts: 13"), encoding="utf-8")
    done = grade(course=course)
    assert done.returncode == 4
    assert "solutions/scaling/exercise.yaml:3:1" in done.stderr
    assert 'did you mean "points"?' in done.stderr


def test_a_broken_suite_is_an_internal_error_and_leaves_no_final_score(grade, tmp_path):
    course = copy_of_the_course(tmp_path)
    suite = course / "solutions" / "scaling" / "test_scaling.py"
    suite.write_text(suite.read_text(encoding="utf-8").replace("torch.tensor([2.0, 2.0])", "no_such_name"))
    done = grade("--format", "json", course=course)
    assert done.returncode == 3
    document = json.loads(done.stdout)
    assert (document["final"], document["points"], document["score"]) == (False, 0.0, 0.0)
    assert document["max_points"] == 13.0
    assert document["exercises"][0]["outcome"] == "internal_error"
    assert grade("--format", "json", "--fail-under", "0", course=course).returncode == 3
    shown = grade(course=course)
    assert shown.returncode == 3
    assert "not final" in shown.stdout
    assert "%" not in shown.stdout


def test_an_invalid_isolation_level_is_a_usage_error(grade):
    done = grade(CONVGRADER_MAX_ISOLATION="high")
    assert done.returncode == 2
    assert "must be 0, 1, 2 or 3" in done.stderr


def test_isolation_can_be_required(grade):
    done = grade("--require-isolation", "3", CONVGRADER_MAX_ISOLATION="1")
    assert done.returncode == 3
    assert "level 1, and level 3 was required" in done.stderr


def test_a_spawned_process_grades_at_isolation_level_0(grade, workspace):
    spoil(
        workspace,
        "def double(x):\n    print('hello')\n    return x * x\ndef total(x, start=0.0):\n    while True: pass\n",
    )
    done = grade("--format", "json", CONVGRADER_MAX_ISOLATION="0")
    document = json.loads(done.stdout)
    outcomes = {check["id"]: check["outcome"] for check in document["exercises"][0]["checks"]}
    assert document["isolation"]["level"] == 0
    assert (outcomes["test_values"], outcomes["test_total"], outcomes["test_module"]) == (
        "failed",
        "time_limit",
        "passed",
    )
    assert "hello" in document["exercises"][0]["output"]


def test_the_list_follows_the_sections_then_the_order_then_the_id(tmp_path):
    text = (COURSE / "solutions" / "scaling" / "exercise.yaml").read_text(encoding="utf-8")
    for name, section, order in (("a", "10", ""), ("c", "2", ""), ("b", "2", ""), ("d", "2", "order: 2\n")):
        (tmp_path / "solutions" / name).mkdir(parents=True)
        document = text.replace('section: "1"', f'section: "{section}"\n{order}'.rstrip())
        assert document != text
        (tmp_path / "solutions" / name / "exercise.yaml").write_text(document, encoding="utf-8")
    done = CliRunner().invoke(cli.grade, ["list", "--course", str(tmp_path), "--submission", str(tmp_path)])
    assert re.findall(r"^  ([abcd]) ", done.output, re.MULTILINE) == ["b", "c", "d", "a"]


@pytest.mark.parametrize(("order", "valid"), [(0, False), (1, True)])
def test_the_order_of_an_exercise_begins_with_1(tmp_path, order, valid):
    text = (COURSE / "solutions" / "scaling" / "exercise.yaml").read_text(encoding="utf-8")
    (tmp_path / "solutions" / "scaling").mkdir(parents=True)
    (tmp_path / "solutions" / "scaling" / "exercise.yaml").write_text(f"{text}order: {order}\n", "utf-8")
    _, problems = catalog.survey(tmp_path)
    assert (problems == {}) is valid


def test_init_writes_a_workspace_and_never_overwrites(grade, workspace):
    done = grade("init", "new")
    assert done.returncode == 0, done.stderr
    stub = workspace / "new" / "exercises" / "scaling.py"
    assert "NotImplementedError" in stub.read_text(encoding="utf-8")
    assert not list((workspace / "new").rglob("solutions"))
    stub.write_text("mine", encoding="utf-8")
    assert "exist already and were not changed" in grade("init", "new").stdout
    assert stub.read_text(encoding="utf-8") == "mine"


def copy_of_the_course(tmp_path: Path) -> Path:
    """Copy the miniature course, for a test that changes it."""
    import shutil

    return Path(shutil.copytree(COURSE, tmp_path / "course", ignore=shutil.ignore_patterns("__pycache__")))


# --- shell completion and help


def completed(*words: str) -> list[str]:
    """Return the completions for the last word."""
    shell = BashComplete(cli.grade, {}, "grade", "_GRADE_COMPLETE")
    return [found.value for found in shell.get_completions(list(words[:-1]), words[-1])]


def test_a_shell_completes_exercises_quizzes_commands_and_options(monkeypatch):
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))
    assert completed("s") == ["scaling", "solution", "stats", "similar"]
    assert completed("scaling", "s") == []
    assert completed("run", "s") == ["scaling"]
    assert completed("hint", "") == ["scaling"]
    assert completed("quiz", "") == sorted(path.stem for path in (COURSE / "quizzes").glob("*.yaml"))
    assert "--require-isolation" in completed("--re")
    assert "--mutants" in completed("check", "--m")


def test_completion_without_a_course_is_empty(monkeypatch, tmp_path):
    monkeypatch.setenv("CONVGRADER_COURSE", str(tmp_path))
    assert completed("hint", "s") == []


def test_a_real_shell_completes(grade):
    done = grade(_GRADE_COMPLETE="bash_complete", COMP_WORDS="grade hint sca", COMP_CWORD="2")
    assert done.stdout.split() == ["plain,scaling"]


def commands(command: click.Command, name: str = "grade") -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it, each with its full name."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            yield from commands(command.get_command(context, word), f"{name} {word}")


COMMANDS = dict(commands(cli.grade))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_an_example_and_fits_eighty_columns(name):
    command = COMMANDS[name]
    text = command.get_help(click.Context(command, info_name=name, terminal_width=80, max_content_width=80))
    examples = [line for line in text.splitlines() if re.match(rf"  (Example: )?{name}( |$)", line)]
    if not isinstance(command, click.Group) or name == "grade":
        assert examples, text
    assert max(map(len, text.splitlines())) <= 80


def test_every_command_that_reads_a_course_has_the_option_course():
    single = {name: one for name, one in COMMANDS.items() if not isinstance(one, click.Group)}
    reading = {
        name for name, one in single.items() if "find_root" in inspect.getsource(inspect.unwrap(one.callback))
    }
    assert {"grade list", "grade similar", "grade export quizzes"} <= reading
    assert reading == {name for name, one in single.items() if any(p.name == "course" for p in one.params)}


SHADOWS = [
    "click",
    "torch",
    "yaml",
    "json",
    "typing",
    "numpy",
    "msgspec",
    "pytest",
    "tomllib",
    "unicodedata",
    "core",
    "cli",
]


@pytest.mark.cold
@pytest.mark.parametrize("arguments", [["--version"], ["list"], ["scaling"]], ids=" ".join)
@pytest.mark.parametrize("way", ["module", "script"])
def test_a_strangers_folder_runs_nothing_in_place_of_a_library(workspace, monkeypatch, way, arguments):
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))
    for name in [*SHADOWS, *(["grader"] if way == "script" else [])]:
        (workspace / f"{name}.py").write_text("import sys; sys.exit('the file of a stranger has run')")
    script = [
        sys.executable,
        "-c",
        "import sys; del sys.path[0]; from grader.cli import main; sys.exit(main())",
    ]
    command = [sys.executable, "-m", "grader"] if way == "module" else script
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, cwd=workspace, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "stranger" not in done.stdout + done.stderr


@pytest.mark.cold
def test_other_programs_keep_their_path(tmp_path):
    source = "import sys; before = sys.path[:]; import grader; assert sys.path == before; print('kept')"
    (tmp_path / "mine.py").write_text(source)
    for command in (["-c", source], ["mine.py"], ["-m", "mine"], ["-P", "-m", "grader", "--version"]):
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
