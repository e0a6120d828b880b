"""Whatever is sent, the answer is an error of AWS's kind, and the server goes on as if nothing had been."""

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.server.conftest import EchoServer
from tests.server.malformed import every

GROWTH_BYTES_MAX = 32 * 1024 * 1024


def answer_to(port: int, request: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        # Cut off when the server has said enough; what it said can still be read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.headers, answer.read()


def test_there_are_more_than_three_hundred() -> None:
    assert len({request for _, request in every()}) > 400


def test_each_is_refused_in_the_form_of_aws_and_the_server_stays_well(echo_server: EchoServer) -> None:
    process = psutil.Process(echo_server.process.pid)
    answer_to(echo_server.port, b"GET /health HTTP/1.1\r\n\r\n")
    before = process.memory_info().rss
    for what, request in every():
        try:
            status, headers, body = answer_to(echo_server.port, request)
        except OSError as error:
            pytest.fail(f"{what}: {error!r}")
        assert 400 <= status < 500, (what, status, body)
        assert headers["x-amzn-ErrorType"], what
        assert headers["x-amzn-RequestId"], what
        assert isinstance(json.loads(body)["message"], str), what
        assert len(body) < 10_000, what
    assert answer_to(echo_server.port, b"GET /health HTTP/1.1\r\n\r\n")[0] == 200
    assert process.memory_info().rss - before < GROWTH_BYTES_MAX
    assert "Traceback" not in echo_server.log
    assert process.num_fds() < 64


def test_a_body_too_large_is_answered_before_it_is_sent(echo_server: EchoServer) -> None:
    request = b"POST /v1/submitjob HTTP/1.1\r\nContent-Length: 1048577\r\nExpect: 100-continue\r\n\r\n"
    status, headers, body = answer_to(echo_server.port, request)
    assert (status, headers["x-amzn-ErrorType"]) == (413, "RequestEntityTooLargeException")
    assert json.loads(body)["message"] == "Request body must not be larger than 1048576 bytes."


def test_a_body_of_just_the_limit_is_read(echo_server: EchoServer) -> None:
    start = b'{"jobName":"a","jobQueue":"q","jobDefinition":"'
    body = start + b"d" * (1024 * 1024 - len(start) - 2) + b'"}'
    request = b"POST /v1/submitjob HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert answer_to(echo_server.port, request + body)[0] == 200
    assert answer_to(echo_server.port, request.replace(b"1048576", b"1048577") + body + b" ")[0] == 413


@pytest.fixture
def impatient_server(tmp_path: Path) -> Iterator[EchoServer]:
    server = EchoServer(tmp_path / "log", patience_seconds=0.3)
    yield server
    server.end()


def test_a_connection_that_never_completes_a_request_is_closed(impatient_server: EchoServer) -> None:
    port = impatient_server.port
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as silent:
        assert silent.recv(1) == b""
    for part in (b"POST /v1/sub", b"POST /v1/submitjob HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"):
        status, headers, _ = answer_to(port, part)
        assert (status, headers["x-amzn-ErrorType"]) == (408, "RequestTimeoutException")
    assert 0.9 < time.monotonic() - begun < 15
    # A connection that has said all it wanted is not hurried.
    with socket.create_connection(("127.0.0.1", port), timeout=20) as patient:
        patient.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        answer = http.client.HTTPResponse(patient)
        answer.begin()
        assert (answer.status, answer.read()) == (200, b'{"status":"ok"}')
        patient.settimeout(0.8)
        with pytest.raises(TimeoutError):
            patient.recv(1)
