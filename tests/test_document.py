"""YAML documents: plain values mean what people mean, and every problem has its line and column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from grader.core import yaml_document
from grader.core.errors import DocumentError


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str
    points: float = 1.0


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    title: str
    parts: list[Part] = []
    value: str | int | float | bool | list[int] | None = None


def problems(text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        yaml_document.parse(text, Whole, shown="some.yaml")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"), ("on", "on"), ("Yes", "Yes"), ("1:30", "1:30"), ("2026-01-01", "2026-01-01"), ("010", "010"),
        ("0x1F", "0x1F"), ("1_000", "1_000"), (".5", ".5"), (".inf", ".inf"), ("true", True), ("28", 28), ("-3", -3),
        ("0.5", 0.5), ("1e-3", 1e-3), ("null", None), ("", None), ("'28'", "28"), ("[1, 2]", [1, 2]),
    ],
)  # fmt: skip
def test_plain_values_mean_what_people_mean(written, meant):
    value = yaml_document.parse(f"title: t\nvalue: {written}\n", Whole, shown="some.yaml").value.value
    assert (type(value), value) == (type(meant), meant)


CASES = [
    ("title: t\ntitle: u\n", 'some.yaml:2:1: the key "title" stands here twice'),
    ("title: t\nprats: []\n", 'some.yaml:2:1: the key "prats" is not known here; did you mean "parts"?'),
    ("titel: t\n", 'some.yaml:1:1: the key "titel" is not known here; did you mean "title"?'),
    ("title: t\nparts:\n  - name: a\n    pionts: 2\n", 'some.yaml:4:5: the key "pionts" is not known here; did you mean "points"?'),
    ("title: t\nparts:\n  - points: 2\n", 'some.yaml:3:5: the key "name" is missing'),
    ("title: 3\n", 'some.yaml:1:8: "title" must be text, not 3'),
    ("title: t\nparts:\n  - name: a\n    points: many\n", "some.yaml:4:13: \"points\" must be a number, not 'many'"),
    ("title: t\nparts: a\n", "some.yaml:2:8: \"parts\" must be a list, not 'a'"),
    ("- 1\n", 'some.yaml:1:1: "the document" must be a mapping (key: value), not [1]'),
    ("title: &a t\nvalue: *a\n", "some.yaml:1:8: aliases (*name) are not allowed; write the value out"),
    ("title: !!python/name:os.system x\n", "some.yaml:1:8: tags (tag:yaml.org,2002:python/name:os.system) are not allowed"),
    ("title: [a\n", "some.yaml:2:1: is not YAML: did not find expected ',' or ']'"),
    ("title:\n\t- a\n", "some.yaml:2:1: is not YAML: found character that cannot start any token; indent with spaces, not tabs"),
    ("", "some.yaml: is empty"),
    ("# nothing\n", "some.yaml: is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), CASES, ids=[repr(text)[:40] for text, _ in CASES])
def test_a_problem_names_its_place_and_what_to_do(text, message):
    assert problems(text) == [message]


def test_all_problems_are_found_at_once():
    text = "titel: t\nparts:\n  - nmae: a\n    points: x\n"
    assert [line.split(": ")[0] for line in problems(text)] == [
        "some.yaml:1:1",
        "some.yaml:3:5",
        "some.yaml:4:13",
    ]


def test_deep_nesting_is_refused():
    assert any("nested too deeply" in line for line in problems(f"title: t\nvalue: {'[' * 60}{']' * 60}\n"))


def test_a_bomb_of_aliases_is_refused_at_once():
    lines = ["title: t", "a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    assert "aliases" in problems("\n".join(lines))[0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"title: \xff\n", "some.yaml:1:1: is not UTF-8 text"),
        (
            b"title: t\n" + b"#" * yaml_document.MAX_DOCUMENT_BYTES,
            "some.yaml: cannot be read: it is larger than 0.25 MiB",
        ),
        (None, "some.yaml: cannot be read: No such file"),
    ],
    ids=["encoding", "size", "missing"],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, data, message):
    path = tmp_path / "some.yaml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DocumentError) as caught:
        yaml_document.read(path, Whole, shown="some.yaml")
    assert str(caught.value).startswith(message)


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_bytes(b"\xef\xbb\xbftitle: t\r\nvalue: no\r\n")
    assert yaml_document.read(path, Whole).value == Whole(title="t", value="no")


@given(st.text(max_size=80))
def test_any_text_ends_in_a_document_or_a_document_error(text):
    try:
        yaml_document.parse(text, Whole, shown="some.yaml")
    except DocumentError as error:
        assert error.problems


def test_a_number_too_long_for_python_is_a_problem_with_its_place():
    with pytest.raises(DocumentError, match=r"x\.yaml:1:8: is a number of more than 1000 digits"):
        yaml_document.parse("title: " + "1" * 200_000, Whole, shown="x.yaml")


# --- limits: the largest that is accepted, and one more


def test_a_document_may_have_256_kibibytes_and_no_more(tmp_path):
    path = tmp_path / "some.yaml"
    text = "title: t\n#"
    path.write_text(text + "x" * (256 * 1024 - len(text)), encoding="utf-8")
    assert yaml_document.read(path, Whole).value.title == "t"
    path.write_text(text + "x" * (256 * 1024 - len(text) + 1), encoding="utf-8")
    with pytest.raises(DocumentError, match=r"cannot be read: it is larger than 0\.25 MiB"):
        yaml_document.read(path, Whole)


def test_a_document_may_nest_twenty_levels_deep_and_no_more():
    def value(levels: int) -> str:
        return f"title: t\nvalue: {'[' * levels}1{']' * levels}\n"

    assert not any("nested too deeply" in line for line in problems(value(19)))  # not what the schema wants
    assert any("nested too deeply" in line for line in problems(value(20)))


def test_a_number_may_have_a_thousand_digits_and_no_more():
    assert (
        yaml_document.parse(f"title: t\nvalue: {'9' * 1000}\n", Whole, shown="x").value.value == 10**1000 - 1
    )
    assert problems(f"title: t\nvalue: {'9' * 1001}\n") == [
        "some.yaml:2:8: is a number of more than 1000 digits"
    ]


# --- what a hostile document costs


@pytest.mark.parametrize(
    "opening", ["[", "{", "- ", "? ", "[{", "{? ", "&a [", "! {", "{a: ", "[a, ", "- - "]
)
def test_any_depth_is_refused_before_it_is_composed(opening):
    """PyYAML's C parser composes recursively: 200,000 levels end the process with a segmentation fault."""
    (found,) = problems(opening * 200_000)
    assert found.endswith(": is nested too deeply")


@pytest.mark.parametrize("more", [0, 1])
def test_a_document_may_have_50_000_values_and_no_more(more):
    text = f"title: t\nvalue: [{'1,' * (50_000 - 5 + more)}]\n"  # with the mapping, two keys, a text and the list
    if more:
        assert problems(text) == [f"some.yaml:2:{9 + 2 * 49_995}: is one value too many: 50000 are allowed"]
    else:
        assert len(yaml_document.parse(text, Whole, shown="some.yaml").value.value) == 49_995


WRONG = {
    "in the text": "value: &a x\nparts:\n" + "  - *a\n" * 99,
    "for the schema": "title: t\n" + "parts:\n" + "  - name: 3\n" * 99,
    "of unknown keys": "title: t\n" + "".join(f"key{n}: 1\n" for n in range(99)),
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_twenty_problems_are_named_and_the_others_counted(text):
    assert len(problems("\n".join(text.split("\n")[:-80]) + "\n")) <= 20
    found = problems(text)
    assert len(found) == 21
    assert found[-1] == "some.yaml: and 79 more"


@pytest.mark.parametrize(("count", "shown"), [(20, 20), (21, 21)])
def test_the_twenty_first_problem_is_counted(count, shown):
    found = problems("title: t\nparts:\n" + "  - name: 3\n" * count)
    assert len(found) == shown
    assert found[-1].endswith("and 1 more" if count > 20 else "not 3")


TOKENS = [
    "[", "]", "{", "}", "- ", "? ", ": ", ", ", "a", "a: ", "&a ", "*a", "!t ", "!!str ", "\n", "\n  ", "  ", "\t", "#", "'",
    '"', "|\n", ">-\n", "---\n", "...\n", "%TAG ! x\n", "%YAML 1.2\n", "\\", "1", "-", "1e9", "null", "\x85", "\u2028", "é",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(TOKENS), max_size=12).map("".join), st.sampled_from(TOKENS), st.integers(0, 3000)
)
def test_any_tokens_in_any_number_end_in_a_document_or_in_few_problems(start, again, count):
    for text in (start + again * count, again * count + start, start * (count // 10)):
        try:
            yaml_document.parse(text, Whole, shown="some.yaml")
        except DocumentError as error:
            assert 1 <= len(error.problems) <= 21
            assert len(str(error)) < 30_000
