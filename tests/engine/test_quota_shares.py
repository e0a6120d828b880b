"""Service jobs in quota shares: what runs, what is lent, and what the snapshot says."""

import json
from typing import Any

import pytest

from batchyard.core import reasons
from tests.engine.yard import Yard

KIND = "ml.m5.large"


@pytest.fixture
def yard(yard: Yard) -> Yard:
    """With a queue `teams` of four instances, of which two are `a`'s, which borrows, and two `b`'s, which lends."""
    limits = [{"maxCapacity": 4, "capacityUnit": KIND}]
    names = {"serviceEnvironmentName": "park", "serviceEnvironmentType": "SAGEMAKER_TRAINING"}
    yard.ask("CreateServiceEnvironment", capacityLimits=limits, **names)
    policy = {"idleResourceAssignmentStrategy": "FIFO"}
    arn = yard.ask("CreateSchedulingPolicy", name="teams", quotaSharePolicy=policy)["arn"]
    order = [{"order": 1, "serviceEnvironment": "park"}]
    yard.ask("CreateJobQueue", jobQueueName="teams", priority=1, serviceEnvironmentOrder=order, schedulingPolicyArn=arn)
    quota(yard, "a", {"strategy": "LEND_AND_BORROW"})
    quota(yard, "b", {"strategy": "LEND"})
    return yard


def quota(yard: Yard, name: str, sharing: dict[str, Any], preemption: str = "DISABLED") -> str:
    arn: str = yard.ask(
        "CreateQuotaShare",
        quotaShareName=name,
        jobQueue="teams",
        capacityLimits=[{"maxCapacity": 2, "capacityUnit": KIND}],
        resourceSharingConfiguration=sharing,
        preemptionConfiguration={"inSharePreemption": preemption},
    )["quotaShareArn"]
    return arn


def request_of(share: str, kind: str = KIND, **more: Any) -> dict[str, Any]:
    payload = json.dumps({"ResourceConfig": {"InstanceType": kind, "InstanceCount": 1}})
    names = {"jobName": "train", "jobQueue": "teams", "serviceJobType": "SAGEMAKER_TRAINING"}
    return {**names, "serviceRequestPayload": payload, "quotaShareName": share, **more}


def train(yard: Yard, share: str, kind: str = KIND, **more: Any) -> str:
    job_id: str = yard.ask("SubmitServiceJob", **request_of(share, kind, **more))["jobId"]
    return job_id


def read(yard: Yard, operation: str, **request: Any) -> dict[str, Any]:
    assert yard.world.server is not None
    return dict(yard.world.server.read(operation, request))


def test_a_share_borrows_what_is_idle_until_its_owner_wants_it(yard: Yard) -> None:
    borrower = [train(yard, "a") for _ in range(5)]
    assert yard.running() == borrower[:4]
    owner = train(yard, "b")
    assert yard.running() == [*borrower[:3], owner], "the latest of those that borrow gives way"
    yard.finish(borrower[0])
    assert yard.running() == [*borrower[1:3], owner, borrower[3]], (
        "one of b's two is idle, and it waited before the other"
    )


def test_a_preempted_job_runs_again_and_it_costs_no_retry(yard: Yard) -> None:
    borrower = [train(yard, "a", retryStrategy={"attempts": 2}) for _ in range(3)]
    owners = [train(yard, "b") for _ in range(2)]
    victim = borrower[2]
    assert read(yard, "DescribeServiceJob", jobId=victim)["status"] == "RUNNABLE"
    yard.finish(owners[0])
    assert victim in yard.running()
    yard.finish(victim, exit_code=1)
    assert victim in yard.running(), "its second attempt that counts"
    yard.finish(victim, exit_code=1)
    found = read(yard, "DescribeServiceJob", jobId=victim)
    assert (found["status"], len(found["attempts"])) == ("FAILED", 3)
    summary = found["preemptionSummary"]
    assert (summary["preemptedAttemptCount"], len(summary["recentPreemptedAttempts"])) == (1, 1)
    assert summary["recentPreemptedAttempts"][0]["statusReason"] == reasons.TRAINING_PREEMPTED


def test_a_job_that_may_not_be_preempted_again_fails(yard: Yard) -> None:
    limit = {"preemptionRetriesBeforeTermination": 0}
    borrower = [train(yard, "a", preemptionConfiguration=limit) for _ in range(3)]
    for _ in range(2):
        train(yard, "b")
    found = read(yard, "DescribeServiceJob", jobId=borrower[2])
    assert (found["status"], found["statusReason"]) == ("FAILED", reasons.TRAINING_PREEMPTED)


def test_terminating_what_is_being_preempted_ends_it(yard: Yard) -> None:
    borrower = [train(yard, "a") for _ in range(4)]
    yard.world.ask("SubmitServiceJob", request_of("b"))
    end = yard.world.ask("TerminateServiceJob", {"jobId": borrower[3], "reason": "enough"})
    yard.settle()
    assert end.outcome == {}
    found = read(yard, "DescribeServiceJob", jobId=borrower[3])
    assert (found["status"], found["statusReason"]) == ("FAILED", "enough")


def test_within_a_share_only_if_it_says_so(yard: Yard) -> None:
    quota(yard, "c", {"strategy": "RESERVE"}, "ENABLED")
    first = [train(yard, "c", schedulingPriority=1) for _ in range(2)]
    urgent = train(yard, "c", schedulingPriority=2)
    assert yard.running() == [first[0], urgent]
    kept = [train(yard, "b", schedulingPriority=1) for _ in range(2)]
    train(yard, "b", schedulingPriority=2)
    assert set(kept) <= set(yard.running())


def test_the_lender_keeps_to_its_own(yard: Yard) -> None:
    jobs = [train(yard, "b") for _ in range(3)]
    assert yard.running() == jobs[:2]


def test_within_a_share_the_higher_priority_goes_first(yard: Yard) -> None:
    first = [train(yard, "b") for _ in range(2)]
    low, high = train(yard, "b", schedulingPriority=1), train(yard, "b", schedulingPriority=5)
    yard.finish(first[0])
    assert yard.running() == [first[1], high]
    yard.finish(high)
    assert yard.running() == [first[1], low]


def test_limits_that_change_count_at_once(yard: Yard) -> None:
    jobs = [train(yard, "b") for _ in range(3)]
    shares = {s["quotaShareName"]: s for s in read(yard, "ListQuotaShares", jobQueue="teams")["quotaShares"]}
    limits = [{"maxCapacity": 3, "capacityUnit": KIND}]
    yard.ask("UpdateQuotaShare", quotaShareArn=shares["b"]["quotaShareArn"], capacityLimits=limits)
    assert yard.running() == jobs


def test_an_instance_type_without_a_limit_waits_for_one(yard: Yard) -> None:
    misfit, other = train(yard, "b", "ml.g5.xlarge"), train(yard, "b")
    assert yard.running() == [other]
    detail = read(yard, "DescribeServiceJob", jobId=misfit)
    assert detail["statusReason"] in (reasons.QUOTA_SHARE_LIMIT, reasons.SERVICE_ENVIRONMENT_LIMIT)
    assert (detail["quotaShareName"], "shareIdentifier" in detail) == ("b", False)


def test_what_the_snapshot_says(yard: Yard) -> None:
    jobs = [train(yard, "b") for _ in range(4)]
    train(yard, "a")
    found = read(yard, "GetJobQueueSnapshot", jobQueue="teams")
    fronts = found["frontOfQuotaShares"]["quotaShares"]
    assert [entry["jobArn"].rpartition("/")[2] for entry in fronts["b"]] == [jobs[2]]
    assert "a" not in fronts
    top = found["queueUtilization"]["quotaShareUtilization"]["topCapacityUtilization"]
    assert [(share["quotaShareName"], share["capacityUsage"][0]["quantity"]) for share in top] == [("b", 2), ("a", 1)]


def test_listed_by_quota_share_and_not_as_a_share_identifier(yard: Yard) -> None:
    job = train(yard, "b")
    train(yard, "a")

    def listed(name: str) -> list[str]:
        filters = [{"name": name, "values": ["b"]}]
        found = read(yard, "ListServiceJobs", jobQueue="teams", filters=filters)
        return [summary["jobId"] for summary in found["jobSummaryList"]]

    assert listed("QUOTA_SHARE_NAME") == [job]
    assert listed("SHARE_IDENTIFIER") == []
