"""Runs commands of `grade` for the tests, each in a process forked from one that has imported torch and the engine.

A command that is typed spends nearly all of its time importing: itself, and torch in its warm process. Here the server has
imported both, and forks the command, which forks its warm process. All else is as in a command that is typed: its own
process, folder, environment and streams, and a warm process with its sandbox that no other command shares.

It also forks warm processes for commands and dispatchers that run in pytest itself (`ServedZygote`).

`python command_server.py serve SOCKET` serves until its stdin is closed. `python command_server.py run SOCKET ARGUMENTS...` has
it run a command, and takes the place of `grade` in a shell.
"""

import atexit
import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, NamedTuple, NoReturn


def run(
    server: str,
    arguments: Sequence[str],
    streams: Mapping[int, int],
    *,
    folder: str,
    environment: Mapping[str, str],
    limit_s: float | None = None,
    before: str = "",
) -> int:
    """Have the server run a command; return its exit code.

    `streams` are the descriptors of its stdin, stdout and stderr, by number; those that are missing are closed in it.
    `before` is code that its process executes first. When the time limit ends, the command is killed, and the exit code
    is -SIGKILL.
    """
    request = {
        "arguments": arguments,
        "folder": folder,
        "environment": dict(environment),
        "streams": list(streams),
        "before": before,
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(server)
        answers = _order(connection, request, list(streams.values()))
        answers.readline()  # its process id
        connection.settimeout(limit_s)
        try:
            code = answers.readline()
        except TimeoutError:
            return -signal.SIGKILL
    assert code, "the server of commands has ended"
    return int(code)


def _order(connection: socket.socket, request: Mapping[str, Any], descriptors: Sequence[int]) -> IO[bytes]:
    """Send a request. Returns what the answers come from, a line each: the process id, and in the end the exit code."""
    socket.send_fds(connection, [b"R"], descriptors)
    connection.sendall(json.dumps(request).encode() + b"\n")
    return connection.makefile("rb")


class _Beginning(NamedTuple):
    """With what a warm process begins."""

    folder: str
    environment: dict[str, str]
    max_level: int
    many: int


class _Zygote:
    """What the grader uses of Popen, for a warm process that is forked from an interpreter that has imported torch."""

    pid: int
    returncode: int | None = None

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int,
        stdout: IO[bytes],
        stderr: IO[bytes],
        cwd: str,
        env: Mapping[str, str],
        pass_fds: Sequence[int],
        start_new_session: bool,
    ) -> None:
        assert (stdin, stderr, start_new_session) == (subprocess.DEVNULL, stdout, True)
        # The only program that grader.grading.starters starts itself.
        assert command[1:4] == ["-P", "-m", "grader.grading.zygote"]
        control, _, max_level, many = map(int, command[4:])
        assert pass_fds == [control]
        self._begin(control, stdout, _Beginning(cwd, dict(env), max_level, many))

    def _begin(self, control: int, output: IO[bytes], beginning: _Beginning) -> None:
        """Start the process and set its `pid`; it is given the descriptor `control`, and writes to `output`."""
        raise NotImplementedError

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        raise NotImplementedError

    def wait(self) -> int | None:
        """Wait until the process has ended; return its exit code."""
        raise NotImplementedError

    def kill(self) -> None:
        """Kill the process, unless it has ended."""
        if self.poll() is None:
            # It may have ended, and another process waited for it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class ServedZygote(_Zygote):
    """A warm process forked from the server. It is killed where this process ends."""

    def __init__(self, server: str, command: Sequence[str], **options: Any) -> None:
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.connect(server)
        super().__init__(command, **options)

    def _begin(self, control: int, output: IO[bytes], beginning: _Beginning) -> None:
        with Path(os.devnull).open("rb") as empty:
            descriptors = [empty.fileno(), output.fileno(), output.fileno(), control]
            request = {"zygote": beginning, "streams": [0, 1, 2]}
            self._answers = _order(self._connection, request, descriptors)
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            return self.wait()
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = int(self._answers.readline() or -signal.SIGKILL)
            self._answers.close()
            self._connection.close()
        return self.returncode


# --- the server


def serve(path: str) -> "dict[str, Any] | None":
    """Fork a command for each connection. Returns a request in the process that is to run it, None when stdin is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the processes that wait for commands
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(path)
    listening.listen()
    poller = select.poll()
    poller.register(listening, select.POLLIN)
    poller.register(0, 0)  # POLLHUP is always reported
    os.write(1, b"R")
    while True:
        if any(descriptor == 0 for descriptor, _ in poller.poll()):
            return None
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            return _forked(connection)
        connection.close()


def _forked(connection: socket.socket) -> dict[str, Any]:
    """Return the request in the command's process. Its parent sends the exit code, and kills it if the client ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 4)
    with connection.makefile("rb") as file:
        request: dict[str, Any] = json.loads(file.readline())
    numbers = request["streams"]
    streams, request["descriptors"] = descriptors[: len(numbers)], descriptors[len(numbers) :]
    command = os.fork()
    if command == 0:
        connection.close()
        for number, stream in zip(numbers, streams, strict=True):
            os.dup2(stream, number)
        for stream in (*streams, *({0, 1, 2} - set(numbers))):
            os.close(stream)
        return request
    for stream in (0, 1, 2, *descriptors):
        os.close(stream)
    connection.sendall(b"%d\n" % command)
    watched = select.poll()
    watched.register(os.pidfd_open(command), select.POLLIN)
    watched.register(connection, select.POLLHUP)
    if any(event & select.POLLHUP for _, event in watched.poll()):
        os.kill(command, signal.SIGKILL)
    _, status = os.waitpid(command, 0)
    with contextlib.suppress(OSError):
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def run_here(request: Mapping[str, Any]) -> None:
    """Run the command of a request in this process, as `python -P -m grader` does."""
    import tempfile

    from grader.cli import main
    from grader.grading import starters

    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    tempfile.tempdir = None  # it depends on the environment
    _open_streams()
    sys.argv = ["grade", *request["arguments"]]
    exec(request["before"], {})
    # Only this module's Popen: all others start real programs.
    starters.subprocess = SimpleNamespace(DEVNULL=subprocess.DEVNULL, Popen=_ForkedZygote)  # type: ignore[assignment]
    main()


def _open_streams() -> None:
    """Make sys.stdin, stdout and stderr of the descriptors 0 to 2, or None of one that is closed."""
    for number, (name, mode, errors) in enumerate(
        [("stdin", "r", "strict"), ("stdout", "w", "strict"), ("stderr", "w", "backslashreplace")]
    ):
        stream = None
        with contextlib.suppress(OSError):  # it is closed
            stream = open(number, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115 - open to the end
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def end(code: int) -> NoReturn:
    """End this process as the interpreter does, but free no memory: that would copy what is shared with the server."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except OSError:
        code = 120  # as the interpreter's own
    os._exit(code)


# --- the warm process of a command


class _ForkedZygote(_Zygote):
    """A warm process forked from this one."""

    def _begin(self, control: int, output: IO[bytes], beginning: _Beginning) -> None:
        self.pid = os.fork()
        if self.pid:
            return
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number in (1, 2):
            os.dup2(output.fileno(), number)
        os.closerange(3, control)
        os.closerange(control + 1, 2**20)
        _be_zygote(control, beginning)

    def poll(self) -> int | None:
        return self._wait(os.WNOHANG)

    def wait(self) -> int | None:
        return self._wait(0)

    def _wait(self, options: int) -> int | None:
        if self.returncode is None:
            process, status = os.waitpid(self.pid, options)
            if process:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def _be_zygote(control: int, beginning: _Beginning) -> NoReturn:
    """Be the warm process of this process's parent. stdin, stdout and stderr are its own already."""
    code = 1
    try:
        os.setsid()
        os.chdir(beginning.folder)
        os.environ.clear()
        os.environ.update(beginning.environment)
        _open_streams()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from grader.grading.zygote.__main__ import main

        main(control, os.getppid(), beginning.max_level, many=bool(beginning.many))
        code = 0
    except SystemExit as ending:
        sys.stderr.write(f"{ending.code}\n")
    except BaseException:  # noqa: BLE001 - as the interpreter does
        sys.excepthook(*sys.exc_info())
    sys.stderr.flush()
    os._exit(code)


def _import_all() -> None:
    """Import what commands and warm processes import."""
    import pkgutil

    import torch

    import grader.cli
    from grader.grading.zygote import warm_process  # noqa: F401

    torch.set_num_threads(1)
    for module in pkgutil.iter_modules(grader.cli.__path__, "grader.cli."):
        __import__(module.name)


def main(role: str, server: str, *arguments: str) -> None:
    if role == "run":
        # What the interpreter found closed: the next file that was opened may have its number.
        given = {n: n for n, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)) if stream is not None}
        code = run(server, arguments, given, folder=str(Path.cwd()), environment=os.environ)
        sys.exit(code if code >= 0 else 128 - code)  # as a shell reports a signal
    _import_all()
    gc.collect()
    gc.freeze()  # or each command would copy what is shared when it looks for garbage
    request = serve(server)
    if request is not None and "zygote" in request:
        (control,) = request["descriptors"]
        _be_zygote(control, _Beginning(*request["zygote"]))
    if request is not None:
        try:
            run_here(request)
        except SystemExit as ending:
            end(ending.code if isinstance(ending.code, int) else int(ending.code is not None))


if __name__ == "__main__":
    main(*sys.argv[1:])
