"""What grades every push: a workflow for GitHub or GitLab, an autograder for Classroom 50."""

import json
from dataclasses import dataclass
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class CiService:
    """What grades: the template, and where its text lies in a repository."""

    template: str
    path: str


SERVICES = {
    "github": CiService(template="github.yml", path=".github/workflows/grade.yml"),
    "gitlab": CiService(template="gitlab.yml", path=".gitlab-ci.yml"),
    "classroom50": CiService(template="classroom50.txt", path="autograder.py"),
}


def workflow(service: str, requirement: str, fail_under_percent: float = 100.0) -> str:
    """Return the text for a service that installs `requirement` with pip, and fails below a score.

    The requirement is quoted as JSON, which YAML and Python read alike. Classroom 50 knows no threshold.
    """
    text = (TEMPLATES / SERVICES[service].template).read_text(encoding="utf-8")
    return text.replace("@CONVGRADER@", json.dumps(requirement)).replace(
        "@FAIL_UNDER@", f"{fail_under_percent:g}"
    )
