"""Policy files: what decides on marks in one place, days of the clock, and every slip named with its place."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.authoring.schemas import schemas
from grader.classroom import policy_file
from grader.classroom.late_policy import Keep, Policy
from grader.classroom.policy_file import PolicyDocument
from grader.classroom.time_options import time_of
from grader.core.errors import DocumentError
from grader.core.model import Score

BERLIN = ZoneInfo("Europe/Berlin")
WHOLE = """\
time_zone: Europe/Berlin
due: 2026-10-24T20:00
grace: 15m
late: {per_day: 10, cap: 50}
keep: last
receipts: receipts.csv
students:
  ada: {due: 2026-10-31T20:00, reason: ill}
  eve: {excused: true}
groups:
  team-1: [ben, cy]
"""


@pytest.fixture
def policy_of(tmp_path):
    """Return a function that reads a policy file with this text."""

    def read(text: str, receipts: str = "student,hand_in,time\nada,1,2026-10-24T19:00\n") -> Policy:
        (tmp_path / "receipts.csv").write_text(receipts, encoding="utf-8")
        (tmp_path / "policy.yaml").write_text(text, encoding="utf-8")
        return policy_file.read(tmp_path / "policy.yaml")

    return read


def problems(error: DocumentError) -> list[str]:
    return [f"{one.path.rpartition('/')[2]}:{one.line}: {one.message}" for one in error.problems]


def score(student: str, at: datetime, points: float = 8.0, number: int = 1) -> Score:
    return Score(student=student, number=number, submitted_at=at, points=points, max_points=10.0)


def test_every_key_is_read(policy_of):
    policy = policy_of(WHOLE)
    assert policy == Policy(
        keep=Keep.LAST,
        due=datetime(2026, 10, 24, 18, tzinfo=UTC),
        grace=timedelta(minutes=15),
        per_day_percent=10,
        cap_percent=50,
        zone=BERLIN,
        extensions={"ada": datetime(2026, 10, 31, 19, tzinfo=UTC)},
        excused=frozenset({"eve"}),
        receipts={("ada", 1): datetime(2026, 10, 24, 17, tzinfo=UTC)},
        groups={"team-1": ("ben", "cy")},
    )


def test_only_the_time_zone_is_required(policy_of):
    assert policy_of("time_zone: UTC\n") == Policy(zone=ZoneInfo("UTC"))


SLIPS = [
    ("time_zone: Europe/Berlni", 'policy.yaml:1: is not the name of a time zone; did you mean "Europe/Berlin"?'),
    ("time_zone: ../etc/passwd", "policy.yaml:1: is not the name of a time zone"),
    ("time_zone: UTC\ndue: 2026-10-24", 'policy.yaml:2: "2026-10-24" has no time of day'),
    ("time_zone: UTC\ndue: 20261024", "must be text, not 20261024"),
    ("time_zone: UTC\ndue: 2026-W43", 'policy.yaml:2: "2026-W43" has no time of day'),
    ("time_zone: UTC\ndue: soon", 'policy.yaml:2: "soon" is not a time'),
    ("time_zone: UTC\ndue: 2026-02-30T10:00", "is not a time"),
    ("time_zone: UTC\ngrace: 1 week", 'policy.yaml:2: "1 week" is not a duration'),
    ("time_zone: UTC\nlate: {per_day: 10}", "policy.yaml:2: needs `due`"),
    ("time_zone: UTC\nlate: {per_day: 101}", "less than or equal to 100"),
    ("time_zone: UTC\nkeep: first", '"first" is none of best, last'),
    ("time_zone: UTC\nexcuses: {}", 'policy.yaml:2: the key "excuses" is not known here'),
    ("time_zone: UTC\nstudents:\n  ada: {due: 2026-10-24}", 'policy.yaml:3: "2026-10-24" has no time of day'),
    ("time_zone: UTC\ngroups:\n  one: [ada]\n  two: [ada]", 'policy.yaml:4: "ada" is a member of "one" too'),
    ("time_zone: UTC\ngroups:\n  one: []", "policy.yaml:3: has no members"),
    ("due: 2026-10-24T20:00", 'the key "time_zone" is missing'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), SLIPS, ids=[message[-30:] for _, message in SLIPS])
def test_a_slip_is_named_with_its_place(policy_of, text, message):
    with pytest.raises(DocumentError) as refused:
        policy_of(text)
    assert any(message in problem for problem in problems(refused.value)), problems(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "receipts.csv:1: is empty; student and hand_in and time must be there"),
        ("name,time\n", "receipts.csv:1: has the columns name, time; student and hand_in must be there"),
        ("student,hand_in,time\nada,first,2026-10-24T19:00\n", 'receipts.csv:2: hand_in must be the number'),
        ("student,hand_in,time\nada,0,2026-10-24T19:00\n", "receipts.csv:2: hand_in must be the number"),
        ("student,hand_in,time\nada,1\n", 'receipts.csv:2: "" is not a time'),
        ("student,hand_in,time\nada,1,2026-10-24T19:00\n,1,2026-10-24T19:00\n", "receipts.csv:3: has no student"),
    ],
)  # fmt: skip
def test_a_slip_in_the_receipts_is_named_with_its_line(policy_of, text, message):
    with pytest.raises(DocumentError) as refused:
        policy_of("time_zone: UTC\nreceipts: receipts.csv\n", text)
    assert any(message in problem for problem in problems(refused.value)), problems(refused.value)


def test_receipts_that_are_not_there_are_named(policy_of):
    with pytest.raises(DocumentError, match="cannot be read"):
        policy_of("time_zone: UTC\nreceipts: nothing.csv\n")


# --- late days


@pytest.mark.parametrize(
    ("zone", "due", "at", "days"),
    [
        ("Europe/Berlin", "2026-10-24T20:00", "2026-10-25T19:30", 1),  # 24.5 hours: the clock was set back
        ("America/New_York", "2026-10-31T20:00", "2026-11-01T19:30", 1),
        ("Europe/Berlin", "2026-10-24T20:00", "2026-10-25T20:00", 1),
        ("Europe/Berlin", "2026-10-24T20:00", "2026-10-25T20:00:01", 2),
        ("Europe/Berlin", "2026-03-28T20:00", "2026-03-29T20:30", 2),  # 23.5 hours: it was set forward
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T02:30", 0),
        ("UTC", "2026-10-24T20:00", "2026-10-25T20:30", 2),
    ],
)
def test_a_late_day_is_a_day_on_the_clock_of_the_course(zone, due, at, days):
    known = ZoneInfo(zone)
    policy = Policy(due=time_of(due, known), zone=known)
    assert policy.days_late(time_of(at, known)) == days


def test_what_is_late_within_the_hour_that_comes_twice_is_late():
    due = datetime(2026, 10, 25, 2, 50, tzinfo=BERLIN)  # in summer time
    at = datetime(2026, 10, 25, 2, 10, tzinfo=BERLIN, fold=1)  # 20 minutes later, in winter time
    assert Policy(due=due, zone=BERLIN).days_late(at.astimezone(UTC)) == 1


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.integers(1, 40 * 86400))
def test_late_days_grow_with_the_time_and_differ_from_days_of_24_hours_by_one_at_most(due, seconds):
    due = due.replace(tzinfo=BERLIN).astimezone(UTC)
    policy = Policy(due=due, zone=BERLIN)
    days = policy.days_late(due + timedelta(seconds=seconds))
    assert days >= 1
    assert abs(days - -(-seconds // 86400)) <= 1
    assert policy.days_late(due + timedelta(seconds=seconds + 3601)) >= days


def test_a_student_with_an_extension_is_late_after_it(policy_of):
    policy = policy_of(WHOLE)
    late = datetime(2026, 10, 31, 12, tzinfo=UTC)
    marks = {mark.student: mark.days_late for mark in policy.marks([score("ada", late), score("bob", late)])}
    assert marks == {"ada": 0, "bob": 7}


def test_a_receipt_replaces_the_time_of_its_hand_in(policy_of):
    policy = policy_of(WHOLE.replace("  ada: {due: 2026-10-31T20:00, reason: ill}\n", ""))
    late = datetime(2026, 10, 31, 12, tzinfo=UTC)
    assert policy.mark([score("ada", late)]).days_late == 0
    assert policy.mark([score("ada", late, number=2)]).days_late == 7


def test_a_receipt_decides_which_hand_in_is_last(policy_of):
    policy = policy_of(WHOLE)
    first, second = (datetime(2026, 10, 20, tzinfo=UTC), datetime(2026, 10, 21, tzinfo=UTC))
    assert policy.mark([score("ada", first, 9.0), score("ada", second, 3.0, number=2)]).number == 1


def test_an_excused_student_gets_no_mark(policy_of):
    on_time = datetime(2026, 10, 1, tzinfo=UTC)
    assert [
        mark.student for mark in policy_of(WHOLE).marks([score("eve", on_time), score("bob", on_time)])
    ] == ["bob"]


def test_what_a_group_hands_in_counts_for_each_member_and_beside_their_own(policy_of):
    policy = policy_of(WHOLE.replace("keep: last", "keep: best"))
    on_time = datetime(2026, 10, 1, tzinfo=UTC)
    marks = policy.marks(
        [score("team-1", on_time, 6.0), score("cy", on_time, 9.0), score("bob", on_time, 1.0)]
    )
    assert [(mark.student, mark.points) for mark in marks] == [("ben", 6.0), ("bob", 1.0), ("cy", 9.0)]


def test_an_excuse_and_an_extension_apply_to_a_member_as_to_the_group(policy_of):
    late = datetime(2026, 10, 26, 12, tzinfo=UTC)
    own = WHOLE.replace("eve: {excused: true}", "cy: {excused: true}\n  ben: {due: 2026-11-30T20:00}")
    assert [(mark.student, mark.days_late) for mark in policy_of(own).marks([score("team-1", late)])] == [
        ("ben", 0)
    ]
    group = WHOLE.replace("eve: {excused: true}", "team-1: {excused: true}")
    assert policy_of(group).marks([score("team-1", late)]) == []


def test_the_schema_for_editors_knows_every_key():
    schema = json.loads(schemas()["policy.json"])
    assert schema["properties"].keys() == PolicyDocument.model_fields.keys()
    assert all("description" in entry for entry in schema["properties"].values() if "$ref" not in entry)
