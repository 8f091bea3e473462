"""Where the work of a class runs: any `concurrent.futures.Executor`, opened by name."""

import contextlib
import importlib
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from grader.classroom import remote_worker
from grader.core.errors import GraderError, UsageError
from grader.core.safetext import one_line

_DASK = "dask://"
_WORKER_WAIT_S = 30.0
_NAMES = ("processes", "local", "loky")
_P = ParamSpec("_P")
_T = TypeVar("_T")


@contextlib.contextmanager
def open_executor(name: str, width: int) -> Iterator[tuple[Executor, int, int]]:
    """Give an executor, how much it does at once, and how many jobs each of its processes grades side by side.

    `processes` starts `width` processes that share one warm process; `local` is as many threads around it; `loky`
    starts `width` processes with a warm process each; `dask://HOST:PORT` takes every worker of a cluster. Raises
    UsageError for what is none of these.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(remote_worker.stop)
        slots = width if name == "local" else 1
        if name == "local":
            made: Executor = ThreadPoolExecutor(width)
        elif name == "processes":
            made = _Processes(width)
        elif name == "loky":
            made = _extra("loky").ProcessPoolExecutor(max_workers=width)
        elif name.startswith(_DASK):
            client = stack.enter_context(_dask_client(name.removeprefix(_DASK)))
            made, width = client.get_executor(pure=False), sum(client.nthreads().values())
        else:
            raise UsageError(
                f'There is no executor "{name}". There are: {", ".join(_NAMES)}, {_DASK}HOST:PORT.'
            )
        try:
            yield made, width, slots
        except BaseException:
            made.shutdown(wait=False, cancel_futures=True)
            remote_worker.stop()  # what is being graded here ends, and whoever waits for it
            raise
        made.shutdown()


class _Processes(Executor):
    """A pool of processes that share one warm process. All of it starts with the first work: there may be none."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        """Hand out work."""
        self._pool = self._pool or self._start()
        return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes; without `wait` in the middle of their work."""
        if self._pool is None:
            return
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)
        if not wait:
            for process in multiprocessing.active_children():
                process.kill()

    def _start(self) -> ProcessPoolExecutor:
        method = "spawn"
        if sys.platform == "linux":
            remote_worker.share(
                self._width
            )  # in this process, so that it ends with it; a process of the pool may be lost
            method = "fork"
        context = multiprocessing.get_context(method)
        slots = context.SimpleQueue()
        for slot in range(self._width):
            slots.put(slot)
        return ProcessPoolExecutor(self._width, context, remote_worker.join, (slots,))


def _extra(name: str) -> Any:
    """Import an extra. They are untyped."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UsageError(f"{name} is not installed: pip install 'convgrader[class]'.") from None


def _dask_client(address: str) -> Any:
    """Connect to a scheduler; wait for its first worker, which may be starting just now."""
    try:
        client = _extra("distributed").Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise UsageError(f"There is no dask scheduler at {address}: {one_line(str(error))}.") from None
    try:
        client.wait_for_workers(1, timeout=_WORKER_WAIT_S)
    except TimeoutError:
        client.close()
        raise GraderError(
            f"The dask scheduler at {address} has no worker. Start one: dask worker tcp://{address}."
        ) from None
    return client
