"""The roster: whose each hand-in is, who handed in nothing, and names and email addresses in what is exported."""

import csv
import io
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from grader.classroom import class_marks, roster
from grader.classroom.late_policy import Policy, WithoutHandIn
from grader.classroom.roster import Roster
from grader.cli.classes import class_command
from grader.core.errors import DocumentError
from grader.core.model import Mark, Person, Score
from grader.export import canvas, marks

ADA = Person(id="s1", name="Ada Lovelace", email="ada@example.org", section="A", moodle="1001", github="adal")
BEN = Person(id="s2", name="Núñez, Ben", email="ben@example.org", section="B", canvas="42")
CY = Person(id="s3", name="Cy Two")
CY_2 = Person(id="s4", name="Cy Two", gradescope="cy4")
CLASS = Roster(people=(ADA, BEN, CY, CY_2))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a roster with this text."""

    def of(text: str, encoding: str = "utf-8") -> Roster:
        path = tmp_path / "roster.csv"
        path.write_text(text, encoding=encoding)
        return roster.read(path)

    return of


def score(student: str, points: float = 8.0) -> Score:
    return Score(student=student, number=1, submitted_at=NOON, points=points, max_points=10.0)


# --- the file


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_columns_are_found_by_their_names_in_any_order(read, delimiter, encoding):
    rows = (
        "Full name|ID number|Email address|Moodle ID|Major|GitHub login|Section",
        "Ada Lovelace|s1|ada@example.org|1001|math|adal|A",
        "||||||",
    )
    assert read("\n".join(rows).replace("|", delimiter), encoding).people == (ADA,)


def test_a_quoted_cell_may_hold_the_delimiter(read):
    assert read('id,name\ns2,"Núñez, Ben"\n').people == (Person(id="s2", name="Núñez, Ben"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column id"),
        ("id,name\n", "names no student"),
        ("id,emial\ns1,a@b\n", ':1:1: has the column "emial"; did you mean "email"?'),
        ("id,sectoin\ns1,A\n", 'did you mean "section"?'),
        ("name,email\nAda,a@b\n", ":1:1: has no column id"),
        ("id,id number\ns1,s1\n", "names the column id twice"),
        ("id,name\ns1,Ada\n,Ben\n", ":3:1: has no id"),
        ("id,name\ns1,Ada\nS1,Ben\n", ":3:1: has the id of line 2: S1"),
        ("id,moodle\ns1,7\ns2,7\n", ":3:1: has the moodle of line 2: 7"),
        ("id,email\ns1,a@b\ns2,A@B\n", ":3:1: has the email of line 2: A@B"),
    ],
)
def test_a_slip_is_named_with_its_line(read, text, message):
    with pytest.raises(DocumentError) as refused:
        read(text)
    assert message in str(refused.value)


# --- whose a hand-in is


@pytest.mark.parametrize(
    ("student", "person"),
    [
        ("s1", ADA),
        ("S1", ADA),
        ("ada@example.org", ADA),
        ("ADAL", ADA),
        ("1001", ADA),
        ("Ada Lovelace_1001", ADA),
        ("Somebody Else_1001", ADA),  # names change, the number stays
        ("ada  lovelace", ADA),
        ("nunezben_42", BEN),
        ("Ben Nu\u0301n\u0303ez", BEN),
        ("Núñez, Ben", BEN),
        ("cy4", CY_2),
    ],
)
def test_a_hand_in_is_matched_by_what_is_most_certain(student, person):
    matching = CLASS.match([student])
    assert matching.people == {student: person}
    assert matching.unmatched == {}
    assert matching.missing == tuple(one for one in CLASS.people if one is not person)


@pytest.mark.parametrize(
    ("student", "reason"),
    [
        ("Cy Two", "fits several people of the roster: s3, s4"),
        ("Cy Two_7", "fits several people of the roster: s3, s4"),
        ("Dan", "not in the roster"),
        ("_1001", "not in the roster"),
        ("", "not in the roster"),
        ("A", "not in the roster"),  # a section is no name
    ],
)
def test_a_hand_in_that_fits_none_or_several_is_named(student, reason):
    matching = CLASS.match([student])
    assert (matching.people, matching.unmatched) == ({}, {student: reason})
    assert matching.missing == CLASS.people


@given(st.lists(st.sampled_from(["s1", "1001", "Ada Lovelace", "s2", "s9", "Cy Two", "cy4"]), unique=True))
def test_everybody_is_named_once(students):
    matching = CLASS.match(students)
    assert matching.people.keys() | matching.unmatched.keys() == set(students)
    assert matching.people.keys().isdisjoint(matching.unmatched)
    assert {*matching.people.values(), *matching.missing} == set(CLASS.people)
    assert not {*matching.people.values()} & {*matching.missing}


# --- marks


def marked(policy: Policy, *scores: Score) -> dict[str, float]:
    of_class = class_marks.members(policy, CLASS, [one.student for one in scores])
    return {mark.student: mark.points for mark in (*of_class.marks(scores), *of_class.zeros(10.0))}


def test_hand_ins_under_two_names_of_a_person_are_of_one_student():
    assert marked(Policy(), score("adal", 3.0), score("Ada Lovelace_1001", 5.0)) == {"s1": 5.0}


def test_a_hand_in_that_is_not_in_the_roster_keeps_its_name_and_its_mark():
    assert marked(Policy(), score("dan", 3.0)) == {"dan": 3.0}


@pytest.mark.parametrize(
    ("missing", "zeros"),
    [(WithoutHandIn.BLANK, {}), (WithoutHandIn.EXCUSED, {}), (WithoutHandIn.ZERO, {"s2": 0.0, "s4": 0.0})],
)
def test_students_who_handed_in_nothing_get_what_the_policy_says(missing, zeros):
    policy = Policy(
        missing=missing, excused=frozenset({"Núñez, Ben"} if missing is WithoutHandIn.EXCUSED else ())
    )
    scores = [score("s1"), score("s3")]
    assert marked(policy, *scores) == {"s1": 8.0, "s3": 8.0} | zeros
    excused = class_marks.members(policy, CLASS, ["s1", "s3"]).excused(scores)
    assert excused == (["s2", "s4"] if missing is WithoutHandIn.EXCUSED else [])


@pytest.mark.parametrize("name", ["s1", "adal", "Ada Lovelace"])
def test_the_policy_names_a_student_by_id_or_by_any_other_name(name):
    due = datetime(2026, 2, 1, tzinfo=UTC)
    late = Policy(due=due, per_day_percent=100, extensions={name: NOON})
    assert marked(late, score("Ada Lovelace_1001")) == {"s1": 8.0}
    assert marked(Policy(missing=WithoutHandIn.ZERO, excused=frozenset({name})), score("s2")).keys() == {
        "s2",
        "s3",
        "s4",
    }
    assert marked(Policy(excused=frozenset({name})), score("Ada Lovelace_1001")) == {}


def test_a_name_of_the_policy_that_is_not_in_the_roster_is_named():
    of_class = class_marks.members(Policy(excused=frozenset({"s11"})), CLASS, ["s1"])
    assert of_class.unmatched == {"s11": "not in the roster"}


def test_members_of_a_group_are_found_in_the_roster():
    policy = Policy(groups={"team-1": ("adal", "ben@example.org")}, excused=frozenset({"s2"}))
    assert marked(policy, score("team-1")) == {"s1": 8.0}
    of_class = class_marks.members(policy, CLASS, ["team-1"])
    assert (of_class.unmatched, of_class.excused([score("team-1")])) == ({}, ["s2"])


# --- exports

PEOPLE = {person.id: person for person in CLASS.people}


def a_mark(student: str, number: int = 1) -> Mark:
    return Mark(
        student=student,
        number=number,
        submitted_at=NOON if number else None,
        raw_points=4.0 if number else 0.0,
        max_points=5.0,
        days_late=0,
        penalty_percent=0,
        points=4.0 if number else 0.0,
    )


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_nbgrader_gets_names_and_addresses():
    found = rows(marks.to_nbgrader([a_mark("s1"), a_mark("s2", 0), a_mark("dan")], "w", None, PEOPLE))[1:]
    assert [row[2:7] for row in found] == [
        ["2026-03-01 12:00:00.000000", "s1", "Lovelace", "Ada", "ada@example.org"],
        ["", "s2", "Núñez", "Ben", "ben@example.org"],
        ["2026-03-01 12:00:00.000000", "dan", "", "", ""],
    ]


def test_moodle_gets_both_columns_and_says_that_nothing_was_handed_in():
    found = rows(marks.to_moodle([a_mark("s1"), a_mark("s2", 0), a_mark("a@b.c")], "w", PEOPLE))[1:]
    assert [row[:3] for row in found] == [
        ["s1", "ada@example.org", "4.00"],
        ["s2", "ben@example.org", "0.00"],
        ["", "a@b.c", "4.00"],
    ]
    assert found[1][3] == "Nothing was handed in."
    assert not marks.mixed([a_mark("s1"), a_mark("s2")], PEOPLE)
    assert not marks.mixed([a_mark("s1"), a_mark("a@b.c")], PEOPLE)  # each has an email address
    assert marks.mixed([a_mark("s3"), a_mark("a@b.c")], PEOPLE)


def test_canvas_finds_a_student_by_all_that_the_roster_has_and_excuses():
    template = (
        "Student,ID,SIS User ID,Week 4 (12)\r\nPoints Possible,,,5\r\n"
        'Ada Lovelace,7,s1,\r\n"Núñez, Ben",42,,\r\nCy,9,s3,\r\n'
    )
    filled = canvas.fill(template, [a_mark("s1"), a_mark("s2")], "12", people=PEOPLE, excused=["s3"])
    assert filled.unmatched == {}
    assert filled.matched == ("s1", "s2", "s3")
    assert filled.text.endswith('Ada Lovelace,7,s1,4.00\r\n"Núñez, Ben",42,,4.00\r\nCy,9,s3,EX\r\n')


# --- the command


def test_a_dry_run_names_who_is_missing_and_what_is_not_in_the_roster(tmp_path, monkeypatch):
    for name in ("Ada Lovelace_1001", "dan"):
        (tmp_path / "class" / name / "exercises").mkdir(parents=True)
        (tmp_path / "class" / name / "exercises" / "relu.py").write_text("x = 1\n")
    (tmp_path / "roster.csv").write_text(
        "id,name,moodle\ns1,Ada Lovelace,1001\ns2,Ben\u202e,\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        class_command, ["class", "--dry-run", "--roster", "roster.csv"], standalone_mode=False
    )
    assert done.stderr.splitlines()[1:] == [
        "not in the roster: dan",
        "nothing handed in: s2 Ben\\u202e",
        "In the roster: 1 of 2 hand-ins. Without a hand-in: 1 of 2.",
    ]
    assert done.return_value == 0
