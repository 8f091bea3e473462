"""Print a pip constraint for the lowest version of every package that pyproject.toml accepts.

    python .ci/floors.py torch==2.13.0 > floors.txt

Arguments replace the line of their package: an index may lack a CPU build of the lowest torch.
"""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"
REQUIREMENT = re.compile(r"([\w-]+)(?:\[[\w,]+\])?(?:>=([\w.]+))?")


def floors(project: dict) -> dict[str, str]:
    """Return the lowest accepted version by package; a package without one is an error."""
    lines = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    found: dict[str, str] = {}
    for line in lines:
        name, version = REQUIREMENT.match(line).groups()
        if name == project["name"]:
            continue
        if version is None:
            sys.exit(f"pyproject.toml names no lowest version in {line!r}")
        if found.setdefault(name, version) != version:
            sys.exit(f"pyproject.toml names two lowest versions of {name}")
    return found


def main(replacements: list[str]) -> None:
    """Print one constraint a line."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    found = floors(project) | dict(replacement.split("==") for replacement in replacements)
    print("\n".join(f"{name}=={version}" for name, version in sorted(found.items())))


if __name__ == "__main__":
    main(sys.argv[1:])
