"""Questions as Moodle XML, for the import of a question bank."""

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from grader.export.questions import Answer, Kind, Question, xml_text

# Moodle refuses, or rounds to these, every other fraction (question/engine/bank.php).
FRACTIONS = {
    1: "100",
    2: "50",
    3: "33.33333",
    4: "25",
    5: "20",
    6: "16.66667",
    7: "14.28571",
    8: "12.5",
    9: "11.11111",
    10: "10",
}
_TYPES = {
    Kind.SINGLE: "multichoice",
    Kind.MULTI: "multichoice",
    Kind.NUMBER: "numerical",
    Kind.WORDS: "shortanswer",
    Kind.MATCH: "matching",
}


def to_moodle_xml(quizzes: Iterable[tuple[str, Sequence[Question]]]) -> str:
    """Return quizzes, each a title and its questions, as Moodle XML with a category for each.

    Where several choices are right, a wrong one costs what a right one earns, as under the rule `net`.
    """
    root = ET.Element("quiz")
    for title, questions in quizzes:
        head = ET.SubElement(root, "question", type="category")
        _text(ET.SubElement(head, "category"), f"$course$/top/{title.replace('/', '//')}")
        for question in questions:
            _add(root, question)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written.decode("utf-8")


def _add(root: ET.Element, question: Question) -> None:
    element = ET.SubElement(root, "question", type=_TYPES[question.kind])
    _text(ET.SubElement(element, "name"), question.id)
    _text(ET.SubElement(element, "questiontext", format="html"), question.prompt)
    _text(ET.SubElement(element, "generalfeedback", format="html"), question.explanation)
    _field(element, "defaultgrade", f"{question.points:.7f}")
    _field(element, "penalty", "0")
    _field(element, "hidden", "0")
    _field(element, "idnumber", "")
    if question.kind in (Kind.SINGLE, Kind.MULTI):
        _field(element, "single", "true" if question.kind is Kind.SINGLE else "false")
        _field(element, "shuffleanswers", "true" if question.shuffle else "false")
        _field(element, "answernumbering", "abc")
    if question.kind is Kind.WORDS:
        _field(element, "usecase", "0")
    if question.kind is Kind.MATCH:
        _field(element, "shuffleanswers", "true")
        _match(element, question)
    rights = sum(answer.right for answer in question.answers)
    for answer in question.answers:
        _answer(element, question.kind, answer, rights)


def _answer(element: ET.Element, kind: Kind, answer: Answer, rights: int) -> None:
    share = FRACTIONS[rights] if kind is Kind.MULTI else "100"
    wrong = f"-{share}" if kind is Kind.MULTI else "0"
    plain = kind in (Kind.NUMBER, Kind.WORDS)
    form = "moodle_auto_format" if plain else "plain_text"
    child = ET.SubElement(element, "answer", fraction=share if answer.right else wrong, format=form)
    # In a short answer, * is a wildcard unless it is escaped.
    _text(child, answer.text.replace("*", "\\*") if kind is Kind.WORDS else answer.text)
    _text(ET.SubElement(child, "feedback", format="html"), answer.feedback)
    if kind is Kind.NUMBER:
        _field(child, "tolerance", f"{answer.tolerance:.12g}")


def _match(element: ET.Element, question: Question) -> None:
    for left, right in [*question.pairs, *(("", extra) for extra in question.extras)]:
        child = ET.SubElement(element, "subquestion", format="plain_text")
        ET.SubElement(child, "text").text = xml_text(left)
        _text(ET.SubElement(child, "answer"), right)


def _text(element: ET.Element, text: str) -> None:
    ET.SubElement(element, "text").text = xml_text(text)


def _field(element: ET.Element, name: str, text: str) -> None:
    ET.SubElement(element, name).text = text
