"""Job definitions through their operations."""

from typing import Any

import pytest

from batchyard.core.ids import Millis
from tests.api.conftest import CONTAINER, Yard

ARN = "arn:aws:batch:eu-central-1:123456789012:job-definition/sleep"


def described(yard: Yard, **members: Any) -> list[str]:
    found = yard.call("DescribeJobDefinitions", **members)["jobDefinitions"]
    return [f"{each['jobDefinitionName']}:{each['revision']} {each['status']}" for each in found]


def test_revisions_count_up_and_are_never_reused(yard: Yard) -> None:
    assert yard.definition() == f"{ARN}:1"
    assert yard.definition() == f"{ARN}:2"
    yard.call("DeregisterJobDefinition", jobDefinition="sleep:2")
    answer = yard.call(
        "RegisterJobDefinition", jobDefinitionName="sleep", type="container", containerProperties=CONTAINER
    )
    assert answer == {"jobDefinitionName": "sleep", "jobDefinitionArn": f"{ARN}:3", "revision": 3}


def test_describe(yard: Yard) -> None:
    yard.definition(tags={"a": "b"}, parameters={"x": "1"})
    (detail,) = yard.call("DescribeJobDefinitions")["jobDefinitions"]
    assert detail.pop("containerProperties")["image"] == "busybox"
    assert detail == {
        "jobDefinitionName": "sleep",
        "jobDefinitionArn": f"{ARN}:1",
        "revision": 1,
        "status": "ACTIVE",
        "type": "container",
        "parameters": {"x": "1"},
        "containerOrchestrationType": "ECS",
        "tags": {"a": "b"},
    }


def test_deregistering(yard: Yard) -> None:
    for _ in range(3):
        yard.definition()
    assert yard.call("DeregisterJobDefinition", jobDefinition=f"{ARN}:2") == {}
    assert yard.call("DeregisterJobDefinition", jobDefinition="sleep:2") == {}, "again is harmless"
    assert yard.call("DeregisterJobDefinition", jobDefinition="sleep") == {}, "a bare name means the newest"
    assert described(yard, jobDefinitionName="sleep") == ["sleep:3 INACTIVE", "sleep:2 INACTIVE", "sleep:1 ACTIVE"]
    assert described(yard, status="ACTIVE") == ["sleep:1 ACTIVE"]
    assert (
        yard.refusal("DeregisterJobDefinition", jobDefinition="sleep:9").text == "JobDefinition sleep:9 does not exist."
    )


def test_inactive_ones_vanish_after_180_days(yard: Yard) -> None:
    yard.definition()
    yard.call("DeregisterJobDefinition", jobDefinition="sleep:1")
    yard.now = Millis(yard.now + 179 * 86_400_000)
    assert described(yard) == ["sleep:1 INACTIVE"]
    yard.now = Millis(yard.now + 86_400_000)
    assert described(yard) == []
    assert yard.definition() == f"{ARN}:2"


def test_a_list_of_references(yard: Yard) -> None:
    yard.definition()
    yard.definition()
    yard.definition("other")
    assert described(yard, jobDefinitions=["sleep:1", f"{ARN}:1", "sleep", "other:9"]) == [
        "sleep:1 ACTIVE",
        "sleep:2 ACTIVE",
    ]
    assert (
        "cannot be used together"
        in yard.refusal("DescribeJobDefinitions", jobDefinitions=["sleep"], status="ACTIVE").text
    )
    assert (
        "Provided name sleep:latest is not supported"
        in yard.refusal("DescribeJobDefinitions", jobDefinitions=["sleep:latest"]).text
    )


def test_pages_are_newest_first_with_and_without_a_name(yard: Yard) -> None:
    for _ in range(3):
        yard.definition("a")
        yard.definition("b")
    for members, expected in (
        ({"jobDefinitionName": "a"}, ["a:3", "a:2", "a:1"]),
        ({}, ["b:3", "a:3", "b:2", "a:2", "b:1", "a:1"]),
        ({"status": "INACTIVE"}, []),
    ):
        seen: list[str] = []
        token = ""
        while True:
            page = yard.call("DescribeJobDefinitions", **members, maxResults=2, nextToken=token)
            seen += [f"{each['jobDefinitionName']}:{each['revision']}" for each in page["jobDefinitions"]]
            if (token := page.get("nextToken", "")) == "":
                break
        assert seen == expected


def test_size_limit(yard: Yard) -> None:
    large = {**CONTAINER, "command": ["x" * 1000] * 25}
    request = {"jobDefinitionName": "large", "type": "container", "containerProperties": large}
    assert yard.refusal("RegisterJobDefinition", **request).text == "Job Definition must be at most 24 KiB."


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("awslogs-datetime-format", "%Q"),
        ("awslogs-datetime-format", "%Y("),
        ("awslogs-multiline-pattern", "("),
        ("awslogs-multiline-pattern", "(?=a)"),
    ],
)
def test_where_log_events_begin_is_a_pattern(yard: Yard, option: str, value: str) -> None:
    container = {**CONTAINER, "logConfiguration": {"logDriver": "awslogs", "options": {option: value}}}
    ranges = [{"targetNodes": "0:", "container": container}]
    nodes = {"numNodes": 2, "mainNode": 0, "nodeRangeProperties": ranges}
    for members in ({"containerProperties": container}, {"type": "multinode", "nodeProperties": nodes}):
        members = {"jobDefinitionName": "d", "type": "container", **members}
        refused = yard.refusal("RegisterJobDefinition", **members)
        assert (refused.code, refused.text) == ("ClientException", f"Log option {option} is not valid: {value}")


def test_log_groups_that_it_names_come_to_be(yard: Yard) -> None:
    logging = {"logDriver": "awslogs", "options": {"awslogs-group": "mine"}}
    yard.definition(containerProperties={**CONTAINER, "logConfiguration": logging})
    groups = yard.call("logs.DescribeLogGroups")["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/aws/batch/job", "mine"]
