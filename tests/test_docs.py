"""README.md and docs/: every block on every page is run by a test, and what it shows is what happens.

`RUNNERS` names the test of each kind of block. Commands are run by bash, the blocks of a page in order and in one folder that
holds a small class. `CHEAPER` lists the commands that take too long, with the reason and with what is checked instead.
"""

import contextlib
import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click
import grade_command
import pytest
import test_authoring
import test_guide
import test_notebook
import test_notes
import test_quiz_docs
from markdown_it import MarkdownIt

from grader.classroom.policy_file import PolicyDocument
from grader.cli import grade
from grader.core import yaml_document
from grader.course.catalog import ExerciseDocument
from grader.course.known_mistakes import read_mistakes
from grader.quiz import load_bank
from grader.report import from_json

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the pages are typed into a POSIX shell"),
    pytest.mark.timeout(900),  # one fixture runs all commands
]

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
QUICK = ("pooling", "relu")
FEW = 5  # known mistakes of a quick course


# --- the blocks of the pages


@dataclass(frozen=True)
class Step:
    """One command, and the lines shown below it."""

    command: str
    shown: str = ""


@dataclass(frozen=True)
class Block:
    """One fenced or indented block, or a comment with what the reader does meanwhile: `<!-- $ command -->`."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def steps(self) -> tuple[Step, ...]:
        """Its commands, if it is for a shell: behind `$ `, or one a line where it begins with a command we know."""
        if self.language == "console":
            parts = [part.partition("\n") for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]]
            return tuple(Step(command, shown.rstrip("\n")) for command, _, shown in parts)
        typed = [re.split(r"\s+# ", line)[0] for line in self.text.splitlines() if line.strip()]
        is_shell = self.language in ("sh", "bash") or (
            not self.language and re.match(r"(grade|pip|make|cd) ", self.text)
        )
        return tuple(map(Step, typed)) if is_shell else ()


def blocks(path: Path) -> Iterator[Block]:
    page = path.relative_to(ROOT).as_posix()
    for token in MarkdownIt("commonmark").parse(path.read_text(encoding="utf-8")):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "fence":
            yield Block(page, line, token.info.split(" ")[0], token.content)
        elif token.type == "code_block":
            yield Block(page, line, "", token.content)
        elif token.type == "html_block" and (done := re.match(r"<!-- (\$ .*?) -->", token.content)):
            yield Block(page, line, "console", done[1] + "\n")


BLOCKS = [block for page in PAGES for block in blocks(page)]
GENERATED = ("docs/reference/cli.md", "docs/reference/exercise-yaml.md")
COMPOSED = ("docs/reference/exercise-yaml.md", "docs/reference/suites.md", "docs/reference/mistakes.md")


# --- the test that runs a block


def by_authoring(block: Block) -> bool:
    return block.page == "docs/authoring.md" and block.text in {
        text for *_, text in test_authoring.BLOCK.findall(test_authoring.PAGE)
    }


def by_guide(block: Block) -> bool:
    typed = {step.command for step in test_guide.STEPS}
    return (
        block.page == "docs/instructor-guide.md"
        and bool(block.steps)
        and {s.command for s in block.steps} <= typed
    )


def by_notes(block: Block) -> bool:
    if ROOT / block.page not in test_notes.PAGES:
        return False
    programs = list(test_notes.programs((ROOT / block.page).read_text(encoding="utf-8")))
    ran = {text for _, source, printed in programs for text in (source, printed)}
    return block.text in ran or (Path(block.page).stem, block.text) in test_notes.WORKED


def by_quiz_docs(block: Block) -> bool:
    head = block.language == "yaml" and "items: [...]" in block.text
    return block.page == "docs/quizzes.md" and (head or block.text in test_quiz_docs.EXAMPLES)


def by_notebook(block: Block) -> bool:
    return block.page == "docs/notebooks.md" and block.text in test_notebook.SHOWN_CELLS


def by_site(block: Block) -> bool:
    return block.language == "{toctree}"


def by_generator(block: Block) -> bool:
    return block.page in GENERATED and block.language == "text"


def by_click(block: Block) -> bool:
    return block.page == "docs/reference/cli.md" and block.language == "sh"


def by_check(block: Block) -> bool:
    return block.page in COMPOSED and block.language in ("python", "yaml")


def by_bash(block: Block) -> bool:
    return bool(block.steps)


def by_python(block: Block) -> bool:
    return block.language == "python"


def by_readers(block: Block) -> bool:
    return block.language in ("yaml", "json")


def by_tree(block: Block) -> bool:
    """Tell whether it names files, one a line, each with what it is."""
    lines = [line for line in block.text.splitlines() if line.strip()]
    return not block.language and all(re.match(r" *[\w<>.-]+[/.][\w<>/.-]*\s{2,}\S", line) for line in lines)


# The first that takes a block runs it.
RUNNERS: dict[str, Callable[[Block], bool]] = {
    "tests/test_authoring.py": by_authoring,
    "tests/test_guide.py": by_guide,
    "tests/test_notes.py": by_notes,
    "tests/test_quiz_docs.py": by_quiz_docs,
    "tests/test_notebook.py": by_notebook,
    "tests/test_site.py": by_site,
    "test_the_generated_pages_are_up_to_date": by_generator,
    "test_an_example_of_help_is_a_command": by_click,
    "test_the_parts_of_the_reference_are_a_sound_exercise": by_check,
    "test_the_commands_of_a_page_give_what_it_shows": by_bash,
    "test_a_program_runs": by_python,
    "test_a_file_is_read": by_readers,
    "test_the_files_in_a_tree_exist": by_tree,
}


def runner(block: Block) -> str:
    return next((name for name, takes in RUNNERS.items() if takes(block)), "")


def run_by(takes: Callable[[Block], bool]) -> list[Block]:
    (name,) = (name for name, one in RUNNERS.items() if one is takes)
    return [block for block in BLOCKS if runner(block) == name]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_is_run_by_a_test(block):
    assert runner(block), (
        f"No test runs the block at {block}:\n\n{block.text}\n"
        "Commands belong into a ```console block, each behind `$ ` with what it prints below it (`...` for lines left out), or into "
        "an indented or ```sh block of commands only. Python is run, YAML and JSON are read. For anything else add a runner to RUNNERS."
    )


@pytest.mark.parametrize(
    ("page", "language", "text"),
    [
        ("docs/new.md", "text", "grade relu\n"),
        ("docs/new.md", "", "some output\n"),
        ("docs/authoring.md", "yaml", "title: not in its test\n"),
        ("docs/notes/04-pooling.md", "python", "print(1)\n"),
        ("docs/instructor-guide.md", "console", "$ grade relu\n"),
    ],
)
def test_a_block_is_given_to_a_test_only_if_that_runs_it(page, language, text):
    """A block that no other file runs goes to a runner of this file, or has none."""
    found = runner(Block(page, 1, language, text))
    assert not found.startswith("tests/")
    assert bool(found) == (language in ("yaml", "python", "console"))


def test_the_links_of_the_readme_have_targets():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https:)([^)#\s]+)(?:#[\w-]+)?\)", text)
    assert len(links) > 15
    for target in links:
        assert (ROOT / target).exists(), target
    for page in (
        path for path in PAGES if path.parent.name != "notes" and path.name not in ("README.md", "index.md")
    ):
        assert page.relative_to(ROOT).as_posix() in links, f"README.md does not name {page.name}"


def test_every_runner_has_blocks():
    assert {runner(block) for block in BLOCKS} >= set(RUNNERS)


# --- commands

# Too long to be run here, or at odds with a test. The reason, and what is checked instead.
CHEAPER: dict[str, tuple[str, Callable[[str], None]]] = {}


def cheaper(pattern: str, reason: str) -> Callable[[Callable[[str], None]], Callable[[str], None]]:
    def register(check: Callable[[str], None]) -> Callable[[str], None]:
        CHEAPER[pattern] = (reason, check)
        return check

    return register


@cheaper(r"make \w+$", "installs a virtual environment; CI runs `make test` and `make test-rest`")
def is_a_target(command: str) -> None:
    assert f"\n{command.split()[1]}: " in (ROOT / "Makefile").read_text(encoding="utf-8")


@cheaper(
    r"pip install torch --index-url ",
    "needs a network; the workflow of `grade init --ci` uses the same address",
)
def is_the_cpu_build(command: str) -> None:
    address = command.rsplit(maxsplit=1)[-1]
    assert f"TORCH_INDEX: {address} " in (ROOT / "grader/export/templates/github.yml").read_text(
        encoding="utf-8"
    )


@cheaper(r"pip install ", "needs a network and minutes; tests/test_packaging.py installs the wheel")
def installs_this(command: str) -> None:
    (what,) = shlex.split(command, comments=True)[2:]
    named = re.fullmatch(r"(?:\.|\./convgrader|convgrader)(?:\[([\w,]+)\])?", what)
    assert named, what
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "convgrader"
    assert set((named[1] or "dev").split(",")) <= set(project["optional-dependencies"]), what


@cheaper(r"python3 -m venv tools$", "is Python's own, and asks for pip; tests/test_guide.py makes one")
def is_there(command: str) -> None:
    assert importlib.util.find_spec(command.split()[2])


@cheaper(r"source (tools|\.venv)/bin/activate$", "goes with the environment that is not made")
def is_what_venv_writes(command: str) -> None:
    source = importlib.util.find_spec("venv")
    assert source is not None
    assert (Path(str(source.origin)).parent / "scripts" / "common" / Path(command).name).is_file()


@cheaper(r"grade watch\b", "runs until it is interrupted; tests/test_watch.py does both")
@cheaper(r"grade quiz \w+ --serve$", "runs until it is interrupted; tests/test_quiz_terminal.py does both")
@cheaper(r"grade check --mutants$", "takes minutes; tests/test_mutants.py and `make test-all` run it")
@cheaper(r"grade check pooling --repeat 50$", "takes a minute; tests/test_mutants.py runs it with fewer")
@cheaper(
    r"grade (init --ci|release) (?!.*--from )",
    "writes down where this grader came from, another place on each machine; tests/test_origin.py and test_release.py do",
)
@cheaper(r"grade class .*--executor dask:", "needs a cluster; tests/test_guide.py starts one")
def parses(command: str) -> None:
    """Check a `grade` command with Click's own parser, in the current folder."""
    words = shlex.split(command, comments=True)[1:]
    at, context = grade, None
    with contextlib.ExitStack() as opened, contextlib.suppress(click.exceptions.Exit):  # --help
        while True:
            name = "grade" if context is None else at.name
            context = opened.enter_context(at.make_context(name, list(words), parent=context))
            if not isinstance(at, click.Group):
                return
            _, found, words = at.resolve_command(context, [*context._protected_args, *context.args])
            assert found is not None, command
            at = found


# What is run before a command, in the same shell: it makes the files that a page assumes.
CLASS = """
mkdir -p handed-in/ada handed-in/bob path/to
cp -r {root}/examples/submission/. handed-in/ada
cp -r convgrader/exercises handed-in/bob
cp -r handed-in/ada path/to/ada
(cd handed-in/ada && python3 -m zipfile -c ../../ada.zip exercises answers)
cp ada.zip handed-in/cyd.zip
printf 'Student,ID,SIS Login ID,Section,Week 4 (11)\\n    Points Possible,,,,10.00\\nAda,1,ada,,\\nBob,2,bob,,\\nCyd,3,cyd,,\\n' > exported.csv
"""
GRADED = CLASS + "grade class handed-in --gradebook course.db\n"
SOLVED = "for id in pooling relu; do mkdir -p submission; cp convgrader/solutions/$id/reference.py submission/$id.py; done"
BEFORE = {
    ("docs/commands.md", "grade relu"): "cp ../convgrader/solutions/relu/reference.py exercises/relu.py",
    ("docs/commands.md", "grade new exercise channel_mean"): CLASS,
    (
        "docs/commands.md",
        "grade --submission submission --format junit --output report.xml --fail-under 60 --require-isolation 2",
    ): SOLVED,
    ("docs/exports.md", "grade export nbgrader course.db --output grades.csv"): GRADED,
    (
        "docs/exports.md",
        "grade export gradescope autograder.zip pooling relu",
    ): "export CONVGRADER_COURSE={root}",
    ("docs/watch.md", "cd my-cnn"): "grade init my-cnn",
}
# What the reader answers where a command asks.
ANSWERS = {("docs/watch.md", "grade reset pooling"): "y\n", ("docs/commands.md", "grade reset relu"): "y\n"}
# The exit code of what does not end with 0, as the page says or for this reason.
CODES = {
    ("docs/commands.md", "grade"): (1, "everything but relu is still to be done"),
    ("docs/commands.md", "grade --format html --output report.html"): (1, "the same"),
    ("docs/commands.md", "grade --submission path/to/ada --format json --output ada.json"): (
        1,
        "ada is half finished",
    ),
    ("docs/commands.md", "grade --submission ada.zip --reveal all"): (1, "the same"),
    ("docs/commands.md", "grade --submission ada.zip --seed 7 --jobs 1"): (1, "the same"),
    ("docs/exports.md", "grade export quizzes canvas quizzes.zip"): (1, "the page: items are left out"),
    ("docs/exports.md", "grade export quizzes moodle quizzes.xml pooling"): (1, "the same"),
    ("docs/student-guide.md", "grade output_size"): (1, "the page: while anything is missing"),
}
# Pages of which each block runs in a new folder; elsewhere a block continues in the shell of the last.
BLOCK_BY_BLOCK = ("README.md", "docs/commands.md")
# Pages whose commands are about any course: two exercises and one quiz will do.
WITH_A_QUICK_COURSE = ("README.md", "docs/commands.md", "docs/exports.md")


@dataclass(frozen=True)
class Ran:
    step: Step
    line: str
    code: int
    printed: str


IN_A_FOLDER = threading.Lock()  # a process has one current folder


class Shell:
    """A bash that keeps folder and variables from command to command, in an empty folder that holds `convgrader/`."""

    def __init__(self, folder: Path, page: str) -> None:
        self.page, self.place = page, folder / "place"
        tools, course = folder / "tools", self.place / "convgrader"
        tools.mkdir(parents=True)
        (tools / "grade").write_text(grade_command.tool(), encoding="utf-8")
        (tools / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
        for tool in tools.iterdir():
            tool.chmod(0o755)
        copy_course(course, quick=page in WITH_A_QUICK_COURSE)
        self.here, self.state, self.kept = self.place, folder / "state", folder / "here"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CONVGRADER_", "GIT_", "PYTHON"))
        }
        self.environment = kept | {
            "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "CONVGRADER_COURSE": str(course),
            "COLUMNS": "80", "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        self.state.write_text("", encoding="utf-8")

    def type(self, command: str, answer: str = "") -> tuple[int, str]:
        script = (
            f". {self.state}\n{command}\ncode=$?\nexport -p > {self.state}\npwd > {self.kept}\nexit $code"
        )
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-c", script],
            check=False, cwd=self.here, env=self.environment, input=answer, text=True, timeout=120,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.here = Path(self.kept.read_text(encoding="utf-8").strip())
        return done.returncode, done.stdout

    def step(self, step: Step) -> tuple[int, str]:
        before = BEFORE.get((self.page, step.command))
        if before:
            code, printed = self.type(f"set -e; {before.format(root=ROOT)}\nset +e")
            assert code == 0, printed
        for pattern, (_, check) in CHEAPER.items():
            if re.match(pattern, step.command):
                with IN_A_FOLDER, contextlib.chdir(self.here):
                    check(step.command)
                return 0, step.shown
        return self.type(step.command, ANSWERS.get((self.page, step.command), ""))


def copy_course(course: Path, *, quick: bool) -> None:
    """Copy the course; a quick one has two exercises, with the first few of their known mistakes, and one quiz."""
    left_out = shutil.ignore_patterns("__pycache__")
    for name in ("exercises", "solutions", "quizzes", "schemas"):
        shutil.copytree(ROOT / name, course / name, ignore=left_out)
    if quick:
        for path in [*course.glob("solutions/*"), *course.glob("exercises/*.py"), *course.glob("quizzes/*")]:
            if path.stem not in QUICK:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for known in course.glob("solutions/*/mistakes.py"):
            lines = known.read_text(encoding="utf-8").splitlines(keepends=True)
            end = read_mistakes(known)[FEW].line - 1
            while not lines[end].startswith("@"):  # its decorator may take several lines
                end -= 1
            known.write_text("".join(lines[:end]), encoding="utf-8")


def typed(run: Sequence[Block], folder: Path) -> list[Ran]:
    """Run the commands of blocks of one page in one shell."""
    shell, ran = Shell(folder, run[0].page), []
    for block in run:
        for step in block.steps:
            code, printed = shell.step(step)
            ran.append(Ran(step, str(block), code, printed))
    return ran


def sessions() -> list[tuple[Block, ...]]:
    """Return the blocks that share a shell: those of a page, or one block where each has its own."""
    found: dict[object, list[Block]] = {}
    for block in run_by(by_bash):
        found.setdefault(block if block.page in BLOCK_BY_BLOCK else block.page, []).append(block)
    return [tuple(run) for run in found.values()]


SESSIONS = sessions()


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> list[list[Ran]]:
    """Run the commands of all pages, two pages at a time, the longest first."""
    longest = sorted(range(len(SESSIONS)), key=lambda n: -sum(len(block.steps) for block in SESSIONS[n]))
    with ThreadPoolExecutor(2) as pool:
        started = {n: pool.submit(typed, SESSIONS[n], tmp_path_factory.mktemp("page")) for n in longest}
    return [started[n].result() for n in range(len(SESSIONS))]


def pattern_of(shown: str) -> str:
    """Return a pattern for what a page shows: `...` is any text, or any lines where it is a line; isolation may differ."""
    pattern = ""
    for line in shown.splitlines():
        if line == "...":
            pattern += r"(?:.*\n)*?"
        elif line.startswith("Isolation level "):
            pattern += r"Isolation level .*\n"
        else:
            pattern += ".*".join(map(re.escape, line.rstrip().split("..."))) + r" *\n"
    return pattern


@pytest.mark.parametrize("n", range(len(SESSIONS)), ids=[str(run[0]) for run in SESSIONS])
def test_the_commands_of_a_page_give_what_it_shows(ran, n):
    for one in ran[n]:
        wanted, _ = CODES.get((SESSIONS[n][0].page, one.step.command), (0, ""))
        full_marks = "✓ All " in one.step.shown
        report = f"{one.line}: $ {one.step.command}\nexit code {one.code}\n{one.printed}"
        assert one.code == (0 if full_marks else wanted), report
        if one.step.shown:
            assert re.fullmatch(pattern_of(one.step.shown), one.printed.rstrip("\n") + "\n"), report


def test_what_a_page_shows_is_compared():
    shown = pattern_of("one\n...\nkept: ...\nIsolation level 3 of 3: all.\nend")
    assert re.fullmatch(shown, "one\ntwo\nthree\nkept: here\nIsolation level 0 of 3: few.\nend\n")
    for wrong in (
        "two\nkept: here\nIsolation level 3\nend\n",
        "one\nkept: here\nIsolation level 3 of 3.\nend\nmore\n",
        "one\nend\n",
    ):
        assert not re.fullmatch(shown, wrong)


def test_every_exception_names_a_command_of_a_page():
    commands = [(block.page, step.command) for block in run_by(by_bash) for step in block.steps]
    assert {*BEFORE, *ANSWERS, *CODES} <= set(commands)
    for pattern in CHEAPER:
        assert any(re.match(pattern, command) for _, command in commands), pattern
    assert {*WITH_A_QUICK_COURSE, *BLOCK_BY_BLOCK} <= {block.page for run in SESSIONS for block in run}


# --- the reference


@cache
def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "reference" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", GENERATED)
def test_the_generated_pages_are_up_to_date(page):
    assert (ROOT / page).read_text(encoding="utf-8") == generator().pages()[Path(page).name], (
        "run: python docs/reference/generate.py"
    )


def test_the_page_of_commands_leaves_nothing_out():
    page = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    found = list(generator().commands())
    assert len(found) > 20
    for name, command in found:
        section = page.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name not in ("course", "help"):
                assert all(f"{word}" in section for word in parameter.opts), (name, parameter.opts)


EXAMPLES = [step.command for block in run_by(by_click) for step in block.steps]


@pytest.fixture
def files_of_examples(tmp_path, monkeypatch) -> Path:
    """A folder with the files that examples of --help name."""
    for folder in ("handed-in", "ilias", "last-year", "published-solution", "ada", "my-cnn", "DIR"):
        (tmp_path / folder).mkdir()
    for name in ("course.db", "report.json", "ada.json", "exported.csv", "ada.zip", "CS101-Week4-1234.zip"):
        (tmp_path / name).write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", EXAMPLES)
def test_an_example_of_help_is_a_command(files_of_examples, command):
    assert command.startswith("grade")
    parses(command)


def test_a_wrong_command_is_refused(files_of_examples):
    for wrong in (
        "grade --submision ada",
        "grade stats",
        "grade class handed-in --jobs none",
        "grade export canavs course.db",
    ):
        with pytest.raises(click.UsageError):
            parses(wrong)


def composed(folder: Path) -> None:
    """Write the files of which three pages show parts: each part goes to the file named above it, else to the suite."""
    for page in COMPOSED:
        text, end = (ROOT / page).read_text(encoding="utf-8"), 0
        for block in run_by(by_check):
            if block.page != page:
                continue
            start = text.index(block.text, end)
            named = re.findall(r"`((?:exercises|solutions)/channel_scale[\w/.]*)`", text[end:start])
            path = folder / (named[-1] if named else "solutions/channel_scale/test_channel_scale.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{block.text}\n\n")
            end = start + len(block.text)


def test_the_parts_of_the_reference_are_a_sound_exercise(tmp_path):
    composed(tmp_path)
    (tmp_path / "quizzes").mkdir()
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    done = grade_command.run("check", "--course", tmp_path, "channel_scale", folder=ROOT)
    assert done.stdout == "channel_scale: 8 checks, 6 of 6 mistakes caught, sound\nAll sound.\n", (
        done.stdout + done.stderr
    )
    yaml_document.read(tmp_path / "solutions/channel_scale/exercise.yaml", ExerciseDocument)


# --- everything else


@pytest.mark.cold
@pytest.mark.parametrize("page", sorted({block.page for block in run_by(by_python)}))
def test_a_program_runs(page, tmp_path, monkeypatch):
    """The Python blocks of a page are one program, which ends without an exception."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "page"}
    for block in run_by(by_python):
        if block.page == page:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile("\n" * block.line + block.text, block.page, "exec"), namespace)


def read(block: Block, folder: Path) -> None:
    """Read a YAML or JSON block with the reader of what it is."""
    path = folder / "block.yaml"
    if block.language == "json":
        found = json.loads(block.text)
        if "format" in found:
            from_json(block.text)
    elif block.text.startswith("- id:"):
        items = "".join(f"  {line}\n" for line in block.text.splitlines())
        path.write_text(f'title: A\nsection: "1"\nitems:\n{items}', encoding="utf-8")
        load_bank(path)
    else:
        path.write_text(block.text, encoding="utf-8")
        yaml_document.read(path, PolicyDocument if "\ntime_zone:" in block.text else ExerciseDocument)


@pytest.mark.parametrize("block", run_by(by_readers), ids=str)
def test_a_file_is_read(block, tmp_path):
    read(block, tmp_path)


@pytest.mark.parametrize("block", run_by(by_tree), ids=str)
def test_the_files_in_a_tree_exist(block):
    """Each line names a file or folder; what is indented lies in the folder above; `<id>` stands for any."""
    folder = ""
    for line in block.text.splitlines():
        name = re.sub("<[a-z]+>", "*", line.split()[0])
        folder = folder if line.startswith(" ") else name if name.endswith("/") else ""
        pattern = f"{folder}{name}" if line.startswith(" ") else name
        assert list(ROOT.glob(pattern.rstrip("/"))), line
