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
_NAMES = ("local", "processes", "loky")


@contextlib.contextmanager
def open_executor(name: str, width: int) -> Iterator[tuple[Executor, int, int]]:
    """Give an executor, how much it does at once, and how many jobs each of its processes grades side by side."""
    made: Executor
    if name == "local":
        made, slots = ThreadPoolExecutor(width), width
    elif name == "processes":
        made, slots = ProcessPoolExecutor(width), 1
    elif name == "loky":
        made, slots = _loky(width), 1
    elif name.startswith(_DASK):
        made, width = _dask(name.removeprefix(_DASK))
        slots = 1
    else:
        raise UsageError(f'There is no executor "{name}". There are: {", ".join(_NAMES)}, {_DASK}HOST:PORT.')
    try:
        yield made, width, slots
        made.shutdown()
    except BaseException:
        host.stop()  # what is being graded here ends, and whoever waits for it
        made.shutdown(wait=False, cancel_futures=True)
        raise
    finally:
        host.stop()


def _loky(width: int) -> Executor:
    try:
        loky: Any = importlib.import_module("loky")  # an extra, and untyped
    except ImportError:
        raise UsageError("loky is not installed: pip install 'convgrader[class]'.") from None
    pool: Executor = loky.ProcessPoolExecutor(max_workers=width)
    return pool


def _dask(address: str) -> tuple[Executor, int]:
    """Connect to a scheduler; return its executor, and how many threads its workers have together."""
    try:
        distributed: Any = importlib.import_module("distributed")  # an extra, and untyped
    except ImportError:
        raise UsageError("dask is not installed: pip install 'convgrader[class]'.") from None
    try:
        client = distributed.Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise UsageError(f"There is no dask scheduler at {address}: {one_line(str(error))}.") from None
    width = sum(client.nthreads().values())
    if not width:
        raise GraderError(f"The dask scheduler at {address} has no worker. Start one: dask worker {address}.")
    pool: Executor = client.get_executor(pure=False)
    return pool, width
