"""The page of a quiz as students meet it: by keyboard, by screen reader, on a phone, in the dark, on paper."""

from pathlib import Path

import pytest
from browsing import announced, barriers, cut_off, download, emulate, pale, requested, unseen_focus, wait_for
from test_quiz import load

from grader import quiz
from grader.quiz.answers import Responses, read_answers
from grader.quiz.page import to_html
from grader.quiz.types import Item

LONG = "a rather long choice that fits in no line of a telephone nor into any list that drops down on one"
PRINTED = "\\n".join(f"{n} {'x' * 90}" for n in range(6))
BANK = """\
title: All types
section: "1"
items:
  - id: single
    type: single
    objective: choose
    prompt: Which?
    explanation: Because.
    hints: [{text: It is not the first., cost: 0.25}, Nor the last.]
    options:
      a: {text: this, feedback: "No.", misconception: wrong-one}
      b: {text: that, correct: true, feedback: Yes.}
      c: {text: those, feedback: "No.", misconception: wrong-three}
  - id: multi
    type: multi
    objective: choose some
    prompt: Which ones?
    explanation: Because.
    options:
      a: {text: this, correct: true, feedback: Yes.}
      b: {text: that, feedback: Not that., misconception: wrong-some}
      c: {text: LONG, correct: true, feedback: Yes.}
      d: {text: those, feedback: Not those., misconception: wrong-those}
  - id: verdict
    type: true_false
    objective: judge
    prompt: Pooling learns.
    explanation: It does not.
    key: false
    feedback: Count its parameters.
    misconception: pooling-learns
    reasons:
      a: {text: It is slow., feedback: Speed has no part in it., misconception: slow}
      b: {text: It has no parameters., correct: true, feedback: Yes.}
  - id: number
    type: numeric
    objective: count
    prompt: How many?
    explanation: Six times seven.
    key: 42
    verify: 6 * 7
    expected_wrong: [{value: 13, feedback: You added., misconception: adds}]
  - id: shape
    type: shape
    objective: know shapes
    prompt: |
      What shape?

          y = nn.MaxPool2d(kernel_size=3, stride=2)(torch.zeros(1, 64, 55, 55)).flatten(start_dim=1)
    explanation: Two.
    key: [2, 3]
    verify: (2, 3)
    expected_wrong: [{value: [3, 2], feedback: Turned., misconception: turned}]
  - id: word
    type: text
    objective: name
    prompt: What is it called?
    explanation: Stride.
    accept: [stride]
    expected_wrong: [{value: padding, feedback: That is at the border., misconception: border}]
  - id: listed-word
    type: text
    objective: name
    prompt: What is it called?
    explanation: Stride.
    accept: [stride]
    choices: [padding, stride, LONG]
    expected_wrong: [{value: padding, feedback: That is at the border., misconception: border}]
  - id: rows
    type: match
    objective: match
    prompt: What does what?
    explanation: Because.
    rows:
      "1": {text: pads, key: c}
      "2": {text: strides, key: a}
      "3": {text: nothing, key: c}
    choices: {a: jumps, b: sums, c: LONG}
  - id: order
    type: order
    objective: order
    prompt: In which order?
    explanation: Because.
    parts: {a: third, b: first, c: second, d: LONG}
    key: [b, c, a, d]
  - id: gaps
    type: cloze
    objective: fill in
    prompt: A [[size]] that [[does]], of shape [[shape]], and [[word]].
    explanation: Because.
    blanks:
      size: {type: numeric, key: 3}
      does: {type: text, accept: [jumps], choices: [stays, jumps]}
      shape: {type: shape, key: [1, 2]}
      word: {type: text, accept: [no more]}
  - id: printed
    type: code_output
    objective: run
    prompt: What does this print?
    code: |
      for n in range(6):
          print(n, "x" * 90)
    key: PRINTED
    explanation: Six lines.
    expected_wrong: [{value: "0", feedback: There are more., misconception: one-line}]
  - id: matrix
    type: grid
    objective: pool
    prompt: Which matrix?
    explanation: Because.
    key: [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 12]]
    expected_wrong: [{value: [[1, 2]], feedback: More., misconception: few}]
  - id: withdrawn
    type: numeric
    objective: count
    prompt: Not asked.
    explanation: Not asked.
    key: 1
    verify: "1"
    void: drop
""".replace("LONG", LONG).replace("PRINTED", f'"{PRINTED}"')
TYPES = {"single", "multi", "true_false", "numeric", "shape", "text", "match", "order", "cloze", "code_output", "grid"}  # fmt: skip
PHONE, PAPER = 390, 718  # A4 between margins of a centimeter


@pytest.fixture
def bank(tmp_path) -> quiz.Bank:
    return load(tmp_path, BANK)


@pytest.fixture(scope="module")
def empty_page(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "empty.html"
    path.write_text("<!doctype html><title>Empty</title>", encoding="utf-8")
    return path


@pytest.fixture
def show(browser, empty_page, tmp_path):
    """Open a page of a bank in an empty browser, filled with these responses; return the browser."""

    def run(bank: quiz.Bank, given: dict[str, object] | None = None, **shown: object):
        path = tmp_path / f"{bank.id}.html"
        path.write_text(to_html(bank, Responses(seed=0, given=given or {})), encoding="utf-8")
        emulate(browser, **shown)
        # Cleared by a page, as the page of the quiz writes: the browser reports a clearing of its own to pages later,
        # and they then drop what they have stored by that time.
        browser.get(empty_page.as_uri())
        browser.execute_script("try { localStorage.clear(); } catch { /* it refuses storage */ }")
        for kind in ("browser", "performance"):
            browser.get_log(kind)  # messages of earlier pages
        browser.get(path.as_uri())
        return browser

    return run


@pytest.fixture
def forgetful(browser):
    """A browser without storage, as some are in private windows and for pages from files."""
    refuse = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});"
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": refuse})
    yield
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def asked(bank: quiz.Bank) -> list[Item]:
    return [item for item in bank.sheet() if item.void is None]


def keys(bank: quiz.Bank) -> dict[str, object]:
    return {item.id: item.key_response() for item in asked(bank)}


def state(browser) -> str:
    return browser.find_element("id", "state").text


def downloaded(browser, bank: quiz.Bank, tmp_path: Path) -> str:
    return download(
        browser, tmp_path / "got" / f"{bank.id}.yaml", browser.find_element("id", "download").click
    )


def test_the_bank_has_every_type(bank):
    assert {item.type for item in asked(bank)} == TYPES


# --- by keyboard


class Keyboard:
    """Keys sent to a page, and what has the focus after each."""

    def __init__(self, browser) -> None:
        self._browser = browser

    def press(self, *pressed: str) -> None:
        self._act().send_keys(*pressed).perform()
        assert unseen_focus(self._browser) == ""

    def go_back(self) -> None:
        from selenium.webdriver.common.keys import Keys

        self._act().key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
        assert unseen_focus(self._browser) == ""

    def _act(self):
        from selenium.webdriver import ActionChains

        return ActionChains(self._browser)

    def at(self, name: str) -> str:
        """Return a property of what has the focus."""
        found = self._browser.execute_script(f"return document.activeElement.{name} ?? ''")
        return found if isinstance(found, str) else str(found).lower()

    @property
    def item(self) -> str:
        return self._browser.execute_script(
            "return document.activeElement.closest('fieldset')?.dataset.item ?? ''"
        )

    def answer(self, wanted: dict[str, str]) -> None:
        """Set the control in focus to its part of a response."""
        from selenium.webdriver.common.keys import Keys

        value, kind = wanted.get(self.at("dataset.part"), ""), self.at("type")
        if kind == "checkbox":
            if value:
                self.press(Keys.SPACE)
        elif kind == "radio":
            self.press(Keys.SPACE)
            self._turn(Keys.ARROW_DOWN, value)
        elif kind == "select-one":
            self._turn(Keys.ARROW_DOWN, value)
        else:
            for n, line in enumerate(value.split("\n")):
                self.press(*([Keys.ENTER] if n else []), line)

    def _turn(self, key: str, value: str) -> None:
        for _ in range(10):
            if self.at("value") == value:
                return
            self.press(key)
        raise AssertionError(f"the keyboard does not come to {value}")


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_the_whole_page_is_filled_and_downloaded_by_keyboard(show, bank, tmp_path, width):
    from selenium.webdriver.common.keys import Keys

    browser = show(bank, width=width)
    keyboard = Keyboard(browser)
    wanted = {item.id: item.control_values(item.key_response()) for item in asked(bank)}
    wanted["matrix"] = {"text": "1 2\n3 4\n5 6\n7 8\n9 10\n11 12"}
    stops, forth = [], 0
    while keyboard.at("id") != "download":
        keyboard.press(Keys.TAB)
        forth += 1
        assert forth < 60, "the keyboard does not come to the end"
        if keyboard.at("dataset.part"):
            stops.append((keyboard.item, keyboard.at("dataset.part")))
            keyboard.answer(wanted[keyboard.item])
        elif keyboard.at("dataset.hint") == "1":
            keyboard.press(Keys.ENTER)
            assert keyboard.at("dataset.hint") == "2"
    assert len(set(stops)) == len(stops)
    assert [item for n, (item, _) in enumerate(stops) if not n or stops[n - 1][0] != item] == list(wanted)
    text = download(browser, tmp_path / "got" / f"{bank.id}.yaml", lambda: keyboard.press(Keys.ENTER))
    count = len(wanted)
    wait_for(lambda: state(browser) == f"{count} of {count} answered. first.yaml is downloaded.")
    graded = quiz.grade(bank, text)
    assert graded.problems == ()
    assert [item.id for item in graded.items if item.points < item.max_points] == ["single"]  # its hint costs
    assert graded.points == graded.max_points - 0.25


def test_the_keyboard_leaves_every_control_backward(show, bank):
    """No control traps the focus: Shift+Tab leads from the last control to the first link."""
    from selenium.webdriver.common.keys import Keys

    browser = show(bank, keys(bank))
    keyboard = Keyboard(browser)
    browser.execute_script("document.getElementById('download').focus()")
    for _ in range(60):
        keyboard.go_back()
        if keyboard.at("className") == "skip":
            break
    assert keyboard.at("className") == "skip"
    keyboard.press(Keys.ENTER, Keys.TAB)
    assert keyboard.item == "single"


def test_opened_hints_are_announced_and_the_focus_moves_on(show, bank):
    from selenium.webdriver.common.keys import Keys

    browser = show(bank)
    keyboard = Keyboard(browser)
    browser.execute_script("document.querySelector('[data-hint]').focus()")
    keyboard.press(Keys.SPACE)
    assert keyboard.at("textContent") == "Open hint 2 of 2"
    keyboard.press(Keys.SPACE)
    assert keyboard.at("dataset.part") == "choice"  # there is no further one: back to the question
    shown = browser.find_element("css selector", ".hints [aria-live]").text
    assert shown == "Hint 1 of 2: It is not the first.\nHint 2 of 2: Nor the last."


# --- what is kept, and what is not


def test_every_answer_is_there_again_after_a_reload(show, bank, tmp_path):
    browser = show(bank)
    wanted = {item.id: item.control_values(item.key_response()) for item in asked(bank)}
    typed = (
        "for (const [id, parts] of Object.entries(arguments[0])) fill(fieldsets.get(id), parts); changed();"
    )
    browser.execute_script(typed, wanted)
    before = downloaded(browser, bank, tmp_path)
    browser.refresh()
    assert state(browser) == "12 of 12 answered. Kept in this browser."
    assert downloaded(browser, bank, tmp_path) == before
    graded = quiz.grade(bank, before)
    assert graded.points == graded.max_points


LEAVES = "return dispatchEvent(new Event('beforeunload', {cancelable: true}))"


def test_where_nothing_can_be_kept_the_page_works_and_says_so(forgetful, show, bank, tmp_path):
    browser = show(bank)
    warning = "This browser keeps nothing: download your answers before you leave."
    assert state(browser) == f"0 of 12 answered. {warning}"
    assert browser.execute_script(LEAVES)  # nothing is lost yet
    browser.find_element("css selector", "[data-item=single] [value=b]").click()
    assert state(browser) == f"1 of 12 answered. {warning}"
    assert not browser.execute_script(LEAVES)  # the browser asks whether to leave
    assert read_answers(bank, downloaded(browser, bank, tmp_path), shown="x").given == {"single": "b"}
    assert browser.execute_script(LEAVES)
    assert browser.get_log("browser") == []
    browser.refresh()
    assert state(browser) == f"0 of 12 answered. {warning}"


def test_a_full_store_is_reported_at_once(show, bank):
    browser = show(bank)
    assert state(browser).endswith("Kept in this browser.")
    browser.execute_script(
        "Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError'); }"
    )
    browser.find_element("css selector", "[data-item=single] [value=b]").click()
    assert "This browser keeps nothing" in state(browser)
    assert not browser.execute_script(LEAVES)


def test_what_is_still_open_is_named_near_the_end(show, bank):
    given = keys(bank)
    browser = show(bank, {item: given[item] for item in given if item not in ("word", "order")})
    assert state(browser) == "10 of 12 answered, not yet 6, 9. Kept in this browser."


# --- by eye


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(show, bank, scheme):
    browser = show(bank, keys(bank), scheme=scheme)
    browser.execute_script("document.querySelector('[data-hint]').click()")
    assert pale(browser) == []
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(247, 245, 241)") is (scheme == "light")


_HUES = """return [...document.querySelectorAll('body, body *')].flatMap(part =>
  ['color', 'backgroundColor', 'borderLeftColor', 'borderTopColor', 'accentColor', 'outlineColor']
    .map(name => [part.tagName + '.' + part.className + ' ' + name, getComputedStyle(part)[name]]))
  .filter(([, color]) => color.startsWith('rgb')).map(([name, color]) => [name, color.match(/[\\d.]+/g).map(Number)])"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_answered_question_is_marked_and_nothing_is_green_or_red(show, bank, scheme):
    """Green says right and red says wrong, and the page knows of neither."""
    given = {item: key for item, key in keys(bank).items() if item != "word"}
    browser = show(bank, given, scheme=scheme)
    edges = browser.execute_script(
        "return Object.fromEntries([...fieldsets].map(([id, set]) => [id, getComputedStyle(set).borderLeftWidth]))"
    )
    assert {id_ for id_, width in edges.items() if width == "4px"} == set(given)
    found = browser.execute_script(_HUES)
    assert len(found) > 500
    signals = [
        name
        for name, (red, green, blue, *_) in found
        if green > 1.3 * max(red, blue) or red > 1.3 * max(green, blue)
    ]
    # What is still to do is amber.
    assert [name for name in signals if ".todo" not in name] == []


@pytest.mark.parametrize("refused", [False, True])
def test_nothing_is_wider_than_a_phone(show, bank, request, refused):
    if refused:
        request.getfixturevalue("forgetful")
    browser = show(bank, keys(bank), width=PHONE)
    assert browser.execute_script("return innerWidth") == PHONE
    assert browser.execute_script("return document.documentElement.scrollWidth") <= PHONE
    wide = """return [...document.querySelectorAll('body *')].filter(part => part.checkVisibility() &&
        !part.closest('.skip, svg, option') && part.getBoundingClientRect().right > innerWidth).map(part => part.outerHTML)"""
    assert browser.execute_script(wide) == []
    covered = "return document.querySelector('.bottom').offsetHeight / innerHeight"
    assert browser.execute_script(covered) < 0.15


def test_nothing_is_asked_of_any_network(show, bank, tmp_path):
    browser = show(bank, keys(bank))
    assert requested(browser) == [(tmp_path / f"{bank.id}.html").as_uri()]
    assert browser.get_log("browser") == []


# --- by screen reader

CONTROLS = {"textbox", "radio", "checkbox", "combobox", "button"}


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_axe_finds_no_barrier(show, bank, width):
    assert barriers(show(bank, keys(bank), width=width)) == []


def test_axe_finds_a_barrier_where_there_is_one(show, bank):
    browser = show(bank)
    browser.execute_script("document.querySelector('.field label').remove()")
    assert "label" in [found.partition(":")[0] for found in barriers(browser)]


def test_every_control_and_every_question_has_a_name(show, bank):
    browser = show(bank)
    nodes = announced(browser)
    assert [role for role, name in nodes if role in CONTROLS and not name.strip()] == []
    controls = browser.execute_script(
        "return [...document.querySelectorAll('input, select, textarea, button')].filter(part => part.checkVisibility()).length"
    )
    assert sum(role in CONTROLS for role, _ in nodes) == controls
    questions = [name for role, name in nodes if role == "group"]
    assert questions == [f"{item.number} {item.id} (of 12, 1 point)" for item in asked(bank)]
    assert ("radiogroup", "True or false?") in nodes
    assert ("status", "") in nodes or any(role == "status" for role, _ in nodes)


def test_what_changes_is_announced(show, bank):
    """What is still to do, and how many items are answered, is in live regions; each change is announced once."""
    browser = show(bank)
    browser.execute_script(
        "window.said = []; new MutationObserver(all => all.forEach(one => said.push(one.target.textContent)))"
        ".observe(document.body, {subtree: true, childList: true})"
    )
    for verdict in ("false", "true"):
        browser.execute_script(f"document.querySelector('[data-item=verdict] [value={verdict}]').click()")
    assert browser.execute_script("return said") == ["Now choose a reason."]
    live = "return [...document.querySelectorAll('[role=status]')].find(part => part.textContent === said[0]) !== undefined"
    assert browser.execute_script(live)


# --- on paper

_FIELDS = """return [...document.querySelectorAll('.field')].map(field => {
  const control = field.querySelector('[data-part]'), after = getComputedStyle(field, '::after');
  const value = control.value && control.selectedOptions ? control.selectedOptions[0].text : control.value;
  return [control.checkVisibility(), after.content, '"' + value.replaceAll('\\n', '\\\\a ') + '"'];
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_paper_every_answer_is_there_whole_and_dark_on_light(show, bank, scheme):
    browser = show(bank, keys(bank), scheme=scheme, width=PAPER, media="print")
    fields = browser.execute_script(_FIELDS)
    assert len(fields) > 15
    assert [field for field in fields if field[0]] == []
    written = [text.replace("\\a ", "\n") for _, text, _ in fields]
    assert written == [value.replace("\\a ", "\n") for _, _, value in fields]
    assert f'"c) {LONG}"' in written
    chosen = browser.execute_script(
        "return [...document.querySelectorAll('.choice input')].filter(part => part.checked && part.checkVisibility()).length"
    )
    assert chosen == 5
    assert browser.execute_script("return document.documentElement.scrollWidth") <= PAPER
    assert cut_off(browser) == []
    assert [part for part in (".bottom", ".skip", ".hints button") if browser.find_element("css selector", part).is_displayed()] == []  # fmt: skip
    assert (
        browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    assert pale(browser) == []
