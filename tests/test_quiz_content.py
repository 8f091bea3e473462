"""What the course's quizzes ask: nothing that another item or the page of the section has solved, and enough whys.

Only what can be searched for is searched for: numbers, shapes, printed text, words, and the text of right options.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader import quiz
from grader.quiz.bank import Bank
from grader.quiz.types import Item
from grader.quiz.typography import plain

ROOT = Path(__file__).parent.parent
BANKS = quiz.load_banks(ROOT / "quizzes")
SEEDS = range(5)
MIN_FAULTS_AND_FIGURES = 25
MIN_WHY = 1 / 3

NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w]|\.\d)")
WORD = re.compile(r"[a-z_][a-z_0-9]{2,}|\d+(?:\.\d+)?")
WHY = re.compile(r"\b(?:why|reason|what goes wrong|what is wrong|cause|explains?)\b", re.IGNORECASE)
COMMON = frozenset(
    re.findall(
        r"\w+",
        "the and for are with what which does that this how many its has have from one two three after before it of "
        "each all not but than then they them there where when into will would can cannot get gets give gives same "
        "number numbers value values layer layers image images pixel pixels nn torch convolution channels shape "
        "print prints following write here happens between more most other only over under such too",
    )
)


def pages(bank: Bank) -> str:
    """Return the text of the pages of a bank's section."""
    names = (ROOT / "docs" / "notes").glob(f"{int(bank.section):02}-*.md")
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(names))


def shown(item: Item) -> str:
    """Return what a student sees of an item before it is graded."""
    return plain("\n".join([item.prompt_text(), *item.listed_choices(), *(hint.text for hint in item.hints)]))


def numbers(text: str) -> set[float]:
    return {float(found.replace(",", "")) for found in NUMBER.findall(plain(text)) if found.strip(",")}


def squashed(text: str) -> str:
    return re.sub(r"[\s`*\"']+", "", plain(text)).lower()


def words(text: str) -> set[str]:
    return {word for word in WORD.findall(plain(text).lower()) if word not in COMMON}


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a page; a row of a table and a line of code are one each."""
    for block in re.split(r"\n\s*\n", text):
        if block.lstrip().startswith(("|", "```", "    ")):
            yield from block.splitlines()
        else:
            yield from re.split(r"(?<=[.:;?!])\s+", " ".join(block.split()))


def parts(item: Item) -> Iterator[tuple[str, object]]:
    """Yield the type and the key of each part of an item that has one to search for."""
    for _, part in item.answerables():
        kind = str(getattr(part, "type", ""))
        if kind == "single":
            (letter,) = item.key_response()
            yield kind, item.options[letter].text
        elif kind == "text" and not part.choices:
            yield kind, part.accept
        elif kind in {"numeric", "shape", "code_output"}:
            yield kind, part.key


def long_enough(number: float) -> bool:
    """Tell whether a number is one that does not stand somewhere by chance."""
    return number >= 100 or (number != int(number) and len(f"{number:g}") > 3)


def given_away(kind: str, key: object, text: str) -> bool:
    """Tell whether a text holds the key of a part as it is."""
    if kind == "numeric":
        return long_enough(float(key)) and float(key) in numbers(text)
    if kind == "shape":
        return len(key) > 2 and f"({','.join(map(str, key))})" in squashed(text).replace("[", "(").replace(
            "]", ")"
        )
    if kind == "code_output":
        return len(squashed(key)) > 5 and squashed(key) in squashed(text)
    if kind == "text":
        return any(
            re.search(rf"(?<![\w-]){re.escape(word.lower())}(?!\w)", plain(text).lower()) for word in key
        )
    return len(words(key)) > 3 and squashed(key).rstrip(".") in squashed(text)


def solved(item: Item, kind: str, key: object, page: str) -> str:
    """Return where a page holds the key; or for a word or a right option, the sentence that asks the same with it."""
    if kind not in {"text", "single"}:
        return page[:40] if given_away(kind, key, page) else ""
    asked = words(item.prompt_text())
    options = [key] if kind == "single" else key
    for sentence in sentences(page):
        said = words(sentence)
        if (
            kind == "single"
            and words(key)
            and len(words(key) & said) >= 0.8 * len(words(key))
            and len(words(key)) > 3
        ):
            return sentence
        has_word = kind == "text" and given_away(kind, options, sentence)
        if has_word and len(asked & said) >= 0.5 * len(asked):
            return sentence
    return ""


@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.id)
def test_no_item_gives_another_away(bank):
    found = set()
    for seed in SEEDS:
        sheet = bank.sheet(seed)
        texts = {item.id: shown(item) for item in sheet}
        for item in sheet:
            for kind, key in parts(item):
                found |= {
                    f"{other} gives {item.id} away: {key}"
                    for other, text in texts.items()
                    if other != item.id and given_away(kind, key, text)
                }
    assert found == set()


def stems(text: str) -> set[str]:
    return {word[:5] for word in words(text)}


def rights(item: Item) -> Iterator[str]:
    """Yield the texts of the right options, and of the right reason."""
    for options in (getattr(item, "options", {}), getattr(item, "reasons", {})):
        yield from (option.text for option in options.values() if option.correct)


@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.id)
def test_no_item_says_what_another_asks(bank):
    """No sentence of one item has the words of the right option of another, in other forms or another order."""
    sheet = bank.sheet()
    said = {
        item.id: [line for text in shown(item).splitlines() for line in sentences(text)] for item in sheet
    }
    for item in sheet:
        for right in rights(item):
            wanted = stems(right)
            for other in sheet:
                if len(wanted) >= 3 and other.id != item.id:
                    found = [
                        line for line in said[other.id] if len(wanted & stems(line)) > 0.75 * len(wanted)
                    ]
                    assert not found, f"{other.id} says what {item.id} asks"


@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.id)
def test_no_feedback_holds_the_word_or_number_of_another_item(bank):
    found = set()
    sheet = bank.sheet()
    for item in sheet:
        for kind, key in parts(item):
            if kind in {"text", "numeric"}:
                found |= {
                    f"{other.id} gives {item.id} away: {key}"
                    for other in sheet
                    if other.id != item.id and given_away(kind, key, " ".join(feedback(other)))
                }
    assert found == set()


def test_activations_are_not_given_away_by_a_curve_or_a_formula():
    """What a curve shows of an activation, or code of its formula, is not what another item asks of the same one."""
    items = {item.id: item for bank in BANKS if bank.id == "activation" for item in bank.sheet()}
    curve = " ".join(option.text for option in items["whose-slope"].options.values())
    asked = " ".join(rights(items["where-gradients-live"]))
    named, others = (set(re.findall(r"leaky|[a-z]*elu", text.casefold())) for text in (curve, asked))
    assert named & others <= {"relu"}
    assert "slope * x" in items["too-steep-a-leak"].prompt_text()
    assert "negative_slope" not in items["leaky-value"].prompt_text()  # it asks for the default too


def feedback(item: Item) -> Iterator[str]:
    """Yield what a student reads about wrong answers, and the explanation of the right one."""
    yield item.explanation
    for options in (getattr(item, "options", {}), getattr(item, "reasons", {})):
        yield from (option.feedback for option in options.values())
    for _, part in item.answerables():
        yield from (wrong.feedback for wrong in part.foreseen())


@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.id)
def test_no_item_stands_solved_on_its_page(bank):
    page = pages(bank)
    found = {
        f"{item.id}: {key}: {sentence}"
        for seed in range(30)
        for item in bank.sheet(seed)
        if item.params or not seed
        for kind, key in parts(item)
        if (sentence := solved(item, kind, key, page))
    }
    assert found == set()


# --- what is taught before it is asked

TAUGHT_LATER = {
    "1": r"stride|padding|pool|norm|receptive field|activation",
    "2": r"receptive field|pool|norm(?!al)|ReLU|softmax",
    "3": r"pool|norm(?!al)|ReLU|softmax",
    "4": r"norm(?!al)|softmax|freez",
    "5": r"norm(?:aliz)|freez|fine-tun",
    "6": r"normaliz|freez|fine-tun",
    "7": r"freez|fine-tun",
    "8": r"freez|fine-tun",
    "9": "",
    "10": "",
}
# Words of the field, which a page must have used before a quiz may.
TERMS = (
    "PReLU", "hardtanh", "relu6", "permute", "reshape", "KiB", "depthwise", "pointwise", "groups=", "dilation", "receptive field",
    "global average", "state_dict", "folded", "aliasing", "unshuffle", "logits", "softmax", "zero_grad", "running_mean", "buffer",
    "equivarian", "invarian", "cross-correlation", "inplace", "sigmoid", "clamp", "multiply-add", "momentum",
)  # fmt: skip
LAYER = re.compile(r"\b(?:nn|F)\.([A-Za-z]\w*)")
ALSO_READABLE = {
    "Sequential",
    "Flatten",
    "pad",
    "cross_entropy",
    "functional",
}  # of PyTorch, as the notes presume it


def read_before(bank: Bank) -> str:
    """Return the pages up to those of a bank's section."""
    found = sorted((ROOT / "docs" / "notes").glob("[0-9]*.md"))
    return "".join(
        page.read_text(encoding="utf-8") for page in found if int(page.name[:2]) <= int(bank.section)
    )


@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.id)
def test_what_a_quiz_asks_a_page_before_it_has_taught(bank):
    page = read_before(bank).lower()
    missing = set()
    for item in bank.sheet():
        text = f"{shown(item)} {' '.join(feedback(item))}"
        missing |= {
            f"{item.id}: {term}"
            for term in TERMS
            if term.lower() in text.lower() and term.lower() not in page
        }
        used = {name for name in LAYER.findall(shown(item)) if name not in ALSO_READABLE}
        missing |= {
            f"{item.id}: {name}"
            for name in used
            if name.lower().replace("_", "") not in page.replace("_", "")
        }
    assert missing == set()


@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.id)
def test_no_quiz_asks_what_a_later_page_teaches(bank):
    later = TAUGHT_LATER[bank.section]
    found = {item.id: re.findall(later, shown(item)) for item in bank.sheet() if later}
    assert {name: words for name, words in found.items() if words} == {}


# --- how it asks


def asks_why(item: Item) -> bool:
    """Tell whether a reason is asked for: that of a verdict, or the cause of what the prompt says."""
    return item.type == "true_false" or WHY.search(item.prompt_text()) is not None


def test_a_third_of_the_items_ask_why():
    asked = [item for bank in BANKS for item in bank.asked()]
    reasons = [item for item in asked if asks_why(item)]
    assert len(reasons) >= MIN_WHY * len(asked), f"{len(reasons)} of {len(asked)}"
    assert all(item.type in {"true_false", "single", "multi"} for item in reasons)


def test_many_items_show_code_with_a_fault_a_figure_or_a_curve():
    kinds = [item.shows for bank in BANKS for item in bank.asked() if item.shows is not None]
    assert len(kinds) >= MIN_FAULTS_AND_FIGURES
    assert min(kinds.count("fault"), kinds.count("figure")) >= 10
    assert kinds.count("curve") >= 5


def test_an_item_that_shows_a_fault_shows_code_and_its_key_is_computed():
    for bank in BANKS:
        for item in bank.asked():
            if item.shows == "fault":
                lines = [line for line in item.prompt_text().splitlines() if line.startswith("    ")]
                assert re.search(r"[=(]", " ".join(lines)), item.id
                assert item.has_computed_key or item.type == "text", f"{bank.id}: {item.id}"


# Items whose options have an order of their own; their letters stay.
IN_ORDER: set[tuple[str, str]] = set()


@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.id)
def test_every_single_item_is_shuffled(bank):
    for item in bank.asked():
        if item.type == "single":
            assert item.shuffle or (bank.id, item.id) in IN_ORDER, item.id
            texts = " ".join(option.text for option in item.options.values())
            assert not (
                item.shuffle
                and re.search(r"(?i)\b(?:all|none|both) of (?:the above|these|the others)\b", texts)
            ), item.id


def test_the_right_option_is_not_given_away_by_its_length():
    longest = rights = 0
    for bank in BANKS:
        for item in bank.asked():
            if item.type == "single":
                lengths = {letter: len(option.text) for letter, option in item.options.items()}
                (right,) = item.key_response()
                rights += 1
                longest += lengths[right] == max(lengths.values())
    assert longest <= 0.4 * rights, f"the right option is the longest in {longest} of {rights} items"


def test_every_distractor_and_foreseen_answer_has_feedback_that_does_not_hold_the_key():
    for bank in BANKS:
        for item in bank.sheet():
            for kind, key in parts(item):
                if kind in {"numeric", "single"}:
                    given = [
                        option.feedback
                        for option in getattr(item, "options", {}).values()
                        if not option.correct
                    ]
                    given += [wrong.feedback for wrong in getattr(item, "expected_wrong", ())]
                    assert not any(given_away(kind, key, text) for text in given), f"{bank.id}: {item.id}"


def test_size_after_a_convolution_has_no_shortcut():
    """Who only divides, who pads once, and who counts steps are all wrong, in every draw."""
    bank = next(bank for bank in BANKS if bank.id == "padding_stride")
    place = next(n for n, item in enumerate(bank.asked()) if item.id == "size-after-conv")
    for seed in range(200):
        item = bank.sheet(seed)[place]
        n, k, s, p = (int(found) for found in re.findall(r"\d+", item.prompt))
        key = (n + 2 * p - k) // s + 1
        assert item.key == key
        wrong = {
            n // s,
            -(-n // s),
            (n - k) // s + 1,
            (n + p - k) // s + 1,
            key - 1,
            n + 2 * p - k + 1,
            round(n / s),
        }
        assert key not in wrong
        assert len({key - 1, (n + p - k) // s + 1, (n - k) // s + 1}) == 3


def test_strides_of_a_stack_have_another_product_than_sum():
    bank = next(bank for bank in BANKS if bank.id == "summary")
    strides = [int(found) for found in re.findall(r"stride (\d)", bank.item("field-of-a-stack").prompt)]
    assert strides[0] * strides[1] != strides[0] + strides[1]


def test_a_wrong_size_of_an_even_kernel_has_its_own_feedback():
    wrong = {
        w.value: w.misconception for b in BANKS for w in getattr(b.item("even-kernel"), "expected_wrong", ())
    }
    assert wrong == {"[1, 1, 7, 7]": "missing-plus-one", "[1, 1, 6, 6]": "pad-once"}


def test_code_and_figures_fit_into_a_terminal():
    for bank in BANKS:
        for item in bank.asked():
            if item.since > 1:
                lines = [line for line in item.prompt_text().splitlines() if line.startswith("    ")]
                assert all(len(line) <= 80 for line in lines), f"{bank.id}: {item.id}"
