"""CREATING, UPDATING and DELETING over real rows, with a clock that only the test moves."""

from typing import Any

import pytest

from batchyard.core.refusals import Refusal
from tests.engine.yard import Yard, job_request

HOST_GONE = "Host EC2 (instance "


def environment(yard: Yard, name: str = "large") -> Any:
    found = yard.read("DescribeComputeEnvironments", computeEnvironments=[name])["computeEnvironments"]
    return found[0] if found else None


def queue(yard: Yard, name: str = "urgent") -> Any:
    found = yard.read("DescribeJobQueues", jobQueues=[name])["jobQueues"]
    return found[0] if found else None


def status(found: Any) -> str | None:
    return found and found["status"]


def submit_now(yard: Yard, **more: Any) -> str:
    job_id: str = yard.ask_now("SubmitJob", **job_request(jobQueue="narrow", **more))["jobId"]
    yard.let_pass(1)
    return job_id


def update(yard: Yard, **more: Any) -> None:
    yard.ask_now("UpdateComputeEnvironment", computeEnvironment="small", **more)


INFRASTRUCTURE: dict[str, Any] = {"computeResources": {"imageId": "ami-new"}}


def test_an_update_that_terminates_jobs_counts_as_the_loss_of_their_host(yard: Yard) -> None:
    retried = submit_now(yard, retryStrategy={"attempts": 2})
    single = submit_now(yard)
    update(yard, updatePolicy={"terminateJobsOnUpdate": True}, **INFRASTRUCTURE)
    assert status(environment(yard, "small")) == "UPDATING"
    yard.settle()
    assert status(environment(yard, "small")) == "VALID"
    detail = yard.describe(retried)
    assert detail["attempts"][0]["statusReason"].startswith(HOST_GONE)
    assert "exitCode" not in detail["attempts"][0]["container"]
    assert (detail["status"], len(yard.running())) == ("RUNNING", 1)
    ended, reason, attempts = yard.end_of(single)
    assert (ended, attempts) == ("FAILED", 1)
    assert reason is not None
    assert reason.startswith(HOST_GONE)


def test_an_update_lets_jobs_run_for_as_long_as_its_policy_says(yard: Yard) -> None:
    job = submit_now(yard)
    update(yard, updatePolicy={"jobExecutionTimeoutMinutes": 2}, **INFRASTRUCTURE)
    yard.let_pass(119)
    assert (status(environment(yard, "small")), yard.running()) == ("UPDATING", [job])
    yard.restart()
    later = submit_now(yard)
    assert later in yard.running(), "what is UPDATING goes on taking jobs"
    yard.settle()
    assert yard.end_of(job)[0] == "FAILED"
    assert yard.running() == [later], "what was placed after the update runs on"
    assert status(environment(yard, "small")) == "VALID"


def test_an_update_is_over_with_its_last_job(yard: Yard) -> None:
    job = submit_now(yard)
    update(yard, **INFRASTRUCTURE)
    for operation in ("UpdateComputeEnvironment", "DeleteComputeEnvironment"):
        with pytest.raises(Refusal, match=r"Cannot (update|delete), resource is being modified\."):
            yard.ask_now(operation, computeEnvironment="small")
    yard.world.supervisor.finish(job, 0)
    yard.let_pass(1)
    assert status(environment(yard, "small")) == "VALID"
    assert yard.end_of(job)[0] == "SUCCEEDED"


@pytest.mark.parametrize("members", [{"computeResources": {"maxvCpus": 1}}, {"state": "DISABLED"}])
def test_scaling_leaves_jobs_alone(yard: Yard, members: dict[str, Any]) -> None:
    job = submit_now(yard)
    update(yard, updatePolicy={"terminateJobsOnUpdate": True}, **members)
    assert (status(environment(yard, "small")), yard.running()) == ("VALID", [job])


def test_a_job_terminated_during_an_update_is_not_retried(yard: Yard) -> None:
    job = submit_now(yard, retryStrategy={"attempts": 3}, parameters={"program": "stubborn"})
    update(yard, updatePolicy={"terminateJobsOnUpdate": True}, **INFRASTRUCTURE)
    yard.ask_now("TerminateJob", jobId=job, reason="enough")
    yard.settle()
    assert yard.end_of(job) == ("FAILED", "enough", 1)


def test_a_disabled_environment_drains_and_a_deleted_one_waits_for_it(yard: Yard) -> None:
    job = submit_now(yard)
    update(yard, state="DISABLED")
    waiting = submit_now(yard)
    assert yard.running() == [job]
    order = [{"order": 1, "computeEnvironment": "large"}]
    for name in ("urgent", "normal", "narrow"):
        yard.ask_now("UpdateJobQueue", jobQueue=name, computeEnvironmentOrder=order)
    yard.ask_now("DeleteComputeEnvironment", computeEnvironment="small")
    assert status(environment(yard, "small")) == "DELETING"
    assert waiting in yard.running(), "the job that waited goes elsewhere"
    again = [{"order": 1, "computeEnvironment": "small"}]
    with pytest.raises(Refusal, match="Compute Environments must be created and valid"):
        yard.ask_now("UpdateJobQueue", jobQueue="narrow", computeEnvironmentOrder=again)
    yard.restart()
    yard.finish(job)
    assert environment(yard, "small") is None


def test_a_queue_is_deleting_while_its_jobs_end(yard: Yard) -> None:
    yard.ask_now("SubmitJob", **job_request(parameters={"program": "stubborn"}))
    yard.let_pass(1)
    yard.ask_now("UpdateJobQueue", jobQueue="urgent", state="DISABLED")
    yard.ask_now("DeleteJobQueue", jobQueue="urgent")
    found = queue(yard)
    assert (found["status"], found["statusReason"]) == ("DELETING", "JobQueue Healthy")
    yard.settle()
    assert queue(yard) is None


def test_phases_can_be_held_and_outlive_a_restart(yard: Yard) -> None:
    yard.hold_phases(5)
    resources = {"type": "EC2", "maxvCpus": 2}
    yard.ask_now("CreateComputeEnvironment", computeEnvironmentName="new", type="MANAGED", computeResources=resources)
    assert status(environment(yard, "new")) == "CREATING"
    yard.restart()
    yard.let_pass(4)
    assert status(environment(yard, "new")) == "CREATING"
    yard.let_pass(1)
    assert status(environment(yard, "new")) == "VALID"
    order = [{"order": 1, "computeEnvironment": "new"}]
    yard.ask_now("CreateJobQueue", jobQueueName="fresh", priority=1, computeEnvironmentOrder=order)
    job = yard.ask_now("SubmitJob", **job_request(jobQueue="fresh"))["jobId"]
    assert (status(queue(yard, "fresh")), yard.describe(job)["status"]) == ("CREATING", "RUNNABLE")
    yard.let_pass(5)
    assert (status(queue(yard, "fresh")), yard.describe(job)["status"]) == ("VALID", "STARTING")
    yard.ask_now("UpdateJobQueue", jobQueue="fresh", state="DISABLED")
    assert (status(queue(yard, "fresh")), queue(yard, "fresh")["state"]) == ("UPDATING", "DISABLED")
    with pytest.raises(Refusal, match="is being modified"):
        yard.ask_now("UpdateJobQueue", jobQueue="fresh", state="ENABLED")
    yard.let_pass(5)
    yard.ask_now("DeleteJobQueue", jobQueue="fresh")
    yard.let_pass(4)
    assert status(queue(yard, "fresh")) == "DELETING", "its jobs have ended, and its time has not come"
    yard.let_pass(60)
    assert queue(yard, "fresh") is None


def test_service_environments_and_quota_shares_have_phases_too(yard: Yard) -> None:
    yard.hold_phases(5)
    limits = [{"maxCapacity": 1, "capacityUnit": "NUM_INSTANCES"}]
    named = {"serviceEnvironment": "service"}
    yard.ask_now(
        "CreateServiceEnvironment",
        serviceEnvironmentName="service",
        serviceEnvironmentType="SAGEMAKER_TRAINING",
        capacityLimits=limits,
    )

    def now() -> list[str]:
        found = yard.read("DescribeServiceEnvironments", serviceEnvironments=["service"])["serviceEnvironments"]
        return [each["status"] for each in found]

    assert now() == ["CREATING"]
    order = [{"order": 1, "serviceEnvironment": "service"}]
    with pytest.raises(Refusal, match="Service Environments must be created and valid"):
        yard.ask_now("CreateJobQueue", jobQueueName="q", priority=1, serviceEnvironmentOrder=order)
    yard.let_pass(5)
    assert now() == ["VALID"]
    yard.ask_now("UpdateServiceEnvironment", state="DISABLED", **named)
    for operation in ("UpdateServiceEnvironment", "DeleteServiceEnvironment"):
        with pytest.raises(Refusal, match="is being modified"):
            yard.ask_now(operation, **named)
    yard.let_pass(5)
    yard.ask_now("DeleteServiceEnvironment", **named)
    assert now() == ["DELETING"]
    yard.let_pass(5)
    assert now() == []
