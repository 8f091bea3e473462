"""JUnit XML, as Jenkins and GitLab read it: one suite per exercise and quiz, one case per check and item.

What a student did wrong is a <failure>; an exception, a limit or a fault of ours is an <error>.
"""

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from grader.model import CheckResult, ExerciseResult, ItemResult, Outcome, QuizResult, Report
from grader.safetext import printable

_FAILURES = {Outcome.FAILED, Outcome.NOT_ATTEMPTED}
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(report: Report) -> str:
    """Return the report as JUnit XML text."""
    root = ET.Element("testsuites", name="convgrader")
    for exercise in report.exercises:
        _suite(root, exercise.id, _exercise_cases(exercise))
    for quiz in report.quizzes:
        _suite(root, f"quiz.{quiz.id}", [_item_case(quiz, item) for item in quiz.items])
    _count(root, root.iter("testcase"))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False)


def _suite(root: ET.Element, name: str, cases: list[ET.Element]) -> None:
    suite = ET.SubElement(root, "testsuite", name=name)
    suite.extend(cases)
    _count(suite, cases)
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")


def _count(element: ET.Element, cases: Iterable[ET.Element]) -> None:
    listed = list(cases)
    element.set("tests", str(len(listed)))
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        element.set(attribute, str(sum(case.find(kind) is not None for case in listed)))


def _exercise_cases(exercise: ExerciseResult) -> list[ET.Element]:
    if exercise.checks:
        return [_check_case(exercise, check) for check in exercise.checks]
    case = ET.Element("testcase", name="the exercise as a whole", classname=exercise.id, time="0")
    _ending(case, exercise.outcome, exercise.message, exercise.message)
    return [case]


def _check_case(exercise: ExerciseResult, check: CheckResult) -> ET.Element:
    case = ET.Element("testcase", name=_clean(check.title), classname=f"{exercise.id}.{check.id}")
    case.set("time", f"{check.duration_s:.3f}")
    lines = [check.rationale]
    if check.counterexample:
        example = check.counterexample
        lines += [f"call: {example.call}", *(f"{a.name}: {a.value}" for a in example.arguments)]
        lines += [f"expected: {example.expected}", f"got: {example.got}", f"where: {example.where}"]
    if check.diagnosis:
        lines.append(f"diagnosis ({check.diagnosis.mistake}): {check.diagnosis.message}")
    lines += [f"{frame.path}:{frame.line} in {frame.function}: {frame.text}" for frame in check.traceback]
    _ending(case, check.outcome, check.rationale, "\n".join(lines))
    return case


def _item_case(quiz: QuizResult, item: ItemResult) -> ET.Element:
    case = ET.Element("testcase", name=item.id, classname=f"quiz.{quiz.id}", time="0")
    if not item.answered:
        _ending(case, Outcome.SKIPPED, "Not answered yet.", "")
    elif item.points < item.max_points:
        message = f"{item.points:g} of {item.max_points:g} points"
        _ending(case, Outcome.FAILED, message, "\n".join(item.feedback))
    return case


def _ending(case: ET.Element, outcome: Outcome, message: str, text: str) -> None:
    if outcome is Outcome.PASSED:
        return
    if outcome is Outcome.SKIPPED:
        ET.SubElement(case, "skipped", message=_clean(message))
        return
    kind = "failure" if outcome in _FAILURES else "error"
    ET.SubElement(case, kind, message=_clean(message), type=str(outcome)).text = _clean(text)


def _clean(text: str) -> str:
    """Return text that XML 1.0 can hold; the serialiser escapes the rest."""
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", printable(text))
