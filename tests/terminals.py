"""Runs commands of `grade` in a pseudoterminal, and reads their output."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

LIMIT_S = 40.0


class Output:
    """The output of a process, read from a descriptor in a thread."""

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
            except OSError:  # EIO: the other end of the terminal is closed
                data = b""
            with self._more:
                self.text += data.decode("utf-8", "replace")
                self._ended = not data
                self._more.notify_all()
            if not data:
                return

    def wait_for(self, words: str) -> str:
        """Wait for these words; return and drop the output up to them."""
        with self._more:
            found = self._more.wait_for(lambda: words in self.text or self._ended, LIMIT_S)
            assert found, f"{words!r} did not come, but {self.text!r}"
            assert words in self.text, f"it ended before {words!r}: {self.text!r}"
            before, _, self.text = self.text.partition(words)
            return before + words


class Terminal:
    """A command of `grade` in a pseudoterminal of 40 rows and 80 columns."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        import pty
        import termios

        self._master, self._slave = pty.openpty()
        termios.tcsetwinsize(self._slave, (40, 80))
        self.before = self.settings()
        code = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, sys.executable, "-m", "grader", *arguments],
            cwd=folder, env={**os.environ, **environment}, stdin=self._slave, stdout=self._slave, stderr=self._slave, start_new_session=True,
        )  # fmt: skip
        self.output = Output(self._master)

    def settings(self) -> list[object]:
        import termios

        return termios.tcgetattr(self._slave)

    def press(self, key: str) -> None:
        os.write(self._master, key.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C once the process waits for a key.

        Between the prompt and the read, Python would handle the signal only after the next key.
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
        os.close(self._slave)
