"""The server of a quiz: which requests it takes, and what it saves of them."""

import http.client
import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_answer_edits import IDS, KEYS, TYPED, first
from test_quiz import load
from test_quiz_browser import BANK

from grader.quiz.sheet import as_written, filled
from grader.workspace.answers_file import AnswersFile
from grader.workspace.loopback_server import (
    ADDRESS,
    MAX_BODY_BYTES,
    MAX_CONNECTIONS,
    LoopbackServer,
    Malformed,
)
from grader.workspace.quiz_tries import QuizTries
from grader.workspace.served_quiz import ServedQuiz

SECRET = "the text of the page"
IDLE_S = 60.0


class Running:
    """A server in a thread, and a client of it that can send any header."""

    def __init__(self) -> None:
        self.posted: list[object] = []
        self.server = LoopbackServer(0, lambda: SECRET, {"save": self._save})
        self.thread = threading.Thread(target=self.server.serve, args=(IDLE_S,), daemon=True)
        self.thread.start()

    def _save(self, body: dict[str, object]) -> dict[str, object]:
        if "refuse" in body:
            raise Malformed("x")
        self.posted.append(body)
        return {"is": "saved"}

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str | None):
        """Send a request with exactly these headers besides those that the page sends; None leaves one of them out."""
        usual = {"Host": self.server.host}
        if method == "POST":
            usual |= {"Origin": f"http://{self.server.host}", "Content-Type": "application/json", "Content-Length": str(len(body or b""))}  # fmt: skip
        wanted = usual | {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(ADDRESS, self.server.server_port, timeout=20)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in wanted.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders()
        if body is not None:
            connection.send(body)
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        return reply, text

    @property
    def cookie(self) -> str:
        return self.server.cookie.split(";")[0]

    @property
    def token(self) -> str:
        return self.server.address.removeprefix(f"http://{self.server.host}")


@pytest.fixture
def running() -> Iterator[Running]:
    found = Running()
    yield found
    found.server._used_at = float("-inf")
    socket.create_connection((ADDRESS, found.server.server_port)).close()
    found.thread.join(20)
    found.server.server_close()


def test_the_token_gives_a_cookie_once_and_the_cookie_shows_the_page(running):
    reply, text = running.ask("GET", running.token)
    assert reply.status == 200
    name, *rules = reply.getheader("Set-Cookie").split("; ")
    assert set(rules) == {f"Path={running.server.place}", "HttpOnly", "SameSite=Strict"}
    assert f'url={running.server.place}"' in text
    assert SECRET not in text
    assert running.token.partition("=")[2] not in name + running.server.place
    again, words = running.ask("GET", running.token)
    assert (again.status, again.getheader("Set-Cookie")) == (403, None)
    assert "worked once" in words
    shown, page = running.ask("GET", running.server.place, Cookie=f"other=1; {name}")
    assert (shown.status, page) == (200, SECRET)
    assert shown.getheader("Cache-Control") == "no-store"
    assert shown.getheader("Content-Security-Policy") == "frame-ancestors 'none'"
    assert shown.getheader("X-Content-Type-Options") == "nosniff"
    assert shown.getheader("Access-Control-Allow-Origin") is None


def test_of_many_that_send_the_token_at_once_one_gets_the_cookie(running):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(running.ask("GET", running.token)[0].status))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(found) == [200] + [403] * 11


def test_what_the_page_posts_is_taken(running):
    reply, text = running.ask("POST", f"{running.server.place}save", b'{"a": 1}', Cookie=running.cookie)
    assert (reply.status, json.loads(text)) == (200, {"is": "saved"})
    assert running.posted == [{"a": 1}]


GOOD = b'{"a": 1}'
# What differs from the request that the page sends: method, path below its own, body, headers, and the status.
REFUSED = {
    "no cookie": ("POST", "save", GOOD, {"Cookie": None}, 403),
    "another cookie": ("POST", "save", GOOD, {"Cookie": "convgrader=x"}, 403),
    "the cookie with more behind it": ("POST", "save", GOOD, {"Cookie": "{cookie}x"}, 403),
    "a cookie that is no ASCII": ("POST", "save", GOOD, {"Cookie": "\xff"}, 403),
    "no host": ("POST", "save", GOOD, {"Host": None}, 421),
    "a rebound name": ("POST", "save", GOOD, {"Host": "evil.example:{port}"}, 421),
    "another name of this machine": ("POST", "save", GOOD, {"Host": "localhost:{port}"}, 421),
    "another port": ("POST", "save", GOOD, {"Host": "127.0.0.1:1"}, 421),
    "no port": ("POST", "save", GOOD, {"Host": "127.0.0.1"}, 421),
    "no origin": ("POST", "save", GOOD, {"Origin": None}, 403),
    "the origin of a file": ("POST", "save", GOOD, {"Origin": "null"}, 403),
    "another origin": ("POST", "save", GOOD, {"Origin": "http://evil.example"}, 403),
    "the origin of another port": ("POST", "save", GOOD, {"Origin": "http://127.0.0.1:1"}, 403),
    "an origin that begins the same": ("POST", "save", GOOD, {"Origin": "http://127.0.0.1:{port}.evil.example"}, 403),
    "a form": ("POST", "save", GOOD, {"Content-Type": "text/plain"}, 415),
    "no size": ("POST", "save", GOOD, {"Content-Length": None}, 411),
    "a negative size": ("POST", "save", GOOD, {"Content-Length": "-1"}, 411),
    "a size that is none": ("POST", "save", GOOD, {"Content-Length": "\xb2"}, 411),
    "chunks": ("POST", "save", GOOD, {"Transfer-Encoding": "chunked"}, 411),
    "one byte too many": ("POST", "save", None, {"Content-Length": str(MAX_BODY_BYTES + 1)}, 413),
    "a huge size": ("POST", "save", None, {"Content-Length": "9" * 5000}, 413),
    "no JSON": ("POST", "save", b"{", {}, 400),
    "no UTF-8": ("POST", "save", b'"\xff"', {}, 400),
    "no object": ("POST", "save", b"[1]", {}, 400),
    "a nested body": ("POST", "save", b"[" * 200_000, {}, 400),
    "another form": ("POST", "save", b'{"refuse": 1}', {}, 400),
    "another action": ("POST", "erase", GOOD, {}, 404),
    "no action": ("POST", "", GOOD, {}, 404),
    "an action at the root": ("POST", "/save", GOOD, {}, 404),
    "a path upward": ("POST", "../save", GOOD, {}, 404),
    "an action that is read": ("GET", "save", None, {}, 404),
    "the page without cookie": ("GET", "", None, {"Cookie": None}, 403),
    "the page by a rebound name": ("GET", "", None, {"Host": "evil.example"}, 421),
    "the token by a rebound name": ("GET", "{token}", None, {"Host": "evil.example"}, 421),
    "another token": ("GET", "/?token=x", None, {}, 403),
    "an empty token": ("GET", "/?token=", None, {}, 403),
    "the root": ("GET", "/", None, {}, 404),
    "the page with a question": ("GET", "?x", None, {}, 404),
    "a file": ("GET", "/etc/passwd", None, {}, 404),
    "a file above": ("GET", "/../../etc/passwd", None, {}, 404),
    "a file above the page": ("GET", "../../etc/passwd", None, {}, 404),
    "a file in other letters": ("GET", "%2e%2e/%2e%2e/etc/passwd", None, {}, 404),
    "another server": ("GET", "http://evil.example/", None, {}, 404),
    "HEAD": ("HEAD", "", None, {}, 405),
    "PUT": ("PUT", "save", GOOD, {}, 405),
    "DELETE": ("DELETE", "", None, {}, 405),
    "OPTIONS": ("OPTIONS", "save", None, {}, 405),
    "CONNECT": ("CONNECT", "evil.example:443", None, {}, 405),
    "TRACE": ("TRACE", "", None, {}, 405),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_every_other_request_is_refused_and_changes_nothing(running, kind):
    method, path, body, headers, status = REFUSED[kind]
    known = {"port": running.server.server_port, "cookie": running.cookie, "token": running.token}
    path = path.format(**known) if "token}" in path else path
    whole = path if path.startswith(("/", "http:")) or "443" in path else running.server.place + path
    sent = {name: value and value.format(**known) for name, value in ({"Cookie": running.cookie} | headers).items()}  # fmt: skip
    reply, text = running.ask(method, whole, body, **{name.replace("-", "_"): value for name, value in sent.items()})  # fmt: skip
    assert reply.status == status
    assert SECRET not in text
    assert running.posted == []
    assert reply.getheader("Set-Cookie") is None
    assert reply.getheader("Access-Control-Allow-Origin") is None
    assert reply.getheader("Content-Type") == "text/plain; charset=utf-8"
    assert running.server._cookie not in text
    assert running.ask("GET", running.token)[0].status == 200  # no refused request uses up the token


@pytest.mark.parametrize("size", [MAX_BODY_BYTES - 1, MAX_BODY_BYTES])
def test_a_body_of_the_largest_size_is_taken(running, size):
    body = b'{"a": "' + b"x" * (size - 9) + b'"}'
    assert len(body) == size
    assert running.ask("POST", f"{running.server.place}save", body, Cookie=running.cookie)[0].status == 200


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01" * 50, b"GET /" + b"a" * 70_000, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n"])  # fmt: skip
def test_what_is_no_http_does_no_harm(running, sent, capsys):
    with socket.create_connection((ADDRESS, running.server.server_port), timeout=20) as one:
        one.sendall(sent)
        one.shutdown(socket.SHUT_WR)
        found = one.makefile("rb").read()
    assert SECRET.encode() not in found
    assert running.ask("GET", running.server.place, Cookie=running.cookie)[1] == SECRET
    assert capsys.readouterr() == ("", "")


def test_connections_are_limited_and_an_idle_one_blocks_no_other(running):
    idle = [
        socket.create_connection((ADDRESS, running.server.server_port)) for _ in range(MAX_CONNECTIONS - 1)
    ]
    assert running.ask("GET", running.server.place, Cookie=running.cookie)[1] == SECRET
    for one in idle:
        one.close()


def test_only_this_machine_is_bound(running):
    assert running.server.socket.getsockname()[0] == "127.0.0.1"


def test_it_ends_after_a_time_without_use_and_a_refused_request_is_none(running):
    running.server._used_at = float("-inf")
    running.ask("GET", "/")
    running.thread.join(20)
    assert not running.thread.is_alive()


# --- what is saved


@pytest.fixture
def served(tmp_path) -> ServedQuiz:
    bank = load(tmp_path, BANK)
    return ServedQuiz(AnswersFile.in_workspace(bank, tmp_path, 0), QuizTries(tmp_path))


def change(response: object, over: str = "") -> dict[str, object]:
    return {"response": response, "over": over}


def save(served: ServedQuiz, hints: dict[str, int] | None = None, **changes: object):
    return served.save({"drawn": [0, 2], "changes": changes, "hints": hints or {}})


def test_each_answer_is_saved_and_the_others_stay(served):
    assert save(served, word=change("stride"))["items"]["word"]["written"] == "stride"
    found = save(served, {"single": 1}, order=change("b, c, a, d"))
    assert found["conflicts"] == []
    assert served.answers.read().given == {"word": "stride", "order": "b, c, a, d"}
    assert served.answers.read().hints == {"single": 1}
    text = served.answers.path.read_text()
    assert text == filled(served.answers.bank, {"word": "stride", "order": "b, c, a, d"}, hints={"single": 1})


def test_an_answer_that_is_there_meanwhile_is_not_replaced_without_a_choice(served):
    save(served, word=change("stride"))
    found = save(served, word=change("pad"))  # by a page that did not see it
    assert found["conflicts"] == ["word"]
    assert found["items"]["word"]["shown"] == "stride"
    assert served.answers.read().given == {"word": "stride"}
    assert save(served, word=change("pad", "stride"))["conflicts"] == []
    assert (
        save(served, word=change("pad", "stride"))["conflicts"] == []
    )  # what it was to become is there already
    assert save(served, word=change(None, "stride"))["conflicts"] == ["word"]
    assert save(served, word=change(None, "pad"))["items"]["word"]["written"] == ""


def test_what_cannot_be_read_is_saved_and_named(served):
    found = save(served, number=change("many"))["items"]["number"]
    assert found["parts"] == {"text": "many"}
    assert "number" in found["problem"]
    assert "  number: many\n" in served.answers.path.read_text()
    assert 'value="many"' not in served.page()
    assert '"many"' in served.page()


def test_a_file_with_other_questions_is_not_written(served):
    path = served.answers.path
    path.parent.mkdir()
    path.write_text("quiz: first\nanswers:\n  single: b\n", encoding="utf-8")  # of the first draw
    with pytest.raises(Exception, match="other questions"):
        save(served, word=change("stride"))
    assert path.read_text() == "quiz: first\nanswers:\n  single: b\n"


def test_a_file_that_is_gone_is_written_again_with_the_same_questions(served):
    save(served, word=change("stride"))
    served.answers.path.unlink()
    assert save(served, single=change("b"))["items"]["word"]["written"] == ""
    assert served.answers.read().given == {"single": "b"}


MALFORMED = {
    "nothing": {},
    "no draw": {"changes": {}, "hints": {}},
    "an unknown draw": {"drawn": [0, 9], "changes": {}, "hints": {}},
    "a draw of truth": {"drawn": [True, 2], "changes": {}, "hints": {}},
    "a list": {"drawn": [0, 2], "changes": [], "hints": {}},
    "an unknown item": {"drawn": [0, 2], "changes": {"other": {"response": "a", "over": ""}}, "hints": {}},
    "a response that is a number": {"drawn": [0, 2], "changes": {"word": {"response": 1, "over": ""}}, "hints": {}},
    "parts that are numbers": {"drawn": [0, 2], "changes": {"gaps": {"response": {"size": 1}, "over": ""}}, "hints": {}},
    "nothing it was over": {"drawn": [0, 2], "changes": {"word": {"response": "a"}}, "hints": {}},
    "something more": {"drawn": [0, 2], "changes": {"word": {"response": "a", "over": "", "x": 1}}, "hints": {}},
    "too long": {"drawn": [0, 2], "changes": {"word": {"response": "a" * 4001, "over": ""}}, "hints": {}},
    "too many parts": {"drawn": [0, 2], "changes": {"gaps": {"response": {str(n): "" for n in range(101)}, "over": ""}}, "hints": {}},
    "hints of no item": {"drawn": [0, 2], "changes": {}, "hints": {"other": 1}},
    "more hints than there are": {"drawn": [0, 2], "changes": {}, "hints": {"single": 3}},
    "a negative hint": {"drawn": [0, 2], "changes": {}, "hints": {"single": -1}},
}  # fmt: skip


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_the_page_does_not_post_is_refused(served, kind):
    with pytest.raises(Malformed):
        served.save(MALFORMED[kind])
    assert not served.answers.path.exists()


RESPONSE = st.one_of(st.none(), TYPED, st.dictionaries(TYPED, TYPED, max_size=3), st.just("\ud800"))
STEP = st.tuples(st.sampled_from(["one page", "another page", "an editor"]), st.sampled_from(IDS), RESPONSE)


@settings(max_examples=60)
@given(steps=st.lists(STEP, max_size=10))
def test_two_pages_and_an_editor_lose_nothing_without_a_word(tmp_path_factory, steps):
    """Each response is in the file until it is replaced by someone who saw it; each page that did not is refused."""
    folder = tmp_path_factory.mktemp("workspace")
    bank = first()
    served = ServedQuiz(AnswersFile.in_workspace(bank, folder, 0), QuizTries(folder))
    seen: dict[str, dict[str, str]] = {"one page": {}, "another page": {}}
    model: dict[str, str] = {}
    served.answers.begin()
    for place, item_id, response in steps:
        if place == "an editor":
            text = served.answers.path.read_text(encoding="utf-8")
            value = KEYS[item_id]
            lines = [f"  {item_id}: {as_written(value)}  # by hand" if line.startswith(f"  {item_id}:") else line for line in text.split("\n")]  # fmt: skip
            served.answers.path.write_text("\n".join(lines), encoding="utf-8")
            model[item_id] = as_written(served.answers.read().written(item_id))
            continue
        known = seen[place].get(item_id, "")
        found = save(served, **{item_id: change(response, known)})
        state = {name: one["written"] for name, one in found["items"].items()}
        if item_id in found["conflicts"]:
            assert model.get(item_id, "") != known
        else:
            model[item_id] = state[item_id]
            assert as_written(served.answers.read().written(item_id)) == state[item_id]
        seen[place] = state
        assert {name: text for name, text in state.items() if text} == {name: text for name, text in model.items() if text}  # fmt: skip


# --- what is shown of the result


def with_rule(rule: str) -> str:
    return BANK.replace('section: "1"\n', f'section: "1"\n{rule}\n')


@pytest.fixture
def ruled(tmp_path):
    def make(rule: str) -> ServedQuiz:
        bank = load(tmp_path, with_rule(rule))
        return ServedQuiz(AnswersFile.in_workspace(bank, tmp_path, 0), QuizTries(tmp_path))

    return make


FEEDBACK, EXPLANATION, OTHER = (
    "You added.",
    "Six times seven.",
    "It does not.",
)  # of number; of verdict, unanswered


def test_nothing_is_graded_before_something_is_answered(served):
    with pytest.raises(Exception, match="no answer to grade yet"):
        served.grade({})


def test_the_page_holds_no_feedback_before_it_is_asked_for(ruled):
    for rule in ("", "tries: 1", "tries: 2\nfeedback: after-tries", "feedback: never"):
        served = ruled(rule)
        save(served, number=change("13", as_written(served.answers.begin().written("number"))))
        page = served.page()
        assert not any(words in page for words in (FEEDBACK, EXPLANATION, OTHER, "adds")), rule


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        ("", [(True, False), (True, False), (True, False)]),
        ("tries: 1", [(True, True), (True, True), (True, True)]),
        ("tries: 2", [(True, False), (True, True), (True, True)]),
        ("tries: 2\nfeedback: after-tries", [(False, False), (True, True), (True, True)]),
        ("feedback: never", [(False, False), (False, False), (False, False)]),
    ],
)
def test_feedback_and_explanations_come_when_the_course_says(ruled, rule, shown):
    served = ruled(rule)
    over = ""
    for n, expected in enumerate(shown):
        save(served, number=change("13", over), word=change(f"{n}x", f"{n - 1}x" if n else ""))
        over = "'13'"
        reply = served.grade({})
        text = json.dumps(reply)
        assert reply["summary"].startswith('<p class="next"><b>0 of 12 points.</b>')
        assert (FEEDBACK in text, EXPLANATION in text) == expected, n
        assert (OTHER in text) is expected[1]
        assert "0 of 1 point." in reply["results"]["number"]
        again = json.dumps(served.grade({}))  # the same answers are no new try
        assert (FEEDBACK in again, EXPLANATION in again) == expected
        if "tries" in rule.split(":")[0]:
            page = served.page()
            assert (FEEDBACK in page, EXPLANATION in page) == expected


def test_the_button_and_the_summary_say_what_a_try_costs(ruled):
    served = ruled("tries: 2\nfeedback: after-tries")
    save(served, number=change("13"))
    assert "Grade: try 1 of 2</button>" in served.page()
    reply = served.grade({})
    assert "You have 1 left." in reply["summary"]
    assert reply["button"] == "Show my points"
    assert save(served, number=change("42", "'13'"))["button"] == "Grade: try 2 of 2"
    assert "Grade: try 2 of 2</button>" in served.page()
    assert "left" not in served.grade({})["summary"]


def test_hostile_answers_are_text_in_the_result(served):
    save(served, word=change("<script>x</script>"))
    assert "<script>" not in served.grade({})["results"]["word"]
    assert re.search(r"&lt;script&gt;", served.grade({})["results"]["word"])


def test_responses_of_a_quiz_without_tries_are_counted_nowhere(served, tmp_path):
    save(served, number=change("13"))
    served.grade({})
    assert not (tmp_path / ".grade").exists()
    assert QuizTries(tmp_path).used(served.answers.bank) == 0


def test_tries_that_cannot_be_read_are_named(ruled, tmp_path):
    served = ruled("tries: 2")
    save(served, number=change("13"))
    (Path(tmp_path) / ".grade").mkdir()
    (tmp_path / ".grade" / "quizzes.json").write_text('{"first": 1}')
    with pytest.raises(Exception, match=r"quizzes\.json cannot be read. Delete it"):
        served.grade({})
