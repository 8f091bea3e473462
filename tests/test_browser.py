"""HTML pages in a real browser: light and dark, wide and narrow, by keyboard, and as a screen reader reads them."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browsing import barriers, cut_off, emulate, pale, requested, unseen_focus
from test_class_report import SUMMARY
from test_page import ATTACKS, FULL
from test_report import poisoned

from grader.classroom.report import to_html as class_page
from grader.report import Help
from grader.report import to_html as report_page

HINTS = {
    "pooling": Help(opened=("The largest of negative numbers is negative.", "Pad with `-inf`."), count=3)
}
PAGES: dict[str, Callable[[], str]] = {
    "report": lambda: report_page(FULL, HINTS),
    "class": lambda: class_page(SUMMARY),
    "hostile report": lambda: report_page(poisoned(FULL, "".join(ATTACKS))),
    "hostile class": lambda: class_page(poisoned(SUMMARY, "".join(ATTACKS))),
}
OURS = [name for name in PAGES if "hostile" not in name]
SCHEMES = ("light", "dark")
WIDTHS = (390, 1280)
PAPER = 718  # A4 between margins of a centimetre
OPEN_ALL = "document.querySelectorAll('details').forEach(part => part.open = true)"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """Every page as a file."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, render in PAGES.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(render(), encoding="utf-8")
    return found


@pytest.fixture
def show(browser, files):
    """Open a page from its file, in a scheme and a width, everything that opens open; return the browser."""

    def run(name: str, *, scheme: str = "light", width: int = 1280, opened: bool = True, media: str = ""):
        emulate(browser, scheme=scheme, width=width, media=media)
        for kind in ("browser", "performance"):
            browser.get_log(kind)  # what earlier pages said
        browser.get(files[name].as_uri())
        if opened:
            browser.execute_script(OPEN_ALL)
        return browser

    return run


@pytest.mark.parametrize("name", PAGES)
def test_a_page_makes_no_request_and_has_no_error(show, files, name):
    browser = show(name)
    assert requested(browser) == [files[name].as_uri()]
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.scripts.length") == 0


def test_a_request_would_be_seen(show, browser, tmp_path):
    """The test above can fail: a page that loads a picture is caught at it."""
    path = tmp_path / "asking.html"
    path.write_text("<img src='missing.png'>", encoding="utf-8")
    browser.get_log("performance")
    browser.get(path.as_uri())
    assert (tmp_path / "missing.png").as_uri() in requested(browser)
    assert browser.get_log("browser")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_never_scrolls_sideways(show, name, width):
    browser = show(name, width=width)
    assert browser.execute_script("return innerWidth") == width
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


OVERLAPS = """
return [...document.querySelectorAll('th, td, h1, h2, h3, h4, p, summary, li, figcaption, .below > span')]
  .filter(part => part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).display !== 'inline'
                  && part.clientWidth > 0 && !part.querySelector('pre'))
  .map(part => part.tagName + ' ' + part.textContent.slice(0, 60))
"""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_no_text_runs_out_of_its_place(show, name, width):
    assert show(name, width=width).execute_script(OVERLAPS) == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", OURS)
def test_every_text_has_contrast_as_it_is_painted(show, name, scheme):
    assert pale(show(name, scheme=scheme)) == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", OURS)
def test_axe_finds_no_violation(show, name, width):
    assert barriers(show(name, width=width)) == []


@pytest.mark.parametrize("name", OURS)
def test_dark_is_dark_and_light_is_light(show, name):
    grounds = []
    for scheme in SCHEMES:
        color = show(name, scheme=scheme).execute_script(
            "return getComputedStyle(document.body).backgroundColor"
        )
        grounds.append(sum(map(int, re.findall(r"\d+", color)[:3])))
    assert grounds[0] > 600
    assert grounds[1] < 150


MARKS = """
const rgb = color => color.match(/[\\d.]+/g).slice(0, 3).map(Number);
const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
return [...document.querySelectorAll('.chart path')].map(part => {
  const ground = part.closest('article');
  const pair = [light(rgb(getComputedStyle(part).fill)), light(rgb(getComputedStyle(ground).backgroundColor))];
  pair.sort((a, b) => b - a);
  return (pair[0] + 0.05) / (pair[1] + 0.05);
});
"""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_columns_have_contrast_with_the_background(show, scheme):
    measured = show("class", scheme=scheme).execute_script(MARKS)
    assert len(measured) > 10
    assert min(measured) >= 3  # WCAG 2.2, 1.4.11


@pytest.mark.parametrize("name", OURS)
def test_the_keyboard_reaches_every_link_and_everything_that_opens_in_their_order(show, name):
    from selenium.webdriver.common.keys import Keys

    browser = show(name, opened=False)
    wanted = browser.execute_script(
        "return [...document.querySelectorAll('a, summary, pre')].filter(part => part.checkVisibility()).length"
    )
    reached = []
    for _ in range(wanted):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(browser.switch_to.active_element)
        assert unseen_focus(browser) == ""
    places = browser.execute_script(
        "const all = [...document.querySelectorAll('*')]; return arguments[0].map(part => all.indexOf(part))",
        reached,
    )
    assert places == sorted(set(places))
    assert {part.tag_name for part in reached} <= {"a", "summary", "pre"}
    assert reached[0].get_attribute("class") == "skip"


@pytest.mark.parametrize("name", OURS)
def test_the_skip_link_shows_itself_when_reached_and_leads_on(show, name):
    from selenium.webdriver.common.keys import Keys

    browser = show(name, opened=False)
    browser.switch_to.active_element.send_keys(Keys.TAB)
    link = browser.switch_to.active_element
    assert link.rect["x"] >= 0
    link.send_keys(Keys.ENTER)
    target = link.get_attribute("href").partition("#")[2]
    assert browser.execute_script("return location.hash") == f"#{target}"
    assert browser.execute_script(f"return document.getElementById({target!r}).tagName") == "MAIN"


@pytest.mark.parametrize("name", OURS)
def test_what_opens_opens_by_keyboard(show, name):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser = show(name, opened=False)
    closed = browser.find_element(By.CSS_SELECTOR, "details:not([open]) > summary")
    closed.send_keys(Keys.ENTER)
    assert browser.execute_script("return arguments[0].parentElement.open", closed)


@pytest.mark.parametrize("name", OURS)
def test_pictures_parts_and_tables_have_accessible_names(show, name):
    tree = show(name).execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    nodes = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in tree if not n["ignored"]]
    for role in ("image", "img", "table", "navigation", "link", "heading", "region"):
        assert [text for found, text in nodes if found == role and not text.strip()] == [], role
    roles = {role for role, _ in nodes}
    assert {"main", "heading", "link", "table", "navigation"} <= roles
    levels = [
        p["value"]["value"]
        for n in tree
        if n.get("role", {}).get("value") == "heading"
        for p in n["properties"]
        if p["name"] == "level"
    ]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", OURS)
def test_on_paper_everything_is_open_whole_and_dark_on_light(show, name, scheme):
    browser = show(name, opened=False, scheme=scheme, width=PAPER, media="print")
    seen = "return [...document.querySelectorAll('details .body > *')].filter(part => part.closest('details').checkVisibility())"
    seen += ".map(part => part.getBoundingClientRect().height)"
    heights = browser.execute_script(seen)
    assert heights
    assert min(heights) > 0
    assert not browser.find_element("css selector", ".skip").is_displayed()
    assert browser.execute_script("return document.documentElement.scrollWidth") <= PAPER
    assert cut_off(browser) == []
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    assert pale(browser) == []
