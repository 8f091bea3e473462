"""Fingerprints of what determines a result: equal fingerprints, equal results. Imports no torch.

A result depends on the submission's modules, the exercise (its whole folder, the references of others that it may read,
the course's data), the seed, and the grader: its own source, its libraries and Python. It does not depend on
the isolation level, which only decides what is refused.
"""

import contextlib
import functools
import hashlib
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

import grader
from grader.core.model import Exercise, Versions
from grader.course import cross_references

_DIGEST_BYTES = 16
_ENGINE = Path(grader.__file__).parent
_LIBRARIES = ("hypothesis", "numpy", "pytest", "torch")  # other versions of these may give other results


def of(*parts: str) -> str:
    """Return the fingerprint of a list of texts: 32 hexadecimal digits of BLAKE2b. Lengths are hashed too."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def exercise(found: Exercise) -> str:
    """Return the fingerprint of an exercise: every file of its folder, and the values of its exercise.yaml.

    It includes the references of other exercises that it may read, and the data of the course, but not `reveal`, which
    only decides what is shown.
    """
    return _exercise(found, tuple(_stamps(found)))


@functools.lru_cache(maxsize=256)
def _exercise(found: Exercise, _stamps: tuple[object, ...]) -> str:
    others = cross_references.relied_on(found)
    return of(
        *_files(found.folder, "*"),
        msgspec.json.encode(_portable(found)).decode(),
        *(text for name in sorted(others) for text in (name, others[name])),
        *_files(found.stub.parent / "data", "*"),
    )


def _stamps(found: Exercise) -> Iterator[tuple[str, int, int, int]]:
    """Yield the path, time, size and inode of each file that counts: faster than to read all for each submission."""
    own, data = found.folder.rglob("*"), (found.stub.parent / "data").rglob("*")
    for path in (*own, *data, found.stub, *found.folder.parent.glob("*/reference.py")):
        with contextlib.suppress(OSError):
            stat = path.stat()
            yield str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino


def bank(path: Path) -> str:
    """Return the fingerprint of a quiz bank."""
    return of(path.read_bytes().hex())


@functools.cache
def engine() -> str:
    """Return the fingerprint of the grader: its source, its libraries and Python. Computed once."""
    return engine_now()


def engine_now() -> str:
    """Return the fingerprint of the grader's files as they are now: its developers edit them between runs."""
    libraries = map(version, _LIBRARIES)
    return of(*_files(_ENGINE, "*.py"), *libraries, platform.python_version())


def result(
    exercise_print: str, root: str, sources: Mapping[str, str], seed: int, notes: Sequence[str] = ()
) -> str:
    """Return the fingerprint of one exercise's result: the key of the result cache."""
    named = [text for name in sorted(sources) for text in (name, sources[name])]
    return of(engine(), exercise_print, str(seed), root, *named, *notes)


def versions(grader: str) -> Versions:
    """Return the installed versions, without importing anything."""
    return Versions(grader=grader, torch=version("torch"), python=platform.python_version())


def _files(folder: Path, pattern: str) -> Iterable[str]:
    for path in sorted(folder.rglob(pattern)):
        excluded = {"__pycache__", "exercise.yaml"}
        if path.is_file() and not excluded & set(path.relative_to(folder).parts):
            yield path.relative_to(folder).as_posix()
            yield path.read_bytes().hex()


def _portable(found: Exercise) -> dict[str, object]:
    """Return the fields of an exercise without its paths, which differ between machines, and without `reveal`."""
    excluded = ("stub", "folder", "reveal")
    return {name: getattr(found, name) for name in found.__dataclass_fields__ if name not in excluded}
