"""One HTTP connection, with limits that uvicorn leaves to a proxy in front of it.

A server on a workstation has no proxy. So a connection may send only so many bytes that are not body (request line,
headers, chunk sizes, trailers), has only so long to complete a request, and is told in AWS's form what it did wrong.
"""

import asyncio
import uuid
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from batchyard.wire import faults
from batchyard.wire.faults import Fault

OVERHEAD_BYTES_MAX = 64 * 1024
"""Bytes of one request that are not its body."""

REQUEST_SECONDS_MAX = 30.0
"""From the first byte of a request, or from the connection's start, to the request's last byte."""


class _WholeAnswers:
    """A transport that sends the head of an answer together with the beginning of its body.

    uvicorn writes the two one after the other. A server that is killed in between would leave a client with a good
    status and no answer in it, and botocore takes that for an empty one: a SubmitJob without a jobId. It is also a
    system call less.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Send, or keep back what is the head of an answer."""
        if not self._head and data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
        else:
            self._transport.write(self._head + data)
            self._head = b""

    def flush(self) -> None:
        """Send a head that no body follows."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Send what is kept back, and close."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """As of the transport."""
        return bool(self._transport.is_closing())


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a bound on overhead and on patience.

    Nothing is scheduled for a request that arrives in one piece, which is nearly every request.
    """

    _overhead = 0
    _is_incomplete = True
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._deadline = self.loop.call_later(REQUEST_SECONDS_MAX, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._overhead += len(data)
        super().data_received(data)
        if self._overhead > OVERHEAD_BYTES_MAX:
            self._refuse(Fault("RequestHeaderSectionTooLargeException", 431, "The request's headers are too large."))
        elif self._is_incomplete and self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS_MAX, self._too_slow)

    def on_message_begin(self) -> None:
        self._is_incomplete = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        # httptools drops the body of a request that offers to change the protocol, and half a request must not be
        # carried out. The parser turns what is raised here into a 400.
        if self.parser.should_upgrade() and any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in self.headers
        ):
            raise ValueError("a request that offers to change the protocol has a body")
        super().on_headers_complete()
        if self.cycle is not None:
            answers = _WholeAnswers(self.transport)
            on_response = self.cycle.on_response

            def complete() -> None:
                answers.flush()
                on_response()

            self.cycle.transport = answers  # type: ignore[assignment] # all that a cycle asks of a transport
            self.cycle.on_response = complete

    def on_body(self, body: bytes) -> None:
        self._overhead -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_incomplete = False
        self._overhead = 0
        self._stop_clock()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(Fault("SerializationException", 400, msg))

    def _too_slow(self) -> None:
        self._deadline = None
        has_answer = self.cycle is not None and self.cycle.response_complete
        if self._overhead == 0 or has_answer:
            # Nothing was asked, or the rest of a body is late that was refused already.
            self.transport.close()
        else:
            self._refuse(Fault("RequestTimeoutException", 408, "The request did not arrive in time."))

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, fault: Fault) -> None:
        """Says why and closes, unless an answer is already on its way: then only closes."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(_raw_answer(fault, self.server_state.default_headers))
        self.transport.close()


def _raw_answer(fault: Fault, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    request_id = str(uuid.uuid4())
    answer = faults.answer(fault, request_id)
    headers = [
        *default_headers,
        (b"x-amzn-requestid", request_id.encode()),
        (b"x-amzn-errortype", answer.code.encode()),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer.body)).encode()),
        (b"connection", b"close"),
    ]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return STATUS_LINE[answer.status] + lines + b"\r\n" + answer.body
