"""`grade replay`: a failing case as a file that runs without the grader, and fails as long as the case does."""

import ast
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import grade_command
import pytest
import torch
from terminals import Terminal

from grader.authoring.reference_submissions import mistake_modules
from grader.core.errors import UsageError
from grader.core.model import Outcome, Snippet
from grader.course import catalog
from grader.course.known_mistakes import read_mistakes
from grader.grading.engine.feedback.literals import Named, Unwritable, literal
from grader.grading.engine.grading_process import NOT_WRITTEN
from grader.grading.messages import Graded, Job
from grader.grading.script_run import run_in_worker
from grader.workspace import own_workspaces, replay_files, scaffold

ROOT = Path(__file__).parent.parent
COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")

# Runs cases on the module that made them and on the reference; says of each how it ended.
RUNNER = """
import contextlib, importlib, io, json, sys, types, warnings
reference, mistakes = importlib.import_module("reference"), importlib.import_module("mistakes")
import torch
exercise, cases = sys.argv[1], json.load(sys.stdin)
def ending(module, code):
    sys.modules[exercise] = module
    scope = {exercise: module, "torch": torch, "sys": sys}
    exec("import base64, zlib", scope)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(code, scope)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
results = []
for name, attribute, code in cases:
    mistaken = types.ModuleType(exercise)
    vars(mistaken).update({**vars(reference), name: getattr(mistakes, attribute)})
    results.append([ending(mistaken, code), ending(reference, code)])
json.dump(results, sys.stdout)
"""


def exercises():
    return [exercise.id for exercise in catalog.load(ROOT).exercises]


def graded(dispatcher, exercise, submissions):
    jobs = [Job(exercise=exercise, module=exercise.id, sources=s, seed=0, replay=True) for s in submissions]
    endings = list(dispatcher.grade(jobs))
    assert [ending for ending in endings if not isinstance(ending, Graded)] == []
    reasons = {snippet.reason for ending in endings for snippet in ending.snippets.values()}
    assert [reason for reason in reasons if NOT_WRITTEN in reason] == []
    return endings


def few(mistakes):
    """Two or three mistakes from first to last; all of them where the environment asks for it, which takes minutes."""
    step = 1 if os.environ.get("CONVGRADER_ALL_MISTAKES") else max(1, len(mistakes) // 2)
    return mistakes[::step]


@pytest.mark.parametrize("name", exercises())
def test_the_case_of_a_known_mistake_fails_on_it_and_passes_on_the_reference(dispatcher, name):
    exercise = catalog.load(ROOT).exercise(name)
    mistakes = few(read_mistakes(exercise.folder / "mistakes.py"))
    cases, labels = [], []
    for mistake, ending in zip(
        mistakes, graded(dispatcher, exercise, [mistake_modules(exercise, m) for m in mistakes]), strict=True
    ):
        outcomes = {check.id: check.outcome for check in ending.result.checks}
        for check, snippet in ending.snippets.items():
            if not snippet.reason and snippet.judges and outcomes[check] in (Outcome.FAILED, Outcome.RAISED):
                cases.append([mistake.name, mistake.attribute, snippet.code])
                labels.append(f"{mistake.id}: {check}")
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, name], check=False, input=json.dumps(cases), capture_output=True, text=True,
        cwd=exercise.folder, env={**os.environ, "PYTHONPATH": str(exercise.folder), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = dict(zip(labels, json.loads(done.stdout), strict=True))
    assert [label for label, (mistaken_ending, _) in results.items() if not mistaken_ending] == []
    assert {label: reference for label, (_, reference) in results.items() if reference} == {}


# --- values as code

VALUES = [
    None, True, 7, -0.0, 0.1, float("inf"), "a\"b\n\u202e{}", (1,), (), [1, [2.5, "x"]], {"a": (1, 2), 3: None},
    torch.tensor(0.1), torch.tensor([0.1, -0.0, 1e-45, 3.4e38]), torch.randn(2, 3, 4), torch.randn(5, 200),
    torch.tensor([0.1], dtype=torch.float64), torch.tensor([0.1, 3.0]).bfloat16(), torch.tensor([[1, 2]]).int(),
    torch.tensor([True, False]), torch.empty(0, 3, dtype=torch.int16), torch.arange(600, dtype=torch.float16),
    [torch.ones(2), {"w": torch.zeros(1)}], torch.randn(2, 2, requires_grad=True), torch.tensor(3),
]  # fmt: skip


def bits(value):
    """Return a value with every tensor as its dtype, shape and bytes."""
    if isinstance(value, torch.Tensor):
        data = value.detach().contiguous().reshape(-1).view(torch.uint8).tolist() if value.numel() else []
        return ("tensor", value.dtype, tuple(value.shape), value.requires_grad, data)
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [bits(item) for item in value])
    if isinstance(value, dict):
        return ("dict", [(key, bits(item)) for key, item in value.items()])
    return (type(value).__name__, repr(value))


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_literal_gives_the_same_value_bit_for_bit(value):
    text = literal(value)
    assert text.isascii()
    import base64
    import zlib

    again = eval(text, {"torch": torch, "base64": base64, "zlib": zlib})
    assert bits(again) == bits(value)


def test_a_view_is_written_as_one_where_that_is_asked_for():
    view = torch.arange(6.0).reshape(2, 3).mT.requires_grad_()
    for turns in (True, False):
        again = eval(literal(view, turns=turns), {"torch": torch})
        assert torch.equal(again, view)
        assert (again.is_contiguous(), again.is_leaf, again.requires_grad) == (not turns, True, True)


def test_text_never_becomes_code():
    attack = '"); __import__("os").abort() #\n\x1b[31m'
    (node,) = ast.parse(literal([attack])).body
    assert ast.literal_eval(node.value) == [attack]


def test_what_has_no_literal_is_refused():
    with pytest.raises(Unwritable, match="a object cannot be written down"):
        literal(object())
    with pytest.raises(Unwritable, match="too many"):
        literal(torch.randn(400_000))
    assert literal([Named("model")]) == "[model]"


# --- the command

WRONG = (
    REFERENCE
    + """

def double(x):
    y = x * 2
    return y + (x > 0)
"""
)


@pytest.fixture
def stranger(tmp_path):
    """A folder that this user did not start: what somebody handed in."""
    folder = tmp_path / "ada"
    (folder / "exercises").mkdir(parents=True)
    (folder / "exercises" / "scaling.py").write_text(WRONG, encoding="utf-8")
    return folder


@pytest.fixture
def workspace(stranger):
    """A workspace of this user."""
    own_workspaces.record(stranger)
    return stranger


def grade(folder, *arguments, env=None, **options):
    return grade_command.run(
        *arguments, folder=folder, CONVGRADER_COURSE=str(COURSE), **(env or {}), **options
    )


def rewrite(workspace, text, rest=REFERENCE):
    (workspace / "exercises" / "scaling.py").write_text(rest + text, encoding="utf-8")


def test_the_smallest_case_is_written_and_fails_until_it_is_fixed(workspace):
    done = grade(workspace, "replay", "scaling")
    assert done.returncode == 1, done.stderr
    path = workspace / "replays" / "scaling_values.py"
    assert done.stdout.splitlines()[:2] == [
        "replays/scaling_values.py written.",
        "$ python replays/scaling_values.py",
    ]
    text = path.read_text(encoding="utf-8")
    assert "grader" not in "".join(
        ast.unparse(node)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    )
    assert "pickle" not in text
    assert "expected = torch.tensor([2.0, -2.0])" in text
    assert "expected\ntensor([ 2., -2.])" in done.stdout
    assert "AssertionError" in done.stderr
    rewrite(workspace, "")
    alone = subprocess.run([sys.executable, path], check=True, capture_output=True, text=True, cwd=workspace)
    assert alone.stdout.endswith("This case passes.\n")
    again = grade(workspace, "replay", "scaling", "values")
    assert (again.returncode, again.stdout) == (
        0,
        "“Every value is doubled” passes: there is nothing to replay.\n",
    )
    assert "All checks of scaling pass" in grade(workspace, "replay").stdout


def test_a_changed_file_stays_and_an_unchanged_one_is_written_anew(workspace):
    def case(code):
        return replay_files.Case(
            exercise="scaling", root="exercises/", snippet=Snippet(code=code), outcome=Outcome.FAILED
        )

    path = workspace / "replays" / "scaling_import.py"
    for code in ("first = 1", "second = 2"):
        assert replay_files.write(case(code), workspace) == (path, None)
        assert code in path.read_text(encoding="utf-8")
    mine = path.read_text(encoding="utf-8").replace("second", "mine")
    path.write_text(mine, encoding="utf-8")
    for code in ("third = 3", "fourth = 4"):
        assert replay_files.write(case(code), workspace) == (path.with_name("scaling_import_2.py"), path)
        assert code in path.with_name("scaling_import_2.py").read_text(encoding="utf-8")
    assert path.read_text(encoding="utf-8") == mine


def test_a_file_with_changes_is_named(workspace):
    (workspace / "replays").mkdir()
    (workspace / "replays" / "scaling_values.py").write_text("# mine\n", encoding="utf-8")
    done = grade(workspace, "replay", "scaling", "--no-run")
    assert done.returncode == 0
    assert (
        done.stdout
        == "replays/scaling_values.py has your changes and was not overwritten. The case is in replays/scaling_values_2.py.\n"
    )


@pytest.mark.parametrize(
    ("text", "check", "words"),
    [
        ("\n\ndef double(x):\n    return x.numpy()\n", "shape", "The check still fails, in what it computes from this: `double` returned an ndarray"),
        ("\n\ndef double(x):\n    return x[:1] * 2\n", "shape", "AssertionError"),
        ("\n\ndef double(x):\n    raise KeyError('\\x1b[31m\"\"\"')\n", "shape", "KeyError"),
        ("\n\ndef double(x):\n    return (2 * x).detach().requires_grad_()\n", "gradient", "The check still fails"),
        ("\n\ndef double(x):\n    return Twice.apply(x)\n\n\nclass Twice(torch.autograd.Function):\n"
         "    @staticmethod\n    def forward(ctx, x):\n        return 2 * x\n\n"
         "    @staticmethod\n    def backward(ctx, g):\n        return 3 * g\n", "gradient", "Mismatched elements: 2 / 2"),
        ("\n\nclass Scale(Scale):\n    def forward(self, x):\n        return x\n", "module", "Mismatched elements"),
        ("\n\nimport does_not_exist\n\ndoes_not_exist.f()\n", None, "ModuleNotFoundError"),
        ("\n\ndef double(x)\n    return x\n", None, "SyntaxError"),
    ],
    ids=["type", "shape", "raises", "detached", "gradient", "module", "import", "syntax"],
)  # fmt: skip
def test_each_kind_of_failure_fails_alike_outside(workspace, text, check, words):
    rewrite(workspace, text)
    done = grade(workspace, "replay", "scaling", *([check] if check else []))
    assert done.returncode == 1, done.stdout + done.stderr
    assert words in done.stderr + done.stdout


def test_where_no_case_can_be_written_it_says_so_and_what_to_do(workspace):
    rewrite(workspace, "\n\ndef total(x, start=0.0):\n    return 1.0\n")
    (workspace / "exercises" / "scaling.py").write_text(
        (workspace / "exercises" / "scaling.py")
        .read_text(encoding="utf-8")
        .replace("self.calls += 1", "pass"),
        encoding="utf-8",
    )
    done = grade(workspace, "replay", "scaling", "counts")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "It cannot be replayed: the check prepares it with `run_twice` of its own" in done.stdout
    assert "Replay another: grade replay scaling total" in done.stdout
    assert not (workspace / "replays").exists()


def test_what_the_check_does_after_the_call_is_mentioned_and_not_asserted(workspace):
    rewrite(workspace, "\n\ndef double(x):\n    return x.mul_(2)\n")
    done = grade(workspace, "replay", "scaling", "input_kept")
    assert done.returncode == 1, done.stderr
    assert (
        "The check goes on from here.\nThe check still fails, in what it computes from this: `double` changed"
        in done.stdout
    )


def test_a_call_that_never_ends_says_where_it_is(workspace, monkeypatch):
    rewrite(workspace, "\n\ndef double(x):\n    while True:\n        pass\n")
    done = grade(workspace, "replay", "scaling", "shape", "--no-run")
    path = workspace / "replays" / "scaling_shape.py"
    assert done.returncode == 0, done.stdout + done.stderr
    path.write_text(path.read_text(encoding="utf-8").replace("later(20,", "later(2,"), encoding="utf-8")
    alone = subprocess.run([sys.executable, path], check=False, capture_output=True, text=True, cwd=workspace)
    assert alone.returncode == 1
    assert "in double" in alone.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], 'There is no exercise "nothing"'),
        (["scaling", "valus"], 'scaling has no check "valus". Did you mean "values"?'),
    ],
)
def test_a_wrong_argument_exits_with_two(workspace, arguments, words):
    done = grade(workspace, "replay", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_stub_is_reported_as_not_written(workspace):
    (workspace / "exercises" / "scaling.py").write_text(
        (COURSE / "exercises" / "scaling.py").read_text("utf-8"), "utf-8"
    )
    done = grade(workspace, "replay", "scaling")
    assert done.returncode == 1
    assert "not written yet. Open exercises/scaling.py, and write it." in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are a thing of Unix")
def test_the_debugger_stops_in_the_students_function(workspace):
    terminal = Terminal(workspace, "replay", "scaling", "--pdb", CONVGRADER_COURSE=str(COURSE))
    try:
        terminal.see("-> y = x * 2")
        terminal.see("(Pdb)")
        terminal.press("p x.shape\n")
        terminal.see("torch.Size([2])")
        terminal.press("q\n")
        assert terminal.process.wait(40) == 1
    finally:
        terminal.close()


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are a thing of Unix")
def test_the_debugger_stops_at_the_line_that_raised(workspace):
    rewrite(workspace, "\n\ndef double(x):\n    y = x * 2\n    return y + nothing\n")
    terminal = Terminal(workspace, "replay", "scaling", "--pdb", CONVGRADER_COURSE=str(COURSE))
    try:
        terminal.see("-> return y + nothing")
        terminal.see("(Pdb)")
        terminal.press("p y\n")
        terminal.see("tensor(")
        terminal.press("q\n")
        terminal.see("will be restarted")  # as Python's debugger does after an exception
        terminal.press("q\n")
        assert terminal.process.wait(40) == 1
    finally:
        terminal.close()


# --- somebody else's code

MARK = """
try:
    open({path!r}, "w").close()
    print("written")
except OSError as error:
    print("refused:", type(error).__name__)
"""


def test_the_code_of_a_stranger_runs_in_a_worker_unless_it_is_trusted(stranger, tmp_path):
    """Whatever the folder holds: files that Python, its debugger and the replay would run are there too."""
    marks = {
        name: tmp_path / f"mark-{n}"
        for n, name in enumerate(
            ["exercises/scaling.py", "exercises/random.py", "replays/torch.py", "replays/sitecustomize.py", "pdb.py"]
        )
    }  # fmt: skip
    (stranger / "replays").mkdir()
    for name, path in marks.items():
        text = MARK.format(path=str(path)) + ("\nimport random\n" + WRONG if "scaling" in name else "")
        (stranger / name).write_text(text, encoding="utf-8")
    (stranger / ".pdbrc").write_text(f"!open({str(tmp_path / 'mark-pdbrc')!r}, 'w')\n", encoding="utf-8")
    for arguments, folder in ([("--submission", "ada"), tmp_path], [(), stranger]):
        done = grade(folder, "replay", "scaling", "values", *arguments)
        assert done.returncode == 1, done.stderr
        assert "was not started with `grade init` here" in done.stdout
        assert "it runs in a worker, at isolation level" in done.stdout
        assert "refused: PermissionError" in done.stdout
        assert "AssertionError: Tensor-likes are not close!" in done.stderr
        assert "Mismatched elements: 1 / 2" in done.stderr
        assert 'replays/scaling_values.py", line ' in done.stderr
        debugged = grade(folder, "replay", "scaling", "values", "--pdb", *arguments)
        assert debugged.returncode == 2
        assert "--trust" in debugged.stderr
        assert not list(tmp_path.glob("mark-*"))
    for name in ("replays/torch.py", "pdb.py"):
        (stranger / name).unlink()
    trusted = grade(tmp_path, "replay", "scaling", "values", "--trust", "--submission", "ada")
    assert trusted.returncode == 1
    assert "$ python replays/scaling_values.py" in trusted.stdout
    assert marks["exercises/scaling.py"].exists()


def test_without_isolation_the_code_of_a_stranger_is_not_run(stranger, tmp_path, monkeypatch):
    monkeypatch.setenv("CONVGRADER_MAX_ISOLATION", "1")
    done = grade(tmp_path, "replay", "scaling", "--submission", "ada")
    assert done.returncode == 2
    assert "Isolation level 2 is needed to run it; this machine has" in done.stderr
    assert not (stranger / "replays").exists()
    assert grade(tmp_path, "replay", "scaling", "--submission", "ada", "--no-run").returncode == 0


def test_grade_init_makes_a_workspace_ones_own(tmp_path):
    assert grade(tmp_path, "init", "mine").returncode == 0
    (tmp_path / "mine" / "exercises" / "scaling.py").write_text(WRONG, encoding="utf-8")
    done = grade(tmp_path / "mine", "replay", "scaling")
    assert "$ python replays/scaling_values.py" in done.stdout
    done = grade(tmp_path, "init", "other", env={"XDG_STATE_HOME": "/dev/null/state"})
    assert done.returncode == 0
    assert "`grade replay` will ask for --trust" in done.stderr


def test_what_a_folder_holds_never_makes_it_ones_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    mine, records = tmp_path / "mine", tmp_path / "state" / "convgrader" / "workspaces"
    (mine / "handed-in" / "ada").mkdir(parents=True)
    assert not own_workspaces.is_own(mine)
    own_workspaces.record(mine)
    assert own_workspaces.is_own(mine)
    monkeypatch.chdir(mine)
    assert own_workspaces.is_own(Path())
    (tmp_path / "link").symlink_to(mine / "handed-in" / "ada")
    for folder in (mine / "handed-in" / "ada", mine / "handed-in", tmp_path, tmp_path / "link"):
        assert not own_workspaces.is_own(folder), folder
    (record,) = records.iterdir()
    shutil.copytree(tmp_path / "state", mine / "handed-in" / "ada" / ".local" / "state")
    assert not own_workspaces.is_own(mine / "handed-in" / "ada")
    record.write_bytes(b"/elsewhere")
    assert not own_workspaces.is_own(mine)
    own_workspaces.record(mine)
    if sys.platform != "win32":
        records.chmod(0o777)  # others could have written the record
        assert not own_workspaces.is_own(mine)


def test_a_folder_with_files_is_not_new(tmp_path):
    assert scaffold.is_new(tmp_path)
    assert scaffold.is_new(tmp_path / "missing")
    (tmp_path / ".git").mkdir()
    assert scaffold.is_new(tmp_path)
    (tmp_path / "helper.py").touch()
    assert not scaffold.is_new(tmp_path)
    (tmp_path / "gone").symlink_to("nowhere")
    assert not scaffold.is_new(tmp_path / "gone")
    assert not scaffold.is_new(tmp_path / "helper.py")


def test_nothing_is_written_or_read_through_a_link(tmp_path):
    case = replay_files.Case(
        exercise="scaling", root="exercises/", snippet=Snippet(code="x = 1"), outcome=Outcome.FAILED
    )
    target = tmp_path / "target"
    target.mkdir()
    for folder in ("ada", "bob"):
        (tmp_path / folder).mkdir()
    (tmp_path / "ada" / "replays").symlink_to(target)
    with pytest.raises(UsageError, match="is a link"):
        replay_files.write(case, tmp_path / "ada")
    assert not list(target.iterdir())
    written, _ = replay_files.write(case, tmp_path / "bob")
    unchanged = target / "mine.py"
    written.rename(unchanged)
    written.symlink_to(unchanged)  # its target looks like a replay file that may be written anew
    os.mkfifo(written.with_name("scaling_import_2.py"))  # reading it would wait for ever
    path, kept = replay_files.write(case, tmp_path / "bob")
    assert (path.name, kept) == ("scaling_import_3.py", written)
    assert written.is_symlink()


@pytest.mark.parametrize(
    ("text", "output", "error"),
    [
        ("import scaling\nprint(scaling.answer)", "42\n", ""),
        ("import scaling\nscaling.fail()", "", "ValueError: no"),
        ("print('before')\nimport os\nos._exit(3)", "before\n", "exit status 3"),
        ("while True: pass", "", "did not end within"),
        ("x = 'a' * 10**10", "", "MemoryError"),
        ("def f(:", "", "invalid syntax"),
        ("open('/etc/passwd')", "", "PermissionError"),
        ("import scaling_case\nprint(scaling_case.own)", "mine\n", ""),
    ],
)
def test_a_program_in_a_worker_ends_as_it_would_outside_or_at_a_limit(dispatcher, text, output, error):
    exercise = catalog.load(COURSE).exercise("scaling")
    limits = replace(exercise.limits, import_limit_s=1.0, check_limit_s=1.0)
    sources = {
        "scaling.py": "answer = 42\ndef fail():\n    raise ValueError('no')\n",
        "scaling_case.py": "own = 'mine'",
    }
    job = Job(exercise=replace(exercise, limits=limits), module="scaling", sources=sources, seed=0)
    ended = run_in_worker(dispatcher, job, "scaling_case", text)
    if output or not error:
        assert ended.output == output
    assert error in ended.error
    assert bool(error) == bool(ended.error)
    if "ValueError" in error:
        assert [(line.path, line.line) for line in ended.traceback] == [
            (ended.path, 2),
            ("scaling.py", 3),
        ]


def test_a_shell_completes_checks(monkeypatch):
    from click.shell_completion import BashComplete

    from grader import cli

    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))
    found = BashComplete(cli.grade, {}, "grade", "_GRADE_COMPLETE").get_completions(
        ["replay", "scaling"], "va"
    )
    assert [one.value for one in found] == ["values"]


@pytest.mark.parametrize(
    ("entry", "line"), [("double", 3), ("Net.forward", 9), ("Net", 6), ("nothing", None), ("", None)]
)
def test_a_function_is_found_in_its_file(entry, line):
    text = 'def double(x):\n    """Twice."""\n    return x\nclass Net:\n    def __init__(self):\n        pass\n\n    def forward(self, x):\n        return x\n'
    assert replay_files.first_line(text, entry) == line
