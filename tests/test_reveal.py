"""How much of a check students see: said by course, exercise or check, and kept to in everything that they read."""

import json
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import grade_command
import pytest
import yaml
from test_other_course import FILES as OTHER
from test_other_course import dedented
from test_report import PICTURE, RICH

from grader import authoring
from grader.cli import formats
from grader.cli.formats import FORMATS, RenderOptions
from grader.cli.screen import to_work_on, verdict_text
from grader.core import scoring
from grader.core.errors import DocumentError
from grader.core.model import (
    CheckResult,
    Counterexample,
    Diagnosis,
    ExerciseResult,
    Frame,
    Hidden,
    Isolation,
    Outcome,
    Report,
    Reveal,
    Seen,
    Versions,
)
from grader.course import catalog, fingerprint, visibility
from grader.course.catalog import COURSE_VARIABLE
from grader.export import ci, gradescope_autograder
from grader.grading.dispatcher import Dispatcher
from grader.grading.engine.suite.plugin import collect
from grader.report import Style, from_json, list_text, nothing_left, shown, shown_exercise, to_json
from grader.workspace.watch import Changes, FinishedRun, GradingRun

ROOT = Path(__file__).parents[1]
BOAST = re.compile(
    r"all \d+ (checks|tests) pass|all tests|everything passes|well done|full marks|done, \d|everything is done|"
    r"100(\.0*)? ?%(?! of what you can see)|bar full|`?grade solution",
    re.IGNORECASE,
)
SECRETS = ("test_negative", "Negative numbers", "424242", "toward minus", "floors", "-0.5", "not_told")


def boasts(text: str) -> re.Match[str] | None:
    """Return what says that all is well, of what is not known to be; the widths of a style sheet say nothing."""
    return BOAST.search(re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL))


# --- a report with a check of each kind


def check(name: str, title: str, points: float, outcome: Outcome = Outcome.PASSED, **more) -> CheckResult:
    earned = points if outcome is Outcome.PASSED else 0.0
    return CheckResult(
        id=name, title=title, outcome=outcome, points=earned, max_points=points, duration_s=0.5, **more
    )


def result_of(name: str, title: str, points: float, outcome: Outcome) -> CheckResult:
    """Return a check that says all that a check can say."""
    if outcome is Outcome.PASSED:
        return check(name, title, points)
    return check(
        name,
        title,
        points,
        outcome,
        rationale=f"not_told: {title} came out wrong for 424242.",
        counterexample=Counterexample(call="halve(424242)", expected="-0.5", got="0"),
        picture=replace(PICTURE, call="halve(424242)"),
        diagnosis=Diagnosis(mistake="floors", message="// rounds toward minus infinity."),
        traceback=(Frame(path="halving.py", line=1, function="halve", text="return not_told"),),
    )


def whole(secret: Outcome = Outcome.PASSED, titled: Outcome = Outcome.PASSED) -> Report:
    """Return all of a report, as a gradebook keeps it."""
    checks = (
        check("test_halves", "Halves", 2.0),
        result_of("test_odd", "Odd numbers", 1.0, titled),
        replace(
            result_of("test_negative", "Negative numbers", 3.0, secret), duration_s=float(secret.severity)
        ),
    )
    exercise = ExerciseResult(
        id="halving",
        title="Halves",
        outcome=scoring.most_severe({one.outcome for one in checks}),
        points=sum(one.points for one in checks),
        max_points=6.0,
        checks=checks,
        output="" if secret is Outcome.PASSED else "x is 424242",
        duration_s=1.0 + secret.severity,
    )
    isolation, versions = Isolation(level=2), Versions(grader="0", torch="2", python="3")
    return scoring.report([exercise], (), isolation=isolation, versions=versions, seed=0)


SEEN = {
    "halving": Seen(
        own={"test_odd": Reveal.TITLE, "test_negative": Reveal.NOTHING},
        hidden=Hidden(checks=1, max_points=3.0),
    )
}
ALL_HIDDEN = {"halving": Seen(default=Reveal.NOTHING, hidden=Hidden(checks=3, max_points=6.0))}
ENDINGS = [outcome for outcome in Outcome if outcome is not Outcome.INTERNAL_ERROR]


@pytest.fixture
def rendered(monkeypatch):
    """Render a report in a format as `grade` does, for what students see."""
    for name in ("CLASSROOM", "ASSIGNMENT", "SUBMISSION_TAG"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setattr(formats.secrets, "token_hex", lambda _: "token")

    def render(form: str, report: Report, seen=SEEN) -> str:
        text = FORMATS[form](
            report, RenderOptions(style=Style(width=80), submission=Path("no such folder"), seen=seen)
        )
        return re.sub(r'"datetime": "[^"]*",', "", text)

    return render


def visible(text: str) -> str:
    """Return what of a results.json Gradescope shows a student: no total, where a test is hidden."""
    document = json.loads(text)
    document["tests"] = [test for test in document["tests"] if test["visibility"] == "visible"]
    del document["score"]
    return json.dumps(document)


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_reveals_the_outcome_of_a_hidden_check(form, rendered):
    student = visible if form == "gradescope" else str
    for seen in (SEEN, ALL_HIDDEN):
        texts = {student(rendered(form, whole(secret), seen)) for secret in ENDINGS}
        (text,) = texts
        assert not [secret for secret in SECRETS if secret in text]
        assert not boasts(text), boasts(text)
        assert "hidden" in text
    assert "test_halves" in to_json(shown(whole(), SEEN))


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"json"}))
def test_every_format_counts_what_is_hidden(form, rendered):
    text = rendered(form, whole())
    assert "1 check, worth 3 points," in text
    assert "3 checks, worth 6 points," in rendered(form, whole(), ALL_HIDDEN)


@pytest.mark.parametrize("form", FORMATS)
def test_a_check_that_shows_its_title_shows_nothing_more(form, rendered):
    seen = {"halving": Seen(own={"test_odd": Reveal.TITLE})}
    texts = {rendered(form, whole(titled=outcome), seen) for outcome in (Outcome.FAILED, Outcome.RAISED)}
    for text in texts:
        assert "Odd numbers" in text
        for secret in ("not_told", "424242", "floors", "toward minus", "-0.5"):
            assert secret not in text
        assert "input out by hand" not in text
        assert "hidden from you" not in text
        if form != "classroom50":
            assert "keeps its details to itself" in text


@pytest.mark.parametrize("form", FORMATS)
def test_a_course_that_reveals_all_changes_no_report(form, rendered):
    plain = rendered(form, RICH, {})
    assert plain == rendered(form, RICH, {exercise.id: Seen() for exercise in RICH.exercises})
    for report in (RICH, whole(Outcome.FAILED)):
        assert shown(report, {}) == report
    assert "hidden from you" not in plain
    assert "you can see" not in plain


def test_what_is_shown_adds_up():
    report = shown(whole(Outcome.FAILED, Outcome.FAILED), SEEN)
    assert (report.points, report.max_points, report.score) == (2.0, 3.0, 2 / 3)
    (exercise,) = report.exercises
    assert exercise.hidden == Hidden(checks=1, max_points=3.0)
    assert exercise.outcome is Outcome.FAILED
    assert exercise.duration_s == 1.0
    assert from_json(to_json(report)) == report
    for seen in (SEEN, ALL_HIDDEN):
        assert shown(shown(whole(), seen), seen) == shown(whole(), seen), "to show twice changes nothing"
    assert scoring.meets(shown(whole(Outcome.CRASHED), SEEN), 100), "what is hidden fails no student's build"
    assert not scoring.meets(whole(Outcome.CRASHED), 100)


def test_where_all_is_hidden_nothing_is_claimed(rendered):
    report = shown(whole(Outcome.CRASHED), ALL_HIDDEN)
    (exercise,) = report.exercises
    assert (exercise.outcome, exercise.points, exercise.max_points) == (Outcome.SKIPPED, 0.0, 0.0)
    assert scoring.meets(report, 100)
    for form in ("text", "html", "markdown"):
        text = rendered(form, whole(), ALL_HIDDEN)
        assert "not counted" not in text
        assert "hidden" in text


@pytest.mark.parametrize("seen", [SEEN, ALL_HIDDEN])
def test_a_module_that_does_not_load_is_reported_and_counts_as_shown(seen, rendered):
    loads_not = replace(
        whole().exercises[0],
        outcome=Outcome.RAISED,
        points=0.0,
        checks=(),
        message="SyntaxError: not Python.",
    )
    report = scoring.report([loads_not], (), isolation=Isolation(level=2), versions=RICH.versions, seed=0)
    found = shown(report, seen)
    assert found.max_points == 6.0 - seen["halving"].hidden.max_points
    assert not scoring.meets(found, 100)
    for form in FORMATS:
        text = rendered(form, report, seen)
        if form != "classroom50":
            assert "not Python" in text, form
        assert not boasts(text)


def test_a_fault_of_ours_in_a_hidden_check_voids_and_says_no_more(rendered):
    report = whole(Outcome.INTERNAL_ERROR)
    report = replace(
        report,
        exercises=(replace(report.exercises[0], points=0.0, max_points=0.0),),
        points=0.0,
        max_points=0.0,
    )
    found = shown(report, SEEN)
    assert not found.final
    assert (found.points, found.max_points) == (0.0, 0.0)
    for form in set(FORMATS) - {"gradescope"}:
        text = rendered(form, report)
        assert not [secret for secret in SECRETS if secret in text]
        if form not in ("json", "classroom50"):
            assert "an error in the grader" in text, form
    unread = replace(
        report.exercises[0], checks=(), message="test_suite.py:3: test_negative needs its points"
    )
    assert "test_negative" not in shown_exercise(unread, SEEN["halving"]).message


def test_what_waits_for_a_hidden_check_does_not_name_it():
    waits = check("test_last", "Last", 1.0, Outcome.SKIPPED, rationale="Waits for: Negative numbers.")
    exercise = whole(Outcome.FAILED).exercises[0]
    found = shown_exercise(replace(exercise, checks=(*exercise.checks, waits)), SEEN["halving"])
    assert found.checks[-1].rationale == "Waits for a check that you cannot see."


def test_gradescope_shows_an_instructor_what_students_do_not_see_and_counts_it(rendered):
    document = json.loads(rendered("gradescope", whole(Outcome.FAILED)))
    assert document["score"] == 3.0
    (secret,) = [test for test in document["tests"] if test["visibility"] == "hidden"]
    assert (secret["name"], secret["score"], secret["max_score"]) == ("halving: Negative numbers", 0.0, 3.0)
    assert "toward minus infinity" in secret["output"]
    assert secret["number"] == "1.3"
    assert sum(test["max_score"] for test in document["tests"]) == 6.0
    assert json.loads(rendered("gradescope", whole()))["score"] == 6.0


def test_classroom50_has_no_way_to_hide_a_test_and_counts_what_is_shown(rendered):
    document = json.loads(rendered("classroom50", whole(Outcome.FAILED)))
    assert (document["score"], document["max-score"]) == (300, 300)
    assert not all(test["passed"] for test in document["tests"])


def test_the_line_that_classroom50_shows_says_what_is_hidden(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    script: dict[str, object] = {"__name__": "autograder"}
    exec(ci.workflow("classroom50", "convgrader"), script)
    for hidden in (0, 3):
        script["write_summary"]({"score": 300, "max-score": 300}, hidden)
    all_shown, some_hidden = (tmp_path / "output").read_text(encoding="utf-8").splitlines()
    assert all_shown == "summary=3 of 3 points"
    assert some_hidden == "summary=3 of 3 points that are shown; 3 more checks are hidden"


def test_junit_has_a_skipped_case_for_what_is_hidden(rendered):
    root = ET.fromstring(rendered("junit", whole()))
    assert [(suite.get("tests"), suite.get("skipped")) for suite in root] == [("3", "1")]
    properties = {one.get("name"): one.get("value") for one in root.iter("property")}
    assert properties == {"points": "3", "max_points": "3", "hidden_checks": "1", "hidden_max_points": "3"}


def test_watching_never_boasts():
    style = Style(width=80)
    for seen in (SEEN, ALL_HIDDEN):
        (result,) = shown(whole(Outcome.FAILED), seen).exercises
        run = GradingRun(look=None, changes=Changes(exercises=("halving",), quizzes=(), files=()))  # type: ignore[arg-type]
        texts = [
            verdict_text(FinishedRun(run=run, exercises=(result,)), None, "halving", style, {}),
            verdict_text(
                FinishedRun(run=run, exercises=(result, replace(result, id="other"))),
                None,
                "halving",
                style,
                {},
            ),
            list_text([result], (), style),
            nothing_left([result]),
        ]
        for text in texts:
            assert not boasts(text), text
            assert not [secret for secret in SECRETS if secret in text]
        assert to_work_on([result, result], None) is None
        assert all("hidden from you" in text for text in texts[:3])


# --- a course of its own

SUITE = '''
    """Hidden suite of halving."""

    import pytest
    import torch
    from grader.suite import assert_matches


    @pytest.mark.points(2)
    def test_halves(student):
        """Halves"""
        assert_matches(student.halve(torch.tensor([2.0, 4.0])), torch.tensor([1.0, 2.0]))


    @pytest.mark.points(1)
    @pytest.mark.reveal("title")
    def test_odd(student):
        """Odd numbers"""
        assert_matches(student.halve(torch.tensor([3.0])), torch.tensor([1.5]))


    @pytest.mark.points(3)
    @pytest.mark.reveal("nothing")
    def test_negative(student):
        """Negative numbers"""
        assert_matches(student.halve(torch.tensor([-424242.0])), torch.tensor([-212121.0]))
    '''
PARTLY = "def halve(x):\n    print('not_told', x)\n    return abs(x) / 2\n"  # right, but for what is hidden
RIGHT = "def halve(x):\n    print('not_told', x)\n    return x / 2\n"
NOT_YET = "def halve(x):\n    print('not_told', x)\n    return x.abs().floor_divide(2)\n"


@pytest.fixture
def root(tmp_path):
    """A course in a folder, whose only exercise has a check of each kind."""
    files = OTHER | {"solutions/halving/test_halving.py": SUITE}
    files["solutions/halving/exercise.yaml"] = files["solutions/halving/exercise.yaml"].replace(
        "points: 2", "points: 6"
    )
    del files["quizzes/halves.yaml"]
    for name, text in files.items():
        path = tmp_path / "course" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedented(text), encoding="utf-8")
    return tmp_path / "course"


def change(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    assert old in text
    (root / name).write_text(text.replace(old, new), encoding="utf-8")


def seen(root: Path) -> Seen:
    return visibility.seen(catalog.load(root).exercises[0])


def test_the_nearest_word_wins(root):
    mixed = {"test_odd": Reveal.TITLE, "test_negative": Reveal.NOTHING}
    assert seen(root) == Seen(own=mixed, hidden=Hidden(checks=1, max_points=3.0))
    (root / "course.yaml").write_text("title: All about halves\nreveal: nothing\n", encoding="utf-8")
    assert catalog.load(root).title == "All about halves"
    assert seen(root) == Seen(default=Reveal.NOTHING, own=mixed, hidden=Hidden(checks=2, max_points=5.0))
    with (root / "solutions/halving/exercise.yaml").open("a", encoding="utf-8") as file:
        file.write("reveal: title\n")
    assert seen(root) == Seen(default=Reveal.TITLE, own=mixed, hidden=Hidden(checks=1, max_points=3.0))
    assert seen(root).of("test_halves") is Reveal.TITLE
    change(root, "solutions/halving/test_halving.py", '"nothing"', '"all"')
    assert seen(root).of("test_negative") is Reveal.ALL
    assert seen(root).hidden is None


def test_the_instructor_may_say_otherwise(root):
    (exercise,) = catalog.load(root).exercises
    assert visibility.seen(exercise, Reveal.ALL) == Seen()
    assert visibility.seen(exercise, Reveal.TITLE) == Seen(default=Reveal.TITLE)
    everything = Seen(default=Reveal.NOTHING, hidden=Hidden(checks=3, max_points=6.0))
    assert visibility.seen(exercise, Reveal.NOTHING) == everything


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        (
            "course.yaml",
            "title: A\nreveal: titel\n",
            'course.yaml:2:9: "titel" is none of all, title, nothing; did you',
        ),
        (
            "course.yaml",
            "reveals: title\n",
            'course.yaml:1:1: the key "reveals" is not known here; did you mean',
        ),
        ("course.yaml", "reveal: no\n", 'course.yaml:1:9: "no" is none of'),
        ("course.yaml", "", "course.yaml: is empty"),
    ],
)
def test_what_a_course_says_in_other_words_is_told_with_its_place(root, name, text, place):
    (root / name).write_text(text, encoding="utf-8")
    with pytest.raises(DocumentError) as refused:
        catalog.load(root)
    assert place in str(refused.value)


def test_an_unknown_word_of_an_exercise_or_a_check_is_told_with_its_place(root):
    change(root, "solutions/halving/test_halving.py", '"nothing"', '"nothin"')
    (problem,) = authoring.check_visibility(catalog.load(root))
    assert str(problem) == (
        "solutions/halving/test_halving.py:22:2: reveal('nothin') is none of all, title, nothing; did you mean \"nothing\"?"
    )
    with pytest.raises(DocumentError):
        seen(root)
    change(root, "solutions/halving/test_halving.py", 'reveal("nothin")', "reveal")
    assert "takes one word" in str(authoring.check_visibility(catalog.load(root))[0])
    change(root, "solutions/halving/exercise.yaml", "points: 6", "points: 6\nreveal: none")
    with pytest.raises(DocumentError, match=r'exercise\.yaml:4:9: "none" is none of all, title, nothing'):
        catalog.load(root)


def test_a_hidden_check_stands_last_and_says_its_points(root):
    assert authoring.check_visibility(catalog.load(root)) == []
    (root / "course.yml").write_text("reveal: nothing\n", encoding="utf-8")
    change(root, "solutions/halving/test_halving.py", "points(2)", "points(2 + 0)")
    change(root, "solutions/halving/test_halving.py", 'reveal("title")', 'reveal("nothing")')
    change(
        root, "solutions/halving/test_halving.py", 'points(3)\n@pytest.mark.reveal("nothing")', "points(3)"
    )
    problems = [str(problem) for problem in authoring.check_visibility(catalog.load(root))]
    assert len(problems) == 3
    assert any("test_halving.py:16:1: test_odd is hidden and comes before" in problem for problem in problems)
    assert any("test_halves needs its points as a number" in problem for problem in problems)
    assert any(problem.startswith("course.yml: is not read") for problem in problems)


MARKED = '@pytest.mark.reveal("nothing")'


def collected(root: Path, name: str):
    """Collect the suite under another name, as pytest keeps modules by theirs."""
    path = root / "solutions/halving/test_halving.py"
    return collect(path.rename(path.with_name(f"test_{name}.py")))


def test_a_suite_says_what_its_marks_say(root):
    assert [one.spec.reveal for one in collected(root, "read")] == [None, Reveal.TITLE, Reveal.NOTHING]


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("module", "import torch\n", f"import torch\n\npytestmark = {MARKED[1:]}\n", "not read from there"),
        ("named", MARKED, "@SECRET", "not read from there"),
        ("keyword", MARKED, '@pytest.mark.reveal(what="nothing")', "takes one word"),
        ("twice", MARKED, f'{MARKED}\n@pytest.mark.reveal("title")', "two marks for what it reveals"),
    ],
)
def test_a_mark_that_only_pytest_would_find_is_refused(root, name, old, new, words):
    """What is shown is decided without running a suite: a mark it cannot read would show what it was to hide."""
    suite = "solutions/halving/test_halving.py"
    change(root, suite, old, new)
    change(root, suite, "import torch\n", f"import torch\nSECRET = {MARKED[1:]}\n")
    with pytest.raises(DocumentError, match=words):
        collected(root, name)


def test_what_is_revealed_changes_no_fingerprint(root):
    before = fingerprint.exercise(catalog.load(root).exercises[0])
    (root / "course.yaml").write_text("reveal: nothing\n", encoding="utf-8")
    assert fingerprint.exercise(catalog.load(root).exercises[0]) == before
    with (root / "solutions/halving/exercise.yaml").open("a", encoding="utf-8") as file:
        file.write("reveal: title\n")
    assert fingerprint.exercise(catalog.load(root).exercises[0]) == before
    change(root, "solutions/halving/exercise.yaml", "names: [halve]", "names: [halve, third]")
    assert fingerprint.exercise(catalog.load(root).exercises[0]) != before


def test_the_course_at_hand_reveals_all():
    for exercise in catalog.load(ROOT).exercises:
        assert visibility.seen(exercise) == Seen()


def test_an_autograder_takes_the_word_of_the_course_along(root):
    (root / "course.yaml").write_text("reveal: nothing\n", encoding="utf-8")
    packed = {name: data for name, data, _ in gradescope_autograder._files(root, (), 2, 0)}
    assert packed["convgrader_course/course.yaml"] == b"reveal: nothing\n"


# --- at the command line


@pytest.fixture
def grade(tmp_path, root):
    """Run `grade` in a workspace of the course."""
    work = tmp_path / "work"
    (work / "exercises").mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    environment |= {COURSE_VARIABLE: str(root), "COLUMNS": "80", "PYTHONPATH": str(ROOT)}
    environment |= {"CLASSROOM": "c", "ASSIGNMENT": "a", "SUBMISSION_TAG": "s"}

    def run(*words: str | Path, code: int = 0) -> str:
        changes = {"GITHUB_STEP_SUMMARY": str(work / "summary.md")}
        done = grade_command.run(*words, folder=work, environment=environment, **changes)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    run.work = work
    run.write = lambda text: (work / "exercises" / "halving.py").write_text(text, encoding="utf-8")
    run.environment = environment
    return run


def harmless(text: str) -> None:
    assert not boasts(text), text
    assert not [secret for secret in SECRETS if secret in text], text


def test_a_student_who_fails_only_what_is_hidden(grade):
    grade.write(PARTLY)
    text = grade()
    harmless(text)
    assert "All 2 checks you can see pass." in text
    assert "1 check, worth 3 points, is hidden from you" in text
    kept = (grade.work / ".grade" / "progress.json").read_text(encoding="utf-8")
    assert json.loads(kept)["halving"][0] == 3.0
    listed = grade("list")
    harmless(listed)
    assert "3/3 points, 3 hidden" in listed
    assert "Everything you can see is done." in listed
    closed = grade("solution", "halving", code=1)
    harmless(closed.replace("Our solution of", ""))
    grade.write(RIGHT)
    assert grade("solution", "halving", code=1) == closed, (
        "whether it opens would tell what became of what is hidden"
    )
    assert grade("list") != "", "a workspace goes on"


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_format_of_the_command(grade, form):
    grade.write(PARTLY)
    text = grade("--format", form)
    harmless(visible(text) if form == "gradescope" else text)
    if form == "github":
        summary = (grade.work / "summary.md").read_text(encoding="utf-8")
        harmless(summary)
        assert "1 check, worth 3 points" in summary


def test_titles_only_and_all_for_the_instructor(grade):
    grade.write(NOT_YET)
    text = grade(code=1)
    harmless(text)
    assert "Odd numbers" in text
    assert "keeps its details to itself" in text
    everything = grade("--reveal", "all", code=1)
    for secret in ("Negative numbers", "not_told", "Your code printed"):
        assert secret in everything
    assert "keeps its details" not in everything
    kept = json.loads((grade.work / ".grade" / "progress.json").read_text(encoding="utf-8"))
    assert kept["halving"][0] == 2.0, "what a workspace keeps, its student can read"
    harmless(grade("--reveal", "nothing"))


def test_what_watch_shows(grade):
    grade.write(PARTLY)
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "grader", "watch", "--poll"],
        cwd=grade.work,
        env=grade.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if "you can see pass" in line:
                break
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    text = "".join(lines) + rest
    assert "All 2 checks you can see pass." in text
    harmless(text)


def test_a_class_is_stored_whole_and_shown_what_it_may_see(grade, tmp_path, root):
    handed_in = tmp_path / "handed-in"
    for name, code in (("ada", RIGHT), ("bob", PARTLY)):
        (handed_in / name).mkdir(parents=True)
        (handed_in / name / "halving.py").write_text(code, encoding="utf-8")
    output = grade("class", handed_in, "--gradebook", "course.db", "--reports", "reports")
    assert "6 of 6" in output
    assert "3 of 6" in output
    for name in ("ada", "bob"):
        text = (grade.work / "reports" / f"{name}.json").read_text(encoding="utf-8")
        harmless(text)
        assert json.loads(text)["score"] == 1.0
        harmless(grade("report", f"reports/{name}.json"))
    (root / "course.yaml").write_text("reveal: nothing\n", encoding="utf-8")
    again = grade("class", handed_in, "--gradebook", "course.db")
    assert again.count("(unchanged)") == 2, "who reads how much is no reason to grade again"
    assert "0 of 2 hand-ins would change" in grade("regrade", "course.db", "--dry-run")


def test_an_unknown_mark_stops_grading_before_anything_is_shown(grade, root):
    grade.write(PARTLY)
    change(root, "solutions/halving/test_halving.py", '"nothing"', '"nothin"')
    assert "test_halving.py:22:2" in grade(code=4)
    assert "test_halving.py:22:2" in grade("check", code=4)


def test_a_check_that_keeps_to_itself_is_still_explained_to_the_instructor(root):
    """The smallest call goes to the check that shows most; the others have their own."""
    change(root, "solutions/halving/test_halving.py", "points(2)", 'points(2)\n@pytest.mark.reveal("title")')
    change(root, "solutions/halving/test_halving.py", '@pytest.mark.reveal("nothing")\n', "")
    (exercise,) = catalog.load(root).exercises
    sources = {"halving.py": "def halve(x):\n    return x // 2\n"}
    with Dispatcher() as dispatcher:
        from grader.grading.messages import Job

        job = Job(exercise=exercise, module="halving", sources=sources, seed=0)
        (graded,) = dispatcher.grade([job])
    by_name = {one.id: one for one in graded.result.checks}
    assert by_name["test_odd"].diagnosis.mistake == "floors"
    assert by_name["test_odd"].counterexample is not None


def test_the_schema_of_a_course_is_named_by_the_page_that_shows_one():
    page = (ROOT / "docs" / "authoring.md").read_text(encoding="utf-8")
    (written,) = re.findall(
        r"```yaml\n(# yaml-language-server: \$schema=schemas/course\.json\n[^`]+)```", page
    )
    document = yaml.safe_load(written)
    assert set(document) == {"title", "reveal"}
    catalog.CourseDocument.model_validate(document)


def test_replay_shows_no_more_than_the_report(grade):
    grade.write(PARTLY)
    text = grade("replay", "halving", code=0)
    harmless(text)
    assert "No check of halving that you can see fails" in text
    harmless(grade("replay", "halving", "negative", code=2))
    assert not (grade.work / "replays").exists()


def test_replay_writes_no_case_of_a_check_that_keeps_its_details(grade, root):
    change(
        root,
        "solutions/halving/test_halving.py",
        '@pytest.mark.reveal("nothing")',
        '@pytest.mark.reveal("title")',
    )
    grade.write(PARTLY)
    assert "this check keeps its details to itself" in grade("replay", "halving", "negative", code=1)
    assert not (grade.work / "replays").exists()


def test_a_problem_of_a_mark_is_told_once(grade, root):
    change(root, "solutions/halving/test_halving.py", '"nothing"', '"nothin"')
    (root / "course.yaml").write_text("reveal: som\n", encoding="utf-8")
    text = grade("check", code=4)
    assert text.count("reveal('nothin') is none of") == text.count("course.yaml:1:9: ") == 1
    assert "\nsolutions/halving/test_halving.py:22:2: " in text
