"""Notices that files of a workspace may have changed; `snapshots` finds whether they did, and what to grade.

Events of the file system only make it faster. Some changes cause none (a network file system, the target of a link, a
folder that was removed and restored), so a slow poll runs beside them and nothing is missed.
"""

import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path

from grader.submission import Folder

POLL_S = 0.1  # interval of the poll where there are no events
SLOW_POLL_S = 1.0  # interval of the poll beside events
SETTLE_S = 0.015  # files must be unchanged for so long: an editor writes a file in several steps
MAX_SETTLES = 10  # after so many intervals, a file that still changes is read as it is
_QUIET_MS, _MOST_MS = 5, 100  # watchfiles merges events within these times

_Signature = frozenset[tuple[str, int, int, int]]


def has_events() -> bool:
    """Tell whether watchfiles is installed, which waits for events of the file system."""
    return importlib.util.find_spec("watchfiles") is not None


def notices(folder: Path, stop: threading.Event, *, poll: bool = False) -> Iterator[None]:
    """Yield at once, then whenever a file of the submission in `folder` may have changed and is stable again.

    Ends when `stop` is set. Waits for events where it can; polls where it cannot, or with `poll`.
    """
    before = signature(folder)
    yield  # after the first signature, so that no change between it and the first look is missed
    for is_event in _polled(stop) if poll or not has_events() else _watched(folder, stop):
        now = signature(folder)
        if is_event or now != before:
            before = _settled(folder, now, stop)
            yield


def signature(folder: Path) -> _Signature:
    """Return a value that changes when a file of a submission is written, replaced, added or removed."""
    tree = Folder(folder)
    names = {*tree.modules("exercises/"), *tree.modules("")}
    names |= {*tree.notebooks()}
    names |= {f"answers/{path.name}" for path in (folder / "answers").glob("*.y*ml")}
    return frozenset(filter(None, (_stat(folder, name) for name in names)))


def _stat(folder: Path, name: str) -> tuple[str, int, int, int] | None:
    try:
        found = (folder / name).stat()
    except OSError:
        return None  # removed since it was listed, or a broken link
    return name, found.st_mtime_ns, found.st_size, found.st_ino


def _settled(folder: Path, now: _Signature, stop: threading.Event) -> _Signature:
    """Wait until the files are stable, and return their signature."""
    for _ in range(MAX_SETTLES):
        stop.wait(SETTLE_S)
        before, now = now, signature(folder)
        if now == before:
            break
    return now


def _polled(stop: threading.Event) -> Iterator[bool]:
    while not stop.wait(POLL_S):
        yield False


def _watched(folder: Path, stop: threading.Event) -> Iterator[bool]:
    """Yield True after an event, False when the slow poll is due."""
    import watchfiles  # noqa: PLC0415 - an extra

    while not stop.is_set():
        inner = [path for path in (folder / "exercises", folder / "answers") if path.is_dir()]
        nested = (folder / "exercises").is_dir()
        try:
            for events in watchfiles.watch(
                *(inner if nested else [folder]),  # not recursive: a flat folder may hold anything below it
                recursive=nested,
                watch_filter=None,
                debounce=_MOST_MS,
                step=_QUIET_MS,
                rust_timeout=int(SLOW_POLL_S * 1000),
                yield_on_timeout=True,
                stop_event=stop,
                raise_interrupt=False,
                force_polling=False,
            ):
                yield bool(events)
                if nested != (folder / "exercises").is_dir() or not all(path.is_dir() for path in inner):
                    break  # a watched folder was removed, or one was added: watch again
        except (OSError, RuntimeError):  # too many watches, or a file system without events
            yield from _polled(stop)
