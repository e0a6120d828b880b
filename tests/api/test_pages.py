"""Pages of every operation that has them, while things come and go: nothing twice, and nothing missed that stood."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.loaders import Loader

from batchyard.api.operations import OPERATIONS
from batchyard.core.ids import Millis
from batchyard.wire import model
from tests.api.conftest import CONTAINER, FARGATE, Yard
from tests.api.texts_of_resources import LIMIT, SUBMIT

GROUP = "/aws/batch/job"
ORDER = [{"order": 1, "computeEnvironment": "machine"}]
NEEDS = {"consumableResourceList": [{"consumableResource": "scarce", "quantity": 1}]}


@dataclass(frozen=True)
class Listing:
    """An operation with pages. `add` makes the thing of a number, `remove` unmakes what a list shows as its key; an
    operation without `remove` lists what never goes."""

    operation: str
    member: str
    key: str
    add: Callable[[Yard, int], object]
    remove: Callable[[Yard, str], object] | None = None
    request: Mapping[str, Any] = field(default_factory=dict)
    limit: str = "maxResults"

    def __str__(self) -> str:
        return " ".join([self.operation, *map(str, self.request.values())])


def _job(yard: Yard, number: int, **members: Any) -> str:
    yard.now = Millis(yard.now + 1)
    return str(yard.call("SubmitJob", {**SUBMIT, "jobName": f"job-{number}", **members})["jobId"])


def _cancel(yard: Yard, job_id: str) -> None:
    yard.call("CancelJob", jobId=job_id, reason="enough")


def _environment(yard: Yard, name: str) -> None:
    yard.call("UpdateComputeEnvironment", computeEnvironment=name, state="DISABLED")
    yard.call("DeleteComputeEnvironment", computeEnvironment=name)


def _service_environment(yard: Yard, name: str) -> None:
    yard.call("UpdateServiceEnvironment", serviceEnvironment=name, state="DISABLED")
    yard.call("DeleteServiceEnvironment", serviceEnvironment=name)


def _quota_share(yard: Yard, arn: str) -> None:
    yard.call("UpdateQuotaShare", quotaShareArn=arn, state="DISABLED")
    yard.call("DeleteQuotaShare", quotaShareArn=arn)


def _add_quota_share(yard: Yard, number: int) -> None:
    yard.call(
        "CreateQuotaShare",
        quotaShareName=f"s{number}",
        jobQueue="training",
        capacityLimits=[LIMIT],
        resourceSharingConfiguration={"strategy": "RESERVE"},
        preemptionConfiguration={"inSharePreemption": "DISABLED"},
    )


def _add_service_environment(yard: Yard, number: int) -> None:
    kind = "SAGEMAKER_TRAINING"
    yard.call(
        "CreateServiceEnvironment",
        serviceEnvironmentName=f"s{number}",
        serviceEnvironmentType=kind,
        capacityLimits=[LIMIT],
    )


def _service_job(yard: Yard, number: int) -> None:
    yard.now = Millis(yard.now + 1)
    if not yard.call("DescribeJobQueues", jobQueues=["plain-training"])["jobQueues"]:
        _add_service_environment(yard, 1000)
        order = [{"order": 1, "serviceEnvironment": "s1000"}]
        yard.call("CreateJobQueue", jobQueueName="plain-training", priority=1, serviceEnvironmentOrder=order)
    names = {"jobName": f"train-{number}", "jobQueue": "plain-training", "serviceJobType": "SAGEMAKER_TRAINING"}
    yard.call("SubmitServiceJob", serviceRequestPayload="{}", **names)


def _attempt(yard: Yard, number: int) -> None:
    yard.now = Millis(yard.now + 10_000)
    yard.attempt(number, (0, f"line of {number}"), stream=f"s{number % 3}/{number}")


LISTINGS = [
    Listing(
        "DescribeComputeEnvironments",
        "computeEnvironments",
        "computeEnvironmentName",
        lambda yard, n: yard.environment(f"e{n}", computeResources=FARGATE),
        _environment,
    ),
    Listing("DescribeJobQueues", "jobQueues", "jobQueueName", lambda yard, n: yard.queue(f"q{n}")),
    Listing(
        "DescribeJobDefinitions",
        "jobDefinitions",
        "jobDefinitionArn",
        lambda yard, n: yard.definition(f"d{n % 2}"),
        lambda yard, arn: yard.call("DeregisterJobDefinition", jobDefinition=arn),
        {"status": "ACTIVE"},
    ),
    Listing(
        "DescribeJobDefinitions",
        "jobDefinitions",
        "jobDefinitionArn",
        lambda yard, n: yard.definition("d"),
        lambda yard, arn: yard.call("DeregisterJobDefinition", jobDefinition=arn),
        {"jobDefinitionName": "d", "status": "ACTIVE"},
    ),
    Listing(
        "DescribeServiceEnvironments",
        "serviceEnvironments",
        "serviceEnvironmentName",
        _add_service_environment,
        _service_environment,
    ),
    Listing(
        "ListConsumableResources",
        "consumableResources",
        "consumableResourceName",
        lambda yard, n: yard.call("CreateConsumableResource", consumableResourceName=f"c{n}"),
        lambda yard, name: yard.call("DeleteConsumableResource", consumableResource=name),
        {"filters": [{"name": "CONSUMABLE_RESOURCE_NAME", "values": ["c*"]}]},
    ),
    Listing("ListJobs", "jobSummaryList", "jobId", _job, _cancel, {"jobQueue": "default", "jobStatus": "RUNNABLE"}),
    Listing(
        "ListJobs",
        "jobSummaryList",
        "jobId",
        _job,
        None,
        {"jobQueue": "default", "filters": [{"name": "JOB_NAME", "values": ["job-*"]}]},
    ),
    Listing(
        "ListJobsByConsumableResource",
        "jobs",
        "jobArn",
        lambda yard, n: _job(yard, n, consumableResourcePropertiesOverride=NEEDS),
        lambda yard, arn: _cancel(yard, arn.rpartition("/")[2]),
        {"consumableResource": "scarce", "filters": [{"name": "JOB_STATUS", "values": ["RUNNABLE"]}]},
    ),
    Listing(
        "ListServiceJobs",
        "jobSummaryList",
        "jobId",
        _service_job,
        lambda yard, job_id: yard.call("TerminateServiceJob", jobId=job_id, reason="enough"),
        {"jobQueue": "plain-training", "jobStatus": "RUNNABLE"},
    ),
    Listing(
        "ListQuotaShares", "quotaShares", "quotaShareArn", _add_quota_share, _quota_share, {"jobQueue": "training"}
    ),
    Listing(
        "ListSchedulingPolicies",
        "schedulingPolicies",
        "arn",
        lambda yard, n: yard.call("CreateSchedulingPolicy", name=f"p{n}"),
        lambda yard, arn: yard.call("DeleteSchedulingPolicy", arn=arn),
    ),
    Listing(
        "logs.DescribeLogGroups",
        "logGroups",
        "logGroupName",
        lambda yard, n: yard.call("logs.CreateLogGroup", logGroupName=f"group-{n}"),
        lambda yard, name: yard.call("logs.DeleteLogGroup", logGroupName=name),
        {"logGroupNamePrefix": "group-"},
        "limit",
    ),
    Listing("logs.DescribeLogStreams", "logStreams", "logStreamName", _attempt, None, {"logGroupName": GROUP}, "limit"),
    Listing(
        "logs.DescribeLogStreams",
        "logStreams",
        "logStreamName",
        _attempt,
        None,
        {"logGroupName": GROUP, "orderBy": "LastEventTime", "descending": True},
        "limit",
    ),
    Listing("logs.FilterLogEvents", "events", "eventId", _attempt, None, {"logGroupName": GROUP}, "limit"),
]


@pytest.fixture
def furnished(yard: Yard) -> Yard:
    """A yard in which everything that is listed can be made."""
    yard.environment()
    yard.queue()
    yard.definition(containerProperties=CONTAINER)
    yard.call("CreateConsumableResource", consumableResourceName="scarce", totalQuantity=1)
    quota = {"quotaSharePolicy": {"idleResourceAssignmentStrategy": "FIFO"}}
    policy = yard.call("CreateSchedulingPolicy", {"name": "quota", **quota})["arn"]
    _add_service_environment(yard, 0)
    order = [{"order": 1, "serviceEnvironment": "s0"}]
    queue = {"jobQueueName": "training", "priority": 1, "schedulingPolicyArn": policy}
    yard.call("CreateJobQueue", {**queue, "serviceEnvironmentOrder": order})
    return yard


def test_every_operation_with_pages_is_here() -> None:
    paginated = {
        f"{service.name}.{name}"
        for service, version in ((model.batch(), "2016-08-10"), (model.logs(), "2014-03-28"))
        for name in Loader().load_service_model(service.name, "paginators-1", version)["pagination"]
        if f"{service.name}.{name}" in OPERATIONS
    }
    shown = {each.operation if "." in each.operation else f"batch.{each.operation}" for each in LISTINGS}
    assert shown == paginated


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("listing", LISTINGS, ids=str)
def test_nothing_comes_twice_and_nothing_that_stood_is_missed(furnished: Yard, listing: Listing, limit: int) -> None:
    for number in range(1, 8):
        listing.add(furnished, number)
    standing = set(_all(furnished, listing))
    seen: list[str] = []
    token, number = "", 8
    while True:
        page = furnished.call(
            listing.operation, {**listing.request, listing.limit: limit, **({"nextToken": token} if token else {})}
        )
        keys = [each[listing.key] for each in page[listing.member]]
        assert len(keys) <= limit
        seen += keys
        token = page.get("nextToken", "")
        if not token:
            break
        if number < 12:
            listing.add(furnished, number)
            if number < 10:
                standing -= _without_some(furnished, listing, keys)
            number += 1
    assert len(seen) == len(set(seen)), "something came twice"
    assert standing - set(seen) == set(), "something was missed"
    assert len(standing) >= 3 or listing.remove is None


def _all(yard: Yard, listing: Listing) -> list[str]:
    page = yard.call(listing.operation, {**listing.request, listing.limit: 50})
    assert "nextToken" not in page
    return [each[listing.key] for each in page[listing.member]]


def _without_some(yard: Yard, listing: Listing, shown: list[str]) -> set[str]:
    """Remove what the page ended with, on which the next one goes on, and the last thing that waits; their keys."""
    if listing.remove is None:
        return set()
    protected = {"machine", "s0", "training"}
    ours = [key for key in _all(yard, listing) if key not in protected and not key.endswith("/quota")]
    gone = {*[key for key in shown[-1:] if key in ours], *ours[-1:]}
    for key in gone:
        listing.remove(yard, key)
    return gone


@pytest.mark.parametrize("listing", LISTINGS, ids=str)
def test_a_token_that_is_not_ours_is_refused(furnished: Yard, listing: Listing) -> None:
    for number in range(1, 4):
        listing.add(furnished, number)
    token: str = furnished.call(listing.operation, {**listing.request, listing.limit: 1})["nextToken"]
    changed = [
        f"{token[:place]}{'A' if token[place] != 'A' else 'B'}{token[place + 1 :]}" for place in range(len(token))
    ]
    foreign = furnished.call("DescribeJobQueues", maxResults=1)["nextToken"]
    others = [foreign] if listing.operation != "DescribeJobQueues" else []
    for wrong in (*changed, *others, token[:-4], token + "AAAA", f"{token}\n", f" {token}", f"{token}!", "x", "\u00e9"):
        refusal = furnished.refusal(listing.operation, **{**listing.request, "nextToken": wrong})
        assert refusal.text == "The specified nextToken is invalid.", wrong


@pytest.mark.parametrize(
    "listing", [each for each in LISTINGS if each.request and each.operation != "logs.FilterLogEvents"], ids=str
)
def test_a_token_belongs_to_its_question(furnished: Yard, listing: Listing) -> None:
    for number in range(1, 4):
        listing.add(furnished, number)
    token = furnished.call(listing.operation, {**listing.request, listing.limit: 1})["nextToken"]
    furnished.call("CreateConsumableResource", consumableResourceName="other")
    other: dict[str, Any] = {
        "jobQueue": "training" if listing.operation == "ListJobs" else "default",
        "consumableResource": "other",
        "filters": [{"name": "JOB_NAME", "values": ["other"]}],
        "status": "INACTIVE",
        "logGroupNamePrefix": "other",
        "descending": not listing.request.get("descending", False),
    }
    if listing.operation == "ListConsumableResources":
        other["filters"] = [{"name": "CONSUMABLE_RESOURCE_NAME", "values": ["x*"]}]
    for member in other.keys() & {*listing.request, *(("descending",) if "Streams" in listing.operation else ())}:
        request = {**listing.request, member: other[member], "nextToken": token}
        assert furnished.refusal(listing.operation, **request).text == "The specified nextToken is invalid."
