"""What the fire looks for is found when it is there."""

import json
from typing import Any

import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import ResponseParserError

from batchyard.wire import model
from tests.fuzz.strategies import Sent
from tests.fuzz.target import Target

DESCRIBE = model.batch().operations["DescribeJobs"]
SENT = Sent(DESCRIBE, "POST", DESCRIBE.uri, {}, b"{}")
JOB = {"jobName": "a", "jobId": "b", "jobQueue": "c", "status": "RUNNABLE", "jobDefinition": "d"}
GOOD: dict[str, Any] = {"jobs": [JOB]}


def target_that_answers(status: int, body: bytes, headers: dict[str, str]) -> Target:
    target = Target.__new__(Target)
    target._ask = lambda sent: (status, HeadersDict({"x-amzn-requestid": "1", **headers}), body)  # type: ignore[method-assign]
    return target


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (500, b'{"message": "An internal error occurred."}', {"x-amzn-errortype": "ServerException"}),
        (501, b'{"message": "Not yet."}', {"x-amzn-errortype": "ClientException"}),
        (200, b'{"jobs": [', {}),
        (200, json.dumps({"jobs": [{**JOB, "jobId": 1}]}).encode(), {}),
        (200, json.dumps({"jobs": [{"jobName": "a"}]}).encode(), {}),
        (400, b'{"message": ""}', {"x-amzn-errortype": "ClientException"}),
        (302, b'{"message": "elsewhere"}', {"x-amzn-errortype": "ClientException"}),
    ],
)
def test_an_answer_that_is_none_is_noticed(status: int, body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises((AssertionError, ResponseParserError, ValueError)):
        target_that_answers(status, body, headers).check(SENT)


def test_good_answers_are_good() -> None:
    assert target_that_answers(200, json.dumps(GOOD).encode(), {}).check(SENT) == 200
    refused = b'{"message": "Maximum number of jobs supported is  100 ."}'
    assert target_that_answers(400, refused, {"x-amzn-errortype": "ClientException"}).check(SENT) == 400
