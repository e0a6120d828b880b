"""Whoever follows `GET /events`: reads server-sent events, and may go away at any time, in the middle of a line too."""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.clients.server_process import ServerProcess


class Told(NamedTuple):
    """One server-sent event, or a block without data: then event and data are empty."""

    id: str
    event: str
    data: str

    @property
    def detail(self) -> dict[str, Any]:
        """Of a job state change."""
        found: dict[str, Any] = json.loads(self.data)["detail"]
        return found


class EventClient:
    """One request for the stream. Raises OSError if nobody answers, AssertionError with the refusal for one."""

    def __init__(
        self,
        server: ServerProcess,
        last_event_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        buffer_bytes: int | None = None,
        **query: str,
    ) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        if buffer_bytes is not None:
            receiver = socket.socket()
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
            receiver.connect(("127.0.0.1", server.port))
            self._connection.sock = receiver
        own = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        path = f"/events?{urlencode(query)}" if query else "/events"
        self._connection.request("GET", path, headers={**(headers or {}), **own})
        self._answer = self._connection.getresponse()
        if self._answer.status != 200:
            raise AssertionError(f"{self._answer.status}: {self._answer.read().decode()}")
        assert self._answer.headers["content-type"].startswith("text/event-stream")

    def blocks(self) -> Iterator[Told]:
        """What comes, heartbeats included. Ends with the connection, without what came in part."""
        fields: dict[str, str] = {}
        while (line := self._answer.readline()).endswith(b"\n"):
            if line == b"\n":
                yield Told(fields.get("id", ""), fields.get("event", ""), fields.get("data", ""))
                fields = {}
            else:
                name, _, value = line.decode().removesuffix("\n").partition(": ")
                fields[name] = value

    def events(self) -> Iterator[Told]:
        """What has data."""
        return (told for told in self.blocks() if told.data)

    def leave(self) -> None:
        """Go away, as a program that is killed does."""
        self._connection.close()
        self._answer.close()
