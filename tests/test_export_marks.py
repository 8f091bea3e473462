"""Marks for nbgrader, Moodle and Canvas: by the rules of their importers, and with nothing else changed."""

import csv
import io
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grade_command
import pytest
from test_gradebook import EXERCISE, PARTS, REPORT

from grader.classroom.gradebook import Gradebook
from grader.cli.export import _title
from grader.core.errors import UsageError
from grader.core.model import Mark, Outcome
from grader.export import canvas, marks

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def mark(student: str, points: float = 3.0, most: float = 5.0, **more: object) -> Mark:
    fields = {"number": 1, "submitted_at": NOON, "raw_points": points, "days_late": 0, "penalty_percent": 0.0}
    return Mark(student=student, points=points, max_points=most, **{**fields, **more})


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


LATE = mark("bob", 4.0, raw_points=5.0, number=2, days_late=2, penalty_percent=20.0)
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "=cmd|' /C calc'!A0",
    " @formula",
    "  =1",
    " +1",
    " -1",
    "\t=1",
    "\ttext",
    "\r=1",
    "\rtext",
    "\n=1",
    " \t @formula",
    "\xa0=1",
    "\u3000@formula",
    "\u200b=1",
    "\ufeff=1",
    "\x00=1",
    "\uff1d1",
    " \uff20SUM(A1)",
]


# --- nbgrader and Moodle


def test_nbgrader_has_its_header_and_its_columns() -> None:
    text = marks.to_nbgrader([mark("ada@example.org"), LATE], "Week 4, part 1", NOON)
    assert text.startswith(
        "assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,late_submission_penalty,score,"
        "max_score\r\n"
    )
    assert text.count("\r\n") == text.count("\n") == 3
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert rows[0]["email"] == rows[0]["student_id"] == "ada@example.org"
    assert rows[1] == {
        "assignment": "Week 4, part 1", "duedate": "2026-03-01 12:00:00.000000",
        "timestamp": "2026-03-01 12:00:00.000000", "student_id": "bob", "last_name": "", "first_name": "", "email": "",
        "raw_score": "5.0", "late_submission_penalty": "1.0", "score": "4.0", "max_score": "5.0",
    }  # fmt: skip
    assert read(marks.to_nbgrader([LATE], "a", None))[1][1] == ""


def test_moodle_gets_grade_and_feedback_by_id_or_email() -> None:
    rows = read(marks.to_moodle([mark("ada@example.org", 1 / 3), LATE], "Week 4"))
    assert rows[0] == ["ID number", "Email address", "Week 4 (Real)", "Week 4 (Feedback)"]
    assert rows[1] == ["", "ada@example.org", "0.33", "Attempt 1: 0.33 of 5.00 points."]
    assert rows[2] == ["bob", "", "4.00", "Attempt 2: 5.00 of 5.00 points. 2 days late: 20 % less."]
    assert marks.mixed([mark("ada@example.org"), LATE])
    assert not marks.mixed([LATE])


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text: str) -> None:
    for written in (marks.to_nbgrader([mark(text)], text, None), marks.to_moodle([mark(text)], text)):
        cells = [cell for row in read(written) for cell in row]
        blanks = " \t\r\n\x00\xa0\u3000\u200b\ufeff"
        assert not [
            cell for cell in cells if cell.lstrip(blanks).startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20"))
        ]
        assert not [cell for cell in cells if cell.startswith(("\t", "\r", "\n"))]
        assert any(text in cell for cell in cells)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert marks.guarded(text) == f"'{text}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a",
        " a",
        "a=1",
        "ada@example.org",
        "1-2",
        "'=1",
        "(=1)",
        "_=1",
        "\u200bada",
        "é=1",
        " week 4",
    ],
)
def test_other_text_is_unchanged(text: str) -> None:
    assert marks.guarded(text) == text


@pytest.mark.parametrize(
    ("points", "text"),
    [(0.0, "0.00"), (4.999, "4.99"), (4.999999, "4.99"), (4.999999999, "5.00"), (5.0, "5.00")],
)
def test_points_are_cut_to_two_decimals(points: float, text: str) -> None:
    assert marks.points_text(points) == text


@pytest.mark.parametrize(
    ("days", "words"), [(0, ""), (1, " 1 day late: 20 % less."), (2, " 2 days late: 20 % less.")]
)
def test_the_explanation_of_a_mark_counts_days(days: int, words: str) -> None:
    text = marks.explained(replace(LATE, days_late=days))
    assert text == f"Attempt 2: 5.00 of 5.00 points.{words}"


@pytest.mark.parametrize(
    ("student", "is_email"), [("a@b", True), ("@b", False), ("a@", False), ("@", False), ("", False)]
)
def test_an_email_address_has_text_on_both_sides(student: str, is_email: bool) -> None:
    assert marks.mixed([mark(student), mark("a@b")]) != is_email


@pytest.mark.parametrize("student", ['"', 'a"b', "a,b", "a\nb", "a;b", "é", "字"])
def test_a_name_comes_back_as_it_is(student: str) -> None:
    assert read(marks.to_nbgrader([mark(student)], "a", None))[1][3] == student


# --- Canvas

TEMPLATE = (
    "\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Week 3 (11),Week 4 (12),Assignments Current Score\r\n"
    ",,,,,Manual Posting,,\r\n"
    "    Points Possible,,,,,10,5,(read only)\r\n"
    '"Lovelace, Ada",101,s1,ada,"CNN ""A""",9.50,,95.0\r\n'
    '"Babbage, Charles",102,s2,charles,"=HYPERLINK(1)", EX ,"1",\r\n'
    "Bob,103,,bob@example.org,S,,2,\r\n"
    '"Student, Test",999,,x,S,,,\r\n'
)


def test_canvas_gets_the_marks_and_no_other_byte_changes() -> None:
    found = [mark("101", 2.5), mark("s2", 4.996), mark("bob@example.org", 0.0)]
    filled = canvas.fill(TEMPLATE, found, "Week 4")
    lines, wanted = filled.text.split("\r\n"), TEMPLATE.split("\r\n")
    wanted[3] = wanted[3].replace("9.50,,95.0", "9.50,2.50,95.0")
    wanted[4] = wanted[4].replace('"1"', "4.99")
    wanted[5] = wanted[5].replace("S,,2,", "S,,0.00,")
    assert lines == wanted
    assert (filled.column, filled.matched, filled.unmatched) == (
        "Week 4 (12)",
        ("101", "s2", "bob@example.org"),
        {},
    )


@pytest.mark.parametrize("student", ["101", "s1", "ada", "Lovelace, Ada"])
def test_a_student_is_found_by_any_of_four_columns(student: str) -> None:
    assert ",9.50,3.00,95.0\r\n" in canvas.fill(TEMPLATE, [mark(student)], "12").text


def test_an_earlier_column_counts_before_a_later_one() -> None:
    swapped = TEMPLATE.replace("s2,charles", "101,charles")
    filled = canvas.fill(swapped, [mark("101")], "12")
    assert ",9.50,3.00,95.0\r\n" in filled.text
    assert filled.text.count("3.00") == 1


def test_a_student_without_exactly_one_row_is_named_and_not_written() -> None:
    twins = TEMPLATE.replace("s2,", "s1,")
    filled = canvas.fill(
        twins, [mark("eve"), mark("s1"), mark("103"), mark("Bob"), mark("bo"), mark("ADA")], "12"
    )
    assert filled.text == twins
    assert set(filled.unmatched) == {"eve", "s1", "103", "Bob", "bo", "ADA"}
    assert filled.unmatched["s1"] == "several rows of the template"
    assert filled.unmatched["Bob"] == "a row that another student matches too"


@pytest.mark.parametrize("column", ["Week 4 (12)", "12", "Week 4", "Week Four (12)"])
def test_a_column_is_found_by_id_then_by_title(column: str) -> None:
    assert canvas.fill(TEMPLATE, [mark("101")], column).column == "Week 4 (12)"


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("Week 5", 'no column for "Week 5"'),
        ("Week 4 (13)", "no column"),
        ("week 4", "no column"),
        ("Assignments Current Score", "read only"),
    ],
)
def test_a_column_that_is_not_there_or_read_only_is_refused(column: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        canvas.fill(TEMPLATE, [mark("101")], column)


def test_two_columns_of_one_title_are_refused_unless_one_is_named_by_id() -> None:
    twice = TEMPLATE.replace("Week 3 (11)", "Week 4 (11)")
    with pytest.raises(UsageError, match=r'several columns.*"Week 4 \(11\)", "Week 4 \(12\)"'):
        canvas.fill(twice, [mark("101")], "Week 4")
    assert canvas.fill(twice, [mark("101")], "11").column == "Week 4 (11)"


@pytest.mark.parametrize(
    "text", ["", "a,b\r\n1,2\r\n", TEMPLATE.replace("    Points Possible", "Eve"), "Student,ID"]
)
def test_a_file_that_canvas_did_not_export_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="template"):
        canvas.fill(text, [mark("101")], "12")


@pytest.mark.parametrize(
    ("possible", "accepted"),
    [("0", True), ("1000000", True), ("-1", False), ("1000001", False), ("1e400", False), ("nan", False)],
)
def test_an_assignment_has_a_possible_number_of_points(possible: str, accepted: bool) -> None:
    template = TEMPLATE.replace(",10,", f",{possible},", 1)
    assert template.count(f",{possible},") == 1
    if accepted:
        assert canvas.fill(template, [mark("101", 4.0)], "Week 3").possible == float(possible)
    else:
        with pytest.raises(UsageError, match="Points Possible"):
            canvas.fill(template, [mark("101", 4.0)], "Week 3")


def test_marks_are_scaled_to_the_points_of_the_column() -> None:
    filled = canvas.fill(TEMPLATE, [mark("101", 4.0)], "Week 3")
    assert filled.possible == 10
    assert ",8.00,,95.0" in filled.text


@pytest.mark.parametrize(
    "text",
    [
        TEMPLATE,
        TEMPLATE.replace("\r\n", "\n"),
        TEMPLATE.replace("\ufeff", "").removesuffix("\r\n"),
        '"a\nb";"c;d";\n;;\n\n"e""f"\n',
    ],
)
def test_cells_have_their_bounds(text: str) -> None:
    delimiter = canvas._delimiter(text)
    rows = list(canvas.cells(text, delimiter))
    plain = [
        row
        for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter)
        if row
    ]
    assert [[cell.text for cell in row] for row in rows] == plain
    spans = [(cell.start, cell.end) for row in rows for cell in row]
    assert spans == sorted(spans)


def test_an_unclosed_quote_ends_with_its_line() -> None:
    rows = list(canvas.cells('a,"b"c,d\n"unclosed,\nx', ","))
    assert [[cell.text for cell in row] for row in rows] == [["a", "bc", "d"], ['"unclosed', ""], ["x"]]


def test_a_semicolon_is_the_delimiter_where_canvas_exported_it() -> None:
    text = "Student;ID;Section;Week 4 (12)\r\n    Points Possible;;;5,0\r\nAda;101;S;1,5\r\n"
    filled = canvas.fill(text, [mark("101")], "12")
    assert filled.text == text.replace("1,5", "3.00")
    assert filled.possible == 5


@pytest.mark.parametrize(("above", "is_found"), [(0, True), (2, True), (3, False)])
def test_the_row_of_points_is_one_of_the_first_three_below_the_header(above: int, is_found: bool) -> None:
    text = (
        "Student,ID,Week 4 (12)\r\n" + ",,Manual Posting\r\n" * above + "Points Possible,,5\r\nAda,101,\r\n"
    )
    if is_found:
        assert canvas.fill(text, [mark("101")], "12").matched == ("101",)
    else:
        with pytest.raises(UsageError, match="no row Points Possible"):
            canvas.fill(text, [mark("101")], "12")


@pytest.mark.parametrize(("row", "reason"), [("Ada,101,", ""), ("Ada,101", "too short")])
def test_a_row_without_the_column_is_named(row: str, reason: str) -> None:
    filled = canvas.fill(f"Student,ID,Week 4 (12)\r\nPoints Possible,,5\r\n{row}\r\n", [mark("101")], "12")
    assert reason in filled.unmatched.get("101", "")
    assert bool(filled.matched) == (not reason)


# --- the command


@pytest.fixture
def book(tmp_path):
    """A gradebook of three students: ada and bob submitted twice, bob late; the last of bob and that of eve are void in part."""
    with Gradebook(tmp_path / "week4.db") as opened:
        void = replace(EXERCISE, outcome=Outcome.INTERNAL_ERROR, points=0.0, max_points=0.0)
        for student, points, later, report in [
            ("ada", 4.0, 0, REPORT),
            ("ada", 2.0, 1, REPORT),
            ("bob", 5.0, 25, REPORT),
            ("bob", 1.0, 26, replace(REPORT, exercises=(void,))),
            ("=eve", 1.0, 0, replace(REPORT, exercises=(void,))),
        ]:
            graded = replace(report, points=points, score=points / 5)
            when = NOON + timedelta(hours=later)
            opened.add(
                student, graded, submission="s", content=b"c", conditions="c", submitted_at=when, parts=PARTS
            )
    return tmp_path / "week4.db"


@pytest.fixture
def grade(tmp_path):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return grade_command.run(*arguments, folder=tmp_path)

    return run


def test_a_policy_makes_the_marks(grade, book, tmp_path):
    policy = ["--due", "2026-03-01T12:00+00:00", "--grace", "15m", "--late-per-day", "10", "--late-cap", "15"]
    done = grade("export", "nbgrader", "week4.db", "--output", "out.csv", *policy)
    assert done.returncode == 3, done.stderr
    assert "2 marks out of 5" in done.stdout
    again = "because of an error in the grader; run `grade regrade`, then export again"
    assert done.stderr.splitlines() == [
        "Due 2026-03-01 12:00:00 UTC.",
        f"not graded, {again}: =eve",
        f"mark of an earlier attempt: a part of the last was not graded, {again}: bob",
    ]
    rows = {
        row["student_id"]: row
        for row in csv.DictReader(io.StringIO((tmp_path / "out.csv").read_bytes().decode(), newline=""))
    }
    assert (rows["ada"]["score"], rows["bob"]["score"], rows["bob"]["late_submission_penalty"]) == (
        "4.0",
        "4.25",
        "0.75",
    )
    assert rows["ada"]["assignment"] == "week4"
    assert set(rows) == {"ada", "bob"}  # eve has no row: that is not zero
    done = grade("export", "nbgrader", "week4.db", "--output", "out.csv", "--keep", "last")
    assert done.returncode == 3
    assert b"bob" not in (tmp_path / "out.csv").read_bytes(), (
        "his last hand-in is void, and no other stands in for it"
    )
    assert (tmp_path / "out.csv").read_bytes().count(b"ada,,,,2.0,0.0,2.0,5.0\r\n") == 1


def test_students_who_are_not_in_the_template_are_named(grade, book, tmp_path):
    (tmp_path / "in.csv").write_bytes(TEMPLATE.encode())
    done = grade(
        "export", "canvas", "week4.db", "--template", "in.csv", "--column", "Week 3", "--output", "out.csv"
    )
    assert done.returncode == 3  # eve has no mark
    assert '1 of 2 marks written to "Week 3 (11)"' in done.stdout
    assert "no row of the template: bob" in done.stderr
    assert "Marks are scaled to 10" in done.stderr
    assert (tmp_path / "out.csv").read_bytes() == TEMPLATE.replace("9.50", "8.00").encode()


def test_a_class_without_any_grade_is_an_internal_error(grade, tmp_path):
    with Gradebook(tmp_path / "void.db") as opened:
        void = replace(EXERCISE, outcome=Outcome.INTERNAL_ERROR, points=0.0, max_points=0.0)
        opened.add(
            "ada", replace(REPORT, exercises=(void,)), submission="s", content=b"c", conditions="c",
            submitted_at=NOON, parts=PARTS,
        )  # fmt: skip
    done = grade("export", "moodle", "void.db", "--output", "out.csv")
    assert done.returncode == 3
    assert "could be graded in full" in done.stderr
    assert not (tmp_path / "out.csv").exists()


def test_options_override_the_policy_of_a_file(grade, book, tmp_path):
    (tmp_path / "policy.yaml").write_text(
        "time_zone: Europe/Berlin\ndue: 2026-03-01T13:00\nlate: {per_day: 10, cap: 15}\n"
        "students:\n  bob: {excused: true}\n"
    )
    command = ["export", "nbgrader", "week4.db", "--output", "out.csv", "--policy", "policy.yaml"]
    done = grade(*command)
    assert done.stderr.splitlines()[:2] == [
        "Due 2026-03-01 13:00:00 Europe/Berlin, which is 2026-03-01 12:00:00 UTC.",
        "no mark, excused: bob",
    ]
    assert b"bob" not in (tmp_path / "out.csv").read_bytes()
    assert b",2026-03-01 12:00:00.000000," in (tmp_path / "out.csv").read_bytes()
    done = grade(*command, "--due", "2026-03-02T13:00+01:00")
    assert (
        done.stderr.splitlines()[0]
        == "Due 2026-03-02 13:00:00 Europe/Berlin, which is 2026-03-02 12:00:00 UTC."
    )
    (tmp_path / "policy.yaml").write_text("time_zone: Europe/Berlin\ndue: 2026-03-01\n")
    done = grade(*command)
    assert done.returncode == 2
    assert 'policy.yaml:2:6: "2026-03-01" has no time of day' in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nbgrader", "nothing.db", "--output", "o"], "does not exist"),
        (["nbgrader", "week4.db"], "--output"),
        (["nbgrader", "week4.db", "--output", "o", "--due", "soon"], "is not a time"),
        (["nbgrader", "week4.db", "--output", "o", "--due", "2026-03-01"], "has no time of day"),
        (["nbgrader", "week4.db", "--output", "o", "--policy", "week4.db"], "week4.db"),
        (["nbgrader", "week4.db", "--output", "o", "--policy", "policy.yaml"], "does not exist"),
        (["nbgrader", "week4.db", "--output", "o", "--grace", "1 week"], "is not a duration"),
        (["nbgrader", "week4.db", "--output", "o", "--late-per-day", "5"], "needs --due"),
        (["moodle", "week4.db", "--output", "no/folder/o"], "cannot be written"),
        (["canvas", "week4.db", "--output", "o", "--template", "week4.db"], "UTF-8"),
    ],
)
def test_wrong_arguments_are_usage_errors(grade, book, arguments, words):
    done = grade("export", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("assignment", "gradebook", "title"),
    [
        ("Week 4", "g.db", "Week 4"),
        (None, "week4.db", "week4"),
        ("a\udcff", "g.db", "a\\udcff"),
        (None, "g\udcff.db", "g\\udcff"),
    ],
)
def test_a_title_is_text_whatever_the_name_of_the_file(assignment, gradebook, title):
    assert _title(assignment, Path(gradebook)) == title
