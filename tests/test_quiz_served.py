"""A quiz that is served, in a real browser: what is saved, what is seen of other changes, and what is shown of the result."""

import socket
import threading
from types import SimpleNamespace

import pytest
from browsing import barriers, download, emulate, pale, requested, unseen_focus, wait_for
from test_quiz import load
from test_quiz_browser import BANK, LEAVES, PHONE

from grader import quiz
from grader.workspace.answers_file import AnswersFile
from grader.workspace.loopback_server import ADDRESS, LoopbackServer
from grader.workspace.quiz_tries import QuizTries
from grader.workspace.served_quiz import ServedQuiz

ANSWER_ALL = (
    "for (const [id, parts] of Object.entries(arguments[0])) fill(fieldsets.get(id), parts); changed();"
)
NO_FAVICON = "favicon.ico - Failed to load resource"


@pytest.fixture
def served(browser, tmp_path):
    """Serve a bank from a thread, and open its page; return both."""
    running = []

    def run(rule: str = "", **shown: object) -> SimpleNamespace:
        bank = load(tmp_path, BANK.replace('section: "1"\n', f'section: "1"\n{rule}\n'))
        answers = AnswersFile.in_workspace(bank, tmp_path, 0)
        one = ServedQuiz(answers, QuizTries(tmp_path))
        server = LoopbackServer(0, one.page, one.actions)
        thread = threading.Thread(target=server.serve, args=(600.0,), daemon=True)
        thread.start()

        def end() -> None:
            if thread.is_alive():
                server._used_at = float("-inf")
                socket.create_connection((ADDRESS, server.server_port)).close()
                thread.join(20)
                server.server_close()

        running.append(end)
        emulate(browser, **shown)
        browser.get("data:text/html,<title>Empty</title>")
        for kind in ("browser", "performance"):
            browser.get_log(kind)  # messages of earlier pages
        browser.get(server.address)
        wait_for(lambda: browser.title == "All types - convgrader quiz")
        return SimpleNamespace(bank=bank, answers=answers, server=server, end=end, path=answers.path)

    yield run
    browser.execute_script(
        "for (const item of quiz.items) if (fieldsets.has(item.id)) fill(fieldsets.get(item.id), item.parts)"
    )
    for end in running:
        end()


def state(browser) -> str:
    return browser.find_element("id", "state").text


def saved(browser) -> None:
    wait_for(lambda: "Saved in" in state(browser))


def type_into(browser, item: str, text: str) -> None:
    field = browser.find_element("css selector", f"[data-item={item}] [data-part]")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)
    field.clear()
    field.send_keys(text)


def choose(browser, item: str, value: str) -> None:
    browser.execute_script(f"document.querySelector('[data-item={item}] [value={value}]').click()")


def keys(bank: quiz.Bank) -> dict[str, object]:
    return {item.id: item.key_response() for item in bank.sheet() if item.void is None}


def parts(bank: quiz.Bank) -> dict[str, dict[str, str]]:
    return {item.id: item.control_values(item.key_response()) for item in bank.sheet() if item.void is None}


def test_each_answer_of_every_type_is_in_the_file_and_on_the_page_again(served, browser):
    page = served()
    browser.execute_script(ANSWER_ALL, parts(page.bank))
    saved(browser)
    graded = quiz.grade(page.bank, page.path.read_text(encoding="utf-8"))
    assert (graded.points, graded.problems) == (graded.max_points, ())
    before = page.path.read_text(encoding="utf-8")
    browser.refresh()
    assert state(browser) == f"12 of 12 answered. Saved in {page.path}."
    assert browser.execute_script(LEAVES)  # nothing to lose
    assert page.path.read_text(encoding="utf-8") == before
    host = f"http://{page.server.host}/"
    assert [url for url in requested(browser) if not url.startswith((host, "data:"))] == []
    assert [entry for entry in browser.get_log("browser") if NO_FAVICON not in entry["message"]] == []


def test_the_address_works_once_and_its_page_is_that_of_the_browser_that_used_it(served, browser):
    page = served()
    assert "token" not in browser.current_url
    browser.get(page.server.address)
    assert "This address worked once" in browser.find_element("tag name", "body").text
    browser.get(f"http://{page.server.host}{page.server.place}")
    assert browser.title == "All types - convgrader quiz"
    assert browser.execute_script("return document.cookie") == ""


def test_what_is_typed_is_saved_with_no_further_step_and_a_bad_form_is_named(served, browser):
    page = served()
    type_into(browser, "number", "many")
    saved(browser)
    assert "\n  number: many\n" in page.path.read_text(encoding="utf-8")
    choose(browser, "single", "b")
    browser.find_element("css selector", "[data-item=shape] [data-part]").click()
    problem = "[data-item=number] .todo"
    wait_for(lambda: "number" in browser.find_element("css selector", problem).text)
    saved(browser)
    assert page.answers.read().given == {"single": "b"}


def test_a_question_answered_in_part_is_not_saved_and_the_page_asks_before_it_is_left(served, browser):
    page = served()
    choose(browser, "verdict", "true")
    wait_for(lambda: state(browser).endswith("Not what is answered in part."))
    assert not browser.execute_script(LEAVES)
    assert page.answers.read().given == {}
    browser.execute_script(
        "document.querySelector('[data-item=verdict] [data-part=reason][value=b]').click()"
    )
    saved(browser)
    wait_for(lambda: page.answers.read().given == {"verdict": "true, b"})
    wait_for(lambda: browser.execute_script(LEAVES))


def test_what_is_edited_meanwhile_stays_and_is_shown(served, browser):
    page = served()
    choose(browser, "single", "b")
    saved(browser)
    text = page.path.read_text(encoding="utf-8")
    page.path.write_text(text.replace("\n  number:\n", "\n  number: 41  # by hand\n"), encoding="utf-8")
    browser.execute_script("document.querySelector('[data-item=multi] [data-part=a]').click()")
    saved(browser)
    assert "Changed in the file meanwhile, and shown here: 4." in state(browser)
    value = "return document.querySelector('[data-item=number] [data-part]').value"
    assert browser.execute_script(value) == "41"
    assert "\n  number: 41  # by hand\n" in page.path.read_text(encoding="utf-8")
    assert page.answers.read().given == {"single": "b", "number": 41, "multi": "a"}


@pytest.mark.parametrize(("button", "kept"), [("mine", "mine"), ("file", "of the other page")])
def test_of_two_answers_to_one_question_the_student_chooses(served, browser, button, kept):
    page = served()
    first = browser.current_window_handle
    browser.execute_script(
        "document.removeEventListener('visibilitychange', save)"
    )  # it is not hidden meanwhile
    browser.switch_to.new_window("tab")
    try:
        browser.get(f"http://{page.server.host}{page.server.place}")
        type_into(browser, "word", "of the other page")
        saved(browser)
    finally:
        browser.close()
        browser.switch_to.window(first)
    type_into(browser, "word", "mine")
    wait_for(lambda: "choose between two answers" in state(browser))
    shown = browser.find_element("css selector", "[data-item=word] .other")
    assert "The file has another answer by now: of the other page" in shown.text
    assert page.answers.read().given == {"word": "of the other page"}
    assert not browser.execute_script(LEAVES)
    browser.execute_script(f"document.querySelector('[data-item=word] .other [value={button}]').click()")
    saved(browser)
    wait_for(lambda: page.answers.read().given == {"word": kept})
    assert not shown.is_displayed()


def test_without_the_server_the_page_says_what_is_not_saved_and_offers_it(served, browser, tmp_path):
    page = served()
    choose(browser, "single", "b")
    saved(browser)
    page.end()
    type_into(browser, "word", "stride")
    wait_for(lambda: "Not saved. The command has ended." in state(browser))
    assert not browser.execute_script(LEAVES)
    text = download(browser, tmp_path / "got" / "first.yaml", browser.find_element("id", "download").click)
    graded = quiz.grade(page.bank, text)
    assert graded.problems == ()
    assert {item.id for item in graded.items if item.answered} == {"single", "word"}
    browser.get_log("browser")  # that nothing answers


@pytest.mark.parametrize("width", [PHONE, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_result_stands_beside_each_question_and_is_readable(served, browser, scheme, width):
    page = served("tries: 2\nfeedback: after-tries", scheme=scheme, width=width)
    wrong = parts(page.bank) | {"number": {"text": "13"}, "verdict": {}}
    browser.execute_script(ANSWER_ALL, wrong)
    saved(browser)
    grade, summary = browser.find_element("id", "grade"), browser.find_element("id", "summary")
    assert grade.text == "Grade: try 1 of 2"
    grade.click()
    wait_for(lambda: summary.text.startswith("10 of 12 points."))
    assert summary.text.endswith("You have 1 left.")
    assert browser.switch_to.active_element == summary
    source = "return document.documentElement.outerHTML"
    assert "You added." not in browser.execute_script(source)
    choose(browser, "verdict", "true")
    browser.execute_script(
        "document.querySelector('[data-item=verdict] [data-part=reason][value=a]').click()"
    )
    wait_for(lambda: grade.text == "Grade: try 2 of 2")
    grade.click()
    beside = browser.find_element("css selector", "[data-item=number] .result")
    wait_for(lambda: "Six times seven." in beside.text)
    assert beside.text == "0 of 1 point. Your answer: 13\nYou added.\nSix times seven."
    assert "It does not." in browser.find_element("css selector", "[data-item=verdict] .result").text
    assert pale(browser) == []
    assert barriers(browser) == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    browser.refresh()
    assert "Six times seven." in browser.find_element("css selector", "[data-item=number] .result").text
    assert browser.find_element("id", "grade").text == "Show my points"


def test_the_button_and_the_choice_between_two_answers_work_by_keyboard(served, browser):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    page = served(width=PHONE)
    page.answers.change(page.answers.read(), {"word": "elsewhere"})
    browser.execute_script("document.removeEventListener('visibilitychange', save)")
    type_into(browser, "word", "mine")
    wait_for(lambda: "choose between two answers" in state(browser))
    ActionChains(browser).send_keys(Keys.TAB).perform()
    assert browser.switch_to.active_element.text == "Keep my answer"
    assert unseen_focus(browser) == ""
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    saved(browser)
    browser.execute_script("document.getElementById('grade').focus()")
    ActionChains(browser).send_keys(Keys.SPACE).perform()
    wait_for(lambda: browser.find_element("id", "summary").text == "0 of 12 points.")
