"""Scheduling policies through their operations, and the queues that have them."""

from typing import Any

import pytest

from tests.api.conftest import Yard

ARN = "arn:aws:batch:eu-central-1:123456789012:scheduling-policy/fair"


def policy(yard: Yard, name: str = "fair", **members: Any) -> str:
    return str(yard.call("CreateSchedulingPolicy", name=name, **members)["arn"])


def shares(*identifiers: str, **members: Any) -> dict[str, Any]:
    return {"shareDistribution": [{"shareIdentifier": each, **members} for each in identifiers]}


def test_created_described_and_listed(yard: Yard) -> None:
    fairshare = {"shareDecaySeconds": 3600, "computeReservation": 10, **shares("a*", "b")}
    assert policy(yard, fairsharePolicy=fairshare, tags={"k": "v"}) == ARN
    other = policy(yard, "quota", quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"})
    answer = yard.call("DescribeSchedulingPolicies", arns=[other, ARN, "fair", f"{ARN}x", ARN])
    distribution = [{"shareIdentifier": "a*", "weightFactor": 1.0}, {"shareIdentifier": "b", "weightFactor": 1.0}]
    assert answer["schedulingPolicies"] == [
        {
            "name": "quota",
            "arn": other,
            "quotaSharePolicy": {"idleResourceAssignmentStrategy": "FIFO"},
            "tags": {},
        },
        {
            "name": "fair",
            "arn": ARN,
            "fairsharePolicy": {**fairshare, "shareDistribution": distribution},
            "tags": {"k": "v"},
        },
    ]
    first = yard.call("ListSchedulingPolicies", maxResults=1)
    assert first["schedulingPolicies"] == [{"arn": ARN}]
    rest = yard.call("ListSchedulingPolicies", nextToken=first["nextToken"])
    assert rest == {"schedulingPolicies": [{"arn": other}]}


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"name": "a b"}, "Scheduling policy name should match a valid pattern."),
        (
            {"quotaSharePolicy": {"idleResourceAssignmentStrategy": "FIFO"}, "fairsharePolicy": {}},
            "A scheduling policy can have either fairsharePolicy or quotaSharePolicy",
        ),
        ({"fairsharePolicy": {"shareDecaySeconds": 604801}}, "shareDecaySeconds must be between 0 and 604800."),
        ({"fairsharePolicy": {"shareDecaySeconds": -1}}, "shareDecaySeconds must be between 0 and 604800."),
        ({"fairsharePolicy": {"computeReservation": 100}}, "computeReservation must be between 0 and 99."),
        ({"fairsharePolicy": shares("a", weightFactor=0)}, "Weight factor should be between 0.0001 and 999.9999."),
        ({"fairsharePolicy": shares("a", weightFactor=1000)}, "Weight factor should be between 0.0001 and 999.9999."),
        (
            {"fairsharePolicy": shares(*map(str, range(501)))},
            "ShareDistribution size cannot be greater than 500.",
        ),
        ({"fairsharePolicy": shares("a", "a")}, "Cannot have two or more identical shareIdentifiers."),
        ({"fairsharePolicy": shares("a b")}, "ShareIdentifier name should match a valid pattern."),
        ({"fairsharePolicy": shares("*")}, "ShareIdentifier name should match a valid pattern."),
        ({"fairsharePolicy": shares("ab", "c", "a*")}, "Share identifier ab matches another share identifier a*"),
        ({"fairsharePolicy": shares("ab*", "a*")}, "Share identifier ab* matches another share identifier a*"),
        ({"fairsharePolicy": shares("a", "a*")}, "Share identifier a matches another share identifier a*"),
        ({"name": "taken"}, "Object already exists"),
    ],
)
def test_refused_at_creation(yard: Yard, members: dict[str, Any], text: str) -> None:
    policy(yard, "taken")
    assert yard.refusal("CreateSchedulingPolicy", **{"name": "fair", **members}).text == text


def test_neighbours_in_the_alphabet_do_not_overlap(yard: Yard) -> None:
    assert policy(yard, fairsharePolicy=shares("a*", "b", "b-c", "ba*", "A"))


def test_update_replaces_the_policy_and_keeps_its_kind(yard: Yard) -> None:
    policy(yard, fairsharePolicy={"shareDecaySeconds": 60, **shares("a")})
    assert yard.call("UpdateSchedulingPolicy", arn=ARN, fairsharePolicy={"computeReservation": 5}) == {}
    (found,) = yard.call("DescribeSchedulingPolicies", arns=[ARN])["schedulingPolicies"]
    assert found["fairsharePolicy"] == {"computeReservation": 5, "shareDistribution": []}
    quota = {"idleResourceAssignmentStrategy": "FIFO"}
    refused = yard.refusal("UpdateSchedulingPolicy", arn=ARN, quotaSharePolicy=quota)
    assert refused.text == "The type of a scheduling policy can not be changed."
    assert yard.refusal("UpdateSchedulingPolicy", arn=f"{ARN}x").text == f"{ARN}x does not exist"


def test_tags(yard: Yard) -> None:
    policy(yard)
    yard.call("TagResource", resourceArn=ARN, tags={"a": "b"})
    assert yard.call("ListTagsForResource", resourceArn=ARN) == {"tags": {"a": "b"}}


def test_a_queue_keeps_its_policy_from_being_deleted(yard: Yard) -> None:
    yard.environment()
    policy(yard, tags={"k": "v"})
    yard.queue(schedulingPolicyArn=ARN)
    (queue,) = yard.call("DescribeJobQueues")["jobQueues"]
    assert queue["schedulingPolicyArn"] == ARN
    refused = yard.refusal("DeleteSchedulingPolicy", arn=ARN)
    assert refused.text == "Cannot delete, found existing JobQueue relationship"
    yard.call("UpdateJobQueue", jobQueue="default", schedulingPolicyArn=policy(yard, "other"))
    assert yard.call("DeleteSchedulingPolicy", arn=ARN) == {}
    assert yard.call("DescribeSchedulingPolicies", arns=[ARN]) == {"schedulingPolicies": []}
    policy(yard)
    assert yard.call("ListTagsForResource", resourceArn=ARN) == {"tags": {}}, "tags go with what bore them"


def test_what_a_queue_may_do_with_its_policy(yard: Yard) -> None:
    yard.environment()
    policy(yard)
    quota = policy(yard, "quota", quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"})
    order = [{"order": 1, "computeEnvironment": "machine"}]
    new = {"jobQueueName": "q", "priority": 1, "computeEnvironmentOrder": order}
    assert yard.refusal("CreateJobQueue", **new, schedulingPolicyArn="fair").text == "SchedulingPolicy fair not found."
    only = "Quota Management feature is only supported for SageMaker Training job queues."
    assert yard.refusal("CreateJobQueue", **new, schedulingPolicyArn=quota).text == only
    yard.queue("fifo")
    gained = yard.refusal("UpdateJobQueue", jobQueue="fifo", schedulingPolicyArn=ARN)
    assert gained.text == "A scheduling policy can not be added to a job queue that was created without one."
    yard.queue("fair", schedulingPolicyArn=ARN)
    assert yard.refusal("UpdateJobQueue", jobQueue="fair", schedulingPolicyArn=quota).text == only
    yard.call("UpdateJobQueue", jobQueue="fair", priority=3)
    (queue,) = yard.call("DescribeJobQueues", jobQueues=["fair"])["jobQueues"]
    assert (queue["priority"], queue["schedulingPolicyArn"]) == (3, ARN)


def test_share_identifiers_belong_to_queues_with_a_policy(yard: Yard) -> None:
    yard.environment()
    yard.definition()
    yard.queue("fifo")
    yard.queue("fair", schedulingPolicyArn=policy(yard))
    job = {"jobName": "j", "jobDefinition": "sleep"}
    refused = yard.refusal("SubmitJob", **job, jobQueue="fifo", shareIdentifier="a")
    assert "can onlybe submitted to job queue with fair share scheduling policy." in refused.text
    assert "must specify shareIdentifier" in yard.refusal("SubmitJob", **job, jobQueue="fair").text
    wrong = yard.refusal("SubmitJob", **job, jobQueue="fair", shareIdentifier="a*")
    assert wrong.text == "ShareIdentifier name should match a valid pattern."
    made = yard.call("SubmitJob", **job, jobQueue="fair", shareIdentifier="a", schedulingPriorityOverride=7)
    (found,) = yard.call("DescribeJobs", jobs=[made["jobId"]])["jobs"]
    assert (found["shareIdentifier"], found["schedulingPriority"]) == ("a", 7)
