"""Commands of `grade` in a real terminal, and what comes out of it."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

LIMIT_S = 40.0


class Output:
    """What a process writes to a descriptor, as it comes."""

    def __init__(self, descriptor: int) -> None:
        self.text = ""
        self._descriptor = descriptor
        self._more = threading.Condition()
        self._ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._descriptor, 65536)
            except OSError:  # the far end of a terminal is closed
                data = b""
            with self._more:
                self.text += data.decode("utf-8", "replace")
                self._ended = not data
                self._more.notify_all()
            if not data:
                return

    def wait_for(self, words: str) -> str:
        """Return what came up to these words, and forget it."""
        with self._more:
            found = self._more.wait_for(lambda: words in self.text or self._ended, LIMIT_S)
            assert found, f"{words!r} did not come, but {self.text!r}"
            assert words in self.text, f"it ended before {words!r}: {self.text!r}"
            before, _, self.text = self.text.partition(words)
            return before + words


class Terminal:
    """A command of `grade` in a terminal of its own, 80 columns wide."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        import pty
        import termios

        self._ours, self._theirs = pty.openpty()
        termios.tcsetwinsize(self._theirs, (40, 80))
        self.before = self.settings()
        code = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, sys.executable, "-m", "grader", *arguments],
            cwd=folder, env={**os.environ, **environment}, stdin=self._theirs, stdout=self._theirs, stderr=self._theirs, start_new_session=True,
        )  # fmt: skip
        self.output = Output(self._ours)

    def settings(self) -> list[object]:
        import termios

        return termios.tcgetattr(self._theirs)

    def press(self, key: str) -> None:
        os.write(self._ours, key.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C once the process waits for a key.

        A signal that comes between a prompt and the wait after it is recorded by Python, and handled only at the next key.
        """
        state = Path(f"/proc/{self.process.pid}/stat")
        deadline = time.monotonic() + LIMIT_S
        while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "S":
            assert time.monotonic() < deadline, "it does not come to rest"
            time.sleep(0.01)
        self.press("\x03")

    def see(self, words: str) -> str:
        return self.output.wait_for(words)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._theirs)
