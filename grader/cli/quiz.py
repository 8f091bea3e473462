"""`grade quiz`: asks the items of a quiz one by one, in plain lines that a pipe and a screen reader can follow."""

import os
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from grader import quiz
from grader.errors import UsageError
from grader.quiz.answers import Responses, read_answers_file
from grader.quiz.bank import Bank
from grader.quiz.items import Item
from grader.quiz.responses import ResponseError, read, shown
from grader.quiz.sheet import filled, form, question
from grader.safetext import one_line

_WIDTH = 78
_HELP = {"?", "hint"}


def ask(bank: Bank, answers: Path, seed: int | None = None) -> None:
    """Ask every item; write `answers` after each response. Enter keeps what is there, q stops, ? opens a hint.

    A quiz that goes on keeps its seed. Raises DocumentError where an answers file is there and cannot be read: it
    is left as it is.
    """
    responses = Responses(seed=quiz.new_seed() if seed is None else seed)
    if answers.exists():
        responses = read_answers_file(bank, answers)
    given, hints = dict(responses.given), dict(responses.hints)
    items = [item for item in bank.sheet(responses.seed) if item.void is None]
    keys = "Enter keeps or skips, q stops" + (", ? opens a hint." if any(i.hints for i in items) else ".")
    click.echo(f"{bank.title} (section {bank.section}), {len(items)} items. {keys}")
    for problem in responses.problems:
        click.echo(f"Not kept: {one_line(str(problem))}")

    def save() -> None:
        _save(answers, filled(bank, given, seed=responses.seed, hints=hints))

    for number, item in enumerate(items, start=1):
        click.echo(f"\n{item_text(item, number, len(items))}\n")
        for typed in _typed(item, given.get(item.id)):
            if typed in _HELP:
                hints[item.id] = _open_hint(item, hints.get(item.id, 0))
            elif typed:
                given[item.id] = typed
            if typed:
                save()
        if typed is None:
            break
    _say_what_is_left(items, given, answers)


def write_page(bank: Bank, answers: Path, page: Path, seed: int | None = None) -> None:
    """Write a quiz as a page, filled with `answers`; where there are none yet, write the sheet, which keeps the seed.

    Raises DocumentError where an answers file is there and cannot be read, UsageError where nothing can be written.
    """
    from grader.quiz_page import to_html  # noqa: PLC0415 - the terminal needs none of it

    try:
        if not answers.exists():
            _save(answers, quiz.template(bank, quiz.new_seed() if seed is None else seed))
        responses = read_answers_file(bank, answers)
        _save(page, to_html(bank, responses))
    except OSError as error:
        raise UsageError(f"{error.filename or page} cannot be written: {error.strerror}.") from None
    for problem in responses.problems:
        click.echo(f"Not kept: {one_line(str(problem))}")
    click.echo(
        f"{page} written, with {len(responses.given)} answers. Open it in a browser, download your answers there,\n"
        f"and put the file in place of {answers}."
    )


def _say_what_is_left(items: Iterable[Item], given: Iterable[str], answers: Path) -> None:
    wanted = [item.id for item in items]
    left = len(set(wanted) - set(given))
    state = "all answered" if not left else f"{left} of {len(wanted)} still open"
    click.echo("\n" + _wrapped(f"{state.capitalize()}. Your answers are in {answers}; `grade` grades them."))


def item_text(item: Item, number: int, count: int) -> str:
    """Return one item as text: its number and points, its prompt, its options."""
    lines = [f"{number} of {count}, {item.points:g} point{'s' if item.points != 1 else ''}"]
    for line in question(item):
        hang = "   " if line[1:3] == ") " else ""
        code = line.startswith(("    ", "\t"))
        lines += [line] if code else textwrap.wrap(line, _WIDTH, subsequent_indent=hang) or [""]
    return "\n".join(lines)


def _open_hint(item: Item, opened: int) -> int:
    """Show the next hint of an item; return how many are open now."""
    if opened >= len(item.hints):
        click.echo("  There is no further hint." if item.hints else "  There is no hint for this one.")
        return opened
    hint = item.hints[opened]
    cost = f", {hint.cost:g} of the points" if hint.cost else ""
    text = f"Hint {opened + 1} of {len(item.hints)}{cost}: {hint.text}"
    click.echo(_wrapped(text, "  "))
    if opened + 1 < len(item.hints) and item.hints[opened + 1].cost:
        click.echo(f"  The next one costs {item.hints[opened + 1].cost:g} of the points.")
    return opened + 1


def _typed(item: Item, current: object) -> Iterator[str | None]:
    """Ask until the response can be read; yield each "?" on the way, then it: "" keeps what is there, None stops."""
    default = f" [{one_line(shown(current), limit=60)}]" if current is not None else ""
    cost = item.hints[0].cost if item.hints else 0
    click.echo(_wrapped(f"Write {form(item)}" + (f" (? costs {cost:g} of the points)" if cost else "")))
    while True:
        try:
            text = click.prompt(f"Your answer{default}", default="", show_default=False, prompt_suffix=": ")
        except click.Abort:
            click.echo()
            yield None
            return
        if not sys.stdin.isatty():
            click.echo()  # nobody's Enter ended the line
        text = text.strip()
        if text.lower() in _HELP:
            yield "?"
            continue
        if not text or text.lower() == "q":
            yield "" if not text else None
            return
        try:
            read(item, text)
        except ResponseError as error:
            click.echo(_wrapped(one_line(f"{error}."), "  "))
        else:
            yield text
            return


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,  # a path can be copied
        break_on_hyphens=False,
    )


def _save(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)  # noqa: PTH105 - atomic on every platform
