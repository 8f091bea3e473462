"""Frames: a magic number, two lengths, a msgpack header, raw tensor buffers. Sizes are checked before allocation."""

import contextlib
import errno
import math
import os
import queue
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import IO, Protocol, TypeVar

from grader.core.errors import ProtocolError

MAGIC = b"CG1\n"
MAX_HEADER_BYTES = 4 * 2**20
MAX_PAYLOAD_BYTES = 256 * 2**20
_PREFIX = struct.Struct("!4sII")
_LARGE_BYTES = 2**14

Used = TypeVar("Used")


class Closed(Exception):
    """The other side closed the connection."""


class Overdue(Exception):
    """The deadline passed before a whole frame was received, or sent."""


class TooLarge(ProtocolError):
    """A frame that the other side would refuse; nothing of it was sent."""


class Channel(Protocol):
    """One end of a connection that carries whole frames."""

    def send(self, header: bytes, payload: bytes = b"", deadline: float | None = None) -> None:
        """Send one frame; raise Closed when the other end is closed, Overdue when it does not read in time.

        Raises TooLarge for what the other end would refuse.
        """

    def receive(self, deadline: float | None = None) -> tuple[bytes, bytearray]:
        """Return the next frame's header and payload; raise Closed, Overdue or ProtocolError.

        `deadline` is a value of time.monotonic(), in seconds; None waits without limit.
        """

    def close(self) -> None:
        """Close this end."""


def _lengths(prefix: bytes | bytearray) -> tuple[int, int]:
    """Return the two lengths that a received prefix announces; raise ProtocolError before anything is allocated."""
    magic, header, payload = _PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise ProtocolError("a frame does not start with the magic number")
    if not fits(header, payload):
        raise ProtocolError(f"a frame announces {header} + {payload} bytes, more than the limits of a frame")
    return header, payload


def fits(header: int, payload: int) -> bool:
    """Return whether a frame may have a header and a payload of so many bytes."""
    return header <= MAX_HEADER_BYTES and payload <= MAX_PAYLOAD_BYTES


def _prefix(header: bytes, payload: bytes) -> bytes:
    """Return the start of a frame to send; raise TooLarge where the other end would refuse it."""
    if not fits(len(header), len(payload)):
        raise TooLarge(
            f"a frame of {len(header)} + {len(payload)} bytes is larger than the limits of a frame"
        )
    return _PREFIX.pack(MAGIC, len(header), len(payload))


def _frame(header: bytes, payload: bytes) -> bytes:
    return _prefix(header, payload) + header + payload


def _left(deadline: float | None) -> float | None:
    """Return the seconds until a deadline; None without one. Raises TimeoutError once it has passed."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Receiver:
    """Receives whole frames from parts of any size, each by a deadline."""

    def receive(self, deadline: float | None = None) -> tuple[bytes, bytearray]:
        """Return the next frame's header and payload."""
        header, payload = _lengths(self._exactly(_PREFIX.size, deadline))
        return bytes(self._exactly(header, deadline)), self._exactly(payload, deadline)

    def _exactly(self, count: int, deadline: float | None) -> bytearray:
        received = bytearray(count)
        view, done = memoryview(received), 0
        while done < count:
            try:
                got = self._some(view[done:], deadline)
            except TimeoutError as error:
                raise Overdue from error
            except OSError as error:
                raise Closed from error
            if not got:
                raise Closed
            done += got
        return received

    def _some(self, view: memoryview, deadline: float | None) -> int:
        """Fill a part of `view`; return its size, 0 at the end. Raises TimeoutError at the deadline, and OSError."""
        raise NotImplementedError


class SocketChannel(_Receiver):
    """A channel over a connected stream socket; the socket's timeout enforces the deadline."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def fileno(self) -> int:
        """Return the descriptor, for selectors."""
        return self._connection.fileno()

    def send(self, header: bytes, payload: bytes = b"", deadline: float | None = None) -> None:
        """Send one frame."""
        try:
            self._connection.settimeout(_left(deadline))
            self._connection.sendall(_frame(header, payload))
        except TimeoutError as error:
            raise Overdue from error
        except OSError as error:
            raise Closed from error

    def _some(self, view: memoryview, deadline: float | None) -> int:
        self._connection.settimeout(_left(deadline))
        return self._connection.recv_into(view)

    def close(self) -> None:
        """Close this end."""
        self._connection.close()


class PolledChannel(_Receiver):
    """A channel over two descriptors that may be pipes; poll enforces the deadline. Not for Windows.

    It polls only where there is nothing to read, or no space to write: most parts of a frame are there at once.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        for descriptor in (reading, writing):
            os.set_blocking(descriptor, False)

    def send(self, header: bytes, payload: bytes = b"", deadline: float | None = None) -> None:
        """Send one frame."""
        data = memoryview(_frame(header, payload))
        try:
            while data:
                _left(deadline)  # raises at the deadline, also where there is always some space
                try:
                    data = data[os.write(self._writing, data) :]
                except BlockingIOError:
                    _await(self._writing, select.POLLOUT, deadline)
        except TimeoutError as error:
            raise Overdue from error
        except OSError as error:
            raise Closed from error

    def _some(self, view: memoryview, deadline: float | None) -> int:
        while True:
            _left(deadline)  # raises at the deadline, also where there is always something to read
            try:
                return os.readv(self._reading, [view])
            except BlockingIOError:
                _await(self._reading, select.POLLIN, deadline)

    def close(self) -> None:
        """Close both descriptors; once closed, they stay so."""
        ends, self._reading, self._writing = {self._reading, self._writing} - {-1}, -1, -1
        for descriptor in ends:
            os.close(descriptor)


def _await(descriptor: int, events: int, deadline: float | None) -> None:
    """Wait until a descriptor is ready. Raises TimeoutError at the deadline, OSError where it is closed."""
    if descriptor < 0:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    left = _left(deadline)
    poller = select.poll()
    poller.register(descriptor, events)
    if not poller.poll(None if left is None else math.ceil(left * 1000)):
        raise TimeoutError


class DescriptorChannel:
    """A channel that uses only read(2) and write(2): a locked-down worker may call nothing else on descriptors.

    It keeps no deadline: the grader's side does.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing

    def send(self, header: bytes, payload: bytes = b"", deadline: float | None = None) -> None:
        """Send one frame. Raises ValueError for a deadline."""
        if deadline is not None:
            raise ValueError("a descriptor channel keeps no deadline")
        prefix = _prefix(header, payload)
        try:
            # One write wakes the other end once. Joined with a large payload, it would copy that again.
            small = len(payload) <= _LARGE_BYTES
            for part in (prefix + header + payload,) if small else (prefix + header, payload):
                data = memoryview(part)
                while data:
                    data = data[_blocking(self._writing, partial(os.write, self._writing, data)) :]
        except OSError as error:
            raise Closed from error

    def receive(self, deadline: float | None = None) -> tuple[bytes, bytearray]:
        """Return the next frame's header and payload."""
        if deadline is not None:
            raise ValueError("a descriptor channel keeps no deadline")
        header, payload = _lengths(self._exactly(_PREFIX.size))
        return bytes(self._exactly(header)), self._exactly(payload)

    def _exactly(self, count: int) -> bytearray:
        received = bytearray()
        while len(received) < count:
            size = min(count - len(received), 2**20)
            part = _blocking(self._reading, partial(os.read, self._reading, size))
            if not part:
                raise Closed
            received += part
        return received

    def close(self) -> None:
        """Close both descriptors."""
        for descriptor in {self._reading, self._writing}:
            os.close(descriptor)


def _blocking(descriptor: int, use: Callable[[], Used]) -> Used:
    """Read or write a descriptor; make it blocking again if student code set O_NONBLOCK on it.

    Otherwise a race would decide whether such code fails: whether the next frame has arrived when it is read.
    """
    while True:
        try:
            return use()
        except BlockingIOError:
            os.set_blocking(descriptor, True)


class OwnedChannel:
    """The channel of a process that belongs to the one at the other end, and ends as soon as that closes it or ends.

    A thread reads, so that the process ends whatever it does, also while it imports torch.
    """

    def __init__(self, reading: int, writing: int, *, on_end: Callable[[], object] = lambda: None) -> None:
        """`on_end` is called, in the thread that reads, before the process ends."""
        self._channel, self._on_end = DescriptorChannel(reading, writing), on_end
        self._frames: queue.SimpleQueue[tuple[bytes, bytearray]] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            with contextlib.suppress(Closed):
                while True:
                    self._frames.put(self._channel.receive())
            self._on_end()
        finally:
            os._exit(1)

    def send(self, header: bytes, payload: bytes = b"", deadline: float | None = None) -> None:
        """Send one frame. Raises ValueError for a deadline."""
        self._channel.send(header, payload, deadline)

    def receive(self, deadline: float | None = None) -> tuple[bytes, bytearray]:
        """Return the next frame's header and payload. Raises ValueError for a deadline."""
        if deadline is not None:
            raise ValueError("an owned channel keeps no deadline")
        return self._frames.get()

    def close(self) -> None:
        """Close both descriptors, at which the process ends."""
        self._channel.close()


class PipeChannel:
    """A channel over unbuffered pipes. Threads read and write, because pipes have no timeout on Windows."""

    def __init__(self, reading: IO[bytes], writing: IO[bytes]) -> None:
        self._reading, self._writing, self._closed = reading, writing, False
        # One frame at a time: a process that sends more than it is asked for blocks, and fills no memory here.
        self._frames: queue.Queue[tuple[bytes, bytearray] | Exception] = queue.Queue(maxsize=1)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while not self._closed:
                header, payload = _lengths(self._exactly(_PREFIX.size))
                self._frames.put((bytes(self._exactly(header)), self._exactly(payload)))
        except (Closed, ProtocolError) as ending:
            self._frames.put(ending)
        except OSError:
            self._frames.put(Closed())
        finally:
            self._reading.close()

    def _exactly(self, count: int) -> bytearray:
        received = bytearray()
        while len(received) < count:
            part = self._reading.read(min(count - len(received), 2**20))
            if not part:
                raise Closed
            received += part
        return received

    def send(self, header: bytes, payload: bytes = b"", deadline: float | None = None) -> None:
        """Send one frame."""
        written: queue.Queue[Exception | None] = queue.Queue()
        threading.Thread(target=self._write, args=(_frame(header, payload), written), daemon=True).start()
        try:
            problem = written.get(timeout=_left(deadline))
        except (queue.Empty, TimeoutError):
            raise Overdue from None
        if problem is not None:
            raise Closed from problem

    def _write(self, frame: bytes, written: "queue.Queue[Exception | None]") -> None:
        data = memoryview(frame)
        try:
            while data:
                data = data[self._writing.write(data) :]
            written.put(None)
        except (OSError, ValueError) as error:
            written.put(error)

    def receive(self, deadline: float | None = None) -> tuple[bytes, bytearray]:
        """Return the next frame's header and payload."""
        try:
            frame = self._frames.get(timeout=_left(deadline))
        except (queue.Empty, TimeoutError):
            raise Overdue from None
        if isinstance(frame, Exception):
            self._frames.put(frame)  # every later call raises it too
            raise frame
        return frame

    def close(self) -> None:
        """Close the writing end, at which the worker's loop returns; the reading thread ends with the process."""
        self._closed = True
        with contextlib.suppress(queue.Empty):
            self._frames.get_nowait()  # the thread may be blocked in put
        try:
            self._writing.close()
        except OSError:
            return  # the process has ended: EPIPE for what was still buffered
