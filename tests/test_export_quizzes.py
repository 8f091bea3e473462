"""Quizzes for Canvas and Moodle: each answer scores there what it earns here."""

import io
import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import grade_command
import pytest

from grader.core.errors import DocumentError
from grader.export.moodle import FRACTIONS, to_moodle_xml
from grader.export.qti import QTI, to_qti_zip
from grader.export.questions import (
    MAX_TEXT,
    Kind,
    Question,
    allowed,
    questions,
    to_html,
    xml_text,
)
from grader.quiz import Bank, load_bank, load_banks
from grader.quiz.fields import Tolerance
from grader.quiz.marking import grade_item

ROOT = Path(__file__).parent.parent

BANK = """\
title: "Everything & <more>"
section: "4"
aliases: {stride: [step width]}
items:
  - id: multi-three
    type: multi
    points: 1.5
    objective: o
    prompt: "Which? 1 < 2 & `a*b`"
    options:
      a: {text: "*one*", correct: true, feedback: Yes.}
      b: {text: two, correct: true, feedback: Yes.}
      c: {text: three, correct: true, feedback: Yes.}
      d: {text: "<b>four</b>", feedback: "No, 4 > 3.", misconception: m}
      e: {text: five, feedback: No., misconception: m}
    explanation: e
  - id: multi-each
    type: multi
    objective: o
    prompt: p
    credit: each
    options:
      a: {text: one, correct: true, feedback: Yes.}
      b: {text: two, feedback: No., misconception: m}
    explanation: e
  - id: drawn-number
    type: numeric
    objective: o
    prompt: "{n} + 1 = ?"
    params: {n: {low: 3, high: 90}}
    key: n + 1
    tolerance: {rtol: 0.01}
    unit: KiB
    expected_wrong: [{value: n - 1, feedback: "That is {n} - 1.", misconception: m}]
    explanation: e
  - id: two-decimals
    type: numeric
    objective: o
    prompt: p
    key: 0.125
    tolerance: {decimals: 2}
    explanation: e
  - id: exact-number
    type: numeric
    objective: o
    prompt: p
    key: -3
    explanation: e
  - id: unit-needed
    type: numeric
    objective: o
    prompt: p
    key: 3
    unit: MiB
    unit_required: true
    explanation: e
  - id: one-size
    type: shape
    objective: o
    prompt: p
    key: [12]
    expected_wrong: [{value: [N, 12], feedback: No batch., misconception: m}]
    explanation: e
  - id: word
    type: text
    objective: o
    prompt: p
    accept: [stride, a*b]
    expected_wrong: [{value: padding, feedback: Not that., misconception: m}]
    explanation: e
  - id: word-of-three
    type: text
    objective: o
    prompt: p
    accept: [max]
    choices: [max, mean, sum]
    expected_wrong: [{value: mean, feedback: Not that., misconception: m}]
    explanation: e
  - id: pairs
    type: match
    points: 2
    objective: o
    prompt: p
    rows: {"1": {text: relu, key: a}, "2": {text: gelu, key: b}, "3": {text: elu, key: a}}
    choices: {a: "zero", b: "smooth", c: "none"}
    explanation: e
  - id: prints
    type: code_output
    objective: o
    prompt: What does this print?
    code: |
      x = 1
      print(x < 2)
    key: "True"
    explanation: e
  - id: withdrawn
    type: single
    objective: o
    prompt: p
    void: drop
    options:
      a: {text: one, correct: true, feedback: Yes.}
      b: {text: two, feedback: No., misconception: m}
    explanation: e
"""


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Bank:
    path = tmp_path_factory.mktemp("bank") / "every.yaml"
    path.write_text(BANK, encoding="utf-8")
    return load_bank(path)


@pytest.fixture(scope="module")
def every(bank: Bank) -> list[Bank]:
    return [bank, *load_banks(ROOT / "quizzes")]


def test_items_become_questions_and_the_others_are_named(bank: Bank) -> None:
    found, left_out = questions(bank, 0)
    assert [question.id for question in found] == [
        "multi-three", "drawn-number", "two-decimals", "exact-number", "one-size", "word", "word-of-three", "pairs",
        "prints",
    ]  # fmt: skip
    assert left_out == {
        "multi-each": "the platform has no credit rule like each",
        "unit-needed": "it asks for a unit",
        "withdrawn": "it is withdrawn",
    }


# --- responses, and what each platform gives for them


def responses(question: Question) -> list[object]:
    """Return the responses to try: every set of choices, every foreseen answer, and some beside it."""
    if question.kind is Kind.SINGLE:
        return [frozenset({answer.id}) for answer in question.answers]
    if question.kind is Kind.MULTI:
        ids = [answer.id for answer in question.answers]
        return [
            frozenset(name for n, name in enumerate(ids) if mask >> n & 1) for mask in range(1, 2 ** len(ids))
        ]
    if question.kind is Kind.MATCH:
        rights = list(dict.fromkeys([right for _, right in question.pairs] + list(question.extras)))
        n = len(question.pairs)
        return [tuple(right for _, right in question.pairs), *(tuple([right] * n) for right in rights)]
    texts = [answer.text for answer in question.answers]
    if question.kind is Kind.NUMBER:
        key, tolerance = float(question.answers[0].text), question.answers[0].tolerance
        texts += [repr(key + by * tolerance) for by in (0.999, -0.999, 1.001, -1.001) if tolerance > 1e-3]
        texts += [repr(key + 7.77), repr(-key - 1)]
    return texts


def here(bank: Bank, question: Question, response: object, seed: int) -> float:
    """Return the credit that the item earns here."""
    item = next(item for item in bank.sheet(seed) if item.id == question.id)
    value: object = response
    if question.kind in (Kind.SINGLE, Kind.MULTI):
        value = sorted(response)
        if item.type == "text":
            (chosen,) = response
            value = next(answer.text for answer in question.answers if answer.id == chosen)
        elif question.kind is Kind.SINGLE:
            (value,) = response
    elif question.kind is Kind.MATCH:
        letters = {text: letter for letter, text in item.choices.items()}
        value = dict(zip(item.rows, (letters[right] for right in response), strict=True))
    return grade_item(item, value, bank.aliases).points / item.points


def moodle(element: ET.Element, question: Question, response: object) -> float:
    """Score a response by Moodle's rules for the type of question."""
    kind = element.get("type")
    answers = element.findall("answer")
    if kind == "multichoice":
        by_text = {answer.findtext("text"): float(answer.get("fraction", "")) for answer in answers}
        chosen = [by_text[a.text] for a in question.answers if a.id in response]
        return max(0.0, sum(chosen) / 100)
    if kind == "matching":
        pairs = [
            (sub.findtext("text"), sub.findtext("answer/text"))
            for sub in element.findall("subquestion")
            if sub.findtext("text")
        ]
        return sum(given == right for given, (_, right) in zip(response, pairs, strict=True)) / len(pairs)
    for answer in answers:  # the first that fits counts
        text = answer.findtext("text", "")
        if kind == "numerical":
            fits = abs(float(response) - float(text)) <= float(answer.findtext("tolerance", "0")) * (1 + 1e-9)
        else:
            assert "*" not in text.replace("\\*", "")  # a bare * would stand for anything
            fits = text.replace("\\*", "*").casefold() == response.casefold()
        if fits:
            return float(answer.get("fraction", "")) / 100
    return 0.0


def holds(element: ET.Element, given: dict[str, set[str]]) -> bool:
    """Tell whether what a condition asks for is so."""
    tag = element.tag.rpartition("}")[2]
    value = given.get(element.get("respident", ""), set())
    match tag:
        case "varequal":
            return any(same(one, element.text or "") for one in value)
        case "vargte":
            return any(float(one) >= float(element.text) for one in value)
        case "varlte":
            return any(float(one) <= float(element.text) for one in value)
        case "and":
            return all(holds(child, given) for child in element)
        case "not":
            return not holds(element[0], given)
        case "other":
            return True
        case "or" | "conditionvar":
            return any(holds(child, given) for child in element)
    raise AssertionError(tag)


def same(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return one.casefold() == other.casefold()


def canvas(item: ET.Element, question: Question, response: object) -> tuple[float, set[str]]:
    """Score a response by the item's own processing; return what it shows too. Several answers are scored as net."""
    if question.kind is Kind.MATCH:
        labels = {
            label.findtext(".//{*}mattext"): label.get("ident", "")
            for label in item.findall(".//{*}response_lid[1]//{*}response_label")
        }
        given = {f"response_{n}": {labels[right]} for n, right in enumerate(response)}
    else:
        given = {"response1": set(response) if isinstance(response, frozenset) else {response}}
    score, shown = 0.0, set()
    for condition in item.findall(".//{*}respcondition"):
        if not holds(condition.find("{*}conditionvar"), given):
            continue
        for setting in condition.findall("{*}setvar"):
            score = float(setting.text) + (score if setting.get("action") == "Add" else 0.0)
        shown |= {display.get("linkrefid") for display in condition.findall("{*}displayfeedback")}
    return score / 100, shown


def xml_of(bank: Bank, found: list[Question]) -> dict[str, ET.Element]:
    root = ET.fromstring(to_moodle_xml([(bank.title, found)]))
    assert root[0].findtext("category/text").startswith("$course$/top/")
    return {element.findtext("name/text"): element for element in root[1:]}


def items_of(bank: Bank, found: list[Question]) -> dict[str, ET.Element]:
    archive = zipfile.ZipFile(io.BytesIO(to_qti_zip([(bank.id, bank.title, found)])))
    root = ET.fromstring(archive.read(f"{bank.id}/{bank.id}.xml"))
    return {item.get("title"): item for item in root.iter(f"{{{QTI}}}item")}


@pytest.mark.parametrize("seed", [0, 7])
def test_moodle_gives_the_same_credit(every, seed):
    for bank in every:
        found, _ = questions(bank, seed)
        elements = xml_of(bank, found)
        for question in found:
            for response in responses(question):
                wanted = here(bank, question, response, seed)
                given = moodle(elements[question.id], question, response)
                assert given == pytest.approx(wanted, abs=1e-4), (question.id, response)


@pytest.mark.parametrize("seed", [0, 7])
def test_canvas_gives_the_same_credit(every, seed):
    for bank in every:
        found, _ = questions(bank, seed)
        items = items_of(bank, found)
        for question in found:
            for response in responses(question):
                wanted = here(bank, question, response, seed)
                given, _ = canvas(items[question.id], question, response)
                if (
                    question.kind is Kind.MULTI
                ):  # Canvas gives part of the credit itself, and the file says for what all
                    assert (given == 1.0) == (wanted == 1.0)
                else:
                    assert given == pytest.approx(wanted, abs=1e-3), (question.id, response)


# --- Moodle's own rules

LEGAL = {"100", "90", "83.33333", "80", "75", "70", "66.66667", "60", "50", "40", "33.33333", "30", "25", "20",
         "16.66667", "14.28571", "12.5", "11.11111", "10", "5", "0"}  # fmt: skip


def test_every_fraction_is_one_of_moodle(every):
    assert set(FRACTIONS.values()) <= LEGAL
    for bank in every:
        for element in xml_of(bank, questions(bank, 0)[0]).values():
            fractions = [answer.get("fraction", "") for answer in element.findall("answer")]
            assert {fraction.removeprefix("-") for fraction in fractions} <= LEGAL
            total = sum(float(fraction) for fraction in fractions if float(fraction) > 0)
            if element.get("type") == "multichoice":
                assert total == pytest.approx(100, abs=1e-3)


def test_moodle_keeps_feedback_tolerance_points_and_text(bank):
    elements = xml_of(bank, questions(bank, 0)[0])
    multi = elements["multi-three"]
    assert multi.findtext("defaultgrade") == "1.5000000"
    assert multi.findtext("questiontext/text") == "<p>Which? 1 &lt; 2 &amp; <code>a*b</code></p>"
    feedback = {a.findtext("text"): a.findtext("feedback/text") for a in multi.findall("answer")}
    assert feedback["<b>four</b>"] == "<p>No, 4 &gt; 3.</p>"
    assert {a.get("format") for a in multi.findall("answer")} == {"plain_text"}
    number = elements["drawn-number"].findall("answer")
    key = float(number[0].findtext("text"))
    assert float(number[0].findtext("tolerance")) == pytest.approx(0.01 * key)
    assert number[1].findtext("feedback/text") == f"<p>That is {key - 1:g} - 1.</p>"
    assert "in KiB" in elements["drawn-number"].findtext("questiontext/text")
    assert elements["two-decimals"].findtext("answer/tolerance") == "0.005"
    assert [s.findtext("answer/text") for s in elements["pairs"].findall("subquestion")] == [
        "zero",
        "smooth",
        "zero",
        "none",
    ]


# --- the package for Canvas


def test_the_package_names_its_files_and_types(bank):
    found, _ = questions(bank, 0)
    data = to_qti_zip([(bank.id, bank.title, found), ("other", "Other", found)])
    assert data == to_qti_zip([(bank.id, bank.title, found), ("other", "Other", found)])
    archive = zipfile.ZipFile(io.BytesIO(data))
    manifest = ET.fromstring(archive.read("imsmanifest.xml"))
    resources = manifest.findall(".//{*}resource")
    assert {resource.get("type") for resource in resources} == {"imsqti_xmlv1p2"}
    files = {file.get("href") for file in manifest.findall(".//{*}file")}
    assert files | {"imsmanifest.xml"} == set(archive.namelist())
    root = ET.fromstring(archive.read("every/every.xml"))
    assert root.find("{*}assessment").get("title") == "Everything & <more>"
    idents = [item.get("ident") for item in root.iter(f"{{{QTI}}}item")]
    assert len(set(idents)) == len(idents) == len(found)
    known = {
        "multiple_choice_question",
        "multiple_answers_question",
        "numerical_question",
        "short_answer_question",
        "matching_question",
    }
    for item in root.iter(f"{{{QTI}}}item"):
        metadata = {
            field.findtext("{*}fieldlabel"): field.findtext("{*}fieldentry")
            for field in item.iter(f"{{{QTI}}}qtimetadatafield")
        }
        assert metadata["question_type"] in known
        assert float(metadata["points_possible"]) > 0
        feedback = {element.get("ident") for element in item.iter(f"{{{QTI}}}itemfeedback")}
        asked = {element.get("linkrefid") for element in item.iter(f"{{{QTI}}}displayfeedback")}
        assert asked == feedback
        responding = {e.get("ident") for e in item.iter() if e.tag.endswith(("response_lid", "response_str"))}
        assert {e.get("respident") for e in item.iter() if e.get("respident")} == responding


def test_canvas_shows_the_feedback_of_the_answer_that_was_given(bank):
    found, _ = questions(bank, 0)
    items = items_of(bank, found)
    by_id = {question.id: question for question in found}
    assert canvas(items["multi-three"], by_id["multi-three"], frozenset("ad"))[1] == {
        "general_fb",
        "a_fb",
        "d_fb",
    }
    assert canvas(items["word"], by_id["word"], "padding")[1] == {"general_fb", "wrong0_fb"}
    assert canvas(items["word"], by_id["word"], "step width")[0] == 1.0


# --- text


@pytest.mark.parametrize(
    ("markdown", "wanted"),
    [
        ("one\ntwo", "<p>one two</p>"),
        ("one\n\ntwo", "<p>one</p><p>two</p>"),
        ("see:\n\n    a < b\n\n    c\n\nend", "<p>see:</p><pre>a &lt; b\n\nc</pre><p>end</p>"),
        ("    x\n      y", "<pre>x\n  y</pre>"),
        ("`a<b` & c", "<p><code>a&lt;b</code> &amp; c</p>"),
        ("one\n    two", "<p>one two</p>"),
        ("", ""),
    ],
)
def test_markdown_becomes_html(markdown, wanted):
    assert to_html(markdown) == wanted


# --- the command


@pytest.fixture
def grade(tmp_path):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return grade_command.run("export", "quizzes", *arguments, folder=tmp_path)

    return run


def test_items_that_are_left_out_are_named(grade, tmp_path):
    done = grade("moodle", "out.xml")
    assert done.returncode == 1
    assert "left out, the platform has no question like the type grid: pooling pool-by-hand" in done.stderr
    assert done.stderr.count("left out") == int(done.stdout.split()[2]) - int(done.stdout.split()[0])
    assert ET.parse(tmp_path / "out.xml").getroot().tag == "quiz"


WHOLE = """\
title: Numbers
section: "1"
items:
  - id: six-times-seven
    type: numeric
    objective: multiply
    prompt: How much is six times seven?
    key: 42
    explanation: Six sevens.
"""


def test_a_quiz_without_omissions_exits_with_zero(grade, tmp_path, monkeypatch):
    course = shutil.copytree(Path(__file__).parent / "course", tmp_path / "course")
    (course / "quizzes").mkdir(exist_ok=True)
    (course / "quizzes" / "numbers.yaml").write_text(WHOLE, encoding="utf-8")
    monkeypatch.setenv("CONVGRADER_COURSE", str(course))
    done = grade("canvas", "out.zip", "numbers")
    assert (done.returncode, done.stderr) == (0, "")
    assert zipfile.ZipFile(tmp_path / "out.zip").namelist() == [
        "imsmanifest.xml",
        "numbers/numbers.xml",
    ]
    done = grade("canvas", "out.zip", "nummers")
    assert done.returncode == 2
    assert 'Did you mean "numbers"?' in done.stderr


# --- limits


@pytest.mark.parametrize("length", [MAX_TEXT, MAX_TEXT + 1])
def test_a_text_is_cut_at_its_limit(length: int) -> None:
    assert (xml_text("x" * length) == "x" * length) == (length <= MAX_TEXT)


def test_characters_that_xml_forbids_are_spelled_out() -> None:
    assert xml_text("a\x00\x1b\ufffe\ud800\n\tb") == "a\\x00\\x1b\\ufffe\\ud800\n\tb"


@pytest.mark.parametrize(
    ("key", "tolerance", "expected"),
    [
        (3.0, None, 3e-6),
        (-3.0, None, 3e-6),
        (0.0, None, 0.0),
        (8.0, Tolerance(rtol=0.01), 0.08),
        (8.0, Tolerance(atol=0.5, rtol=0.01), 0.5),
        (0.125, Tolerance(decimals=2), 0.005),
    ],
)
def test_the_tolerance_of_a_number_is_absolute(
    key: float, tolerance: Tolerance | None, expected: float
) -> None:
    assert allowed(key, tolerance) == pytest.approx(expected)


@pytest.mark.parametrize(("letters", "is_bank"), [("abcdefgh", True), ("abcdefghi", False)])
def test_moodle_has_a_fraction_for_as_many_right_options_as_a_bank_may_have(
    tmp_path: Path, letters: str, is_bank: bool
) -> None:
    right = "".join(
        f"      {letter}: {{text: {letter}, correct: true, feedback: Yes.}}\n" for letter in letters[:-1]
    )
    path = tmp_path / "many.yaml"
    path.write_text(
        'title: t\nsection: "1"\nitems:\n  - id: many\n    type: multi\n    objective: o\n    prompt: p\n    options:\n'
        f"{right}      {letters[-1]}: {{text: z, feedback: No., misconception: m}}\n    explanation: e\n",
        encoding="utf-8",
    )
    if is_bank:
        found, left_out = questions(load_bank(path), 0)
        assert [question.id for question in found] == ["many"]
        assert not left_out
        assert len(letters) <= max(FRACTIONS)
    else:
        with pytest.raises(DocumentError, match="name the options"):
            load_bank(path)
