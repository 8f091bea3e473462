"""When a command leaves a warm process behind for the next one, and how users learn of it."""

import os
import sys
from pathlib import Path

import click

from grader.core.errors import UsageError
from grader.core.user_folders import state_folder
from grader.workspace import own_workspaces

VARIABLE = "CONVGRADER_STANDBY"
_ANNOUNCEMENT = (
    "From now on a process with torch loaded stays for ten minutes after `grade`, so that the next one starts at once. "
    f"`grade doctor` lists it, `grade doctor --end` ends it, and {VARIABLE}=0 keeps it from being started."
)


def is_wanted(submission: Path) -> bool:
    """Tell whether a command that grades this submission may leave a process behind.

    Unless the variable says so, only in a terminal, and for work in a workspace that this user started here.
    """
    value = os.environ.get(VARIABLE, "")
    if value not in ("", "0", "1"):
        raise UsageError(f"{VARIABLE} is {value!r}, and must be 0 or 1.")
    if value:
        return value == "1"
    is_at_work = sys.stdout.isatty() and submission == Path() and own_workspaces.is_own(submission)
    return sys.platform == "linux" and is_at_work


def announce_once(width: int) -> None:
    """Say, the first time, that a process stays behind, and how to switch that off."""
    marker = state_folder("standby-announced")
    if marker is None or os.environ.get(VARIABLE) or marker.exists():
        return
    click.echo(f"\n{click.wrap_text(_ANNOUNCEMENT, width)}", err=True)
    try:
        marker.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        marker.touch()
    except OSError:
        return  # it is said again next time


def listed_text() -> list[str]:
    """Return a line for each process that stays behind."""
    if sys.platform != "linux":
        return []
    from grader.grading import standby  # noqa: PLC0415 - Linux only

    return [
        f"Process {reply.process} has torch loaded for the next `grade`. It has served {reply.commands} "
        f"command{'s' * (reply.commands != 1)}, is idle for {int(reply.idle_s)} s, and ends after "
        f"{standby.IDLE_S / 60:.0f} idle minutes; `grade doctor --end` ends it now."
        for _, reply in standby.listed()
    ]


def end_text() -> str:
    """End all processes that stay behind, and say how many there were."""
    count = 0
    if sys.platform == "linux":
        from grader.grading import standby  # noqa: PLC0415 - Linux only

        count = standby.end()
    return f"{count} {'process' if count == 1 else 'processes'} with torch loaded ended."
