"""Speaking to a server over keep-alive connections, as lightly as possible: the client shares the server's cores.

No SDK: botocore spends more on a request than the server does, and would be what is measured.
"""

import http.client
import json
import re
import selectors
import socket
from time import perf_counter
from typing import Any

HOST = "127.0.0.1"
CONNECTIONS = 8
SILENCE_SECONDS = 30.0

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\AHTTP/1\.0|\r\nconnection: *close", re.IGNORECASE)


def signature(service: str = "batch") -> str:
    """An Authorization header that nobody verifies; moto finds the service by its scope."""
    scope = f"20250101/us-east-1/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential=key/{scope}, SignedHeaders=host, Signature=0"


class Connection:
    """One keep-alive connection to a server of the AWS Batch API."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection(HOST, port, timeout=SILENCE_SECONDS)
        self._headers = {"Content-Type": "application/json", "Authorization": signature()}

    def call(self, operation: str, **members: Any) -> dict[str, Any]:
        """Carry an operation out, named as in its path (`submitjob`). Raises RuntimeError for a refusal."""
        self._http.request("POST", f"/v1/{operation}", json.dumps(members), self._headers)
        response = self._http.getresponse()
        body = response.read()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{operation} was refused: {body!r}")
        answer: dict[str, Any] = json.loads(body or b"{}")
        return answer

    def job(self, job_id: str) -> dict[str, Any]:
        """DescribeJobs of one job."""
        found: dict[str, Any] = self.call("describejobs", jobs=[job_id])["jobs"][0]
        return found

    def close(self) -> None:
        """Hang up."""
        self._http.close()


def raw_request(operation: str, **members: Any) -> bytes:
    """A request to be sent again and again."""
    body = json.dumps(members).encode()
    head = (
        f"POST /v1/{operation} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"Authorization: {signature()}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def load(port: int, request: bytes, count: int, connections: int = CONNECTIONS) -> float:
    """Send `request` `count` times, one at a time on each of the connections; return the seconds it took.

    Raises RuntimeError at the first answer that is not 200, TimeoutError after 30 s of silence.
    """
    with selectors.DefaultSelector() as selector:
        lanes = [_Lane(port, request, selector) for _ in range(min(connections, count))]
        start = perf_counter()
        for lane in lanes:
            lane.send()
        sent, answered = len(lanes), 0
        while answered < count:
            ready = selector.select(SILENCE_SECONDS)
            if not ready:
                raise TimeoutError("the server has fallen silent")
            for key, _ in ready:
                if key.data.receive():
                    answered += 1
                    if sent < count:
                        key.data.send()
                        sent += 1
        seconds = perf_counter() - start
        for lane in lanes:
            lane.close()
        return seconds


class _Lane:
    """A connection with one request under way; opened again if the server closes it after each answer."""

    def __init__(self, port: int, request: bytes, selector: selectors.BaseSelector) -> None:
        self._port = port
        self._request = request
        self._selector = selector
        self._socket: socket.socket | None = None
        self._open()

    def _open(self) -> socket.socket:
        self._socket = socket.create_connection((HOST, self._port), timeout=SILENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(self._socket, selectors.EVENT_READ, self)
        return self._socket

    def send(self) -> None:
        (self._socket or self._open()).sendall(self._request)
        self._answer = b""

    def receive(self) -> bool:
        """Take in what has come; whether the answer is complete."""
        assert self._socket is not None
        chunk = self._socket.recv(65536)
        self._answer += chunk
        head, blank, body = self._answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not blank or (chunk and (length is None or len(body) < int(length[1]))):
            if not chunk:
                raise RuntimeError("the server hung up before it answered")
            return False
        if head[8:13] != b" 200 ":
            raise RuntimeError(f"refused: {self._answer!r}")
        if not chunk or _CLOSES.search(head):
            self.close()
        return True

    def close(self) -> None:
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None
