"""docs/report-format.md against what is written: the fields of the formats for other systems, and their limits."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from test_report import FINAL, RICH

from grader.cli.formats import FORMATS, METADATA_VARIABLE
from grader.report import (
    MOST_BYTES,
    Release,
    Style,
    to_classroom50,
    to_github,
    to_gradescope,
    to_junit,
    to_markdown,
)
from grader.report import github as github_format
from grader.report import gradescope_results as gradescope_format

PAGE = (Path(__file__).parents[1] / "docs" / "report-format.md").read_text(encoding="utf-8")
RELEASE = Release(classroom="cnn", assignment="week4", submission="3")


def section(title: str) -> str:
    return re.split(r"^## ", PAGE, flags=re.MULTILINE)[
        [part.partition("\n")[0] for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)].index(title)
    ]


def fields(text: str) -> list[set[str]]:
    """Return the names in the first column of each table."""
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [
        {name for row in table.splitlines()[2:] for name in re.findall(r"`([\w-]+)`", row.split("|")[1])}
        for table in tables
    ]


def test_every_format_has_a_section() -> None:
    for name in set(FORMATS) - {"text", "json"}:
        assert re.search(rf"--format {name}\b", PAGE), name


def test_the_fields_of_gradescope() -> None:
    written = json.loads(to_gradescope(FINAL))
    whole, test = fields(section("Gradescope"))
    assert whole == set(written)
    assert {name for one in written["tests"] for name in one} == test
    for name in (
        *written["extra_data"],
        METADATA_VARIABLE,
        f"at most {gradescope_format.MOST_OUTPUT} characters",
    ):
        assert name in section("Gradescope")


def test_the_fields_of_classroom_50() -> None:
    written = json.loads(to_classroom50(FINAL, RELEASE, datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)))
    (whole,) = fields(section("Classroom 50"))
    assert whole == set(written)
    assert f"`{written['datetime']}`" in section("Classroom 50")
    assert written["schema"] in section("Classroom 50")
    for name in {name for one in written["tests"] for name in one}:
        assert f"`{name}`" in section("Classroom 50")


def test_the_limits_of_github_and_markdown() -> None:
    github, markdown = section("GitHub"), section("Markdown")
    assert github_format.MOST_ANNOTATIONS == 10
    assert "GitHub shows ten" in github
    assert f"{github_format._MAX_MESSAGE} characters" in github
    assert f"{github_format._MAX_DETAILS} characters" in markdown
    assert MOST_BYTES == 2**20
    assert "2^20" in markdown
    log = to_github(RICH, Style(), "TOKEN")
    assert log.startswith("::stop-commands::TOKEN\n")
    assert "\n::TOKEN::\n::error " in log
    assert to_markdown(RICH).startswith("## ")


@pytest.mark.parametrize("name", ["points", "max_points"])
def test_points_are_properties_in_junit(name: str) -> None:
    assert f"`{name}`" in section("JUnit")
    assert f'<property name="{name}"' in to_junit(RICH)
