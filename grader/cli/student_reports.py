"""The folder of `grade class --reports`: the JSON report of the students who were graded now, and no others."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from grader.cli.run import write
from grader.core.atomic_write import make_folder
from grader.core.errors import UsageError
from grader.core.file_names import file_names
from grader.core.model import Report, Seen
from grader.core.safetext import printable_name
from grader.grading.messages import DEFAULT_SEED
from grader.report import FORMAT, shown, to_json
from grader.submission import class_folder
from grader.submission.folder import entries
from grader.submission.handed_in import HandedIn

_ENDING, _EARLIER = ".json", ".json.old"
_MARK = f'"format": "{FORMAT.rpartition("/")[0]}/'.encode()
_MARK_WITHIN_BYTES = 100


class StudentReports:
    """Writes reports of a run. Those of an earlier run are set aside first, as NAME.json.old, until replaced.

    Without `shows_seed` a seed that is not the public one is left out: the next hand-ins will be graded with it.
    """

    def __init__(
        self, folder: Path, students: Iterable[str], seen: Mapping[str, Seen], *, shows_seed: bool
    ) -> None:
        """Create the folder where there is none. Raises UsageError where it cannot be written to, or is a link."""
        self._folder, self._seen, self._shows_seed = folder, seen, shows_seed
        self._names = file_names(students)
        try:
            make_folder(folder)
            for path in folder.glob(f"*{_ENDING}"):
                if _is_report(path):
                    path.replace(path.with_suffix(_EARLIER))
        except OSError as error:
            raise UsageError(f"Reports cannot be written to {folder}: {error.strerror}.") from None

    def write(self, student: str, report: Report) -> None:
        """Write what a student may see of a report. Raises UsageError where it cannot be written."""
        name = self._names[student]
        is_public = self._shows_seed or report.seed == DEFAULT_SEED
        visible = shown(report if is_public else replace(report, seed=None), self._seen)
        write(to_json(visible), self._folder / f"{name}{_ENDING}")
        (self._folder / f"{name}{_EARLIER}").unlink(missing_ok=True)

    def left(self) -> list[str]:
        """Return the names of files with reports of an earlier run, of those who were not graded now."""
        return sorted(path.name for path in self._folder.glob(f"*{_EARLIER}"))


def refusing_reports(one: HandedIn) -> HandedIn:
    """Return a hand-in, with a problem if it is a folder of reports: an earlier run may have left it."""
    try:
        if (
            one.problem
            or one.whole is not None
            or not one.path.is_dir()
            or class_folder.is_submission(one.path)
        ):
            return one
        names = [entry.name for entry in entries(one.path) if entry.name.endswith((_ENDING, _EARLIER))]
        if not any(_is_report(one.path / name) for name in names):
            return one
    except OSError:
        return one  # it cannot be read, which is said when it is graded
    problem = (
        f"{printable_name(one.path.name)} holds reports of the grader, and no hand-in. "
        "Move it out of the folder of hand-ins, and run this again."
    )
    return replace(one, problem=problem)


def _is_report(path: Path) -> bool:
    """Tell whether a file is a report, by its beginning: other files in the folder are left alone."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return _MARK in file.read(_MARK_WITHIN_BYTES)
