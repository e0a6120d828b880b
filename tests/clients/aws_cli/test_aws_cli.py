"""The AWS CLI, version 1: a whole session at the prompt, found by the environment alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.installed_program import Program
from tests.clients.yard import LOG_GROUP, Gate, Yard

pytestmark = [pytest.mark.process, pytest.mark.clients]

CONTAINER = (
    '{"image": "busybox", "command": %s, '
    '"resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]}'
)


class Prompt:
    """`aws SERVICE COMMAND ...`, with the answers parsed."""

    def __init__(self, program: Program, yard: Yard) -> None:
        self.program = program
        self._yard = yard

    def batch(self, *words: str) -> Any:
        """`aws batch ...`, as it answers in JSON; None for an operation that answers nothing."""
        return json.loads(self.program.run("aws", "batch", *words, "--output", "json") or "null")

    def define(self, name: str, *command: str) -> Any:
        """`aws batch register-job-definition`."""
        properties = CONTAINER % json.dumps(command)
        words = ("--job-definition-name", name, "--type", "container", "--container-properties", properties)
        return self.batch("register-job-definition", *words)

    def submit(self, name: str, definition: str, *words: str) -> str:
        """`aws batch submit-job`; returns the job's id."""
        request = ("--job-name", name, "--job-queue", "default", "--job-definition", definition)
        job_id: str = self.batch("submit-job", *request, *words)["jobId"]
        self._yard.submitted.append(job_id)
        return job_id


@pytest.fixture
def aws(yard: Yard, tmp_path: Path) -> Prompt:
    return Prompt(Program.of("aws_cli", yard, tmp_path), yard)


def test_a_job_from_definition_to_log(aws: Prompt, yard: Yard) -> None:
    defined = aws.define("cli-hello", "sh", "-c", "echo hello $WORD; echo Ref::mark", "sh")
    assert defined["jobDefinitionArn"].endswith(f"job-definition/cli-hello:{defined['revision']}")
    override = ("--container-overrides", "environment=[{name=WORD,value=world}]")
    job_id = aws.submit("cli", "cli-hello", "--parameters", "mark=there", *override)
    stream = yard.ended(job_id)["container"]["logStreamName"]
    (job,) = aws.batch("describe-jobs", "--jobs", job_id)["jobs"]
    assert (job["status"], job["container"]["exitCode"]) == ("SUCCEEDED", 0)
    words = ("--log-group-name", LOG_GROUP, "--log-stream-name", stream, "--start-from-head")
    query = ("--query", "events[].message", "--output", "text")
    assert aws.program.run("aws", "logs", "get-log-events", *words, *query) == "hello world\tthere\n"


def test_an_array_described_by_query(aws: Prompt, yard: Yard) -> None:
    aws.define("cli-array", "sh", "-c", "exit $((AWS_BATCH_JOB_ARRAY_INDEX == 1))")
    job_id = aws.submit("cli-array", "cli-array", "--array-properties", "size=3")
    yard.ended(job_id)
    summary = aws.batch("describe-jobs", "--jobs", job_id, "--query", "jobs[0].arrayProperties.statusSummary")
    assert (summary["SUCCEEDED"], summary["FAILED"]) == (2, 1)
    listed = ("list-jobs", "--array-job-id", job_id, "--job-status")
    assert aws.batch(*listed, "FAILED", "--query", "jobSummaryList[].arrayProperties.index") == [1]
    assert aws.batch(*listed, "SUCCEEDED", "--query", "length(jobSummaryList)") == 2


def test_a_list_is_paged_by_items_and_by_token(aws: Prompt, yard: Yard) -> None:
    definition = yard.define(["true"])
    jobs = {yard.run(definition, jobName="cli-paged")["jobId"] for _ in range(5)}
    listed = ("list-jobs", "--job-queue", "default", "--filters", "name=JOB_NAME,values=cli-paged")
    first = aws.batch(*listed, "--max-items", "3", "--page-size", "2")
    rest = aws.batch(*listed, "--starting-token", first["NextToken"])
    pages = [[job["jobId"] for job in page["jobSummaryList"]] for page in (first, rest)]
    assert [len(page) for page in pages] == [3, 2]
    assert {job for page in pages for job in page} == jobs
    assert len(aws.batch(*listed, "--page-size", "1")["jobSummaryList"]) == 5


def test_terminating_and_cancelling(aws: Prompt, yard: Yard, gate: Gate) -> None:
    running = yard.shell(gate.script)
    yard.until(running, "RUNNING")
    waiting = yard.submit(["true"], dependsOn=[{"jobId": running}])
    assert aws.batch("cancel-job", "--job-id", waiting, "--reason", "not wanted") is None
    assert aws.batch("terminate-job", "--job-id", running, "--reason", "enough") is None
    assert yard.ended(waiting)["statusReason"] == "not wanted"
    assert yard.ended(running)["statusReason"] == "enough"


def test_tags_by_arn(aws: Prompt, yard: Yard) -> None:
    job = yard.run(["true"], tags={"team": "a/b"})
    arn = ("--resource-arn", job["jobArn"])
    assert aws.batch("tag-resource", *arn, "--tags", "stage=test,cost-center=7") is None
    tags = aws.batch("list-tags-for-resource", *arn)["tags"]
    assert tags == {"team": "a/b", "stage": "test", "cost-center": "7"}
    assert aws.batch("untag-resource", *arn, "--tag-keys", "team", "cost-center") is None
    assert aws.batch("list-tags-for-resource", *arn)["tags"] == {"stage": "test"}


def test_queues_and_environments(aws: Prompt) -> None:
    made = aws.batch("create-compute-environment", "--compute-environment-name", "cli-ce", "--type", "UNMANAGED")
    order = f"order=1,computeEnvironment={made['computeEnvironmentArn']}"
    words = ("--job-queue-name", "cli-queue", "--priority", "3", "--compute-environment-order", order)
    aws.batch("create-job-queue", *words, "--state", "DISABLED")
    query = ("--query", "jobQueues[0].[status,state,priority]")
    assert aws.batch("describe-job-queues", "--job-queues", "cli-queue", *query) == ["VALID", "DISABLED", 3]


def test_a_refusal_is_shown_as_aws_words_it(aws: Prompt) -> None:
    words = ("--job-name", "x", "--job-queue", "nowhere", "--job-definition", "nothing")
    refused = aws.program.attempt("aws", "batch", "submit-job", *words)
    assert refused.returncode == 255  # version 2 ends with 254
    assert "An error occurred (ClientException) when calling the SubmitJob operation: " in refused.stderr
    assert "nowhere" in refused.stderr
