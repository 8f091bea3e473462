"""Hand-ins as learning systems give them: whose each is, when it was handed in, and what is graded of it."""

import os
import warnings
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hand_in_generator import COURSE, ODDITIES, STUB, SYSTEMS, notebook, write_class, zipped

from grader.classroom.earlier_hand_ins import rounds
from grader.classroom.gradebook import Gradebook
from grader.classroom.reading import Preview, preview
from grader.cli.classes import class_command
from grader.core.errors import UsageError
from grader.core.model import Score
from grader.grading import attempt, selection
from grader.report.text_layout import columns
from grader.submission import Recording, Stored, Submission, collection, layouts, open_submission
from grader.submission.handed_in import HandedIn
from grader.submission.layouts import Listing

FORMS = ("folder", "zip")


def previews(course, path, **options) -> list[Preview]:
    found = collection.collect(path, **options)
    assert not found.left
    return [preview(one, course.exercises, ()) for one in found.hand_ins]


def ending(one: Preview) -> str:
    """Return what was made of a hand-in, by the words of the generator."""
    if one.refused:
        return "refused"
    if any("none was graded" in remark for remark in one.remarks):
        return "doubt"
    return "stub" if is_stub(one) else "work"


def is_stub(one: Preview) -> bool:
    submission = one.hand_in.open()
    return submission.snapshot("scaling", STUB).sources["scaling.py"] == STUB


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_class_gives_exactly_the_table_of_its_generator(course, tmp_path, system, form):
    path, table = write_class(tmp_path, system, form)
    found = {one.hand_in.student: one for one in previews(course, path, layout=SYSTEMS[system][2])}
    assert set(found) == {made.student for made in table}
    for made in table:
        one = found[made.student]
        said = "\n".join([one.refused, *one.remarks])
        assert (made.oddity, ending(one)) == (made.oddity, made.expected.ending), said
        assert made.expected.words in said, (made.oddity, said)
        if made.expected.ending != "refused":
            assert (made.oddity, one.moment.at) == (made.oddity, made.at)
    assert len(table) >= len(ODDITIES) // 2


@pytest.mark.parametrize("system", SYSTEMS)
def test_three_hundred_hand_ins_give_the_table_too(course, tmp_path, system):
    path, table = write_class(tmp_path, system, "zip", least=300)
    found = {one.hand_in.student: one for one in previews(course, path)}
    assert len(table) >= 300
    assert {(student, ending(one)) for student, one in found.items()} == {
        (made.student, made.expected.ending) for made in table
    }


@pytest.mark.parametrize("oddity", ODDITIES)
@pytest.mark.parametrize("form", FORMS)
def test_what_is_stored_of_a_hand_in_gives_the_same_plan(course, tmp_path, oddity, form):
    """A regrade reads the files that were kept, and must find the same module, or the same doubt, in them."""
    files, _ = ODDITIES[oddity]
    path = tmp_path / "ann"
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    path.mkdir(exist_ok=True)
    if form == "zip":
        path = tmp_path / "ann.zip"
        path.write_bytes(zipped(files))
    try:
        opened = open_submission(path)
    except UsageError:
        assert oddity in ("a rar",)
        return
    recording = Recording(opened.tree)
    planned = attempt.plan(Submission(recording), course.exercises, 0)
    stored = Submission(Stored.unpack(recording.kept.pack()))
    again = attempt.plan(stored, course.exercises, 0)
    assert again.jobs == planned.jobs
    if not planned.missing:
        assert again.refused == planned.refused


def listing(*names: str, name: str = "download", texts: dict[str, str] | None = None) -> Listing:
    return Listing(name=name, names=tuple(sorted(names)), text=lambda path: (texts or {}).get(path, ""))


def rows(found: layouts.Recognized) -> list[tuple[str, list[str]]]:
    return [(entry.student, sorted(entry.files.values())) for entry in found.entries]


FEW = {
    "moodle": (["A B_1_assignsubmission_file_/x.py", "A B_2_assignsubmission_file_/x.py"], ["A B_1", "A B_2"]),
    "moodle with the names of blind marking": (["Participant_7_assignsubmission_file_x.py"], ["Participant_7"]),
    "canvas": (["ann_LATE_1_2_x.py", "bob_3_4_x_y.py", "anon_Ab1_5_x.py"], ["ann_1", "anon_Ab1", "bob_3"]),
    "gradescope": (["submission_1/x.py", "submission_2/x.py"], ["submission_1", "submission_2"]),
    "blackboard": (
        ["H_W_a_b_attempt_2026-11-30-08-00-00_x.py", "H_W_c_b_attempt_2026-11-30-08-00-00_x.py"], ["a_b", "c_b"],
    ),
    "brightspace": (["1-9 - A - B - Nov 3, 2026 905 AM/x.py", "index.html"], ["A - B_1"]),
    "nbgrader": (["submitted/a/w/x.py", "submitted/b/w/x.py"], ["a", "b"]),
    "plain": (["a/x.py", "b.zip", "c.ipynb", "d.tar.gz", "readme.txt"], ["a", "b", "c", "d"]),
}  # fmt: skip


@pytest.mark.parametrize("wrapper", ["", "Week 4/", "a/b/"])
@pytest.mark.parametrize("case", FEW)
def test_a_layout_is_recognized_by_names_alone_also_in_a_folder_of_its_own(case, wrapper):
    names, students = FEW[case]
    found = layouts.recognize(listing(*(wrapper + name for name in names)))
    assert found.layout.name == case.split()[0]
    assert sorted(entry.student for entry in found.entries) == students
    assert all(path.startswith(wrapper) for entry in found.entries for path in entry.files.values())


def test_the_folder_of_a_classroom_is_recognized_by_its_name():
    names = ["week-4-ann-lee/x.py", "week-4-bob/x.py"]
    assert rows(layouts.recognize(listing(*names, name="week-4-submissions"))) == [
        ("ann-lee", names[:1]), ("bob", names[1:]),
    ]  # fmt: skip
    assert layouts.recognize(listing(*names)).is_plain
    assert [one for one, _ in rows(layouts.recognize(listing(*names), "classroom50"))] == ["ann-lee", "bob"]


def test_files_side_by_side_are_one_hand_in():
    found = layouts.recognize(listing("ann_1_2_a.py", "ann_1_3_b.ipynb", "ann_1_4_c.zip"))
    assert rows(found) == [("ann_1", ["ann_1_2_a.py", "ann_1_3_b.ipynb", "ann_1_4_c.zip"])]
    assert set(found.entries[0].files) == {"a.py", "b.ipynb", "c.zip"}


def test_canvas_takes_the_newest_of_a_file_that_was_handed_in_again():
    (entry,) = layouts.recognize(
        listing("ann_1_2_x.py", "ann_1_3_x-1.py", "ann_1_5_x-10.py", "ann_1_4_x-2.py")
    ).entries
    assert entry.files == {"x.py": "ann_1_5_x-10.py"}
    assert entry.notes == (
        "x.py was handed in again; not graded: ann_1_2_x.py, ann_1_3_x-1.py, ann_1_4_x-2.py",
    )


def test_a_group_of_gradescope_is_a_hand_in_of_each_member():
    text = (
        "submission_1:\n  :submitters:\n  - :name: Ann\n    :sid: s1\n    :email: a@x.org\n"
        "  - :name: Bob\n    :sid:\n    :email: b@x.org\n  :created_at: 2026-11-30 08:00:00 +0100\n"
    )
    found = layouts.recognize(
        listing("submission_1/x.py", "submission_metadata.yml", texts={"submission_metadata.yml": text})
    )
    assert [(one.student, one.name, one.email, one.notes) for one in found.entries] == [
        ("s1", "Ann", "a@x.org", ("a group hand-in, with Bob",)),
        ("b@x.org", "Bob", "b@x.org", ("a group hand-in, with Ann",)),
    ]
    assert {one.at for one in found.entries} == {datetime(2026, 11, 30, 7, tzinfo=UTC)}


@pytest.mark.parametrize(
    "text",
    ["", "[" * 100_000, "a: &a [*a]", "submission_1: 7", "- x", "\0", "submission_1:\n  :submitters: x"],
)
def test_metadata_that_cannot_be_read_leaves_the_hand_ins(text):
    found = layouts.recognize(
        listing("submission_1/x.py", "submission_metadata.yml", texts={"submission_metadata.yml": text})
    )
    assert [(one.student, one.notes) for one in found.entries] == [
        ("submission_1", ("submission_metadata.yml does not say whose this is",))
    ]


def test_a_regular_expression_reads_any_other_system():
    found = layouts.recognize(
        listing("Doe_Jane_jd12_77/20261130075900/x.py", "Roe_Al_ar3_78/20261130080000/sub/y.py", "Übung.csv"),
        r"(?P<student>[^/]+)_\d+/(?P<time>\d{14})/(?P<file>.+)",
    )
    assert rows(found) == [
        ("Doe_Jane_jd12", ["Doe_Jane_jd12_77/20261130075900/x.py"]),
        ("Roe_Al_ar3", ["Roe_Al_ar3_78/20261130080000/sub/y.py"]),
    ]
    assert [sorted(one.files) for one in found.entries] == [["x.py"], ["sub/y.py"]]
    assert found.left == ("Übung.csv",)
    assert (found.entries[1].at - found.entries[0].at) == timedelta(minutes=1)


def test_without_the_group_file_it_is_what_follows_the_match():
    found = layouts.recognize(listing("ann-1/a/x.py", "ann-1/y.py"), r"(?P<student>\w+)-\d")
    assert sorted(found.entries[0].files) == ["a/x.py", "y.py"]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("moodl", 'There is no layout "moodl". Did you mean "moodle"? There are: moodle, gradescope'),
        (
            "(?P<student>",
            "--layout is no regular expression: missing ), unterminated subpattern at character 1",
        ),
        (r"(?P<file>.+)", "--layout has no group `student`. An example: --layout"),
        (
            r"(?P<studnet>.+)",
            '--layout has a group "studnet"; the groups are student, file and time. Did you mean "student"?',
        ),
        (r"(?P<student>nowhere)/", "No file of it is named as --layout"),
        ("canvas", "No file of it is named as --layout canvas says. It holds a/x.py"),
    ],
)
def test_a_layout_that_is_none_or_fits_nothing_is_refused_in_words(wanted, words):
    with pytest.raises(UsageError) as refused:
        layouts.recognize(listing("a/x.py"), wanted)
    assert words in str(refused.value)


# --- the class as a whole


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def test_of_several_attempts_the_newest_is_graded_and_the_others_are_named(tmp_path):
    heads = [
        f"HW_{user}_attempt_2026-11-{day}-08-00-00_scaling.py"
        for user in ("ann", "bob")
        for day in (28, 30, 29)
    ]
    found = collection.collect(write(tmp_path, dict.fromkeys(heads, b"x = 1")))
    assert [(one.student, one.at.day) for one in found.hand_ins] == [("ann", 30), ("bob", 30)]
    assert [one.at.day for one in found.older] == [29, 28, 29, 28]
    assert found.hand_ins[0].notes == (f"handed in before: {heads[2]}, {heads[0]}",)


def test_what_a_system_did_not_write_is_named_and_stops_none(tmp_path):
    files = {f"A B_{n}_assignsubmission_file_/scaling.py": b"x = 1" for n in range(4)}
    found = collection.collect(
        write(tmp_path, {**files, "late/zed/scaling.py": b"", "grades.csv": b"", "x.zip": b""})
    )
    assert [one.student for one in found.hand_ins if not one.problem] == ["A B_0", "A B_1", "A B_2", "A B_3"]
    assert {one.student: one.problem[:42] for one in found.hand_ins if one.problem} == dict.fromkeys(
        ["late", "x.zip"], "it is not named as hand-ins of Moodle are."
    )
    assert found.left == ("grades.csv",)


def test_a_link_to_the_work_of_another_student_is_named_and_not_followed(tmp_path):
    files = {f"A B_{n}_assignsubmission_file_/scaling.py": b"x = 1" for n in range(2)}
    write(tmp_path, files)
    link = tmp_path / "A B_1_assignsubmission_file_" / "copied.py"
    link.symlink_to("../A B_0_assignsubmission_file_/scaling.py")
    found = collection.collect(tmp_path)
    assert [sorted(one.files) for one in found.hand_ins] == [["scaling.py"], ["scaling.py"]]
    assert found.left == ("A B_1_assignsubmission_file_/copied.py (a link)",)


def test_names_in_a_zip_that_lead_out_or_come_twice_are_named_and_stop_none(tmp_path):
    path = tmp_path / "class.zip"
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "w") as file:
        for name in ("a/scaling.py", "b/scaling.py", "b/scaling.py", "../../c/scaling.py", "/d/scaling.py"):
            file.writestr(name, "x = 1")
    found = collection.collect(path)
    assert [one.student for one in found.hand_ins] == ["a", "b"]
    assert found.left == ("'b/scaling.py'", "'../../c/scaling.py'", "'/d/scaling.py'")


@pytest.mark.parametrize(
    ("one", "other"), [("ann", "ANN"), ("ann", "ann (1)"), ("Zoë", "zoë (2)"), ("ann", "ann - Copy")]
)
def test_what_may_be_the_same_person_twice_is_said_of_both_and_both_are_graded(tmp_path, one, other):
    write(tmp_path, {f"{name}/scaling.py": b"x = 1" for name in (one, other, "zed")})
    found = {found.student: found for found in collection.find(tmp_path)}
    assert found[one].notes == (f"perhaps the same person as {other}",)
    assert found[other].notes == (f"perhaps the same person as {one}",)
    assert not found["zed"].notes
    assert not any(found.problem for found in found.values())


@pytest.mark.parametrize("litter", [".grade/log.json", "__pycache__/x.pyc", "report.pdf", ".venv/x.py"])
def test_the_time_is_that_of_the_files_that_were_read(course, tmp_path, litter):
    write(tmp_path, {"ann/exercises/scaling.py": b"x = 1", f"ann/{litter}": b"x"})
    for name, seconds in (("exercises/scaling.py", 1_700_000_000), (litter, 1_800_000_000)):
        os.utime(tmp_path / "ann" / name, (seconds, seconds))
    (one,) = collection.find(tmp_path)
    found = preview(one, course.exercises, ())
    assert found.moment.at.timestamp() == 1_700_000_000


def test_the_time_of_a_student_who_hands_in_a_zip_is_that_of_the_zip(course, tmp_path):
    inner = zipped({"exercises/scaling.py": b"x = 1"})  # its date is that of 1980
    write(tmp_path, {"A B_1_assignsubmission_file_/w.zip": inner})
    os.utime(tmp_path / "A B_1_assignsubmission_file_" / "w.zip", (1_700_000_000, 1_700_000_000))
    (one,) = collection.find(tmp_path)
    assert preview(one, course.exercises, ()).moment.at.timestamp() == 1_700_000_000


@pytest.mark.parametrize("name", ["essay.txt", "class.rar", "class.tar.gz", "class.zip"])
def test_a_file_that_is_no_zip_of_a_class_is_refused_in_words(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UsageError, match=r"is no folder and no zip\. Name|cannot be read as a zip"):
        collection.collect(tmp_path / name)


# --- one submission


def test_in_a_workspace_no_module_is_looked_for_in_other_folders(tmp_path, monkeypatch):
    write(tmp_path, {"old/exercises/scaling.py": b"x = 1", "Scaling.py": b"x = 2"})
    monkeypatch.chdir(tmp_path)
    assert open_submission(Path()).snapshot("scaling").sources["scaling.py"] == "x = 2"
    (tmp_path / "Scaling.py").unlink()
    assert open_submission(Path()).snapshot("scaling").missing
    assert open_submission(tmp_path).snapshot("scaling").sources == {"scaling.py": "x = 1"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.rar": b""}, "It holds a.rar (a RAR archive, which is not read)."),
        ({"a.ipynb": notebook("x = 1")}, "a.ipynb has no cell for scaling. Write `%%grade scaling`"),
        ({}, "no exercises/ and no answers/.\n"),
    ],
)
def test_one_submission_that_holds_nothing_to_grade_is_refused_with_what_it_holds(
    course, tmp_path, files, words
):
    write(tmp_path, files)
    with pytest.raises(UsageError) as refused:
        selection.refuse_empty(course, open_submission(tmp_path), tmp_path)
    assert words in str(refused.value)


# --- the command


@pytest.fixture
def grade_class(monkeypatch):
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(class_command, list(map(str, arguments)), standalone_mode=False)

    return run


def test_a_dry_run_shows_a_table_of_80_columns_and_grades_nothing(grade_class, tmp_path):
    path, table = write_class(tmp_path, "moodle", "zip")
    done = grade_class(path, "--dry-run")
    assert done.return_value == 1, done.output
    lines = done.output.splitlines()
    assert f"Moodle: {len(table)} hand-ins." in lines
    assert max(map(columns, lines)) <= 80
    assert all(line.isprintable() for line in lines)
    assert not [made for made in table if cut_name(made.student) not in done.output]
    assert "graded in" not in done.output


def cut_name(student: str) -> str:
    return student[:10]


def test_a_dry_run_of_a_sound_class_ends_with_0_and_names_older_hand_ins(grade_class, tmp_path):
    write(tmp_path / "c", {f"HW_ann_attempt_2026-11-{day}-08-00-00_scaling.py": b"x = 1" for day in (28, 30)})
    done = grade_class(tmp_path / "c", "--dry-run")
    assert done.return_value == 0, done.output
    assert "an earlier hand-in: graded with --gradebook, before the newest" in done.output
    assert done.output.count("scaling.py\n") >= 2


@pytest.mark.usefixtures("forked_warm_processes")
def test_a_download_of_moodle_is_graded(grade_class, tmp_path):
    good = (COURSE / "solutions" / "scaling" / "reference.py").read_bytes()
    path = tmp_path / "CS101-Week 4-1234.zip"
    path.write_bytes(
        zipped({
            "Ada L_1_assignsubmission_file_/scaling (1).py": good,
            "Bob_2_assignsubmission_file_/work.rar": b"Rar!",
            "Bob_2_assignsubmission_onlinetext_/onlinetext.html": b"<p>",
        })
    )  # fmt: skip
    done = grade_class(path, "--gradebook", tmp_path / "g.db")
    assert done.return_value == 1, done.output
    assert "13 of 13  100.0%  Ada L_1\n" in done.output
    assert "scaling (1).py was graded as exercises/scaling.py." in done.output
    assert "not graded  Bob_2: it holds no module of an exercise" in done.output
    with Gradebook(tmp_path / "g.db") as book:
        assert [one.student for one in book.scores()] == ["Ada L_1"]


@pytest.mark.usefixtures("forked_warm_processes")
def test_every_hand_in_is_recorded_once_in_the_order_of_time(grade_class, tmp_path):
    good = (COURSE / "solutions" / "scaling" / "reference.py").read_bytes()
    heads = {day: f"HW_ann_attempt_2026-11-{day}-08-00-00_scaling.py" for day in (28, 29, 30)}
    write(tmp_path / "c", {heads[30]: b"x = 1\n", heads[28]: good, heads[29]: good + b"# again\n"})
    for _ in range(2):  # the second time nothing is new
        done = grade_class(tmp_path / "c", "--gradebook", tmp_path / "g.db")
        assert done.return_value == 0, done.output
        with Gradebook(tmp_path / "g.db") as book:
            recorded = [(one.number, one.submitted_at.day, one.points) for one in book.scores()]
        assert recorded == [(1, 28, 13.0), (2, 29, 13.0), (3, 30, 0.0)]


def test_an_earlier_hand_in_is_never_recorded_after_a_later_one():
    def hand_in(student: str, day: int | None) -> HandedIn:
        at = None if day is None else datetime(2026, 11, day, tzinfo=UTC)
        return HandedIn(student=student, path=Path(), at=at)

    def score(student: str, day: int) -> Score:
        at = datetime(2026, 11, day, tzinfo=UTC)
        return Score(student=student, number=1, points=1, max_points=1, submitted_at=at, void=False)

    older = [hand_in("ann", 5), hand_in("ann", 3), hand_in("bob", 4), hand_in("ann", 4), hand_in("cyd", None)]
    found = rounds(older, [score("ann", 3), score("ann", 1)])
    assert [[(one.student, one.at.day) for one in group] for group in found] == [
        [("ann", 4), ("bob", 4)],
        [("ann", 5)],
    ]
