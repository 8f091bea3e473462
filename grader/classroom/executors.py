"""Where the work of a class runs: any `concurrent.futures.Executor`, opened by name."""

import contextlib
import importlib
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from grader.classroom import remote_worker
from grader.core.errors import GraderError, UsageError
from grader.core.safetext import one_line

_DASK = "dask://"
_CONNECT_TIMEOUT_S = 10.0
_WORKER_TIMEOUT_S = 30.0
_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedExecutor:
    """An executor that is ready for work.

    `width` is how many orders it runs at once, `slots` how many jobs each of its processes grades side by side.
    """

    pool: Executor
    width: int
    slots: int = 1


@contextlib.contextmanager
def open_executor(name: str, width: int) -> Iterator[OpenedExecutor]:
    """Open an executor, and shut it down at the end.

    `processes` starts `width` processes that share one warm process; `local` starts as many threads around it;
    `dask://HOST:PORT` uses every worker of a cluster, each with its own warm process. Raises UsageError for any other
    name and for a scheduler that cannot be reached, GraderError for a cluster without workers.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(remote_worker.stop)
        if name == "local":
            opened = OpenedExecutor(pool=ThreadPoolExecutor(width), width=width, slots=width)
        elif name == "processes":
            opened = OpenedExecutor(pool=_SharedProcessPool(width), width=width)
        elif name.startswith(_DASK):
            client = stack.enter_context(_dask_client(name.removeprefix(_DASK)))
            opened = OpenedExecutor(
                pool=client.get_executor(pure=False), width=sum(client.nthreads().values())
            )
        else:
            raise UsageError(f'There is no executor "{name}". Use processes, local or {_DASK}HOST:PORT.')
        try:
            yield opened
        except BaseException:
            opened.pool.shutdown(wait=False, cancel_futures=True)
            remote_worker.stop()  # ends every grading in this process, and so the threads that wait for one
            raise
        opened.pool.shutdown()


class _SharedProcessPool(Executor):
    """A pool of processes that share one warm process. Both start with the first order, since there may be none.

    A process that is killed breaks a pool with all that it works on. The next order starts another.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        """Submit a call to the pool."""
        if self._pool is not None:
            with contextlib.suppress(BrokenExecutor):
                return self._pool.submit(fn, *args, **kwargs)
            self._pool.shutdown()
        self._pool = self._start()
        return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes; without `wait`, kill them while they work."""
        if self._pool is None:
            return
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)
        if not wait:
            for process in multiprocessing.active_children():
                process.kill()

    def _start(self) -> ProcessPoolExecutor:
        method = "spawn"
        if sys.platform == "linux":
            # In this process, so that the warm process outlives any process of the pool, and ends with this one.
            remote_worker.start_shared(self._width)
            method = "fork"
        context = multiprocessing.get_context(method)
        slots = context.SimpleQueue()
        for slot in range(self._width):
            slots.put(slot)
        return ProcessPoolExecutor(self._width, context, remote_worker.begin_pool_process, (slots,))


def _dask_client(address: str) -> Any:
    """Connect to a scheduler; wait for its first worker, which may still be starting."""
    try:
        distributed: Any = importlib.import_module("distributed")  # an extra, and untyped
    except ImportError:
        raise UsageError("distributed is not installed: pip install 'convgrader[class]'.") from None
    try:
        client = distributed.Client(address, timeout=_CONNECT_TIMEOUT_S)
    except (OSError, ValueError) as error:
        raise UsageError(f"There is no dask scheduler at {address}: {one_line(str(error))}.") from None
    try:
        client.wait_for_workers(1, timeout=_WORKER_TIMEOUT_S)
    except TimeoutError:
        client.close()
        raise GraderError(
            f"The dask scheduler at {address} has no worker. Start one: dask worker tcp://{address}."
        ) from None
    return client
