"""The magics `%%grade` and `%grade`, with a warm process that lasts as long as the kernel."""

import atexit
import builtins
import contextlib
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.core.errors import GraderError, UsageError
from grader.core.model import Exercise, ExerciseResult
from grader.core.suggestions import question
from grader.course import catalog
from grader.course.catalog import Course
from grader.course.visibility import seen as seen_of
from grader.grading import attempt
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import Job
from grader.report import Help, Style, list_text, shown_exercise
from grader.submission import python_of
from grader.workspace.notebook.cell_output import WIDTH, bundle
from grader.workspace.opened_hints import OpenedHints

_UNKNOWN_NAME = re.compile(r"NameError: name '(\w+)' is not defined")
_USAGE = (
    "Write %%grade EXERCISE [--seed N] above the code of a cell; %grade alone lists the exercises, "
    "and %grade hint EXERCISE opens a hint."
)
_INTERRUPTED = "Interrupted: this cell was not graded."


class _Refused(Exception):
    """Raised for a magic that cannot be run as typed. The message says why, in a line or two."""


def load(shell: Any) -> None:
    """Register the magics in an IPython shell, and start the warm process."""
    session = NotebookSession(shell)
    shell.register_magic_function(session.magic, magic_kind="line_cell", magic_name="grade")
    shell.grader_session = session
    session.warm()
    atexit.register(session.stop)


def unload(shell: Any) -> None:
    """Remove the magics, and end the warm process."""
    session: NotebookSession = shell.grader_session
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("grade", None)
    session.stop()
    atexit.unregister(session.stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arguments:
    """The arguments of a magic."""

    exercises: tuple[str, ...]
    seed: int


def _read(line: str) -> _Arguments:
    try:
        words = shlex.split(line)
        at = words.index("--seed") if "--seed" in words else len(words)
        seed = int(words[at + 1]) if at < len(words) else 0
        names = (*words[:at], *words[at + 2 :])
    except (ValueError, IndexError):
        raise _Refused(f"{line.strip()!r} cannot be read. {_USAGE}") from None
    if any(name.startswith("-") for name in names):
        raise _Refused(f"%%grade has one option, --seed N. {_USAGE}")
    return _Arguments(exercises=names, seed=seed)


@dataclass(slots=True)
class NotebookSession:
    """The state of one kernel: the last cell of each exercise, by id, its result, and the warm process."""

    shell: Any
    cells: dict[str, str] = field(default_factory=dict)
    results: dict[str, ExerciseResult] = field(default_factory=dict)
    _dispatcher: Dispatcher | None = None

    def magic(self, line: str, cell: str | None = None) -> None:
        """Run a cell and grade it as an exercise; without a cell, grade or list what has been run so far.

        %%grade pooling       above the code: run the cell, grade it, show the report
        %grade pooling        grade that cell again, as it was when it was last run
        %grade                list the exercises and what their cells earned
        %grade hint pooling   open the next hint; %grade hint pooling 1 shows the first again
        """
        from IPython.core import error as ipython  # noqa: PLC0415 - this runs only inside IPython

        try:
            words = line.split()
            course = catalog.load(catalog.find_root())
            if cell is not None:
                self._cell(course, _read(line), line, cell)
            elif words[:1] == ["hint"]:
                self._hint(course, words[1:])
            elif words:
                self._again(course, _read(line))
            else:
                self._list(course)
        except (_Refused, GraderError) as error:
            raise ipython.UsageError(str(error)) from None  # IPython shows it without a traceback
        except KeyboardInterrupt:
            raise ipython.UsageError(_INTERRUPTED) from None

    def warm(self) -> Dispatcher:
        """Return the warm process; start one where there is none, or where it has died."""
        if self._dispatcher is None or not self._dispatcher.is_alive():
            self.stop()
            self._dispatcher = Dispatcher(many=True)
        return self._dispatcher

    def stop(self) -> None:
        """End the warm process."""
        if self._dispatcher is not None:
            self._dispatcher.stop()
            self._dispatcher = None

    def _cell(self, course: Course, arguments: _Arguments, line: str, cell: str) -> None:
        if len(arguments.exercises) != 1:
            raise _Refused(f"A cell is graded as one exercise. {_USAGE}")
        exercise = _exercise(course, arguments.exercises[0])
        text = python_of(f"%%grade {line}\n{cell}")
        self.cells[exercise.id] = text
        if _compiles(text):  # else the report explains the syntax error, better than a traceback does
            self._run(line, cell)
        self._grade(exercise, arguments.seed)

    def _run(self, line: str, cell: str) -> None:
        """Run a cell as the notebook would. A comment keeps its line numbers, except above another `%%magic`."""
        text = cell if cell.startswith("%%") else f"# %%grade {line}\n{cell}"
        ended = self.shell.run_cell(text, store_history=False)
        if isinstance(ended.error_in_exec, KeyboardInterrupt):
            raise _Refused(_INTERRUPTED)

    def _hint(self, course: Course, words: Sequence[str]) -> None:
        match words:
            case [name]:
                number = None
            case [name, digits] if digits.isdecimal() and int(digits):
                number = int(digits)
            case _:
                raise _Refused("Write %grade hint EXERCISE, or %grade hint EXERCISE NUMBER to see one again.")
        hint = OpenedHints(Path.cwd()).next(_exercise(course, name), number, width=WIDTH)
        self._publish({"text/plain": hint})

    def _again(self, course: Course, arguments: _Arguments) -> None:
        exercises = [_exercise(course, name) for name in arguments.exercises]
        for exercise in exercises:
            if exercise.id not in self.cells:
                raise _Refused(f"No cell %%grade {exercise.id} has been run yet. {_USAGE}")
        for exercise in exercises:
            self._grade(exercise, arguments.seed)

    def _list(self, course: Course) -> None:
        results = [self.results[exercise.id] for exercise in course.exercises if exercise.id in self.results]
        style = Style(width=WIDTH)
        not_graded = [exercise.id for exercise in course.exercises if exercise.id not in self.results]
        lines = [list_text(results, (), style).rstrip()] if results else []
        lines += [f"Not graded here yet: {', '.join(not_graded)}. {_USAGE}"] if not_graded else []
        self._publish({"text/plain": "\n".join(lines)})

    def _grade(self, exercise: Exercise, seed: int) -> None:
        sources = {f"{name}.py": text for name, text in self.cells.items()}
        job = Job(exercise=exercise, module=exercise.id, sources=sources, seed=seed)
        (ending,) = self.warm().grade([job])
        result = shown_exercise(attempt.result_of(exercise, ending), seen_of(exercise))
        self.results[exercise.id] = result
        self._publish(bundle(result, _help(exercise), _remarks(result, self.shell.user_ns)))

    def _publish(self, forms: Mapping[str, str]) -> None:
        self.shell.display_pub.publish(data=dict(forms), metadata={})


def _exercise(course: Course, wanted: str) -> Exercise:
    found = course.exercise(wanted)
    if found is None:
        known = [exercise.id for exercise in course.exercises]
        hint = question(wanted, known) or f" There are: {', '.join(known)}."
        raise _Refused(f'There is no exercise "{wanted}".{hint}')
    return found


def _help(exercise: Exercise) -> Help:
    """Return which hints are open. Where their record cannot be read, `%grade hint` says what is wrong."""
    with contextlib.suppress(UsageError):
        opened = OpenedHints(Path.cwd()).texts(exercise)
        return Help(opened=opened, count=len(exercise.hints), is_file=False)
    return Help(is_file=False)


def _compiles(text: str) -> bool:
    try:
        compile(text, "cell", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _remarks(result: ExerciseResult, namespace: Collection[str]) -> tuple[str, ...]:
    """Name what the cell uses from other cells of the notebook: it is graded without them."""
    texts = [result.message, *(check.rationale for check in result.checks)]
    names = dict.fromkeys(name for text in texts for name in _UNKNOWN_NAME.findall(text))
    found = [f"`{name}`" for name in names if name in namespace and not hasattr(builtins, name)]
    if not found:
        return ()
    return (
        f"{', '.join(found)}: your notebook has it from another cell. A graded cell is graded alone, like a file: "
        "import or define it in this cell.",
    )
