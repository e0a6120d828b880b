"""The edge over a real socket, with real clients."""

import http.client
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.server.conftest import EchoServer

A_JOB = {"jobName": "a", "jobQueue": "q", "jobDefinition": "d"}
ARN = "arn:aws:batch:us-east-1:123456789012:job-queue/high"


@pytest.fixture
def connection(echo_server: EchoServer) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", echo_server.port, timeout=20)
    yield connection
    connection.close()


def client(service: str, port: int) -> Any:
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-west-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_health_answers_ok(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/health")
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())) == (200, {"status": "ok"})


def test_an_answer_has_the_headers_of_aws_and_no_others(connection: http.client.HTTPConnection) -> None:
    seen = set()
    for _ in range(3):  # on one kept-alive connection
        connection.request("POST", "/v1/submitjob", json.dumps(A_JOB))
        answer = connection.getresponse()
        body = answer.read()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        assert answer.status == 200
        assert set(headers) == {"date", "x-amzn-requestid", "content-type", "content-length"}
        assert (headers["content-type"], headers["content-length"]) == ("application/json", str(len(body)))
        seen.add(headers["x-amzn-requestid"])
    assert len(seen) == 3


def test_boto3_reaches_batch(echo_server: EchoServer) -> None:
    batch = client("batch", echo_server.port)
    answer = batch.submit_job(**A_JOB)
    assert (answer["jobName"], answer["jobId"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("a", "id", 200)
    tags = batch.list_tags_for_resource(resourceArn=ARN)["tags"]
    assert tags == {"resourceArn": ARN, "region": "eu-west-1", "key": "AKIDEXAMPLE"}
    batch.untag_resource(resourceArn=ARN, tagKeys=["a/b", "c d"])


def test_boto3_reaches_logs(echo_server: EchoServer) -> None:
    logs = client("logs", echo_server.port)
    assert logs.describe_log_groups(logGroupNamePrefix="/aws")["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises(ClientError) as refused:
        logs.put_retention_policy(logGroupName="a", retentionInDays=1)
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"
    with pytest.raises(ClientError) as refused:
        logs.get_log_events(logStreamName="a:b")
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"


def test_a_wrapped_refusal_repeats_the_request_id_of_the_header(echo_server: EchoServer) -> None:
    with pytest.raises(ClientError) as refused:
        client("batch", echo_server.port).submit_job(**{**A_JOB, "jobName": "refuse"})
    error, metadata = refused.value.response["Error"], refused.value.response["ResponseMetadata"]
    assert (error["Code"], metadata["HTTPStatusCode"]) == ("ClientException", 400)
    text = "Job name should match valid pattern"
    request_id = metadata["HTTPHeaders"]["x-amzn-requestid"]
    assert error["Message"] == f"Error executing request, Exception : {text}, RequestId: {request_id}"


def test_a_bug_is_told_to_the_log_and_not_to_the_client(echo_server: EchoServer) -> None:
    with pytest.raises(ClientError) as failed:
        client("batch", echo_server.port).submit_job(**{**A_JOB, "jobName": "bug"})
    error, metadata = failed.value.response["Error"], failed.value.response["ResponseMetadata"]
    assert (error["Code"], metadata["HTTPStatusCode"]) == ("ServerException", 500)
    assert "secret" not in error["Message"]
    assert metadata["HTTPHeaders"]["x-amzn-requestid"] in error["Message"]
    assert f"request {metadata['HTTPHeaders']['x-amzn-requestid']} ended in a bug" in echo_server.log
    assert "KeyError: 'a secret of ours'" in echo_server.log


def test_a_page_in_a_browser_cannot_submit(connection: http.client.HTTPConnection) -> None:
    for origin in ("https://example.org", "null", f"http://127.0.0.1:{connection.port}"):
        connection.request("POST", "/v1/submitjob", json.dumps(A_JOB), {"Origin": origin})
        answer = connection.getresponse()
        assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (403, "AccessDeniedException")
        assert "web pages" in json.loads(answer.read())["message"]


def test_a_client_that_leaves_in_the_middle_of_a_body_hurts_nobody(echo_server: EchoServer) -> None:
    errors_before = echo_server.log.count("ERROR")
    with socket.create_connection(("127.0.0.1", echo_server.port)) as leaving:
        leaving.sendall(b"POST /v1/submitjob HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{")
    assert client("batch", echo_server.port).submit_job(**A_JOB)["jobId"] == "id"
    assert echo_server.log.count("ERROR") == errors_before


def test_after_a_signal_nobody_is_let_in_and_requests_under_way_are_finished(tmp_path: Path) -> None:
    server = EchoServer(tmp_path / "log")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    held = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        held.request("POST", "/v1/submitjob", json.dumps({**A_JOB, "jobName": "held", "jobDefinition": str(pipe)}))
        with pipe.open("wb"):  # opens when the operation has begun to read
            server.process.send_signal(signal.SIGTERM)
            until_refused(server.port)
            assert server.process.poll() is None
        assert held.getresponse().status == 200
        assert server.process.wait(20) == 0
        assert server.stdout.read() == "returned\n"
    finally:
        held.close()
        server.end()


def until_refused(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionError:  # refused, or reset where the server closed while we knocked
            return
    pytest.fail("the server still accepts connections")
