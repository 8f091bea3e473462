"""JUnit XML, as Jenkins and GitLab read it: one suite per exercise and quiz, one case per check and item.

What a student got wrong is a <failure>; an exception, a limit or an error in the grader is an <error>.
`classname` is unique to the case, because GitLab drops a second case of the same name. There is no
<system-out>: both read attachment tags in it, and a submission could print those.
"""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from grader.core.model import ExerciseResult, ItemResult, Outcome, QuizResult, Report
from grader.core.safetext import one_line, printable
from grader.report.entries import WHOLE, Entry, exercise_entries, item_outcome

_FAILURES = {Outcome.FAILED, Outcome.NOT_ATTEMPTED}
_CHILDREN = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def to_junit(report: Report) -> str:
    """Return the report as JUnit XML text: ASCII only, so valid in every encoding."""
    root = ET.Element("testsuites", name="convgrader")
    for exercise in report.exercises:
        _suite(root, exercise.id, exercise, _exercise_cases(exercise))
    for quiz in report.quizzes:
        _suite(root, f"quiz.{quiz.id}", quiz, _quiz_cases(quiz))
    _count(root, root.findall("testsuite/testcase"))
    del root.attrib["skipped"]  # Jenkins's schema has it for a suite only, and refuses the file
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="us-ascii", xml_declaration=False)
    return written.decode("ascii")


def _suite(root: ET.Element, name: str, part: ExerciseResult | QuizResult, cases: list[ET.Element]) -> None:
    suite = ET.SubElement(root, "testsuite", name=name)
    _count(suite, cases)
    properties = ET.SubElement(suite, "properties")  # JUnit has no points
    if isinstance(part, ExerciseResult) and part.is_void:
        ET.SubElement(properties, "property", name="final", value="false")
    else:
        ET.SubElement(properties, "property", name="points", value=f"{part.points:g}")
    ET.SubElement(properties, "property", name="max_points", value=f"{part.max_points:g}")
    if isinstance(part, ExerciseResult) and part.hidden is not None:
        ET.SubElement(properties, "property", name="hidden_checks", value=str(part.hidden.checks))
        hidden = f"{part.hidden.max_points:g}"
        ET.SubElement(properties, "property", name="hidden_max_points", value=hidden)
    suite.extend(cases)


def _count(element: ET.Element, cases: list[ET.Element]) -> None:
    element.set("tests", str(len(cases)))
    for attribute, child in _CHILDREN.items():
        element.set(attribute, str(sum(case.find(child) is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")


def _exercise_cases(exercise: ExerciseResult) -> list[ET.Element]:
    return [_entry_case(entry) for entry in exercise_entries(exercise)]


def _entry_case(entry: Entry) -> ET.Element:
    classname = entry.group if entry.id == WHOLE else f"{entry.group}.{entry.id}"
    case = _case(entry.title, classname, entry.duration_s)
    _end(case, entry.outcome, entry.message, [entry.message, *entry.lines])
    return case


def _quiz_cases(quiz: QuizResult) -> list[ET.Element]:
    cases = [_item_case(quiz, item) for item in quiz.items]
    if quiz.problems:
        whole = _case("The answers file", f"quiz.{quiz.id}.answers", 0.0)
        _end(whole, Outcome.RAISED, quiz.problems[0], quiz.problems, kind="problem")
        cases.insert(0, whole)
    return cases


def _item_case(quiz: QuizResult, item: ItemResult) -> ET.Element:
    case = _case(item.id, f"quiz.{quiz.id}.{item.id}", 0.0)
    outcome, message = item_outcome(item)
    if outcome is Outcome.FAILED:
        points = f"{item.points:g} of {item.max_points:g} points"
        _end(case, outcome, points, [item.prompt, f"response: {item.response}", *item.feedback])
    elif outcome is not Outcome.PASSED:
        _end(case, Outcome.SKIPPED, message, [])
    return case


def _case(name: str, classname: str, time_s: float) -> ET.Element:
    return ET.Element("testcase", name=one_line(name), classname=one_line(classname), time=f"{time_s:.3f}")


def _end(case: ET.Element, outcome: Outcome, message: str, lines: Iterable[str], *, kind: str = "") -> None:
    """Add the result of a case. Printable text is legal XML: every character that XML 1.0 forbids is spelled out."""
    if outcome is Outcome.PASSED:
        return
    if outcome is Outcome.SKIPPED:
        ET.SubElement(case, "skipped", message=one_line(message))
        return
    tag = "failure" if outcome in _FAILURES else "error"
    element = ET.SubElement(case, tag, type=kind or str(outcome), message=one_line(message))
    element.text = "\n".join(printable(line) for line in lines if line)
