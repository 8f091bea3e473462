"""Remembers what was found sound, so that `grade check` need not prove it again.

It lies in the user's cache folder, and whoever can write there can write anything: so a file is believed only if it is
ours, whole, and about exactly what is asked. Whatever else happens, things are checked as if there were none.
"""

import contextlib
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from grader.core.atomic_write import write_whole
from grader.course import fingerprint

CACHE_VARIABLE = "XDG_CACHE_HOME"
KEPT_DAYS = 60
_MAX_BYTES = 2**20
_FORMAT = "convgrader/sound/1"


class Provable(Protocol):
    """What a check finds."""

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing is wrong."""


Thing = TypeVar("Thing")
Found = TypeVar("Found", bound=Provable)


class Sound:
    """What was found sound, by the key of what it depends on. A `fresh` one is never read, and written all the same."""

    def __init__(self, folder: Path | None = None, *, fresh: bool = False) -> None:
        self._folder = folder if folder is not None else cache_folder()
        self._fresh = fresh

    def read(self, key: str, kind: type[Found]) -> Found | None:
        """Return what was found for this key; None where nothing was, or what is there cannot be trusted."""
        if self._folder is None or self._fresh:
            return None
        try:
            if not _is_ours(self._folder):
                return None
            head, _, body = _contents(self._folder / key).partition(b"\n")
            if head.decode("ascii") != _seal(key, kind, body):
                return None
            found = msgspec.json.decode(body, type=kind)
        except (OSError, ValueError, msgspec.MsgspecError):
            return None
        with contextlib.suppress(OSError):
            os.utime(self._folder / key)  # it is of use: keep it
        return found if found.is_sound else None

    def write(self, key: str, found: Provable) -> None:
        """Remember what was found; where that cannot be, it is found again the next time."""
        if self._folder is None:
            return
        body = msgspec.json.encode(found)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _is_ours(self._folder):
                write_whole(self._folder / key, _seal(key, type(found), body).encode() + b"\n" + body)
                self._forget_old()
        except OSError:
            return  # a full disk, a folder that is read-only, a file in its place: no reason to stop

    def _forget_old(self) -> None:
        assert self._folder is not None
        oldest = time.time() - KEPT_DAYS * 86400
        for path in self._folder.iterdir():
            if path.lstat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def unless_known(
    sound: Sound,
    things: Sequence[Thing],
    kind: type[Found],
    key: Callable[[Thing, str], str],
    check: Callable[[Sequence[Thing]], Iterator[Found]],
) -> Iterator[tuple[Found, bool]]:
    """Yield for each thing what is known of it and True, or what `check` finds and False; remember what is sound.

    `key` tells what a thing depends on, the engine included; `check` gets at once all things that are not known.
    """
    engine = fingerprint.engine_now()
    keys = [key(thing, engine) for thing in things]
    known = [sound.read(text, kind) for text in keys]
    checked = check([thing for thing, found in zip(things, known, strict=True) if found is None])
    for thing, before, found in zip(things, keys, known, strict=True):
        if found is not None:
            yield found, True
            continue
        fresh = next(checked)
        # What somebody changed meanwhile was checked as it is now in part, and is known as nothing.
        if fresh.is_sound and key(thing, fingerprint.engine_now()) == before:
            sound.write(before, fresh)
        yield fresh, False


def cache_folder() -> Path | None:
    """Return where it lies by the XDG Base Directory Specification; None where there is no home."""
    named = Path(os.environ.get(CACHE_VARIABLE, ""))
    try:
        base = named if named.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "convgrader" / "check"


def _seal(key: str, kind: type, body: bytes) -> str:
    """Return what stands before an entry that is whole and about this key."""
    return fingerprint.of(_FORMAT, kind.__name__, key, body.decode("utf-8", "replace"))


def _contents(path: Path) -> bytes:
    """Return a regular file of ours, of a size that we write. Raises OSError."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_BYTES or not _owned(found):
        raise OSError(f"{path} is none of ours")
    return path.read_bytes()


def _is_ours(folder: Path) -> bool:
    """Tell whether nobody else may write in a folder; where owners have no numbers, the home is trusted."""
    found = folder.lstat()
    shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(found.st_mode) and _owned(found) and (sys.platform == "win32" or not shared)


def _owned(found: os.stat_result) -> bool:
    return sys.platform == "win32" or found.st_uid == os.geteuid()
