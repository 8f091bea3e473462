"""`grade quiz` in a terminal and in a pipe, and its session without either."""

import os
import re
import socket
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from terminals import LIMIT_S, Terminal
from test_quiz import BANK, load

from grader import quiz
from grader.cli import grade as command
from grader.cli import quiz_server
from grader.core.errors import DocumentError, UsageError
from grader.quiz.answers import Responses
from grader.quiz.quiz_session import QuizSession
from grader.quiz.responses import ResponseError
from grader.submission import MAX_ANSWERS_BYTES

RIGHT = ["b", "a, c", "42", "(2, 3)"]

# --- a session


@pytest.fixture
def bank(tmp_path):
    return load(tmp_path, BANK)


def begun(bank, **given: object) -> QuizSession:
    return QuizSession.begin(
        bank, Responses(given={name.replace("_", "-"): value for name, value in given.items()})
    )


def test_a_session_moves_forward_back_and_to_any_item(bank):
    session = begun(bank)
    assert session.item.id == "one"
    session.go_back()
    assert session.item.id == "one"
    session.answer("a")
    session.go_on()
    assert session.item.id == "how-many"
    assert session.go_to(1)
    session.answer("b")
    assert (session.given, session.item.id) == ({"one": "b"}, "some")
    assert not session.go_to(0)
    assert not session.go_to(5)
    assert session.item.id == "some"
    assert session.go_to(4)
    session.go_on()
    assert session.item is None
    assert [item.number for item in session.still_open()] == [2, 3, 4]


def test_a_response_that_cannot_be_read_changes_nothing(bank):
    session = begun(bank, one="a")
    with pytest.raises(ResponseError):
        session.answer("x, y")
    assert (session.item.id, session.given) == ("some", {"one": "a"})


def test_a_session_begins_at_the_first_open_item_and_at_the_first_of_all_where_none_is(bank):
    assert begun(bank, one="a", how_many=3).place == 1
    assert begun(bank, one="a", some="a", how_many=3, what_shape="1x1").place == 0


def test_what_was_answered_for_a_withdrawn_item_stays(tmp_path):
    bank = load(tmp_path, BANK.replace("    key: 42\n", "    key: 42\n    void: drop\n"))
    session = begun(bank, how_many=41)
    assert [item.id for item in session.items] == ["one", "some", "what-shape"]
    session.answer("b")
    assert session.given == {"one": "b", "how-many": 41}


# --- in a pipe


@pytest.fixture
def terminal(tmp_path, monkeypatch):
    """Run `grade quiz first` on a course of one bank, with lines typed into it."""
    root = tmp_path / "course"
    (root / "solutions").mkdir(parents=True)
    (root / "quizzes").mkdir()
    (root / "quizzes" / "first.yaml").write_text(BANK, encoding="utf-8")
    monkeypatch.setenv("CONVGRADER_COURSE", str(root))
    monkeypatch.chdir(tmp_path)

    def run(typed: str, *options: str):
        return CliRunner().invoke(command, ["quiz", "first", *options], input=typed)

    return run


def test_answers_typed_are_written_and_graded(terminal, bank, tmp_path):
    done = terminal("b\na, c\n42\n(2, 3)\n")
    assert done.exit_code == 0, done.output
    assert "All answered" in done.output
    assert (
        quiz.grade(bank, (tmp_path / "answers" / "first.yaml").read_text(), shown="first.yaml").points == 5.0
    )


def test_a_response_of_the_wrong_form_is_asked_again(terminal):
    done = terminal("z\nb\nq\n")
    assert '"z" is not one of the options: a, b.' in done.output
    assert "3 of 4 not answered: 2 some, 3 how-many, 4 what-shape." in done.output


def test_a_quiz_continues_where_it_stopped(terminal, bank, tmp_path):
    terminal("b\nq\n")
    done = terminal("a, c\n")
    assert "You answered 1 of 4. Continuing with 2 some." in done.output
    assert "1 one (of 4, 1 point)" not in done.output
    assert (
        quiz.grade(bank, (tmp_path / "answers" / "first.yaml").read_text(), shown="first.yaml").points == 3.0
    )


def test_the_end_of_the_input_keeps_the_answers(terminal, bank, tmp_path):
    assert terminal("b\n").exit_code == 0
    assert (
        quiz.grade(bank, (tmp_path / "answers" / "first.yaml").read_text(), shown="first.yaml").points == 1.0
    )


def test_a_sheet_that_cannot_be_read_is_not_changed(terminal, tmp_path):
    sheet = tmp_path / "answers" / "first.yaml"
    sheet.parent.mkdir()
    sheet.write_text("quiz: first\nanswers: [oops\n", encoding="utf-8")
    done = terminal("b\n")
    assert isinstance(done.exception, UsageError)
    assert sheet.read_text(encoding="utf-8") == "quiz: first\nanswers: [oops\n"


def link_answers(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "answers").symlink_to(folder / "elsewhere")


def in_place(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Return what makes something in the place of the answers file."""

    def put(folder: Path) -> None:
        (folder / "answers").mkdir()
        make(folder / "answers" / "first.yaml")

    return put


HOSTILE = {
    "the folder is a link": link_answers,
    "the folder is a broken link": lambda folder: (folder / "answers").symlink_to("nowhere"),
    "the folder is a file": lambda folder: (folder / "answers").write_text(""),
    "the folder is a pipe": lambda folder: os.mkfifo(folder / "answers"),
    "a pipe": in_place(os.mkfifo),
    "a folder": in_place(Path.mkdir),
    "a link to itself": in_place(lambda path: path.symlink_to(path)),
    "a link to a device": in_place(lambda path: path.symlink_to("/dev/zero")),
    "no YAML": in_place(lambda path: path.write_text("answers: [")),
    "no UTF-8": in_place(lambda path: path.write_bytes(b"\xff")),
    "empty": in_place(lambda path: path.write_text("")),
    "another quiz": in_place(lambda path: path.write_text("quiz: second")),
    "too large": in_place(lambda path: path.write_text("#" * 300_000)),
    "nested": in_place(lambda path: path.write_text("[" * 200_000)),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
@pytest.mark.parametrize("options", [(), ("--html",)], ids=["terminal", "page"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_answers_that_cannot_be_used_are_an_error_of_the_workspace_that_names_them(
    terminal, tmp_path, kind, options
):
    HOSTILE[kind](tmp_path)
    done = terminal("b\n", *options)
    assert isinstance(done.exception, UsageError), done.exception
    assert "answers" in str(done.exception)
    assert done.exception.exit_code == 2


def test_no_line_of_a_quiz_is_wider_than_a_terminal(terminal):
    assert max(map(len, terminal("q\n").output.splitlines())) <= 80


def test_hints_open_one_by_one_and_are_written_down(terminal, tmp_path):
    path = tmp_path / "course" / "quizzes" / "first.yaml"
    hints = "    key: 42\n    hints: [A nudge., {text: Six times seven., cost: 0.25}]\n"
    path.write_text(BANK.replace("    key: 42\n", hints), encoding="utf-8")
    done = terminal("?\nb\n\n?\nhint\n?\n42\nq\n")
    assert "? opens a hint, q stops." in done.output
    assert "  There is no hint for this item.\n" in done.output
    assert "  Hint 1 of 2: A nudge.\n  The next hint costs 0.25 of the points.\n" in done.output
    assert "  Hint 2 of 2, 0.25 of the points: Six times seven.\n" in done.output
    assert "  There are no more hints.\n" in done.output
    sheet = (tmp_path / "answers" / "first.yaml").read_text()
    assert "\nhints: {how-many: 2}\n" in sheet
    assert quiz.grade(quiz.load_bank(path), sheet).points == 1.75
    assert "Hint 1 of 2" not in terminal("#3\n?\nq\n").output  # both are open already
    assert "\nhints: {how-many: 2}\n" in (tmp_path / "answers" / "first.yaml").read_text()


def test_a_new_sheet_gets_a_seed_and_keeps_it(terminal, tmp_path):
    path = tmp_path / "course" / "quizzes" / "first.yaml"
    path.write_text(BANK.replace("prompt: Which?", "prompt: Which?\n    shuffle: true"), encoding="utf-8")
    assert terminal("b\nq\n", "--seed", "17").exit_code == 0
    sheet = tmp_path / "answers" / "first.yaml"
    assert "\nseed: 17\n" in sheet.read_text()
    terminal("a, c\nq\n", "--seed", "18")
    assert "\nseed: 17\n" in sheet.read_text()
    sheet.unlink()
    terminal("b\nq\n")
    assert re.search(r"\nseed: \d+\n", sheet.read_text())


def test_every_type_is_asked_in_plain_lines(tmp_path, monkeypatch):
    """The examples of the documentation, answered through a pipe."""
    page = (Path(__file__).parent.parent / "docs" / "quizzes.md").read_text(encoding="utf-8")
    items = [b for b in re.findall(r"^```yaml\n(.*?)^```", page, re.S | re.M) if b.startswith("- id:")]
    root = tmp_path / "course"
    (root / "solutions").mkdir(parents=True)
    (root / "quizzes").mkdir()
    text = "".join(f"  {line}\n" for block in items for line in block.splitlines())
    (root / "quizzes" / "first.yaml").write_text(f'title: T\nsection: "1"\nitems:\n{text}', encoding="utf-8")
    bank = quiz.load_bank(root / "quizzes" / "first.yaml")
    monkeypatch.setenv("CONVGRADER_COURSE", str(root))
    monkeypatch.chdir(tmp_path)
    typed = [
        bank.sheet(3)[0].key_response()[0], "a, c", "false, b", "32", "32 KiB", "97.6%", "N x 64 x 112 x 112", "relu", "[[0, .5, 2]]", "6 8; 3 4", "1c 2b 3a",
        "b d a c", "20x28x28; 15680; shrinks", str(bank.sheet(3)[-1].key_response()),
    ]  # fmt: skip
    done = CliRunner().invoke(command, ["quiz", "first", "--seed", "3"], input="\n".join(typed) + "\n")
    assert "  write the unit too, one of B, KiB, MiB, GiB, kB, MB, GB.\n" in done.output
    assert "All answered" in done.output
    assert max(map(len, done.output.splitlines())) <= 80
    result = quiz.grade(bank, (tmp_path / "answers" / "first.yaml").read_text())
    assert (result.points, result.problems) == (bank.max_points, ())


def test_control_characters_in_a_sheet_do_not_reach_the_terminal(terminal, tmp_path):
    sheet = tmp_path / "answers" / "first.yaml"
    sheet.parent.mkdir()
    sheet.write_text('quiz: first\nanswers:\n  one: "\\e[31m"\n  how-many: "4\\a2"\n', encoding="utf-8")
    done = terminal("q\n")
    assert "Not kept" in done.output
    assert not {"\x1b", "\a"} & set(done.output)


def test_an_answer_can_be_changed_by_going_back(terminal, bank, tmp_path):
    done = terminal("a\n<\nb\na, c\n#9\n#1\n\n\n42\n(2, 3)\n")
    assert "Your answer [a]: " in done.output
    assert "  The items are numbered 1 to 4.\n" in done.output
    assert "All answered" in done.output
    assert graded(bank, tmp_path) == 5.0


@pytest.mark.parametrize("columns", [40, 80])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_broken(terminal, tmp_path, monkeypatch, columns):
    long = "Which of all the strides that a window can move by leaves none of the pixels out?"
    path = tmp_path / "course" / "quizzes" / "first.yaml"
    path.write_text(BANK.replace("prompt: Which?", f"prompt: {long}"), encoding="utf-8")
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = terminal("?\nz\na\nq\n", "--feedback").output
    assert max(map(len, shown.splitlines())) <= columns
    assert long in " ".join(shown.split())


def test_going_back_from_the_first_item_says_so(terminal):
    assert terminal("<\nq\n").output.count("This is the first item.") == 1


def test_feedback_comes_at_the_end_and_only_where_it_is_asked_for(terminal):
    wrong = "a\na, c\n41\n(2, 3)\n"
    assert "No." not in terminal(wrong).output
    done = terminal("q\n", "--feedback")
    assert "No." in done.output
    assert "Your answer: a" in done.output
    assert done.output.index("All answered") < done.output.index("No.")
    assert "Show your points and feedback now?" not in done.output


def graded(bank, folder: Path) -> float:
    return quiz.grade(bank, (folder / "answers" / "first.yaml").read_text(), shown="first.yaml").points


# --- in a terminal


@pytest.fixture
def opened(terminal, tmp_path):
    if sys.platform == "win32":
        pytest.skip("there are no pseudo-terminals")
    found: list[Terminal] = []

    def open_it(**environment: str) -> Terminal:
        found.append(Terminal(tmp_path, "quiz", "first", **environment))
        return found[-1]

    yield open_it
    for one in found:
        one.close()


def test_a_terminal_offers_the_unanswered_items_and_then_feedback(opened, tmp_path):
    screen = opened()
    for typed in ("b", "a, c", "", "(2, 3)"):
        screen.see("Your answer: ")
        screen.press(f"{typed}\n")
    assert "Not answered: 3 how-many." in screen.see("Enter ends the quiz: ")
    screen.press("7\n")
    screen.see("The items are numbered 1 to 4.")
    screen.see("Enter ends the quiz: ")
    screen.press("3\n")
    assert "\x1b[1m3 how-many\x1b[0m (of 4" in screen.see("Your answer: ")
    screen.press("41\n")
    screen.see("Your answer [(2, 3)]: ")
    screen.press("\n")
    screen.see("All answered.")
    screen.see("Show your points and feedback now?")
    screen.press("y\n")
    screen.see("Your answer: 41")
    assert screen.process.wait(LIMIT_S) == 0


def test_code_is_colored_in_a_terminal_and_has_backticks_without_color(opened, tmp_path):
    path = tmp_path / "course" / "quizzes" / "first.yaml"
    path.write_text(BANK.replace("prompt: Which?", "prompt: Which `stride`?"), encoding="utf-8")
    colored = opened().see("Your answer: ")
    assert "Which \x1b[36mstride\x1b[0m?" in colored
    plain = opened(NO_COLOR="1").see("Your answer: ")
    assert "Which `stride`?" in plain
    assert "\x1b" not in plain


def test_ctrl_c_keeps_the_answers(opened, tmp_path):
    screen = opened()
    screen.see("Your answer: ")
    screen.press("b\n")
    screen.see("Your answer: ")
    screen.interrupt()
    screen.see("3 of 4 not answered")
    assert screen.process.wait(LIMIT_S) == 0
    assert "  one: b\n" in (tmp_path / "answers" / "first.yaml").read_text()


# --- the answers file that others change meanwhile, tries, and the page


def with_rule(tmp_path: Path, rule: str) -> None:
    path = tmp_path / "course" / "quizzes" / "first.yaml"
    path.write_text(BANK.replace('section: "1"\n', f'section: "1"\n{rule}\n'), encoding="utf-8")


def test_an_answer_is_written_into_the_file_and_nothing_else_of_it_changes(terminal, tmp_path):
    terminal("b\nq\n")
    sheet = tmp_path / "answers" / "first.yaml"
    text = sheet.read_text().replace("  one: b\n", "  one: b  # sure\n  of-another-quiz: x\n")
    sheet.write_text(text)
    terminal("a, c\nq\n")
    assert sheet.read_text() == text.replace("  some:\n", "  some: a, c\n")


def test_answers_in_curly_brackets_are_written_anew_and_their_text_is_kept(terminal, tmp_path):
    sheet = tmp_path / "answers" / "first.yaml"
    sheet.parent.mkdir()
    sheet.write_text("quiz: first\nanswers: {one: b}  # mine\n")
    done = terminal("a, c\nq\n")
    assert "its earlier text is in answers/first.yaml.before." in " ".join(done.output.split())
    assert sheet.with_name("first.yaml.before").read_text() == "quiz: first\nanswers: {one: b}  # mine\n"
    assert "  one: b\n" in sheet.read_text()
    assert "  some: a, c\n" in sheet.read_text()


def test_a_file_never_becomes_larger_than_what_is_read(terminal, tmp_path):
    sheet = tmp_path / "answers" / "first.yaml"
    sheet.parent.mkdir()
    text = "quiz: first\nanswers:\n  one: a\n"
    text += f"# {'x' * (MAX_ANSWERS_BYTES - len(text) - 10)}\n"
    sheet.write_text(text)
    done = terminal("a, c\nq\n")
    assert isinstance(done.exception, UsageError)
    assert "would be larger than 256 KiB" in str(done.exception)
    assert sheet.read_text() == text


@pytest.mark.parametrize(
    ("rule", "first", "second"),
    [
        ("", "feedback", "feedback"),
        ("tries: 1", "explanations", "explanations"),
        ("tries: 2", "feedback", "explanations"),
        ("tries: 2\nfeedback: after-tries", "points", "explanations"),
        ("feedback: never", "points", "points"),
    ],
)
def test_feedback_in_the_terminal_is_what_the_course_shows_after_each_try(terminal, tmp_path, rule, first, second):  # fmt: skip
    with_rule(tmp_path, rule)
    for typed, expected in (("a\na, c\n13\nq\n", first), ("#1\nb\n\n\n\nq\n", second)):
        shown = terminal(typed, "--feedback").output
        assert "3 how-many" in shown
        assert ("You added." in shown) is (expected != "points")
        assert ("Six times seven." in shown) is (expected == "explanations")
        assert ("Two." in shown) is (expected == "explanations")  # of an item that is not answered
        again = terminal("q\n", "--feedback").output  # the same answers are no new try
        assert again.partition("All answered")[2].partition("\n")[2] == shown.partition("All answered")[2].partition("\n")[2]  # fmt: skip
    assert (tmp_path / ".grade" / "quizzes.json").exists() is ("tries" in rule.split(":")[0])


def test_grade_shows_of_a_quiz_what_its_tries_allow(tmp_path, bank):
    text = "quiz: first\nanswers:\n  how-many: 13\n"
    path = tmp_path / "first.yaml"
    path.write_text(BANK.replace('section: "1"\n', 'section: "1"\ntries: 2\nfeedback: after-tries\n'))
    limited = quiz.load_bank(path)
    assert [quiz.grade(limited, text, tries=n).items[2].feedback for n in (0, 1, 2)] == [(), (), ("You added.", "Six times seven.")]  # fmt: skip
    assert quiz.grade(limited, text, tries=0).items[2].misconceptions == ()
    assert quiz.grade(limited, text).items[2].feedback == ("You added.",)  # for instructors
    assert quiz.grade(bank, text, tries=0) == quiz.grade(bank, text)
    assert {quiz.grade(limited, text, tries=n).points for n in (0, 1, 2)} == {0}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("tries: 0", "greater than or equal to 1"),
        ("feedback: after-tries", "after-tries needs tries"),
        ("tries: 2\nfeedback: never", "remove tries"),
        ("feedback: sometimes", "after-tries"),
    ],
)
def test_rules_that_make_no_sense_are_problems_of_the_bank(tmp_path, rule, words):
    with pytest.raises(DocumentError, match=words):
        load(tmp_path, BANK.replace('section: "1"\n', f'section: "1"\n{rule}\n'))


@pytest.mark.parametrize("options", [("--serve", "--html"), ("--port", "8123"), ("--serve", "--feedback")])
def test_options_that_exclude_each_other_are_refused(terminal, options):
    assert isinstance(terminal("", *options).exception, UsageError)


def test_a_port_that_is_used_is_named(terminal):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = terminal("", "--serve", "--port", str(port))
    assert isinstance(done.exception, UsageError)
    assert f"Port {port} cannot be used" in str(done.exception)


def test_what_a_page_saves_meanwhile_stays_and_a_replaced_answer_is_named(opened, tmp_path):
    screen = opened()
    screen.see("Your answer: ")
    screen.press("b\n")
    screen.see("Your answer: ")
    sheet = tmp_path / "answers" / "first.yaml"
    text = sheet.read_text().replace("  some:\n", "  some: a\n").replace("  what-shape:\n", "  what-shape: (2, 3)\n")  # fmt: skip
    sheet.write_text(text)
    screen.press("a, c\n")
    screen.see("It replaces a, which was written there meanwhile.")
    screen.see("3 how-many")
    assert sheet.read_text() == text.replace("  some: a\n", "  some: a, c\n")


def test_the_terminal_counts_tries_before_it_shows_anything(opened, tmp_path):
    with_rule(tmp_path, "tries: 2\nfeedback: after-tries")
    screen = opened(COLUMNS="80")
    for typed in ("a", "a, c", "13", "(2, 3)"):
        screen.see("Your answer: ")
        screen.press(f"{typed}\n")
    assert "This is try 1 of 2." in screen.see("Show your points and feedback now?")
    screen.press("y\n")
    shown = screen.see("You have 1 left.")
    assert "You added." not in shown
    assert screen.process.wait(LIMIT_S) == 0
    screen = opened()
    screen.see("Your answer [a]: ")
    screen.press("b\n")
    for _ in range(3):
        screen.see("]: ")
        screen.press("\n")
    assert "This is try 2 of 2, the last one." in " ".join(screen.see("feedback now?").split())
    screen.press("y\n")
    screen.see("You added.")
    screen.see("Six times seven.")
    assert screen.process.wait(LIMIT_S) == 0


def test_a_quiz_is_served_from_a_terminal_until_ctrl_c(terminal, tmp_path):
    if sys.platform == "win32":
        pytest.skip("there are no pseudo-terminals")
    screen = Terminal(tmp_path, "quiz", "first", "--serve", DISPLAY="", WAYLAND_DISPLAY="")
    try:
        address = re.search(
            r"http://127\.0\.0\.1:\d+/\?token=\S+", screen.see("Each answer is saved at once.")
        )
        assert address is not None
        with urllib.request.urlopen(address[0], timeout=LIMIT_S) as reply:
            assert "HttpOnly" in reply.headers["Set-Cookie"]
        screen.interrupt()
        screen.see("Ended. Your answers are in answers/first.yaml; `grade` grades them.")
        assert screen.process.wait(LIMIT_S) == 0
    finally:
        screen.close()


def test_a_served_quiz_ends_by_itself_and_says_why(terminal, monkeypatch):
    monkeypatch.setattr(quiz_server, "IDLE_S", 0.2)
    done = terminal("", "--serve")
    assert done.exit_code == 0, done.output
    assert "so it ends. Your answers are in answers/first.yaml" in done.output


@pytest.mark.parametrize(
    ("display", "is_terminal", "opens"), [(":0", True, 1), ("", True, 0), (":0", False, 0)]
)
@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="windows are always there")
def test_a_browser_is_opened_where_there_are_windows(terminal, monkeypatch, display, is_terminal, opens):
    opened = []
    monkeypatch.setattr(quiz_server.webbrowser, "open", opened.append)
    monkeypatch.setattr(quiz_server.sys, "stdout", SimpleNamespace(isatty=lambda: is_terminal))
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    quiz_server._open("http://127.0.0.1:1/")
    deadline = time.monotonic() + LIMIT_S
    while len(opened) < opens and time.monotonic() < deadline:
        time.sleep(0.01)
    assert opened == ["http://127.0.0.1:1/"] * opens
