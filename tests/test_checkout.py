"""A git checkout as a submission: HEAD tells when, nothing in the repository runs, and nothing of it is graded."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import tracemalloc
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from grader.classroom.gradebook import Gradebook
from grader.cli.classes import class_command
from grader.core.safetext import printable_name
from grader.submission import Recording, git_checkout, open_submission
from grader.submission.collection import find
from grader.submission.handed_in import HandedIn, Moment

pytestmark = pytest.mark.usefixtures("forked_warm_processes")

COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")
COMMITTED = datetime(2026, 3, 1, 22, 59, 7, tzinfo=UTC)
WRITTEN = datetime(2026, 5, 5, tzinfo=UTC)


def git(folder: Path, *arguments: str, check: bool = True, given: str = "") -> str:
    environment = {
        **os.environ,
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z",
        "GIT_COMMITTER_NAME": "> 99 +0000", "GIT_COMMITTER_EMAIL": "c@example.org",
        "GIT_COMMITTER_DATE": "2026-03-01T23:59:07+01:00",
    }  # fmt: skip
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(
        command, env=environment, input=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.strip()


def commit(folder: Path, *options: str) -> None:
    git(folder, "init", "--quiet", "--initial-branch=main", *options)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "all")


def date(folder: Path) -> None:
    """Give every file the time WRITTEN, as if the checkout had been copied then."""
    for path in folder.rglob("*"):
        if not path.is_symlink() and ".git" not in path.parts:
            os.utime(path, (WRITTEN.timestamp(), WRITTEN.timestamp()))


@pytest.fixture
def ada(tmp_path):
    """A student's checkout, all of it committed."""
    folder = tmp_path / "handed-in" / "ada"
    (folder / "exercises").mkdir(parents=True)
    (folder / "exercises" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    commit(folder)
    date(folder)
    return folder


def found(folder: Path) -> HandedIn:
    (one,) = find(folder.parent)
    return one


def moment(folder: Path) -> Moment:
    """When it was handed in, by what the grader reads of it."""
    one = found(folder)
    recording = Recording(one.open().tree)
    for path in recording.modules(""):
        recording.read(path, 10**6)
    return one.moment(recording.kept.files)


# --- when


@pytest.mark.parametrize("head", ["branch", "packed", "detached", "packed objects"])
def test_it_was_handed_in_when_it_was_committed(ada, head):
    if head == "packed":
        git(ada, "pack-refs", "--all")
        assert not (ada / ".git" / "refs" / "heads" / "main").exists()
    if head == "detached":
        git(ada, "checkout", "--quiet", "--detach")
    if head == "packed objects":
        git(ada, "gc", "--quiet", "--aggressive")
    assert moment(ada) == Moment(at=COMMITTED)


def test_a_repository_of_sha256_is_read_too(tmp_path):
    folder = tmp_path / "handed-in" / "ada"
    folder.mkdir(parents=True)
    (folder / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    commit(folder, "--object-format=sha256")
    assert (moment(folder).at, moment(folder).note) == (COMMITTED, "")


def test_a_hand_in_may_lie_deeper_in_the_students_checkout(tmp_path):
    folder = tmp_path / "handed-in" / "ada"
    (folder / "week4" / "exercises").mkdir(parents=True)
    (folder / "week4" / "exercises" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    commit(folder)
    assert found(folder).path.name == "week4"
    assert (moment(folder).at, moment(folder).note) == (COMMITTED, "")


def test_the_repository_that_the_class_lies_in_says_nothing(tmp_path):
    folder = tmp_path / "handed-in" / "ada"
    (folder / "exercises").mkdir(parents=True)
    (folder / "exercises" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    commit(tmp_path)
    date(folder)
    assert moment(folder).at == WRITTEN


def test_what_nbgrader_noted_comes_first(ada):
    (ada / "timestamp.txt").write_text("2026-04-04 10:00:00 UTC", encoding="utf-8")
    assert moment(ada).at == datetime(2026, 4, 4, 10, tzinfo=UTC)


# --- what is not committed


def test_what_is_graded_but_not_committed_is_named(ada):
    (ada / "exercises" / "scaling.py").write_text("changed", encoding="utf-8")
    (ada / ".gitignore").write_text("*\n", encoding="utf-8")
    (ada / "exercises" / "new.py").write_text("", encoding="utf-8")
    (ada / "notes.txt").write_text("not graded", encoding="utf-8")
    assert moment(ada).at == COMMITTED
    assert moment(ada).note == (
        "not in its last commit, or changed since: exercises/new.py, exercises/scaling.py"
    )


@pytest.mark.parametrize(
    "name", [b"gr\xf6sse.py", b"a\nb.py", "gro\u0308sse.py".encode(), b"a\\b.py", b"*.py"]
)
def test_a_file_of_any_name_is_known_to_be_committed(ada, name):
    path = ada / "exercises" / os.fsdecode(name)
    path.write_text("x = 1", encoding="utf-8")
    git(ada, "add", ".")
    git(ada, "commit", "--quiet", "-m", "more")
    assert moment(ada).note == ""
    path.write_text("x = 2", encoding="utf-8")
    assert (
        moment(ada).note == f"not in its last commit, or changed since: exercises/{printable_name(path.name)}"
    )


def test_other_ends_of_lines_are_no_change_and_a_link_is_what_it_leads_to(ada):
    (ada / "exercises" / "scaling.py").write_bytes(REFERENCE.replace("\n", "\r\n").encode())
    (ada / "exercises" / "again.py").symlink_to("scaling.py")
    assert moment(ada).note == ""


# --- a repository that cannot be read


def _file(folder: Path) -> None:
    (folder / ".git").rename(folder.parent.parent / "elsewhere")
    (folder / ".git").write_text("gitdir: ../../elsewhere", encoding="utf-8")


def _link(folder: Path) -> None:
    (folder / ".git").rename(folder.parent.parent / "elsewhere")
    (folder / ".git").symlink_to("../../elsewhere")


def _objects_elsewhere(folder: Path) -> None:
    (folder / ".git" / "objects").rename(folder.parent.parent / "elsewhere")
    (folder / ".git" / "objects").symlink_to("../../../elsewhere")


def _unborn(folder: Path) -> None:
    git(folder, "symbolic-ref", "HEAD", "refs/heads/none")


def _fifo(folder: Path) -> None:
    (folder / ".git" / "HEAD").unlink()
    os.mkfifo(folder / ".git" / "HEAD")


def _outside(folder: Path) -> None:
    hash_ = git(folder, "rev-parse", "HEAD")
    (folder.parent.parent / "hash").write_text(hash_, encoding="utf-8")
    (folder / ".git" / "HEAD").write_text("ref: refs/../../../../hash", encoding="utf-8")


def _no_hash(folder: Path) -> None:
    (folder / ".git" / "HEAD").write_text("--output=/tmp/x", encoding="utf-8")


def _damaged(folder: Path) -> None:
    for path in (folder / ".git" / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"damaged")


def _tree(folder: Path) -> None:
    (folder / ".git" / "HEAD").write_text(git(folder, "rev-parse", "HEAD^{tree}"), encoding="utf-8")


def _no_time(folder: Path) -> None:
    text = git(folder, "cat-file", "commit", "HEAD").replace(" +0100", " tomorrow")
    made = git(folder, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", given=text)
    (folder / ".git" / "HEAD").write_text(made, encoding="utf-8")


def _no_year(folder: Path) -> None:
    text = git(folder, "cat-file", "commit", "HEAD").replace("1772405947", "999999999999")
    made = git(folder, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", given=text)
    (folder / ".git" / "HEAD").write_text(made, encoding="utf-8")


def _far_year(folder: Path) -> None:
    text = git(folder, "cat-file", "commit", "HEAD").replace("1772405947", "99999999999")
    made = git(folder, "hash-object", "-t", "commit", "-w", "--stdin", given=f"{text}\n")
    (folder / ".git" / "HEAD").write_text(made, encoding="utf-8")


def _loop_of_links(folder: Path) -> None:
    shutil.rmtree(folder / ".git" / "objects")
    (folder / ".git" / "objects").symlink_to("objects")


def _object(folder: Path, kind: str, size: int, head: str) -> None:
    """Write an object whose header may lie, as if it were the commit of HEAD."""
    path = folder / ".git" / "objects" / head[:2] / head[2:]
    path.parent.mkdir(exist_ok=True)
    packer = zlib.compressobj(1)
    with path.open("wb") as file:
        file.write(packer.compress(f"{kind} {size}\0".encode()))
        for _ in range(512):
            file.write(packer.compress(bytes(2**20)))
        file.write(packer.flush())
    (folder / ".git" / "HEAD").write_text(head, encoding="utf-8")


def _huge(folder: Path) -> None:
    _object(folder, "commit", 512 * 2**20, "a" * 40)


def _huge_that_says_it_is_small(folder: Path) -> None:
    _object(folder, "commit", 200, "b" * 40)


def _fifo_of_objects(folder: Path) -> None:
    head = git(folder, "rev-parse", "HEAD")
    path = folder / ".git" / "objects" / head[:2] / head[2:]
    path.unlink()
    os.mkfifo(path)


def _elsewhere(folder: Path) -> Path:
    """Move the folder of objects away, as if it were another student's, and put an empty one in its place."""
    objects, elsewhere = folder / ".git" / "objects", folder.parent.parent / "e"
    objects.rename(elsewhere)
    for name in ("info", "pack"):
        (objects / name).mkdir(parents=True, exist_ok=True)
    return elsewhere


def _alternates(folder: Path) -> None:
    text = f"{_elsewhere(folder)}\n"
    (folder / ".git" / "objects" / "info" / "alternates").write_text(text, encoding="utf-8")


def _relative_alternates(folder: Path) -> None:
    _elsewhere(folder)
    (folder / ".git" / "objects" / "info" / "alternates").write_text("../../../../e", encoding="utf-8")


def _linked_alternates(folder: Path) -> None:
    (folder.parent.parent / "list").write_text(f"{_elsewhere(folder)}\n", encoding="utf-8")
    (folder / ".git" / "objects" / "info" / "alternates").symlink_to("../../../../../list")


def _http_alternates(folder: Path) -> None:
    path = folder / ".git" / "objects" / "info" / "http-alternates"
    path.parent.mkdir(exist_ok=True)
    path.write_text("https://example.org/a.git/objects", encoding="utf-8")


def _linked_folders(folder: Path) -> None:
    for path in _elsewhere(folder).glob("??"):
        (folder / ".git" / "objects" / path.name).symlink_to(path)


def _linked_objects(folder: Path) -> None:
    for path in _elsewhere(folder).glob("??/*"):
        link = folder / ".git" / "objects" / path.parent.name / path.name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(path)


def _linked_packs(folder: Path) -> None:
    git(folder, "gc", "--quiet")
    for path in _elsewhere(folder).glob("pack/*"):
        (folder / ".git" / "objects" / "pack" / path.name).symlink_to(path)


def _linked_folder_of_packs(folder: Path) -> None:
    git(folder, "gc", "--quiet")
    pack = _elsewhere(folder) / "pack"
    (folder / ".git" / "objects" / "pack").rmdir()
    (folder / ".git" / "objects" / "pack").symlink_to(pack)


def _linked_info(folder: Path) -> None:
    elsewhere = _elsewhere(folder)
    (folder.parent.parent / "alternates").write_text(f"{elsewhere}\n", encoding="utf-8")
    (folder / ".git" / "objects" / "info").rmdir()
    (folder / ".git" / "objects" / "info").symlink_to("../../../..")


def _index_of_packs_elsewhere(folder: Path) -> None:
    """Let a multi-pack-index name a pack by a path, which git follows."""
    git(folder, "gc", "--quiet")
    git(folder, "multi-pack-index", "write")
    elsewhere = _elsewhere(folder) / "pack"
    index = (elsewhere / "multi-pack-index").read_bytes()
    (pack,) = elsewhere.glob("*.pack")
    name = f"../../../../../e/pack/{pack.stem[:9]}.idx".encode()
    pack.rename(elsewhere / f"{pack.stem[:9]}.pack")
    pack.with_suffix(".idx").rename(elsewhere / f"{pack.stem[:9]}.idx")
    old = f"{pack.stem}.idx".encode()
    index = index.replace(old, name.ljust(len(old), b"\0"))
    (folder / ".git" / "objects" / "pack" / "multi-pack-index").write_bytes(index)


def _too_many_objects(folder: Path) -> None:
    (folder / ".git" / "objects" / "00").mkdir(exist_ok=True)
    for number in range(git_checkout._MAX_OBJECT_FILES + 1):
        (folder / ".git" / "objects" / "00" / str(number)).touch()


BROKEN = {
    _file: "not a folder of its own", _link: "not a folder of its own", _objects_elsewhere: "not a folder of its own",
    _unborn: "no commit is found", _fifo: "no commit is found", _outside: "no commit is found", _no_hash: "no commit is found",
    _damaged: "cannot be read", _tree: "cannot be read", _no_time: "cannot be read", _no_year: "cannot be read",
    _far_year: "committed in 5138", _loop_of_links: "not a folder of its own",
    _huge: "cannot be read", _huge_that_says_it_is_small: "cannot be read", _fifo_of_objects: "cannot be read",
    _alternates: "borrows objects", _relative_alternates: "borrows objects", _linked_alternates: "borrows objects",
    _http_alternates: "borrows objects", _linked_folders: "holds a link", _linked_objects: "holds a link",
    _linked_packs: "holds a link", _linked_folder_of_packs: "holds a link", _linked_info: "borrows objects",
    _index_of_packs_elsewhere: "cannot be read", _too_many_objects: "more than 50,000 files",
}  # fmt: skip


@pytest.mark.parametrize(("broken", "reason"), BROKEN.items(), ids=lambda x: getattr(x, "__name__", ""))
def test_a_repository_that_cannot_be_read_is_a_folder_and_says_so(ada, monkeypatch, broken, reason):
    monkeypatch.setattr(git_checkout, "_GIT_LIMIT_S", 2.0)
    broken(ada)
    date(ada)
    began = time.monotonic()
    handed_in = moment(ada)
    assert time.monotonic() - began < 8
    assert handed_in.at == WRITTEN
    assert reason in handed_in.note
    assert handed_in.note.startswith("a git checkout, but ")
    assert handed_in.note.endswith(": its newest file tells the time")


def _write_object(folder: Path, kind: str, content: bytes) -> bytes:
    """Write an object, which git itself would not make, and return its hash."""
    data = f"{kind} {len(content)}\0".encode() + content
    digest = hashlib.sha1(data, usedforsecurity=False)
    path = folder / ".git" / "objects" / digest.hexdigest()[:2] / digest.hexdigest()[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(data, 1))
    return digest.digest()


def _commit_tree(folder: Path, files: bytes, *, copies: int) -> None:
    """Commit a tree with `copies` folders exercises/, each of which has the entries `files`."""
    below = _write_object(folder, "tree", files)
    tree = _write_object(folder, "tree", (b"40000 exercises\0" + below) * copies)
    made = git(folder, "commit-tree", "-m", "made up", tree.hex())
    git(folder, "update-ref", "refs/heads/main", made)
    date(folder)


@pytest.mark.parametrize("copies", [(200_000, 1), (1, 50_000), (50_000, 50_000)])
def test_a_tree_that_repeats_its_entries_costs_no_memory(ada, copies):
    entry = b"100644 scaling.py\0" + _write_object(ada, "blob", REFERENCE.encode())
    _commit_tree(ada, entry * copies[0], copies=copies[1])
    one = found(ada)
    tracemalloc.start()
    try:
        handed_in = one.moment({"exercises/scaling.py": REFERENCE.encode()})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20
    assert (handed_in.at, "its commit cannot be read" in handed_in.note) == (WRITTEN, True)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of another process")
@pytest.mark.parametrize("is_limited", [False, True])
def test_the_memory_of_git_is_limited_over_all_that_it_holds(ada, monkeypatch, is_limited):
    if is_limited:
        monkeypatch.setattr(git_checkout, "_MEMORY_LIMIT_BYTES", 2**25)
    blob = _write_object(ada, "blob", REFERENCE.encode())
    others = b"".join(b"100644 t%07d.py\0" % number + blob for number in range(1_000_000))
    _commit_tree(ada, b"100644 scaling.py\0" + blob + others, copies=1)
    assert moment(ada).at == (WRITTEN if is_limited else COMMITTED)


def test_without_git_it_is_a_folder_and_says_so(ada, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    handed_in = moment(ada)
    assert handed_in.at == WRITTEN
    assert "git is not installed here" in handed_in.note


# --- nothing in it runs


def _hostile(folder: Path, canary: Path) -> None:
    """Name a program wherever a repository can name one."""
    program = folder / ".git" / "program"
    program.write_text(f"#!/bin/sh\necho ran >> '{canary}'\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    run = str(program)
    for name in (
        "post-index-change",
        "reference-transaction",
        "pre-commit",
        "post-checkout",
        "fsmonitor-watchman",
    ):
        hook = folder / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(program.read_text(encoding="utf-8"), encoding="utf-8")
        hook.chmod(0o755)
    for key, value in {
        "core.fsmonitor": run, "core.sshCommand": run, "core.pager": run, "core.editor": run, "core.gitProxy": run,
        "core.hooksPath": str(folder / ".git" / "hooks"), "core.alternateRefsCommand": run, "diff.external": run,
        "pager.log": run, "pager.cat-file": run, "pager.ls-tree": run, "gpg.program": run, "log.showSignature": "true",
        "filter.x.clean": run, "filter.x.smudge": run, "filter.x.process": run, "diff.x.textconv": run, "diff.x.command": run,
        "alias.cat-file": f"!{run}", "alias.ls-tree": f"!{run}", "credential.helper": f"!{run}",
        "core.repositoryFormatVersion": "1", "extensions.partialClone": "origin", "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{run}", "remote.origin.uploadpack": run, "protocol.ext.allow": "always",
        "include.path": "/dev/stdin", "core.worktree": "/",
    }.items():  # fmt: skip
        git(folder, "config", key, value)
    for place in (folder / ".gitattributes", folder / ".git" / "info" / "attributes"):
        place.parent.mkdir(exist_ok=True)
        place.write_text("* filter=x diff=x\n", encoding="utf-8")


def test_no_program_that_a_repository_names_is_run(ada, tmp_path):
    canary = tmp_path / "canary"
    _hostile(ada, canary)
    (ada / "exercises" / "scaling.py").write_text(REFERENCE + "\n", encoding="utf-8")
    handed_in = moment(ada)
    assert handed_in.at == COMMITTED
    assert handed_in.note.endswith("changed since: exercises/scaling.py")
    assert not canary.exists()
    git(ada, "--work-tree=.", "status", check=False)
    assert canary.exists(), "the repository of this test is harmless, and proves nothing"


def test_a_commit_that_is_missing_is_fetched_from_nowhere(ada, tmp_path):
    canary = tmp_path / "canary"
    _hostile(ada, canary)
    git(ada, "config", "--unset", "core.fsmonitor")
    (ada / ".git" / "HEAD").write_text("c" * 40, encoding="utf-8")
    assert "cannot be read" in moment(ada).note
    assert not canary.exists()
    git(ada, "-c", "core.worktree=.", "cat-file", "commit", "c" * 40, check=False)
    assert canary.exists(), "the repository of this test is harmless, and proves nothing"


def test_submodules_and_links_do_no_harm(ada, tmp_path):
    canary = tmp_path / "canary"
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "answers.py").write_text("SECRET = 1\n", encoding="utf-8")
    inner = ada / "inner"
    inner.mkdir()
    (inner / "part.py").write_text("", encoding="utf-8")
    commit(inner)
    git(ada, "add", "inner")
    (ada / "out").symlink_to(secret)
    (ada / "out.py").symlink_to(secret / "answers.py")
    git(ada, "add", "out", "out.py")
    git(ada, "commit", "--quiet", "-m", "with a submodule")
    _hostile(inner, canary)
    handed_in = moment(ada)
    assert handed_in.at == COMMITTED
    assert handed_in.note.endswith("changed since: inner/part.py")
    assert not canary.exists()
    submission = open_submission(ada)
    assert "out/answers.py" not in submission.tree.modules("")
    assert "leads out of this folder" in str(submission.tree.read("out.py", 100))


def test_nothing_in_git_is_graded(ada):
    (ada / ".git" / "kept").mkdir()
    (ada / ".git" / "kept" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    (ada / "exercises" / "scaling.py").unlink()
    (ada / "exercises").rmdir()
    (ada / "exercises").symlink_to(".git/kept")
    submission = open_submission(ada)
    assert [name for name in submission.tree.modules("") if ".git" in name] == []
    read = submission.snapshot("scaling")
    assert "is a link into .git" in str(read)


# --- as an instructor sees it


def test_the_uncommitted_files_of_a_class_of_checkouts_are_reported_and_recorded(ada, tmp_path, monkeypatch):
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))
    bob = ada.parent / "bob"
    bob.mkdir()
    commit(bob)
    (bob / "scaling.py").write_text("def double(x):\n    return 2 * x\n", encoding="utf-8")
    book = tmp_path / "course.db"
    done = CliRunner().invoke(
        class_command, [str(ada.parent), "--gradebook", str(book)], standalone_mode=False
    )
    assert done.return_value == 0, done.output
    lines = done.output.splitlines()
    place = next(n for n, line in enumerate(lines) if line.endswith("  bob"))
    assert lines[place + 1] == f"{'':>26}not in its last commit, or changed since: scaling.py"
    assert sum("last commit" in line for line in lines) == 1
    with Gradebook(book) as opened:
        assert {name: opened.last(name).submitted_at for name in ("ada", "bob")} == {
            "ada": COMMITTED,
            "bob": COMMITTED,
        }


# --- limits: the largest that is accepted, and one byte more


@pytest.mark.parametrize(
    ("name", "limit"), [("HEAD", 2**10), ("refs/heads/main", 2**10), ("packed-refs", 2**22)]
)
@pytest.mark.parametrize("more", [0, 1])
def test_the_files_that_name_a_commit_have_limits(ada, name, limit, more):
    if name == "packed-refs":
        git(ada, "pack-refs", "--all")
    path = ada / ".git" / name
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "\n" * (limit + more - len(text)), encoding="utf-8")
    expected = (WRITTEN, "no commit is found") if more else (COMMITTED, "")
    assert moment(ada).at == expected[0]
    assert expected[1] in moment(ada).note


@pytest.mark.parametrize("more", [0, 1])
def test_a_commit_may_have_64_kibibytes_and_no_more(ada, more):
    tree = git(ada, "rev-parse", "HEAD^{tree}")
    head = f"tree {tree}\nauthor A <a@example.org> 1 +0000\ncommitter C <c@example.org> {COMMITTED.timestamp():.0f} +0000\n\n"
    written = git(ada, "hash-object", "-t", "commit", "-w", "--stdin", given=head.ljust(2**16 + more, "m"))
    git(ada, "update-ref", "refs/heads/main", written)
    assert moment(ada).at == (WRITTEN if more else COMMITTED)
    assert ("its commit cannot be read" in moment(ada).note) == bool(more)
