"""docs/authoring.md: files are written as the page shows them, its commands run, their outputs compared."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grade_command
import pytest

from grader.core.model import Reveal
from grader.course import catalog

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "authoring.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:`([\w./]+)`:\n\n)?^```(console|python|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(sys.platform == "win32", reason="the page is typed into a POSIX shell")
def test_the_page_adds_an_exercise(tmp_path):
    course, tools = tmp_path / "checkout", tmp_path / "tools"
    tools.mkdir()
    (tools / "grade").write_text(grade_command.tool(), encoding="utf-8")
    (tools / "grade").chmod(0o755)
    for name in ("exercises", "solutions", "quizzes", "schemas"):
        shutil.copytree(ROOT / name, course / name, ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.environ | {
        "PATH": f"{tools}:{os.environ['PATH']}", "CONVGRADER_COURSE": str(course), "PYTHONPATH": str(ROOT),
        "COLUMNS": "80", "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    written, ran = [], []
    for path, kind, text in BLOCK.findall(PAGE):
        if kind != "console":
            assert path, f"no path stands above {text[:60]!r}"
            (course / path).write_text(text, encoding="utf-8")
            written.append(path)
            continue
        for step in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, shown = step.partition("\n")
            done = subprocess.run(
                ["sh", "-c", command],
                check=False,
                cwd=course,
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            if shown.strip():
                assert done.stdout.rstrip("\n") == shown.rstrip("\n"), command
            ran.append(command)
    assert len(written) == 8
    assert {exercise.reveal for exercise in catalog.load(course).exercises} == {Reveal.TITLE}
    assert sum(command.startswith("grade ") for command in ran) >= 6
