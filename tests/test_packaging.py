"""The wheel: it carries the course, works outside the checkout, and keeps its solutions from the worker."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

THIEF = """
import os, sys
def _try(path):
    try:
        return open(path).read()[:20]
    except OSError as error:
        return error.strerror
def conv_output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    found = [p for p in sys.path if p.endswith("site-packages")]
    for folder in found:
        for name in ("reference.py", "test_output_size.py", "exercise.yaml"):
            print(_try(os.path.join(folder, "convgrader_course", "solutions", "output_size", name)))
    return 0
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Unpack the wheel into an environment that otherwise uses this one's libraries; return its Python."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("convgrader-*.whl")
    venv.create(folder / "venv", symlinks=True)
    site = folder / "venv" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "venv" / "bin" / "python", wheel


@pytest.fixture
def workspace(installed, tmp_path):
    python, _ = installed

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(python), "-m", "grader", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
        )

    done = run("init", ".")
    assert done.returncode == 0, done.stderr
    return run, tmp_path


def test_the_wheel_holds_the_course_and_nothing_else_of_the_checkout(installed):
    _, wheel = installed
    names = zipfile.ZipFile(wheel).namelist()
    assert "convgrader_course/solutions/relu/test_relu.py" in names
    assert "convgrader_course/quizzes/pooling.yaml" in names
    assert {"grader/report/page.css", "grader/classroom/report/class.css"} <= set(names)
    assert "convgrader_course/exercises/data/digits.npz" in names
    assert {name.split("/")[0] for name in names} == {
        "grader",
        "convgrader_course",
        next(n for n in names if "dist-info" in n).split("/")[0],
    }
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_the_description_has_no_link_into_the_repository(installed):
    _, wheel = installed
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode("utf-8")
    assert "Description-Content-Type: text/markdown" in metadata
    assert "make demo" in metadata
    assert "](docs/" not in metadata


def test_a_fresh_workspace_outside_the_checkout_can_be_graded(workspace):
    run, folder = workspace
    handed_out = {path.relative_to(folder) for path in (folder / "exercises").rglob("*") if path.is_file()}
    ours = [path for path in (ROOT / "exercises").rglob("*") if "__pycache__" not in path.parts]
    assert handed_out == {path.relative_to(ROOT) for path in ours if path.is_file()}
    for path in handed_out:
        assert (folder / path).read_bytes() == (ROOT / path).read_bytes()
    done = run("output_size")
    assert done.returncode == 1, done.stderr
    assert "0/20" in done.stdout


def test_a_submission_cannot_read_the_course_in_site_packages(workspace):
    run, folder = workspace
    (folder / "exercises" / "output_size.py").write_text(THIEF, encoding="utf-8")
    done = run("output_size", "--require-isolation", "2")
    assert done.returncode == 1, done.stderr
    assert "Permission denied" in done.stdout
    assert "def " not in done.stdout
