"""`grade quiz`: asks the items of a quiz one by one, in plain lines that work in a pipe and with a screen reader."""

import re
import sys
import textwrap
from pathlib import Path

import click

from grader.cli import terminal
from grader.cli.terminal import prose_width
from grader.core.atomic_write import make_folder, write_whole
from grader.core.errors import UsageError
from grader.core.safetext import first_names, one_line
from grader.quiz.answers import Responses, graded
from grader.quiz.feedback import Shown
from grader.quiz.quiz_session import QuizSession
from grader.quiz.responses import ResponseError, shown
from grader.quiz.sheet import question
from grader.quiz.types import Item
from grader.report import item_name, quizzes_text
from grader.workspace.answers_file import AnswersFile
from grader.workspace.quiz_tries import QuizTries

_MAX_ITEMS_NAMED = 4
_MAX_RESPONSE_CHARS = 60
_CODE = re.compile(r"`[^`]+`")
_GO_TO = re.compile(r"#\s*(\d{1,3})")


def ask(answers: AnswersFile, tries: QuizTries, *, feedback: bool = False) -> None:
    """Ask item after item; save each response in the answers file. With `feedback`, show the result at the end.

    An answers file that exists keeps its seed. Raises UsageError where it cannot be read, and does not change it; and
    where it cannot be written.
    """
    prompt = _QuizPrompt(answers, tries)
    prompt.greet()
    prompt.run()
    prompt.show_unanswered()
    if feedback or prompt.wants_feedback():
        prompt.show_feedback()


class _QuizPrompt:
    """Prints the items of a session, and reads the responses."""

    def __init__(self, answers: AnswersFile, tries: QuizTries) -> None:
        self._answers, self._tries, self._bank = answers, tries, answers.bank
        self._asked = answers.read()
        self._session = QuizSession.begin(self._bank, self._asked)
        self._style = terminal.style()
        self._is_terminal = sys.stdin.isatty() and sys.stdout.isatty()

    def greet(self) -> None:
        """Show the title, what can be typed, and where the quiz continues."""
        session, bank = self._session, self._bank
        count = len(session.items)
        click.echo(self._style.paint(f"{bank.title} (section {bank.section}), {count} items.", bold=True))
        hint = ", ? opens a hint" if any(item.hints for item in session.items) else ""
        click.echo(_filled(f"Enter keeps or skips, < goes back, #3 goes to item 3{hint}, q stops."))
        if session.place:
            answered = count - len(list(session.still_open()))
            click.echo(
                _filled(
                    f"You answered {answered} of {count}. Continuing with {_name(session.items[session.place])}."
                )
            )
        for problem in self._asked.problems:
            click.echo(f"Not kept: {one_line(str(problem))}")

    def run(self) -> None:
        """Ask until the student has seen all items, or stops."""
        while self._session.item is not None or self._wants_to_go_back():
            if not self._ask_one():
                return

    def _ask_one(self) -> bool:
        """Ask the current item until the student moves on; return False to stop the quiz."""
        session = self._session
        item, here = session.item, session.place
        assert item is not None
        click.echo(f"\n{self._item_text(item)}\n")
        cost = item.hints[0].cost if item.hints and not session.hints.get(item.id) else 0
        click.echo(
            _filled(f"Write {item.answer_form()}" + (f" (? costs {cost:g} of the points)" if cost else ""))
        )
        while session.place == here:
            typed = self._prompt(item)
            if typed is None or typed.lower() == "q":
                return False
            if not typed:
                session.go_on()
            elif typed == "<":
                session.go_back()
                if not here:
                    click.echo("  This is the first item.")
            elif jump := _GO_TO.fullmatch(typed):
                if session.go_to(int(jump[1])):
                    return True
                click.echo(self._numbers())
            elif typed.lower() in ("?", "hint"):
                self._open_hint(item)
            else:
                self._answer(item, typed)
        return True

    def _answer(self, item: Item, typed: str) -> None:
        known = self._session.given.get(item.id)
        try:
            self._session.answer(typed)
        except ResponseError as error:
            click.echo(_filled(one_line(f"{error}."), "  "))
            return
        before = self._save({item.id: typed}).given.get(item.id)
        if before not in (None, known, typed):
            other = one_line(shown(before), limit=_MAX_RESPONSE_CHARS)
            click.echo(_filled(f"It replaces {other}, which was written there meanwhile.", "  "))

    def _prompt(self, item: Item) -> str | None:
        """Return the line that is typed; None at the end of the input and on Ctrl-C."""
        current = self._session.given.get(item.id)
        default = f" [{one_line(shown(current), limit=_MAX_RESPONSE_CHARS)}]" if current is not None else ""
        try:
            text = click.prompt(f"Your answer{default}", default="", show_default=False, prompt_suffix=": ")
        except click.Abort:
            click.echo()
            return None
        if not sys.stdin.isatty():
            click.echo()  # input from a pipe does not end the line on the screen
        return str(text).strip()

    def _open_hint(self, item: Item) -> None:
        hint = self._session.open_hint()
        if hint is None:
            click.echo("  There are no more hints." if item.hints else "  There is no hint for this item.")
            return
        self._save({})
        opened = self._session.hints[item.id]
        cost = f", {hint.cost:g} of the points" if hint.cost else ""
        click.echo(_filled(f"Hint {opened} of {len(item.hints)}{cost}: {hint.text}", "  "))
        if opened < len(item.hints) and item.hints[opened].cost:
            click.echo(f"  The next hint costs {item.hints[opened].cost:g} of the points.")

    def _item_text(self, item: Item) -> str:
        """Return one item as text: its number, name and points, its prompt, its options."""
        points = f"{item.points:g} point{'s' if item.points != 1 else ''}"
        more = f" (of {self._session.last_number}, {points})"
        lines = [self._style.paint(_name(item), bold=True) + more]
        for line in question(item):
            if line.startswith(("    ", "\t")) or line.lstrip().startswith("|"):  # code, or a table
                lines.append(self._style.paint(line, "cyan"))
                continue
            indent = "   " if line[1:3] == ") " else ""
            wrapped = textwrap.wrap(line, prose_width(), subsequent_indent=indent) or [""]
            lines.append(self._with_code_colored("\n".join(wrapped)))
        return "\n".join(lines)

    def _with_code_colored(self, text: str) -> str:
        """Return text with its code in color; where color is off, the backticks stay."""
        if not self._style.color:
            return text
        return _CODE.sub(lambda found: self._style.paint(found[0].strip("`"), "cyan"), text)

    # --- the end

    def _wants_to_go_back(self) -> bool:
        """After the last item, offer the unanswered ones; return whether the student goes to one."""
        unanswered = list(self._session.still_open())
        if not (unanswered and self._is_terminal):
            return False
        click.echo("\n" + _filled(f"Not answered: {_first_items(unanswered)}."))
        while True:
            try:
                typed = click.prompt(
                    "#N goes to item N, Enter ends the quiz",
                    default="",
                    show_default=False,
                    prompt_suffix=": ",
                )
            except click.Abort:
                click.echo()
                return False
            jump = _GO_TO.fullmatch(typed.strip()) or re.fullmatch(r"(\d{1,3})", typed.strip())
            if not typed.strip() or typed.strip().lower() == "q":
                return False
            if jump and self._session.go_to(int(jump[1])):
                return True
            click.echo(self._numbers())

    def _numbers(self) -> str:
        """Say which numbers there are."""
        last = self._session.last_number
        gaps = "" if last == len(self._session.items) else "; those that are missing were withdrawn"
        return _filled(f"The items are numbered 1 to {last}{gaps}.", "  ")

    def show_unanswered(self) -> None:
        """Show which items are not answered, and where the answers are."""
        unanswered, count = list(self._session.still_open()), len(self._session.items)
        state = "All answered"
        if unanswered:
            state = f"{len(unanswered)} of {count} not answered: {_first_items(unanswered)}"
        click.echo("\n" + _filled(f"{state}. Your answers are in {self._answers.path}; `grade` grades them."))

    def wants_feedback(self) -> bool:
        """Ask a student who has answered everything whether to show points and feedback now."""
        if not self._is_terminal or any(self._session.still_open()):
            return False
        question = (
            f"{self._tries.announced(self._bank, self._answers.read())}Show your points and feedback now?"
        )
        try:
            return click.confirm(_filled(question), default=False)
        except click.Abort:
            click.echo()
            return False

    def show_feedback(self) -> None:
        """Show the points of these answers, and as much feedback as the course shows by now. This is a try."""
        responses = self._answers.read()
        self._tries.use(self._bank, responses)
        seen = self._bank.shown_after(self._tries.used(self._bank))
        result = graded(self._bank, responses, seen)
        is_whole = seen is Shown.EXPLANATIONS
        click.echo("\n" + quizzes_text([result], self._style, every=is_whole))
        if seen is Shown.POINTS:
            click.echo(_filled(self._tries.outlook(self._bank)))

    def _save(self, responses: dict[str, object]) -> Responses:
        """Save responses and the opened hints; return what the file said before."""
        change = self._answers.change(self._asked, responses, self._session.hints)
        if change.backup is not None:
            click.echo(
                _filled(f"The answers file is written anew; its earlier text is in {change.backup}.", "  ")
            )
        return change.before


def _name(item: Item) -> str:
    return item_name(item.number, item.id)


def _first_items(items: list[Item]) -> str:
    """Return the names of the first items, and the number of others."""
    return first_names([_name(item) for item in items], _MAX_ITEMS_NAMED)


def write_page(answers: AnswersFile, page: Path) -> None:
    """Write a quiz as an HTML page with the responses of an answers file; write that file first where there is none.

    The answers file keeps the seed, so that page and file have the same numbers. Raises UsageError where it cannot be
    read, or a file cannot be written.
    """
    from grader.quiz.page import to_html  # noqa: PLC0415 - not needed in the terminal

    responses = answers.begin()
    _save(page, to_html(answers.bank, responses))
    for problem in responses.problems:
        click.echo(f"Not kept: {one_line(str(problem))}")
    given = "1 answer" if len(responses.given) == 1 else f"{len(responses.given)} answers"
    click.echo(
        f"{page} written, with {given}. Open it in a browser, download your answers there,\n"
        f"and save the file as {answers.path}."
    )


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text,
        prose_width(),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,  # so that a path can be copied
        break_on_hyphens=False,
    )


def _save(path: Path, text: str) -> None:
    """Write a file, and create its folder. Raises UsageError where that cannot be done."""
    try:
        make_folder(path.parent)
        write_whole(path, text.encode())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
