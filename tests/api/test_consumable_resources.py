"""Consumable resources through their operations; what they do to placement is in tests/engine."""

from typing import Any

import pytest

from tests.api.conftest import START, Yard

ARN = "arn:aws:batch:eu-central-1:123456789012:consumable-resource/licence"
HOUR = 3_600_000


def resource(yard: Yard, name: str = "licence", total: int = 5, **members: Any) -> str:
    request = {"consumableResourceName": name, "totalQuantity": total, **members}
    return str(yard.call("CreateConsumableResource", request)["consumableResourceArn"])


def needing(*needs: tuple[str, int]) -> dict[str, Any]:
    return {"consumableResourceList": [{"consumableResource": name, "quantity": number} for name, number in needs]}


def test_created_and_described(yard: Yard) -> None:
    assert resource(yard, tags={"a": "b"}) == ARN
    described = {
        "consumableResourceName": "licence",
        "consumableResourceArn": ARN,
        "totalQuantity": 5,
        "inUseQuantity": 0,
        "availableQuantity": 5,
        "resourceType": "REPLENISHABLE",
        "createdAt": START,
        "tags": {"a": "b"},
    }
    assert yard.call("DescribeConsumableResource", consumableResource="licence") == described
    assert yard.call("DescribeConsumableResource", consumableResource=ARN) == described
    yard.call("TagResource", resourceArn=ARN, tags={"c": "d"})
    assert yard.call("ListTagsForResource", resourceArn=ARN) == {"tags": {"a": "b", "c": "d"}}


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"consumableResourceName": "a b"}, "ConsumableResource name should match a valid pattern."),
        ({"totalQuantity": -1}, "totalQuantity cannot be a negative number."),
        ({"totalQuantity": 2**63}, "totalQuantity is too large."),
        (
            {"resourceType": "OTHER"},
            "resourceType OTHER is not valid. Valid types: [REPLENISHABLE, NON_REPLENISHABLE]",
        ),
        ({"consumableResourceName": "taken"}, "Object already exists"),
    ],
)
def test_refused_at_creation(yard: Yard, members: dict[str, Any], text: str) -> None:
    resource(yard, "taken")
    assert yard.refusal("CreateConsumableResource", **{"consumableResourceName": "new", **members}).text == text


def test_set_add_and_remove(yard: Yard) -> None:
    resource(yard)
    totals = [
        yard.call("UpdateConsumableResource", consumableResource=ARN, operation=operation, quantity=quantity)
        for operation, quantity in (("ADD", 3), ("REMOVE", 7), ("SET", 40), ("ADD", 0))
    ]
    assert [answer["totalQuantity"] for answer in totals] == [8, 1, 40, 40]
    assert totals[0]["consumableResourceArn"] == ARN


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"operation": "REMOVE", "quantity": 6}, "totalQuantity cannot be a negative number."),
        ({"operation": "ADD", "quantity": 2**63 - 1}, "totalQuantity is too large."),
        ({"operation": "ADD", "quantity": -1}, "quantity must be a non-negative number."),
        ({"operation": "SET"}, "quantity must be a non-negative number."),
        ({"quantity": 1}, "operation must be one of SET, ADD or REMOVE."),
        ({"operation": "set", "quantity": 1}, "operation must be one of SET, ADD or REMOVE."),
    ],
)
def test_refused_updates(yard: Yard, members: dict[str, Any], text: str) -> None:
    resource(yard)
    assert yard.refusal("UpdateConsumableResource", consumableResource="licence", **members).text == text
    assert yard.call("DescribeConsumableResource", consumableResource="licence")["totalQuantity"] == 5


def test_the_same_update_with_the_same_token_counts_once_in_eight_hours(yard: Yard) -> None:
    resource(yard)
    update = {"consumableResource": "licence", "operation": "ADD", "quantity": 1, "clientToken": "t"}

    def total(**members: Any) -> int:
        return int(yard.call("UpdateConsumableResource", **{**update, **members})["totalQuantity"])

    assert [total(), total(), total(consumableResource=ARN)] == [6, 6, 6]
    assert total(clientToken="u") == 7
    assert total(quantity=2) == 9
    yard.now = type(START)(START + 8 * HOUR - 1)
    assert total() == 9
    yard.now = type(START)(START + 8 * HOUR)
    assert total() == 10


def test_unknown_ones(yard: Yard) -> None:
    for operation in (
        "DescribeConsumableResource",
        "UpdateConsumableResource",
        "DeleteConsumableResource",
        "ListJobsByConsumableResource",
    ):
        assert yard.refusal(operation, consumableResource="licence").text == f"{ARN} does not exist"


def test_listed_by_pages_and_by_name(yard: Yard) -> None:
    for name in ("Alpha", "al_x", "beta"):
        resource(yard, name)

    def names(**members: Any) -> list[str]:
        found = yard.call("ListConsumableResources", **members)["consumableResources"]
        return [each["consumableResourceName"] for each in found]

    def by(*values: str) -> list[dict[str, Any]]:
        return [{"name": "CONSUMABLE_RESOURCE_NAME", "values": list(values)}]

    first = yard.call("ListConsumableResources", maxResults=2)
    assert names(nextToken=first["nextToken"]) == ["beta"]
    assert names(filters=by("alpha")) == ["Alpha"]
    assert names(filters=by("AL*")) == ["Alpha", "al_x"]
    assert names(filters=by("al_*", "beta")) == ["al_x", "beta"]
    assert "not supported" in yard.refusal("ListConsumableResources", filters=[{"name": "X", "values": ["a"]}]).text
    assert "valid value" in yard.refusal("ListConsumableResources", filters=by()).text


def test_definitions_and_jobs_need_what_exists(yard: Yard) -> None:
    yard.environment()
    yard.queue()
    resource(yard)
    for wrong, text in (
        (needing(("nothing", 1)), "ConsumableResource nothing not found."),
        (needing(("licence", 0)), "quantity of a consumableResource must be a positive number."),
        (needing(("licence", 1), (ARN, 1)), "Cannot have duplicate consumableResource in consumableResourceProperties"),
    ):
        request = {
            "jobDefinitionName": "d",
            "type": "container",
            "containerProperties": {"image": "i", "vcpus": 1, "memory": 4},
        }
        assert yard.refusal("RegisterJobDefinition", **request, consumableResourceProperties=wrong).text == text
        yard.definition()
        job = {"jobName": "j", "jobQueue": "default", "jobDefinition": "sleep"}
        assert yard.refusal("SubmitJob", **job, consumableResourcePropertiesOverride=wrong).text == text


def test_the_jobs_that_need_one(yard: Yard) -> None:
    yard.environment()
    queue = yard.queue()
    resource(yard)
    resource(yard, "other")
    definition = yard.definition(consumableResourceProperties=needing((ARN, 2)))
    job = {"jobQueue": "default", "jobDefinition": "sleep"}
    first = yard.call("SubmitJob", **job, jobName="first")
    override = needing(("licence", 3), ("other", 1))
    second = yard.call("SubmitJob", **job, jobName="Second", consumableResourcePropertiesOverride=override)
    yard.call("SubmitJob", **job, jobName="third", consumableResourcePropertiesOverride=needing(("other", 1)))

    def listed(**members: Any) -> list[dict[str, Any]]:
        return list(yard.call("ListJobsByConsumableResource", consumableResource="licence", **members)["jobs"])

    found = listed()
    assert [each["jobArn"] for each in found] == [second["jobArn"], first["jobArn"]]
    assert found[0] == {
        "jobArn": second["jobArn"],
        "jobQueueArn": queue,
        "jobName": "Second",
        "jobDefinitionArn": definition,
        "jobStatus": "RUNNABLE",
        "quantity": 3,
        "createdAt": START,
        "consumableResourceProperties": override,
    }
    page = yard.call("ListJobsByConsumableResource", consumableResource="licence", maxResults=1)
    assert listed(nextToken=page["nextToken"]) == found[1:]
    assert listed(filters=[{"name": "JOB_NAME", "values": ["second"]}]) == found[:1]
    both = [{"name": "JOB_NAME", "values": ["f*"]}, {"name": "JOB_STATUS", "values": ["RUNNABLE", "RUNNING"]}]
    assert listed(filters=both) == found[1:]
    assert listed(filters=[{"name": "JOB_STATUS", "values": ["FAILED"]}]) == []
    wrong = [{"name": "JOB_STATUS", "values": ["ASLEEP"]}]
    refused = yard.refusal("ListJobsByConsumableResource", consumableResource="licence", filters=wrong)
    assert refused.text == "Filter JOB_STATUS does not have a valid value."
