"""Notices that files of a workspace may have changed; whether they did, and what it means, is `looking`'s to find.

Events only hasten what polling would find: where there are none (a network file system, a link's far end, a folder
that was taken away and put back), a slow poll goes on beside them, and nothing is missed.
"""

import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path

from grader.submission import Folder

POLL_S = 0.1  # between two looks where there are no events
SLOW_POLL_S = 1.0  # and where there are
SETTLE_S = 0.015  # an editor writes a file in several steps; so long nothing may change
MAX_SETTLES = 10  # and a file that never rests is looked at as it is
_QUIET_MS, _MOST_MS = 5, 100  # what watchfiles collects into one event

_Signature = frozenset[tuple[str, int, int, int]]


def has_events() -> bool:
    """Tell whether the library is installed that waits for events of the file system."""
    return importlib.util.find_spec("watchfiles") is not None


def notices(folder: Path, stop: threading.Event, *, poll: bool = False) -> Iterator[None]:
    """Yield at once, then whenever a file of the submission in `folder` may have changed and now rests.

    Ends when `stop` is set. Waits for events where it can, and polls where it cannot or with `poll`.
    """
    before = signature(folder)
    yield  # who looks from now on misses nothing
    for hinted in _polled(stop) if poll or not has_events() else _hinted(folder, stop):
        now = signature(folder)
        if hinted or now != before:
            before = _settled(folder, now, stop)
            yield


def signature(folder: Path) -> _Signature:
    """Return what changes when a file of a submission is written, replaced, added or taken away."""
    tree = Folder(folder)
    names = {*tree.modules("exercises/"), *tree.modules("")}
    names |= {*tree.notebooks()}
    names |= {f"answers/{path.name}" for path in (folder / "answers").glob("*.y*ml")}
    return frozenset(filter(None, (_stat(folder, name) for name in names)))


def _stat(folder: Path, name: str) -> tuple[str, int, int, int] | None:
    try:
        found = (folder / name).stat()
    except OSError:
        return None  # gone since it was listed, or a link to nowhere
    return name, found.st_mtime_ns, found.st_size, found.st_ino


def _settled(folder: Path, now: _Signature, stop: threading.Event) -> _Signature:
    """Wait until files rest; return how they are then."""
    for _ in range(MAX_SETTLES):
        stop.wait(SETTLE_S)
        before, now = now, signature(folder)
        if now == before:
            break
    return now


def _polled(stop: threading.Event) -> Iterator[bool]:
    while not stop.wait(POLL_S):
        yield False


def _hinted(folder: Path, stop: threading.Event) -> Iterator[bool]:
    """Yield True after an event, False when it is time to look without one."""
    import watchfiles  # noqa: PLC0415 - an extra

    while not stop.is_set():
        inner = [path for path in (folder / "exercises", folder / "answers") if path.is_dir()]
        nested = (folder / "exercises").is_dir()
        try:
            for events in watchfiles.watch(
                *(
                    inner if nested else [folder]
                ),  # a flat folder may hold anything below it: the slow poll looks
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
                    break  # what is watched is no longer there: begin again with what is
        except (OSError, RuntimeError):  # too many watches, or a file system that has none
            yield from _polled(stop)
