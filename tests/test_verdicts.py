"""Programs and the verdict each deserves: wrong code loses points, right code loses none, a slip costs its own check only.

`tests/verdicts/<exercise>.yaml` lists them. Each is a whole module (`source`, which may import the rest from `reference`), or
the reference with texts replaced (`replace`).
Known mistakes are proven by `grade check`; these programs need no sentence of their own. Of those that are written in another way than a
known mistake, some say by which they are diagnosed.
"""

import textwrap
from pathlib import Path
from typing import Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from grader.authoring.reference_submissions import reference_modules, reference_source
from grader.core.model import Outcome
from grader.course import catalog
from grader.grading.messages import Graded, Job

COURSE = catalog.load(Path(__file__).parents[1])


class Program(BaseModel):
    """One program. `fails`: checks that must be among those it fails. `at_most`: the percent of the points a slip may cost.

    `diagnosis`: the known mistake that every check it fails must name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    program: str
    verdict: Literal["right", "wrong", "slip"]
    replace: dict[str, str] = {}
    source: str = ""
    fails: list[str] = []
    at_most: float = 35.0
    diagnosis: str = ""

    @model_validator(mode="after")
    def _one_text(self) -> "Program":
        if bool(self.replace) == bool(self.source):
            raise ValueError("give either `replace` or `source`")
        if self.verdict == "right" and (self.fails or self.diagnosis):
            raise ValueError("right code fails nothing")
        return self

    def text(self, reference: str) -> str:
        """Return the module. Each text that is replaced stands in the reference exactly once, or the test is out of date."""
        if self.source:
            return textwrap.dedent(self.source)
        for old, new in self.replace.items():
            assert reference.count(old) == 1, f"{old!r} stands {reference.count(old)} times in the reference"
            reference = reference.replace(old, new)
        return reference


def programs() -> list[tuple[str, Program]]:
    """Return every listed program with the id of its exercise."""
    listed = TypeAdapter(list[Program])
    return [
        (path.stem, program)
        for path in sorted((Path(__file__).parent / "verdicts").glob("*.yaml"))
        for program in listed.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    ]


PROGRAMS = programs()


@pytest.mark.cold
@pytest.mark.parametrize(
    ("exercise_id", "program"), PROGRAMS, ids=[f"{exercise}: {p.program}" for exercise, p in PROGRAMS]
)
def test_the_verdict(many_dispatcher, exercise_id, program):
    exercise = COURSE.exercise(exercise_id)
    reference = reference_source(exercise)
    own = {"reference.py": reference, f"{exercise_id}.py": program.text(reference)}
    sources = reference_modules(COURSE) | own
    is_wrong = program.verdict == "wrong"
    job = Job(
        exercise=exercise,
        module=exercise_id,
        sources=sources,
        seed=0,
        explain=bool(program.diagnosis),
        # Of a wrong program no more is stated than which checks it fails, or that it fails one.
        only=tuple(program.fails) if is_wrong else (),
        first_failure=is_wrong and not program.fails,
    )
    (graded,) = many_dispatcher.grade([job])
    assert isinstance(graded, Graded), graded
    checks = graded.result.checks
    assert checks, graded.result.message
    failed = {check.id: check.rationale for check in checks if check.outcome is not Outcome.PASSED}
    lost = round(100 * (1 - graded.result.points / graded.result.max_points), 3)
    if program.verdict == "right":
        assert not failed
    else:
        assert failed, "every check that ran passes"
        assert set(program.fails) <= set(failed), failed
    if program.diagnosis:
        ran = [check for check in checks if check.outcome not in (Outcome.PASSED, Outcome.SKIPPED)]
        named = {check.id: check.diagnosis.mistake if check.diagnosis else "" for check in ran}
        assert named == dict.fromkeys(named, program.diagnosis)
    if program.verdict == "slip":
        assert lost <= program.at_most, (round(lost), failed)
