"""What determines a result, as short text: equal fingerprints, equal results. Needs no torch.

A result depends on the submission's modules, the exercise (its whole folder, the references of others that it may read,
the course's data), the seed, and what grades: the engine's own source, its libraries and Python. It does not depend on
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

_BYTES = 16
_ENGINE = Path(grader.__file__).parent
_LIBRARIES = ("hypothesis", "numpy", "pytest", "torch")  # by which the same code gives other results


def of(*parts: str) -> str:
    """Return the fingerprint of some texts, in their order: no two lists of texts have the same."""
    digest = hashlib.blake2b(digest_size=_BYTES)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def exercise(found: Exercise) -> str:
    """Return the fingerprint of an exercise: every file of its folder, and what its exercise.yaml came to.

    The references that it may read beyond its folder count too, and the data of the course. Who may read how much of a
    result does not change it.
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
    """Yield what changes when a file is written that counts: to read them all for each submission would take longer."""
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
    """Return the fingerprint of what grades: the grader's source, its libraries and Python."""
    return engine_now()


def engine_now() -> str:
    """Return it as it is at this moment: its authors run it while they write it."""
    libraries = map(version, _LIBRARIES)
    return of(*_files(_ENGINE, "*.py"), *libraries, platform.python_version())


def result(
    exercise_print: str, root: str, sources: Mapping[str, str], seed: int, notes: Sequence[str] = ()
) -> str:
    """Return the fingerprint of one exercise's result: the key of the result cache."""
    named = [text for name in sorted(sources) for text in (name, sources[name])]
    return of(engine(), exercise_print, str(seed), root, *named, *notes)


def versions(grader: str) -> Versions:
    """Return what grades here. The versions are those installed, whether or not they are imported yet."""
    return Versions(grader=grader, torch=version("torch"), python=platform.python_version())


def _files(folder: Path, pattern: str) -> Iterable[str]:
    for path in sorted(folder.rglob(pattern)):
        apart = {"__pycache__", "exercise.yaml"}
        if path.is_file() and not apart & set(path.relative_to(folder).parts):
            yield path.relative_to(folder).as_posix()
            yield path.read_bytes().hex()


def _portable(found: Exercise) -> dict[str, object]:
    """Return what an exercise says, without where it lies: hosts keep courses in different places."""
    told = {field: getattr(found, field) for field in found.__dataclass_fields__}
    return {name: value for name, value in told.items() if name not in ("stub", "folder", "reveal")}
