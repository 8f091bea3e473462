"""What people and services read first: metadata, CITATION.cff, CONTRIBUTING.md, SECURITY.md, pre-commit and the CI workflow."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import grader

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
METADATA = PROJECT["project"]
PINNED = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE))
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def read_yaml(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def description() -> str:
    """Return README.md as the wheel's metadata will hold it."""
    hook = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = "".join(part.get("text") or (ROOT / part["path"]).read_text("utf-8") for part in hook["fragments"])
    for one in hook["substitutions"]:
        text = re.sub(one["pattern"], one["replacement"], text)
    return text


# --- pyproject.toml


def test_the_classifiers_name_the_pythons_of_the_workflow():
    named = [name.rpartition(" ")[2] for name in METADATA["classifiers"] if "Python :: 3." in name]
    matrix = read_yaml(".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert named == matrix == PYTHONS
    assert METADATA["requires-python"] == f">={PYTHONS[0]}"


def test_there_are_authors_and_keywords_and_no_invented_address():
    assert METADATA["authors"]
    assert METADATA["keywords"]
    for address in METADATA.get("urls", {}).values():
        assert address.startswith("https://")
        assert "example" not in address


def test_the_description_has_only_links_that_work_outside_the_repository():
    text = description()
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert targets
    assert all(target.startswith("https://") for target in targets), targets
    assert "![" not in text
    assert "`docs/student-guide.md`" in text
    assert "make demo" in text


# --- CITATION.cff, by the required and allowed keys of its schema 1.2.0

ALLOWED = {
    "abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license",
    "license-url", "message", "preferred-citation", "references", "repository", "repository-artifact", "repository-code", "title",
    "type", "url", "version",
}  # fmt: skip


def test_the_citation_is_valid():
    citation = read_yaml("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation) <= ALLOWED
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] in ("software", "dataset")
    assert all(isinstance(word, str) for word in citation["keywords"])
    for author in citation["authors"]:
        assert set(author) & {"name", "family-names"}


def test_the_citation_agrees_with_the_package():
    citation = read_yaml("CITATION.cff")
    assert citation["version"] == grader.__version__
    assert citation["license"] == METADATA["license"]
    assert [author["name"] for author in citation["authors"]] == [one["name"] for one in METADATA["authors"]]


# --- .pre-commit-config.yaml


def hooks() -> dict[str, dict]:
    repositories = read_yaml(".pre-commit-config.yaml")["repos"]
    assert [one["repo"] for one in repositories] == ["local"]
    return {hook["id"]: hook for one in repositories for hook in one["hooks"]}


def test_the_hooks_are_those_of_make_test():
    assert list(hooks()) == ["ruff-check", "ruff-format", "mypy"]
    for hook in hooks().values():
        assert {"id", "name", "entry", "language"} <= set(hook)


def test_the_hooks_have_the_pinned_versions():
    for name, hook in hooks().items():
        if hook["language"] == "python":
            assert hook["additional_dependencies"] == [f"ruff=={PINNED['ruff']}"], name
        else:
            assert hook["entry"].startswith(".venv/bin/")
    assert {"ruff", "mypy"} <= set(PINNED)


# --- .github/workflows/ci.yml


@pytest.fixture
def workflow() -> dict:
    return read_yaml(".github/workflows/ci.yml")


def commands(job: dict) -> list[str]:
    return [line for step in job["steps"] for line in step.get("run", "").splitlines()]


def test_the_workflow_runs_on_pushes_and_requests_with_the_fewest_rights(workflow):
    assert set(workflow[True]) == {
        "push",
        "pull_request",
        "workflow_dispatch",
    }  # YAML 1.1 reads the key `on` as true
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        checkout = job["steps"][0]
        assert checkout["uses"].startswith("actions/checkout@")
        assert checkout["with"] == {"persist-credentials": False}


def test_every_step_runs_a_command_or_a_named_action(workflow):
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert "uses" not in step or re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
            assert "run" not in step or step["name"]


def test_linux_runs_make_test(workflow):
    job = workflow["jobs"]["test"]
    assert job["runs-on"].startswith("ubuntu-")
    assert "make test PYTHON=python" in commands(job)
    assert re.search(r"^test:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_macos_and_windows_run_what_a_student_does(workflow):
    job = workflow["jobs"]["student"]
    assert job["strategy"]["matrix"]["os"] == ["macos-latest", "windows-latest"]
    typed = [line.split()[1] for line in commands(job) if line.startswith("grade ")]
    assert {"doctor", "init", "list", "hint", "output_size", "solution", "quiz"} <= set(typed)
    assert not [line for line in commands(job) if "--require-isolation" in line]  # they have level 0


def test_every_job_takes_the_cpu_build_of_the_pinned_torch(workflow):
    template = (ROOT / "grader/export/templates/github.yml").read_text("utf-8")
    assert f"TORCH_INDEX: {workflow['env']['TORCH_INDEX']} " in template
    for job in workflow["jobs"].values():
        (install,) = [line for line in commands(job) if "torch==" in line]
        assert '--index-url "$TORCH_INDEX"' in install
    assert "torch" in PINNED


# --- CONTRIBUTING.md, SECURITY.md


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md"])
def test_the_links_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text("utf-8"))
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target


def test_contributing_says_how_the_parts_are_added():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    for heading in (
        "The loop",
        "The tree",
        "An exercise",
        "A type of quiz items",
        "An export",
        "Conventions",
    ):
        assert f"\n## {heading}\n" in text
    for folder in re.findall(r"`(grader/[\w/]+?)/?`", text):
        assert (ROOT / folder).exists() or folder == "grader/quiz/types", folder
    for marker in ("unit", "warm", "cold"):
        assert f"| `{marker}` |" in text


def test_security_links_the_threat_model_and_says_what_is_in_scope():
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    assert "docs/threat-model.md" in text
    for heading in ("Report a hole", "In scope", "Out of scope"):
        assert f"\n## {heading}\n" in text
