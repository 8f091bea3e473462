"""Quizzes as QTI 1.2 in a zip, as Canvas imports them: one assessment for each bank."""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from grader.core.reproducible_zip import pack
from grader.export.questions import Answer, Kind, Question, xml_text

QTI = "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"
PACKAGE = "http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1"
_TYPES = {
    Kind.SINGLE: "multiple_choice_question",
    Kind.MULTI: "multiple_answers_question",
    Kind.NUMBER: "numerical_question",
    Kind.WORDS: "short_answer_question",
    Kind.MATCH: "matching_question",
}


def to_qti_zip(quizzes: Sequence[tuple[str, str, Sequence[Question]]]) -> bytes:
    """Return the zip of quizzes, each an id, a title and its questions. The same quizzes make the same bytes."""
    files = {f"{name}/{name}.xml": _assessment(name, title, questions) for name, title, questions in quizzes}
    files["imsmanifest.xml"] = _manifest([name for name, _, _ in quizzes])
    return pack((name, _xml(element), 0) for name, element in sorted(files.items()))


def _xml(element: ET.Element) -> bytes:
    ET.indent(element)
    written: bytes = ET.tostring(element, encoding="utf-8", xml_declaration=True)
    return written


def _manifest(names: Sequence[str]) -> ET.Element:
    root = ET.Element("manifest", xmlns=PACKAGE, identifier="convgrader")
    metadata = ET.SubElement(root, "metadata")
    ET.SubElement(metadata, "schema").text = "IMS Content"
    ET.SubElement(metadata, "schemaversion").text = "1.1.3"
    ET.SubElement(root, "organizations")
    resources = ET.SubElement(root, "resources")
    for name in names:
        resource = ET.SubElement(resources, "resource", identifier=name, type="imsqti_xmlv1p2")
        ET.SubElement(resource, "file", href=f"{name}/{name}.xml")
    return root


def _assessment(name: str, title: str, questions: Sequence[Question]) -> ET.Element:
    root = ET.Element("questestinterop", xmlns=QTI)
    assessment = ET.SubElement(root, "assessment", ident=name, title=xml_text(title))
    section = ET.SubElement(assessment, "section", ident="root_section")
    for question in questions:
        _item(section, f"{name}_{question.id}", question)
    return root


def _item(section: ET.Element, ident: str, question: Question) -> None:
    item = ET.SubElement(section, "item", ident=ident, title=question.id)
    metadata = ET.SubElement(ET.SubElement(item, "itemmetadata"), "qtimetadata")
    for label, entry in (
        ("question_type", _TYPES[question.kind]),
        ("points_possible", f"{question.points:g}"),
    ):
        field = ET.SubElement(metadata, "qtimetadatafield")
        ET.SubElement(field, "fieldlabel").text = label
        ET.SubElement(field, "fieldentry").text = entry
    presentation = ET.SubElement(item, "presentation")
    _material(presentation, question.prompt)
    processing = ET.SubElement(item, "resprocessing")
    outcomes = ET.SubElement(processing, "outcomes")
    ET.SubElement(outcomes, "decvar", maxvalue="100", minvalue="0", varname="SCORE", vartype="Decimal")
    feedback = {"general_fb": question.explanation}
    condition = _condition(processing, "Yes", show="general_fb")
    ET.SubElement(condition, "other")
    if question.kind in (Kind.SINGLE, Kind.MULTI):
        feedback |= _choices(presentation, processing, question)
    elif question.kind is Kind.MATCH:
        _matching(presentation, processing, question)
    else:
        feedback |= _typed(presentation, processing, question)
    for name, text in feedback.items():
        flow = ET.SubElement(ET.SubElement(item, "itemfeedback", ident=name), "flow_mat")
        _material(flow, text)


def _condition(
    processing: ET.Element, go_on: str, *, show: str = "", score: str = "", action: str = "Set"
) -> ET.Element:
    """Add a condition, and return the element that its tests belong in."""
    condition = ET.SubElement(processing, "respcondition", {"continue": go_on})
    asked = ET.SubElement(condition, "conditionvar")
    if score:
        ET.SubElement(condition, "setvar", action=action, varname="SCORE").text = score
    if show:
        ET.SubElement(condition, "displayfeedback", feedbacktype="Response", linkrefid=show)
    return asked


def _equal(parent: ET.Element, response: str, text: str) -> None:
    ET.SubElement(parent, "varequal", respident=response).text = xml_text(text)


def _choices(presentation: ET.Element, processing: ET.Element, question: Question) -> dict[str, str]:
    many = question.kind is Kind.MULTI
    response = ET.SubElement(
        presentation, "response_lid", ident="response1", rcardinality="Multiple" if many else "Single"
    )
    render = ET.SubElement(response, "render_choice", shuffle="Yes" if question.shuffle else "No")
    for answer in question.answers:
        label = ET.SubElement(render, "response_label", ident=answer.id)
        _material(label, answer.text, kind="text/plain")
    explained = [answer for answer in question.answers if answer.feedback]
    for answer in explained:
        _equal(_condition(processing, "Yes", show=f"{answer.id}_fb"), "response1", answer.id)
    asked = _condition(processing, "No", score="100")
    parent = ET.SubElement(asked, "and") if many else asked
    for answer in question.answers:
        if answer.right:
            _equal(parent, "response1", answer.id)
        elif many:
            _equal(ET.SubElement(parent, "not"), "response1", answer.id)
    return {f"{answer.id}_fb": answer.feedback for answer in explained}


def _typed(presentation: ET.Element, processing: ET.Element, question: Question) -> dict[str, str]:
    response = ET.SubElement(presentation, "response_str", ident="response1", rcardinality="Single")
    number = question.kind is Kind.NUMBER
    fib = ET.SubElement(response, "render_fib", {"fibtype": "Decimal"} if number else {})
    ET.SubElement(fib, "response_label", ident="answer1", rshuffle="No")
    explained = [] if number else [answer for answer in question.answers if answer.feedback]
    for answer in explained:
        _equal(_condition(processing, "Yes", show=f"{answer.id}_fb"), "response1", answer.text)
    asked = _condition(processing, "No", score="100")
    for answer in question.answers:
        if answer.right and number:
            _near(asked, answer)
        elif answer.right:
            _equal(asked, "response1", answer.text)
    return {f"{answer.id}_fb": answer.feedback for answer in explained}


def _near(asked: ET.Element, answer: Answer) -> None:
    """Ask for a number within the tolerance. Canvas reads the exact answer, and the two bounds."""
    either = ET.SubElement(asked, "or")
    _equal(either, "response1", answer.text)
    both = ET.SubElement(either, "and")
    value = float(answer.text)
    ET.SubElement(both, "vargte", respident="response1").text = f"{value - answer.tolerance:.15g}"
    ET.SubElement(both, "varlte", respident="response1").text = f"{value + answer.tolerance:.15g}"


def _matching(presentation: ET.Element, processing: ET.Element, question: Question) -> None:
    rights = list(dict.fromkeys([*(right for _, right in question.pairs), *question.extras]))
    for n, (left, right) in enumerate(question.pairs):
        ident = f"response_{n}"
        response = ET.SubElement(presentation, "response_lid", ident=ident)
        _material(response, left, kind="text/plain")
        render = ET.SubElement(response, "render_choice")
        for m, text in enumerate(rights):
            _material(ET.SubElement(render, "response_label", ident=f"choice_{m}"), text, kind="text/plain")
        share = f"{100 / len(question.pairs):.2f}"
        asked = _condition(processing, "Yes", score=share, action="Add")
        _equal(asked, ident, f"choice_{rights.index(right)}")


def _material(parent: ET.Element, text: str, *, kind: str = "text/html") -> None:
    ET.SubElement(ET.SubElement(parent, "material"), "mattext", texttype=kind).text = xml_text(text)
