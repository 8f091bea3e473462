"""The items of a quiz as plain lines, and the answers file that a student fills in."""

import re
import secrets
from collections.abc import Mapping

import yaml

from grader.quiz.bank import Bank
from grader.quiz.draw import DRAW, FIRST_DRAW
from grader.quiz.responses import is_empty
from grader.quiz.types import Item

_LINE_BREAK = re.compile(r"[\n\r\x85\u2028\u2029]")
_WIDTH = 2**31  # longer lines would be wrapped
MAX_SEED = 10**6
_OWN_LINE = re.compile(r"    |\t|\s*(?:[-*|#>]|\d+[.)])")


def new_seed() -> int:
    """Return a new seed, for a student without one."""
    return secrets.randbelow(MAX_SEED)


def template(bank: Bank, seed: int = 0) -> str:
    """Return an empty answers file: every item with its question and options as comments."""
    return filled(bank, {}, seed=seed)


def filled(
    bank: Bank,
    given: Mapping[str, object],
    *,
    seed: int = 0,
    draw: int = DRAW,
    hints: Mapping[str, int] | None = None,
) -> str:
    """Return an answers file with these responses filled in, and the hints that were opened."""
    lines = head(bank, seed, draw)
    if opened := {item: count for item, count in (hints or {}).items() if count}:
        lines.append(f"hints: {as_yaml(opened)}")
    lines.append("answers:")
    for item in bank.sheet(seed, draw):
        *asked, last = entry(item)
        lines += [*asked, f"{last} {as_yaml(given[item.id]) if item.id in given else ''}".rstrip()]
    return "\n".join(lines) + "\n"


def head(bank: Bank, seed: int, draw: int) -> list[str]:
    """Return the first lines of an answers file: its quiz, how it was drawn, and the seed where one is needed."""
    lines = [
        f"# {bank.title} (notes, section {bank.section}).",
        f"# Fill in by hand, or with `grade quiz {bank.id}`.",
        f"quiz: {bank.id}",
    ]
    if bank.draws and bank.seed is None:
        lines += [
            "# Your numbers are drawn from this seed. Leave it as it is: it belongs to your answers.",
            f"seed: {seed}",
        ]
    if draw != FIRST_DRAW:
        lines += [
            "# How it was drawn: what the letters of your answers mean. Leave it as it is.",
            f"draw: {draw}",
        ]
    return lines


def entry(item: Item) -> list[str]:
    """Return the lines of one item in an answers file: its question as comments, and its id."""
    asked = [f"  # {line}".rstrip() for line in question(item)]
    return ["", *asked, f"  # Write {item.answer_form()}", f"  {item.id}:"]


def question(item: Item) -> list[str]:
    """Return the prompt of a drawn item and what there is to choose from, line by line."""
    lines = ["(Withdrawn: this item does not count.)"] if item.void else []
    lines += _paragraphs(item.prompt_text())
    return [*lines, *item.listed_choices()]


def _paragraphs(markdown: str) -> list[str]:
    """Return the lines of a text, with those of one paragraph joined; code, lists and tables keep their lines."""
    lines: list[str] = []
    for line in markdown.split("\n"):
        goes_on = bool(lines) and bool(lines[-1]) and not _OWN_LINE.match(lines[-1])
        if line.strip() and goes_on and not _OWN_LINE.match(line):
            lines[-1] = f"{lines[-1]} {line.strip()}"
        else:
            lines.append(line.rstrip())
    return lines


def as_written(response: object) -> str:
    """Return a response as it stands in an answers file; "" for none."""
    return "" if is_empty(response) else as_yaml(response)


class _OneLine(yaml.SafeDumper):
    """Writes a text of several lines in double quotes, where they become escapes."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Return a text as YAML."""
        style = '"' if _LINE_BREAK.search(data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_OneLine.add_representer(str, _OneLine.represent_str)


def as_yaml(value: object) -> str:
    """Return a response as it stands in an answers file, on one line."""
    text: str = yaml.dump(value, Dumper=_OneLine, default_flow_style=True, allow_unicode=True, width=_WIDTH)
    return text.removesuffix("\n").removesuffix("...").strip()
