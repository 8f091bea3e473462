"""A report for GitHub, Gradescope and Classroom 50, checked against the published rules of each service."""

import html
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from test_report import BATCHNORM, HOSTILE, POOLING, RICH, hostile, poisoned

from grader.core.model import ItemResult, Outcome, QuizResult, Report
from grader.report import (
    MOST_BYTES,
    Release,
    RepositoryPaths,
    Style,
    SubmissionMetadata,
    read_metadata,
    to_classroom50,
    to_github,
    to_gradescope,
    to_json,
    to_junit,
    to_markdown,
)
from grader.report.entries import entries, worst_first

TOKEN = "0123456789abcdef"
PLACES = RepositoryPaths(root="work/ada/", files={"pooling": "exercises/pooling.py", "relu": "relu.py"})
RELEASE = Release(classroom="cnn", assignment="week4", submission="submission-3", commit="https://c.example")
NOW = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
EVERY = [RICH, *hostile()]


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
    assert "Total  29.09 %" in "\n".join(lines[:end])


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
        elif not line.startswith(("## ", "Isolation level", "Not counted", "|---")):
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
    tests = {test["name"]: test for test in json.loads(to_gradescope(RICH))["tests"]}
    shape = tests["quiz.pooling: shape"]
    assert (shape["score"], shape["max_score"], shape["status"]) == (0.5, 1, "failed")
    assert tests["pooling: The shape is that of torch"]["number"] == "1.2"
    assert tests["batchnorm: Batches are normalized"]["status"] == "passed"
    assert tests["training: Nothing is written"]["max_score"] == 0  # void


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
    document = json.loads(to_gradescope(RICH, metadata))
    assert document["score"] == pytest.approx(110 * 16 / 55)
    for words in (
        "16/55 points.",
        "out of 110, so that is 32/110 here",
        "Attempt 3.",
        "after the due date",
        "training",
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
    document = json.loads(to_classroom50(report, RELEASE, NOW))
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
        return replace(RICH, exercises=(), quizzes=(part,))

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
    "testsuites": ({"name", "tests", "failures", "errors", "skipped", "time"}, {"testsuite"}),
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
    path.write_text(to_json(RICH), encoding="utf-8")
    return path


@pytest.fixture
def grade(tmp_path, monkeypatch):
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        command = [sys.executable, "-m", "grader", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)

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


def test_github_adds_to_the_summary_of_the_step(grade, report_file, tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    done = grade("report", "report.json", "--format", "github", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 0
    tokens = re.findall(r"^::stop-commands::([0-9a-f]{32})$", done.stdout, flags=re.MULTILINE)
    assert len(tokens) == 1
    assert len(runner(done.stdout)) == 10
    assert summary.read_text(encoding="utf-8") == "before\n" + to_markdown(RICH)
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
