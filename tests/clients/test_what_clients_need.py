"""What the programs around AWS Batch were seen to rely on, beyond the operations' own rules."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.clients.server_process import wait_for
from tests.clients.yard import LOG_GROUP, Gate, Yard, client

pytestmark = pytest.mark.process


def test_what_is_submitted_can_be_described_at_once_children_included(yard: Yard) -> None:
    definition = yard.define(["true"])
    for _ in range(5):
        parent = yard.submit(definition, size=99)
        found = yard.describe(parent, *(f"{parent}:{index}" for index in range(99)))
        assert len(found) == 100
    for _ in range(20):
        single = yard.submit(definition)
        assert yard.job(single)["jobId"] == single


def test_a_queue_lists_parents_and_never_children(yard: Yard) -> None:
    parent = yard.run(["true"], size=3, jobName="family")
    listed = yard.listed(jobQueue="default", filters=[{"name": "JOB_NAME", "values": ["FAMILY"]}])
    assert [job["jobId"] for job in listed] == [parent["jobId"]]
    for status in ("SUCCEEDED", "FAILED", "RUNNING", "PENDING"):
        assert not [job for job in yard.listed(jobQueue="default", jobStatus=status) if ":" in job["jobId"]]


def test_a_filter_overrules_the_status(yard: Yard) -> None:
    good = yard.run(["true"], jobName="filtered-good")["jobId"]
    bad = yard.run(["false"], jobName="filtered-bad")["jobId"]
    by_name = [{"name": "JOB_NAME", "values": ["filtered-*"]}]
    for status in ({}, {"jobStatus": "RUNNING"}, {"jobStatus": "FAILED"}):
        assert {job["jobId"] for job in yard.listed(jobQueue="default", filters=by_name, **status)} == {good, bad}


def test_a_summary_has_what_clients_read(yard: Yard) -> None:
    job = yard.run(["sh", "-c", "exit 3"])
    (found,) = (item for item in yard.listed(jobQueue="default", jobStatus="FAILED") if item["jobId"] == job["jobId"])
    for member in ("jobArn", "jobId", "jobName", "createdAt", "status", "statusReason", "startedAt", "stoppedAt"):
        assert found[member] == job[member]
    assert found["container"] == {"exitCode": 3}
    assert found["jobDefinition"] == job["jobDefinition"]


def test_a_list_is_walked_page_by_page_without_gap_or_repetition(yard: Yard) -> None:
    name = [{"name": "JOB_NAME", "values": ["paged"]}]
    definition = yard.define(["true"])
    jobs = [yard.submit(definition, jobName="paged") for _ in range(7)]
    for job in jobs:
        yard.ended(job)
    pages = list(
        yard.batch.get_paginator("list_jobs").paginate(
            jobQueue="default", filters=name, PaginationConfig={"PageSize": 3}
        )
    )
    assert [len(page["jobSummaryList"]) for page in pages] == [3, 3, 1]
    assert "nextToken" not in pages[-1]
    assert sorted(job["jobId"] for page in pages for job in page["jobSummaryList"]) == sorted(jobs)
    first = yard.batch.list_jobs(jobQueue="default", filters=name, nextToken="")
    assert len(first["jobSummaryList"]) == 7
    with pytest.raises(ClientError, match="ClientException"):
        yard.batch.list_jobs(jobQueue="default", filters=name, nextToken="made up")


def test_queues_and_environments_are_valid_at_once_and_say_why(yard: Yard) -> None:
    yard.batch.create_compute_environment(
        computeEnvironmentName="needs",
        type="MANAGED",
        computeResources={
            "type": "EC2", "minvCpus": 0, "maxvCpus": 2, "instanceTypes": ["optimal"], "subnets": ["subnet-1"],
            "securityGroupIds": ["sg-1"], "instanceRole": "role",
        },
        serviceRole="arn:aws:iam::123456789012:role/service",
    )  # fmt: skip
    (environment,) = yard.batch.describe_compute_environments(computeEnvironments=["needs"])["computeEnvironments"]
    order = [{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}]
    yard.batch.create_job_queue(jobQueueName="needs", priority=5, computeEnvironmentOrder=order, state="ENABLED")
    (queue,) = yard.batch.describe_job_queues(jobQueues=["needs"])["jobQueues"]
    for found in (environment, queue):
        assert (found["state"], found["status"]) == ("ENABLED", "VALID")
        assert found["statusReason"]
    assert yard.environment(yard.run(["env"], jobQueue="needs"))["AWS_BATCH_CE_NAME"] == "needs"
    yard.batch.update_job_queue(jobQueue="needs", state="DISABLED")
    yard.batch.delete_job_queue(jobQueue="needs")
    assert yard.batch.describe_job_queues(jobQueues=["needs"])["jobQueues"] == []
    yard.batch.update_compute_environment(computeEnvironment="needs", state="DISABLED")
    yard.batch.delete_compute_environment(computeEnvironment="needs")
    assert yard.batch.describe_compute_environments(computeEnvironments=["needs"])["computeEnvironments"] == []


@pytest.mark.parametrize("exit_code", [0, 4])
def test_a_job_that_has_ended_shows_how(yard: Yard, exit_code: int) -> None:
    job = yard.run(["sh", "-c", f"exit {exit_code}"], retryStrategy={"attempts": 2})
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]
    assert len(job["attempts"]) == (1 if exit_code == 0 else 2)
    for attempt in job["attempts"]:
        assert attempt["container"]["exitCode"] == exit_code
        assert attempt["container"]["networkInterfaces"] == []
        assert attempt["startedAt"] <= attempt["stoppedAt"]
    for member in ("exitCode", "logStreamName", "taskArn", "containerInstanceArn"):
        assert job["container"][member] == job["attempts"][-1]["container"][member]


def test_a_deregistered_definition_leaves_submitted_jobs_alone(yard: Yard, gate: Gate) -> None:
    definition = yard.define(["sh", "-c", gate.script])
    job = yard.submit(definition)
    waiting = yard.submit(definition, dependsOn=[{"jobId": job}])
    yard.batch.deregister_job_definition(jobDefinition=definition)
    with pytest.raises(ClientError, match="does not exist or is not in ACTIVE status"):
        yard.submit(definition)
    gate.open()
    assert [yard.ended(found)["status"] for found in (job, waiting)] == ["SUCCEEDED"] * 2


def test_a_bare_name_means_the_newest_active_revision(yard: Yard) -> None:
    name, _, _ = yard.define(["echo", "1"]).partition(":")
    container = {"image": "busybox", "vcpus": 1, "memory": 16, "command": ["echo", "2"]}
    yard.batch.register_job_definition(jobDefinitionName=name, type="container", containerProperties=container)
    newest = yard.run(name)
    assert (newest["jobDefinition"].rpartition(":")[2], yard.log(newest)) == ("2", ["2"])
    yard.batch.deregister_job_definition(jobDefinition=f"{name}:2")
    assert yard.log(yard.run(name)) == ["1"]
    (arn,) = (
        d["jobDefinitionArn"]
        for d in yard.batch.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
    )
    assert yard.log(yard.run(arn)) == ["1"]


def test_tags_of_jobs_and_definitions_by_their_arns(yard: Yard) -> None:
    reference = yard.define(["true"], tags={"team": "a/b"})
    (definition,) = yard.batch.describe_job_definitions(jobDefinitions=[reference])["jobDefinitions"]
    arn = definition["jobDefinitionArn"]
    yard.batch.tag_resource(resourceArn=arn, tags={"a/b": "c d", "ü": "ö"})
    assert yard.batch.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "a/b", "a/b": "c d", "ü": "ö"}
    yard.batch.untag_resource(resourceArn=arn, tagKeys=["a/b", "ü"])
    assert yard.batch.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "a/b"}
    job = yard.run(reference, tags={"run": "1"})
    assert yard.batch.list_tags_for_resource(resourceArn=job["jobArn"])["tags"] == job["tags"]
    assert job["tags"]["run"] == "1"


def test_log_groups_are_made_and_deleted_by_clients(yard: Yard) -> None:
    yard.logs.create_log_group(logGroupName="/team/jobs")
    with pytest.raises(ClientError, match="ResourceAlreadyExistsException"):
        yard.logs.create_log_group(logGroupName="/team/jobs")
    groups = yard.logs.describe_log_groups(logGroupNamePrefix="/team")["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/team/jobs"]
    options = {"awslogs-group": "/team/jobs", "awslogs-stream-prefix": "mine"}
    container = {"logConfiguration": {"logDriver": "awslogs", "options": options}}
    job = yard.run(yard.define(["echo", "hello"], container=container))
    stream = job["container"]["logStreamName"]
    assert stream == f"mine/default/{job['container']['taskArn'].rpartition('/')[2]}"
    assert [event["message"] for event in yard.log_events(stream, "/team/jobs")] == ["hello"]
    streams = yard.logs.describe_log_streams(logGroupName="/team/jobs", logStreamNamePrefix="mine/")["logStreams"]
    assert [found["logStreamName"] for found in streams] == [stream]
    yard.logs.delete_log_group(logGroupName="/team/jobs")
    assert yard.logs.describe_log_groups(logGroupNamePrefix="/team")["logGroups"] == []


def test_lines_are_grouped_as_the_definition_says(yard: Yard) -> None:
    options = {"awslogs-datetime-format": "^%Y-%m-%d", "awslogs-multiline-pattern": "^ "}
    container = {"logConfiguration": {"logDriver": "awslogs", "options": options}}
    script = "2026-01-02 failed\\n  at a\\n  at b\\n2026-01-02 again\\n"
    stream = yard.run(yard.define(["printf", script], container=container))["container"]["logStreamName"]
    expected = ["2026-01-02 failed\n  at a\n  at b", "2026-01-02 again"]
    assert [event["message"] for event in yard.log_events(stream)] == expected
    found = yard.logs.filter_log_events(logGroupName=LOG_GROUP, logStreamNames=[stream], filterPattern='"at b"')
    assert [event["message"] for event in found["events"]] == expected[:1]


def test_logs_say_when_something_does_not_exist(yard: Yard) -> None:
    job = yard.run(["echo", "hello"])
    unknown = {"logGroupName": LOG_GROUP, "logStreamName": "no/such/stream"}
    with pytest.raises(ClientError, match=r"The specified log stream does not exist\.") as caught:
        yard.logs.get_log_events(**unknown)
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(ClientError, match=r"The specified log group does not exist\."):
        yard.logs.get_log_events(logGroupName="/nowhere", logStreamName=job["container"]["logStreamName"])


def test_events_of_all_streams_are_found_by_filtering(yard: Yard) -> None:
    jobs = [yard.run(["printf", f"needle {number}\\nhay\\n"]) for number in range(3)]
    streams = [job["container"]["logStreamName"] for job in jobs]
    pages = yard.logs.get_paginator("filter_log_events").paginate(
        logGroupName=LOG_GROUP, logStreamNames=streams, filterPattern="needle", PaginationConfig={"PageSize": 2}
    )
    events = [event for page in pages for event in page["events"]]
    assert sorted((event["logStreamName"], event["message"]) for event in events) == sorted(
        (stream, f"needle {number}") for number, stream in enumerate(streams)
    )
    assert len({event["eventId"] for event in events}) == 3


def test_a_log_can_be_read_while_the_job_runs(yard: Yard, gate: Gate) -> None:
    job = yard.until(yard.shell(f"echo early; {gate.script}; echo late"), "RUNNING")
    wait_for(lambda: yard.log(job) == ["early"], "the first line in the log")
    gate.open()
    ended = yard.ended(job["jobId"])
    assert yard.log(ended) == ["early", "late"]


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_every_retry_mode_and_a_refusal_that_is_not_retried(yard: Yard, mode: str) -> None:
    batch: Any = client("batch", yard.server.url, retries={"mode": mode, "max_attempts": 3})
    with pytest.raises(ClientError) as caught:
        batch.submit_job(jobName="job", jobQueue="nowhere", jobDefinition="nothing")
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_a_definition_is_echoed_as_it_was_given_and_nothing_is_invented(yard: Yard) -> None:
    reference = yard.define(["true"], container={"environment": [{"name": "A", "value": "b"}]})
    (definition,) = yard.batch.describe_job_definitions(jobDefinitions=[reference])["jobDefinitions"]
    assert definition["containerProperties"] == {
        "image": "busybox",
        "vcpus": 1,
        "memory": 64,
        "command": ["true"],
        "environment": [{"name": "A", "value": "b"}],
        "mountPoints": [],
        "resourceRequirements": [],
        "secrets": [],
        "ulimits": [],
        "volumes": [],
    }
    assert (definition["type"], definition["status"], definition["revision"]) == ("container", "ACTIVE", 1)
    assert not {"retryStrategy", "timeout", "nodeProperties", "eksProperties", "ecsProperties"} & set(definition)


def test_a_fargate_queue_runs_fargate_jobs_and_no_others(yard: Yard) -> None:
    yard.batch.create_compute_environment(
        computeEnvironmentName="fargate",
        type="MANAGED",
        computeResources={"type": "FARGATE", "maxvCpus": 4, "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"]},
    )
    order = [{"order": 1, "computeEnvironment": "fargate"}]
    yard.batch.create_job_queue(jobQueueName="fargate", priority=1, computeEnvironmentOrder=order)
    container = {
        "vcpus": None,
        "memory": None,
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "resourceRequirements": [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}],
    }
    definition = yard.define(["env"], container=container, platformCapabilities=["FARGATE"])
    seen = yard.environment(yard.run(definition, jobQueue="fargate"))
    assert (seen["AWS_EXECUTION_ENV"], seen["AWS_BATCH_JQ_NAME"]) == ("AWS_ECS_FARGATE", "fargate")
    for queue, unfit, capability in (("fargate", yard.define(["true"]), "EC2"), ("default", definition, "FARGATE")):
        with pytest.raises(ClientError, match=f"can not run Jobs with capability {capability}"):
            yard.submit(unfit, jobQueue=queue)


def test_a_task_belongs_to_the_cluster_of_its_compute_environment(yard: Yard) -> None:
    job = yard.run(["true"])
    environments = yard.batch.describe_compute_environments(computeEnvironments=["default"])["computeEnvironments"]
    cluster = environments[0]["ecsClusterArn"].partition(":cluster/")[2]
    for container in (job["container"], job["attempts"][0]["container"]):
        assert f":task/{cluster}/" in container["taskArn"]
        assert f":container-instance/{cluster}/" in container["containerInstanceArn"]
