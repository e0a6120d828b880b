"""What becomes of a request's bytes: understood, tidied up, or refused in the right words."""

from typing import Any

import pytest

from batchyard.wire import model
from batchyard.wire.faults import Fault
from batchyard.wire.parsing import parse
from batchyard.wire.validation import validate

SUBMIT = model.batch().operations["SubmitJob"]
REGISTER = model.batch().operations["RegisterJobDefinition"]
POLICY = model.batch().operations["CreateSchedulingPolicy"]
TAG = model.batch().operations["TagResource"]
UNTAG = model.batch().operations["UntagResource"]
LIST_TAGS = model.batch().operations["ListTagsForResource"]
DESCRIBE_QUEUES = model.batch().operations["DescribeJobQueues"]
LIST_JOBS = model.batch().operations["ListJobs"]
GET_EVENTS = model.logs().operations["GetLogEvents"]
DELETE_GROUP = model.logs().operations["DeleteLogGroup"]

A_JOB = b'"jobName":"a","jobQueue":"q","jobDefinition":"d"'


def submitted(members: bytes = b"") -> dict[str, Any]:
    return validate(SUBMIT, parse(SUBMIT, b"{" + A_JOB + (b"," + members if members else b"") + b"}"))


def refusal(operation: model.Operation, body: bytes, **rest: Any) -> Fault:
    with pytest.raises(Fault) as refused:
        validate(operation, parse(operation, body, **rest))
    return refused.value


def test_an_empty_body_is_an_empty_object() -> None:
    assert validate(DESCRIBE_QUEUES, parse(DESCRIBE_QUEUES, b"")) == {}


def test_unknown_members_and_nulls_are_left_out() -> None:
    found = submitted(
        b'"color":"red","timeout":null,"arrayProperties":{"size":3,"shape":"ring"},"parameters":{"a":null}'
    )
    assert found == {
        "jobName": "a",
        "jobQueue": "q",
        "jobDefinition": "d",
        "arrayProperties": {"size": 3},
        "parameters": {},
    }


def test_of_a_member_given_twice_the_last_counts() -> None:
    assert submitted(b'"jobName":"b"')["jobName"] == "b"


def test_what_clients_send_for_absent_is_not_refused() -> None:
    absent = b'"arrayProperties":{},"dependsOn":[],"parameters":{},"tags":{},"containerOverrides":{}'
    assert submitted(absent)["tags"] == {}
    assert validate(GET_EVENTS, {"logStreamName": "s", "nextToken": ""})["nextToken"] == ""


def test_numbers_come_in_their_own_type() -> None:
    size = submitted(b'"arrayProperties":{"size":2.0}')["arrayProperties"]["size"]
    assert (size, type(size)) == (2, int)
    weight = {"shareDistribution": [{"shareIdentifier": "a", "weightFactor": 1}]}
    found = validate(POLICY, {"name": "p", "fairsharePolicy": weight})["fairsharePolicy"]["shareDistribution"][0]
    assert (found["weightFactor"], type(found["weightFactor"])) == (1.0, float)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (b'"jobName":1', "NUMBER_VALUE at 'jobName' can not be converted to a String"),
        (b'"jobName":true', "TRUE_VALUE at 'jobName' can not be converted to a String"),
        (b'"jobName":["a"]', "Start of list at 'jobName' can not be converted to a String"),
        (b'"tags":["a"]', "Start of list at 'tags' can not be converted to a Map"),
        (b'"timeout":[]', "Start of list at 'timeout' can not be converted to a Structure"),
        (b'"dependsOn":{}', "Start of structure or map at 'dependsOn' can not be converted to a List"),
        (b'"dependsOn":["a"]', "STRING_VALUE at 'dependsOn.1.member' can not be converted to a Structure"),
        (
            b'"dependsOn":[{},{"jobId":7}]',
            "NUMBER_VALUE at 'dependsOn.2.member.jobId' can not be converted to a String",
        ),
        (b'"parameters":{"x":false}', "FALSE_VALUE at 'parameters.x' can not be converted to a String"),
        (
            b'"arrayProperties":{"size":"2"}',
            "STRING_VALUE at 'arrayProperties.size' can not be converted to an Integer",
        ),
        (b'"arrayProperties":{"size":true}', "TRUE_VALUE at 'arrayProperties.size' can not be converted to an Integer"),
        (
            b'"arrayProperties":{"size":2.5}',
            "NUMBER_VALUE at 'arrayProperties.size' can not be converted to an Integer",
        ),
        (b'"arrayProperties":{"size":2147483648}', "NUMBER_VALUE at 'arrayProperties.size' can not be converted"),
        (b'"propagateTags":1', "NUMBER_VALUE at 'propagateTags' can not be converted to a Boolean"),
        (
            b'"jobName":"a\\u0000"',
            "STRING_VALUE at 'jobName' can not be converted to a String: it holds a NUL character",
        ),
        (b'"parameters":{"\\u0000":"a"}', "STRING_VALUE at 'parameters.\0' can not be converted to a String"),
    ],
)
def test_a_value_of_the_wrong_type_is_a_serialization_exception(members: bytes, text: str) -> None:
    fault = refusal(SUBMIT, b"{" + A_JOB + b"," + members + b"}")
    assert (fault.code, fault.status, fault.wrapped) == ("SerializationException", 400, False)
    assert fault.text.startswith(text)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b'"a"',
        b"1",
        b"{",
        b"{}x",
        b"\xef\xbb\xbf{}",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e999}',
        b'{"a":1' + b"0" * 10_000 + b"}",
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\udc00\\ud800"}',
        b"{" + b'"a":{' * 100_000,
        b'{"a":' + b"[" * 100_000,
        b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
)
def test_what_is_not_a_json_object_is_a_serialization_exception(body: bytes) -> None:
    fault = refusal(DESCRIBE_QUEUES, body)
    assert (fault.code, fault.status) == ("SerializationException", 400)


@pytest.mark.parametrize(
    "content_type", [None, "", "application/json", "Application/JSON; charset=utf-8", "text/x-json"]
)
def test_content_types_that_say_json_or_nothing_are_believed(content_type: str | None) -> None:
    assert parse(DESCRIBE_QUEUES, b"{}", content_type=content_type) == {}


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/cbor"])
def test_other_content_types_are_refused(content_type: str) -> None:
    assert refusal(DESCRIBE_QUEUES, b"{}", content_type=content_type).code == "SerializationException"


@pytest.mark.parametrize(
    ("operation", "request_", "text"),
    [
        (SUBMIT, {}, "Value null at 'jobName' failed to satisfy constraint: Member must not be null"),
        (
            LIST_JOBS,
            {"jobStatus": "NOPE"},
            "Value 'NOPE' at 'jobStatus' failed to satisfy constraint: Member must satisfy enum value set: "
            "[SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING, SUCCEEDED, FAILED]",
        ),
        (
            TAG,
            {"resourceArn": "a", "tags": {}},
            "Value '{}' at 'tags' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            TAG,
            {"resourceArn": "a", "tags": {"k" * 129: "v"}},
            f"Value '{'k' * 129}' at 'tags.{'k' * 129}' failed to satisfy constraint: "
            "Member must have length less than or equal to 128",
        ),
        (
            DESCRIBE_QUEUES,
            {"jobQueues": [None]},
            "Value null at 'jobQueues.1.member' failed to satisfy constraint: Member must not be null",
        ),
    ],
)
def test_a_broken_constraint_is_a_wrapped_client_exception(
    operation: model.Operation, request_: Any, text: str
) -> None:
    with pytest.raises(Fault) as refused:
        validate(operation, request_)
    fault = refused.value
    assert (fault.code, fault.status, fault.wrapped) == ("ClientException", 400, True)
    assert fault.text == f"1 validation error detected: {text}"
    assert fault.message("id-1") == f"Error executing request, Exception : {fault.text}, RequestId: id-1"


def test_the_action_of_evaluate_on_exit_may_be_written_in_any_case() -> None:
    strategy = b'"retryStrategy":{"attempts":2,"evaluateOnExit":[{"onExitCode":"1","action":"%s"}]}'
    for action in ("RETRY", "retry", "Exit"):
        found = submitted(strategy % action.encode())
        assert found["retryStrategy"]["evaluateOnExit"][0]["action"] == action
    assert refusal(SUBMIT, b"{" + A_JOB + b"," + strategy % b"stay" + b"}").code == "ClientException"


@pytest.mark.parametrize(
    ("request_", "constraint"),
    [
        ({"logStreamName": "s", "limit": 0}, "have value greater than or equal to 1"),
        ({"logStreamName": "s", "limit": 10_001}, "have value less than or equal to 10000"),
        ({"logStreamName": "a:b"}, "satisfy regular expression pattern: [^:*]*"),
        ({"logStreamName": ""}, "have length greater than or equal to 1"),
        ({"logStreamName": "s", "logGroupName": "../x y"}, "satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"),
    ],
)
def test_cloudwatch_logs_has_its_own_code_and_no_wrapper(request_: Any, constraint: str) -> None:
    with pytest.raises(Fault) as refused:
        validate(GET_EVENTS, request_)
    fault = refused.value
    assert (fault.code, fault.status, fault.wrapped) == ("InvalidParameterException", 400, False)
    assert fault.message("id-1").endswith(f"failed to satisfy constraint: Member must {constraint}")


def test_a_message_quotes_only_so_much_of_what_was_sent() -> None:
    fault = refusal(LIST_JOBS, b'{"jobStatus":"' + b"x" * 500_000 + b'"}')
    assert len(fault.message("id-1")) < 1000
    deep = refusal(SUBMIT, b"{" + A_JOB + b',"parameters":{"' + b"y" * 500_000 + b'":1}}')
    assert len(deep.message("id-1")) < 1000


def test_tags_come_from_path_and_query_and_the_body_cannot_fake_them() -> None:
    found = validate(
        UNTAG,
        parse(
            UNTAG,
            b'{"tagKeys":["x"],"resourceArn":"y"}',
            query="tagKeys=a%2Fb&tagKeys=c+d",
            labels={"resourceArn": "r"},
        ),
    )
    assert found == {"resourceArn": "r", "tagKeys": ["a/b", "c d"]}
    assert "Value null at 'tagKeys'" in refusal(UNTAG, b'{"tagKeys":["x"]}', labels={"resourceArn": "r"}).text


@pytest.mark.parametrize(
    "query", ["tagKeys=%", "tagKeys=%f", "tagKeys=%ff", "tagKeys=%00", "&".join(["tagKeys=a"] * 1001)]
)
def test_a_broken_query_string_is_refused(query: str) -> None:
    assert refusal(UNTAG, b"", query=query, labels={"resourceArn": "r"}).code == "SerializationException"


def test_a_body_of_a_get_is_read_like_any_other() -> None:
    assert validate(LIST_TAGS, parse(LIST_TAGS, b"", labels={"resourceArn": "r"})) == {"resourceArn": "r"}
    assert validate(DELETE_GROUP, {"logGroupName": "/aws/batch/job"}) == {"logGroupName": "/aws/batch/job"}
    assert validate(REGISTER, {"jobDefinitionName": "d", "type": "container"})["type"] == "container"
