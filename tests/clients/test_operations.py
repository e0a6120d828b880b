"""Operations through boto3 that no other test of this folder shows, and that the table of those that do is true."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from batchyard.api.operations import OPERATIONS
from tests.clients.server_process import wait_for
from tests.clients.yard import Yard

pytestmark = pytest.mark.process

LIMITS = [{"maxCapacity": 2, "capacityUnit": "ml.m5.large"}]
REFUSED = {"logs.CreateLogStream", "logs.PutLogEvents"}


def test_every_operation_has_a_test_that_shows_it() -> None:
    folder = Path(__file__).parent
    shown = tomllib.loads((folder / "operations.toml").read_text())
    assert {f"{service}.{name}" for service in shown for name in shown[service]} == OPERATIONS.keys() - REFUSED
    for tests in shown.values():
        for test in tests.values():
            file, _, function = test.partition("::")
            assert f"\ndef {function}(" in (folder / file).read_text(), test


def test_a_scheduling_policy_is_replaced_by_an_update(yard: Yard) -> None:
    arn = yard.batch.create_scheduling_policy(name="updated", fairsharePolicy={"computeReservation": 5})["arn"]
    yard.batch.update_scheduling_policy(arn=arn, fairsharePolicy={"shareDecaySeconds": 60})
    (policy,) = yard.batch.describe_scheduling_policies(arns=[arn])["schedulingPolicies"]
    assert policy["fairsharePolicy"] == {"shareDecaySeconds": 60, "shareDistribution": []}
    yard.batch.delete_scheduling_policy(arn=arn)
    assert yard.batch.describe_scheduling_policies(arns=[arn])["schedulingPolicies"] == []


def test_a_quota_share_is_changed_and_deleted(yard: Yard) -> None:
    batch: Any = yard.batch
    kind = {"serviceEnvironmentName": "shared", "serviceEnvironmentType": "SAGEMAKER_TRAINING"}
    batch.create_service_environment(**kind, capacityLimits=LIMITS)
    quota = {"idleResourceAssignmentStrategy": "FIFO"}
    policy = batch.create_scheduling_policy(name="shared", quotaSharePolicy=quota)["arn"]
    order = [{"order": 1, "serviceEnvironment": "shared"}]
    batch.create_job_queue(jobQueueName="shared", priority=1, serviceEnvironmentOrder=order, schedulingPolicyArn=policy)
    share = batch.create_quota_share(
        quotaShareName="team",
        jobQueue="shared",
        capacityLimits=LIMITS,
        resourceSharingConfiguration={"strategy": "LEND"},
        preemptionConfiguration={"inSharePreemption": "DISABLED"},
    )["quotaShareArn"]
    with pytest.raises(ClientError, match="DISABLED"):
        batch.delete_quota_share(quotaShareArn=share)
    batch.update_quota_share(
        quotaShareArn=share,
        resourceSharingConfiguration={"strategy": "LEND_AND_BORROW", "borrowLimit": 50},
        state="DISABLED",
    )
    shown = batch.describe_quota_share(quotaShareArn=share)
    assert shown["resourceSharingConfiguration"] == {"strategy": "LEND_AND_BORROW", "borrowLimit": 50}
    assert (shown["state"], shown["capacityLimits"]) == ("DISABLED", LIMITS)
    batch.delete_quota_share(quotaShareArn=share)
    assert batch.list_quota_shares(jobQueue="shared")["quotaShares"] == []
    batch.update_job_queue(jobQueue="shared", state="DISABLED")
    batch.delete_job_queue(jobQueue="shared")
    wait_for(lambda: not batch.describe_job_queues(jobQueues=["shared"])["jobQueues"], "the queue is gone")
    batch.update_service_environment(serviceEnvironment="shared", state="DISABLED")
    batch.delete_service_environment(serviceEnvironment="shared")
    batch.delete_scheduling_policy(arn=policy)
