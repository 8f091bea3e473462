"""The limits of the cgroup that this process is in: of memory and of processes, and how often memory ran out.

A container or a batch system sets them. Version 1 has a hierarchy for each controller, version 2 has one for all; the
limits of every ancestor that can be seen hold too. Source: the kernel's admin-guide, cgroup-v1 and cgroup-v2.
"""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

_UNLIMITED = 2**60  # version 1 writes a number near 2**63 where there is no limit
_FILES = {"memory": ("memory.max", "memory.limit_in_bytes"), "pids": ("pids.max", "pids.max")}
_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def memory_limit_bytes(root: Path = Path("/")) -> int | None:
    """Return the smallest memory limit; None without one. `root` is where /proc and /sys are."""
    return _smallest("memory", root)


def process_limit(root: Path = Path("/")) -> int | None:
    """Return the smallest limit of processes and threads; None without one."""
    return _smallest("pids", root)


def oom_kills(root: Path = Path("/")) -> int:
    """Return how many processes of this cgroup have been killed because memory ran out; of this machine without one."""
    for folder in _folders("memory", root):
        for name in ("memory.events", "memory.oom_control"):
            if found := _KILLS.search(_read(folder / name)):
                return int(found[1])
    found = _KILLS.search(_read(root / "proc/vmstat"))
    return int(found[1]) if found else 0


def _smallest(controller: str, root: Path) -> int | None:
    limits = [
        int(text)
        for folder in _folders(controller, root)
        for name in _FILES[controller]
        if (text := _read(folder / name).strip()).isdecimal()
    ]
    return min((limit for limit in limits if limit < _UNLIMITED), default=None)


@functools.cache
def _folders(controller: str, root: Path) -> tuple[Path, ...]:
    return tuple(_find_folders(controller, root))


def _find_folders(controller: str, root: Path) -> Iterator[Path]:
    """Yield the folder of this process's cgroup in the hierarchies that may have a controller, and its ancestors'."""
    own = {}
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        own.update(dict.fromkeys(controllers.split(","), path))  # version 2 names none: ""
    for line in _read(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        mounted, mount_point = before.split()[3:5]
        kind, _, options = after.split(maxsplit=2)
        name = "" if kind == "cgroup2" else controller
        if name not in own or not (
            kind == "cgroup2" or (kind == "cgroup" and controller in options.split(","))
        ):
            continue
        # In a container the mount may show only the container's part of the hierarchy.
        below = Path(own[name]).relative_to("/") if mounted == "/" else Path()
        if mounted != "/" and Path(own[name]).is_relative_to(mounted):
            below = Path(own[name]).relative_to(mounted)
        for folder in (below, *below.parents):
            yield root / mount_point.lstrip("/") / folder


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
