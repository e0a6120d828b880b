"""Retries, cancelling and terminating, in every status that a job can be in."""

import pytest
from botocore.exceptions import ClientError

from tests.clients.yard import Gate, Yard

pytestmark = pytest.mark.process

EXITED = "Essential container in task exited"
TOO_LARGE = {"vcpus": 16}


@pytest.fixture
def full_yard(yard: Yard) -> Yard:
    """Every vCPU is taken, so that the next job stays RUNNABLE."""
    hog = yard.submit(yard.define(["sleep", "600"], container=TOO_LARGE))
    yard.until(hog, "RUNNING")
    return yard


@pytest.mark.parametrize("operation", ["cancel_job", "terminate_job"])
def test_a_runnable_job_fails_at_once(full_yard: Yard, operation: str) -> None:
    job = full_yard.submit(["true"], retryStrategy={"attempts": 3})
    full_yard.until(job, "RUNNABLE")
    answer = getattr(full_yard.batch, operation)(jobId=job, reason="not needed")
    assert set(answer) == {"ResponseMetadata"}
    ended = full_yard.job(job)
    assert (ended["status"], ended["statusReason"], ended["attempts"]) == ("FAILED", "not needed", [])
    assert ended["isCancelled" if operation == "cancel_job" else "isTerminated"]
    (listed,) = (found for found in full_yard.listed(jobQueue="default", jobStatus="FAILED") if found["jobId"] == job)
    assert listed["statusReason"] == "not needed"


def test_a_pending_job_that_is_cancelled_fails_when_its_dependencies_have_ended(yard: Yard, gate: Gate) -> None:
    before = yard.shell(gate.script)
    job = yard.submit(["true"], dependsOn=[{"jobId": before}])
    yard.until(job, "PENDING")
    yard.batch.cancel_job(jobId=job, reason="changed my mind")
    still = yard.job(job)
    assert (still["status"], still["isCancelled"]) == ("PENDING", True)
    gate.open()
    ended = yard.ended(job)
    assert (ended["status"], ended["statusReason"], ended["attempts"]) == ("FAILED", "changed my mind", [])
    assert yard.job(before)["status"] == "SUCCEEDED"


def test_a_pending_job_that_is_terminated_fails(yard: Yard, gate: Gate) -> None:
    before = yard.shell(gate.script)
    job = yard.submit(["true"], dependsOn=[{"jobId": before}])
    after = yard.submit(["true"], dependsOn=[{"jobId": job}])
    yard.batch.terminate_job(jobId=job, reason="changed my mind")
    ended = yard.ended(job)
    assert (ended["status"], ended["statusReason"], ended["attempts"]) == ("FAILED", "changed my mind", [])
    assert yard.ended(after)["statusReason"] == "Dependent Job failed"
    assert yard.job(before)["status"] in ("STARTING", "RUNNING")


def test_a_running_job_that_is_terminated_gets_sigterm_and_is_not_retried(yard: Yard) -> None:
    script = "trap 'echo stopping; exit 7' TERM; echo ready; while :; do sleep 0.02; done"
    job = yard.shell(script, retryStrategy={"attempts": 5})
    running = yard.until(job, "RUNNING")
    assert "statusReason" not in running
    yard.batch.terminate_job(jobId=job, reason="stop it")
    ended = yard.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "stop it")
    assert len(ended["attempts"]) == 1
    assert ended["container"]["exitCode"] in (7, 143)
    assert ended["isTerminated"]


def test_a_job_that_ignores_sigterm_is_killed_after_the_grace(yard: Yard) -> None:
    job = yard.shell("trap '' TERM; echo ready; while :; do sleep 0.02; done")
    yard.until(job, "RUNNING")
    yard.batch.terminate_job(jobId=job, reason="stop it")
    ended = yard.ended(job)
    assert (ended["status"], ended["statusReason"], ended["container"]["exitCode"]) == ("FAILED", "stop it", 137)


@pytest.mark.parametrize("operation", ["cancel_job", "terminate_job"])
@pytest.mark.parametrize("command", ["true", "false"])
def test_a_job_that_has_ended_stays_as_it_is(yard: Yard, operation: str, command: str) -> None:
    ended = yard.run([command])
    answer = getattr(yard.batch, operation)(jobId=ended["jobId"], reason="too late")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert yard.job(ended["jobId"]) == ended


@pytest.mark.parametrize("operation", ["cancel_job", "terminate_job"])
def test_a_reason_is_required_and_at_most_1024_characters_long(full_yard: Yard, operation: str) -> None:
    job = full_yard.submit(["true"])
    call = getattr(full_yard.batch, operation)
    for reason in ("", "r" * 1025):
        with pytest.raises(ClientError, match="ClientException"):
            call(jobId=job, reason=reason)
    call(jobId=job, reason="r" * 1024)
    assert full_yard.ended(job)["statusReason"] == "r" * 1024


def test_bulk_calls_take_fifty_ids_and_count_unknown_ones_as_done(full_yard: Yard) -> None:
    jobs = [full_yard.submit(["true"]) for _ in range(3)]
    unknown = "01234567-89ab-cdef-0123-456789abcdef"
    answer = full_yard.batch.cancel_jobs(jobs=[*jobs, unknown, "not an id"], reason="all of you")
    assert answer["successful"] == [*jobs, unknown]
    (error,) = answer["errors"]
    assert (error["job"], error["code"]) == ("not an id", "ClientException")
    assert [job["statusReason"] for job in full_yard.describe(*jobs)] == ["all of you"] * 3
    running = full_yard.submitted[0]
    assert full_yard.batch.terminate_jobs(jobs=[running], reason="you too")["successful"] == [running]
    assert full_yard.ended(running)["statusReason"] == "you too"
    with pytest.raises(ClientError):
        full_yard.batch.terminate_jobs(jobs=[unknown] * 51, reason="too many")


def test_a_job_may_have_ten_attempts_and_no_more(yard: Yard) -> None:
    ended = yard.run(["sh", "-c", 'exit "$AWS_BATCH_JOB_ATTEMPT"'], retryStrategy={"attempts": 10})
    assert [attempt["container"]["exitCode"] for attempt in ended["attempts"]] == list(range(1, 11))
    assert (ended["status"], ended["statusReason"], ended["container"]["exitCode"]) == ("FAILED", EXITED, 10)
    assert ended["startedAt"] == ended["attempts"][-1]["startedAt"]
    for strategy in ({"attempts": 0}, {"attempts": 11}):
        with pytest.raises(ClientError, match=r"RetryAttempts must be between 1 and 10\."):
            yard.submit(["true"], retryStrategy=strategy)
    with pytest.raises(ClientError, match=r"RetryAttempts must be provided with retry strategy\."):
        yard.submit(["true"], retryStrategy={"evaluateOnExit": [{"onReason": "*", "action": "RETRY"}]})


def test_a_jobs_strategy_replaces_the_definitions(yard: Yard) -> None:
    definition = yard.define(
        ["false"], retryStrategy={"attempts": 5, "evaluateOnExit": [{"onExitCode": "1", "action": "RETRY"}]}
    )
    ended = yard.run(definition, retryStrategy={"attempts": 2})
    assert ended["retryStrategy"] == {"attempts": 2, "evaluateOnExit": []}
    assert len(ended["attempts"]) == 2
    assert len(yard.run(definition)["attempts"]) == 5


def test_a_start_that_fails_is_an_attempt_and_is_retried(yard: Yard) -> None:
    ended = yard.run(["no-such-command"], retryStrategy={"attempts": 2})
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "Task failed to start")
    assert len(ended["attempts"]) == 2
    for attempt in ended["attempts"]:
        assert attempt["statusReason"] == "Task failed to start"
        assert "no-such-command" in attempt["container"]["reason"]
        assert not {"startedAt"} & set(attempt)
        assert "exitCode" not in attempt["container"]
    entries = [{"onStatusReason": "Task failed to start", "action": "EXIT"}]
    once = yard.run(["no-such-command"], retryStrategy={"attempts": 5, "evaluateOnExit": entries})
    assert len(once["attempts"]) == 1


def test_a_timeout_must_be_at_least_60_seconds(yard: Yard) -> None:
    with pytest.raises(ClientError, match=r"AttemptDurationSeconds in Timeout must be at least 60 seconds\."):
        yard.submit(["true"], timeout={"attemptDurationSeconds": 59})
    definition = yard.define(["true"], timeout={"attemptDurationSeconds": 90})
    assert yard.run(definition)["timeout"] == {"attemptDurationSeconds": 90}
    assert yard.run(definition, timeout={"attemptDurationSeconds": 61})["timeout"] == {"attemptDurationSeconds": 61}
