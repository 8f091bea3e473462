"""Where the grader came from: what `grade init --ci` installs is what runs here, and another machine can have it."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from grader.core.errors import UsageError
from grader.export import origin

ROOT = Path(__file__).parent.parent
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def note(folder: Path, direct_url: dict | None) -> Path:
    """Write what pip notes when it installs, where it is found first."""
    info = folder / "convgrader-9.8.7.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: convgrader\nVersion: 9.8.7\n", encoding="utf-8"
    )
    if direct_url is not None:
        (info / "direct_url.json").write_text(json.dumps(direct_url), encoding="utf-8")
    return folder


@pytest.fixture
def installed(tmp_path, monkeypatch):
    def install(direct_url: dict | None) -> None:
        monkeypatch.syspath_prepend(str(note(tmp_path / "site", direct_url)))

    return install


def checkout(folder: Path, remote: str | None) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "pyproject.toml").write_text("", encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    if remote is not None:
        git(folder, "remote", "add", "origin", remote)
        git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    return folder


def test_a_release_is_its_version(installed):
    installed(None)
    assert origin.find() == origin.Origin(requirement="convgrader==9.8.7")


@pytest.mark.parametrize(
    ("noted", "requirement"),
    [
        ({"url": "https://example.org/c-1-py3-none-any.whl", "archive_info": {}}, "https://example.org/c-1-py3-none-any.whl"),
        ({"url": "https://me:secret@example.org/c.whl", "archive_info": {}}, "https://example.org/c.whl"),
        ({"url": "https://example.org/c", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}, f"git+https://example.org/c@{COMMIT}"),
        ({"url": "ssh://git@example.org:2222/a/c.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}, f"git+https://example.org/a/c.git@{COMMIT}"),
        ({"url": "https://example.org/c", "vcs_info": {"vcs": "hg", "commit_id": COMMIT}, "subdirectory": "in/it"},
         f"hg+https://example.org/c@{COMMIT}#subdirectory=in/it"),
    ],
)  # fmt: skip
def test_the_origin_of_an_archive_is_its_url_without_a_password(installed, noted, requirement):
    installed(noted)
    assert origin.find() == origin.Origin(requirement=f"convgrader @ {requirement}")


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("git@example.org:course/grader.git", "https://example.org/course/grader.git"),
        ("ssh://git@example.org/course/grader.git", "https://example.org/course/grader.git"),
        ("https://token@example.org/course/grader", "https://example.org/course/grader"),
    ],
)
@pytest.mark.parametrize("editable", [True, False])
def test_a_checkout_is_its_commit_in_its_remote(installed, tmp_path, remote, url, editable):
    folder = checkout(tmp_path / "my checkout", remote)
    installed({"url": folder.as_uri(), "dir_info": {"editable": editable}})
    assert origin.find() == origin.Origin(
        requirement=f"convgrader @ git+{url}@{git(folder, 'rev-parse', 'HEAD')}"
    )


def test_uncommitted_or_unpushed_changes_are_named(installed, tmp_path):
    folder = checkout(tmp_path / "checkout", "https://example.org/c")
    below = folder / "grader here"
    below.mkdir()
    (below / "pyproject.toml").write_text("", encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "two")
    (below / "new.py").write_text("", encoding="utf-8")
    installed({"url": below.as_uri(), "dir_info": {}})
    found = origin.find()
    assert found.requirement.endswith("#subdirectory=grader%20here")
    committed, pushed = found.cautions
    assert "not committed" in committed
    assert "push it first" in pushed


@pytest.mark.parametrize("kind", ["no repository", "no remote", "a wheel", "nothing"])
def test_an_origin_on_this_machine_alone_is_refused(installed, tmp_path, monkeypatch, kind):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "checkout"
    if kind == "no repository":
        folder.mkdir()
    else:
        checkout(folder, None)
    if kind == "nothing":

        def missing(name: str) -> None:
            raise origin.PackageNotFoundError(name)

        monkeypatch.setattr(origin, "distribution", missing)
    else:
        info = {"archive_info": {}} if kind == "a wheel" else {"dir_info": {}}
        installed({"url": folder.as_uri(), **info})
    with pytest.raises(UsageError, match=r"another machine cannot install it from there\.\nName .* --from "):
        origin.find()


def test_pip_installs_what_the_workflow_of_a_checkout_names(tmp_path):
    folder, remote = tmp_path / "checkout", tmp_path / "remote.git"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("grader", "exercises", "solutions", "quizzes"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "remote", "add", "origin", remote.as_uri())
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "all of it")
    git(folder, "push", "--quiet", "origin", "main")
    site = note(tmp_path / "site", {"url": folder.as_uri(), "dir_info": {"editable": True}})
    done = subprocess.run(
        [sys.executable, "-m", "grader", "init", "--ci", "github", str(tmp_path / "student")],
        env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == "The repository is on this machine: no other machine can install it.\n"
    workflow = tmp_path / "student" / ".github" / "workflows" / "grade.yml"
    requirement = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]["grade"]["env"]["CONVGRADER"]
    assert f"It installs {requirement}." in done.stdout
    # The Install step of it runs `pip install "$CONVGRADER"`: see test_export_ci.
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(tmp_path),
        requirement,
    ]
    built = subprocess.run(build, capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("convgrader-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {"grader/cli/run.py", "convgrader_course/exercises/relu.py"} <= set(archive.namelist())
