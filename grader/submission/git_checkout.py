"""When a git checkout was committed, and which of its files were not: read without trusting the repository.

A repository's own configuration can name programs (core.fsmonitor, filters, hooks, a remote's uploadpack), so it is
never read: git runs in an empty repository that the grader creates, and reads only the student's folder of objects.
So a folder of objects that names others (alternates), or holds links, is refused. HEAD and the refs are read here, as
plain files. Git's time, output and, on Linux, memory are limited.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from grader.core.bounded_process import ProcessFailed, output_of
from grader.submission import Folder, Unreadable
from grader.submission.kinds import NOTEBOOK_ENDING
from grader.submission.notebook import MAX_NOTEBOOK_BYTES, without_outputs

_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")  # SHA-1, or SHA-256
_REF = re.compile(r"ref: (refs/[\w./-]+)")
_COMMITTER = re.compile(rb"committer .*> (\d{1,11}) [+-]\d{4}")
_MAX_REF_BYTES = 2**10
_MAX_PACKED_REFS_BYTES = 2**22
_MAX_COMMIT_BYTES = 2**16
_MAX_CHECK_BYTES = 200  # hash, type and size of an object
_MAX_ENTRY_BYTES = 100  # mode, type and hash of a file in a tree, without its path
_MAX_OBJECT_FILES = 50_000  # git packs loose objects when there are about 6,700
_ALLOCATION_LIMIT = "64m"  # GIT_ALLOC_LIMIT: git exits on an object that unpacks to gigabytes
_MEMORY_LIMIT_BYTES = (
    2**30
)  # of addresses, over all allocations: a tree for each folder of a path, and mapped packs
_GIT_LIMIT_S = 10.0
# Files that git makes to be faster, and would believe: what they say of a commit is not in the commit.
_CONFIG = """[core]
repositoryformatversion = 1
bare = true
commitGraph = false
multiPackIndex = false
packedGitWindowSize = 16m
packedGitLimit = 64m
[extensions]
objectformat = {kind}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The commit of HEAD: the committer's time, and the files that were read and are not in it."""

    at: datetime
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCommit:
    """Why the commit of HEAD cannot be read."""

    reason: str


class _GitFailed(Exception):
    """Git timed out, failed, or wrote what it should not, or too much."""


def head(repository: Path, folder: Path, files: Mapping[str, bytes | Unreadable]) -> Commit | NoCommit:
    """Return the commit of HEAD of the checkout `repository`, and which of these files below `folder` it lacks."""
    git = shutil.which("git")
    if git is None:
        return NoCommit(reason="git is not installed here")
    objects = repository / ".git" / "objects"
    # Not the methods of Path, which raise RuntimeError for a loop of links, and PermissionError.
    real = os.path.realpath(objects)
    if real != os.path.join(os.path.realpath(repository), ".git", "objects") or not os.path.isdir(real):  # noqa: PTH112, PTH118
        return NoCommit(reason="its .git is not a folder of its own")
    if refusal := _leads_elsewhere(objects):
        return NoCommit(reason=refusal)
    commit = _commit_of_head(Folder(repository / ".git"))
    if commit is None:
        return NoCommit(reason="no commit is found in its .git")
    with tempfile.TemporaryDirectory(prefix="convgrader-") as empty:
        reader = _ObjectReader(git, _empty_repository(Path(empty), commit), objects)
        try:
            at = _committed_at(reader, commit)
            changed = tuple(
                _changed(reader, commit, _paths(repository, folder, files), _originals(folder, files))
            )
        except (_GitFailed, ProcessFailed, ValueError, OverflowError, OSError):
            return NoCommit(reason="its commit cannot be read")
    return Commit(at=at, changed=changed)


def _leads_elsewhere(objects: Path) -> str:
    """Return why git would read what is not in this folder of objects, or why that is not known; "" if it would not."""
    if any(os.path.lexists(objects / "info" / name) for name in ("alternates", "http-alternates")):
        return "it borrows objects from another repository (objects/info/alternates)"
    waiting, left = [os.fspath(objects)], _MAX_OBJECT_FILES
    try:
        while waiting:
            with os.scandir(waiting.pop()) as listed:
                for entry in listed:
                    left -= 1
                    if left < 0:
                        return f"its .git/objects holds more than {_MAX_OBJECT_FILES:,} files"
                    if entry.is_symlink():
                        return "its .git/objects holds a link"
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    except OSError:
        return "its .git/objects cannot be listed"
    return ""


def _commit_of_head(git_folder: Folder) -> str | None:
    """Return the hash in HEAD, or in the branch that HEAD names; None if there is none."""
    text = _text(git_folder, "HEAD", _MAX_REF_BYTES)
    named = _REF.fullmatch(text)
    if named is not None and ".." not in named[1]:
        text = _text(git_folder, named[1], _MAX_REF_BYTES) or _packed(git_folder, named[1])
    return text if _HASH.fullmatch(text) else None


def _packed(git_folder: Folder, ref: str) -> str:
    lines = _text(git_folder, "packed-refs", _MAX_PACKED_REFS_BYTES).splitlines()
    return next((line.partition(" ")[0] for line in lines if line.endswith(f" {ref}")), "")


def _text(folder: Folder, name: str, limit: int) -> str:
    data = folder.read(name, limit)
    return data.decode("utf-8", "replace").strip() if isinstance(data, bytes) else ""


def _empty_repository(folder: Path, commit: str) -> Path:
    """Create a minimal bare repository: no hooks, no remotes, the grader's configuration."""
    for name in ("objects", "refs"):
        (folder / name).mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/none\n", encoding="utf-8")
    kind = "sha1" if len(commit) == 40 else "sha256"
    (folder / "config").write_text(_CONFIG.format(kind=kind), encoding="utf-8")
    return folder


@dataclass(frozen=True, slots=True)
class _ObjectReader:
    """Git in an empty repository, with another's folder of objects."""

    git: str
    empty: Path
    objects: Path

    def __call__(self, *arguments: str, limit_bytes: int, given: bytes = b"") -> bytes:
        """Return the output of a git command with the input `given`. Raises ProcessFailed, _GitFailed if too long."""
        environment = {
            **{name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ},
            "GIT_DIR": str(self.empty),
            "GIT_OBJECT_DIRECTORY": str(self.objects.resolve()),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ALLOW_PROTOCOL": "none",  # missing objects are not fetched
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_ALLOC_LIMIT": _ALLOCATION_LIMIT,
        }
        output = output_of(
            [self.git, *arguments],
            limit_bytes=limit_bytes,
            limit_s=_GIT_LIMIT_S,
            given=given,
            folder=self.empty,
            environment=environment,
            memory_bytes=_MEMORY_LIMIT_BYTES,
        )
        if len(output) > limit_bytes:
            raise _GitFailed
        return output


def _committed_at(git: _ObjectReader, commit: str) -> datetime:
    """Return the committer's time. Type and size are checked first: a larger object is not read."""
    check = git("cat-file", "--batch-check", given=f"{commit}\n".encode(), limit_bytes=_MAX_CHECK_BYTES)
    described = check.split()
    if len(described) != 3 or described[1] != b"commit" or int(described[2]) > _MAX_COMMIT_BYTES:
        raise _GitFailed
    header, _, _ = git("cat-file", "commit", commit, limit_bytes=_MAX_COMMIT_BYTES).partition(b"\n\n")
    found = next(filter(None, map(_COMMITTER.fullmatch, header.split(b"\n"))), None)
    if found is None:
        raise _GitFailed
    return datetime.fromtimestamp(int(found[1]), UTC)


def _paths(repository: Path, folder: Path, files: Mapping[str, bytes | Unreadable]) -> dict[str, str]:
    """Return, for each file that was read, its path in the repository with links resolved."""
    top = repository.resolve()
    found = {name: Folder(folder).locate(name) for name, data in files.items() if isinstance(data, bytes)}
    real = {name: Path(os.path.realpath(path or folder / name)) for name, path in found.items()}
    return {name: path.relative_to(top).as_posix() for name, path in real.items()}


def _originals(folder: Path, files: Mapping[str, bytes | Unreadable]) -> dict[str, bytes | Unreadable]:
    """Return the files as a commit has them: of a notebook only the cells were kept, so it is read once more."""
    found = dict(files)
    for name, kept in files.items():
        if name.endswith(NOTEBOOK_ENDING) and isinstance(kept, bytes):
            data = Folder(folder).read(name, MAX_NOTEBOOK_BYTES)
            if isinstance(data, bytes) and without_outputs(data, name) == kept:
                found[name] = data
    return found


def _changed(
    git: _ObjectReader, commit: str, paths: Mapping[str, str], files: Mapping[str, bytes | Unreadable]
) -> Iterator[str]:
    """Yield the files whose content is not that in the commit, apart from line ends (CR LF or LF)."""
    if not paths:
        return
    wanted = sorted(set(paths.values()))
    # A commit has each path once. A made-up one may repeat it, and git would list it millions of times.
    most = sum(len(os.fsencode(path)) + _MAX_ENTRY_BYTES for path in wanted)
    listed = git("ls-tree", "-z", commit, "--", *wanted, limit_bytes=most)
    kept = {
        path: entry.split(" ")[2]
        for entry, _, path in (x.partition("\t") for x in os.fsdecode(listed).split("\0"))
        if path
    }
    for name, path in sorted(paths.items()):
        data = files[name]
        assert isinstance(data, bytes)
        if kept.get(path) not in {_blob(data, commit), _blob(data.replace(b"\r\n", b"\n"), commit)}:
            yield name


def _blob(data: bytes, commit: str) -> str:
    """Return git's hash of a file, by the algorithm of this repository."""
    algorithm = "sha1" if len(commit) == 40 else "sha256"
    digest = hashlib.new(algorithm, b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()
