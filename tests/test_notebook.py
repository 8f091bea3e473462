"""Notebooks: cells graded where they stand, in a real kernel, and notebooks that are handed in."""

import html
import json
import os
import re
import subprocess
import sys
import warnings
import zipfile
from importlib.metadata import files
from pathlib import Path

import grade_command
import pytest
from browsing import emulate, wait_for

from grader.classroom.gradebook import Gradebook
from grader.core.model import Outcome
from grader.core.python_source import MAX_PARSED_CHARS
from grader.course import catalog
from grader.grading import attempt
from grader.submission import Recording, Snapshot, Stored, Submission, Unreadable, open_submission, python_of
from grader.submission.notebook import MAX_CELLS, MAX_NOTEBOOK_BYTES

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
SHOWN_CELLS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")
STUB = (COURSE / "exercises" / "scaling.py").read_text(encoding="utf-8")
WRONG = REFERENCE.replace("return 2 * x", "return 2 * x + (x > 0)")
ATTACK = "</iframe><script>parent.document.title = 'forged'</script>\\x1b[31m25/25"
CHEAT = REFERENCE.replace("    return 2 * x", f'    raise ValueError("{ATTACK}")')


def nbformat():
    """Return what makes notebooks. Its import takes two seconds, so tests that are only collected do without."""
    from nbformat import v4

    return v4


# --- in a kernel


def run(*cells, folder, course=COURSE):
    """Run cells in a kernel of their own, in a folder; return their outputs."""
    from nbclient import NotebookClient

    notebook = nbformat().new_notebook(cells=[nbformat().new_code_cell(source) for source in cells])
    where = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True, resources=where)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what jupyter's own libraries think of each other is not ours
        patch.setenv("CONVGRADER_COURSE", str(course))
        client.execute()
    return [cell.outputs for cell in notebook.cells]


# Sends an interrupt half a second later, as the notebook's button does.
INTERRUPT = "import os, threading; threading.Timer(0.5, os.kill, (os.getpid(), 2)).start()"
CELLS = {
    "load": "%load_ext grader",
    "other": "import math\nhelper = lambda x: 2 * x",
    "honest": f"%%grade scaling\n{REFERENCE}",
    "used": "double(torch.ones(1)).item()",
    "mistake": f"%%grade scaling\n{WRONG}",
    "cheat": f"%%grade scaling\n{CHEAT}",
    "alone": f"%%grade scaling --seed 3\n{REFERENCE.replace('return 2 * x', 'return helper(x)')}",
    "syntax": "%%grade scaling\ndef double(x)\n    return x",
    "unknown": "%%grade scalin\nwas_run = True",
    "not run": "was_run",
    "list": "%grade",
    "again": "%grade scaling",
    "none": "%%grade\nx = 1",
    "option": "%%grade scaling --fast\nx = 1",
    "shell": f"%%grade scaling\n!echo from the shell\n%time 1\n{REFERENCE}",
    "raises": f"%%grade scaling\n{REFERENCE}\n1 / 0",
    "raises early": "%%grade scaling\n\n1 / 0",
    "timed": f"%%grade scaling\n%%time\n{REFERENCE}",
    "hint": "%grade hint scaling",
    "another hint": "grade hint scaling",  # as the report spells it: IPython adds the %
    "hint again": "%grade hint scaling 1",
    "too far": "%grade hint scaling 4",
    "hint of nothing": "%grade hint",
    "hint of none": "%grade hint scalin",
    "with hints": f"%%grade scaling\n{WRONG}",
    "interrupted": f"%%grade scaling\n{INTERRUPT}\nwhile True:\n    pass",
    "interrupted later": f"%%grade scaling\nif __name__ == '__main__':\n    {INTERRUPT}\nelse:\n    while True:\n        pass",
    "after": f"%%grade scaling\n{REFERENCE}",
    "unloaded": "pid = get_ipython().grader_session.warm()._starter._process.pid\n%unload_ext grader\npid",
    "gone": "%grade",
    "process": "%load_ext grader\nget_ipython().grader_session.warm()._starter._process.pid",
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What each cell gave in a workspace, by its name."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "exercises").mkdir()
    return dict(zip(CELLS, run(*CELLS.values(), folder=folder), strict=True))


def shown(outputs, form="text/plain"):
    return "\n".join(output.data[form] for output in outputs if form in output.get("data", {}))


def said(outputs):
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_a_right_cell_earns_everything_and_its_names_can_be_used(outputs):
    assert "13/13" in shown(outputs["honest"]).replace(" ", "")
    assert "All 8 checks pass" in shown(outputs["honest"])
    assert shown(outputs["used"]) == "2.0"


def test_a_mistake_is_shown_with_its_smallest_input_and_nothing_that_needs_a_file(outputs):
    text = shown(outputs["mistake"])
    assert "call   double(x)" in text
    assert "grade hint scaling" in text
    assert "grade replay" not in text
    assert "Next:" not in text
    assert "grade replay" not in shown(outputs["mistake"], "text/html")


def test_an_attack_is_text_within_a_frame_that_runs_nothing(outputs):
    page = shown(outputs["cheat"], "text/html")
    (frame,) = re.findall(r"<iframe[^>]*>", page)  # quotes and angles in an attribute are escaped
    assert page == f"{frame}</iframe>"
    assert 'sandbox="allow-same-origin"' in frame
    inner = html.unescape(re.search(r'srcdoc="([^"]*)"', frame)[1])
    assert "<script" not in inner
    assert "&lt;/iframe&gt;&lt;script&gt;parent" in inner
    assert "\x1b" not in shown(outputs["cheat"])
    assert "13/13" not in shown(outputs["cheat"])


def test_a_name_of_another_cell_is_named(outputs):
    assert "`helper`: your notebook has it from another cell." in shown(outputs["alone"])
    assert "<p>`helper`: your notebook has it" in shown(outputs["alone"], "text/html")
    assert "your notebook has it" not in shown(outputs["mistake"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unknown", 'UsageError: There is no exercise "scalin". Did you mean "scaling"?'),
        ("none", "UsageError: A cell is graded as one exercise."),
        ("option", "UsageError: %%grade has one option, --seed N."),
        ("too far", "UsageError: scaling has 3 hints; there is no hint 4."),
        ("hint of nothing", "UsageError: Write %grade hint EXERCISE"),
        ("hint of none", 'UsageError: There is no exercise "scalin". Did you mean "scaling"?'),
    ],
)
def test_a_usage_error_has_no_traceback(outputs, name, words):
    assert said(outputs[name]).startswith(words)
    assert not any("Traceback" in line for output in outputs[name] for line in output.get("traceback", []))


def test_a_cell_under_a_wrong_name_is_not_run(outputs):
    assert outputs["not run"][0].ename == "NameError"


def test_a_syntax_error_is_shown_by_the_report_alone(outputs):
    assert len(outputs["syntax"]) == 1
    assert "Python cannot read your file: expected ':'." in shown(outputs["syntax"])
    assert "scaling.py:2" in shown(outputs["syntax"])


def test_what_a_cell_raises_when_it_runs_is_shown_and_graded(outputs):
    assert [output.ename for output in outputs["raises"] if output.output_type == "error"] == [
        "ZeroDivisionError"
    ]
    assert "ZeroDivisionError" in shown(outputs["raises"])


def test_a_traceback_counts_the_lines_of_the_cell(outputs):
    (traceback,) = (output.traceback for output in outputs["raises early"] if output.output_type == "error")
    assert "----> 3 1 / 0" in re.sub(r"\x1b\[[\d;]*m", "", "\n".join(traceback))
    assert "scaling.py:3" in shown(outputs["raises early"])


def test_another_magic_may_stand_below(outputs):
    assert "Wall time" in said(outputs["timed"])
    assert "All 8 checks pass" in shown(outputs["timed"])


def test_hints_open_one_by_one_from_a_cell(outputs, course):
    first, second, _ = course.exercise("scaling").hints
    assert shown(outputs["hint"]).startswith(first)
    assert shown(outputs["another hint"]).startswith(second)
    assert shown(outputs["hint again"]).startswith(first)
    assert "Your hints: 2 of 3 open" in shown(outputs["with hints"], "text/html")
    assert "`grade hint scaling` opens hint 3 of 3." in shown(outputs["with hints"])


@pytest.mark.parametrize("name", ["interrupted", "interrupted later"])
def test_an_interrupted_cell_is_not_graded_and_the_next_one_is(outputs, name):
    assert said(outputs[name]) == "UsageError: Interrupted: this cell was not graded.\n"
    assert not shown(outputs[name])
    assert "All 8 checks pass" in shown(outputs["after"])


def test_the_line_magic_lists_and_grades_again(outputs):
    assert shown(outputs["list"]).startswith("scaling")
    assert "Python cannot read your file" in shown(outputs["again"])


def test_magics_and_shell_lines_run_in_the_notebook_and_are_not_graded(outputs):
    assert "from the shell" in said(outputs["shell"])
    assert "All 8 checks pass" in shown(outputs["shell"])


def test_one_warm_process_is_kept_and_ends_with_the_kernel(outputs):
    pids = [int(shown(outputs[name])) for name in ("unloaded", "process")]
    assert pids[0] != pids[1]
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert "`%grade` not found" in said(outputs["gone"]) + shown(outputs["gone"])


def test_a_terminal_gets_text():
    code = f"get_ipython().run_cell_magic('grade', 'scaling', {REFERENCE!r})"
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--ext=grader", "--colors=NoColor", "--HistoryManager.enabled=False", "-c", code],
        check=False, capture_output=True, text=True, env={**os.environ, "CONVGRADER_COURSE": str(COURSE)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "All 8 checks pass" in done.stdout
    assert "<iframe" not in done.stdout


def test_to_import_the_grader_imports_no_ipython():
    code = "import sys, grader, grader.cli; assert not {'IPython', 'torch', 'grader.workspace.notebook'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


LIGHT, DARK = "rgba(0, 0, 0, 0.87)", "oklch(0.9 0.02 250)"  # colors of text, on the ground that they need
GROUNDS = {LIGHT: "rgb(247, 245, 241)", DARK: "rgb(20, 22, 27)"}


def page_of(outputs, folder, ink):
    """Write a page around a report, as a notebook has it, with a style that would spoil it."""
    path = folder / "notebook.html"
    body = shown(outputs, "text/html")
    path.write_text(
        f"<!doctype html><meta charset=utf-8><title>mine</title><style>p, h3, td {{ color: red !important; font-size: 40px }}</style>"
        f"<body style='color: {ink}'><p id=host>host</p>{body}</body>",
        encoding="utf-8",
    )
    return path.as_uri()


def frame(browser):
    """What the frame is like: its height, that of its page, and the ground of that."""
    return browser.execute_script(
        "const f = document.querySelector('iframe'), d = f.contentDocument;"
        "return [f.clientHeight, d.documentElement.scrollHeight, getComputedStyle(d.body).backgroundColor]"
    )


@pytest.mark.parametrize("ink", [LIGHT, DARK], ids=["light", "dark"])
def test_the_frame_has_the_theme_of_the_notebook_and_not_that_of_the_system(outputs, browser, tmp_path, ink):
    other = {LIGHT: DARK, DARK: LIGHT}[ink]
    emulate(browser, scheme="dark" if ink == LIGHT else "light")
    browser.get(page_of(outputs["mistake"], tmp_path, ink))
    assert frame(browser)[2] == GROUNDS[ink]
    browser.execute_script("document.body.style.color = arguments[0]", other)
    wait_for(lambda: frame(browser)[2] == GROUNDS[other])


def test_the_frame_is_as_high_as_its_page(outputs, browser, tmp_path):
    browser.get(page_of(outputs["mistake"], tmp_path, LIGHT))
    heights = [frame(browser)[0]]
    assert heights[0] == frame(browser)[1]

    def has_grown():
        height, needed, _ = frame(browser)
        return heights[-1] < height == needed

    inside = "document.querySelector('iframe').contentDocument"
    for change in (f"{inside}.querySelector('details').open = true", "document.body.style.width = '300px'"):
        browser.execute_script(change)
        wait_for(has_grown)
        heights.append(frame(browser)[0])
    browser.execute_script("document.body.style.display = 'none'")  # as a tab that is not in front
    wait_for(lambda: frame(browser)[0] == 0)
    browser.execute_script("document.body.style.display = 'block'")
    wait_for(lambda: frame(browser)[0] == frame(browser)[1] == heights[-1])


def test_the_frame_and_the_notebook_keep_their_own_styles(outputs, browser, tmp_path):
    browser.get(page_of(outputs["mistake"], tmp_path, LIGHT))
    inside, host, behind = browser.execute_script(
        "const d = document.querySelector('iframe').contentDocument;"
        "return [getComputedStyle(d.querySelector('h3')).fontSize, getComputedStyle(document.getElementById('host')).color,"
        " getComputedStyle(document.body).backgroundColor]"
    )
    assert inside != "40px"
    assert (host, behind) == ("rgb(255, 0, 0)", "rgba(0, 0, 0, 0)")


def test_an_attack_does_nothing_in_a_browser(outputs, browser, tmp_path):
    browser.get(page_of(outputs["cheat"], tmp_path, LIGHT))
    assert browser.title == "mine"
    assert len(browser.execute_script("return [...document.querySelectorAll('script')]")) == 0


# --- handed in


def cell(source, *tags):
    return nbformat().new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def notebook(*cells):
    return nbformat().writes(nbformat().new_notebook(cells=list(cells)))


def hand_in(folder, *cells, name="work.ipynb", **files):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(notebook(*cells), encoding="utf-8")
    for file, text in files.items():
        path = folder / file.replace("__", "/")
        path.with_suffix(".py").parent.mkdir(exist_ok=True)
        path.with_suffix(".py").write_text(text, encoding="utf-8")
    return folder


def graded(dispatcher, course, path):
    (result,) = attempt.grade_exercises(dispatcher, open_submission(path), course.exercises, seed=0)
    return result


NAMED = [
    cell(f"%%grade scaling\n{REFERENCE}"),
    cell(REFERENCE, "other", "grade:scaling"),
    cell(f"\n%%grade  scaling --seed 2\n{REFERENCE}"),
    cell(f"#@title Scaling\n%%time\n%%grade scaling\n{REFERENCE}"),
]


@pytest.mark.parametrize("named", NAMED, ids=["line", "tag", "blank line", "below others"])
@pytest.mark.parametrize("form", ["file", "folder", "exercises", "zip"])
def test_a_named_cell_is_graded_wherever_the_notebook_is(dispatcher, course, tmp_path, named, form):
    folder = hand_in(
        tmp_path / "ada",
        nbformat().new_markdown_cell("%%grade scaling"),
        cell("%load_ext grader\n1/0"),
        named,
    )
    path = folder
    if form == "file":
        path = folder / "work.ipynb"
    elif form == "exercises":
        (folder / "exercises").mkdir()
        (folder / "work.ipynb").rename(folder / "exercises" / "work.ipynb")
    elif form == "zip":
        path = tmp_path / "ada.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(folder / "work.ipynb", "ada/work.ipynb")
    result = graded(dispatcher, course, path)
    assert (result.outcome, result.points) == (Outcome.PASSED, 13.0), result


def test_lines_are_those_of_the_cell_and_the_notebook_is_named(dispatcher, course, tmp_path):
    hand_in(tmp_path, cell("%%grade scaling\nimport torch\n\ndef double(x):\n    raise ValueError('no')\n"))
    result = graded(dispatcher, course, tmp_path)
    frame = next(check.traceback[-1] for check in result.checks if check.traceback)
    assert (frame.path, frame.line) == ("work.ipynb/scaling.py", 5)


def test_cells_import_each_other_and_files_beside(tmp_path):
    first, second = cell("from other import f\nimport beside", "grade:scaling"), cell("f = 1", "grade:other")
    found = open_submission(hand_in(tmp_path, first, second, beside="x = 1")).snapshot("scaling")
    assert found.sources == {
        "scaling.py": "from other import f\nimport beside",
        "other.py": "f = 1",
        "beside.py": "x = 1",
    }


def test_the_last_cell_of_a_name_counts_and_the_others_are_flagged(dispatcher, course, tmp_path):
    hand_in(tmp_path, cell(WRONG, "grade:scaling"), cell(REFERENCE, "grade:scaling"))
    result = graded(dispatcher, course, tmp_path)
    assert result.outcome is Outcome.PASSED
    assert [flag.reason for flag in result.flags] == [
        "work.ipynb has 2 cells for scaling; the last was graded."
    ]


def test_a_cell_counts_before_a_stub_and_not_before_a_changed_file(dispatcher, course, tmp_path):
    hand_in(tmp_path, cell(REFERENCE, "grade:scaling"), exercises__scaling=STUB)
    assert graded(dispatcher, course, tmp_path).outcome is Outcome.PASSED
    hand_in(tmp_path, cell(REFERENCE, "grade:scaling"), exercises__scaling=WRONG)
    result = graded(dispatcher, course, tmp_path)
    assert result.outcome is Outcome.FAILED
    reason = "work.ipynb has a cell for scaling too; the file exercises/scaling.py was graded."
    assert [flag.reason for flag in result.flags] == [reason]


def test_reading_a_notebook_runs_nothing_of_it(tmp_path):
    mark = tmp_path / "ran"
    attack = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    hand_in(
        tmp_path / "ada",
        cell(f"%%grade scaling\n!touch {mark}\n{attack}\n%system touch {mark}"),
        cell(attack),
    )
    found = open_submission(tmp_path / "ada").snapshot("scaling")
    assert found.sources["scaling.py"].splitlines()[1] == f"pass  # !touch {mark}"
    assert not mark.exists()


@pytest.mark.parametrize(
    ("source", "python"),
    [
        ("%%grade scaling\nx = 1", "# %%grade scaling\nx = 1"),
        ("if a:\n    %timeit f(x)\n    !ls\n", "if a:\n    pass  # %timeit f(x)\n    pass  # !ls\n"),
        ("x = (5\n% 2)", "x = (5\n% 2)"),
        ('"""\n!kept\n"""', '"""\n!kept\n"""'),
        ("torch.nn?\nx = 1", "pass  # torch.nn?\nx = 1"),
        ("?torch.nn\n??f\n*ones*?", "pass  # ?torch.nn\npass  # ??f\npass  # *ones*?"),
        ("files = !ls", "files = []  # !ls"),
        ("if a:\n    t = %timeit -o f()", "if a:\n    t = None  # %timeit -o f()"),
        (
            "!pip install \\\n  torch \\\n  numpy\nx = 1",
            "pass  # !pip install \\\n#   torch \\\n#   numpy\nx = 1",
        ),
        ("x = 5 \\\n% 2", "x = 5 \\\n% 2"),
        (
            "#@title Scaling\n%%capture\n%%grade scaling\nx = 1",
            "#@title Scaling\npass  # %%capture\n# %%grade scaling\nx = 1",
        ),
        ("%%capture\nx = 1", "pass  # %%capture\nx = 1"),
        (
            "pip install torch\n%cd /content\r\nx = 1",
            "pass  # pip install torch\npass  # %cd /content\r\nx = 1",
        ),
    ],
)
def test_syntax_of_ipython_alone_is_ignored(source, python):
    assert python_of(source) == python


def test_of_a_cell_that_is_too_long_to_parse_only_lines_of_ipython_change():
    source = "x = 1\n" * 100_000 + "!ls"
    assert python_of(source) == "x = 1\n" * 100_000 + "pass  # !ls"


# What Colab, Jupyter and VS Code leave in cells and in the scripts that they export.
HABITS = {
    "form": '#@title Scaling { display-mode: "form" }\nfactor = 2 #@param {type:"integer"}',
    "pip": "!pip install -q torch \\\n    numpy\npip install torch\n%pip install torch",
    "shell": "!nvidia-smi | grep {name}\n!cd /content && ls\nfiles = !ls *.py\nassert files == []",
    "magics": "%load_ext autoreload\n%autoreload 2\n%matplotlib inline\n%env A=1\nresult = %timeit -o sum([1])",
    "help": "?torch.nn\ntorch.nn.Conv2d??\n",
    "output": "%%capture\n%%time\ndisplay(1)",
    "drive": "from google.colab import drive, files\nimport matplotlib.pyplot as plt\nfrom tqdm.notebook import tqdm",
    "percent": "# %% [markdown]\n# # Scaling\n# %%\n#!%matplotlib inline\n# %matplotlib inline\n# + tags=['grade:scaling']",
    "export": "#!/usr/bin/env python\n# coding: utf-8\n\n# In[3]:\n\n\nget_ipython().run_line_magic('matplotlib', 'inline')\n"
    "get_ipython().system('pip install torch')\nfiles = get_ipython().getoutput('ls')\nassert files == []",
}  # fmt: skip


@pytest.mark.parametrize("form", ["cell", "file"])
@pytest.mark.parametrize("habit", HABITS)
def test_what_notebooks_leave_in_code_costs_nothing(dispatcher, course, tmp_path, habit, form):
    source = f"{HABITS[habit]}\n{REFERENCE}"
    if form == "cell":
        hand_in(tmp_path, cell(source, "grade:scaling"))
    else:
        (tmp_path / "scaling.py").write_text(source, encoding="utf-8")
    result = graded(dispatcher, course, tmp_path)
    assert (result.outcome, result.points) == (Outcome.PASSED, 13.0), result


NEEDED = {
    "drive": ("from google.colab import drive\ndrive.mount('/content/drive')", "`google.colab.drive` is not there while"),
    "upload": ("import google.colab\ngoogle.colab.files.upload()", "`google.colab` is not there while your code is graded"),
    "shown": ("from IPython.display import Image\nImage('x.png')", "`IPython.display.Image` is not there while"),
    "bash": ("%%bash\necho 'it", "Python cannot read your file: unterminated string literal"),
    "listing": ("ls", "`import scaling` raised NameError: name 'ls' is not defined"),
    "cell": ("get_ipython().run_cell_magic('time', '', 'x = 1')", "The code of a cell `%%time` is only a text in this script"),
}  # fmt: skip


@pytest.mark.parametrize("need", NEEDED)
def test_what_only_a_notebook_has_is_named_in_one_sentence(dispatcher, course, tmp_path, need):
    source, words = NEEDED[need]
    (tmp_path / "scaling.py").write_text(f"{source}\n{REFERENCE}", encoding="utf-8")
    assert graded(dispatcher, course, tmp_path).message.startswith(words)


def exported(*cells):
    """Return the script that Jupyter makes of a notebook. Its templates are wherever it was installed."""
    (conf,) = [file for file in files("nbconvert") if file.parts[-2:] == ("python", "conf.json")]
    from nbconvert import PythonExporter

    exporter = PythonExporter(extra_template_basedirs=[str(conf.locate().parent.parent)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that nbconvert uses
        return exporter.from_notebook_node(nbformat().new_notebook(cells=list(cells)))[0]


def test_a_notebook_exported_by_jupyter_is_graded(dispatcher, course, tmp_path):
    magics = "%matplotlib inline\n!pip install torch\nfiles = !ls\nassert not files\ndouble?\nresult = %timeit -o 1\n!!ls"
    text = exported(nbformat().new_markdown_cell("# Scaling"), cell(magics), cell(REFERENCE, "grade:scaling"))
    assert text.count("get_ipython()") == 6
    (tmp_path / "scaling.py").write_text(text, encoding="utf-8")
    result = graded(dispatcher, course, tmp_path)
    assert (result.outcome, result.points) == (Outcome.PASSED, 13.0), result


def test_an_exported_cell_that_is_only_a_text_is_named(dispatcher, course, tmp_path):
    (tmp_path / "scaling.py").write_text(exported(NAMED[0]), encoding="utf-8")
    words = "The code of a cell `%%grade` is only a text in this script, and is not graded: hand in the notebook itself"
    assert graded(dispatcher, course, tmp_path).message.startswith(words)


def test_a_script_that_is_too_long_to_parse_is_kept(tmp_path):
    for count, kept in ((MAX_PARSED_CHARS, False), (MAX_PARSED_CHARS + 1, True)):
        text = "!ls\n".ljust(count, "#")
        (tmp_path / "scaling.py").write_text(text, encoding="utf-8")
        (found,) = open_submission(tmp_path).snapshot("scaling").sources.values()
        assert (found == text) == kept


DEEP = b'{"nbformat": 4, "cells": ' + b"[" * 10**5
SPOILED = {
    "no json": (b"\x00\xff", "cannot be read as a notebook"),
    "no notebook": (b'{"cells": 3}', "cannot be read as a notebook"),
    "too deep": (DEEP, "cannot be read as a notebook"),
    "another format": (b'{"nbformat": 3, "cells": []}', "is a notebook of format 3"),
    "tags": (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "metadata": {"tags": 1}}]}', "cannot be read"),
    "surrogate": (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "\\ud800"}]}', "cannot be read"),
    "too large": (b" " * (MAX_NOTEBOOK_BYTES + 1), "is larger than the limit of 64 MiB"),
    "too many": (json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "source": ""}] * (MAX_CELLS + 1)}).encode(), "more than"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILED)
def test_a_notebook_that_cannot_be_read_says_why(tmp_path, name):
    data, words = SPOILED[name]
    (tmp_path / "work.ipynb").write_bytes(data)
    found = open_submission(tmp_path).snapshot("scaling")
    assert isinstance(found, Unreadable)
    assert found.sentence.startswith("work.ipynb ")
    assert words in found.reason
    (tmp_path / "scaling.py").write_text("x = 1", encoding="utf-8")
    assert "The file was graded." in open_submission(tmp_path).snapshot("scaling").notes[0]


@pytest.mark.parametrize(
    "tag", ["grade:../../etc/passwd", "grade:a/b", "grade:", "grade:x y", "grade:\x1b[31m"]
)
def test_a_name_that_is_not_an_identifier_is_ignored(tmp_path, tag):
    found = open_submission(hand_in(tmp_path, cell("x = 1", tag), cell("y = 1", "grade:scaling"))).snapshot(
        "scaling"
    )
    assert found.sources == {"scaling.py": "y = 1"}


def test_checkpoints_are_not_read(tmp_path):
    hand_in(tmp_path / ".ipynb_checkpoints", cell(REFERENCE, "grade:scaling"))
    assert open_submission(tmp_path).snapshot("scaling").attempted is False


def test_a_notebook_in_a_deeper_folder_is_read_where_there_is_nothing_else(tmp_path):
    hand_in(tmp_path / "old", cell(REFERENCE, "grade:scaling"))
    assert isinstance(open_submission(tmp_path).snapshot("scaling"), Snapshot)
    (tmp_path / "scaling.py").write_text("x = 1", encoding="utf-8")
    assert open_submission(tmp_path).snapshot("scaling").sources == {"scaling.py": "x = 1"}


def test_an_empty_cell_is_not_attempted(tmp_path):
    found = open_submission(hand_in(tmp_path, cell("%%grade scaling\n# todo"))).snapshot("scaling")
    assert (found.attempted, found.sentence) == (False, "The cell scaling of work.ipynb is empty. Write it.")


def test_a_stored_notebook_is_read_like_the_original(tmp_path):
    recording = Recording(
        open_submission(hand_in(tmp_path, cell(REFERENCE, "grade:scaling"), exercises__scaling=STUB)).tree
    )
    found = Submission(recording).snapshot("scaling", STUB)
    assert isinstance(found, Snapshot)
    assert found.root == "work.ipynb/"
    assert Submission(Stored.unpack(recording.kept.pack())).snapshot("scaling", STUB) == found


def command(*words, folder):
    return grade_command.run(*words, folder=folder, CONVGRADER_COURSE=str(COURSE))


def test_a_class_hands_notebooks_in(tmp_path):
    class_ = tmp_path / "class"
    class_.mkdir()
    hand_in(class_ / "ada", cell(f"%%grade scaling\n{REFERENCE}"))
    hand_in(class_ / "ben", cell(WRONG, "grade:scaling"))
    hand_in(class_ / "cem", cell(f"%%grade scaling\n{CHEAT}"))
    with zipfile.ZipFile(class_ / "dan.zip", "w") as archive:
        archive.writestr("hw/work.ipynb", notebook(cell(REFERENCE, "grade:scaling")))
    hand_in(class_, cell(REFERENCE, "grade:scaling"), name="eve.ipynb")
    done = command(
        "class", class_, "--gradebook", tmp_path / "course.db", "--require-isolation", 0, folder=tmp_path
    )
    assert done.returncode in (0, 1), done.stderr
    with Gradebook(tmp_path / "course.db") as book:
        points = {name: book.last(name).report.points for name in ("ada", "ben", "cem", "dan", "eve")}
    assert points["ada"] == points["dan"] == points["eve"] == 13.0
    assert 0 < points["ben"] < 13.0
    assert points["cem"] < 13.0


def test_the_next_step_names_a_cell_and_no_file(tmp_path):
    hand_in(tmp_path, cell(WRONG, "grade:scaling"))
    for words in ((), ("--submission", tmp_path / "work.ipynb"), ("--format", "html")):
        output = command(*words, folder=tmp_path).stdout
        assert ("change the cell of scaling" in output) == ("html" in words)
        assert "exercises/scaling.py" not in output
        assert "grade replay" not in output


def test_a_replay_of_a_cell_says_what_to_do_instead(tmp_path):
    hand_in(tmp_path, cell(WRONG, "grade:scaling"))
    done = command("replay", "scaling", folder=tmp_path)
    assert done.returncode == 2
    assert "scaling is a cell of work.ipynb" in done.stderr
    assert "%debug" in done.stderr


# --- the page


def test_the_page_does_what_it_shows(tmp_path):
    first, graded_cell, listing = run(
        *(source.rstrip("\n") for source in SHOWN_CELLS), folder=tmp_path, course=ROOT
    )
    assert first == []
    assert "pooling  Pooling by hand" in shown(graded_cell)
    assert "`max_pool2d` is not defined in this module" in shown(graded_cell)
    assert shown(listing).startswith("pooling  Pooling by hand")
    known = {exercise.id for exercise in catalog.load(ROOT).exercises}
    assert set(re.findall(r"(?:%%grade|grade:|hint) ?([a-z_]+)\b", PAGE)) <= known
