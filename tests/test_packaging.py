"""The wheel: it contains the course, works outside the checkout, and no worker can read its solutions."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from grader.course.catalog import PACKAGED_COURSE

ROOT = Path(__file__).parent.parent

# Tries to read files, and prints the error of each.
THIEF = """
for _path in PATHS:
    try:
        with open(_path) as _file:
            print("READ", _file.read()[:20])
    except OSError as _error:
        print(_error.strerror)
def conv_output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    return 0
"""
READABLE = """
import json
from pathlib import Path
import grader
from grader.course import catalog
from grader.sandbox.worker import landlock
print(json.dumps([str(Path(grader.__file__).parent), str(catalog.find_root()), *map(str, landlock.readable())]))
"""


def site_packages(python: Path) -> Path:
    """Return the folder of the libraries of a virtual environment."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return python.parents[1] / "lib" / version / "site-packages"


def libraries() -> str:
    """Return a path file with the folders of this interpreter's libraries."""
    return "".join(f"{path}\n" for path in sys.path if path.endswith(("site-packages", "dist-packages")))


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
    python = folder / "venv" / "bin" / "python"
    site = site_packages(python)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "libraries.pth").write_text(libraries(), encoding="utf-8")
    return python, wheel


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
    assert "is not begun yet: 20 points" in done.stdout


def test_a_submission_cannot_read_the_course_in_site_packages(workspace, installed):
    run, folder = workspace
    site = site_packages(installed[0])
    solution = site / PACKAGED_COURSE / "solutions" / "output_size"
    paths = [solution / name for name in ("reference.py", "test_output_size.py", "exercise.yaml")]
    paths += [site / PACKAGED_COURSE / "quizzes" / "pooling.yaml", site / "grader" / "__init__.py"]
    assert all(path.is_file() for path in paths), "the course is not where this test looks for it"
    source = f"PATHS = {list(map(str, paths))}\n{THIEF}"
    (folder / "exercises" / "output_size.py").write_text(source, encoding="utf-8")
    done = run("output_size", "--require-isolation", "2", "--format", "json")
    assert done.returncode == 1, done.stderr
    (exercise,) = json.loads(done.stdout)["exercises"]
    assert exercise["output"].splitlines() == ["Permission denied"] * len(paths)


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is Linux's")
@pytest.mark.parametrize("kind", ["wheel", "editable", "checkout"])
def test_a_worker_may_read_neither_the_course_nor_the_grader_of_any_installation(installed, tmp_path, kind):
    python, _ = installed
    if kind == "wheel":
        expected = (site_packages(python) / "grader", site_packages(python) / PACKAGED_COURSE)
    else:
        expected = (ROOT / "grader", ROOT)
    if kind == "editable":  # as `pip install -e` leaves it: a path file beside the libraries
        venv.create(tmp_path / "venv", symlinks=True)
        python = tmp_path / "venv" / "bin" / "python"
        (site_packages(python) / "editable.pth").write_text(f"{ROOT}\n{libraries()}", encoding="utf-8")
    command = [str(python) if kind != "checkout" else sys.executable, "-c", READABLE]
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "CONVGRADER_COURSE")
    }
    folder = ROOT if kind == "checkout" else tmp_path
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    engine, course, *readable = (Path(path).resolve() for path in json.loads(done.stdout))
    assert (engine, course) == tuple(path.resolve() for path in expected)
    assert any(path.name == "torch" for path in readable)
    secrets = [engine, course / "solutions", course / "quizzes", course / "exercises"]
    for secret in secrets:
        assert secret.is_dir()
        assert not [path for path in readable if secret.is_relative_to(path) or path.is_relative_to(secret)]
    if kind == "wheel":
        assert engine.parent == course.parent, "beside each other, so neither is inside the other"
