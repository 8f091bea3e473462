"""Item types: one file and one line of the registry each, and no other module asks which type an item has."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import grader
from grader.quiz.types import ITEM_TYPES

ROOT = Path(grader.__file__).parent
# `export` translates types into the questions of other systems, which is its purpose.
GENERIC = [
    path
    for wing in ("quiz", "cli", "classroom", "authoring", "workspace", "grading", "report")
    for path in sorted((ROOT / wing).rglob("*.py"))
    if ROOT / "quiz" / "types" not in path.parents
]
CLASSES = {
    node.name
    for path in (ROOT / "quiz" / "types").glob("*.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.ClassDef)
} - {"Item", "Answerable", "MarkedResponse"}
NAMES = {name for kind in ITEM_TYPES for name in kind.model_fields["type"].annotation.__args__}


def questions_about_types(source: str) -> list[str]:
    """Return the places of a module that treat items of some types in a way of their own."""
    found = []
    for node in ast.walk(ast.parse(source)):
        name = ""
        if isinstance(node, ast.alias):
            name = node.name
        elif isinstance(node, (ast.Name, ast.Attribute)):
            name = node.id if isinstance(node, ast.Name) else node.attr
        if name in CLASSES and "grader.quiz" in source:
            found.append(f"{node.lineno}: {name}")
        if isinstance(node, ast.Compare):
            parts = list(ast.walk(node))
            named = NAMES & {part.value for part in parts if isinstance(part, ast.Constant)}
            asked = any(isinstance(part, ast.Attribute) and part.attr == "type" for part in parts)
            found += [f"{node.lineno}: compares with a type"] * bool(named and asked)
        if isinstance(node, ast.Match) and isinstance(node.subject, ast.Attribute):
            found += [f"{node.lineno}: matches the type"] * (node.subject.attr == "type")
        if isinstance(node, ast.Dict):
            keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            found += [f"{node.lineno}: a table of types"] * (len(keys & NAMES) > 1)
    return found


def test_no_module_outside_the_types_asks_for_a_type():
    found = {path: questions_about_types(path.read_text(encoding="utf-8")) for path in GENERIC}
    assert len(found) > 50
    assert {path: places for path, places in found.items() if places} == {}


@pytest.mark.parametrize(
    "source",
    [
        "from grader.quiz import types\ndef f(item):\n    return isinstance(item, types.SingleItem)",
        "def f(item):\n    match item.type:\n        case 'single': return 1",
        "from grader.quiz import types\ndef f(item):\n    match item:\n        case types.MultiItem(): return 1",
        "def f(item):\n    return item.type == 'grid'",
        "def f(item):\n    return item.type in ('grid', 'shape')",
        "from grader.quiz.types import ClozeItem",
        "from grader.quiz import types\ndef f(item):\n    return isinstance(item, types.text.WordsKey)",
        "FORMS = {'single': 1, 'multi': 2}",
    ],
)
def test_a_question_about_the_type_is_found(source):
    assert questions_about_types(source)


@pytest.mark.parametrize("kind", ITEM_TYPES, ids=lambda kind: kind.__name__)
def test_every_type_has_a_file_of_its_own_name_and_the_whole_interface(kind):
    (name,) = kind.model_fields["type"].annotation.__args__
    assert kind.__module__ == f"grader.quiz.types.{name}"
    assert not kind.__abstractmethods__


# --- a twelfth type

FILE = '''
"""`temperature`: invented for a test."""

from typing import Literal

from grader.quiz.fields import Number, Text
from grader.quiz.numeric_answers import plain, read_number
from grader.quiz.responses import ResponseError
from grader.quiz.types.base import RIGHT, Item, MarkedResponse
from grader.quiz.types.html_controls import field


class TemperatureItem(Item):
    """A temperature, in degrees Celsius."""

    type: Literal["temperature"]
    key: Number
    too_warm: Text
    verify: Text | None = None

    def read(self, value):
        text = str(value)
        if not text.endswith("C"):
            raise ResponseError("a temperature is expected, for example: 21 C")
        return read_number(text.removesuffix("C").strip())

    def mark(self, response, aliases):
        if response == plain(self.key):
            return RIGHT
        warm = response > plain(self.key)
        return MarkedResponse(credit=0.25, feedback=(self.too_warm,) if warm else (), misconceptions=("warm",) if warm else ())

    def problems(self, aliases):
        if plain(self.key) < -273.15:
            yield ("key",), "nothing is that cold"

    def answer_form(self):
        return "a temperature: 21 C"

    def key_response(self):
        return f"{plain(self.key)} C"

    def equals_key(self, value):
        return float(value) == plain(self.key)

    def numbers(self):
        yield plain(self.key)

    def controls(self, name):
        return field(name, "Degrees", "text", max_length=20)
'''
BANK = """\
title: Weather
section: "1"
items:
  - id: water
    type: temperature
    points: 2
    objective: know water
    params: {n: {low: 90, high: 110}}
    prompt: Where does water boil, plus {n}?
    key: 100 + n
    too_warm: That is steam.
    explanation: At 100 plus {n}.
    verify: 100 + n
"""
SCRIPT = """
import sys
from pathlib import Path
from grader import quiz
from grader.authoring.schemas import schemas
from grader.core.errors import DocumentError
from grader.export.questions import questions
from grader.quiz.answers import Responses
from grader.quiz.page import to_html
from grader.quiz.sheet import filled

bank_text = Path(sys.argv[1]).read_text()

def load(text):
    Path("weather.yaml").write_text(text)
    return quiz.load_bank(Path("weather.yaml"))

def problems(text):
    try:
        return [str(problem) for problem in quiz.stress(load(text))]
    except DocumentError as error:
        return [str(problem) for problem in error.problems]

bank = load(bank_text)
key = 100 + int(bank.sheet(5)[0].prompt.split("plus ")[1].rstrip("?"))

def graded(value):
    return quiz.grade(bank, filled(bank, {"water": value}, seed=5))

assert "# Write a temperature: 21 C" in quiz.template(bank, 5)
(right,) = graded(f"{key} C").items
assert (right.points, right.feedback) == (2.0, (f"At 100 plus {key - 100}.",)), right
(warm,) = graded("900 C").items
assert (warm.points, warm.feedback, warm.misconceptions) == (0.5, ("That is steam.",), ("warm",)), warm
(cold,) = graded("1 C").items
assert cold.feedback == ("Not yet. The goal: know water.",), cold
unread = graded("warm")
assert "21 C" in unread.problems[0] and not unread.items[0].answered, unread
page = to_html(bank, Responses(seed=5, given={"water": "7 C"}))
for words in ("Degrees", "Write a temperature: 21 C.", '"text": "7 C"', 'data-kind="text"'):
    assert words in page, words
assert "steam" not in page
assert quiz.stress(bank) == []
assert quiz.verify(bank, {}) == []
(problem,) = quiz.verify(load(bank_text.replace("verify: 100", "verify: 99")), {})
assert "but torch says" in str(problem), problem
assert "nothing is that cold" in problems(bank_text.replace("key: 100 +", "key: -900 +"))[0]
assert any("is too large" in p for p in problems(bank_text.replace("key: 100 +", "key: 10 ** 15 +"))), "stress"
assert any("too_warm" in p for p in problems(bank_text.replace("too_warm", "too_worm")))
assert any("TemperatureItem" in text for text in schemas().values())
assert questions(bank, 5) == ([], {"water": "the platform has no question like the type temperature"})
print("twelve")
"""


def test_a_twelfth_type_is_one_file_and_one_line_of_the_registry(tmp_path):
    """In a copy of the engine: the type goes through parsing, sheet, marking, page, soundness, stress and schemas."""
    shutil.copytree(ROOT, tmp_path / "grader", ignore=shutil.ignore_patterns("__pycache__"))
    types = tmp_path / "grader" / "quiz" / "types"
    (types / "temperature.py").write_text(FILE.lstrip(), encoding="utf-8")
    registry = (types / "__init__.py").read_text(encoding="utf-8")
    line, import_line = "    GridItem,\n)", "from grader.quiz.types.text import"
    assert line in registry
    registry = registry.replace(line, "    GridItem,\n    TemperatureItem,\n)")
    registry = registry.replace(
        import_line, f"from grader.quiz.types.temperature import TemperatureItem\n{import_line}"
    )
    (types / "__init__.py").write_text(registry, encoding="utf-8")
    (tmp_path / "bank.yaml").write_text(BANK, encoding="utf-8")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "script.py", "bank.yaml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "twelve\n"), done.stderr
