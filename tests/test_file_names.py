"""A file for each student: safe and different names for any names of folders, on any disk."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.core.file_names import MAX_BYTES, file_names

DEVICES = ["con", "PRN", "aux.txt", "NUL", "com1", "lpt9.json", "CONIN$", "com\u00b9", "nul .x"]


@pytest.mark.parametrize(
    "name", ["ada", "Ada Lovelace", "müller_jürgen", "2026-ada@example.org", "李雷", "a.b", "x" * MAX_BYTES]
)
def test_a_usual_name_stays(name):
    assert file_names([name]) == {name: name}


@pytest.mark.parametrize(
    "name",
    ["x" * (MAX_BYTES + 1), "x" * 250, "é" * 70, "", ".", "..", ".hidden", "dot.", "space ", " space", "a/b", "a\\b", "a:b",
     "a*b", "a?b", 'a"b', "a|b", "a<b>", "a\nb", "a\tb", "a\0b", "\x1b[31m", "M\udcfcller", "\u202eabc", "a\u00a0b", *DEVICES],
)  # fmt: skip
def test_an_unsafe_name_is_changed_and_given_a_hash(name):
    (found,) = file_names([name]).values()
    assert found != name
    assert_is_safe(found)


def assert_is_safe(name: str) -> None:
    assert name.isprintable()
    assert 1 <= len(name.encode()) <= MAX_BYTES
    assert not set(name) & set('<>:"/\\|?*')
    assert name == name.strip(" .")
    assert name.split(".", maxsplit=1)[0].strip().lower() not in {
        device.split(".")[0].strip().lower() for device in DEVICES
    }


def test_names_that_some_disks_do_not_tell_apart_are_each_given_a_hash():
    names = ["Ada", "ada", "bob", "é", "e\u0301", "straße", "STRASSE"]
    found = file_names(names)
    assert found["bob"] == "bob"
    assert all(found[name] != name for name in names if name != "bob")


def test_nobody_can_take_the_changed_name_of_another():
    changed = file_names(["Ada", "ada"])
    names = ["Ada", "ada", *changed.values(), *(name.upper() for name in changed.values())]
    found = file_names(names)
    assert len({name.casefold() for name in found.values()}) == len(set(names))


NAMES = st.text(st.characters() | st.sampled_from("aAéE\u0301./\\- "), max_size=130)


@given(st.lists(NAMES, max_size=8, unique=True))
def test_any_names_become_safe_and_different(names):
    found = file_names(names)
    assert list(found) == names
    for name in found.values():
        assert_is_safe(name)
    keys = {
        unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold()) for name in found.values()
    }
    assert len(keys) == len(names)


def test_the_name_does_not_depend_on_the_order():
    names = ["Ada", "ada", "bob", "x" * 200]
    assert file_names(names) == file_names(names[::-1])
