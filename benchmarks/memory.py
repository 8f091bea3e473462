"""How much memory a tree of processes uses: the sum of their PSS, which divides a shared page among its processes."""

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


def pss_bytes_below(process: int) -> int | None:
    """Return the PSS of all descendants of a process, or None where the kernel does not let us read it."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended, and holds no memory
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    total, waiting = 0, [*parents.get(process, ())]
    while waiting:
        one = waiting.pop()
        waiting += parents.get(one, ())
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except PermissionError:
            return None
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
    return total


@dataclass(slots=True)
class Sampler:
    """Reads the PSS of everything below this process, again and again, while it is entered.

    `samples` are pairs of seconds since it was entered, and bytes.
    """

    every_s: float
    samples: list[tuple[float, int]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _sample(self) -> None:
        began = time.monotonic()
        while not self._over.wait(self.every_s):
            read = pss_bytes_below(os.getpid())
            if read is None:
                return
            self.samples.append((time.monotonic() - began, read))
