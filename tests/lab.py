"""A JupyterLab in a browser, used by the commands of its menus: open a notebook, run cells, restart the kernel."""

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from browsing import wait_for
from nbformat.v4 import new_code_cell, new_notebook, writes

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

LIMIT_S = 120.0  # for a server, a page or a cell, on a busy machine
# What a user's own configuration and earlier sessions would change.
_FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR",
            "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")  # fmt: skip
_OPTIONS = ("--core-mode", "--no-browser", "--allow-root", "--expose-app-in-browser", "--IdentityProvider.token=",
            "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0")  # fmt: skip
_NOTEBOOK = "const panel = jupyterapp.shell.currentWidget, cells = panel.content.widgets;"
_READY = (
    "const panel = jupyterapp.shell.currentWidget, kernel = panel?.sessionContext?.session?.kernel;"
    "return kernel?.connectionStatus === 'connected' && panel.content.widgets.length"
)
_RESTORED = "window.jupyterapp ? jupyterapp.restored.then(() => arguments[0](true)) : arguments[0](false)"
_TEXT = """
const text = output => output.text || (output.data || {})['text/plain'] || [output.ename, ...output.traceback].join('\\n');
return cells[arguments[0]].model.sharedModel.outputs.map(text).join('\\n').replace(/\\u001b\\[[\\d;]*m/g, '');
"""
_FRAME = """
const frame = cells[arguments[0]].outputArea.node.querySelector('iframe');
"""
_SEEN = """
const page = frame?.contentDocument;
if (!page?.body) return [0, 0, ''];
return [frame.clientHeight, page.documentElement.scrollHeight, getComputedStyle(page.body).backgroundColor];
"""


@dataclass
class Lab:
    """JupyterLab in a browser. Cells are those of the notebook in front, by number."""

    browser: "WebDriver"
    folder: Path
    address: str

    def open(self, name: str, *sources: str) -> None:
        """Write a notebook unless it is there, bring it to the front, and wait for its kernel."""
        cells = [new_code_cell(source) for source in sources]
        if cells:
            (self.folder / name).write_text(writes(new_notebook(cells=cells)), encoding="utf-8")
        self.command("docmanager:open", path=name, kernel={"name": "python3"})
        wait_for(lambda: self.browser.execute_script(_READY), LIMIT_S)

    def command(self, name: str, **arguments: object) -> None:
        """Run a command of JupyterLab to its end."""
        code = "jupyterapp.commands.execute(arguments[0], arguments[1]).then(() => arguments[2](''), arguments[2])"
        fault = self.browser.execute_async_script(code, name, arguments)
        assert not fault, fault

    def begin(self, name: str) -> None:
        """Begin a command that ends later: see `wait_for_begun`."""
        self.browser.execute_script(
            "window.begun = jupyterapp.commands.execute(arguments[0]).then(() => {})", name
        )

    def wait_for_begun(self) -> None:
        """Wait for what was begun."""
        self.browser.execute_async_script("begun.then(arguments[0])")

    def run(self, cell: int) -> str:
        """Run a cell; return the text of its output."""
        self.browser.execute_script(f"{_NOTEBOOK} panel.content.activeCellIndex = arguments[0]", cell)
        self.command("notebook:run-cell")
        return self.text(cell)

    def text(self, cell: int) -> str:
        """Return the text of the output of a cell, that of errors included."""
        text: str = self.browser.execute_script(_NOTEBOOK + _TEXT, cell)
        return text

    def frame(self, cell: int) -> tuple[int, int, str]:
        """Return the height of a report, that of the page in it, and the color of its ground."""
        seen: Any = self.browser.execute_script(_NOTEBOOK + _FRAME + _SEEN, cell)
        return tuple(seen)

    def click(self, cell: int, selector: str) -> None:
        """Click on what is found first in a report."""
        self.browser.switch_to.frame(self.browser.execute_script(_NOTEBOOK + _FRAME + "return frame", cell))
        try:
            self.browser.find_element("css selector", selector).click()
        finally:
            self.browser.switch_to.default_content()

    def restart_kernel(self) -> None:
        """Restart the kernel, and say yes in the dialog."""
        self.begin("kernelmenu:restart")
        wait_for(lambda: self.browser.find_elements("css selector", ".jp-Dialog .jp-mod-accept"))
        self.browser.find_element("css selector", ".jp-Dialog .jp-mod-accept").click()
        self.wait_for_begun()


@contextmanager
def started(browser: "WebDriver", folder: Path, state: Path, **variables: str) -> Iterator[Lab]:
    """Start JupyterLab in a folder, with an empty configuration, and show it in a browser."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, **variables, **{name: str(state / name) for name in _FOLDERS}}
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        *_OPTIONS,
        f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={folder}",
    ]
    _decline_news(state / "JUPYTERLAB_SETTINGS_DIR")
    with (state / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    lab = Lab(browser, folder, f"http://127.0.0.1:{port}/lab")
    limit, size = browser.timeouts.script, browser.get_window_size()
    browser.set_script_timeout(LIMIT_S)
    browser.set_window_size(1280, 1000)
    try:
        wait_for(lambda: server.poll() is not None or _answers(lab.address), LIMIT_S)
        assert server.poll() is None, (state / "log").read_text(encoding="utf-8")
        browser.get(lab.address)
        wait_for(lambda: browser.execute_async_script(_RESTORED), LIMIT_S)
        yield lab
    finally:
        browser.set_script_timeout(limit)
        browser.set_window_size(size["width"], size["height"])
        browser.get("about:blank")
        server.terminate()  # it ends its kernels
        server.wait()


def _decline_news(settings: Path) -> None:
    """Answer the question that would lie over the notebook."""
    folder = settings / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True)
    (folder / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}', encoding="utf-8")


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address) as reply:
            return reply.status == 200
    except urllib.error.URLError:
        return False
