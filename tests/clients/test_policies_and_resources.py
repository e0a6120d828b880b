"""Scheduling policies, queue snapshots, consumable resources, service environments and quota shares through boto3."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cli.terminal import Terminal
from tests.clients.server_process import wait_for
from tests.clients.yard import Gate, Yard

pytestmark = pytest.mark.process


@pytest.fixture
def licence(yard: Yard) -> Iterator[str]:
    """The ARN of a consumable resource of which there is one."""
    made = yard.batch.create_consumable_resource(consumableResourceName="licence", totalQuantity=1)
    yield made["consumableResourceArn"]
    yard.clear()
    yard.batch.delete_consumable_resource(consumableResource="licence")


def needing(reference: str, quantity: int = 1) -> dict[str, Any]:
    entries = [{"consumableResource": reference, "quantity": quantity}]
    return {"consumableResourcePropertiesOverride": {"consumableResourceList": entries}}


def remove_queue(yard: Yard, name: str) -> None:
    yard.batch.update_job_queue(jobQueue=name, state="DISABLED")
    yard.batch.delete_job_queue(jobQueue=name)
    wait_for(lambda: not yard.batch.describe_job_queues(jobQueues=[name])["jobQueues"], f"{name} is gone")


def test_a_licence_is_held_by_one_job_at_a_time(yard: Yard, gate: Gate, licence: str) -> None:
    first = yard.shell(gate.script, **needing(licence))
    yard.until(first, "RUNNING")
    second = yard.submit(["true"], **needing("licence"))
    assert yard.run(["true"])["status"] == "SUCCEEDED", "who needs no licence does not wait for one"
    assert yard.job(second)["status"] == "RUNNABLE"
    found = yard.batch.describe_consumable_resource(consumableResource=licence)
    assert (found["totalQuantity"], found["inUseQuantity"], found["availableQuantity"]) == (1, 1, 0)
    (listed,) = (
        yard.batch.get_paginator("list_consumable_resources").paginate().build_full_result()["consumableResources"]
    )
    assert listed["inUseQuantity"] == 1
    pages = yard.batch.get_paginator("list_jobs_by_consumable_resource").paginate(
        consumableResource=licence, PaginationConfig={"PageSize": 1}
    )
    jobs = pages.build_full_result()["jobs"]
    assert [(job["jobArn"].rpartition("/")[2], job["jobStatus"], job["quantity"]) for job in jobs] == [
        (second, "RUNNABLE", 1),
        (first, "RUNNING", 1),
    ]
    explained = Terminal(yard.server.url)("why", second).output
    assert "It needs 1 of licence, of which 0 of 1 are free." in " ".join(explained.split())
    gate.open()
    assert yard.ended(second)["startedAt"] >= yard.ended(first)["stoppedAt"]


def test_more_of_a_resource_lets_waiting_jobs_go(yard: Yard, gate: Gate, licence: str) -> None:
    both = yard.submit(yard.define(["sh", "-c", gate.script]), size=2, **needing("licence"))
    yard.until(f"{both}:0", "RUNNING")
    assert yard.job(f"{both}:1")["status"] == "RUNNABLE"
    answer = yard.batch.update_consumable_resource(
        consumableResource=licence, operation="ADD", quantity=1, clientToken="once"
    )
    assert answer["totalQuantity"] == 2
    yard.until(f"{both}:1", "RUNNING")
    gate.open()
    assert yard.ended(both)["status"] == "SUCCEEDED"


def test_a_snapshot_shows_who_is_next(yard: Yard, gate: Gate) -> None:
    first = yard.submit(yard.define(["sh", "-c", gate.script], container={"vcpus": 16}))
    yard.until(first, "RUNNING")
    array = yard.submit(["true"], size=2)
    last = yard.submit(["true"])
    snapshot = yard.batch.get_job_queue_snapshot(jobQueue="default")
    names = [job["jobArn"].partition("job/")[2] for job in snapshot["frontOfQueue"]["jobs"]]
    assert names == [f"{array}:0", f"{array}:1", last]
    assert snapshot["queueUtilization"]["totalCapacityUsage"] == [{"capacityUnit": "VCPU", "quantity": 16.0}]
    gate.open()
    yard.ended(last)


def test_a_queue_with_a_scheduling_policy_runs_jobs(yard: Yard) -> None:
    distribution = [{"shareIdentifier": "red*", "weightFactor": 0.5}]
    arn = yard.batch.create_scheduling_policy(
        name="fair", fairsharePolicy={"shareDecaySeconds": 600, "shareDistribution": distribution}
    )["arn"]
    (policy,) = yard.batch.describe_scheduling_policies(arns=[arn])["schedulingPolicies"]
    assert policy["fairsharePolicy"]["shareDistribution"] == distribution
    listed = yard.batch.get_paginator("list_scheduling_policies").paginate().build_full_result()
    assert listed["schedulingPolicies"] == [{"arn": arn}]
    order = [{"order": 1, "computeEnvironment": "default"}]
    yard.batch.create_job_queue(jobQueueName="fair", priority=1, computeEnvironmentOrder=order, schedulingPolicyArn=arn)
    job = yard.run(["true"], jobQueue="fair", shareIdentifier="red1", schedulingPriorityOverride=3)
    assert (job["status"], job["shareIdentifier"]) == ("SUCCEEDED", "red1")
    with pytest.raises(ClientError, match="existing JobQueue relationship"):
        yard.batch.delete_scheduling_policy(arn=arn)
    remove_queue(yard, "fair")
    yard.batch.delete_scheduling_policy(arn=arn)


def test_a_queue_of_service_environments_with_quota_shares(yard: Yard) -> None:
    limits = [{"maxCapacity": 2, "capacityUnit": "ml.m5.large"}]
    yard.batch.create_service_environment(
        serviceEnvironmentName="training", serviceEnvironmentType="SAGEMAKER_TRAINING", capacityLimits=limits
    )
    policy = yard.batch.create_scheduling_policy(
        name="quota", quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"}
    )["arn"]
    yard.batch.create_job_queue(
        jobQueueName="training",
        jobQueueType="SAGEMAKER_TRAINING",
        priority=1,
        serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": "training"}],
        schedulingPolicyArn=policy,
    )
    share = yard.batch.create_quota_share(
        quotaShareName="team",
        jobQueue="training",
        capacityLimits=limits,
        resourceSharingConfiguration={"strategy": "LEND"},
        preemptionConfiguration={"inSharePreemption": "DISABLED"},
    )["quotaShareArn"]
    assert yard.batch.describe_quota_share(quotaShareArn=share)["status"] == "VALID"
    pages = yard.batch.get_paginator("list_quota_shares").paginate(jobQueue="training").build_full_result()
    assert [each["quotaShareArn"] for each in pages["quotaShares"]] == [share]
    job = {
        "jobName": "j",
        "jobQueue": "training",
        "serviceJobType": "SAGEMAKER_TRAINING",
        "serviceRequestPayload": "{}",
    }
    with pytest.raises(ClientError, match="must specify quotaShareName"):
        yard.batch.submit_service_job(**job)
    job_id = yard.batch.submit_service_job(**job, quotaShareName="team")["jobId"]
    found = yard.batch.list_service_jobs(
        jobQueue="training", jobStatus="RUNNABLE", filters=[{"name": "QUOTA_SHARE_NAME", "values": ["team"]}]
    )
    assert [(each["jobId"], each["quotaShareName"]) for each in found["jobSummaryList"]] == [(job_id, "team")]
    remove_queue(yard, "training")
    yard.batch.update_service_environment(serviceEnvironment="training", state="DISABLED")
    yard.batch.delete_service_environment(serviceEnvironment="training")
    found = yard.batch.get_paginator("describe_service_environments").paginate().build_full_result()
    assert found["serviceEnvironments"] == []
    yard.batch.delete_scheduling_policy(arn=policy)
