"""`grade erase`: removes one person's data from a gradebook."""

import getpass
import re
import unicodedata
from pathlib import Path

import click

from grader.classroom import similarity
from grader.classroom.gradebook import Gradebook
from grader.cli import options
from grader.cli.class_options import shown_name
from grader.core.errors import UsageError
from grader.core.safetext import printable

_MAX_REASON_CHARS = 1000


@click.command("erase", short_help="Remove one person's data from a gradebook (for instructors).")
@options.gradebook
@click.argument("student", metavar="STUDENT")
@click.option(
    "--reason", required=True, metavar="TEXT", help="Why, without the name: it is kept, with date and user."
)
def erase_command(gradebook: Path, student: str, reason: str) -> int:
    """Remove every hand-in, attempt and result of STUDENT from FILE.db, so that no byte of them stays in the file.

    It cannot be undone. What is kept: when, by whom and why, the number of attempts, and a salted hash of the name. The
    caches of results and of similar solutions are emptied. Copies elsewhere are yours to delete: backups, the folder
    of --reports, exports, what was handed in.

    Example: grade erase course.db ada --reason "asked for on 3 March, ticket 17"
    """
    if not reason.strip():
        raise UsageError("--reason is empty. Say why, without the name.")
    if reason != printable(reason, limit=_MAX_REASON_CHARS):
        raise UsageError(f"--reason is kept as text: give at most {_MAX_REASON_CHARS} printable characters.")
    if _names(reason, student):
        raise UsageError("--reason holds the name, which would stay in the gradebook. Say it without.")
    with Gradebook(gradebook) as book:
        attempts = book.erase(student, reason=reason, by=_user())
    try:
        similarity.delete_cache()
    except OSError as error:
        raise UsageError(
            f"{error.filename} cannot be deleted: {error.strerror}. Delete it yourself."
        ) from None
    again = "" if attempts else " They were erased before; the file was written anew."
    click.echo(f"{shown_name(student)}: {attempts} attempts erased from {gradebook}.{again}")
    return 0


def _names(reason: str, student: str) -> bool:
    """Tell whether a name stands in a text as words of its own: "ada" does not stand in "adaptive"."""
    name, text = (unicodedata.normalize("NFKC", one).casefold() for one in (student, reason))
    return re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text) is not None


def _user() -> str:
    """Return the name of the user, where the system knows one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
