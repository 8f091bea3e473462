"""`grade quiz --serve`: shows a quiz in a browser of this machine until the student stops it."""

import os
import sys
import threading
import webbrowser

import click

from grader.workspace.answers_file import AnswersFile
from grader.workspace.loopback_server import LoopbackServer
from grader.workspace.quiz_tries import QuizTries
from grader.workspace.served_quiz import ServedQuiz

IDLE_S = 3600.0


def serve_quiz(answers: AnswersFile, tries: QuizTries, port: int) -> None:
    """Serve the page of a quiz until Ctrl-C, or until it was not used for an hour. Raises UsageError."""
    answers.begin()  # an error in the file is said here, not in the browser
    served = ServedQuiz(answers, tries)
    with LoopbackServer(port, served.page, served.actions) as server:
        click.echo(f"Open this address in a browser of this machine; it works once:\n{server.address}")
        click.echo("Ctrl-C ends it. Each answer is saved at once.")
        _open(server.address)
        why = f"Not used for {IDLE_S / 60:.0f} minutes, so it ends."
        try:
            server.serve(IDLE_S)
        except KeyboardInterrupt:
            why = "\nEnded."
    served.finish()
    click.echo(f"{why} Your answers are in {answers.path}; `grade` grades them.")


def _open(address: str) -> None:
    """Open the address in a browser with windows, where there is one; one of the terminal would take the terminal."""
    has_windows = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if has_windows and sys.stdout.isatty():
        # In a thread: some browsers are waited for, and their first request is to be answered.
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
