"""Student text made safe: control characters and those that hide or reorder text are escaped."""

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.core.safetext import (
    MAX_MARKS,
    has_long_run,
    one_line,
    printable,
    printable_name,
    without_long_runs,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb", "a\\rb"),
        ("bell\a", "bell\\x07"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("lone \ud800", "lone \\ud800"),
        ("kept\n\ttab, é, 漢", "kept\n\ttab, é, 漢"),
    ],
)
def test_control_and_format_characters_are_escaped(text, shown):
    assert printable(text) == shown


@given(st.text())
def test_no_control_or_format_character_survives(text):
    shown = printable(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in "\n\t"]
    shown.encode("utf-8")


@given(st.text())
def test_one_line_is_one_line(text):
    assert len(one_line(text).splitlines()) <= 1


def test_long_text_is_cut_and_says_so():
    assert printable("a" * 50, limit=10) == "a" * 10 + "… (cut here)"
    assert printable("\x00" * 50, limit=10).startswith("\\x00\\x00\\x")


def test_addresses_are_left_out_because_they_differ_from_run_to_run():
    assert one_line("<function f at 0x7f3c5a1b2c40> and 0x10") == "<function f at 0x…> and 0x10"
    for limit in range(10, 40):
        one = printable("a" * 10 + "<f at 0x7f3c5a1b2c40>" * 3, limit=limit)
        assert one == printable("a" * 10 + "<f at 0x7f3c5a1b2c88>" * 3, limit=limit)


def test_text_is_cut_at_its_limit_and_not_before():
    assert printable("a" * 4000) == "a" * 4000
    assert printable("a" * 4001) == "a" * 4000 + "… (cut here)"
    assert one_line("a" * 200) == "a" * 200
    assert one_line("a" * 201) == "a" * 200 + "… (cut here)"
    assert printable("\x00ab", limit=6) == "\\x00ab"  # the limit counts what is shown
    assert printable("\x00abc", limit=6) == "\\x00ab… (cut here)"


@pytest.mark.parametrize(("digits", "removed"), [(5, False), (6, True), (16, True)])
def test_an_address_has_six_to_sixteen_digits(digits, removed):
    text = f"<f at 0x{'a' * digits}>"
    assert printable(text) == ("<f at 0x…>" if removed else text)


@pytest.mark.parametrize(
    "code", [0x00, 0x1F, 0x7F, 0x9F, 0xAD, 0x200B, 0x2028, 0x2029, 0x202E, 0xE000, 0xFFFF, 0xD800]
)
def test_every_kind_of_unsafe_character_is_escaped(code):
    assert printable(chr(code)) == chr(code).encode("unicode_escape").decode()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"relu.py", "relu.py"), ("Müller 漢字".encode(), "Müller 漢字"), (b"M\xfcller", r"M\xfcller"), (rb"M\xfcller", r"M\\xfcller"),
        ("Mu\u0308ller".encode(), "Müller"), (b"a\nb\tc", r"a\nb\tc"), ("\u202eyp.exe".encode(), r"\u202eyp.exe"), (b"\xed\xa0\x80", r"\xed\xa0\x80"),
    ],
)  # fmt: skip
def test_a_name_is_shown_as_text_that_no_other_name_has(name, shown):
    assert printable_name(os.fsdecode(name)) == shown


MARKS = "\u0301\u0316"


@pytest.mark.parametrize(("length", "is_long"), [(0, False), (MAX_MARKS, False), (MAX_MARKS + 1, True)])
def test_a_run_of_combining_characters_has_a_limit(length, is_long):
    text = f"\u00e9t{(MARKS * length)[:length]}e{MARKS}"
    assert has_long_run(text) == is_long
    assert without_long_runs(text) == f"\u00e9t{(MARKS * length)[: min(length, MAX_MARKS)]}e{MARKS}"


def test_a_name_with_a_long_run_is_not_normalized_and_stays_another():
    long, longer = ("e" + "\u0301" * count for count in (MAX_MARKS + 1, MAX_MARKS + 2))
    assert printable_name("e\u0301") == "\u00e9"
    assert (printable_name(long), printable_name(longer)) == (long, longer)
