"""`grade quiz`: asks the items of a quiz one by one, in plain lines that a pipe and a screen reader can follow."""

import os
import sys
import textwrap
from pathlib import Path

import click

from grader.quiz.answers import Responses, filled, parse, question, read_answers_file
from grader.quiz.bank import Bank
from grader.quiz.items import Item
from grader.quiz.responses import ResponseError, shown

_WIDTH = 78
_ASKS = {
    "single": "One letter",
    "multi": "Letters, such as a, c",
    "numeric": "A number",
    "shape": "A shape, such as (1, 8, 32, 32)",
}


def ask(bank: Bank, answers: Path) -> None:
    """Ask every item; write `answers` after each response. Enter keeps what is there, q stops.

    Raises DocumentError where an answers file is there and cannot be read: it is left as it is.
    """
    responses = Responses()
    if answers.exists():
        responses = read_answers_file(bank, answers)
    given = dict(responses.given)
    click.echo(
        f"{bank.title} (section {bank.section}), {len(bank.items)} items. Enter keeps or skips, q stops."
    )
    for problem in responses.problems:
        click.echo(f"Not kept: {problem}")
    for number, item in enumerate(bank.items, start=1):
        click.echo(f"\n{item_text(item, number, len(bank.items))}\n")
        response = _response(item, given.get(item.id))
        if response is None:
            break
        if response:
            given[item.id] = response
            _save(answers, filled(bank, given))
    left = len(bank.items) - len(given)
    state = "all answered" if not left else f"{left} of {len(bank.items)} still open"
    click.echo(f"\n{state.capitalize()}. Your answers are in {answers}; `grade` grades them.")


def item_text(item: Item, number: int, count: int) -> str:
    """Return one item as text: its number and points, its prompt, its options."""
    lines = [f"{number} of {count}, {item.points:g} point{'s' if item.points != 1 else ''}"]
    for line in question(item):
        hang = "   " if line[1:3] == ") " else ""
        code = line.startswith(("    ", "\t"))
        lines += [line] if code else textwrap.wrap(line, _WIDTH, subsequent_indent=hang) or [""]
    return "\n".join(lines)


def _response(item: Item, current: object) -> str | None:
    """Ask until the response can be read. Returns "" to keep what is there, None to stop."""
    default = f" [{shown(current)}]" if current is not None else ""
    while True:
        try:
            text = click.prompt(
                f"{_ASKS[item.type]}{default}", default="", show_default=False, prompt_suffix=": "
            )
        except click.Abort:
            click.echo()
            return None
        if not sys.stdin.isatty():
            click.echo()  # nobody's Enter ended the line
        text = text.strip()
        if text.lower() == "q":
            return None
        if not text:
            return ""
        try:
            parse(item, text)
        except ResponseError as error:
            click.echo(f"  {error}.")
        else:
            return str(text)


def _save(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)  # noqa: PTH105 - atomic on every platform
