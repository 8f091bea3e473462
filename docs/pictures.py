"""Draws the two pictures of README.md and the first page of the site from real output of `grade`.

`python docs/pictures.py` grades the pooling exercise of examples/submission, alone in a workspace, and writes

- docs/static/terminal.svg: what a terminal of 80 columns shows, colors included, and
- docs/static/report.png: the page of `--format html`, as Chromium shows it, with the text of its exercise as metadata.

tests/test_pictures.py compares the text of both with what `grade` writes today.
"""

import contextlib
import html
import html.parser
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import zlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
TERMINAL, REPORT = (ROOT / "docs" / "static" / name for name in ("terminal.svg", "report.png"))
EXERCISE = "pooling"
COLUMNS, ROWS = 80, 50
LAST_LINE = "checks pass."  # below it stand what the code printed, and the total
PAGE_SIZE = "860,1112"  # from the total to the next step
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"
COLORS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "36": "#79c0ff", "2": "#8b949e"}
_SGR = re.compile(r"\x1b\[([\d;]*)m")
_CELL_WIDTH, _LINE_HEIGHT, _MARGIN = 8.4, 19, 18


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """Make a workspace that holds the example's solution of one exercise."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "exercises", f"{EXERCISE}.py")
        path.parent.mkdir()
        shutil.copy(ROOT / "examples" / "submission" / "exercises" / path.name, path)
        yield Path(folder)


def grade(folder: Path, *arguments: str, **options: object) -> None:
    """Run `grade` on the exercise; it exits with 1, because a check fails."""
    command = [sys.executable, "-P", "-m", "grader", EXERCISE, *arguments]
    environment = os.environ | {
        "CONVGRADER_COURSE": str(ROOT),
        "COLUMNS": str(COLUMNS),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(command, check=False, cwd=folder, env=environment, timeout=120, **options)  # type: ignore[call-overload]
    if done.returncode != 1:
        raise RuntimeError(f"`grade {EXERCISE}` exited with {done.returncode}")


def terminal_output(folder: Path) -> list[str]:
    """Return the lines that `grade` writes to a terminal, with their escape sequences, up to the checks that pass."""
    shown, written = pty.openpty()
    termios.tcsetwinsize(written, (ROWS, COLUMNS))
    with os.fdopen(shown, "rb", buffering=0) as reader:
        try:
            grade(folder, stdout=written, stderr=subprocess.DEVNULL)
        finally:
            os.close(written)
        text = b""
        with contextlib.suppress(OSError):  # EIO: the other end of a terminal is closed
            while data := reader.read(65536):
                text += data
    lines = text.decode("utf-8").splitlines()
    last = next(n for n, line in enumerate(lines) if LAST_LINE in line)
    return [f"$ grade {EXERCISE}", *lines[: last + 1]]


def spans(line: str) -> Iterator[tuple[int, str, str]]:
    """Yield the pieces of a line that have one style: the column, the SGR code and the text."""
    column, code, end = 0, "", 0
    for match in [*_SGR.finditer(line), None]:
        text = line[end : match.start() if match else None]
        if text.strip():
            yield column + len(text) - len(text.lstrip()), code, text.strip()
        column += len(text)
        if match:
            code, end = match[1] if match[1] != "0" else "", match.end()


def svg(lines: list[str]) -> str:
    """Return a picture of a terminal that shows these lines."""
    width, height = round(COLUMNS * _CELL_WIDTH + 2 * _MARGIN), len(lines) * _LINE_HEIGHT + 2 * _MARGIN
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"',
        f' viewBox="0 0 {width} {height}" role="img">',
        f"<title>grade {EXERCISE}: a check that fails, its smallest input and the known mistake</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
        f'<g fill="#e6edf3" font-size="14" font-family="{FONTS}">',
    ]
    for row, line in enumerate(lines):
        y = _MARGIN + row * _LINE_HEIGHT + 14
        for column, code, text in spans(line):
            style = (
                f' fill="{COLORS[code]}"' if code in COLORS else ' font-weight="bold"' if code == "1" else ""
            )
            x, length = _MARGIN + column * _CELL_WIDTH, len(text) * _CELL_WIDTH
            drawn.append(
                f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}"{style}>{html.escape(text)}</text>'
            )
    return "\n".join([*drawn, "</g>", "</svg>", ""])


class _Article(html.parser.HTMLParser):
    """Collects the text of the page's exercise, without what is folded."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self._inside, self._folded = 0, 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._inside += tag == "article"
        self._folded += tag == "details"

    def handle_endtag(self, tag: str) -> None:
        self._inside -= tag == "article"
        self._folded -= tag == "details"

    def handle_data(self, data: str) -> None:
        if self._inside and not self._folded:
            self.text += data.split()


def article_text(page: str) -> str:
    """Return the words of the page's exercise, without what is folded."""
    parser = _Article()
    parser.feed(page)
    return " ".join(parser.text)


def report_page(folder: Path) -> str:
    """Return the page that `grade --format html` writes."""
    path = folder / "report.html"
    grade(
        folder,
        "--format",
        "html",
        "--output",
        str(path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return path.read_text(encoding="utf-8")


def screenshot(page: str, folder: Path) -> bytes:
    """Return a PNG of the page as Chromium shows it."""
    source, picture = folder / "page.html", folder / "page.png"
    source.write_text(page, encoding="utf-8")
    options = [
        "--headless",
        "--no-sandbox",
        "--hide-scrollbars",
        f"--screenshot={picture}",
        f"--window-size={PAGE_SIZE}",
    ]
    command = ["chromium", *options, source.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return picture.read_bytes()


def with_text(png: bytes, text: str) -> bytes:
    """Return the PNG with a zTXt chunk "Description" before its last chunk, IEND, which has 12 bytes."""
    data = b"Description\0\0" + zlib.compress(text.encode("utf-8"), 9)
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    return png[:-12] + chunk + png[-12:]


def text_in(png: bytes) -> str:
    """Return the text that `with_text` put into the PNG."""
    data = png.rpartition(b"zTXtDescription\0\0")[2]
    return zlib.decompressobj().decompress(data).decode("utf-8")


def main() -> None:
    """Write both pictures."""
    with workspace() as folder:
        TERMINAL.write_text(svg(terminal_output(folder)), encoding="utf-8")
        page = report_page(folder)
        REPORT.write_bytes(with_text(screenshot(page, folder), article_text(page)))


if __name__ == "__main__":
    main()
