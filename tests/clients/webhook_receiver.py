"""A receiver of webhooks: a real HTTP server in a thread, which answers as it is told."""

import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Posted(NamedTuple):
    """One request: its headers by lower-case name, its body, and the status it was answered with."""

    headers: dict[str, str]
    body: bytes
    status: int


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Connections break in these tests."""


class Receiver:
    """Takes what is posted to `url`. answers: the statuses of the next answers, 204 when there are no more; 0 hangs up
    without one. headers: of each answer that is no 204."""

    def __init__(self, answers: Iterable[int] = (), headers: dict[str, str] | None = None, port: int = 0) -> None:
        self.posted: list[Posted] = []
        self.answers: Iterator[int] = iter(answers)
        self.connections: list[socket.socket] = []
        receiver, more = self, headers or {}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                receiver.connections.append(self.connection)

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                body = self.rfile.read(length)
                if len(body) < length:  # the sender was killed in the middle: nothing was taken
                    self.close_connection = True
                    return
                status = next(receiver.answers, 204)
                lower = {name.lower(): value for name, value in self.headers.items()}
                receiver.posted.append(Posted(lower, body, status))
                if not status:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in more.items() if status != 204 else ():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("content-length", "5000")
                self.end_headers()
                if status != 204:
                    self.wfile.write(b"x" * 5000)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = _Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/batch"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def taken(self) -> list[Posted]:
        """What was answered with 2xx."""
        return [posted for posted in list(self.posted) if 200 <= posted.status < 300]

    def close(self) -> None:
        """Be gone, with every connection."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
