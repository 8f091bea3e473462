"""Finds the course on disk and reads it. The only module that knows the folders of a course."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

import grader
from grader.core import yaml_document
from grader.core.errors import DocumentError, GraderError, Problem, UsageError
from grader.core.model import Exercise, Limits, Passage, Reveal, section_order
from grader.core.suggestions import suggestion

COURSE_VARIABLE = "CONVGRADER_COURSE"
COURSE_FILE = "course.yaml"
PACKAGED_COURSE = "convgrader_course"  # a folder beside `grader`, in wheels and in Gradescope's zip
_BESIDE_ENGINE = Path(grader.__file__).parent.parent  # a checkout, or site-packages

Sentence = Annotated[str, Field(min_length=1, max_length=600)]
Positive = Annotated[float, Field(gt=0)]


class _CourseModel(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LimitsDocument(_CourseModel):
    """The part `limits` of an exercise.yaml: only those that differ from the defaults."""

    import_limit_s: Annotated[
        Positive | None, Field(description="Seconds until the student's module is imported.")
    ] = None
    call_limit_s: Annotated[Positive | None, Field(description="Seconds that one call may take.")] = None
    check_limit_s: Annotated[Positive | None, Field(description="Seconds that one check may take.")] = None
    exercise_limit_s: Annotated[
        Positive | None,
        Field(description="Seconds for all checks together, by the clock and of processor time."),
    ] = None
    memory_limit_mib: Annotated[
        int | None, Field(gt=0, description="MiB that a worker may use beyond what it starts with.")
    ] = None
    output_limit_kib: Annotated[int | None, Field(gt=0, description="KiB that the module may print.")] = None


class PassageDocument(_CourseModel):
    """A place in the text of the course, and the checks that it explains."""

    page: Annotated[Sentence, Field(description='The title of the page, as it begins: "4. Pooling".')]
    heading: Annotated[Sentence, Field(description="A heading of that page, without marks of Markdown.")]
    checks: Annotated[
        list[Sentence], Field(description="The checks that it explains: all others, where it names none.")
    ] = []


RevealWord = Literal["all", "title", "nothing"]


class CourseDocument(_CourseModel):
    """A course.yaml, which is optional: what applies to all exercises."""

    title: Annotated[Sentence | None, Field(description="The name of the course.")] = None
    reveal: Annotated[
        RevealWord, Field(description="How much of its checks students see: `all`, `title` or `nothing`.")
    ] = "all"


class ExerciseDocument(_CourseModel):
    """An exercise.yaml."""

    title: Annotated[Sentence, Field(description="What students read as its name.")]
    section: Annotated[
        Sentence, Field(description='The section of the notes, in quotes: "4". It orders the exercises.')
    ]
    order: Annotated[
        int,
        Field(ge=1, description="The place among exercises of the same section: lower first, then by id."),
    ] = 1
    points: Annotated[Positive, Field(description="The sum of what the checks of the suite are worth.")]
    names: Annotated[
        list[Sentence],
        Field(
            min_length=1,
            description="The functions and classes to write, as the stub and the reference call them.",
        ),
    ]
    objectives: Annotated[
        list[Sentence], Field(min_length=1, description="What a student who solves it can do afterwards.")
    ]
    source: Annotated[Sentence, Field(description="Where it is from: a section, a paper, a year.")]
    hints: Annotated[
        list[Sentence],
        Field(
            min_length=1, description="From a nudge to almost the answer; `grade check` wants three or more."
        ),
    ]
    banned_operators: Annotated[
        list[Sentence],
        Field(description="Operators switched off in the student's module: groups, or operators of aten."),
    ] = []
    tolerated_operators: Annotated[
        list[Sentence],
        Field(
            description="Those of `banned_operators` whose use costs only the checks marked `by_hand`; others go on."
        ),
    ] = []
    warm: Annotated[
        list[Sentence],
        Field(
            description="Imports done once and not by each grading; `optim` (torch.optim) is the only one."
        ),
    ] = []
    limits: Annotated[LimitsDocument, Field(description="Limits that differ from the defaults.")] = (
        LimitsDocument()
    )
    passages: Annotated[
        list[PassageDocument],
        Field(description="Where the text of the course explains what a check asks for; students read it."),
    ] = []
    reveal: Annotated[
        RevealWord | None,
        Field(
            description="How much of its checks students see: `all`, `title` or `nothing`; else as course.yaml says."
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A course on disk: its exercises in the order of their sections, and the folder of its quiz banks."""

    root: Path
    exercises: tuple[Exercise, ...]
    title: str = ""

    @property
    def data(self) -> tuple[Path, ...]:
        """The data files that students receive beside their stubs: those in exercises/data."""
        return tuple(sorted(path for path in (self.root / "exercises" / "data").glob("*") if path.is_file()))

    @property
    def folders(self) -> list[Path]:
        """The folders of all exercises, sorted by name, also of those that cannot be read."""
        return _folders(self.root)

    @property
    def references(self) -> dict[str, Path]:
        """The references by exercise, also of exercises that cannot be read: others may import them."""
        found = {folder.name: folder / "reference.py" for folder in self.folders}
        return {name: path for name, path in found.items() if path.is_file()}

    @property
    def quizzes(self) -> Path:
        """The folder of the quiz banks."""
        return self.root / "quizzes"

    def exercise(self, exercise_id: str) -> Exercise | None:
        """Return the exercise of that id; None if there is none."""
        return next((exercise for exercise in self.exercises if exercise.id == exercise_id), None)


def find_root() -> Path:
    """Return the folder of the course: the one in CONVGRADER_COURSE, the packaged one, or the checkout's.

    Raises UsageError if the variable names no course, GraderError if there is none.
    """
    if named := os.environ.get(COURSE_VARIABLE):
        if not (Path(named) / "solutions").is_dir():
            raise UsageError(f"{COURSE_VARIABLE} names {named}, which holds no solutions/.")
        return Path(named).resolve()
    places = (_BESIDE_ENGINE / PACKAGED_COURSE, _BESIDE_ENGINE)
    for root in places:
        if (root / "solutions").is_dir():
            return root
    raise GraderError(
        f"No course was found: neither {places[0]} nor {places[1]} holds solutions/. Install again."
    )


def load(root: Path) -> Course:
    """Read the course at `root`. Raises DocumentError with every problem of every exercise."""
    course, broken = survey(root)
    if broken:
        raise DocumentError(problem for problems in broken.values() for problem in problems)
    return course


def survey(root: Path) -> tuple[Course, dict[str, tuple[Problem, ...]]]:
    """Read the course at `root`; return its readable exercises, and the problems of every other by its name."""
    exercises: list[Exercise] = []
    broken: dict[str, tuple[Problem, ...]] = {}
    whole = CourseDocument()
    try:
        whole = _whole(root)
    except DocumentError as error:
        broken[COURSE_FILE] = error.problems
    for folder in _folders(root):
        try:
            exercises.append(_exercise(root, folder, Reveal(whole.reveal)))
        except DocumentError as error:
            broken[folder.name] = error.problems
    exercises.sort(key=lambda exercise: (section_order(exercise.section), exercise.order, exercise.id))
    return Course(root=root, exercises=tuple(exercises), title=whole.title or ""), broken


def _folders(root: Path) -> list[Path]:
    """Return the folders of the exercises, sorted by name."""
    found = sorted((root / "solutions").iterdir())
    return [path for path in found if path.is_dir() and not path.name.startswith((".", "__"))]


def _whole(root: Path) -> CourseDocument:
    path = root / COURSE_FILE
    return (
        yaml_document.read(path, CourseDocument, shown=COURSE_FILE).value
        if path.exists()
        else CourseDocument()
    )


def _exercise(root: Path, folder: Path, reveal: Reveal) -> Exercise:
    path = folder / "exercise.yaml"
    document = yaml_document.read(path, ExerciseDocument, shown=path.relative_to(root).as_posix())
    found = document.value
    strangers = [
        document.problem(
            ("tolerated_operators", n), f"{name!r} is none of `banned_operators`{_meant(name, found)}"
        )
        for n, name in enumerate(found.tolerated_operators)
        if name not in found.banned_operators
    ]
    passages, repeated = _passages(document)
    if strangers or repeated:
        raise DocumentError([*strangers, *repeated])
    given = {name: value for name, value in found.limits if value is not None}
    return Exercise(
        id=folder.name,
        title=found.title,
        section=found.section,
        order=found.order,
        points=found.points,
        names=tuple(found.names),
        hints=tuple(found.hints),
        objectives=tuple(found.objectives),
        source=found.source,
        stub=root / "exercises" / f"{folder.name}.py",
        folder=folder,
        limits=Limits(**given),
        banned_operators=tuple(found.banned_operators),
        tolerated_operators=tuple(found.tolerated_operators),
        warm=tuple(found.warm),
        reveal=Reveal(found.reveal) if found.reveal is not None else reveal,
        passages=tuple(passages.items()),
    )


def _passages(document: yaml_document.Document[ExerciseDocument]) -> tuple[dict[str, Passage], list[Problem]]:
    """Return the places that explain checks, and a problem for each check, or default, that is given twice."""
    found: dict[str, Passage] = {}
    problems: list[Problem] = []
    for n, entry in enumerate(document.value.passages):
        for check in entry.checks or [""]:
            if check in found:
                message = f"{check or 'a place for all other checks'} is given a second time"
                problems.append(document.problem(("passages", n), message))
            found[check] = Passage(page=entry.page, heading=entry.heading)
    return found, problems


def _meant(name: str, found: ExerciseDocument) -> str:
    return suggestion(name, found.banned_operators)
