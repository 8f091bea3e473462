"""Runs another program, and reads its output within limits of bytes and time."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

_MAX_INPUT_BYTES = 512  # every system's pipe takes this at once


class ProcessFailed(Exception):
    """A program could not be started, failed, or did not end in time."""


def output_of(
    command: Sequence[str],
    *,
    limit_bytes: int,
    limit_s: float,
    given: bytes = b"",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    memory_bytes: int | None = None,
) -> bytes:
    """Return what a program writes; `limit_bytes` + 1 of it if it writes more, and then the program is killed.

    `given` is its input, at most 512 bytes, and what it writes to stderr is dropped. `memory_bytes` limits its
    addresses, on Linux only. Raises ProcessFailed.
    """
    assert len(given) <= _MAX_INPUT_BYTES, "a program that does not read it would block the grader"
    try:
        process = subprocess.Popen(
            command if memory_bytes is None else _limited(command, memory_bytes),
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
    except OSError as error:
        raise ProcessFailed from error
    assert process.stdin is not None
    assert process.stdout is not None
    deadline = threading.Timer(limit_s, _kill, [process])
    with process:
        try:
            deadline.start()
            with process.stdin as pipe:
                pipe.write(given)
            output = process.stdout.read(limit_bytes + 1)
            if len(output) <= limit_bytes and process.wait() != 0:
                raise ProcessFailed
        except OSError as error:  # it ended before it read its input
            raise ProcessFailed from error
        finally:
            deadline.cancel()
            if process.returncode is None:
                _kill(process)
    return output


def _limited(command: Sequence[str], memory_bytes: int) -> Sequence[str]:
    """Return the command behind a shell that sets the limit: one set from here would come after the program starts."""
    if sys.platform != "linux":
        return command
    return ["/bin/sh", "-c", 'ulimit -v "$0" && exec "$@"', str(memory_bytes // 2**10), *command]


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a program that was not waited for, and on POSIX what it started, which may keep its output open."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: one that has ended
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
