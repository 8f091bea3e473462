"""The output of `grade watch`.

On a terminal each verdict clears the screen, and a line of keys is below it; elsewhere, such as in a pipe, blocks of
plain text follow each other.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import click

from grader.cli.progress import CLEAR_LINE
from grader.core.model import ExerciseResult
from grader.report import NONE_OPENED, Help, Style, exercise_text, list_text, quizzes_text
from grader.report.text_layout import columns
from grader.workspace.watch import FinishedRun

_CLEAR = "\x1b[H\x1b[2J"  # clears the visible screen; the scrollback stays


class Screen:
    """Prints verdicts and the line of keys. That line has no newline, and is erased before anything else is printed."""

    def __init__(self, style: Style, *, is_terminal: bool, has_keys: bool) -> None:
        self._style, self._is_terminal, self._has_keys = style, is_terminal, has_keys
        self._last_line = ""

    def verdict(self, text: str, why: str) -> None:
        """Show a verdict below the time and the reason, such as the files that changed."""
        heading = self._style.paint(f"{datetime.now():%H:%M:%S}  {self._style.clean_line(why)}", dim=True)
        self._erase_line()
        click.echo((_CLEAR if self._is_terminal else "") + f"{heading}\n\n{text.rstrip()}\n")

    def below(self, text: str) -> None:
        """Show text below the current output."""
        self._erase_line()
        click.echo(f"{text.rstrip()}\n")

    def status(self, text: str) -> None:
        """Show one line of status, on a terminal only."""
        line = self._style.paint(self._cut(text), dim=True)
        if self._is_terminal and line != self._last_line:
            self._show_line(line)

    def keys(self, focus: str | None, following: str | None) -> None:
        """Show the keys and what they do; `focus` is the exercise they act on, `following` the next one."""
        if not self._has_keys:
            return
        keys = [("n", f"next ({following})")] if following is not None else []
        keys += [("h", f"hint for {focus}"), ("r", "reset it")] if focus is not None else []
        keys += [("l", "list"), ("a", "all again"), ("q", "quit")]
        self._show_line(self._one_line(keys))

    def _one_line(self, keys: Sequence[tuple[str, str]]) -> str:
        """Return keys and what they do, shortened to one line: a line that wraps cannot be erased."""
        short = [(key, what.split()[0]) for key, what in keys]
        for shown, gap in ((keys, "   "), (short, "   "), (short, " ")):
            line = gap.join(f"{self._style.paint(key, bold=True)} {what}" for key, what in shown)
            if columns(click.unstyle(line)) < self._style.width:
                return line
        return f"Keys: {' '.join(key for key, _ in keys)}"

    def leave(self) -> None:
        """Erase the last line, for the prompt of the shell."""
        self._erase_line()

    def _show_line(self, text: str) -> None:
        self._erase_line()
        click.echo(text, nl=False)
        self._last_line = text

    def _erase_line(self) -> None:
        if self._last_line:
            click.echo(CLEAR_LINE, nl=False)
            self._last_line = ""

    def _cut(self, text: str) -> str:
        return self._style.clean_line(text)[: self._style.width - 1]


def verdict_text(
    ended: FinishedRun,
    following: ExerciseResult | None,
    focus: str | None,
    style: Style,
    hints: Mapping[str, Help],
) -> str:
    """Return the text of a verdict: a single exercise in full, several as a list above the one to work on.

    `following` is the exercise to go on with, where the one that was graded has full marks.
    """
    if len(ended.exercises) == 1 and not ended.quizzes:
        both = [*ended.exercises, *([following] if following is not None else [])]
        return "\n".join(exercise_text(result, style, hints.get(result.id, NONE_OPENED)) for result in both)
    if not ended.exercises:
        return quizzes_text(ended.quizzes, style)
    shown = next((result for result in ended.exercises if result.id == focus), None)
    blocks = [list_text(ended.exercises, ended.quizzes, style)]
    if shown is not None and not shown.is_full:
        blocks.append(exercise_text(shown, style, hints.get(shown.id, NONE_OPENED)))
    return "\n\n".join(blocks)


def to_work_on(results: Sequence[ExerciseResult], before: str | None) -> str | None:
    """Return the exercise to work on next: the only one that was graded, else the one of before, else a begun one."""
    if len(results) == 1:
        return results[0].id
    left = [result for result in results if not result.is_full]
    if not left or any(result.id == before for result in left):
        return before
    return max(left, key=lambda result: result.points > 0).id
