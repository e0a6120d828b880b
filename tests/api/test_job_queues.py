"""Job queues through their operations."""

from typing import Any

import pytest

from tests.api.conftest import FARGATE, Yard

ARN = "arn:aws:batch:eu-central-1:123456789012:job-queue/default"


def described(yard: Yard, name: str = "default") -> dict[str, Any]:
    (detail,) = yard.call("DescribeJobQueues", jobQueues=[name])["jobQueues"]
    return dict(detail)


def order(*names: str) -> list[dict[str, Any]]:
    return [{"order": number, "computeEnvironment": name} for number, name in enumerate(names)]


def test_created_ones_are_valid_at_once(yard: Yard) -> None:
    machine = yard.environment()
    assert yard.queue(tags={"a": "b"}) == ARN
    assert described(yard) == {
        "jobQueueName": "default",
        "jobQueueArn": ARN,
        "state": "ENABLED",
        "status": "VALID",
        "statusReason": "JobQueue Healthy",
        "priority": 1,
        "computeEnvironmentOrder": [{"order": 0, "computeEnvironment": machine}],
        "jobQueueType": "ECS",
        "jobStateTimeLimitActions": [],
        "tags": {"a": "b"},
    }


def test_arns_of_any_region_and_account_name_the_same(yard: Yard) -> None:
    yard.environment()
    foreign = "arn:aws-cn:batch:cn-north-1:000000000000:"
    yard.queue("default", f"{foreign}compute-environment/machine")
    assert described(yard, f"{foreign}job-queue/default")["jobQueueArn"] == ARN


@pytest.mark.parametrize("reference", ["job/queue", "a b", "", ARN.replace("job-queue", "job-definition"), f"{ARN}:1"])
def test_references_of_another_kind(yard: Yard, reference: str) -> None:
    text = yard.refusal("UpdateJobQueue", jobQueue=reference).text
    assert text == f"Provided name {reference} is not supported pattern[a-zA-Z_0-9-]{{1,128}}"


def test_best_environment_first(yard: Yard) -> None:
    for name in "abc":
        yard.environment(name)
    entries = [{"order": o, "computeEnvironment": n} for o, n in ((7, "a"), (1, "b"), (3, "c"))]
    yard.call("CreateJobQueue", jobQueueName="q", priority=5, computeEnvironmentOrder=entries)
    with yard.database.read() as tx:
        queue = tx.job_queues.get("q")
    assert queue is not None
    assert queue.compute_environments == ("b", "c", "a")
    assert [entry["order"] for entry in described(yard, "q")["computeEnvironmentOrder"]] == [1, 3, 7]


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"jobQueueName": "-q"}, "Job Queue name should match a valid pattern."),
        ({"computeEnvironmentOrder": []}, "computeEnvironmentOrder or serviceEnvironmentOrder must be provided."),
        (
            {"computeEnvironmentOrder": order("a", "b", "c", "d")},
            "Only 3 environments are allowed in job queue request.",
        ),
        ({"computeEnvironmentOrder": order("machine")[:1] * 2}, "Duplicate ComputeEnvironment order values."),
        ({"computeEnvironmentOrder": order("machine", "machine")}, "Duplicate ComputeEnvironments within order list."),
        (
            {"computeEnvironmentOrder": order("nothing")},
            "Compute Environments must be created and valid before attaching them to a job queue",
        ),
        (
            {"computeEnvironmentOrder": order("machine", "fargate")},
            "Fargate and EC2 compute environments can not be mixed.",
        ),
        ({"schedulingPolicyArn": "arn:x"}, "SchedulingPolicy arn:x not found."),
        (
            {"jobQueueType": "SAGEMAKER_TRAINING", "computeEnvironmentOrder": []},
            "Job queues of type SAGEMAKER_TRAINING must have serviceEnvironmentOrder.",
        ),
        (
            {
                "jobStateTimeLimitActions": [
                    {"reason": "r", "state": "RUNNABLE", "maxTimeSeconds": 600, "action": "TERMINATE"}
                ]
            },
            "Invalid job action. Valid job actions: [CANCEL]",
        ),
        (
            {
                "jobStateTimeLimitActions": [
                    {"reason": "r", "state": "RUNNABLE", "maxTimeSeconds": 600, "action": "CANCEL"}
                ]
                * 2
            },
            "Duplicate job state limit actions are not allowed.",
        ),
        ({"jobQueueName": "default"}, "Object already exists"),
    ],
)
def test_refused_at_creation(yard: Yard, members: dict[str, Any], text: str) -> None:
    yard.environment()
    yard.environment("fargate", computeResources=FARGATE)
    yard.queue()
    request = {"jobQueueName": "q", "priority": 1, "computeEnvironmentOrder": order("machine"), **members}
    assert yard.refusal("CreateJobQueue", **request).text == text


def test_update_changes_what_is_given(yard: Yard) -> None:
    yard.environment()
    yard.queue()
    answer = yard.call("UpdateJobQueue", jobQueue=ARN, state="DISABLED", priority=9)
    assert answer == {"jobQueueName": "default", "jobQueueArn": ARN}
    detail = described(yard)
    assert (detail["state"], detail["status"], detail["priority"]) == ("DISABLED", "VALID", 9)
    assert len(detail["computeEnvironmentOrder"]) == 1


def test_update_of_an_unknown_queue(yard: Yard) -> None:
    assert yard.refusal("UpdateJobQueue", jobQueue="default").text == f"{ARN} does not exist"


def test_delete_goes_by_way_of_disabled_and_deleting(yard: Yard) -> None:
    yard.environment()
    yard.queue()
    assert "DISABLED" in yard.refusal("DeleteJobQueue", jobQueue="default").text
    yard.call("UpdateJobQueue", jobQueue="default", state="DISABLED")
    assert yard.call("DeleteJobQueue", jobQueue="default") == {}
    detail = described(yard)
    assert (detail["status"], detail["statusReason"]) == ("DELETING", "JobQueue Healthy")
    assert yard.refusal("DeleteJobQueue", jobQueue="default").text == "Cannot delete, resource is being modified."
    assert "is being modified" in yard.refusal("UpdateJobQueue", jobQueue="default", state="ENABLED").text


def test_unknown_names_are_left_out(yard: Yard) -> None:
    assert yard.call("DescribeJobQueues", jobQueues=["nothing"]) == {"jobQueues": []}
    assert yard.call("DescribeJobQueues") == {"jobQueues": []}


def test_tokens_of_other_questions_are_refused(yard: Yard) -> None:
    for number in range(3):
        yard.environment(f"e{number}")
        yard.queue(f"q{number}", f"e{number}")
    token = yard.call("DescribeJobQueues", maxResults=1)["nextToken"]
    assert yard.call("DescribeJobQueues", maxResults=2, nextToken=token)["jobQueues"][0]["jobQueueName"] == "q1"
    refused = "The specified nextToken is invalid."
    for wrong in (token[:-2] + "AA", "A" + token[1:], "x", "\u00e9"):
        assert yard.refusal("DescribeJobQueues", nextToken=wrong).text == refused
    assert yard.refusal("DescribeComputeEnvironments", nextToken=token).text == refused
