"""JSON Schemas of the YAML files of a course and of policy files, for editors: generated from the pydantic models.

An editor with a YAML language server finds them by the first line of a file, `# yaml-language-server: $schema=...`.
They are stored in the course itself, so that the same relative path works in every course and without a network.
"""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from grader.authoring.input_matrix import UntestedDocument
from grader.authoring.tree_check import course_path
from grader.classroom.policy_file import PolicyDocument
from grader.core.atomic_write import write_whole
from grader.course.catalog import Course, CourseDocument, ExerciseDocument
from grader.quiz.bank import BankDocument
from grader.quiz.units import UNITS

SCHEMAS_FOLDER = "schemas"

_FORMULA: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "description": "A formula, such as (n - k) // s + 1.",
}
# The schema of a value that the models validate in Python, by the name of the validating function.
_PLAIN: dict[str, dict[str, Any]] = {
    "_number": {"anyOf": [{"type": "number"}, _FORMULA]},
    "_size": {"anyOf": [{"type": "integer", "minimum": 0}, _FORMULA]},
    "_formula": _FORMULA,
}
_NARROWER: dict[str, dict[str, Any]] = {
    "_slug": {"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
    "_name": {"pattern": "^[A-Za-z][A-Za-z0-9_]{0,30}$"},
    "_unit": {"enum": sorted(UNITS)},
    "check_pattern": {},
}


class _Generator(GenerateJsonSchema):
    """pydantic's generator, with the constraints that the models check in Python functions."""

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> JsonSchemaValue:
        return _PLAIN[_validator_name(schema)]

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"]) | _NARROWER.get(_validator_name(schema), {})

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        if _validator_name(schema) == "_hints_may_be_texts":
            return inner | {"items": {"anyOf": [{"type": "string", "minLength": 1}, inner["items"]]}}
        return inner

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        """Return False: a title that repeats the key adds nothing in an editor."""
        return False


def _validator_name(schema: Any) -> str:
    function = schema["function"]["function"]
    return str(getattr(function, "__name__", ""))


def schemas() -> dict[str, str]:
    """Return the JSON text of each schema by file name."""
    models: dict[str, type[BaseModel]] = {
        "course.json": CourseDocument,
        "exercise.json": ExerciseDocument,
        "quiz.json": BankDocument,
        "untested.json": UntestedDocument,
        "policy.json": PolicyDocument,
    }
    return {
        name: _text(model.model_json_schema(schema_generator=_Generator)) for name, model in models.items()
    }


def _text(schema: dict[str, Any]) -> str:
    marked = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(marked, indent=1, ensure_ascii=False) + "\n"


def write_schemas(course: Course) -> list[str]:
    """Write the schemas that are missing or out of date into a course. Return the paths written, from its root."""
    written = []
    folder = course.root / SCHEMAS_FOLDER
    for name, text in schemas().items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            folder.mkdir(exist_ok=True)
            write_whole(path, text.encode())
            written.append(course_path(course, path))
    return written
