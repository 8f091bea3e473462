"""One slip in an answers file costs one item, never the others; and what is clear all the same costs nothing."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader import quiz
from grader.core.errors import DocumentError
from grader.quiz.answers import read_answers
from grader.quiz.sheet import as_yaml, filled

ROOT = Path(__file__).parent.parent
# Three banks that have items of every type.
BANKS = {
    name: quiz.load_bank(ROOT / "quizzes" / f"{name}.yaml") for name in ("convolution", "lenet", "pooling")
}
SEED = 7


def key_lines(bank: quiz.Bank) -> dict[str, str]:
    """Return the line of each item in an answers file that earns everything."""
    return {item.id: f"  {item.id}: {as_yaml(item.key_response())}" for item in bank.sheet(SEED)}


def head(bank: quiz.Bank) -> str:
    lines = filled(bank, {}, seed=SEED).split("answers:")[0].splitlines()
    return "\n".join(line for line in lines if not line.startswith("#")) + "\n"


def sheet(bank: quiz.Bank, lines: dict[str, str]) -> str:
    return f"{head(bank)}answers:\n" + "\n".join(lines.values()) + "\n"


def lost(bank: quiz.Bank, text: str) -> tuple[list[str], tuple[str, ...]]:
    """Return the items that earn less than their points, and the problems."""
    result = quiz.grade(bank, text, shown="answers/x.yaml")
    return [item.id for item in result.items if item.points < item.max_points], result.problems


# Each slip, made in the line of one item: `{id}` and `{value}` are those of the line.
COSTLY = {
    "an unclosed double quote": '  {id}: "{value}',
    "an unclosed single quote": "  {id}: '{value}",
    "a quote that is closed twice": '  {id}: "x" "y" \'',
    "a tab before the key": "\t{id}: {value}",
    "spaces and a tab before the key": "  \t{id}: {value}",
    "twice": "  {id}: {value}\n  {id}: {value}",
    "twice and different": "  {id}: {value}\n  {id}: nonsense",
    "an unknown key": "  {id}x: {value}",
    "no colon": "  {id} {value}",
    "nonsense": "  {id}: &!*nonsense",
    "an alias": "  {id}: *b",
    "a tag": "  {id}: !!python/object:os.system x",
    "a reserved character": "  {id}: @x",
    "a control character": "  {id}: \x07",
    "too deep": "  {id}: " + "[" * 40 + "]" * 40,
    "a stray line": "  {id}: nonsense\n  and a line of thoughts",
    "a broken list": "  {id}: [a, {{b\n    c",
    "a mapping in a line": "  {id}: x: y: z",
}
FREE = {
    "indented by one": " {id}: {value}",
    "indented by four": "    {id}: {value}",
    "not indented": "{id}: {value}",
    "a dash before the key": "  - {id}: {value}",
    "a comment behind": "  {id}: {value}  # I think",
    "a comment below": "  {id}: {value}\n  # 'tis an \"open quote",
    "empty and then filled": "  {id}:\n  {id}: {value}",
    "filled and then empty": "  {id}: {value}\n  {id}:",
    "the key in quotes": '  "{id}": {value}',
    "an empty line between": "\n\n  {id}: {value}\n\n",
    "no space behind the colon": "  {id}:{value}",
}


def with_slip(bank: quiz.Bank, item: str, slip: str) -> str:
    lines = key_lines(bank)
    value = lines[item].partition(": ")[2]
    plain = value.strip("\"'") if value.startswith(("'", '"')) else value
    lines[item] = slip.format(id=item, value=plain if "quote" in slip or "{value}" not in slip else value)
    return sheet(bank, lines)


@pytest.mark.parametrize("slip", COSTLY)
@pytest.mark.parametrize("name", BANKS)
def test_a_slip_costs_its_item_and_no_other(name, slip):
    bank = BANKS[name]
    for item in key_lines(bank):
        missing, problems = lost(bank, with_slip(bank, item, COSTLY[slip]))
        assert set(missing) <= {item}, problems
        assert missing == [item] or not problems
        if missing:
            result = quiz.grade(bank, with_slip(bank, item, COSTLY[slip]), shown="answers/x.yaml")
            answered = next(one.answered for one in result.items if one.id == item)
            assert answered is not bool(problems) or "stray" in slip
            assert all(problem.startswith("answers/x.yaml:") for problem in problems)


@pytest.mark.parametrize("slip", FREE)
@pytest.mark.parametrize("name", BANKS)
def test_what_is_clear_all_the_same_costs_nothing(name, slip):
    bank = BANKS[name]
    for item, line in key_lines(bank).items():
        value = line.partition(": ")[2]
        if slip == "no space behind the colon" and value.startswith(("'", '"', "{")):
            continue  # these are no plain text
        text = with_slip(bank, item, FREE[slip])
        assert lost(bank, text) == ([], ()), text


@pytest.mark.parametrize("name", BANKS)
def test_every_item_may_have_its_own_slip(name):
    """With a tab before every second item, and a quote open in every third, the others are graded."""
    bank = BANKS[name]
    lines = key_lines(bank)
    spoiled = set()
    for n, item in enumerate(list(lines)):
        if n % 2:
            lines[item] = "\t" + lines[item].strip()
        elif n % 3 == 0:
            lines[item] = f'  {item}: "x'
        if n % 2 or n % 3 == 0:
            spoiled.add(item)
    missing, problems = lost(bank, sheet(bank, lines))
    assert set(missing) == spoiled
    assert len(problems) == len(spoiled)


@pytest.mark.parametrize(
    ("before", "messages"),
    [
        ("name: Ada\n", ['answers/x.yaml:1:1: the key "name" is not known here']),
        ("seeed: 3\n", ['answers/x.yaml:1:1: the key "seeed" is not known here; did you mean "seed"?']),
        ("Thank you\n", ['answers/x.yaml:1:1: "Thank you" belongs to no item']),
        ("name: 'Ada\n", ['answers/x.yaml:1:1: the key "name" is not known here']),
        ("---\n", []),
        ("\ufeff", []),
        ("group:\n  - Ada\n  - Ben\n", ['answers/x.yaml:1:1: the key "group" is not known here']),
        ("hints: {x: [}\n", ["answers/x.yaml:1:"]),
        ("hints:\n  nothing: 1\n", ["has no item"]),
    ],
)
def test_a_slip_in_the_head_costs_no_item(before, messages):
    bank = BANKS["pooling"]
    missing, problems = lost(bank, before + sheet(bank, key_lines(bank)))
    assert missing == []
    assert len(problems) == len(messages)
    assert all(part in problem for part, problem in zip(messages, problems, strict=True))


@pytest.mark.parametrize("key", ["answers", "Answers", "answer", "answres", '"answers"'])
def test_answers_that_are_clearly_meant_are_read(key):
    bank = BANKS["pooling"]
    text = sheet(bank, key_lines(bank)).replace("answers:\n", f"{key}:\n")
    missing, problems = lost(bank, text)
    assert missing == []
    assert len(problems) == (key.strip('"') != "answers")


def test_answers_without_their_key_are_read():
    bank = BANKS["pooling"]
    assert lost(bank, sheet(bank, key_lines(bank)).replace("answers:\n", ""))[0] == []


def test_answers_in_curly_brackets_are_read_and_a_slip_in_them_costs_one():
    bank = BANKS["pooling"]
    items = [line.strip() for line in key_lines(bank).values()]
    for text in (", ".join(items), ",\n  ".join(items)):
        assert lost(bank, f"{head(bank)}answers: {{{text}}}\n") == ([], ())
    for n, line in enumerate(items):
        broken = [*items[:n], f'{line.split(":")[0]}: "open', *items[n + 1 :]]
        missing, problems = lost(bank, f"{head(bank)}answers: {{{', '.join(broken)}}}\n")
        assert missing == [line.split(":")[0]]
        assert len(problems) == 1


def test_a_sheet_that_is_json_is_read():
    bank = BANKS["pooling"]
    items = ", ".join(
        f'"{item.id}": "{item.key_response()}"' for item in bank.sheet() if item.type == "numeric"
    )
    result = quiz.grade(bank, f'{{"quiz": "pooling", "answers": {{{items}}}}}')
    assert result.problems == ()
    assert sum(item.points > 0 for item in result.items) == items.count('": "')


SHAPES = [
    "*",
    "(*, 64, 27, 27)",
    "[*, 64, 27, 27]",
    "* x 64 x 27 x 27",
    "N x 64 x 27 x 27",
    "-1, 64, 27, 27",
    "%",
    "`eval()`",
    "50 %",
    "-inf",
    "- inf",
]


@pytest.mark.parametrize("written", SHAPES)
def test_what_the_docs_say_may_be_written_without_quotes(tmp_path, written):
    """YAML has a meaning of its own for *, %, @ and ` at the beginning of a text; an answer that has none is the text."""
    path = tmp_path / "first.yaml"
    path.write_text(
        'title: T\nsection: "1"\nitems:\n'
        "  - {id: word, type: text, objective: o, prompt: p, explanation: e, accept: [nothing]}\n"
        "  - {id: size, type: shape, objective: o, prompt: p, explanation: e, key: [N, 64, 27, 27]}\n",
        encoding="utf-8",
    )
    bank = quiz.load_bank(path)
    found = read_answers(bank, f"quiz: first\nanswers:\n  word: {written}\n", shown="x")
    assert (list(found.given), found.problems) == (["word"], ())
    if "27" in written:
        result = quiz.grade(bank, f"quiz: first\nanswers:\n  size: {written}\n")
        assert (result.points, result.problems) == (1, ())


def test_a_cloze_of_several_lines_and_a_text_block_are_read():
    bank = BANKS["lenet"]
    text = sheet(bank, key_lines(bank))
    whole = next(line for line in text.splitlines() if line.startswith("  trace-of-shapes:"))
    item = next(item for item in bank.sheet(SEED) if item.id == "trace-of-shapes")
    gaps = "".join(f"    {name}: {as_yaml(value)}\n" for name, value in item.key_response().items())
    assert lost(bank, text.replace(whole, f"  trace-of-shapes:\n{gaps}".rstrip())) == ([], ())
    printed = next(line for line in text.splitlines() if line.startswith("  shapes-do-not-fit:"))
    assert lost(bank, text.replace(printed, "  shapes-do-not-fit: |\n    Runtime\n    error")) == ([], ())


@pytest.mark.parametrize(
    "text",
    ["", "\n", "# nothing\n", "answers:\n  x: 1\n", "quiz: 3x\nanswers:\n", "quiz: pooling\nseed: many\n", "quiz: [pooling\n", "[" * 100, "\t\n:\n", "quiz:\n"],
)  # fmt: skip
def test_a_file_without_its_quiz_or_with_a_wrong_seed_cannot_be_used(text):
    with pytest.raises(DocumentError):
        read_answers(BANKS["pooling"], text, shown="x")


@pytest.mark.parametrize(
    "text",
    [
        "  max-of-negatives: -3\n" * 12_000,
        '  default-stride: "a\n' * 12_000,
        "  x{n}: [\n" * 20_000,
        "  max-of-negatives: " + "[" * 200_000,
        '  max-of-negatives: "' + "\n x" * 80_000,
        "a" * 250_000,
        "  " + "a " * 120_000 + ":",
        "\t" * 200_000 + ":",
        "answres:\n" * 20_000,
        "  max-of-negatives: [" + "\n  x y" * 40_000,
        " : :" * 60_000,
    ],
    ids=lambda text: text[:24].strip(),
)
def test_no_sheet_is_slow(text):
    began = time.process_time()
    result = quiz.grade(BANKS["pooling"], f"quiz: pooling\nanswers:\n{text}\n", shown="x")
    assert result.points == 0
    assert len(result.problems) <= 21
    assert time.process_time() - began < 3


@given(st.text(alphabet="ab-:\"'[]{},\n \t#|>*&!x1", max_size=80))
def test_any_lines_are_read_and_cost_no_other_item(lines):
    bank = BANKS["pooling"]
    text = f"quiz: pooling\nanswers:\n  max-of-negatives: -3\n{lines}\n"
    result = quiz.grade(bank, text, shown="x")
    assert len(result.problems) <= 21
    assert 0 <= result.points <= result.max_points


def test_the_banks_here_have_items_of_every_type():
    assert len({item.type for bank in BANKS.values() for item in bank.items}) == len(quiz.types.ITEM_TYPES)
