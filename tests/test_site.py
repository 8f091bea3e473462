"""The site that `make docs` builds: strictly, without a network, with every page in its navigation; and it reads well."""

import html.parser
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
(RECIPE,) = re.findall(
    r"\$\(BIN\)/(sphinx-build .*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
)
LOADS = {
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("link", "href"),
    ("source", "src"),
    ("object", "data"),
}


def build(docs: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the recipe of `make docs` on a copy of docs/, without a network."""
    words = shlex.split(RECIPE.replace("build/doctrees", str(folder / "trees")))
    command = [sys.executable, "-m", "sphinx", *words[1:-2], str(docs), str(folder / "site")]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(DOCS, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return folder / "site"


class Links(html.parser.HTMLParser):
    """What a page loads, where its links lead, and its ids."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (tag, name) in LOADS:
                self.loaded.append(value or "")
            elif (tag, name) == ("a", "href"):
                self.links.append(value or "")
            elif name == "id":
                self.ids.add(value or "")


def pages(site: Path) -> Iterator[Path]:
    yield from sorted(site.rglob("*.html"))


def test_nothing_is_loaded_from_outside(site):
    for page in pages(site):
        for target in Links(page).loaded:
            path = target.split("?")[0].split("#")[0]
            assert not re.match(r"[a-z]+:|//", target), (page.name, target)
            assert (page.parent / path).exists() or path == "", (page.name, target)
    styles = list(site.rglob("*.css"))
    assert len(styles) > 3
    for path in styles:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"@import|url\(['\"]?(?:https?:)?//", text), path.name
    for path in site.rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r"(fetch|import|open|importScripts)\(\s*['\"](?:https?:)?//|\.src\s*=\s*['\"](?:https?:)?//", text
        ), path.name


def test_every_link_inside_leads_somewhere(site):
    found = {page: Links(page) for page in pages(site)}
    checked = 0
    for page, links in found.items():
        for target in links.links:
            path, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", target) or target == "#":
                continue
            leads = (page.parent / path.split("?")[0]).resolve() if path else page
            assert leads.exists(), (page.name, target)
            if anchor and leads.suffix == ".html":
                assert anchor in found[leads].ids, (page.name, target)
            checked += 1
    assert checked > 500


def test_every_page_is_in_the_navigation(site):
    sidebar = re.search(
        r'<div class="sidebar-tree">(.*?)</div>\s*</div>',
        (site / "index.html").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert sidebar is not None
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix(".html").as_posix()
        assert name == "index.html" or f'href="{name}"' in sidebar[1], name


WIDTHS = (390, 1200)


def forget(browser) -> None:
    """Forget what other tests' pages logged."""
    for kind in ("browser", "performance"):
        browser.get_log(kind)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_browser_shows_every_page_without_asking_a_network_or_scrolling_sideways(site, browser, width):
    forget(browser)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    try:
        for page in pages(site):
            browser.get(page.as_uri())
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, page.name
        asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        urls = [
            one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"
        ]
        assert len(urls) > 50
        assert {url.partition(":")[0] for url in urls} <= {"file", "data"}
        assert browser.get_log("browser") == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_search_finds_a_page_without_a_network(site, browser):
    from selenium.webdriver.support.ui import WebDriverWait

    forget(browser)
    browser.get(f"{(site / 'search.html').as_uri()}?q=zipfile")
    WebDriverWait(browser, 30).until(
        lambda shown: "Your first hour" in shown.find_element("id", "search-results").text
    )
    assert browser.get_log("browser") == []


def test_what_is_broken_fails_the_build(tmp_path):
    docs = tmp_path / "docs"
    shutil.copytree(DOCS, docs)
    shutil.copytree(ROOT / "exercises", tmp_path / "exercises")  # which pages of the course text link to
    with (docs / "watch.md").open("a", encoding="utf-8") as file:
        file.write("\n[nowhere](nowhere.md)\n\n[lost](exports.md#lost-anchor)\n")
    (docs / "outside-every-toctree.md").write_text("# Alone\n", encoding="utf-8")
    done = build(docs, tmp_path)
    assert done.returncode != 0
    for complaint in (
        "nowhere.md",
        "lost-anchor",
        "outside-every-toctree.md: WARNING: document isn't included in any toctree",
    ):
        assert complaint in done.stderr
    assert done.stderr.count("WARNING") == 3, done.stderr
