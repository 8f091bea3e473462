"""Finds the requirement by which pip installs this grader on another machine."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from grader.core.bounded_process import ProcessFailed, output_of
from grader.core.errors import UsageError

_NAME = "convgrader"
_SCP = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)")  # git@example.org:course/grader.git
_WAIT_S = 30.0
_MAX_OUTPUT_BYTES = 2**16  # of a URL or a commit; of longer lists it matters only that they are not empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A requirement for pip, and what may keep another machine from installing it: a sentence each."""

    requirement: str
    cautions: tuple[str, ...] = ()


def find() -> Origin:
    """Return the origin of this grader, from the record that pip wrote when it installed it (PEP 610).

    That is the released version, the URL of an archive, a commit of a repository, or for a checkout its current commit
    in its remote `origin`. Raises UsageError where only this machine has it.
    """
    try:
        installed = distribution(_NAME)
    except PackageNotFoundError:
        raise _unreachable("This grader was not installed by pip") from None
    record = installed.read_text("direct_url.json")
    if record is None:
        return Origin(requirement=f"{_NAME}=={installed.version}")
    return _direct(json.loads(record))


def _direct(record: dict[str, Any]) -> Origin:
    url = record["url"]
    if "vcs_info" in record:
        vcs = record["vcs_info"]
        return _commit(vcs["vcs"], url, vcs["commit_id"], record.get("subdirectory", ""))
    if not url.startswith("file:"):
        return Origin(requirement=f"{_NAME} @ {_without_password(url)}")
    path = Path(url2pathname(urlsplit(url).path))
    if "dir_info" not in record:
        raise _unreachable(f"This grader was installed from {path}, which only this machine has")
    return _checkout(path / record.get("subdirectory", ""))


def _checkout(folder: Path) -> Origin:
    """Return the current commit of a checkout, in its remote."""
    remote, commit = _git(folder, "remote", "get-url", "origin"), _git(folder, "rev-parse", "HEAD")
    if not remote or not commit:
        raise _unreachable(
            f"This grader was installed from {folder}, which is not a git checkout with a remote named origin"
        )
    found = _commit("git", remote, commit, (_git(folder, "rev-parse", "--show-prefix") or "").rstrip("/"))
    return Origin(requirement=found.requirement, cautions=(*found.cautions, *_not_pushed(folder, commit)))


def _not_pushed(folder: Path, commit: str) -> Iterator[str]:
    if _git(folder, "status", "--porcelain"):
        yield f"{folder} has changes that are not committed: they will not be installed."
    if not _git(folder, "branch", "--remotes", "--contains", commit):
        yield f"Commit {commit[:12]} is on no known branch of origin: push it first."


def _commit(vcs: str, url: str, commit: str, subdirectory: str) -> Origin:
    below = f"#subdirectory={quote(subdirectory)}" if subdirectory else ""
    found = f"{vcs}+{_reachable(url)}@{commit}{below}"
    if found.startswith(f"{vcs}+file:"):  # pip accepts it only without a name: such a URL has no host
        local = "The repository is on this machine: no other machine can install it."
        return Origin(requirement=found, cautions=(local,))
    return Origin(requirement=f"{_NAME} @ {found}")


def _reachable(url: str) -> str:
    """Return the URL of a remote for a machine without its keys: by https, and without a password."""
    if "://" in url:
        parts = urlsplit(url)
        if parts.scheme == "ssh":
            return f"https://{parts.hostname}{parts.path}"
        return _without_password(url)
    found = _SCP.fullmatch(url)
    return f"https://{found[1]}/{found[2].lstrip('/')}" if found else Path(url).resolve().as_uri()


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git writes in the grader's checkout, or the beginning of it; None where it fails or is missing."""
    try:
        output = output_of(
            ["git", "-C", str(folder), *arguments], limit_bytes=_MAX_OUTPUT_BYTES, limit_s=_WAIT_S
        )
    except ProcessFailed:
        return None
    return os.fsdecode(output).strip()


def _unreachable(reason: str) -> UsageError:
    return UsageError(
        f"{reason}: another machine cannot install it from there.\n"
        f'Name what pip installs instead: --from "{_NAME} @ git+https://HOST/YOUR/REPOSITORY@COMMIT", '
        "or the URL of a wheel."
    )
