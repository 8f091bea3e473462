"""The JSON Schemas for editors: they accept and refuse the same as the loader, and every file names its schema."""

import json
from pathlib import Path

import jsonschema
import pydantic
import pytest
import yaml
from test_quiz import BANK

from grader.authoring.input_matrix import UntestedDocument
from grader.authoring.schemas import SCHEMAS_FOLDER, schemas
from grader.core import yaml_document
from grader.core.errors import DocumentError
from grader.course import catalog
from grader.course.catalog import ExerciseDocument
from grader.quiz.bank import BankDocument

ROOT = Path(__file__).parents[1]
BANKS = sorted((ROOT / "quizzes").glob("*.yaml"))
EXERCISES = sorted((ROOT / "solutions").glob("*/exercise.yaml"))
UNTESTED = sorted((ROOT / "solutions").glob("*/untested.yaml"))
MODELS = {"quiz.json": BankDocument, "exercise.json": ExerciseDocument, "untested.json": UntestedDocument}
EXERCISE = """\
title: Scaling
section: "1"
points: 13
names: [double]
objectives: [say it]
source: this test
hints: [a, b, c]
"""

REASONS = """\
untested:
  - rows: [double.x]
    values: [half]
    reason: this test
"""


def validator(name: str) -> jsonschema.protocols.Validator:
    schema = json.loads(schemas()[name])
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.skipif(
    tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 14),
    reason="an older pydantic writes them in another form",
)
@pytest.mark.parametrize("name", MODELS)
def test_the_schemas_are_current(name):
    assert (ROOT / SCHEMAS_FOLDER / name).read_text(encoding="utf-8") == schemas()[name], (
        "the models have changed: `grade new` writes the schemas, as `authoring.schemas.write_schemas` does"
    )


@pytest.mark.parametrize(
    "path", [*BANKS, *EXERCISES, *UNTESTED], ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_every_file_names_its_schema_and_is_valid(path):
    text = path.read_text(encoding="utf-8")
    first, _, named = text.split("\n", 1)[0].partition("$schema=")
    assert first == "# yaml-language-server: "
    schema = (path.parent / named).resolve()
    assert schema.parent == ROOT / SCHEMAS_FOLDER
    validator(schema.name).validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("name", "text", "old", "new"),
    [
        ("quiz.json", BANK, "type: single", "type: singel"),
        ("quiz.json", BANK, "title: A quiz", "titel: A quiz"),
        ("quiz.json", BANK, "    explanation: Because.\n", ""),
        ("quiz.json", BANK, "points: 2", "points: two"),
        ("quiz.json", BANK, "objective: choose\n", "objective: choose\n    color: red\n"),
        ("quiz.json", BANK, "misconception: wrong-one", "misconception: Wrong one"),
        ("exercise.json", EXERCISE, "points: 13", "points: -1"),
        ("exercise.json", EXERCISE, "names: [double]", "names: double"),
        ("exercise.json", EXERCISE, "names: [double]", "name: [double]"),
        ("exercise.json", EXERCISE, "title: Scaling\n", ""),
        ("untested.json", REASONS, "rows: [double.x]", "rows: []"),
        ("untested.json", REASONS, "values: [half]", "value: [half]"),
        ("untested.json", REASONS, "    reason: this test\n", ""),
    ],
)
def test_schema_and_loader_refuse_the_same(tmp_path, name, text, old, new):
    path = tmp_path / "some.yaml"
    path.write_text(text, encoding="utf-8")
    yaml_document.read(path, MODELS[name])
    validator(name).validate(yaml.safe_load(text))
    assert old in text
    broken = text.replace(old, new, 1)
    path.write_text(broken, encoding="utf-8")
    with pytest.raises(DocumentError):
        yaml_document.read(path, MODELS[name])
    assert list(validator(name).iter_errors(yaml.safe_load(broken)))


def test_the_miniature_course_of_the_tests_is_valid_too():
    for exercise in catalog.load(Path(__file__).parent / "course").exercises:
        validator("exercise.json").validate(
            yaml.safe_load((exercise.folder / "exercise.yaml").read_text("utf-8"))
        )
