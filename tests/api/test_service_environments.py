"""Service environments and quota shares through their operations, and the queues that have them."""

from typing import Any

import pytest

from tests.api.conftest import Yard

ACCOUNT = "arn:aws:batch:eu-central-1:123456789012:"
ARN = f"{ACCOUNT}service-environment/training"
INSTANCES = [{"maxCapacity": 4, "capacityUnit": "NUM_INSTANCES"}]
TYPES = [{"maxCapacity": 4, "capacityUnit": "ml.m5.large"}]
UNITS = "Capacity units must specify either number of instances OR instance type"
SHARE: dict[str, Any] = {
    "capacityLimits": TYPES,
    "resourceSharingConfiguration": {"strategy": "LEND_AND_BORROW"},
    "preemptionConfiguration": {"inSharePreemption": "ENABLED"},
}


def environment(yard: Yard, name: str = "training", **members: Any) -> str:
    request = {"serviceEnvironmentType": "SAGEMAKER_TRAINING", "capacityLimits": INSTANCES, **members}
    return str(yard.call("CreateServiceEnvironment", serviceEnvironmentName=name, **request)["serviceEnvironmentArn"])


def queue(yard: Yard, name: str = "q", **members: Any) -> dict[str, Any]:
    order = [{"order": 1, "serviceEnvironment": "training"}]
    request = {"jobQueueType": "SAGEMAKER_TRAINING", "priority": 1, "serviceEnvironmentOrder": order, **members}
    yard.call("CreateJobQueue", jobQueueName=name, **request)
    return dict(yard.call("DescribeJobQueues", jobQueues=[name])["jobQueues"][0])


def managed(yard: Yard, name: str = "q") -> str:
    """A queue with a quota-share policy."""
    policy = {"idleResourceAssignmentStrategy": "FIFO"}
    arn = yard.call("CreateSchedulingPolicy", name=f"{name}-policy", quotaSharePolicy=policy)["arn"]
    return str(queue(yard, name, schedulingPolicyArn=arn)["jobQueueArn"])


def test_created_described_updated_and_deleted(yard: Yard) -> None:
    assert environment(yard, tags={"a": "b"}) == ARN
    detail = {
        "serviceEnvironmentName": "training",
        "serviceEnvironmentArn": ARN,
        "serviceEnvironmentType": "SAGEMAKER_TRAINING",
        "state": "ENABLED",
        "status": "VALID",
        "capacityLimits": INSTANCES,
        "tags": {"a": "b"},
    }
    assert yard.call("DescribeServiceEnvironments") == {"serviceEnvironments": [detail]}
    assert yard.call("DescribeServiceEnvironments", serviceEnvironments=["x", ARN])["serviceEnvironments"] == [detail]
    refused = yard.refusal("DeleteServiceEnvironment", serviceEnvironment="training")
    assert refused.text == "Cannot delete, service environment must be in DISABLED state."
    changes = {"state": "DISABLED", "capacityLimits": TYPES}
    assert yard.call("UpdateServiceEnvironment", serviceEnvironment=ARN, **changes)["serviceEnvironmentArn"] == ARN
    assert yard.call("DescribeServiceEnvironments")["serviceEnvironments"] == [{**detail, **changes}]
    assert yard.call("DeleteServiceEnvironment", serviceEnvironment=ARN) == {}
    assert yard.call("DescribeServiceEnvironments") == {"serviceEnvironments": []}
    assert yard.refusal("UpdateServiceEnvironment", serviceEnvironment="training").text == f"{ARN} does not exist"


def test_listed_by_pages(yard: Yard) -> None:
    for name in "abc":
        environment(yard, name)
    first = yard.call("DescribeServiceEnvironments", maxResults=2)
    rest = yard.call("DescribeServiceEnvironments", nextToken=first["nextToken"])["serviceEnvironments"]
    assert [each["serviceEnvironmentName"] for each in rest] == ["c"]


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"serviceEnvironmentName": "a b"}, "Service environment name should match a valid pattern."),
        ({"serviceEnvironmentName": "taken"}, "Object already exists"),
        ({"capacityLimits": []}, "Capacitylimits are required."),
        (
            {"capacityLimits": INSTANCES + TYPES},
            UNITS,
        ),
        (
            {"capacityLimits": [{"maxCapacity": 1}]},
            UNITS,
        ),
        ({"capacityLimits": TYPES * 2}, "Duplicate capacityUnit values in capacityLimits."),
        (
            {"capacityLimits": [{**INSTANCES[0], "maxCapacity": 0}]},
            "Max capacity must be more than 0.",
        ),
        (
            {"capacityLimits": [{"maxCapacity": 1, "capacityUnit": f"ml.m{n}.large"} for n in range(6)]},
            "At most 5 capacityLimits are allowed.",
        ),
    ],
)
def test_refused_at_creation(yard: Yard, members: dict[str, Any], text: str) -> None:
    environment(yard, "taken")
    request = {
        "serviceEnvironmentName": "new",
        "serviceEnvironmentType": "SAGEMAKER_TRAINING",
        "capacityLimits": INSTANCES,
    }
    assert yard.refusal("CreateServiceEnvironment", **{**request, **members}).text == text


def test_a_queue_of_service_environments(yard: Yard) -> None:
    environment(yard)
    limit = {"reason": "r", "state": "RUNNABLE", "maxTimeSeconds": 600, "action": "TERMINATE"}
    made = queue(yard, jobStateTimeLimitActions=[limit])
    assert made["serviceEnvironmentOrder"] == [{"order": 1, "serviceEnvironment": ARN}]
    assert (made["computeEnvironmentOrder"], made["jobQueueType"]) == ([], "SAGEMAKER_TRAINING")
    yard.call("UpdateServiceEnvironment", serviceEnvironment=ARN, state="DISABLED")
    refused = yard.refusal("DeleteServiceEnvironment", serviceEnvironment=ARN)
    assert refused.text == "Cannot delete, found existing JobQueue relationship"
    snapshot = yard.call("GetJobQueueSnapshot", jobQueue="q")
    assert snapshot["frontOfQueue"]["jobs"] == []
    yard.definition()
    job = {"jobName": "j", "jobQueue": "q", "jobDefinition": "sleep"}
    assert "can not run Jobs with capability EC2" in yard.refusal("SubmitJob", **job).text


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (
            {"serviceEnvironmentOrder": [{"order": 1, "serviceEnvironment": "nothing"}]},
            "Service Environments must be created and valid before attaching them to a job queue",
        ),
        (
            {"serviceEnvironmentOrder": [{"order": n, "serviceEnvironment": "training"} for n in (1, 2)]},
            "Only 1 environments are allowed in job queue request.",
        ),
        ({"jobQueueType": "ECS"}, "Environments in the order list do not match job queue type ECS."),
        (
            {"computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "machine"}]},
            "computeEnvironmentOrder and serviceEnvironmentOrder cannot both be specified.",
        ),
        (
            {"serviceEnvironmentOrder": []},
            "Job queues of type SAGEMAKER_TRAINING must have serviceEnvironmentOrder.",
        ),
        (
            {
                "jobStateTimeLimitActions": [
                    {"reason": "r", "state": "RUNNABLE", "maxTimeSeconds": 600, "action": "CANCEL"}
                ]
            },
            "Invalid job action. Valid job actions: [TERMINATE]",
        ),
    ],
)
def test_refused_queues(yard: Yard, members: dict[str, Any], text: str) -> None:
    environment(yard)
    yard.environment()
    order = [{"order": 1, "serviceEnvironment": "training"}]
    request = {"jobQueueType": "SAGEMAKER_TRAINING", "priority": 1, "serviceEnvironmentOrder": order, **members}
    assert yard.refusal("CreateJobQueue", jobQueueName="q", **request).text == text


def test_a_queue_keeps_to_its_kind_of_environments(yard: Yard) -> None:
    environment(yard)
    environment(yard, "other")
    yard.environment()
    yard.queue("compute")
    queue(yard)
    fixed = "A job queue can not be changed between compute environments and service environments."
    service = [{"order": 1, "serviceEnvironment": "other"}]
    compute = [{"order": 1, "computeEnvironment": "machine"}]
    assert yard.refusal("UpdateJobQueue", jobQueue="q", computeEnvironmentOrder=compute).text == fixed
    assert yard.refusal("UpdateJobQueue", jobQueue="compute", serviceEnvironmentOrder=service).text == fixed
    yard.call("UpdateJobQueue", jobQueue="q", serviceEnvironmentOrder=service)
    (found,) = yard.call("DescribeJobQueues", jobQueues=["q"])["jobQueues"]
    other = f"{ACCOUNT}service-environment/other"
    assert found["serviceEnvironmentOrder"] == [{"order": 1, "serviceEnvironment": other}]


def test_quota_management_has_its_service_environment_alone(yard: Yard) -> None:
    environment(yard)
    alone = "A service environment with quota management can be attached to one job queue only."
    managed(yard)
    order = [{"order": 1, "serviceEnvironment": "training"}]
    new = {"jobQueueName": "r", "priority": 1, "serviceEnvironmentOrder": order}
    assert yard.refusal("CreateJobQueue", **new).text == alone
    environment(yard, "other")
    queue(yard, "r", serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": "other"}])
    assert yard.refusal("UpdateJobQueue", jobQueue="r", serviceEnvironmentOrder=order).text == alone


def test_quota_shares(yard: Yard) -> None:
    environment(yard)
    jobs = managed(yard)
    arn = f"{ACCOUNT}quota-share/q/team"
    made = yard.call("CreateQuotaShare", quotaShareName="team", jobQueue=jobs, tags={"a": "b"}, **SHARE)
    assert made == {"quotaShareName": "team", "quotaShareArn": arn}
    detail = {
        **made,
        "jobQueueArn": jobs,
        **SHARE,
        "resourceSharingConfiguration": {"strategy": "LEND_AND_BORROW", "borrowLimit": -1},
        "state": "ENABLED",
        "status": "VALID",
    }
    assert yard.call("DescribeQuotaShare", quotaShareArn=arn) == {**detail, "tags": {"a": "b"}}
    assert yard.call("ListTagsForResource", resourceArn=arn) == {"tags": {"a": "b"}}
    assert yard.call("ListQuotaShares", jobQueue="q") == {"quotaShares": [detail]}
    refused = yard.refusal("DeleteQuotaShare", quotaShareArn=arn)
    assert refused.text == "Cannot delete, quota share must be in DISABLED state."
    reserve = {"strategy": "RESERVE"}
    yard.call("UpdateQuotaShare", quotaShareArn=arn, state="DISABLED", resourceSharingConfiguration=reserve)
    changed = yard.call("DescribeQuotaShare", quotaShareArn=arn)
    assert (changed["state"], changed["resourceSharingConfiguration"]) == ("DISABLED", reserve)
    assert changed["capacityLimits"] == TYPES
    assert yard.call("DeleteQuotaShare", quotaShareArn=arn) == {}
    assert yard.refusal("DescribeQuotaShare", quotaShareArn=arn).text == f"{arn} does not exist"


def test_quota_shares_belong_to_their_queue(yard: Yard) -> None:
    environment(yard)
    environment(yard, "other")
    managed(yard)
    queue(yard, "q-2", serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": "other"}])
    for name in ("a", "b", "c"):
        yard.call("CreateQuotaShare", quotaShareName=name, jobQueue="q", **SHARE)
    first = yard.call("ListQuotaShares", jobQueue="q", maxResults=2)
    rest = yard.call("ListQuotaShares", jobQueue="q", nextToken=first["nextToken"])["quotaShares"]
    assert [each["quotaShareName"] for each in rest] == ["c"]
    assert yard.call("ListQuotaShares", jobQueue="q-2") == {"quotaShares": []}
    yard.call("UpdateJobQueue", jobQueue="q", state="DISABLED")
    yard.call("DeleteJobQueue", jobQueue="q")
    arn = f"{ACCOUNT}quota-share/q/a"
    assert yard.refusal("DescribeQuotaShare", quotaShareArn=arn).text == f"{arn} does not exist"


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"quotaShareName": "a/b"}, "Quota share name should match a valid pattern."),
        ({"quotaShareName": "taken"}, "Object already exists"),
        ({"jobQueue": "nothing"}, "JobQueue nothing not found."),
        (
            {"jobQueue": "plain"},
            "Quota shares can only be created in job queues with a quota share scheduling policy.",
        ),
        ({"capacityLimits": []}, "Capacitylimits are required."),
        (
            {"resourceSharingConfiguration": {"strategy": "LEND", "borrowLimit": 5}},
            "borrowLimit can only be specified with the LEND_AND_BORROW strategy.",
        ),
        (
            {"resourceSharingConfiguration": {"strategy": "LEND_AND_BORROW", "borrowLimit": -2}},
            "borrowLimit must be -1 or more.",
        ),
    ],
)
def test_refused_quota_shares(yard: Yard, members: dict[str, Any], text: str) -> None:
    environment(yard)
    environment(yard, "other")
    managed(yard)
    queue(yard, "plain", serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": "other"}])
    yard.call("CreateQuotaShare", quotaShareName="taken", jobQueue="q", **SHARE)
    request = {"quotaShareName": "new", "jobQueue": "q", **SHARE, **members}
    assert yard.refusal("CreateQuotaShare", **request).text == text


def test_at_most_twenty_quota_shares_in_a_queue(yard: Yard) -> None:
    environment(yard)
    managed(yard)
    for number in range(20):
        yard.call("CreateQuotaShare", quotaShareName=f"s{number}", jobQueue="q", **SHARE)
    assert "at most 20 quota shares" in yard.refusal("CreateQuotaShare", quotaShareName="x", jobQueue="q", **SHARE).text
