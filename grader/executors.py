"""Where the work of a class runs: any `concurrent.futures.Executor`, opened by name."""

import contextlib
import importlib
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from grader import host
from grader.errors import GraderError, UsageError
from grader.safetext import one_line

_DASK = "dask://"
_WORKER_WAIT_S = 30.0
_NAMES = ("local", "processes", "loky")


@contextlib.contextmanager
def open_executor(name: str, width: int) -> Iterator[tuple[Executor, int, int]]:
    """Give an executor, how much it does at once, and how many jobs each of its processes grades side by side.

    `local` grades in this process's own warm process, `width` jobs at a time; `processes` and `loky` start `width`
    processes; `dask://HOST:PORT` takes every worker of a cluster. Raises UsageError for what is none of these.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(host.stop)
        slots = width if name == "local" else 1
        if name == "local":
            made: Executor = ThreadPoolExecutor(width)
        elif name == "processes":
            made = ProcessPoolExecutor(width)
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
            host.stop()  # what is being graded here ends, and whoever waits for it
            made.shutdown(wait=False, cancel_futures=True)
            raise
        made.shutdown()


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
