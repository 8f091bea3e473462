"""`grade list`: the exercises and quizzes of a course; in a workspace also the progress and the next step."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from grader import quiz
from grader.cli import options, terminal
from grader.core.model import Exercise
from grader.course import catalog
from grader.quiz import Bank
from grader.report import Style, hidden_sentence, sum_hidden
from grader.report.text_layout import amount, columns, cut, number
from grader.workspace.progress import Answered, Standing, State, WorkspaceProgress

_MIN_TITLE_COLUMNS = 10  # a shorter part of a title is useless


@click.command("list", short_help="List exercises and quizzes, what is done, and what is next.")
@options.submission("The workspace; this folder unless given.")
@options.course
def list_command(submission: Path) -> int:
    """List the exercises and quizzes of the course, in the order of the notes.

    In a workspace it also shows your progress and the next step: the points of each exercise when it was last graded,
    and how much of each quiz you answered. It grades nothing.

    \b
    grade list
    grade list --submission my-cnn
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    course = catalog.load(catalog.find_root())
    if course.title:
        click.echo(f"{course.title}\n")
    banks = quiz.load_banks(course.quizzes)
    progress = WorkspaceProgress(submission)
    if not progress.is_stored():
        _list_course(course.exercises, banks)
        return 0
    style = terminal.style()
    exercises, quizzes = progress.exercises(course.exercises), progress.quizzes(banks)
    rows = [
        (exercise.id, exercise.title, _standing_text(exercises[exercise.id])) for exercise in course.exercises
    ]
    click.echo("\n".join(["Exercises\n", *_rows(rows, style)]))
    if banks:
        rows = [(bank.id, bank.title, _answered_text(quizzes[bank.id])) for bank in banks]
        click.echo("\n".join(["\nQuizzes\n", *_rows(rows, style)]))
    hidden = sum_hidden(standing.hidden for standing in exercises.values())
    if hidden is not None:
        click.echo("\n" + click.wrap_text(hidden_sentence(hidden), width=style.width))
    following = next_step(course.exercises, exercises, quizzes)
    click.echo("\n" + click.wrap_text(following, width=style.width))
    return 0


def _list_course(exercises: Sequence[Exercise], banks: Sequence[Bank]) -> None:
    parts = [
        ("Exercises", [(e.id, e.points, e.section, e.title) for e in exercises]),
        ("Quizzes", [(bank.id, bank.max_points, bank.section, bank.title) for bank in banks]),
    ]
    for heading, rows in parts:
        if rows:
            name_width = max(len(name) for name, *_ in rows)
            click.echo(f"{heading}\n")
            for name, points, section, title in rows:
                click.echo(f"  {name:<{name_width}}  {points:>4g} points  section {section:<4}  {title}")
            click.echo()
    click.echo("Start with `grade init DIR`; then `grade`, `grade hint EXERCISE`, `grade quiz QUIZ`.")


def _standing_text(standing: Standing) -> str:
    points = f"{amount(standing.points, standing.max_points)} points"
    match standing.state:
        case State.GRADED if standing.hidden is not None:
            hidden = number(standing.hidden.max_points)
            return f"{points}, {hidden} hidden" if standing.max_points else f"graded, {hidden} points hidden"
        case State.GRADED:
            return f"done, {points}" if standing.is_done else points
        case State.CHANGED:
            return f"changed since {points}"
        case state:
            return str(state)


def _answered_text(found: Answered | None) -> str:
    if found is None:
        return "cannot be read: `grade`"
    return f"{found.count} of {found.of} answered" if found.count else "not begun"


def _rows(rows: Sequence[tuple[str, str, str]], style: Style) -> Iterator[str]:
    """Yield a line for each row: name, as much of the title as fits, and the state at the right edge."""
    name_width = max(columns(name) for name, _, _ in rows)
    state_width = max(columns(state) for _, _, state in rows)
    title_width = style.width - name_width - state_width - 6
    has_titles = title_width > _MIN_TITLE_COLUMNS
    for name, title, state in rows:
        shown = cut(style.clean_line(title), title_width, style) if has_titles else ""
        gap = " " * (title_width - columns(shown) + 2 if has_titles else 0)
        yield f"  {name}{' ' * (name_width - columns(name))}  {shown}{gap}{state.rjust(state_width)}"


def next_step(
    exercises: Sequence[Exercise], standings: Mapping[str, Standing], quizzes: Mapping[str, Answered | None]
) -> str:
    """Return the next step: an exercise that is begun, else the first that is not, else a quiz."""
    left = [exercise for exercise in exercises if not standings[exercise.id].is_done]
    begun = [exercise for exercise in left if standings[exercise.id].state is not State.NOT_BEGUN]
    unanswered = [name for name, found in quizzes.items() if found is None or found.count < found.of]
    if begun:
        return f"Next: `grade {begun[0].id}`."
    if left:
        return f"Next: open exercises/{left[0].id}.py, and run `grade {left[0].id}`."
    if unanswered:
        return f"Next: `grade quiz {unanswered[0]}`."
    if any(standing.hidden is not None for standing in standings.values()):
        return "Everything you can see is done. `grade` shows your points."
    return "Everything is done. `grade` shows your points."
