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


def test_every_example_holds_for_many_seeds_and_its_key_is_what_torch_computes(bank):
    import torch

    names = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    assert [str(problem) for problem in (*quiz.stress(bank), *quiz.verify(bank, names))] == []
    assert sum(item.has_computed_key for item in bank.items) >= len(TYPES)


def test_the_head_of_a_bank_on_the_page_is_read(tmp_path):
    head = next(
        block for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.S | re.M) if "items: [...]" in block
    )
    (tmp_path / "pooling.yaml").write_text(
        head.replace("items: [...]", "items:\n") + "".join(f"  {line}\n" for line in EXAMPLES[0].splitlines())
    )
    bank = quiz.load_bank(tmp_path / "pooling.yaml")
    assert (bank.seed, bank.salt) == (7, "spring")
    assert bank.aliases == {"rectified linear unit": "relu", "rectifier": "relu"}
