"""Frames: a magic number, two lengths, a msgpack header, raw tensor buffers. Sizes are checked before allocation."""

import os
import queue
import socket
import struct
import threading
import time
from typing import IO, Protocol

from grader.errors import ProtocolError

MAGIC = b"CG1\n"
MAX_HEADER_BYTES = 4 * 2**20
MAX_PAYLOAD_BYTES = 256 * 2**20
_PREFIX = struct.Struct("!4sII")


class Closed(Exception):
    """The other side closed the connection."""


class Overdue(Exception):
    """The deadline passed before a whole frame arrived."""


class Channel(Protocol):
    """One end of a connection that carries whole frames."""

    def send(self, header: bytes, payload: bytes = b"") -> None:
        """Send one frame; raise Closed when nobody reads any more."""

    def receive(self, deadline: float | None = None) -> tuple[bytes, bytearray]:
        """Return the next frame's header and payload; raise Closed, Overdue or ProtocolError.

        `deadline` is a value of time.monotonic(); None waits for ever.
        """

    def close(self) -> None:
        """Close this end."""


def _lengths(prefix: bytes) -> tuple[int, int]:
    magic, header, payload = _PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise ProtocolError("A frame does not start with the magic number.")
    if header > MAX_HEADER_BYTES or payload > MAX_PAYLOAD_BYTES:
        raise ProtocolError(f"A frame announces {header} + {payload} bytes, more than any honest frame has.")
    return header, payload


class SocketChannel:
    """A channel over a connected stream socket; the deadline is kept by the socket's timeout."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def fileno(self) -> int:
        """Return the descriptor, for selectors."""
        return self._connection.fileno()

    def send(self, header: bytes, payload: bytes = b"") -> None:
        """Send one frame."""
        self._connection.settimeout(None)
        try:
            self._connection.sendall(_PREFIX.pack(MAGIC, len(header), len(payload)) + header + payload)
        except OSError as error:
            raise Closed from error

    def receive(self, deadline: float | None = None) -> tuple[bytes, bytearray]:
        """Return the next frame's header and payload."""
        header, payload = _lengths(bytes(self._exactly(_PREFIX.size, deadline)))
        return bytes(self._exactly(header, deadline)), self._exactly(payload, deadline)

    def _exactly(self, count: int, deadline: float | None) -> bytearray:
        received = bytearray(count)
        view, done = memoryview(received), 0
        while done < count:
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Overdue
                self._connection.settimeout(left)
            else:
                self._connection.settimeout(None)
            try:
                got = self._connection.recv_into(view[done:])
            except TimeoutError as error:
                raise Overdue from error
            except OSError as error:
                raise Closed from error
            if not got:
                raise Closed
            done += got
        return received

    def close(self) -> None:
        """Close this end."""
        self._connection.close()


class DescriptorChannel:
    """A channel over plain descriptors with read and write alone: all that a locked-down worker may use."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing

    def send(self, header: bytes, payload: bytes = b"") -> None:
        """Send one frame."""
        data = memoryview(_PREFIX.pack(MAGIC, len(header), len(payload)) + header + payload)
        try:
            while data:
                data = data[os.write(self._writing, data) :]
        except OSError as error:
            raise Closed from error

    def receive(self, deadline: float | None = None) -> tuple[bytes, bytearray]:
        """Return the next frame's header and payload. Knows no deadline: the other side keeps it."""
        if deadline is not None:
            raise ValueError("a descriptor channel keeps no deadline")
        header, payload = _lengths(bytes(self._exactly(_PREFIX.size)))
        return bytes(self._exactly(header)), self._exactly(payload)

    def _exactly(self, count: int) -> bytearray:
        received = bytearray()
        while len(received) < count:
            part = os.read(self._reading, min(count - len(received), 2**20))
            if not part:
                raise Closed
            received += part
        return received

    def close(self) -> None:
        """Close both descriptors."""
        for descriptor in {self._reading, self._writing}:
            os.close(descriptor)


class PipeChannel:
    """A channel over the pipes of a spawned process. A thread reads, so that deadlines hold on every platform."""

    def __init__(self, reading: IO[bytes], writing: IO[bytes]) -> None:
        self._reading, self._writing = reading, writing
        self._frames: queue.Queue[tuple[bytes, bytearray] | Exception] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while True:
                header, payload = _lengths(self._exactly(_PREFIX.size))
                self._frames.put((self._exactly(header), bytearray(self._exactly(payload))))
        except (Closed, ProtocolError) as ending:
            self._frames.put(ending)
        except OSError:
            self._frames.put(Closed())
        finally:
            self._reading.close()

    def _exactly(self, count: int) -> bytes:
        data = self._reading.read(count) if count else b""
        if len(data) < count:
            raise Closed
        return data

    def send(self, header: bytes, payload: bytes = b"") -> None:
        """Send one frame."""
        try:
            self._writing.write(_PREFIX.pack(MAGIC, len(header), len(payload)) + header + payload)
            self._writing.flush()
        except (OSError, ValueError) as error:
            raise Closed from error

    def receive(self, deadline: float | None = None) -> tuple[bytes, bytearray]:
        """Return the next frame's header and payload."""
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            frame = self._frames.get(timeout=left)
        except queue.Empty:
            raise Overdue from None
        if isinstance(frame, Exception):
            self._frames.put(frame)  # an ending stays one
            raise frame
        return frame

    def close(self) -> None:
        """Close the writing end, which ends the process; the reading thread ends with it."""
        try:
            self._writing.close()
        except OSError:
            return  # the process is gone, and what was still buffered with it
