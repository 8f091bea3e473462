"""What tests check on a page in a real browser: visible text, focus, contrast, the accessibility tree."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

LIMIT_S = 20.0


def emulate(browser: "WebDriver", *, scheme: str = "light", width: int = 1280, media: str = "") -> None:
    """Set the color scheme, the width in pixels and the medium for all pages from now on."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def reset_display(browser: "WebDriver") -> None:
    """Undo `emulate`: pages are shown as by the browser itself."""
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def wait_for(found: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    """Wait until `found` returns something true, at most `limit_s` seconds."""
    deadline = time.monotonic() + limit_s
    while not found():
        assert time.monotonic() < deadline, f"not found within {limit_s} s"
        time.sleep(0.01)


def download(browser: "WebDriver", path: Path, ask: Callable[[], object]) -> str:
    """Call `ask`, wait for the file that it downloads to `path`, remove it, and return its text."""
    folder = {"behavior": "allow", "downloadPath": str(path.parent)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", folder)
    ask()
    # Before the browser gives the complete file its name, an empty one may stand there, which reserves it.
    wait_for(lambda: path.is_file() and path.stat().st_size > 0)
    text = path.read_text(encoding="utf-8")
    path.unlink()
    return text


def requested(browser: "WebDriver") -> list[str]:
    """Return every URL that was requested since the last call."""
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def barriers(browser: "WebDriver") -> list[str]:
    """Return what axe finds wrong with the page: every rule that it has, also those of good practice."""
    from axe_core_python.base import AXE_SCRIPT

    browser.execute_script(AXE_SCRIPT)
    run = "const done = arguments[0]; axe.run({resultTypes: ['violations']}).then(done, fault => done(String(fault)))"
    found: Any = browser.execute_async_script(run)
    assert isinstance(found, dict), found
    assert len(found["passes"]) > 10  # it did look
    return [f"{rule['id']}: {node['html'][:100]}" for rule in found["violations"] for node in rule["nodes"]]


def announced(browser: "WebDriver") -> list[tuple[str, str]]:
    """Return role and name of every node of the accessibility tree."""
    nodes: Any = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
    ]


# Contrast as WCAG 2.2 computes it, from the colors that the browser computes for every text and its background.
CONTRASTS = """
const numbers = color => color.match(/[\\d.]+/g).map(Number);
const behind = part => {
  for (let at = part; at; at = at.parentElement) {
    const found = numbers(getComputedStyle(at).backgroundColor);
    if (found.length < 4 || found[3] === 1) return found.slice(0, 3);
    if (found[3] > 0) throw new Error('half transparent: ' + at.outerHTML.slice(0, 80));
  }
  throw new Error('nothing behind it');
};
const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const found = [];
const measure = (part, text) => {
  const pair = [light(numbers(getComputedStyle(part).color)), light(behind(part))].sort((a, b) => b - a);
  found.push([(pair[0] + 0.05) / (pair[1] + 0.05), part.tagName + '.' + part.className + ' ' + text.slice(0, 40)]);
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const part = walker.currentNode.parentElement;
  if (walker.currentNode.data.trim() && part.checkVisibility()) measure(part, part.textContent);
}
for (const part of document.querySelectorAll('input[type=text], textarea')) measure(part, part.value);
return found;
"""


def pale(browser: "WebDriver") -> list[str]:
    """Return the texts with too little contrast to their background."""
    measured: list[tuple[float, str]] = browser.execute_script(CONTRASTS)
    assert len(measured) > 50
    return [text for ratio, text in measured if ratio < 4.5]


def cut_off(browser: "WebDriver") -> list[str]:
    """Return the elements that are cut off: on paper they cannot be scrolled."""
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('body *')].filter(part => part.clientWidth && part.scrollWidth > part.clientWidth + 1"
        " && getComputedStyle(part).overflowX !== 'visible').map(part => part.outerHTML.slice(0, 100))"
    )
    return found


# Whether the focused element is visible: in the window, marked, and not covered by another element.
_SEEN = """
const part = document.activeElement, box = part.getBoundingClientRect(), style = getComputedStyle(part);
if (part === document.body) return 'nothing has the focus';
if (!part.matches(':focus-visible') || style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2)
  return 'it is not marked';
const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
if (box.top < 0 || box.bottom > innerHeight || box.left < 0 || box.right > innerWidth)
  return `it is outside: ${box.top} to ${box.bottom} of ${innerHeight}`;
for (const at of [box.top + 1, y, box.bottom - 1]) {
  const top = document.elementFromPoint(x, at);
  if (!part.contains(top)) return `it is behind ${top.outerHTML.slice(0, 60)}`;
}
return '';
"""


def unseen_focus(browser: "WebDriver") -> str:
    """Return what hides the focused element, or ""."""
    hidden = browser.execute_script(_SEEN)
    if not hidden:
        return ""
    return f"{hidden}: {browser.execute_script('return document.activeElement.outerHTML.slice(0, 100)')}"
