"""A report for GitHub, Gradescope and Classroom 50, checked against the published rules of each service."""

import html
import json
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import grade_command
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_report import BATCHNORM, FINAL, HOSTILE, POOLING, RICH, hostile, names_in, poisoned

from grader.core import scoring
from grader.core.model import (
    CheckResult,
    Exercise,
    ExerciseResult,
    Hidden,
    Isolation,
    ItemResult,
    Outcome,
    QuizResult,
    Report,
    Reveal,
    Seen,
)
from grader.grading import attempt
from grader.grading.messages import NotGraded
from grader.report import (
    MOST_BYTES,
    Release,
    RepositoryPaths,
    Style,
    SubmissionMetadata,
    from_json,
    read_metadata,
    shown,
    to_classroom50,
    to_github,
    to_gradescope,
    to_html,
    to_json,
    to_junit,
    to_markdown,
    to_text,
)
from grader.report.entries import entries, worst_first

TOKEN = "0123456789abcdef"
PLACES = RepositoryPaths(root="work/ada/", files={"pooling": "exercises/pooling.py", "relu": "relu.py"})
RELEASE = Release(classroom="cnn", assignment="week4", submission="submission-3", commit="https://c.example")
NOW = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
EVERY = [RICH, FINAL, *hostile()]


# --- a report that is not final


def void_of(exercise: ExerciseResult, kind: str) -> ExerciseResult:
    """Return an exercise as it is after an internal error: before, in, or after its checks."""
    spec = Exercise(
        id=exercise.id, title=exercise.title, section="1", points=exercise.max_points, names=(), hints=(), objectives=(),
        source="", stub=Path("x.py"), folder=Path("x"),
    )  # fmt: skip
    if kind == "before":
        return attempt.result_of(spec, NotGraded(reason="the grading process died"))
    checks = [replace(each, points=each.max_points, outcome=Outcome.PASSED) for each in exercise.checks]
    if kind == "after" or not checks:
        return scoring.exercise_result(spec, checks, outcome=Outcome.INTERNAL_ERROR)
    checks[0] = replace(checks[0], outcome=Outcome.INTERNAL_ERROR, points=0, rationale="The suite is broken.")
    return scoring.exercise_result(spec, checks)


@st.composite
def reports(draw: st.DrawFn) -> tuple[Report, Report, dict[str, Seen]]:
    """Draw a final report, the same with an exercise voided, and how much of them students see."""
    exercises = []
    endings = st.tuples(st.sampled_from(list(Outcome)[1:]), st.sampled_from([0.25, 1.0, 3.0]))
    for number in range(draw(st.integers(1, 3))):
        checks = tuple(
            CheckResult(
                id=f"test_{n}", title=f"Title {n}", outcome=outcome, max_points=most,
                points=most if outcome is Outcome.PASSED else 0,
            )
            for n, (outcome, most) in enumerate(draw(st.lists(endings, max_size=4)))
        )  # fmt: skip
        exercises.append(
            ExerciseResult(
                id=f"exercise{number}", title="T", outcome=scoring.most_severe({c.outcome for c in checks} or {Outcome.RAISED}),
                points=sum(c.points for c in checks), max_points=sum(c.max_points for c in checks) or 2.0, checks=checks,
            )
        )  # fmt: skip
    at, kind = (
        draw(st.integers(0, len(exercises) - 1)),
        draw(st.sampled_from(["before", "within", "after"])),
    )
    voided = [*exercises[:at], void_of(exercises[at], kind), *exercises[at + 1 :]]
    quizzes = draw(st.sampled_from([(), FINAL.quizzes]))
    before, after = (
        scoring.report(parts, quizzes, isolation=Isolation(level=3), versions=RICH.versions, seed=0)
        for parts in (exercises, voided)
    )
    hidden = Hidden(checks=1, max_points=exercises[0].checks[0].max_points) if exercises[0].checks else None
    seen = {"exercise0": Seen(own={"test_0": Reveal.NOTHING}, hidden=hidden)}
    return before, after, draw(st.sampled_from([{}, seen]))


@given(reports())
def test_an_internal_error_never_raises_a_score_and_no_format_shows_one(drawn) -> None:
    before, after, seen = drawn
    assert before.final
    for one, other in ((before, after), (shown(before, seen), shown(after, seen))):
        assert not other.final
        assert 0 <= other.points <= one.points
        assert other.max_points == one.max_points
        assert other.score <= one.score
        assert not scoring.meets(other, 0)
    visible = shown(after, seen)
    assert json.loads(to_json(visible))["final"] is False
    assert from_json(to_json(visible)) == visible
    (total,) = [line for line in to_text(visible, Style()).split("\n") if line.startswith("Total")]
    assert total.split() == ["Total", "some", "of", "it", "could", "not", "be", "graded", "not", "final"]
    (heading,) = re.findall("<h1>.*?</h1>", to_html(visible))
    assert heading == "<h1>Not final<small>some of it could not be graded</small></h1>"
    assert 'class="bar' in to_html(visible).partition("</header>")[0]
    assert "width: 0.0%" in to_html(visible).partition("</header>")[0]
    assert to_markdown(visible).startswith("## Not final, some of it could not be graded\n")
    assert "not final" in to_github(visible, Style(), TOKEN)
    document = json.loads(to_gradescope(after, SubmissionMetadata(total_points=100.0), seen))
    assert not {"score", "max_score"} & names_in(document)
    voided = {exercise.id for exercise in visible.exercises if exercise.is_void}
    of_void = [test for test in document["tests"] if test["name"].partition(":")[0] in voided]
    assert of_void
    assert not [test for test in of_void if "status" in test]  # nothing of it is decided
    assert document["output"].startswith("Not final.\n")
    assert not {"score", "max-score"} & names_in(json.loads(to_classroom50(visible, RELEASE, NOW)))
    for void in (exercise.id for exercise in visible.exercises if exercise.is_void):
        (suite,) = [one for one in ET.fromstring(to_junit(visible)) if one.get("name") == void]
        assert {one.get("name") for one in suite.iter("property")} >= {"final"}
        assert not [one for one in suite.iter("property") if one.get("name") == "points"]
        assert int(suite.get("errors")) > 0


def test_a_report_that_contradicts_its_outcomes_is_refused_and_an_old_one_is_read() -> None:
    document = json.loads(to_json(RICH))
    for final in (True, 0, "no"):
        with pytest.raises(ValueError, match="does not follow"):
            from_json(json.dumps({**document, "final": final}))
    del document["final"]
    assert from_json(json.dumps(document)) == RICH


@pytest.mark.parametrize("seen", [{}, {"gone": Seen()}], ids=str)
def test_what_says_not_graded_until_the_end_is_not_final_even_for_quizzes_alone(seen) -> None:
    waiting = attempt.not_graded([], 0)
    assert not waiting.final
    assert "score" not in names_in(json.loads(to_gradescope(waiting, seen=seen)))
    assert "Not graded, through an error in the grader: quizzes." in to_text(waiting, Style(width=90))


def without_void(report: Report) -> Report:
    """Return a report that is final: without the exercises that could not be graded."""
    graded = tuple(exercise for exercise in report.exercises if not exercise.is_void)
    points, max_points, score = scoring.total(graded, report.quizzes)
    return replace(report, exercises=graded, points=points, max_points=max_points, score=score)


# --- entries


def test_entries_sum_up_to_the_report() -> None:
    assert sum(entry.points for entry in entries(RICH)) == RICH.points
    assert sum(entry.max_points for entry in entries(RICH)) == RICH.max_points


def test_failures_come_before_unwritten_checks() -> None:
    found = worst_first(entries(RICH))
    assert found[0].outcome is Outcome.INTERNAL_ERROR
    unwritten = [entry.outcome in (Outcome.NOT_ATTEMPTED, Outcome.SKIPPED) for entry in found]
    assert unwritten == sorted(unwritten)
    assert not [entry for entry in found if entry.outcome is Outcome.PASSED]


# --- GitHub annotations


def runner(text: str) -> list[tuple[dict[str, str], str]]:
    """Read a log as GitHub's runner does (actions/runner, ActionCommand.cs): return the error commands it runs."""
    stopped, found = "", []
    for line in re.split(r"\r\n|\n|\r", text):
        trimmed = line.lstrip()
        if stopped:
            stopped = "" if trimmed == f"::{stopped}::" else stopped
            continue
        if not trimmed.startswith("::"):
            assert "##[" not in line
            continue
        head, _, data = trimmed[2:].partition("::")
        command, _, properties = head.partition(" ")
        if command == "stop-commands":
            stopped = data
            continue
        assert command == "error", line
        pairs = dict(pair.split("=", 1) for pair in properties.split(",") if pair)
        assert set(pairs) <= {"file", "line", "title"}
        found.append(({k: unescape(v) for k, v in pairs.items()}, unescape(data)))
    assert not stopped
    return found


def unescape(text: str) -> str:
    for code, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, character)
    return text


@pytest.mark.parametrize("report", EVERY, ids=range(len(EVERY)))
def test_the_runner_reads_at_most_ten_commands_and_none_of_a_student(report: Report) -> None:
    found = runner(to_github(report, Style(), TOKEN, PLACES))
    assert len(found) == 10  # GitHub shows no more of a kind in a step
    rest = len(worst_first(entries(report))) - 9
    assert found[-1][0]["title"] == f"and {rest} more"


def test_ten_failures_are_all_annotated() -> None:
    ten = tuple(replace(POOLING.checks[2], id=f"test_{n}") for n in range(10))
    report = replace(RICH, exercises=(replace(POOLING, checks=ten),), quizzes=())
    assert [properties["title"][:9] for properties, _ in runner(to_github(report, Style(), TOKEN))] == [
        "pooling: "
    ] * 10


def test_an_annotation_names_file_line_title_and_reason() -> None:
    found = runner(to_github(replace(RICH, quizzes=()), Style(), TOKEN, PLACES))
    by_title = {properties["title"]: (properties, message) for properties, message in found}
    properties, message = by_title["relu: Negative numbers leak (0/2)"]
    assert (properties["file"], properties["line"]) == ("work/ada/exercises/relu.py", "9")
    assert message.startswith(
        "`leaky_relu` raised NameError: name 'slope' is not defined.\ncall: leaky_relu(x)"
    )
    properties, _ = by_title["pooling: Windows may overlap (0/2)"]
    assert (properties["file"], properties["line"]) == ("work/ada/exercises/pooling.py", "1")


def test_no_command_is_read_in_the_report_in_the_log() -> None:
    lines = to_github(RICH, Style(), TOKEN).split("\n")
    assert lines[0] == f"::stop-commands::{TOKEN}"
    end = lines.index(f"::{TOKEN}::")
    assert "Total  some of it could not be graded" in "\n".join(lines[:end])


def test_full_marks_annotate_nothing() -> None:
    full = replace(RICH, points=4, max_points=4, score=1.0, exercises=(BATCHNORM,), quizzes=())
    assert runner(to_github(full, Style(), TOKEN)) == []


# --- GitHub Markdown


class Page(HTMLParser):
    """Collects the tags and the texts of an HTML fragment."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        assert not attrs
        self.tags.append(tag)


@pytest.mark.parametrize("report", EVERY, ids=range(len(EVERY)))
def test_a_summary_holds_no_markup_of_a_student(report: Report) -> None:
    text = to_markdown(report)
    assert set(Page(text).tags) == {"details", "summary", "pre"}
    outside = re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL)
    for line in outside.split("\n"):
        bare = re.sub(r"&#\d+;", "", line)
        if line.startswith("| "):
            assert bare.count("|") == 4
        elif not line.startswith(("## ", "Isolation level", "Not graded", "|---")):
            assert not set(re.sub(r"</?(details|summary)>", "", bare)) & set("`*_[]<>#|@:\\~!=-"), line


def test_the_text_of_a_student_is_shown_unchanged_in_the_summary() -> None:
    poisonous = "*b* [l](http://x) @all <img src=x> | `c` \\ &amp; https://evil.example #1"
    text = to_markdown(poisoned(replace(RICH, exercises=(BATCHNORM, POOLING)), poisonous))
    shown = re.findall(r"<pre>(.*?)</pre>", text, flags=re.DOTALL)
    assert any(poisonous in html.unescape(body) for body in shown)
    assert html.unescape(re.search(r"\| pooling \| (.*?) \|", text)[1]) == poisonous


@pytest.mark.parametrize("limit", [MOST_BYTES, 20_000, 3_000, 500, 0])
def test_a_summary_keeps_to_its_limit_and_counts_the_rest(limit: int) -> None:
    many = tuple(
        replace(POOLING, id=f"e{n}", checks=tuple(replace(c, rationale="字" * 5000) for c in POOLING.checks))
        for n in range(60)
    )
    report = replace(RICH, exercises=many if limit == MOST_BYTES else RICH.exercises)
    text = to_markdown(report, limit)
    assert len(text.encode()) <= limit
    shown = text.count("<details>")
    assert text.count("</details>") == shown
    rest = len(worst_first(entries(report))) - shown
    assert bool(text) == (limit > 1000)
    assert (f"\n{rest} more did not fit here" in text) == (rest > 0 and limit > 1000)
    assert (rest > 0) == (limit != 20_000)


# --- Gradescope

FORMATS = {"text", "simple_format", "html", "md", "ansi"}
VISIBILITIES = {"hidden", "after_due_date", "after_published", "visible"}
# Gradescope's autograder specification: field -> what it must be.
TOP = {
    "score": float, "execution_time": float, "output": str, "output_format": FORMATS, "test_output_format": FORMATS,
    "test_name_format": FORMATS, "visibility": VISIBILITIES, "stdout_visibility": VISIBILITIES, "extra_data": dict,
    "tests": list,
}  # fmt: skip
TEST = {
    "score": float, "max_score": float, "status": {"passed", "failed"}, "name": str, "number": str, "output": str,
    "visibility": VISIBILITIES,
}  # fmt: skip


def keeps_to(document: dict, rules: dict) -> None:
    assert set(document) == set(rules)
    for name, rule in rules.items():
        value = document[name]
        if isinstance(rule, set):
            assert value in rule, name
        else:
            assert isinstance(value, (int, float) if rule is float else rule), name
            assert not isinstance(value, bool)


@pytest.mark.parametrize("report", EVERY, ids=range(len(EVERY)))
def test_results_keep_to_gradescopes_specification(report: Report) -> None:
    report = without_void(report)
    document = json.loads(to_gradescope(report))
    keeps_to(document, TOP)
    for test in document["tests"]:
        keeps_to(test, TEST)
        assert 0 <= test["score"] <= test["max_score"]
        assert test["visibility"] == "visible"  # one hidden test hides the total
        assert "\r" not in test["output"]
    assert len({test["number"] for test in document["tests"]}) == len(document["tests"])
    assert document["score"] == report.points == sum(test["score"] for test in document["tests"])


def test_partial_credit_does_not_pass_and_numbers_follow_the_course() -> None:
    tests = {test["name"]: test for test in json.loads(to_gradescope(FINAL))["tests"]}
    shape = tests["quiz.pooling: 2 shape"]
    assert (shape["score"], shape["max_score"], shape["status"]) == (0.5, 1, "failed")
    assert tests["pooling: The shape is that of torch"]["number"] == "1.2"
    assert tests["batchnorm: Batches are normalized"]["status"] == "passed"


METADATA = {
    "id": 1,
    "created_at": "2026-03-02T10:00:00.000000-08:00",
    "assignment": {
        "due_date": "2026-03-01T10:00:00.000000-08:00",
        "total_points": "110.0",
        "title": "Week 4",
    },
    "users": [{"email": "ada@example.org", "id": 7, "name": "Ada"}],
    "previous_submissions": [{"score": "1"}, {"score": "2"}],
}


def test_metadata_scale_the_score_and_give_attempt_and_lateness() -> None:
    metadata = read_metadata(json.dumps(METADATA))
    assert metadata.created_at - metadata.due_date == timedelta(days=1)
    document = json.loads(to_gradescope(FINAL, metadata))
    assert document["score"] == pytest.approx(110 * 16 / 55)
    for words in (
        "16/55 points.",
        "out of 110, so that is 32/110 here",
        "Attempt 3.",
        "after the due date",
    ):
        assert words in document["output"]


def test_an_extension_moves_the_due_date_and_little_metadata_is_enough() -> None:
    own = {**METADATA, "users": [{"id": 7, "assignment": {"due_date": "2026-03-09T10:00:00-08:00"}}]}
    assert (
        "after the due date" not in json.loads(to_gradescope(RICH, read_metadata(json.dumps(own))))["output"]
    )
    assert read_metadata("{}") == SubmissionMetadata()
    with pytest.raises(ValueError, match="nested too deeply"):
        read_metadata("[" * 200_000)
    with pytest.raises(ValueError, match="not a JSON object"):
        read_metadata("[]")


# --- Classroom 50

STRINGS = {"schema", "classroom", "assignment", "submission", "commit", "release", "review", "datetime"}


@pytest.mark.parametrize("report", EVERY, ids=range(len(EVERY)))
def test_a_result_keeps_to_the_contract_of_classroom50(report: Report) -> None:
    document = json.loads(to_classroom50(without_void(report), RELEASE, NOW))
    assert set(document) == STRINGS | {"score", "max-score", "tests"}
    assert document["schema"] == "classroom50/result/v1"
    assert all(type(document[name]) is str for name in STRINGS)
    assert document["datetime"] == "2026-03-01T12:00:05Z"
    for test in document["tests"]:
        assert set(test) == {"test-name", "passed", "score", "max-score"}
        assert [type(test[name]) for name in ("test-name", "passed", "score", "max-score")] == [
            str,
            bool,
            int,
            int,
        ]
    names = [test["test-name"] for test in document["tests"]]
    assert len(set(names)) == len(names)
    for name in ("score", "max-score"):
        assert type(document[name]) is int
        assert document[name] == sum(test[name] for test in document["tests"])


def test_thirds_are_cut_and_full_marks_are_full() -> None:
    def quiz(points: float) -> Report:
        items = tuple(
            ItemResult(id=f"i{n}", type="multi", prompt="?", points=points, max_points=1 / 3, answered=True)
            for n in range(3)
        )
        part = QuizResult(id="q", title="Q", points=3 * points, max_points=1, items=items)
        return replace(FINAL, exercises=(), quizzes=(part,))

    full = json.loads(to_classroom50(quiz(1 / 3), RELEASE, NOW))
    assert (full["score"], full["max-score"]) == (99, 99)
    assert all(test["passed"] for test in full["tests"])
    partial = json.loads(to_classroom50(quiz(0.3299), RELEASE, NOW))
    assert (partial["score"], partial["max-score"]) == (96, 99)
    assert not any(test["passed"] for test in partial["tests"])


def test_missing_variables_of_the_autograder_are_named() -> None:
    given = {"CLASSROOM": "a", "ASSIGNMENT": "b", "SUBMISSION_TAG": "c", "COMMIT_URL": "d", "REVIEW_URL": "e"}
    assert Release.from_environment(given) == Release(
        classroom="a", assignment="b", submission="c", commit="d", review="e"
    )
    with pytest.raises(LookupError, match="ASSIGNMENT, SUBMISSION_TAG"):
        Release.from_environment({"CLASSROOM": "a"})


# --- JUnit, by what GitLab and Jenkins read

ALLOWED = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time"}, {"properties", "testcase"}),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname", "time"}, {"failure", "error", "skipped"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "skipped": ({"message"}, set()),
}


@pytest.mark.parametrize("report", EVERY, ids=range(len(EVERY)))
def test_junit_keeps_to_the_schema_that_jenkins_checks_and_to_gitlabs_limits(report: Report) -> None:
    text = to_junit(report)
    assert len(text) < 30 * 2**20
    for element in ET.fromstring(text).iter():
        attributes, children = ALLOWED[element.tag]
        assert set(element.attrib) == attributes
        assert {child.tag for child in element} <= children
        if element.tag == "testsuite":  # the schema is a sequence: properties come first
            assert element[0].tag == "properties"
        if element.tag == "testcase":
            assert len(element) <= 1
            package, dot, name = element.attrib["classname"].rpartition(".")
            assert not dot or (package and name)  # Jenkins splits at the last dot
            float(element.attrib["time"])


# --- the command


@pytest.fixture
def report_file(tmp_path):
    path = tmp_path / "report.json"
    path.write_text(to_json(FINAL), encoding="utf-8")
    return path


@pytest.fixture
def grade(tmp_path, monkeypatch):
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return grade_command.run(*arguments, folder=tmp_path)

    return run


def test_a_report_is_written_in_every_format(grade, report_file):
    for form, begins in [
        ("text", "pooling  Pooling by hand"),
        ("json", "{"),
        ("junit", "<testsuites"),
        ("markdown", "## 16/55 points"),
        ("gradescope", "{"),
    ]:
        done = grade("report", "report.json", "--format", form)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(begins)


def test_what_a_service_would_publish_exits_with_three_where_there_is_no_score(grade, report_file):
    report_file.write_text(to_json(RICH), encoding="utf-8")
    release = {"CLASSROOM": "a", "ASSIGNMENT": "b", "SUBMISSION_TAG": "c"}
    for form, code in [("gradescope", 3), ("classroom50", 3), ("junit", 0), ("github", 0), ("text", 0)]:
        done = grade("report", "report.json", "--format", form, **release)
        assert (done.returncode, done.stderr) == (code, ""), form


def test_github_adds_to_the_summary_of_the_step(grade, report_file, tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    done = grade("report", "report.json", "--format", "github", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 0
    tokens = re.findall(r"^::stop-commands::([0-9a-f]{32})$", done.stdout, flags=re.MULTILINE)
    assert len(tokens) == 1
    assert len(runner(done.stdout)) == 10
    assert summary.read_text(encoding="utf-8") == "before\n" + to_markdown(FINAL)
    summary.write_bytes(b"x" * (MOST_BYTES - 100))
    grade("report", "report.json", "--format", "github")
    assert summary.stat().st_size <= MOST_BYTES


def test_annotations_name_files_below_the_repository(grade, report_file, tmp_path):
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "pooling.py").write_text("x = 1\n", encoding="utf-8")
    done = grade("report", "report.json", "--format", "github", "--submission", "ada")
    files = {properties.get("file") for properties, _ in runner(done.stdout)}
    assert {"ada/pooling.py", "ada/exercises/relu.py"} <= files
    elsewhere = grade("report", "report.json", "--format", "github", GITHUB_WORKSPACE="/usr/lib")
    assert not [p for p, _ in runner(elsewhere.stdout) if "file" in p]


def test_classroom50_and_gradescope_read_their_environment(grade, report_file, tmp_path):
    done = grade("report", "report.json", "--format", "classroom50")
    assert done.returncode == 2
    assert "CLASSROOM, ASSIGNMENT, SUBMISSION_TAG is not set" in done.stderr
    known = {"CLASSROOM": "cnn", "ASSIGNMENT": "week4", "SUBMISSION_TAG": "s1"}
    document = json.loads(grade("report", "report.json", "--format", "classroom50", **known).stdout)
    assert (document["classroom"], document["score"]) == ("cnn", 1600)
    (tmp_path / "m.json").write_text(json.dumps(METADATA), encoding="utf-8")
    done = grade("report", "report.json", "--format", "gradescope", CONVGRADER_GRADESCOPE_METADATA="m.json")
    assert json.loads(done.stdout)["score"] == pytest.approx(32)
    (tmp_path / "m.json").write_text("{", encoding="utf-8")
    done = grade("report", "report.json", "--format", "gradescope", CONVGRADER_GRADESCOPE_METADATA="m.json")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_another_file_is_refused(grade, tmp_path):
    (tmp_path / "report.json").write_text("{}", encoding="utf-8")
    done = grade("report", "report.json")
    assert done.returncode == 2
    assert "not a report of the format" in done.stderr


def test_hostile_texts_are_tried() -> None:
    assert any("::error::" in text for text in HOSTILE)
    assert any("<b>" in text for text in HOSTILE)


def test_a_table_of_layers_keeps_its_columns_and_is_escaped():
    table = "   layer  expected\n>  <conv> 4 x 8"
    before = POOLING.checks[2]
    failed = replace(before, counterexample=replace(before.counterexample, where=table))
    report = scoring.report(
        [replace(POOLING, checks=(failed,))], (), isolation=Isolation(level=3), versions=RICH.versions, seed=0
    )
    assert f">{html.escape(table)}</pre>" in to_html(report)
