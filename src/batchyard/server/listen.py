"""Listening: one process, one event loop, until SIGTERM or SIGINT.

uvicorn with httptools and uvloop. Its access log is off (a line per request costs more than most requests), as is its
`Server` header; its own messages go to the logger `uvicorn.error`, which the caller configures.
"""

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import uvicorn
from starlette.types import ASGIApp

from batchyard.server.connection import BoundedHttpProtocol

CONNECTIONS_MAX = 1000
"""More than that many connections, or requests under way, are answered 503, which AWS's clients retry."""

KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep an idle connection, so that it is not closed under a request just sent."""

GRACE_SECONDS = 10
"""How long requests under way may take to finish after the signal."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run(
    app: ASGIApp,
    host: str,
    port: int,
    on_ready: Callable[[str, int], None],
    on_stopping: Callable[[], None] = lambda: None,
    others: Sequence[socket.socket] = (),
) -> None:
    """Serves until told to stop: by SIGTERM or SIGINT when called from the main thread.

    port 0 picks a free one. others are sockets that listen already and are served by the same application. on_ready is
    called with the host and the real port once connections are accepted. After the signal no connection is accepted,
    on_stopping is called so that answers without end may end, requests under way are finished, and the call returns.

    Raises OSError if the address cannot be bound.
    """
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedHttpProtocol,
        ws="none",
        lifespan="auto",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    with _bound(host, port, config.backlog) as listener:
        server = _Server(config, lambda: on_ready(host, listener.getsockname()[1]), on_stopping)
        server.run(sockets=[listener, *others])


def _bound(host: str, port: int, backlog: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address[:2], family=family, backlog=backlog)


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready and when it stops, and leaves the process alive after a signal."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None], on_stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._on_stopping = on_stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stopping()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but a signal is not raised a second time at the end: the caller has its own goodbye to say."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
