"""What stands on a screen of 80x24 when a student's commands have ended: read from tmux, prompt included."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grader.course import catalog

TMUX = shutil.which("tmux")
SOLUTIONS = catalog.find_root() / "solutions"
PROMPT = "@ "
LIMIT_S = 120.0
pytestmark = [
    pytest.mark.cold,
    pytest.mark.skipif(TMUX is None, reason="tmux is not installed"),
]


def reference(exercise: str) -> str:
    return (SOLUTIONS / exercise / "reference.py").read_text(encoding="utf-8")


ZERO_PADDED = reference("pooling").replace('float("-inf")', "0.0")


class Tmux:
    """A shell in a terminal of 80x24, in a new workspace. Its screen is what `capture-pane` says."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.workspace = folder / "work"
        self._socket, self._environment = str(folder / "tmux"), environment
        grade = [sys.executable, "-m", "grader", "init", str(self.workspace)]
        subprocess.run(grade, check=True, env=environment, stdout=subprocess.DEVNULL)
        shell = f"PS1='{PROMPT}' exec sh"
        self._tmux(
            "-f", os.devnull, "new-session", "-d", "-x", "80", "-y", "24", "-c", str(self.workspace), shell
        )
        self._type(f'grade() {{ "{sys.executable}" -m grader "$@"; }}')

    def _tmux(self, *arguments: str) -> str:
        assert TMUX is not None
        command = [TMUX, "-u", "-S", self._socket, *arguments]
        return subprocess.run(
            command, check=True, env=self._environment, stdout=subprocess.PIPE, text=True
        ).stdout

    def _type(self, command: str) -> None:
        self._tmux("send-keys", "-l", command)
        self._tmux("send-keys", "Enter")

    def screen(self) -> list[str]:
        """The lines on the screen, up to the last that is not empty."""
        lines = [line.rstrip() for line in self._tmux("capture-pane", "-p").splitlines()]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def press(self, key: str) -> None:
        self._tmux("send-keys", key)

    def run(self, command: str) -> list[str]:
        """Run a command on an empty screen, and return the screen when the prompt is back."""
        self._type("clear")
        self.see(lambda lines: lines == [PROMPT.strip()])
        self._type(command)
        return self.see(lambda lines: len(lines) > 1 and lines[-1] == PROMPT.strip())

    def see(self, is_there) -> list[str]:
        end = time.monotonic() + LIMIT_S
        while not is_there(lines := self.screen()):
            assert time.monotonic() < end, lines
            time.sleep(0.1)
        assert len(lines) <= 24
        return lines

    def write(self, exercise: str, text: str) -> None:
        (self.workspace / "exercises" / f"{exercise}.py").write_text(text, encoding="utf-8")

    def close(self) -> None:
        self._tmux("kill-server")


@pytest.fixture(scope="module")
def tmux(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tmux")
    started = Tmux(
        folder, {**os.environ, "TERM": "xterm-256color", "TMUX_TMPDIR": str(folder), "LANG": "C.UTF-8"}
    )
    yield started
    started.close()


def text_of(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


def test_an_untouched_workspace_is_three_lines_with_a_first_step(tmux):
    lines = tmux.run("grade")
    assert lines[0] == f"{PROMPT}grade"
    said = [line for line in lines[1:-1] if line]
    assert len(said) <= 4, lines
    assert "Next: open exercises/" in text_of(said)


def test_the_first_failure_is_on_the_screen_whole(tmux):
    tmux.write("pooling", ZERO_PADDED)
    lines = tmux.run("grade pooling")
    text = text_of(lines)
    assert "✗" in text
    for words in (
        "call max_pool2d(",
        "expected",
        "got",
        "wrong *",
        "exactly those of a known mistake",
        "checks pass",
    ):
        assert words in text, lines
    first = next(n for n, line in enumerate(lines) if "call" in line)
    assert "✗" in "".join(lines[:first]), "the title has left the screen"
    assert any("*" in line for line in lines[first:])
    assert "checks pass" in text_of(lines[-3:-1]), "the tally comes last"
    assert "isolation" not in text.lower()


def test_the_last_line_says_what_was_gained(tmux):
    tmux.write("pooling", reference("pooling").replace(".mean(dim=(-2, -1))", ".sum(dim=(-2, -1))"))
    before = tmux.run("grade pooling")
    tmux.write("pooling", ZERO_PADDED)
    after = tmux.run("grade pooling")
    assert "more than last time" in text_of(after) or "fewer than last time" in text_of(after), (
        before,
        after,
    )


def test_one_check_is_shown_whole(tmux):
    tmux.write("pooling", ZERO_PADDED)
    text = text_of(tmux.run("grade pooling --check max_padding_never_wins"))
    assert "call max_pool2d(" in text
    assert "exactly those of a known mistake" in text


def test_next_grades_where_one_is_and_leads_to_the_exercise_after_it(tmux):
    first, second = (exercise.id for exercise in catalog.load(catalog.find_root()).exercises[:2])
    tmux.write(first, reference(first))
    text = text_of(tmux.run("grade next"))
    assert f"exercises/{second}.py" in text, text


def test_watch_shows_the_verdict_of_a_save_with_its_keys_below(tmux):
    tmux.write("pooling", reference("pooling"))
    tmux._type("clear; grade watch pooling")
    tmux.see(lambda lines: "quit" in text_of(lines) and "pass" in text_of(lines))
    tmux.write("pooling", ZERO_PADDED)
    lines = tmux.see(lambda lines: "known mistake" in text_of(lines) and "quit" in lines[-1])
    assert "expected" in text_of(lines)
    tmux.press("q")
    tmux.see(lambda lines: lines[-1] == PROMPT.strip())
