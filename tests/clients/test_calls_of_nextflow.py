"""The calls of Nextflow's AWS Batch executor, in its order and with its members, since it cannot be installed here.

It finds a job definition again by a token among the parameters, submits one job for each task with a strategy that
retries lost hosts alone, asks for jobs by the hundred, reads how they ended, and fetches the log of a failure.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.clients.server_process import wait_for
from tests.clients.yard import ENDED, LOG_GROUP, Detail, Gate, Yard

pytestmark = pytest.mark.process

LOST_HOSTS = {
    "attempts": 5,
    "evaluateOnExit": [{"action": "RETRY", "onStatusReason": "Host EC2*"}, {"action": "EXIT", "onReason": "*"}],
}


def definition(yard: Yard, image: str, token: str) -> str:
    """`name:revision` of the active definition that has the token, which is registered if there is none."""
    name = "nf-" + re.sub("[^A-Za-z0-9_-]+", "-", image)
    known = yard.batch.describe_job_definitions(jobDefinitionName=name)["jobDefinitions"]
    for each in known:
        if each["status"] == "ACTIVE" and each.get("parameters", {}).get("nf-token") == token:
            return f"{name}:{each['revision']}"
    made = yard.batch.register_job_definition(
        jobDefinitionName=name,
        type="container",
        parameters={"nf-token": token},
        tags={"nextflow.io/createdAt": "2026-01-01T00:00:00Z", "nextflow.io/version": "26.04.0"},
        containerProperties={
            "image": image,
            "command": ["true"],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "1024"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-region": "us-east-1"}},
        },
    )
    return f"{made['jobDefinitionName']}:{made['revision']}"


def submit(yard: Yard, reference: str, script: str, cpus: int = 1, **members: Any) -> str:
    """One task as a job. The definition's vCPU stands for one, so that only more of them are an override."""
    requirements = [{"type": "MEMORY", "value": "128"}]
    requirements += [{"type": "VCPU", "value": str(cpus)}] if cpus > 1 else []
    return yard.submit(
        reference,
        jobName="nf-task",
        retryStrategy=LOST_HOSTS,
        propagateTags=True,
        containerOverrides={
            "command": ["bash", "-o", "pipefail", "-c", script],
            "environment": [{"name": "NXF_DEBUG", "value": "0"}],
            "resourceRequirements": requirements,
        },
        **members,
    )


def polled(yard: Yard, job_ids: Sequence[str]) -> Mapping[str, Detail]:
    """All jobs as soon as all have ended, asked for by the hundred."""

    def ended() -> dict[str, Detail] | None:
        parts = [job_ids[start : start + 100] for start in range(0, len(job_ids), 100)]
        found = [job for part in parts for job in yard.batch.describe_jobs(jobs=part)["jobs"]]
        assert len(found) == len(job_ids)
        return {job["jobId"]: job for job in found} if all(job["status"] in ENDED for job in found) else None

    return wait_for(ended, f"the end of {len(job_ids)} jobs", 60)


def test_a_definition_is_registered_once_for_a_token(yard: Yard) -> None:
    first = definition(yard, "quay.io/once:1", "token one")
    assert definition(yard, "quay.io/once:1", "token one") == first
    second = definition(yard, "quay.io/once:1", "token two")
    assert [reference.rpartition(":")[2] for reference in (first, second)] == ["1", "2"]
    yard.batch.deregister_job_definition(jobDefinition=first)
    assert definition(yard, "quay.io/once:1", "token one").endswith(":3")


def test_tasks_end_and_say_how(yard: Yard) -> None:
    reference = definition(yard, "quay.io/tasks:1", "token")
    jobs = [submit(yard, reference, f"exit {number % 3}", cpus=1 + number % 2) for number in range(110)]
    for number, job in enumerate(polled(yard, jobs)[job_id] for job_id in jobs):
        assert (job["status"], job["container"]["exitCode"]) == ("FAILED" if number % 3 else "SUCCEEDED", number % 3)
        assert job["container"]["taskArn"]
        assert len(job["attempts"]) == 1
        assert "reason" not in job["attempts"][-1]["container"]
        required = {each["type"]: each["value"] for each in job["container"]["resourceRequirements"]}
        assert required == {"VCPU": str(1 + number % 2), "MEMORY": "128"}


def test_the_log_of_a_failure(yard: Yard) -> None:
    job_id = submit(yard, definition(yard, "quay.io/log:1", "token"), "echo what went wrong | cat >&2; exit 1")
    job = polled(yard, [job_id])[job_id]
    request = {"logGroupName": LOG_GROUP, "logStreamName": job["container"]["logStreamName"], "startFromHead": True}
    assert [event["message"] for event in yard.logs.get_log_events(**request)["events"]] == ["what went wrong"]


def test_a_task_that_cannot_start_says_why_in_its_last_attempt(yard: Yard) -> None:
    reference = definition(yard, "quay.io/start:1", "token")
    job = yard.run(reference, retryStrategy=LOST_HOSTS, containerOverrides={"command": ["no-such-program"]})
    assert "no-such-program" in job["attempts"][-1]["container"]["reason"]
    assert "exitCode" not in job["container"]


def test_a_run_that_is_cancelled_terminates_its_tasks(yard: Yard, gate: Gate) -> None:
    job_id = submit(yard, definition(yard, "quay.io/cancelled:1", "token"), gate.script)
    yard.until(job_id, "RUNNING")
    yard.batch.terminate_job(jobId=job_id, reason="Job killed by NF")
    job = polled(yard, [job_id])[job_id]
    assert (job["status"], job["statusReason"], len(job["attempts"])) == ("FAILED", "Job killed by NF", 1)


def test_tasks_of_an_array_are_found_by_their_index(yard: Yard) -> None:
    parent = submit(
        yard,
        definition(yard, "quay.io/array:1", "token"),
        "exit $AWS_BATCH_JOB_ARRAY_INDEX",
        arrayProperties={"size": 3},
    )
    children = [f"{parent}:{index}" for index in range(3)]
    found = polled(yard, children)
    assert [found[child]["container"]["exitCode"] for child in children] == [0, 1, 2]
