"""`grade quiz`: asks the items of a quiz one by one, in plain lines that a pipe and a screen reader can follow."""

import re
import sys
import textwrap
from pathlib import Path

import click

from grader import quiz
from grader.cli.run import colour, has_unicode, prose_width, width
from grader.core.atomic_write import write_whole
from grader.core.errors import UsageError
from grader.core.safetext import one_line
from grader.quiz.answers import Responses, read_answers_file
from grader.quiz.bank import Bank
from grader.quiz.quiz_session import QuizSession
from grader.quiz.responses import ResponseError, shown
from grader.quiz.sheet import question
from grader.quiz.types import Item
from grader.report import Style, quizzes_text

_NAMED = 4
_CODE = re.compile(r"`[^`]+`")
_JUMP = re.compile(r"#\s*(\d{1,3})")


def ask(bank: Bank, answers: Path, seed: int | None = None, *, feedback: bool = False) -> None:
    """Ask item after item; write `answers` after each response. With `feedback`, tell at the end what they earn.

    A quiz that goes on keeps its seed. Raises DocumentError where an answers file is there and cannot be read: it
    is left as it is.
    """
    responses = Responses(seed=quiz.new_seed() if seed is None else seed)
    if answers.exists():
        responses = read_answers_file(bank, answers)
    asking = _Asking(QuizSession.begin(bank, responses), answers)
    asking.greet()
    for problem in responses.problems:
        click.echo(f"Not kept: {one_line(str(problem))}")
    asking.run()
    asking.say_what_is_left()
    if feedback or asking.wants_feedback():
        asking.give_feedback()


class _Asking:
    """Prints what a session asks, and reads what is typed."""

    def __init__(self, session: QuizSession, answers: Path) -> None:
        self._session, self._answers = session, answers
        self._style = Style(color=colour(None), width=width(), unicode=has_unicode())
        self._is_terminal = sys.stdin.isatty() and sys.stdout.isatty()

    def greet(self) -> None:
        """Say what this is, what can be typed, and where it goes on."""
        session, bank = self._session, self._session.bank
        count = len(session.items)
        click.echo(self._style.paint(f"{bank.title} (section {bank.section}), {count} items.", bold=True))
        hint = ", ? opens a hint" if any(item.hints for item in session.items) else ""
        click.echo(_wrapped(f"Enter keeps or skips, < goes back, #3 goes to item 3{hint}, q stops."))
        if session.place:
            left = count - len(list(session.still_open()))
            click.echo(_wrapped(f"{left} of {count} are answered; we go on with item {session.place + 1}."))

    def run(self) -> None:
        """Ask until the student is through, or stops."""
        while self._session.item is not None or self._wants_to_go_back():
            if not self._ask_one():
                return

    def _ask_one(self) -> bool:
        """Ask the item that is on until the student moves; tell whether to go on."""
        session = self._session
        item, here = session.item, session.place
        assert item is not None
        click.echo(f"\n{self._item_text(item)}\n")
        cost = item.hints[0].cost if item.hints and not session.hints.get(item.id) else 0
        click.echo(
            _wrapped(f"Write {item.answer_form()}" + (f" (? costs {cost:g} of the points)" if cost else ""))
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
                    click.echo("  This is the first.")
            elif jump := _JUMP.fullmatch(typed):
                if session.go_to(int(jump[1])):
                    return True
                click.echo(f"  There are items 1 to {len(session.items)}.")
            elif typed.lower() in ("?", "hint"):
                self._open_hint(item)
            else:
                self._take(typed)
        return True

    def _take(self, typed: str) -> None:
        try:
            self._session.answer(typed)
        except ResponseError as error:
            click.echo(_wrapped(one_line(f"{error}."), "  "))
        else:
            self._save()

    def _prompt(self, item: Item) -> str | None:
        """Return what is typed; None at the end of the input, and where Ctrl-C asks to stop."""
        current = self._session.given.get(item.id)
        default = f" [{one_line(shown(current), limit=60)}]" if current is not None else ""
        try:
            text = click.prompt(f"Your answer{default}", default="", show_default=False, prompt_suffix=": ")
        except click.Abort:
            click.echo()
            return None
        if not sys.stdin.isatty():
            click.echo()  # nobody's Enter ended the line
        return str(text).strip()

    def _open_hint(self, item: Item) -> None:
        hint = self._session.open_hint()
        if hint is None:
            click.echo("  There is no further hint." if item.hints else "  There is no hint for this one.")
            return
        self._save()
        opened = self._session.hints[item.id]
        cost = f", {hint.cost:g} of the points" if hint.cost else ""
        click.echo(_wrapped(f"Hint {opened} of {len(item.hints)}{cost}: {hint.text}", "  "))
        if opened < len(item.hints) and item.hints[opened].cost:
            click.echo(f"  The next one costs {item.hints[opened].cost:g} of the points.")

    def _item_text(self, item: Item) -> str:
        """Return one item as text: its number and points, its prompt, its options."""
        count = len(self._session.items)
        points = f"{item.points:g} point{'s' if item.points != 1 else ''}"
        lines = [self._style.paint(f"{self._session.place + 1} of {count}, {points}", bold=True)]
        code = False
        for line in question(item):
            hang = "   " if line[1:3] == ") " else ""
            code = line.startswith(("    ", "\t")) or line.lstrip().startswith("|")
            set_ = [line] if code else textwrap.wrap(line, prose_width(), subsequent_indent=hang) or [""]
            lines.append(self._coloured("\n".join(set_)) if not code else self._style.paint(line, "cyan"))
        return "\n".join(lines)

    def _coloured(self, text: str) -> str:
        """Return text with its code in a colour of its own; without colour the backticks show what is code."""
        if not self._style.color:
            return text
        return _CODE.sub(lambda found: self._style.paint(found[0].strip("`"), "cyan"), text)

    # --- the end

    def _wants_to_go_back(self) -> bool:
        """Offer what is open, once the student is through; tell whether they go to one of these."""
        left = list(self._session.still_open())
        if not (left and self._is_terminal):
            return False
        click.echo("\n" + _wrapped(f"Still open: {_listed(left)}."))
        while True:
            try:
                typed = click.prompt(
                    "#N goes to item N, Enter ends", default="", show_default=False, prompt_suffix=": "
                )
            except click.Abort:
                click.echo()
                return False
            jump = _JUMP.fullmatch(typed.strip()) or re.fullmatch(r"(\d{1,3})", typed.strip())
            if not typed.strip() or typed.strip().lower() == "q":
                return False
            if jump and self._session.go_to(int(jump[1])):
                return True
            click.echo(f"  There are items 1 to {len(self._session.items)}.")

    def say_what_is_left(self) -> None:
        """Say what is open, and where the answers are."""
        left, count = list(self._session.still_open()), len(self._session.items)
        state = f"{len(left)} of {count} still open: {_listed(left)}" if left else "All answered"
        click.echo("\n" + _wrapped(f"{state}. Your answers are in {self._answers}; `grade` grades them."))

    def wants_feedback(self) -> bool:
        """Ask a student who has answered everything whether they want to see now what it earns."""
        if not self._is_terminal or any(self._session.still_open()):
            return False
        try:
            return click.confirm("See now how you did?", default=False)
        except click.Abort:
            click.echo()
            return False

    def give_feedback(self) -> None:
        """Show what `grade` says of these answers."""
        result = quiz.grade(self._session.bank, self._session.sheet(), shown=str(self._answers))
        click.echo("\n" + quizzes_text([result], self._style))

    def _save(self) -> None:
        _save(self._answers, self._session.sheet())


def _listed(left: list[tuple[int, Item]]) -> str:
    """Name the first few items."""
    named = ", ".join(f"{number} ({item.id})" for number, item in left[:_NAMED])
    return named + (f" and {len(left) - _NAMED} more" if len(left) > _NAMED else "")


def write_page(bank: Bank, answers: Path, page: Path, seed: int | None = None) -> None:
    """Write a quiz as a page, filled with `answers`; where there are none yet, write the sheet, which keeps the seed.

    Raises DocumentError where an answers file is there and cannot be read, UsageError where nothing can be written.
    """
    from grader.quiz.page import to_html  # noqa: PLC0415 - the terminal needs none of it

    try:
        if not answers.exists():
            _save(answers, quiz.template(bank, quiz.new_seed() if seed is None else seed))
        responses = read_answers_file(bank, answers)
        _save(page, to_html(bank, responses))
    except OSError as error:
        raise UsageError(f"{error.filename or page} cannot be written: {error.strerror}.") from None
    for problem in responses.problems:
        click.echo(f"Not kept: {one_line(str(problem))}")
    given = "1 answer" if len(responses.given) == 1 else f"{len(responses.given)} answers"
    click.echo(
        f"{page} written, with {given}. Open it in a browser, download your answers there,\n"
        f"and put the file in place of {answers}."
    )


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text,
        prose_width(),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,  # a path can be copied
        break_on_hyphens=False,
    )


def _save(path: Path, text: str) -> None:
    """Write a file, and the folder it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())
