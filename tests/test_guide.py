"""docs/instructor-guide.md: every command is run in order, and its output is compared with the page.

Two programs are replaced by scripts on PATH: `pip install` makes the copy of the checkout importable, as pip would;
`docker run` runs what the image would, in the folder it mounts. All else is real, the dask cluster included.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(1200)  # one fixture runs all commands

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "instructor-guide.md"
PORT = "8786"


@dataclass(frozen=True)
class Step:
    command: str
    shown: tuple[str, ...]


def steps() -> list[Step]:
    """Return the commands of the page's console blocks, each with the lines shown below it."""
    found: list[Step] = []
    for block in re.findall(
        r"^```console\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            found.append(Step(command, tuple(shown)))
    return found


STEPS = steps()

PYTHON = f"""#!/bin/sh
"{sys.executable}" -I -m venv --without-pip tools
cp "$REPLACED"/pip "$REPLACED"/grade "$REPLACED"/dask tools/bin/
"""
PIP = f"""#!/bin/sh
test "$*" = "install --quiet ./convgrader[class]" || exit 9
for site in tools/lib/python*/site-packages; do
    printf '%s\\n' "$PWD/convgrader" "{sysconfig.get_path("purelib")}" > "$site/installed.pth"
done
"""
TOOL = '#!/bin/sh\nexec "$(dirname "$0")/python" -P -m {} "$@"\n'
DOCKER = r"""#!/bin/bash
set -e
if [ "$1" = build ]; then test -f "${*: -1}/Dockerfile"; exit; fi
shift
while [ "$1" != convgrader ]; do
    case "$1" in
        --rm) shift ;;
        --network) test "$2" = none; shift 2 ;;
        --user) test "$2" = "$(id -u)"; shift 2 ;;
        --volume) folder="${2%:/work}"; test "$folder" != "$2"; cd "$folder"; shift 2 ;;
        --env) export "${2/\/work/$folder}"; shift 2 ;;
        *) exit 9 ;;
    esac
done
shift
exec grade "$@"
"""


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


@dataclass(frozen=True)
class Ran:
    code: int
    lines: tuple[str, ...]


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> list[Ran]:
    """Run the commands of the page in one shell, in a folder that holds only a checkout."""
    folder = tmp_path_factory.mktemp("guide")
    replaced, output, place = folder / "replaced", folder / "output", folder / "reader"
    for made in (replaced, output, place):
        made.mkdir()
    tools = {
        "pip": PIP,
        "grade": TOOL.format("grader"),
        "dask": TOOL.format("dask"),
        "docker": DOCKER,
        "python3": PYTHON,
    }
    for name, text in tools.items():
        (replaced / name).write_text(text, encoding="utf-8")
        (replaced / name).chmod(0o755)
    shutil.copytree(
        ROOT, place / "convgrader", symlinks=True,
        ignore=shutil.ignore_patterns(".*", "__pycache__", "tests", "benchmarks", "build", "dist"),
    )  # fmt: skip
    port = free_port()
    script = [
        f"{step.command.replace(PORT, port)}\ncode=$?; echo $code > {output}/{n}.code; exec >&4 2>&1; (exit $code)"
        for n, step in enumerate(STEPS)
    ]
    opened = [f"exec > {output}/{n}.out 2>&1; (exit $code)\n{text}" for n, text in enumerate(script)]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("CONVGRADER_", "GIT_", "PYTHON"))},
        "PATH": f"{replaced}:{os.environ['PATH']}", "REPLACED": str(replaced), "COLUMNS": "80", "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    shell = subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-c", "exec 4>&1; code=0\n" + "\n".join(opened)],
        cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        shell.wait(timeout=900)
    finally:
        os.killpg(shell.pid, signal.SIGKILL)  # also what the page starts with &
        shell.wait()
    return [
        Ran(
            int((output / f"{n}.code").read_text()),
            tuple((output / f"{n}.out").read_text(encoding="utf-8").replace(port, PORT).splitlines()),
        )
        for n in range(len(STEPS))
    ]


def comparable(command: str, lines: tuple[str, ...]) -> list[str]:
    """Return lines without times; statistics as words; the lines of a class sorted, as students end in any order."""
    if command.startswith("grade stats"):  # times are of any length, and so lines break anywhere
        text = re.sub(
            r"\w{3} \d{4}-\d\d-\d\d \d\d:\d\d|[\d.]+ (s|min|h)\b", "TIME", " ".join(" ".join(lines).split())
        )
        return text.split()
    timeless = [re.sub(r"\d+ (s\.|days late)", r"N \1", line) for line in lines]
    timeless = [re.sub(r"\w{3} \d{4}-\d\d-\d\d \d\d:\d\d UTC", "then", line) for line in timeless]
    timeless = [re.sub(r"\d+\.\d MiB", "N MiB", line) for line in timeless]  # the size of the grader
    return sorted(timeless) if command.startswith(("grade class", "grade regrade")) else timeless


@pytest.mark.parametrize(
    "n", range(len(STEPS)), ids=[f"{n} {step.command[:50]}" for n, step in enumerate(STEPS)]
)
def test_a_command_of_the_page_does_what_the_page_shows(ran, n):
    step, found = STEPS[n], ran[n]
    asked = n + 1 < len(STEPS) and STEPS[n + 1].command == "echo $?"
    assert asked or found.code == 0, "\n".join(found.lines)
    if step.shown:
        assert comparable(step.command, found.lines) == comparable(step.command, step.shown)


def test_the_page_runs_the_main_commands_and_shows_their_output():
    commands = [step.command for step in STEPS]
    for wanted in ("check", "init", "init --ci", "doctor", "class", "similar", "regrade", "stats", "report", "export canvas", "export moodle",
                   "export nbgrader", "export gradescope"):  # fmt: skip
        assert any(command.startswith(f"grade {wanted}") for command in commands), wanted
    assert sum(bool(step.shown) for step in STEPS) >= 15


def test_the_links_of_the_page_have_targets():
    text = PAGE.read_text(encoding="utf-8")
    for name, anchor in re.findall(r"\]\(([\w.-]+)(?:#([\w-]+))?\)", text):
        page = (PAGE.parent / name).read_text(encoding="utf-8")
        headings = {
            re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-")
            for h in re.findall(r"^#+ (.*)$", page, re.MULTILINE)
        }
        assert not anchor or anchor in headings, f"{name}#{anchor}"
