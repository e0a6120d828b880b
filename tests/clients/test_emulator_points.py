"""Fifteen points at which servers that imitate AWS Batch tend to differ from it."""

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.clients.server_process import wait_for
from tests.clients.yard import LOG_GROUP, STATUSES, Gate, Yard

pytestmark = pytest.mark.process

EXITED = "Essential container in task exited"
WRAPPED = re.compile(r"Error executing request, Exception : (.*), RequestId: ([0-9a-f-]{36})")


def test_a_parent_is_only_ever_submitted_pending_succeeded_or_failed(yard: Yard, gate: Gate) -> None:
    parent = yard.shell(gate.script, size=3)
    seen = {yard.job(parent)["status"]}
    yard.until(f"{parent}:2", "RUNNING")
    seen.add(yard.job(parent)["status"])
    assert parent in [job["jobId"] for job in yard.listed(jobQueue="default", jobStatus="PENDING")]
    assert parent not in [job["jobId"] for job in yard.listed(jobQueue="default", jobStatus="RUNNING")]
    gate.open()

    def watch() -> bool:
        seen.add(yard.job(parent)["status"])
        return "SUCCEEDED" in seen

    wait_for(watch, "the array's success")
    assert seen <= {"SUBMITTED", "PENDING", "SUCCEEDED"}


def test_a_status_summary_has_all_seven_keys(yard: Yard, gate: Gate) -> None:
    parent = yard.shell(gate.script, size=2)
    yard.until(f"{parent}:1", "RUNNING")
    yard.until(f"{parent}:0", "RUNNING")
    live = yard.job(parent)["arrayProperties"]
    assert live["size"] == 2
    assert live["statusSummary"] == dict.fromkeys(STATUSES, 0) | {"RUNNING": 2}
    gate.open()
    ended = yard.ended(parent)["arrayProperties"]
    assert ended["statusSummary"] == dict.fromkeys(STATUSES, 0) | {"SUCCEEDED": 2}
    (listed,) = (job for job in yard.listed(jobQueue="default", jobStatus="SUCCEEDED") if job["jobId"] == parent)
    assert listed["arrayProperties"]["size"] == 2
    assert listed["arrayProperties"]["statusSummary"] == ended["statusSummary"]


def test_a_child_has_an_index_and_an_empty_summary_and_no_size(yard: Yard) -> None:
    parent = yard.submit(["true"], size=2)
    yard.ended(parent)
    for index, child in enumerate(yard.children(parent, 2)):
        assert child["arrayProperties"] == {"statusSummary": {}, "index": index}
    listed = yard.listed(arrayJobId=parent, jobStatus="SUCCEEDED")
    assert [job["arrayProperties"] for job in listed] == [{"index": 0}, {"index": 1}]


def test_list_jobs_shows_running_ones_unless_told_otherwise(yard: Yard, gate: Gate) -> None:
    parent = yard.shell('[ "$AWS_BATCH_JOB_ARRAY_INDEX" = 0 ] || ' + f"{{ {gate.script}; }}", size=2)
    single = yard.shell(gate.script)
    yard.ended(f"{parent}:0")
    yard.until(f"{parent}:1", "RUNNING")
    yard.until(single, "RUNNING")
    assert [job["jobId"] for job in yard.listed(arrayJobId=parent)] == [f"{parent}:1"]
    assert [job["jobId"] for job in yard.listed(arrayJobId=parent, jobStatus="SUCCEEDED")] == [f"{parent}:0"]
    assert [job["jobId"] for job in yard.listed(jobQueue="default")] == [single]


def test_unknown_ids_are_left_out(yard: Yard) -> None:
    job = yard.submit(["true"])
    array = yard.submit(["true"], size=2)
    unknown = "01234567-89ab-cdef-0123-456789abcdef"
    asked = [unknown, job, f"{job}:0", f"{array}:2", f"{array}:1", f"{unknown}:7", f"{job}#0"]
    answer = yard.batch.describe_jobs(jobs=asked)
    assert sorted(found["jobId"] for found in answer["jobs"]) == sorted([job, f"{array}:1"])
    assert yard.batch.describe_jobs(jobs=[unknown])["jobs"] == []
    for call in (yard.batch.cancel_job, yard.batch.terminate_job):
        assert call(jobId=unknown, reason="gone")["ResponseMetadata"]["HTTPStatusCode"] == 200


def refused(call: Any, **request: Any) -> tuple[str, str]:
    """The message and the request id of a call that is refused as AWS refuses."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    answer = caught.value.response
    assert answer["Error"]["Code"] == "ClientException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    return answer["Error"]["Message"], answer["ResponseMetadata"]["RequestId"]


def test_static_faults_are_wrapped_and_name_their_request(yard: Yard) -> None:
    request = {"jobQueue": "default", "jobDefinition": yard.define(["true"])}
    for text, call, members in (
        ("Job name should match valid pattern", yard.batch.submit_job, {"jobName": "no spaces", **request}),
        (
            "Job cannot have more than 20 dependencies",
            yard.batch.submit_job,
            {"jobName": "job", "dependsOn": [{"jobId": "x"}] * 21, **request},
        ),
        ("Maximum number of jobs supported is  100 .", yard.batch.describe_jobs, {"jobs": ["x"] * 101}),
    ):
        message, request_id = refused(call, **members)
        found = WRAPPED.fullmatch(message)
        assert found, message
        assert (found[1], found[2]) == (text, request_id)


def test_faults_found_by_looking_up_are_bare(yard: Yard) -> None:
    definition = yard.define(["true"])
    submit = yard.batch.submit_job
    assert refused(submit, jobName="job", jobQueue="nowhere", jobDefinition=definition)[0] == (
        "JobQueue nowhere not found."
    )
    assert refused(submit, jobName="job", jobQueue="default", jobDefinition="nothing")[0] == (
        "JobDefinition name nothing does not exist or is not in ACTIVE status"
    )
    assert refused(submit, jobName="job", jobQueue="default", jobDefinition=f"{definition.split(':')[0]}:latest")[
        0
    ] == (f"Provided name {definition.split(':')[0]}:latest is not supported pattern[a-zA-Z_0-9-]{{1,128}}")
    assert refused(yard.batch.describe_jobs, jobs=["not an id"])[0] == (
        "Provided name not an id is not supported pattern[a-zA-Z_0-9-]{1,128}"
    )


def test_cancelling_a_running_job_does_nothing(yard: Yard, gate: Gate) -> None:
    job = yard.shell(gate.script)
    yard.until(job, "RUNNING")
    assert yard.batch.cancel_job(jobId=job, reason="too late")["ResponseMetadata"]["HTTPStatusCode"] == 200
    still = yard.job(job)
    assert still["status"] == "RUNNING"
    assert not still.get("isCancelled")
    gate.open()
    ended = yard.ended(job)
    assert (ended["status"], ended["statusReason"], ended["container"]["exitCode"]) == ("SUCCEEDED", EXITED, 0)


@pytest.mark.slow
def test_a_timeout_ends_the_job_although_attempts_remain(yard: Yard) -> None:
    job = yard.submit(
        ["sleep", "600"],
        timeout={"attemptDurationSeconds": 60},
        retryStrategy={"attempts": 3, "evaluateOnExit": [{"onReason": "*", "action": "RETRY"}]},
    )
    ended = yard.ended(job, seconds=80)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "Job attempt duration exceeded timeout")
    (attempt,) = ended["attempts"]
    assert 60_000 <= attempt["stoppedAt"] - attempt["startedAt"] <= 65_000
    assert ended["timeout"] == {"attemptDurationSeconds": 60}


def entry(action: str, **conditions: str) -> dict[str, str]:
    return {"action": action, **conditions}


@pytest.mark.parametrize(
    ("entries", "exit_code", "attempts"),
    [
        ([entry("RETRY", onExitCode="3"), entry("EXIT", onReason="*")], 3, 3),
        ([entry("EXIT", onReason="*"), entry("RETRY", onExitCode="3")], 3, 1),
        ([entry("EXIT", onExitCode="4*")], 42, 1),
        ([entry("EXIT", onExitCode="4*")], 24, 3),
        ([entry("EXIT", onExitCode="4")], 42, 3),
        ([entry("EXIT", onStatusReason="Essential container*")], 1, 1),
        ([entry("EXIT", onStatusReason="essential container*")], 1, 3),
        ([entry("EXIT", onStatusReason="Essential*", onExitCode="2"), entry("EXIT", onExitCode="9*")], 1, 3),
        ([entry("RETRY", onStatusReason="Host EC2*"), entry("EXIT", onReason="*")], 1, 1),
        ([entry("exit", onExitCode="1")], 1, 1),
    ],
)
def test_evaluate_on_exit_takes_the_first_entry_that_matches(
    yard: Yard, entries: list[dict[str, str]], exit_code: int, attempts: int
) -> None:
    ended = yard.run(["sh", "-c", f"exit {exit_code}"], retryStrategy={"attempts": 3, "evaluateOnExit": entries})
    assert ended["status"] == "FAILED"
    assert [attempt["container"]["exitCode"] for attempt in ended["attempts"]] == [exit_code] * attempts
    echoed = ended["retryStrategy"]["evaluateOnExit"]
    assert [found["action"] for found in echoed] == [given["action"].lower() for given in entries]


def test_a_placeholder_without_a_value_is_refused(yard: Yard) -> None:
    definition = yard.define(["echo", "Ref::greeting", "Ref::name"], parameters={"greeting": "hello"})
    message, _ = refused(yard.batch.submit_job, jobName="job", jobQueue="default", jobDefinition=definition)
    assert message == "Unable to substitute value. No parameter found for reference name"
    ended = yard.run(definition, parameters={"name": "two words"})
    assert ended["container"]["command"] == ["echo", "hello", "two words"]
    assert yard.log(ended) == ["hello two words"]


def test_success_also_says_that_the_container_exited(yard: Yard) -> None:
    ended = yard.run(["true"])
    assert (ended["status"], ended["statusReason"]) == ("SUCCEEDED", EXITED)
    assert ended["attempts"][0]["statusReason"] == EXITED
    assert ended["container"]["exitCode"] == 0
    assert "reason" not in ended["container"]


def test_dependents_of_a_failure_have_no_attempts(yard: Yard) -> None:
    first = yard.submit(["false"])
    second = yard.submit(["true"], dependsOn=[{"jobId": first}])
    third = yard.submit(["true"], dependsOn=[{"jobId": second}])
    for job in (second, third):
        ended = yard.ended(job)
        assert (ended["status"], ended["statusReason"]) == ("FAILED", "Dependent Job failed")
        assert ended["attempts"] == []
        assert ended["stoppedAt"] >= ended["createdAt"]
        assert "startedAt" not in ended
        assert not {"exitCode", "logStreamName", "taskArn"} & set(ended["container"])


def test_every_attempt_has_a_log_stream_of_its_own(yard: Yard) -> None:
    ended = yard.run(
        ["sh", "-c", "echo attempt $AWS_BATCH_JOB_ATTEMPT; exit $((3 - AWS_BATCH_JOB_ATTEMPT))"],
        retryStrategy={"attempts": 3},
    )
    assert ended["status"] == "SUCCEEDED"
    streams = [attempt["container"]["logStreamName"] for attempt in ended["attempts"]]
    assert len(set(streams)) == 3
    for number, (stream, attempt) in enumerate(zip(streams, ended["attempts"], strict=True), 1):
        assert re.fullmatch(r"definition-\d+/default/[0-9a-f]{32}", stream)
        assert attempt["container"]["taskArn"].endswith(stream.rpartition("/")[2])
        assert [event["message"] for event in yard.log_events(stream)] == [f"attempt {number}"]
    assert ended["container"]["logStreamName"] == streams[-1]


EMPTY_LISTS = ("environment", "mountPoints", "resourceRequirements", "secrets", "ulimits", "volumes")


def test_empty_lists_and_maps_are_echoed(yard: Yard) -> None:
    reference = yard.define(["true"], retryStrategy={"attempts": 2})
    (definition,) = yard.batch.describe_job_definitions(jobDefinitions=[reference])["jobDefinitions"]
    assert {name: definition["containerProperties"][name] for name in EMPTY_LISTS} == {n: [] for n in EMPTY_LISTS}
    assert definition["retryStrategy"] == {"attempts": 2, "evaluateOnExit": []}
    assert (definition["parameters"], definition["tags"]) == ({}, {})
    job = yard.run(reference)
    assert {name: job["container"][name] for name in EMPTY_LISTS} == {name: [] for name in EMPTY_LISTS}
    assert job["retryStrategy"] == {"attempts": 2, "evaluateOnExit": []}
    assert (job["parameters"], job["tags"], job["dependsOn"]) == ({}, {}, [])
    assert job["container"]["vcpus"] == 1
    assert job["container"]["memory"] == 64


def test_at_the_end_of_a_log_the_tokens_repeat(yard: Yard) -> None:
    job = yard.run(["sh", "-c", "for line in 1 2 3 4 5; do echo $line; done"])
    stream = {"logGroupName": LOG_GROUP, "logStreamName": job["container"]["logStreamName"]}
    read = yard.logs.get_log_events
    pages: list[list[str]] = []
    token: dict[str, str] = {}
    while True:
        page = read(**stream, startFromHead=True, limit=2, **token)
        pages.append([event["message"] for event in page["events"]])
        assert page["nextBackwardToken"]
        if page["nextForwardToken"] == token.get("nextToken"):
            break
        token = {"nextToken": page["nextForwardToken"]}
    assert pages == [["1", "2"], ["3", "4"], ["5"], []]
    newest = read(**stream, limit=2)
    assert [event["message"] for event in newest["events"]] == ["4", "5"]
    backward = read(**stream, limit=10, nextToken=newest["nextBackwardToken"])
    assert [event["message"] for event in backward["events"]] == ["1", "2", "3"]
    start = read(**stream, nextToken=backward["nextBackwardToken"])
    assert (start["events"], start["nextBackwardToken"]) == ([], backward["nextBackwardToken"])
