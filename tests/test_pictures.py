"""The pictures of README.md and of the site's first page show what `grade` writes today."""

import importlib.util
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.cold,
    pytest.mark.skipif(sys.platform == "win32", reason="the picture is of a POSIX terminal"),
]

ROOT = Path(__file__).parent.parent
REMEDY = "run: python docs/pictures.py"


@pytest.fixture(scope="module")
def pictures():
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def workspace(pictures):
    with pictures.workspace() as folder:
        yield folder


def test_the_terminal_is_current(pictures, workspace):
    assert pictures.TERMINAL.read_text("utf-8") == pictures.svg(pictures.terminal_output(workspace)), REMEDY


def test_the_report_is_current(pictures, workspace):
    assert pictures.text_in(pictures.REPORT.read_bytes()) == pictures.article_text(
        pictures.report_page(workspace)
    ), REMEDY


def test_both_are_small_and_show_a_failing_check(pictures):
    svg, png = pictures.TERMINAL.read_text("utf-8"), pictures.REPORT.read_bytes()
    assert len(svg) < 20_000
    assert len(png) < 150_000
    words = " ".join("".join(ET.fromstring(svg).itertext()).split())
    for shown in (words, pictures.text_in(png)):
        assert "The smallest input found that fails" in shown
        assert "a known mistake, zero-padding" in shown


def test_a_line_is_cut_where_its_style_changes(pictures):
    line = "  \x1b[31m✗\x1b[0m \x1b[1mA title\x1b[0m   0/2"
    assert list(pictures.spans(line)) == [(2, "31", "✗"), (4, "1", "A title"), (14, "", "0/2")]


def test_text_in_a_picture_survives(pictures):
    end = b"\0\0\0\0IEND\xaeB`\x82"
    assert pictures.text_in(pictures.with_text(b"picture" + end, "ü 1")) == "ü 1"
    assert pictures.with_text(b"picture" + end, "x").endswith(end)


@pytest.mark.parametrize(("page", "folder"), [("README.md", "docs/static/"), ("docs/index.md", "static/")])
def test_the_first_pages_show_both(page, folder):
    text = (ROOT / page).read_text("utf-8")
    assert re.findall(rf"!\[[^\]]+\]\({folder}([\w.]+)\)", text) == ["terminal.svg", "report.png"]
