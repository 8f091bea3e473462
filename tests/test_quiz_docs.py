"""docs/quizzes.md: every example on the page is a bank that loads."""

import re
from pathlib import Path

import pytest

from grader import quiz

PAGE = (Path(__file__).parent.parent / "docs" / "quizzes.md").read_text(encoding="utf-8")
EXAMPLES = [
    block for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.S | re.M) if block.startswith("- id:")
]
TYPES = {
    "single", "multi", "true_false", "numeric", "shape", "text", "match", "order", "cloze", "code_output", "grid",
}  # fmt: skip


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    path = tmp_path_factory.mktemp("docs") / "examples.yaml"
    items = "".join(f"  {line}\n" for block in EXAMPLES for line in block.splitlines())
    path.write_text(f'title: Examples\nsection: "1"\nitems:\n{items}', encoding="utf-8")
    return quiz.load_bank(path, shown="docs/quizzes.md")


def test_every_type_has_an_example_that_loads(bank):
    assert {item.type for item in bank.items} == TYPES
    assert any(item.params for item in bank.items)
