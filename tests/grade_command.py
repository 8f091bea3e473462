"""Commands of `grade` as tests run them: each a process of its own, and command_server.py says what they share."""

import atexit
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import command_server

from grader.sandbox.spawned import clean_environment


@cache
def _server() -> str:
    """Start the server of this pytest worker, and return its socket. It ends with the worker, which holds its stdin."""
    folder = tempfile.mkdtemp(prefix="grade-")
    atexit.register(shutil.rmtree, folder)
    server = subprocess.Popen(
        [sys.executable, "-P", command_server.__file__, "serve", f"{folder}/socket"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
        env=clean_environment(),
    )
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stdout.read(1) == b"R"
    server.stdout.close()
    atexit.register(server.wait)
    atexit.register(server.stdin.close)  # runs first
    return f"{folder}/socket"


def run(
    *arguments: object,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    typed: str = "",
    limit_s: float = 300,
    before: str = "",
    **changes: str,
) -> subprocess.CompletedProcess[str]:
    """Run `grade` in a folder, with this environment or pytest's own, and `changes` to it.

    `before` is code that its process executes first.
    """
    words = [str(argument) for argument in arguments]
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        given.write(typed.encode())
        given.seek(0)
        code = command_server.run(
            _server(),
            words,
            {0: given.fileno(), 1: output.fileno(), 2: errors.fileno()},
            folder=str(folder),
            environment={**(os.environ if environment is None else environment), **changes},
            limit_s=limit_s,
            before=before,
        )
        for file in (output, errors):
            file.seek(0)
        return subprocess.CompletedProcess(
            ["grade", *words], code, output.read().decode(), errors.read().decode()
        )


def start_zygote(command: Sequence[str], **options: Any) -> command_server.ServedZygote:
    """Start a warm process, in the place of `subprocess.Popen` in grader.grading.starters."""
    return command_server.ServedZygote(_server(), command, **options)


def tool() -> str:
    """Return the text of a shell script that takes the place of `grade`."""
    client = [sys.executable, "-S", "-P", command_server.__file__, "run", _server()]
    return f'#!/bin/sh\nexec {shlex.join(client)} "$@"\n'
