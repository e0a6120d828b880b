"""The supervisor's end of a connection: what is still to be sent, what has come, never waiting for either."""

import contextlib
import socket
from collections import deque
from collections.abc import Sequence
from typing import Any

from batchyard.executors.interface import Position, Report
from batchyard.executors.supervisor_protocol import FrameReader, ProtocolFault, frame

_RECEIVE_BYTES = 1 << 18
_REPORTS_PER_FRAME = 1000


class ConnectionEnded(Exception):
    """The other side is gone or talks nonsense; the text says which."""


class Connection:
    """One connection. Reports wait in `pending` until the other side has taken what was sent before, so a server that
    is slow or stopped costs no memory beyond the reports themselves."""

    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        self.channel = channel
        self.pending: deque[tuple[int, Report]] = deque()
        self.observed = False
        self.awaited = False
        self._unsent = b""
        self._frames = FrameReader()

    def receive(self) -> list[Any]:
        """The items that have come. Raises ConnectionEnded."""
        try:
            data = self.channel.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return []
        except OSError as failure:
            raise ConnectionEnded(str(failure)) from failure
        if not data:
            raise ConnectionEnded("closed by the server")
        try:
            return [item for items in self._frames.feed(data) for item in items]
        except ProtocolFault as fault:
            raise ConnectionEnded(f"not understood: {fault}") from fault

    @property
    def blocked(self) -> bool:
        """Whether something sent is not yet taken."""
        return bool(self._unsent)

    def send(self, items: Sequence[object]) -> None:
        """Send one frame, now or when `resume` is called. Raises ConnectionEnded."""
        self._unsent += frame(items)
        self.resume()

    def resume(self) -> None:
        """Send what can be sent. Raises ConnectionEnded."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self.channel.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError as failure:
            raise ConnectionEnded(str(failure)) from failure

    def send_reports(self, journal: str) -> None:
        """Send pending reports as far as the other side takes them. Raises ConnectionEnded."""
        while self.pending and not self._unsent:
            numbered = [self.pending.popleft() for _ in range(min(len(self.pending), _REPORTS_PER_FRAME))]
            self.send([*(report for _, report in numbered), Position(journal, numbered[-1][0])])

    def close(self) -> None:
        """End it; what was not sent is in the journal."""
        with contextlib.suppress(OSError):
            self.channel.close()
