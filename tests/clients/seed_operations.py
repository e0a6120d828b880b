"""The three operations of array jobs, in full, as a program of November 2017 uses them.

Run as `python seed_operations.py URL FOLDER` by any boto3 since 1.4.8; exits 0 when every check holds. Besides what
each step checks, the members of all answers are noted, and at the end every member that the operations have had since
2017 must have been sent or seen.
"""
# ruff: noqa: T201 -- it tells its caller how far it came

import os
import pwd
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import botocore
from botocore.config import Config

URL, FOLDER = sys.argv[1], Path(sys.argv[2])
STATUSES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
EXITED = "Essential container in task exited"
QUEUE = "default"

ATTEMPT = {"containerInstanceArn", "taskArn", "exitCode", "reason", "logStreamName"}
MEMBERS = {
    "SubmitJob sent": {
        "jobName", "jobQueue", "arrayProperties.size", "dependsOn.jobId", "dependsOn.type", "jobDefinition",
        "parameters.greeting", "containerOverrides.vcpus", "containerOverrides.memory", "containerOverrides.command",
        "containerOverrides.environment.name", "containerOverrides.environment.value", "retryStrategy.attempts",
    },
    "SubmitJob": {"jobName", "jobId"},
    "DescribeJobs": {
        "jobs." + member
        for member in {
            "jobName", "jobId", "jobQueue", "status", "statusReason", "createdAt", "startedAt", "stoppedAt",
            "retryStrategy.attempts", "dependsOn.jobId", "dependsOn.type", "jobDefinition", "parameters.greeting",
            "attempts.startedAt", "attempts.stoppedAt", "attempts.statusReason", "container.image", "container.vcpus",
            "container.memory", "container.command", "container.jobRoleArn", "container.volumes.name",
            "container.volumes.host.sourcePath", "container.environment.name", "container.environment.value",
            "container.mountPoints.containerPath", "container.mountPoints.readOnly",
            "container.mountPoints.sourceVolume", "container.readonlyRootFilesystem", "container.privileged",
            "container.user", "container.ulimits.name", "container.ulimits.softLimit", "container.ulimits.hardLimit",
            "arrayProperties.size", "arrayProperties.index",
        }
        | {"arrayProperties.statusSummary." + status for status in STATUSES}
        | {"container." + member for member in ATTEMPT}
        | {"attempts.container." + member for member in ATTEMPT}
    },
    "ListJobs sent": {"jobQueue", "arrayJobId", "jobStatus", "maxResults", "nextToken"},
    "ListJobs": {"nextToken"}
    | {
        "jobSummaryList." + member
        for member in (
            "jobId", "jobName", "createdAt", "status", "statusReason", "startedAt", "stoppedAt", "container.exitCode",
            "container.reason", "arrayProperties.size", "arrayProperties.index",
        )
    },
}  # fmt: skip

client = boto3.client(
    "batch",
    endpoint_url=URL,
    region_name="us-east-1",
    aws_access_key_id="AKIDEXAMPLE",
    aws_secret_access_key="secret",
    config=Config(read_timeout=30),
)
noted: dict[str, set[str]] = {name: set() for name in MEMBERS}


def note(name: str, value: Any, path: str = "") -> None:
    """Remember every member of a request or answer by its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key != "ResponseMetadata":
                note(name, item, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for item in value:
            note(name, item, path)
    else:
        noted[name].add(path)


def call(operation: str, **request: Any) -> Any:
    answer = getattr(client, {"SubmitJob": "submit_job", "ListJobs": "list_jobs"}[operation])(**request)
    note(f"{operation} sent", request)
    note(operation, answer)
    return answer


def submit(name: str, definition: str, **members: Any) -> str:
    answer = call("SubmitJob", jobName=name, jobQueue=QUEUE, jobDefinition=definition, **members)
    assert answer["jobName"] == name, answer
    return str(answer["jobId"])


def describe(*job_ids: str) -> list[Any]:
    answer = client.describe_jobs(jobs=list(job_ids))
    note("DescribeJobs", answer)
    jobs = {job["jobId"]: job for job in answer["jobs"]}
    return [jobs[job_id] for job_id in job_ids]


def until(job_id: str, *statuses: str) -> Any:
    deadline = time.monotonic() + 30
    while True:
        (job,) = describe(job_id)
        if job["status"] in statuses:
            return job
        assert time.monotonic() < deadline, job
        assert job["status"] not in ("SUCCEEDED", "FAILED"), job
        time.sleep(0.02)


def children(job_id: str, size: int) -> list[Any]:
    return describe(*(f"{job_id}:{index}" for index in range(size)))


def listed(**request: Any) -> list[Any]:
    """All pages, by hand: this client has no paginators for AWS Batch."""
    found = []
    while True:
        answer = call("ListJobs", **request)
        found += answer["jobSummaryList"]
        assert len(answer["jobSummaryList"]) <= request.get("maxResults", 100)
        if not answer.get("nextToken"):
            return found
        request["nextToken"] = answer["nextToken"]


def summary(**counts: int) -> dict[str, int]:
    return dict(dict.fromkeys(STATUSES, 0), **counts)


def register(name: str, command: list[str], **members: Any) -> str:
    container: dict[str, Any] = {"image": "busybox", "vcpus": 1, "memory": 32, "command": command}
    container.update(members.pop("container", {}))
    answer = client.register_job_definition(
        jobDefinitionName=name, type="container", containerProperties=container, **members
    )
    return str(answer["jobDefinitionArn"])


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def file(name: str) -> str:
    return str(FOLDER / name)


def written(name: str) -> list[str]:
    return (FOLDER / name).read_text().splitlines()


def a_single_job_with_every_member() -> None:
    """Definition, overrides, parameters, retries; and what is shown of two attempts."""
    definition = register(
        "single",
        ["sh", "-c", "exit 9", "Ref::greeting"],
        parameters={"greeting": "good day", "unused": "x"},
        retryStrategy={"attempts": 1},
        container={
            "jobRoleArn": "arn:aws:iam::123456789012:role/job",
            "volumes": [{"name": "data", "host": {"sourcePath": "/nowhere/at/all"}}],
            "mountPoints": [{"containerPath": "/data", "readOnly": True, "sourceVolume": "data"}],
            "environment": [{"name": "KEPT", "value": "1"}, {"name": "COLOUR", "value": "red"}],
            "readonlyRootFilesystem": False,
            "privileged": False,
            "user": pwd.getpwuid(os.getuid()).pw_name,
            "ulimits": [{"name": "nofile", "softLimit": 512, "hardLimit": 1024}],
        },
    )
    script = (
        'echo "$2 $COLOUR $KEPT $(ulimit -n) $AWS_BATCH_JOB_ATTEMPT $AWS_BATCH_JOB_ID $AWS_BATCH_JQ_NAME" >> "$1"; '
        "exit $((2 - AWS_BATCH_JOB_ATTEMPT))"
    )
    before = int(time.time() * 1000)
    job_id = submit(
        "single",
        definition,
        parameters={"greeting": "hello there"},
        containerOverrides={
            "vcpus": 2,
            "memory": 48,
            "command": ["sh", "-c", script, "sh", file("single"), "Ref::greeting"],
            "environment": [{"name": "COLOUR", "value": "blue"}],
        },
        retryStrategy={"attempts": 3},
    )
    job = until(job_id, "SUCCEEDED")
    assert written("single") == [f"hello there blue 1 512 {attempt} {job_id} {QUEUE}" for attempt in (1, 2)], written(
        "single"
    )
    assert job["jobQueue"].endswith(":job-queue/" + QUEUE)
    assert job["jobDefinition"] == definition
    assert (job["statusReason"], job["retryStrategy"]["attempts"]) == (EXITED, 3)
    assert job["parameters"]["greeting"] == "hello there"
    assert before <= job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]
    container = job["container"]
    assert (container["image"], container["vcpus"], container["memory"]) == ("busybox", 2, 48)
    assert container["command"][-2:] == [file("single"), "hello there"]
    assert container["volumes"] == [{"name": "data", "host": {"sourcePath": "/nowhere/at/all"}}]
    assert container["ulimits"] == [{"name": "nofile", "softLimit": 512, "hardLimit": 1024}]
    assert {v["name"]: v["value"] for v in container["environment"]} == {"KEPT": "1", "COLOUR": "blue"}
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [1, 0]
    assert job["attempts"][0]["stoppedAt"] <= job["attempts"][1]["startedAt"]
    for member in ("taskArn", "logStreamName", "containerInstanceArn", "exitCode"):
        assert container[member] == job["attempts"][-1]["container"][member]
    assert job["attempts"][0]["container"]["taskArn"] != container["taskArn"]
    assert container["logStreamName"].startswith("single/default/")


def a_command_that_does_not_exist() -> None:
    """It has a reason, in all three places that can show one."""
    job_id = submit("missing", register("missing", ["no-such-command"]))
    job = until(job_id, "FAILED")
    assert job["statusReason"] == "Task failed to start"
    assert "no-such-command" in job["container"]["reason"]
    assert job["attempts"][0]["container"]["reason"] == job["container"]["reason"]
    (found,) = [found for found in listed(jobQueue=QUEUE, jobStatus="FAILED") if found["jobId"] == job_id]
    assert found["container"]["reason"] == job["container"]["reason"]


def an_array() -> None:
    """Parent and children, live and at the end; listed by status and page by page."""
    script = (
        'until [ -e "$1" ]; do sleep 0.02; done; [ "$AWS_BATCH_JOB_ARRAY_INDEX" != 1 ] || exit 7; '
        'echo "$AWS_BATCH_JOB_ID $AWS_BATCH_JOB_ARRAY_INDEX" >> "$2"'
    )
    definition = register("array", [*shell(script), "sh", file("gate"), file("array")])
    job_id = submit("array", definition, arrayProperties={"size": 5})
    for index in range(5):
        until(f"{job_id}:{index}", "RUNNING")
    (parent,) = describe(job_id)
    assert parent["status"] == "PENDING", parent
    assert parent["arrayProperties"]["size"] == 5
    assert parent["arrayProperties"]["statusSummary"] == summary(RUNNING=5)
    assert [job["jobId"] for job in listed(jobQueue=QUEUE, jobStatus="PENDING")] == [job_id]
    running = listed(arrayJobId=job_id)
    assert [job["arrayProperties"] for job in running] == [{"index": index} for index in range(5)]
    assert all(job["status"] == "RUNNING" and "stoppedAt" not in job for job in running)
    (FOLDER / "gate").touch()
    parent = until(job_id, "FAILED")
    assert parent["statusReason"] == "Array Child Job failed"
    assert parent["arrayProperties"]["statusSummary"] == summary(SUCCEEDED=4, FAILED=1)
    for index, child in enumerate(children(job_id, 5)):
        assert child["arrayProperties"]["index"] == index
        assert child["arrayProperties"].get("statusSummary", {}) == {}
        assert "size" not in child["arrayProperties"]
        assert (child["jobName"], child["jobDefinition"]) == ("array", definition)
        assert child["container"]["exitCode"] == (7 if index == 1 else 0)
        assert child["statusReason"] == EXITED
    assert sorted(written("array")) == [f"{job_id}:{index} {index}" for index in (0, 2, 3, 4)]
    by_pages = listed(arrayJobId=job_id, jobStatus="SUCCEEDED", maxResults=2)
    assert [job["arrayProperties"]["index"] for job in by_pages] == [0, 2, 3, 4]
    assert all(job["container"] == {"exitCode": 0} and job["statusReason"] == EXITED for job in by_pages)
    assert listed(arrayJobId=job_id) == []
    (failed,) = listed(arrayJobId=job_id, jobStatus="FAILED")
    assert (failed["jobId"], failed["container"]) == (f"{job_id}:1", {"exitCode": 7})
    (shown,) = [job for job in listed(jobQueue=QUEUE, jobStatus="FAILED", maxResults=1) if job["jobId"] == job_id]
    assert shown["arrayProperties"]["size"] == 5


def dependencies_of_both_kinds() -> None:
    """SEQUENTIAL within an array, N_TO_N between two, a plain one at the end; each echoed as it was given."""
    script = 'echo "$2$AWS_BATCH_JOB_ARRAY_INDEX" >> "$1"'
    definition = register("step", [*shell(script), "sh", "Ref::file", "Ref::letter"])

    def step(letter: str, **members: Any) -> str:
        return submit("step-" + letter, definition, parameters={"file": file("steps"), "letter": letter}, **members)

    first = step("a", arrayProperties={"size": 4}, dependsOn=[{"type": "SEQUENTIAL"}])
    second = step("b", arrayProperties={"size": 4}, dependsOn=[{"jobId": first, "type": "N_TO_N"}])
    last = step("c", dependsOn=[{"jobId": first}, {"jobId": second}])
    until(last, "SUCCEEDED")
    steps = written("steps")
    assert [step for step in steps if step[0] == "a"] == ["a0", "a1", "a2", "a3"], steps
    assert sorted(steps) == ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3", "c"], steps
    assert all(steps.index(f"a{index}") < steps.index(f"b{index}") for index in range(4)), steps
    assert steps[-1] == "c"
    jobs = describe(first, second, last)
    assert [job["status"] for job in jobs] == ["SUCCEEDED"] * 3
    assert jobs[0]["dependsOn"] == [{"type": "SEQUENTIAL"}]
    assert jobs[1]["dependsOn"] == [{"jobId": first, "type": "N_TO_N"}]
    assert jobs[2]["dependsOn"] == [{"jobId": first}, {"jobId": second}]
    assert jobs[1]["arrayProperties"]["statusSummary"] == summary(SUCCEEDED=4)


def failures_that_pass_on() -> None:
    """A child that fails takes its partner and its successors with it, and nobody else."""
    failing = register("failing", shell('[ "$AWS_BATCH_JOB_ARRAY_INDEX" != 1 ]'))
    fine = register("fine", ["true"])
    first = submit("first", failing, arrayProperties={"size": 3})
    partner = submit("partner", fine, arrayProperties={"size": 3}, dependsOn=[{"jobId": first, "type": "N_TO_N"}])
    in_turn = submit("in-turn", failing, arrayProperties={"size": 4}, dependsOn=[{"type": "SEQUENTIAL"}])
    last = submit("last", fine, dependsOn=[{"jobId": partner}])
    until(last, "FAILED")
    until(in_turn, "FAILED")
    assert [job["status"] for job in children(partner, 3)] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert [job["status"] for job in children(in_turn, 4)] == ["SUCCEEDED", "FAILED", "FAILED", "FAILED"]
    unlucky = [*children(partner, 3)[1:2], *children(in_turn, 4)[2:], *describe(last)]
    for job in unlucky:
        assert job["statusReason"] == "Dependent Job failed", job
        assert job["attempts"] == []
        assert "exitCode" not in job["container"]


STEPS = (
    a_single_job_with_every_member,
    a_command_that_does_not_exist,
    an_array,
    dependencies_of_both_kinds,
    failures_that_pass_on,
)


def main() -> None:
    print(f"boto3 {boto3.__version__}, botocore {botocore.__version__}")
    for step in STEPS:
        step()
        print(step.__name__.replace("_", " "))
    for name, members in MEMBERS.items():
        missing = sorted(members - noted[name])
        assert not missing, f"{name} never had {missing}"
    print("every member sent or seen")


main()
