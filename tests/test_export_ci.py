"""What grades elsewhere: workflows and autograders are parsed, and their commands run with a stand-in for pip."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree as ET

import grade_command
import pytest
import yaml

from grader.course.catalog import PACKAGED_COURSE
from grader.export import ci

ROOT = Path(__file__).parent.parent
COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")
WRONG = f"{REFERENCE}\n\ndef double(x):\n    return x * x\n"
SPEC = "convgrader @ git+https://example.org/course@v1"
TORCH = f"torch=={version('torch').partition('+')[0]}"

PYTHON = f"""#!/bin/sh
if [ "$1 $2 $3" = "-I -m venv" ]; then
    "{sys.executable}" -I -m venv --without-pip "$4"
    for site in "$4"/lib/python*/site-packages; do echo "{sysconfig.get_path("purelib")}" > "$site/libraries.pth"; done
    cp "$STANDINS/pip" "$STANDINS/grade" "$4/bin/"
    exit
fi
exec "{sys.executable}" "$@"
"""
PIP = '#!/bin/sh\nfor word in "$@"; do printf "%s|" "$word" >> "$PIP_LOG"; done; echo >> "$PIP_LOG"\n'


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Where commands run: python, pip and grade are stand-ins, and pip says what it was asked for."""
    standins = tmp_path / "standins"
    standins.mkdir()
    for name, text in {
        "python": PYTHON,
        "python3": PYTHON,
        "pip": PIP,
        "grade": grade_command.tool(),
    }.items():
        (standins / name).write_text(text, encoding="utf-8")
        (standins / name).chmod(0o755)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return {
        **os.environ,
        "STANDINS": str(standins),
        "PIP_LOG": str(tmp_path / "pip.log"),
        "PATH": f"{standins}:{os.environ['PATH']}",
        "CONVGRADER_COURSE": str(COURSE),
    }


def pip_log(tmp_path: Path) -> list[list[str]]:
    lines = (tmp_path / "pip.log").read_text(encoding="utf-8").splitlines()
    return [line.rstrip("|").split("|") for line in lines]


def checkout(tmp_path: Path, source: str) -> Path:
    """A student's repository, with files that would stand in for ours if they were ever imported."""
    folder = tmp_path / "checkout"
    (folder / "exercises").mkdir(parents=True)
    (folder / "exercises" / "scaling.py").write_text(source, encoding="utf-8")
    for name in ("venv.py", "json.py", "subprocess.py"):
        (folder / name).write_text("raise SystemExit('a module of the student')\n", encoding="utf-8")
    return folder


def init(folder: Path, service: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return grade_command.run(
        "init", "--ci", service, "--from", SPEC, *arguments, folder, folder=folder.parent
    )


def shell(script: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a script as the services do: bash that stops at the first failure."""
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180, check=False
    )


# --- GitHub


def github_steps(folder: Path) -> list[dict]:
    document = yaml.safe_load((folder / ".github" / "workflows" / "grade.yml").read_text(encoding="utf-8"))
    assert document["permissions"] == {"contents": "read"}
    assert set(document[True]) == {"push", "pull_request", "workflow_dispatch"}  # YAML 1.1 reads `on` as true
    (job,) = document["jobs"].values()
    assert job["env"]["CONVGRADER"] == SPEC
    return job["steps"]


@pytest.mark.parametrize(("source", "code", "annotations"), [(REFERENCE, 0, 0), (WRONG, 1, 1)])
def test_the_github_workflow_installs_grades_and_reports(tmp_path, environment, source, code, annotations):
    folder = checkout(tmp_path, source)
    assert init(folder, "github").returncode == 0
    steps = github_steps(folder)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = {
        **environment, "RUNNER_TEMP": str(temporary), "GITHUB_PATH": str(tmp_path / "path"), "CONVGRADER": SPEC,
        "TORCH_INDEX": "https://cpu", "GITHUB_WORKSPACE": str(folder), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }  # fmt: skip
    scripts = {step["name"]: step["run"] for step in steps if "run" in step}
    installed = shell(scripts["Install"], folder, env)
    assert installed.returncode == 0, installed.stderr
    assert pip_log(tmp_path) == [
        ["install", "--index-url", "https://cpu", TORCH],
        ["install", SPEC],
    ]
    env["PATH"] = f"{(tmp_path / 'path').read_text().strip()}:{env['PATH']}"
    graded = shell(scripts["Grade"], folder, env)
    assert graded.returncode == code, graded.stderr
    reported = shell(scripts["Report"], folder, env)
    assert reported.returncode == 0, reported.stderr
    assert (
        len(re.findall(r"^::error file=exercises/scaling\.py,", reported.stdout, re.MULTILINE)) >= annotations
    )
    assert (tmp_path / "summary").read_text(encoding="utf-8").startswith("## ")
    assert ET.parse(temporary / "report.xml").getroot().tag == "testsuites"


@pytest.mark.parametrize("service", ci.SERVICES)
def test_a_service_installs_the_torch_that_the_course_was_checked_with(service):
    text = ci.workflow(service, "convgrader")
    assert TORCH in text
    assert not re.search(r"@[A-Z_]+@", text)


def test_a_requirement_that_looks_like_a_placeholder_stays_as_it_is():
    assert '"@TORCH@"' in ci.workflow("github", "@TORCH@")


@pytest.mark.parametrize(
    ("event", "head", "graded"),
    [
        ("push", "", True),
        ("workflow_dispatch", "", True),
        ("pull_request", "ada/week4", False),  # its push is graded
        ("pull_request", "fork/week4", True),
    ],
)
def test_the_github_workflow_grades_a_push_once(event, head, graded):
    (job,) = yaml.safe_load(ci.workflow("github", SPEC))["jobs"].values()
    assert "push:" in ci.workflow("github", SPEC)
    parts = job["if"].split(" || ")
    assert len(parts) == 2
    values = {
        "github.event_name": event,
        "github.event.pull_request.head.repo.full_name": head,
        "github.repository": "ada/week4",
    }
    results = []
    for part in parts:
        left, right = part.split(" != ")
        results.append(values.get(left, left.strip("'")) != values.get(right, right.strip("'")))
    assert any(results) is graded


def test_the_gitlab_image_has_git():
    """pip clones a package that is named by its repository, and the slim image of Python has no git."""
    assert yaml.safe_load(ci.workflow("gitlab", SPEC))["grade"]["image"] == "python:3.12"


def test_the_github_workflow_caches_and_keeps_its_report_whatever_the_score(tmp_path):
    init(tmp_path, "github")
    by_action = {step["uses"].split("@")[0]: step for step in github_steps(tmp_path) if "uses" in step}
    assert by_action["actions/cache"]["with"]["path"] == "~/.cache/pip"
    assert by_action["actions/checkout"]["with"]["persist-credentials"] is False
    assert by_action["actions/upload-artifact"]["if"] == "${{ !cancelled() }}"


# --- GitLab


@pytest.mark.parametrize(
    ("source", "threshold", "code"), [(REFERENCE, 100, 0), (WRONG, 100, 1), (WRONG, 50, 0)]
)
def test_the_gitlab_job_grades_and_keeps_its_report(tmp_path, environment, source, threshold, code):
    folder = checkout(tmp_path, source)
    (folder / "report.xml").write_text("forged", encoding="utf-8")
    init(folder, "gitlab", "--fail-under", str(threshold))
    (job,) = yaml.safe_load((folder / ".gitlab-ci.yml").read_text(encoding="utf-8")).values()
    assert job["artifacts"]["when"] == "always"
    assert job["artifacts"]["reports"] == {"junit": "report.xml"}
    assert job["cache"]["paths"] == [".cache/pip"]
    assert job["variables"]["CONVGRADER"] == SPEC
    variables = {**job["variables"], "TOOLS": str(tmp_path / "tools")}
    done = shell("\n".join(job["script"]), folder, {**environment, **variables})
    assert done.returncode == code, done.stderr
    assert pip_log(tmp_path)[1] == ["install", SPEC]
    assert ET.parse(folder / "report.xml").getroot().tag == "testsuites"
    assert "checks pass" in done.stdout


# --- Classroom 50

CLASSROOM = {
    "CLASSROOM": "cnn", "ASSIGNMENT": "week4", "SUBMISSION_TAG": "s1", "COMMIT_URL": "https://c", "RELEASE_URL": "https://r",
    "REVIEW_URL": "",
}  # fmt: skip


def run_autograder(
    folder: Path, tmp_path: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "config" / "autograder.py"
    if not script.exists():
        assert init(script.parent, "classroom50").returncode == 0
    code = "import runpy, sys; sys.path[:] = sys.path[1:]; sys.executable = sys.argv[2]; runpy.run_path(sys.argv[1], run_name='__main__')"
    command = [sys.executable, "-c", code, str(script), str(Path(environment["STANDINS"]) / "python")]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180, check=False
    )


def test_the_autograder_of_classroom50_writes_its_result_and_exits_with_zero_whatever_the_score(
    tmp_path, environment
):
    folder = checkout(tmp_path, WRONG)
    precious = tmp_path / "precious"
    precious.write_text("keep me", encoding="utf-8")
    (folder / "result.json").symlink_to(precious)
    (folder / "release-body.md").mkdir()
    output = tmp_path / "output"
    done = run_autograder(folder, tmp_path, {**environment, **CLASSROOM, "GITHUB_OUTPUT": str(output)})
    assert done.returncode == 0, done.stderr
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert (result["schema"], result["classroom"], result["max-score"]) == (
        "classroom50/result/v1",
        "cnn",
        1300,
    )
    assert 0 < result["score"] < 1300
    assert (folder / "release-body.md").read_text(encoding="utf-8").startswith("## ")
    assert precious.read_text(encoding="utf-8") == "keep me"
    assert output.read_text(encoding="utf-8") == f"summary={result['score'] / 100:g} of 13 points\n"
    assert pip_log(tmp_path)[1] == ["install", SPEC]


def test_a_grading_that_failed_is_an_error_of_the_infrastructure(tmp_path, environment):
    folder = checkout(tmp_path, WRONG)
    (folder / "result.json").write_text('{"score": 100}', encoding="utf-8")
    done = run_autograder(folder, tmp_path, {**environment, **CLASSROOM, "CONVGRADER_MAX_ISOLATION": "0"})
    assert done.returncode == 3
    assert not (folder / "result.json").exists()


# --- all of them


@pytest.mark.parametrize("service", ci.SERVICES)
def test_a_file_that_is_there_stays_and_any_requirement_is_quoted(tmp_path, service):
    path = tmp_path / ci.SERVICES[service].path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine", encoding="utf-8")
    done = init(tmp_path, service)
    assert done.returncode == 0
    assert "already exists and was not changed" in done.stdout
    assert path.read_text(encoding="utf-8") == "mine"
    nasty = 'a": "b" # \\ \' {x}: [y]\n&z'
    text = ci.workflow(service, nasty)
    assert "@CONVGRADER@" not in text
    if service == "classroom50":
        names: dict[str, object] = {"__name__": "autograder"}
        exec(compile(text, "autograder.py", "exec"), names)
        assert names["CONVGRADER"] == nasty
    else:
        found = yaml.safe_load(text)
        job = found["jobs"]["grade"]["env"] if service == "github" else found["grade"]["variables"]
        assert job["CONVGRADER"] == nasty


# --- Gradescope


@pytest.fixture
def autograder(tmp_path, environment):
    """Lay out Gradescope's folders below a root of our own, with the zip unpacked and set up in it."""
    root = tmp_path / "autograder"
    made = grade_command.run(
        "export", "gradescope", "a.zip", "--seed", "7", folder=tmp_path, environment=environment
    )
    assert made.returncode == 0, made.stderr
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(root / "source")
        for entry in archive.infolist():  # Gradescope unzips with the modes that the archive names
            (root / "source" / entry.filename).chmod(entry.external_attr >> 16 & 0o777)
    (root / "submission").mkdir()
    (root / "results").mkdir()
    shutil.copy(root / "source" / "run_autograder", root / "run_autograder")
    metadata = {"created_at": "2026-03-01T10:00:00Z", "assignment": {"total_points": "26.0"}, "users": []}
    (root / "submission_metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    environment = {n: v for n, v in environment.items() if n != "CONVGRADER_COURSE"}
    return root, {**environment, "AUTOGRADER_ROOT": str(root)}


def run(path: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(path)], cwd="/", env=environment, capture_output=True, text=True, timeout=180, check=False
    )


def test_gradescope_builds_grades_and_reads_results_or_none(autograder, tmp_path):
    root, environment = autograder
    done = run(root / "source" / "setup.sh", environment)
    assert done.returncode == 0, done.stderr
    torch, rest = pip_log(tmp_path)
    assert "https://download.pytorch.org/whl/cpu" in torch
    assert rest == ["install", "-r", str(root / "source" / "requirements.txt")]
    for name in ("grader", PACKAGED_COURSE):
        (installed,) = (root / "convgrader").rglob(f"site-packages/{name}")
        assert {path.stat().st_mode & 0o077 for path in (installed, *installed.rglob("*"))} == {0}
    (root / "submission" / "scaling.py").write_text(WRONG, encoding="utf-8")
    done = run(root / "run_autograder", environment)
    assert done.returncode == 0, done.stderr
    results = json.loads((root / "results" / "results.json").read_text(encoding="utf-8"))
    earned = sum(test["score"] for test in results["tests"])
    assert 0 < earned < 13
    assert results["score"] == pytest.approx(2 * earned)
    assert "out of 26" in results["output"]
    assert results["extra_data"]["isolation_level"] >= 2
    (root / "results" / "results.json").unlink()
    refused = run(root / "run_autograder", {**environment, "CONVGRADER_MAX_ISOLATION": "0"})
    assert refused.returncode == 3
    assert not list((root / "results").iterdir())


def test_setup_installs_a_newer_python_where_there_is_an_old_one(autograder, tmp_path):
    root, environment = autograder
    standins = Path(environment["STANDINS"])
    (standins / "python3").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (standins / "python3.11").write_text(PYTHON, encoding="utf-8")
    (standins / "python3.11").chmod(0o755)
    (standins / "apt-get").write_text('#!/bin/sh\necho "$@" >> "$PIP_LOG"\n', encoding="utf-8")
    (standins / "apt-get").chmod(0o755)
    done = run(root / "source" / "setup.sh", environment)
    assert done.returncode == 0, done.stderr
    assert [" ".join(line) for line in pip_log(tmp_path)][:2] == [
        "update",
        "install -y --no-install-recommends python3.11 python3.11-venv",
    ]
    assert (root / "convgrader" / "bin" / "python").exists()


def test_the_zip_is_the_same_each_time_and_holds_no_cache_and_both_scripts_at_its_root():
    from grader.export.gradescope_autograder import autograder as build

    data = build(COURSE, ["scaling"], level=2, seed=0)
    assert data == build(COURSE, ["scaling"], level=2, seed=0)
    archive = zipfile.ZipFile(io.BytesIO(data))
    names = archive.namelist()
    for name in ("setup.sh", "run_autograder"):
        assert archive.getinfo(name).external_attr >> 16 & 0o111
        assert archive.read(name).startswith(b"#!")
        assert b"\r" not in archive.read(name)
    assert "convgrader_course/solutions/scaling/reference.py" in names
    assert not [name for name in names if "__pycache__" in name or "/." in name]
    script = archive.read("run_autograder").decode()
    assert "grader run scaling --submission" in script
    assert not re.findall("@[A-Z]+@", script + archive.read("setup.sh").decode())
    wanted = archive.read("requirements.txt").decode().splitlines()
    torch = f"torch=={version('torch').partition('+')[0]}"
    assert torch in wanted
    assert torch in archive.read("setup.sh").decode()
    assert all(re.fullmatch(r"[a-z]+==[0-9.]+", line) for line in wanted), wanted


def test_an_unknown_exercise_is_refused(tmp_path):
    done = grade_command.run("export", "gradescope", "a.zip", "poling", folder=tmp_path)
    assert done.returncode == 2
    assert 'Did you mean "pooling"?' in done.stderr
    assert not (tmp_path / "a.zip").exists()


# --- Docker

INSTRUCTIONS = {"FROM", "ENV", "RUN", "COPY", "USER", "WORKDIR", "ENTRYPOINT", "CMD"}


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


def test_the_dockerfile_is_built_from_what_is_there_and_does_not_run_as_root(tmp_path, environment):
    found = instructions()
    assert {name for name, _ in found} <= INSTRUCTIONS
    assert found[0] == ("FROM", "python:3.12-slim")
    for name, value in found:
        if name == "COPY":
            assert (ROOT / value.split()[0]).exists()
        if name in ("ENTRYPOINT", "CMD"):
            assert isinstance(json.loads(value), list)
    assert [value for name, value in found if name == "USER"] == ["grader"]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".git", ".venv"} <= set(ignored)


def test_the_commands_of_the_dockerfile_run(tmp_path, environment):
    src, tools = tmp_path / "src", tmp_path / "tools"
    src.mkdir()
    shutil.copy(ROOT / "constraints.txt", src)
    (Path(environment["STANDINS"]) / "useradd").write_text(PIP, encoding="utf-8")
    (Path(environment["STANDINS"]) / "useradd").chmod(0o755)
    for name, value in instructions():
        if name == "RUN":
            script = value.replace("/src", str(src)).replace("/opt/convgrader", str(tools))
            done = shell(script, tmp_path, environment)
            assert done.returncode == 0, done.stderr
    torch, package, user = pip_log(tmp_path)
    assert re.fullmatch(r"torch==\d+\.\d+\.\d+", torch[-1])
    assert package == ["install", "-c", f"{src}/constraints.txt", f"{src}[class]"]
    assert user[-1] == "grader"
    assert not src.exists()
