"""Files that grade every push: a workflow for GitHub or GitLab, an autograder for Classroom 50."""

import json
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class CiService:
    """A service that grades pushes: the template, and the path of its file in a repository."""

    template: str
    path: str


SERVICES = {
    "github": CiService(template="github.yml", path=".github/workflows/grade.yml"),
    "gitlab": CiService(template="gitlab.yml", path=".gitlab-ci.yml"),
    "classroom50": CiService(template="classroom50.txt", path="autograder.py"),
}


def workflow(service: str, requirement: str, fail_under_percent: float = 100.0) -> str:
    """Return the file for a service. It installs `requirement` with pip, and fails below a score in percent.

    The requirement is quoted as JSON, which is valid YAML and Python too. Classroom 50 has no threshold. The file
    installs the torch of this environment: another one may compute other last digits.
    """
    text = (TEMPLATES / SERVICES[service].template).read_text(encoding="utf-8")
    values = {
        "@CONVGRADER@": json.dumps(requirement),
        "@FAIL_UNDER@": f"{fail_under_percent:g}",
        "@TORCH@": f"torch=={version('torch').partition('+')[0]}",  # without the build: +cpu, +cu130
    }
    return re.sub("|".join(values), lambda found: values[found[0]], text)
