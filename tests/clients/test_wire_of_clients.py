"""Requests byte for byte as client programs in other languages send them, without botocore between."""

import http.client
import json
import re
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from tests.clients.yard import LOG_GROUP, Yard

pytestmark = pytest.mark.process

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20171201/eu-west-1/batch/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Answer:
    """Status, headers and the decoded body of an answer."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.bytes = answer.read()
        self.body: Any = json.loads(self.bytes)


@pytest.fixture
def connection(yard: Yard) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", yard.server.port, timeout=20)


def ask(
    connection: http.client.HTTPConnection,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] = {},
    method: str = "POST",
) -> Answer:
    """A bare request: no header but those given, Host and Content-Length."""
    payload = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    connection.putrequest(method, path, skip_accept_encoding=True)
    if method == "POST" or payload:
        connection.putheader("Content-Length", str(len(payload)))
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(payload)
    return Answer(connection.getresponse())


def test_no_content_type_and_no_signature(connection: http.client.HTTPConnection) -> None:
    answer = ask(connection, "/v1/describejobqueues", {"jobQueues": ["default"]})
    assert answer.status == 200
    assert answer.body["jobQueues"][0]["jobQueueName"] == "default"
    assert answer.headers["Content-Type"] == "application/json"
    assert UUID.fullmatch(answer.headers["x-amzn-RequestId"])
    assert int(answer.headers["Content-Length"]) == len(answer.bytes)


def test_an_empty_body_asks_for_everything(connection: http.client.HTTPConnection) -> None:
    assert ask(connection, "/v1/describejobqueues").body["jobQueues"]


def test_one_connection_serves_many_requests(connection: http.client.HTTPConnection) -> None:
    connection.connect()
    before = connection.sock
    for _ in range(3):
        assert ask(connection, "/v1/describejobqueues", {}).status == 200
    assert ask(connection, "/v1/describejobs", {"jobs": ["not an id"]}).status == 400
    assert ask(connection, "/v1/describejobqueues", {}).status == 200
    assert connection.sock is before


def test_connection_close_is_heeded(connection: http.client.HTTPConnection) -> None:
    answer = ask(connection, "/v1/describejobqueues", {}, {"Connection": "close"})
    assert answer.status == 200
    assert answer.headers["Connection"].lower() == "close"


def test_gzip_is_accepted_and_need_not_be_used(connection: http.client.HTTPConnection) -> None:
    answer = ask(connection, "/v1/describejobqueues", {}, {"Accept-Encoding": "gzip, deflate"})
    assert answer.body["jobQueues"]
    assert answer.headers["Content-Encoding"] in (None, "identity")


def test_headers_that_only_some_clients_send(connection: http.client.HTTPConnection) -> None:
    headers = {
        "Authorization": SIGNED,
        "X-Amz-Date": "20171201T000000Z",
        "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD",
        "Content-Type": "application/json; charset=UTF-8",
        "User-Agent": "aws-sdk-nodejs/2.1000.0 linux/v16 promise",
        "Amz-Sdk-Invocation-Id": "0",
    }
    answer = ask(connection, "/v1/describejobqueues", {}, headers)
    assert {queue["jobQueueArn"].split(":")[3] for queue in answer.body["jobQueues"]} == {"eu-west-1"}


def test_a_refusal_names_its_type_in_header_and_message(connection: http.client.HTTPConnection) -> None:
    for path, body, type_ in (
        ("/v1/submitjob", {"jobName": "job", "jobQueue": "nowhere", "jobDefinition": "x"}, "ClientException"),
        ("/v1/describejobs", {"jobs": ["x"] * 101}, "ClientException"),
        ("/v1/describejobs", {}, "ClientException"),
        ("/v1/describejobs", b"{", "SerializationException"),
    ):
        answer = ask(connection, path, body)
        assert answer.status == 400
        assert answer.headers["x-amzn-ErrorType"].partition(":")[0] == type_
        assert UUID.fullmatch(answer.headers["x-amzn-RequestId"])
        assert answer.body["message"]


def test_operations_without_an_output_answer_an_empty_object(connection: http.client.HTTPConnection) -> None:
    for path in ("/v1/canceljob", "/v1/terminatejob"):
        answer = ask(connection, path, {"jobId": "01234567-89ab-cdef-0123-456789abcdef", "reason": "gone"})
        assert (answer.status, answer.bytes) == (200, b"{}")


def test_unknown_members_are_ignored(connection: http.client.HTTPConnection, yard: Yard) -> None:
    request = {"jobName": "job", "jobQueue": "default", "jobDefinition": yard.define(["true"]), "color": {"a": [1]}}
    answer = ask(connection, "/v1/submitjob", request)
    assert set(answer.body) == {"jobArn", "jobName", "jobId"}
    yard.submitted.append(answer.body["jobId"])


@pytest.mark.parametrize("encode", [True, False], ids=["encoded", "bare"])
def test_the_arn_in_a_tag_path(connection: http.client.HTTPConnection, yard: Yard, encode: bool) -> None:
    job = yard.run(["true"], tags={"a/b": "1", "c d": "2", "keep": "3"})
    arn = job["jobArn"].replace(":", "%3A").replace("/", "%2F") if encode else job["jobArn"]
    assert ask(connection, f"/v1/tags/{arn}", method="GET").body == {"tags": job["tags"]}
    gone = ask(connection, f"/v1/tags/{arn}?tagKeys=a%2Fb&tagKeys=c%20d", method="DELETE")
    assert (gone.status, gone.body) == (200, {})
    assert ask(connection, f"/v1/tags/{arn}", {"tags": {"new": "4"}}).body == {}
    assert ask(connection, f"/v1/tags/{arn}", method="GET").body == {"tags": {"keep": "3", "new": "4"}}


def test_tag_calls_on_children_are_refused(connection: http.client.HTTPConnection, yard: Yard) -> None:
    parent = yard.run(["true"], size=2)
    arn = f"{parent['jobArn']}:0".replace(":", "%3A").replace("/", "%2F")
    answer = ask(connection, f"/v1/tags/{arn}", {"tags": {"new": "4"}})
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (400, "ClientException")


def test_logs_are_json_1_1_with_a_target(connection: http.client.HTTPConnection, yard: Yard) -> None:
    job = yard.run(["echo", "hello"])
    headers = {"X-Amz-Target": "Logs_20140328.GetLogEvents", "Content-Type": "application/x-amz-json-1.1"}
    stream = {"logGroupName": LOG_GROUP, "logStreamName": job["container"]["logStreamName"]}
    answer = ask(connection, "/", stream, headers)
    (event,) = answer.body["events"]
    assert event["message"] == "hello"
    assert job["startedAt"] <= event["timestamp"] <= event["ingestionTime"]
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
    missing = ask(connection, "/", {**stream, "logStreamName": "none"}, headers)
    assert (missing.status, missing.body["__type"]) == (400, "ResourceNotFoundException")


def test_an_integer_may_come_as_a_float(connection: http.client.HTTPConnection, yard: Yard) -> None:
    request = {"jobName": "job", "jobQueue": "default", "jobDefinition": yard.define(["true"])}
    answer = ask(connection, "/v1/submitjob", {**request, "arrayProperties": {"size": 2.0}})
    assert answer.status == 200
    yard.submitted.append(answer.body["jobId"])
    assert yard.ended(answer.body["jobId"])["arrayProperties"]["size"] == 2


def test_health_answers_once_the_server_listens(connection: http.client.HTTPConnection) -> None:
    assert ask(connection, "/health", method="GET").status == 200


def test_an_answer_arrives_whole_or_not_at_all(yard: Yard) -> None:
    # Else a server killed between head and body would leave botocore with a good answer that says nothing.
    body = b'{"jobs": ["unknown"]}'
    with socket.create_connection(("127.0.0.1", yard.server.port)) as channel:
        for _ in range(50):
            channel.sendall(
                b"POST /v1/describejobs HTTP/1.1\r\nHost: yard\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            assert channel.recv(65536).endswith(b'{"jobs":[]}')
