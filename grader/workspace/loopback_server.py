"""Serves one page to one browser of this machine, and takes what it posts: the standard library's server, guarded.

Other users and web pages can reach a port of this machine too. So the address holds a token that works once and is
exchanged for a cookie; names that resolve to this machine are refused (DNS rebinding), and so are posts that another
page sends. Nothing of a request names a file: a path is one of those known here, or refused.
"""

import hmac
import json
import os
import secrets
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from grader.core.errors import GraderError, UsageError

ADDRESS = "127.0.0.1"
MAX_BODY_BYTES = 2**18
MAX_CONNECTIONS = 32
REQUEST_LIMIT_S = 10.0  # for each read of a request
_LOOK_S = 1.0  # on Windows, Ctrl-C does not interrupt a wait for connections
_HEADERS = {
    "Cache-Control": "no-store",
    # Beside the policy in the page, which cannot say this.
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# A page that goes on by itself: the cookie is then sent also where the address was opened from another site, such as
# a terminal in a browser, whose redirects carry no cookie with SameSite=Strict.
_GO_ON = (
    '<!doctype html><title>Quiz</title><meta http-equiv="refresh" content="0; url={}"><a href="{}">Go on</a>'
)
_USED = (
    "This address worked once, and was used. Go on in the browser that used it, or start the command again."
)
_NOT_HERE = "There is no such page."

Action = Callable[[dict[str, Any]], dict[str, Any]]


class Malformed(Exception):
    """What was posted is not what the page posts."""


class LoopbackServer(ThreadingHTTPServer):
    """A server at a port of this machine; port 0 is any that is free. `actions` take what is posted, by name.

    An action raises Malformed for a malformed body, and a GraderError for what the user has to know. Raises UsageError
    where the port cannot be used.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = os.name == "posix"  # on Windows this would share the port

    def __init__(self, port: int, page: Callable[[], str], actions: Mapping[str, Action]) -> None:
        self.page, self.actions = page, actions
        self._token, self._cookie = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        # In the path of the cookie: browsers send cookies to all ports of a machine, but to this path only.
        self.place = f"/{secrets.token_urlsafe(16)}/"
        self._lock = threading.Lock()
        self._is_token_used = False
        self._used_at = time.monotonic()
        self._connections = threading.BoundedSemaphore(MAX_CONNECTIONS)
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            raise UsageError(
                f"Port {port} cannot be used: {error.strerror}. Choose another, or none: --port N."
            ) from None

    def server_bind(self) -> None:
        """Bind without asking for the name of the machine, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    @property
    def host(self) -> str:
        """The only host that requests may name."""
        return f"{ADDRESS}:{self.server_port}"

    @property
    def address(self) -> str:
        """The address that works once."""
        return f"http://{self.host}/?token={self._token}"

    @property
    def cookie_name(self) -> str:
        """The name of the cookie; two servers of one machine have two."""
        return f"convgrader-{self.server_port}"

    @property
    def cookie(self) -> str:
        """The cookie, as a header sets it."""
        return f"{self.cookie_name}={self._cookie}; Path={self.place}; HttpOnly; SameSite=Strict"

    def takes_token(self, path: str) -> bool:
        """Tell whether a path holds the token, and is the first that does."""
        with self._lock:
            is_first = _equal(path, f"/?token={self._token}") and not self._is_token_used
            self._is_token_used = self._is_token_used or is_first
            return is_first

    def knows(self, cookies: str) -> bool:
        """Tell whether a request's cookies hold the right one; that is a use."""
        found = any(_equal(one.strip(), f"{self.cookie_name}={self._cookie}") for one in cookies.split(";"))
        if found:
            self._used_at = time.monotonic()
        return found

    def serve(self, idle_s: float) -> None:
        """Serve until nothing was asked for `idle_s` seconds."""
        while (left := self._used_at + idle_s - time.monotonic()) > 0:
            self.timeout = min(left, _LOOK_S)
            self.handle_request()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, if there are not too many."""
        if not self._connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and make way for another connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error; not that a browser closed its connection, which it may at any time."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


def _equal(one: str, other: str) -> bool:
    """Compare secrets in a time that does not depend on where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _object(data: bytes) -> dict[str, Any]:
    """Return the JSON object that was posted. Raises Malformed for anything else."""
    body = json.loads(data)
    if not isinstance(body, dict):
        raise Malformed("it is no object")
    return body


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackServer
    timeout = REQUEST_LIMIT_S
    server_version, sys_version = "convgrader", ""

    def do_GET(self) -> None:
        """Exchange the token for the cookie, or show the page."""
        if not self._is_for_this_host():
            return
        if self.server.takes_token(self.path):
            place = self.server.place
            self._reply(
                HTTPStatus.OK, _GO_ON.format(place, place), "text/html", {"Set-Cookie": self.server.cookie}
            )
        elif self.path.startswith("/?token="):
            self._refuse(HTTPStatus.FORBIDDEN, _USED)
        elif self.path != self.server.place:
            self._refuse(HTTPStatus.NOT_FOUND, _NOT_HERE)
        elif self._is_known():
            try:
                page = self.server.page()
            except GraderError as error:
                self._refuse(HTTPStatus.CONFLICT, str(error))
                return
            self._reply(HTTPStatus.OK, page, "text/html")

    def do_POST(self) -> None:
        """Carry out an action with the JSON that was posted."""
        action = self.server.actions.get(self.path.removeprefix(self.server.place))
        if not self._is_for_this_host():
            return
        if action is None or not self.path.startswith(self.server.place):
            self._refuse(HTTPStatus.NOT_FOUND, _NOT_HERE)
        elif not self._is_known():
            return
        elif self.headers.get("Origin") != f"http://{self.server.host}":
            self._refuse(HTTPStatus.FORBIDDEN, "This was not sent by the page of the quiz.")
        elif self.headers.get("Content-Type") != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The page posts JSON.")
        elif (size := self._size()) is not None:
            self._act(action, self.rfile.read(size))

    def _act(self, action: Action, data: bytes) -> None:
        try:
            found = action(_object(data))
        except (ValueError, RecursionError, Malformed) as error:
            self._refuse(HTTPStatus.BAD_REQUEST, f"This is not what the page posts: {error}.")
        except GraderError as error:
            self._refuse(HTTPStatus.CONFLICT, str(error))
        else:
            self._reply(HTTPStatus.OK, json.dumps(found), "application/json")

    def _is_for_this_host(self) -> bool:
        is_it = self.headers.get_all("Host") == [self.server.host]
        if not is_it:
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, f"Only http://{self.server.host} is served here.")
        return is_it

    def _is_known(self) -> bool:
        is_known = self.server.knows(self.headers.get("Cookie", ""))
        if not is_known:
            self._refuse(HTTPStatus.FORBIDDEN, "Open the address that the command printed, in this browser.")
        return is_known

    def _size(self) -> int | None:
        """Return the size of the body; None where it is refused."""
        given = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") is not None or not (given.isascii() and given.isdigit()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "The size of what is posted is needed.")
        elif len(given) > len(str(MAX_BODY_BYTES)) or int(given) > MAX_BODY_BYTES:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"At most {MAX_BODY_BYTES // 1024} KiB are taken."
            )
        else:
            return int(given)
        return None

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self._reply(status, message + "\n", "text/plain")

    def _reply(self, status: HTTPStatus, text: str, kind: str, more: Mapping[str, str] | None = None) -> None:
        data = text.encode("utf-8", "replace")
        self.send_response(status)
        headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(data))}
        for name, value in (headers | _HEADERS | dict(more or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Refuse a request that is no HTTP, or of another method; nothing of it is repeated."""
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        self._refuse(status, status.phrase)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Log nothing: addresses hold secrets, and the terminal is the student's."""
