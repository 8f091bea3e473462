"""Graded cells in a JupyterLab, in a browser: theme, height, hints, errors, restarts, several kernels."""

from pathlib import Path

import lab
import pytest
from browsing import emulate, wait_for
from lab import Lab
from test_notebook import COURSE, REFERENCE, WRONG

LOAD, WARM = "%load_ext grader", "get_ipython().grader_session.warm()._starter._process.pid"
LIGHT, DARK = "rgb(247, 245, 241)", "rgb(20, 22, 27)"  # the ground of a report
ALL_PASS = "All 8 checks pass"


@pytest.fixture(scope="module")
def jupyter(browser, tmp_path_factory):
    """JupyterLab in a workspace."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "exercises").mkdir()
    state = tmp_path_factory.mktemp("jupyter")
    with lab.started(browser, folder, state, CONVGRADER_COURSE=str(COURSE)) as started:
        yield started


@pytest.fixture
def work(jupyter: Lab, tmp_path: Path) -> Lab:
    """The notebook that all tests share, in front, with a report below its second cell."""
    name = "work.ipynb"
    if (jupyter.folder / name).exists():
        jupyter.open(name)
    else:
        sources = (
            LOAD,
            f"%%grade scaling\n{WRONG}",
            f"%%grade scaling\n{REFERENCE}1 / 0",
            "grade hint scaling",
            WARM,
        )
        jupyter.open(name, *sources)
        jupyter.run(0)
    if not jupyter.text(1):
        jupyter.run(1)
    return jupyter


def fits(lab: Lab, cell: int, more_than: int = 0) -> bool:
    """Whether the frame below a cell is as high as its page."""
    height, needed, _ = lab.frame(cell)
    return more_than < height == needed


def test_a_report_has_the_theme_of_jupyterlab_and_not_that_of_the_system(work, browser):
    for scheme, theme, ground in (
        ("dark", "Light", LIGHT),
        ("light", "Dark", DARK),
        ("dark", "Light", LIGHT),
    ):
        emulate(browser, scheme=scheme)
        work.command("apputils:change-theme", theme=f"JupyterLab {theme}")
        wait_for(lambda ground=ground: work.frame(1)[2] == ground)
        work.run(1)
        assert work.frame(1)[2] == ground


def test_a_report_is_as_high_as_what_it_shows(work):
    assert fits(work, 1)
    height = work.frame(1)[0]
    work.click(1, "summary")
    wait_for(lambda: fits(work, 1, more_than=height))
    work.open("empty.ipynb", "")
    work.open("work.ipynb")
    wait_for(lambda: fits(work, 1, more_than=height))


def test_a_report_follows_the_width_of_the_notebook(work, browser):
    emulate(browser, width=800)  # where text of the report is wrapped
    wait_for(lambda: fits(work, 1))
    beside = work.frame(1)[1]
    work.command("application:toggle-left-area")
    wait_for(lambda: work.frame(1)[1] < beside and fits(work, 1))
    work.command("application:toggle-left-area")
    wait_for(lambda: work.frame(1)[1] == beside and fits(work, 1))


def test_an_error_in_a_cell_is_shown_above_its_report_and_the_next_cell_is_graded(work):
    text = work.run(2)
    assert text.index("ZeroDivisionError: division by zero") < text.index(
        "`import scaling` raised ZeroDivisionError"
    )
    assert fits(work, 2)
    assert "call   double(x)" in work.run(1)


def test_a_hint_opens_from_a_cell_and_is_in_the_next_report(work):
    assert "Hint 1 of 3." in work.run(3)
    assert "Hint 2 of 3." in work.run(3)
    assert "`grade hint scaling` opens hint 3 of 3." in work.run(1)


def test_a_restarted_kernel_loads_the_grader_again_and_the_old_one_has_ended(work):
    old = int(work.run(4))
    work.restart_kernel()
    assert "`%%grade` not found" in work.run(1)
    assert work.run(0) == ""
    assert "call   double(x)" in work.run(1)
    new = int(work.run(4))
    assert [Path(f"/proc/{pid}").exists() for pid in (old, new)] == [False, True]


def test_two_kernels_grade_at_once_in_one_folder(work):
    work.open("other.ipynb", LOAD, f"%%grade scaling\n{REFERENCE}", WARM)
    work.begin("notebook:run-all-cells")
    work.open("work.ipynb")
    assert "call   double(x)" in work.run(1)
    pid = work.run(4)
    work.open("other.ipynb")
    work.wait_for_begun()
    assert ALL_PASS in work.text(1)
    assert work.text(2) != pid
