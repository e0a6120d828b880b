"""Tags that AWS ignores and a Batchyard reads, through boto3."""

import pytest
from botocore.exceptions import ClientError

from tests.clients.server_process import wait_for
from tests.clients.yard import Gate, Yard

pytestmark = pytest.mark.process


def summary(yard: Yard, array: str) -> dict[str, int]:
    found = yard.job(array)["arrayProperties"]["statusSummary"]
    return {status: number for status, number in found.items() if number}


def test_children_run_one_at_a_time_until_the_tag_goes(yard: Yard, gate: Gate) -> None:
    array = yard.shell(gate.script, size=3, tags={"batchyard:max-parallel": "1"})
    wait_for(lambda: summary(yard, array) == {"RUNNING": 1, "RUNNABLE": 2}, "one child runs")
    assert yard.run(["true"])["status"] == "SUCCEEDED", "the others hold back nobody"
    assert summary(yard, array) == {"RUNNING": 1, "RUNNABLE": 2}
    arn = yard.job(array)["jobArn"]
    yard.batch.untag_resource(resourceArn=arn, tagKeys=["batchyard:max-parallel"])
    wait_for(lambda: summary(yard, array).get("RUNNING", 0) > 1, "more children run")
    gate.open()
    assert yard.ended(array)["status"] == "SUCCEEDED"


def test_a_job_runs_after_a_failure_and_another_never(yard: Yard) -> None:
    good, bad = yard.submit(["true"]), yard.submit(["false"])
    tags = {"batchyard:after": "failure"}
    rescue = yard.submit(["true"], dependsOn=[{"jobId": good}, {"jobId": bad}], tags=tags)
    idle = yard.submit(["true"], dependsOn=[{"jobId": good}], tags=tags)
    assert yard.ended(rescue)["status"] == "SUCCEEDED"
    assert yard.ended(idle)["statusReason"] == "No dependent Job failed, and batchyard:after is failure"


def test_a_queue_gives_defaults_and_lets_pass(yard: Yard, gate: Gate) -> None:
    arn = yard.batch.describe_job_queues(jobQueues=[yard.queue])["jobQueues"][0]["jobQueueArn"]
    tags = {"batchyard:default-timeout-seconds": "900", "batchyard:default-attempts": "2", "batchyard:backfill": "true"}
    yard.batch.tag_resource(resourceArn=arn, tags=tags)
    environment = yard.batch.describe_compute_environments()["computeEnvironments"][0]
    try:
        vcpus = int(environment["computeResources"]["maxvCpus"])
        most = {"resourceRequirements": [{"type": "VCPU", "value": str(vcpus)}]}
        first = yard.shell(gate.script)
        assert yard.until(first, "RUNNING")["timeout"] == {"attemptDurationSeconds": 900}
        assert yard.job(first)["retryStrategy"]["attempts"] == 2
        blocked = yard.shell(gate.script, containerOverrides=most)
        assert yard.run(["true"], timeout={"attemptDurationSeconds": 60})["status"] == "SUCCEEDED"
        assert yard.job(blocked)["status"] == "RUNNABLE"
    finally:
        gate.open()
        yard.clear()
        yard.batch.untag_resource(resourceArn=arn, tagKeys=list(tags))
    assert "timeout" not in yard.run(["true"])


def test_a_misspelt_tag_is_refused(yard: Yard) -> None:
    with pytest.raises(ClientError, match="those of a job are batchyard:after, batchyard:max-parallel"):
        yard.submit(["true"], size=2, tags={"batchyard:max_parallel": "1"})
