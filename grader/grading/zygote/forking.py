"""How the warm process forks: what it does before, what its children do first, and how it learns how they ended."""

import contextlib
import fcntl
import gc
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from grader.sandbox.worker import linux

_TOLD = 70  # the exit status of a child that has written why it failed
_MEANING = {
    signal.SIGALRM: ", its time limit",
    signal.SIGKILL: ", from outside, as by the OOM killer",
}
_children: dict[int, str] = {}  # the names of the children that run, by process id


def freeze_heap() -> None:
    """Collect garbage and freeze the rest, so that children share its pages; from now on note how children end."""
    signal.signal(signal.SIGCHLD, _reap)
    gc.collect()
    gc.freeze()


def fork_child(name: str, what: Callable[[], None]) -> int:
    """Fork a child that runs `what`, and exits; return its process id.

    `name` is what `ps` shows, and how messages start. The child is killed when its parent ends. Raises OSError where no
    process can be forked (see `linux.fork_patiently`).
    """
    parent = os.getpid()
    child = linux.fork_patiently()
    if child:
        _children[child] = name
        _reap()  # it may have ended before its name was known
        return child
    status = _TOLD
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        _children.clear()
        linux.name_process(name)
        linux.die_with_parent()
        if os.getppid() != parent:
            os._exit(status)  # the parent ended before the call above
        what()
        status = 0
    except BaseException as error:  # noqa: BLE001 - a child must never return into its parent's loop
        traceback.print_exc()
        note(name, f"{type(error).__name__}: {error}")
    finally:
        sys.stderr.flush()
        os._exit(status)


def end_with_peer(connection: socket.socket) -> None:
    """End this process when the other end of a connection is closed: then nothing waits for what it computes.

    The warm process may outlive the command, so the end of that does not end this process.
    """

    def end_if_closed(*_: object) -> None:
        if connection.fileno() < 0:
            return  # closed here, and the signal came just before
        poller = select.poll()  # a new one, as the next signal may come while this one is handled
        poller.register(connection, 0)  # POLLHUP is always reported
        if poller.poll(0):
            os._exit(0)

    signal.signal(signal.SIGIO, end_if_closed)
    descriptor = connection.fileno()
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)
    end_if_closed()  # it may have closed before


def outlive_peer() -> None:
    """Do not end any more when the other end is closed: another order may come through another connection."""
    signal.signal(signal.SIGIO, signal.SIG_IGN)


def note(name: str, what: str) -> None:
    """Write a line to stderr, where the command looks for the reason when a process has died.

    Not through sys.stderr, which a handler of a signal may not use while it is in use.
    """
    with contextlib.suppress(OSError):  # the disk is full: the reason is lost, and nothing else
        os.write(2, f"{name}: {what}\n".encode("utf-8", "backslashreplace"))


def how_it_ended(status: int) -> str:
    """Return in words what `waitpid` returned; "" for a process that ended well, or has said itself why not."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        name = next((known.name for known in signal.Signals if known == -code), str(-code))
        return f"killed by {name}{_MEANING.get(-code, '')}"  # type: ignore[call-overload]
    return f"ended with exit status {code}" if code not in (0, _TOLD) else ""


def _reap(*_: object) -> None:
    """Take note of the children that have ended: the handler of SIGCHLD, which another SIGCHLD may interrupt."""
    for child, name in list(_children.items()):
        try:
            found, status = os.waitpid(child, os.WNOHANG)
        except (
            ChildProcessError
        ):  # the call that was interrupted, or that interrupted this one, has waited for it
            _children.pop(child, None)
            continue
        if found:
            _children.pop(child, None)
            if how := how_it_ended(status):
                note(name, how)


def wait_for_children() -> None:
    """Wait until every child that was forked here has ended."""
    for child in list(_children):
        with contextlib.suppress(ChildProcessError):  # the handler was faster
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    _reap()


def thread_count() -> int:
    """Return how many threads this process has; with more than one it cannot be forked safely."""
    return len(list(Path("/proc/self/task").iterdir()))
