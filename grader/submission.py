"""Takes a snapshot of a student's folder: what is graded is what was there at that moment, read once."""

from dataclasses import dataclass
from pathlib import Path

from grader.errors import UsageError

MAX_FILES = 200
MAX_FILE_BYTES = 2**20
_MODULE_FOLDERS = ("exercises", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The modules of one exercise: the text of every Python file beside it, by path below `root`."""

    root: str
    sources: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Why there is nothing to grade for one exercise. `attempted` is false where the student wrote nothing."""

    sentence: str
    attempted: bool


@dataclass(frozen=True, slots=True)
class Submission:
    """A student's folder."""

    folder: Path

    def answers(self, quiz: str) -> Path | None:
        """Return the answers file of a quiz, if there is one."""
        for name in (f"{quiz}.yaml", f"{quiz}.yml"):
            path = self.folder / "answers" / name
            if path.exists() or path.is_symlink():
                return path
        return None

    def snapshot(self, exercise: str) -> Snapshot | Unreadable:
        """Read the module `<exercise>.py` and the Python files beside it."""
        for root in _MODULE_FOLDERS:
            path = self.folder / root / f"{exercise}.py"
            if path.exists() or path.is_symlink():
                shown = f"{root}/" if root else ""
                return self._read(path, shown)
        sentence = f"There is no exercises/{exercise}.py. Put it back with `grade init`, or write it."
        return Unreadable(sentence=sentence, attempted=False)

    def _read(self, module: Path, root: str) -> Snapshot | Unreadable:
        main = self._text(module, f"{root}{module.name}")
        if isinstance(main, Unreadable):
            return main
        if not main.strip():
            sentence = f"{root}{module.name} is empty. Put the stub back with `grade init`, or write it."
            return Unreadable(sentence=sentence, attempted=False)
        sources = {module.name: main}
        for path in sorted(module.parent.rglob("*.py"))[:MAX_FILES]:
            name = path.relative_to(module.parent).as_posix()
            if path == module or any(part.startswith(".") for part in path.parts[len(module.parent.parts) :]):
                continue
            text = self._text(path, f"{root}{name}")
            sources[name] = text if isinstance(text, str) else f"raise ImportError({text.sentence!r})"
        return Snapshot(root=root, sources=sources)

    def _text(self, path: Path, shown: str) -> str | Unreadable:
        """Return the text of a file inside the folder, or why it is not read."""
        if not path.resolve().is_relative_to(self.folder.resolve()):
            return Unreadable(
                sentence=f"{shown} is a link out of this folder. Copy the file instead.", attempted=True
            )
        if not path.is_file():
            return Unreadable(sentence=f"{shown} is not a file.", attempted=True)
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            return Unreadable(sentence=f"{shown} cannot be read: {error.strerror}.", attempted=True)
        if len(data) > MAX_FILE_BYTES:
            return Unreadable(
                sentence=f"{shown} is larger than 1 MiB. Code is smaller than that.", attempted=True
            )
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            sentence = (
                f"{shown} is not UTF-8 text (line {line}). Save it as UTF-8 in your editor, and grade again."
            )
            return Unreadable(sentence=sentence, attempted=True)


def open_submission(folder: Path) -> Submission:
    """Return the submission in `folder`; raise UsageError where there is none."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder. Name the folder of the submission: --submission DIR.")
    return Submission(folder)
