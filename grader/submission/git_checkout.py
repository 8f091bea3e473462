"""When a git checkout was committed, and which of its files were not: read without trusting the repository.

A repository's own configuration can name programs (core.fsmonitor, filters, hooks, a remote's uploadpack), so it is
never read: git runs in an empty repository of ours and borrows only the student's folder of objects. HEAD and what it
refers to are read here, as plain files. No link leads out, and time and memory have limits.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from grader.submission import Folder, Unreadable

_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")  # SHA-1, or SHA-256
_REF = re.compile(r"ref: (refs/[\w./-]+)")
_COMMITTER = re.compile(rb"committer .*> (\d{1,11}) [+-]\d{4}")
_MAX_REF_BYTES = 2**10
_MAX_PACKED_REFS_BYTES = 2**22
_MAX_COMMIT_BYTES = 2**16
_ALLOCATION_LIMIT = "64m"  # of one allocation of git's: an object that unpacks to gigabytes ends it
_WAIT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The commit of HEAD: its committer's time, and which of the files asked about differ from it."""

    at: datetime
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCommit:
    """Why HEAD cannot be told."""

    reason: str


class _Failed(Exception):
    """Git did not answer."""


def head(repository: Path, folder: Path, files: Mapping[str, bytes | Unreadable]) -> Commit | NoCommit:
    """Return the commit that the checkout `repository` is at, and which of these files below `folder` it lacks."""
    git = shutil.which("git")
    if git is None:
        return NoCommit(reason="git is not installed here")
    objects = repository / ".git" / "objects"
    if objects.resolve() != repository.resolve() / ".git" / "objects" or not objects.is_dir():
        return NoCommit(reason="its .git is no folder of its own")
    commit = _commit_of_head(Folder(repository / ".git"))
    if commit is None:
        return NoCommit(reason="no commit is found in its .git")
    with tempfile.TemporaryDirectory(prefix="convgrader-") as empty:
        borrowed = _Borrowed(git, _empty_repository(Path(empty), commit), objects)
        try:
            at = _committed_at(borrowed, commit)
            changed = tuple(_changed(borrowed, commit, _paths(repository, folder, files), files))
        except (_Failed, ValueError, OverflowError, OSError):
            return NoCommit(reason="its commit cannot be read")
    return Commit(at=at, changed=changed)


def _commit_of_head(git_folder: Folder) -> str | None:
    """Return the hash that HEAD stands for: its own, or that of the branch it names."""
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
    """Make what git takes for a bare repository: no hooks, no remotes, a configuration of ours."""
    for name in ("objects", "refs"):
        (folder / name).mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/none\n", encoding="utf-8")
    kind = "sha1" if len(commit) == 40 else "sha256"
    config = f"[core]\nrepositoryformatversion = 1\nbare = true\n[extensions]\nobjectformat = {kind}\n"
    (folder / "config").write_text(config, encoding="utf-8")
    return folder


@dataclass(frozen=True, slots=True)
class _Borrowed:
    """Git, in an empty repository that borrows a folder of objects."""

    git: str
    empty: Path
    objects: Path

    def __call__(self, *arguments: str, given: bytes = b"") -> bytes:
        """Return what a command of git writes."""
        environment = {
            **{name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ},
            "GIT_DIR": str(self.empty),
            "GIT_OBJECT_DIRECTORY": str(self.objects.resolve()),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ALLOW_PROTOCOL": "none",  # nothing is fetched, whatever is missing
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_ALLOC_LIMIT": _ALLOCATION_LIMIT,
        }
        try:
            done = subprocess.run(
                [self.git, *arguments],
                input=given,
                cwd=self.empty,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_WAIT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _Failed from error
        if done.returncode:
            raise _Failed
        return done.stdout


def _committed_at(git: _Borrowed, commit: str) -> datetime:
    """Return the committer's time. The size is asked for first: what is larger than a commit is not read."""
    told = git("cat-file", "--batch-check", given=f"{commit}\n".encode()).split()
    if len(told) != 3 or told[1] != b"commit" or int(told[2]) > _MAX_COMMIT_BYTES:
        raise _Failed
    header, _, _ = git("cat-file", "commit", commit).partition(b"\n\n")
    found = next(filter(None, map(_COMMITTER.fullmatch, header.split(b"\n"))), None)
    if found is None:
        raise _Failed
    return datetime.fromtimestamp(int(found[1]), UTC)


def _paths(repository: Path, folder: Path, files: Mapping[str, bytes | Unreadable]) -> dict[str, str]:
    """Return, for each file that was read, its path in the repository, where links lead to."""
    top = repository.resolve()
    real = {name: (folder / name).resolve() for name, data in files.items() if isinstance(data, bytes)}
    return {name: path.relative_to(top).as_posix() for name, path in real.items()}


def _changed(
    git: _Borrowed, commit: str, paths: Mapping[str, str], files: Mapping[str, bytes | Unreadable]
) -> Iterator[str]:
    """Yield the files that are not in the commit as they were read; the ends of lines may differ."""
    if not paths:
        return
    listed = git("ls-tree", "-z", commit, "--", *sorted(set(paths.values()))).decode("utf-8", "replace")
    kept = {
        path: entry.split(" ")[2]
        for entry, _, path in (x.partition("\t") for x in listed.split("\0"))
        if path
    }
    for name, path in sorted(paths.items()):
        data = files[name]
        assert isinstance(data, bytes)
        if kept.get(path) not in {_blob(data, commit), _blob(data.replace(b"\r\n", b"\n"), commit)}:
            yield name


def _blob(data: bytes, commit: str) -> str:
    """Return the hash that git gives a file, by the algorithm of this repository."""
    algorithm = "sha1" if len(commit) == 40 else "sha256"
    digest = hashlib.new(algorithm, b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()
