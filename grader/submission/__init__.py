"""Reads what a student hands in, a folder or a zip: each file once, into memory, within bounds, nothing unpacked."""

from dataclasses import dataclass
from pathlib import Path

from grader.errors import UsageError
from grader.submission.archive import Archive
from grader.submission.folder import Folder
from grader.submission.stored import Recording, Stored
from grader.submission.tree import Tree, Unreadable, decode

__all__ = ["Folder", "Recording", "Snapshot", "Stored", "Submission", "Text", "Unreadable", "open_submission"]

MAX_MODULE_BYTES = 2**20
MAX_ANSWERS_BYTES = 2**18
_MODULE_FOLDERS = ("exercises/", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The modules of one exercise: the text of every Python file beside it, by path below `root`."""

    root: str
    sources: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A file that was read. `name` is its path inside the submission."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Submission:
    """What one student handed in."""

    tree: Tree

    def answers(self, quiz: str) -> Text | Unreadable | None:
        """Read the answers file of a quiz, if there is one."""
        for name in (f"answers/{quiz}.yaml", f"answers/{quiz}.yml"):
            data = self.tree.read(name, MAX_ANSWERS_BYTES)
            if data is not None:
                text = decode(data, name)
                return text if isinstance(text, Unreadable) else Text(name=name, text=text)
        return None

    def snapshot(self, exercise: str) -> Snapshot | Unreadable:
        """Read the module `<exercise>.py` and the Python files beside it."""
        for root in _MODULE_FOLDERS:
            name = f"{root}{exercise}.py"
            data = self.tree.read(name, MAX_MODULE_BYTES)
            if data is not None:
                return self._with_helpers(root, name, decode(data, name))
        reason = "is not there. Put it back with `grade init`, or write it."
        return Unreadable(name=f"exercises/{exercise}.py", reason=reason, attempted=False)

    def _with_helpers(self, root: str, name: str, main: str | Unreadable) -> Snapshot | Unreadable:
        if isinstance(main, Unreadable):
            return main
        if not main.strip():
            reason = "is empty. Put the stub back with `grade init`, or write it."
            return Unreadable(name=name, reason=reason, attempted=False)
        sources = {name.removeprefix(root): main}
        for helper in self.tree.modules(root):
            data = self.tree.read(helper, MAX_MODULE_BYTES) if helper != name else None
            if data is not None:
                text = decode(data, helper)
                # A helper that cannot be read matters to those who import it, and says so to them.
                sources[helper.removeprefix(root)] = (
                    text if isinstance(text, str) else f"raise ImportError({text.sentence!r})"
                )
        return Snapshot(root=root, sources=sources)


def open_submission(path: Path) -> Submission:
    """Return the submission at `path`, a folder or a zip; raise UsageError where there is none."""
    if path.is_dir():
        return Submission(Folder(path))
    if path.is_file():
        return Submission(Archive.open(path))
    raise UsageError(
        f"{path} is not a folder and not a zip. Name the folder of the submission: --submission DIR."
    )
