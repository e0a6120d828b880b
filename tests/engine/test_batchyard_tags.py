"""What AWS Batch has no member for: tags on jobs and queues that count."""

from typing import Any

import pytest

from batchyard.core import reasons
from batchyard.core.refusals import Refusal
from tests.engine.yard import Yard

ARN = "arn:aws:batch:eu-central-1:123456789012:"


BEFORE_ANY_TIMEOUT = 20_000
"""Milliseconds: who settles waits for nothing that is due later."""


def limited(yard: Yard, limit: int, **more: Any) -> str:
    return yard.submit(tags={"batchyard:max-parallel": str(limit)}, **more)


def tag(yard: Yard, resource: str, **tags: str) -> None:
    named = {f"batchyard:{key.replace('_', '-')}": value for key, value in tags.items()}
    yard.ask("TagResource", resourceArn=ARN + resource, tags=named)


def counts(yard: Yard, array: str) -> dict[str, int]:
    found = yard.describe(array)["arrayProperties"]["statusSummary"]
    return {status: number for status, number in found.items() if number}


# --------------------------------------------------------------------------------------------------------- max-parallel


def test_no_more_children_run_at_once_than_may(yard: Yard) -> None:
    array = limited(yard, 2, size=5)
    assert yard.running() == [f"{array}:0", f"{array}:1"]
    assert counts(yard, array) == {"RUNNABLE": 3, "RUNNING": 2}
    yard.finish(f"{array}:1")
    assert yard.running() == [f"{array}:0", f"{array}:2"]
    yard.finish_all()
    assert yard.end_of(array) == ("SUCCEEDED", None, 0)


def test_who_may_not_run_more_holds_back_nobody(yard: Yard) -> None:
    array = limited(yard, 1, size=100, jobQueue="narrow")
    other = yard.submit(jobQueue="narrow")
    assert yard.running() == [f"{array}:0", other]


def test_a_child_that_is_retried_counts_once(yard: Yard) -> None:
    array = limited(yard, 1, size=2, retryStrategy={"attempts": 2})
    yard.finish(f"{array}:0", exit_code=1)
    assert yard.running() == [f"{array}:0"]
    yard.finish(f"{array}:0", exit_code=1)
    assert yard.running() == [f"{array}:1"]


def test_the_limit_holds_over_a_restart_and_for_shares(yard: Yard) -> None:
    policy = yard.ask("CreateSchedulingPolicy", name="fair", fairsharePolicy={})["arn"]
    order = [{"order": 1, "computeEnvironment": "large"}]
    yard.ask(
        "CreateJobQueue", jobQueueName="fair", priority=1, computeEnvironmentOrder=order, schedulingPolicyArn=policy
    )
    array = limited(yard, 2, size=9, jobQueue="fair", shareIdentifier="a")
    other = yard.submit(jobQueue="fair", shareIdentifier="a")
    yard.restart()
    yard.settle()
    assert yard.running() == [f"{array}:0", f"{array}:1", other]
    yard.finish(f"{array}:0")
    assert yard.running() == [f"{array}:1", other, f"{array}:2"]


def test_the_limit_is_changed_while_children_run(yard: Yard) -> None:
    array = limited(yard, 3, size=20)
    tag(yard, f"job/{array}", max_parallel="1")
    yard.finish(f"{array}:0")
    assert yard.running() == [f"{array}:1", f"{array}:2"], "those that run go on, and nobody takes the free place"
    tag(yard, f"job/{array}", max_parallel="4")
    assert len(yard.running()) == 4
    yard.ask("UntagResource", resourceArn=f"{ARN}job/{array}", tagKeys=["batchyard:max-parallel"])
    assert len(yard.running()) == 6


def test_a_limited_array_that_is_terminated_ends(yard: Yard) -> None:
    array = limited(yard, 1, size=3)
    yard.ask("TerminateJob", jobId=array, reason="enough")
    assert yard.end_of(array)[0] == "FAILED"


# ---------------------------------------------------------------------------------------------------------------- after


def waiting(yard: Yard, when: str, *jobs: str, **more: Any) -> str:
    return yard.submit(after=[{"jobId": job} for job in jobs], tags={"batchyard:after": when}, **more)


@pytest.mark.parametrize("exit_code", [0, 1])
def test_after_any_runs_whatever_became_of_what_it_waits_for(yard: Yard, exit_code: int) -> None:
    first, second = yard.submit(), yard.submit()
    cleanup = waiting(yard, "any", first, second)
    yard.finish(first, exit_code=exit_code)
    assert yard.describe(cleanup)["status"] == "PENDING"
    yard.restart()
    yard.finish(second, exit_code=1)
    assert yard.running() == [cleanup]


def test_after_failure_waits_for_all_and_runs_if_one_failed(yard: Yard) -> None:
    first, second = yard.submit(), yard.submit()
    rescue = waiting(yard, "failure", first, second)
    yard.finish(first, exit_code=1)
    assert yard.describe(rescue)["status"] == "PENDING"
    yard.finish(second)
    assert yard.running() == [rescue]


def test_after_failure_never_runs_if_all_succeeded(yard: Yard) -> None:
    first = yard.submit()
    rescue, array = waiting(yard, "failure", first), waiting(yard, "failure", first, size=2)
    behind = yard.submit(after=[{"jobId": rescue}])
    yard.finish(first)
    assert yard.end_of(rescue) == ("FAILED", reasons.NO_DEPENDENT_JOB_FAILED, 0)
    assert yard.end_of(array) == ("FAILED", reasons.NO_DEPENDENT_JOB_FAILED, 0)
    assert yard.end_of(f"{array}:1") == ("FAILED", reasons.NO_DEPENDENT_JOB_FAILED, 0)
    assert yard.end_of(behind) == ("FAILED", reasons.DEPENDENT_JOB_FAILED, 0)


def test_what_has_ended_already_counts(yard: Yard) -> None:
    good, bad = yard.submit(), yard.submit()
    yard.finish(good)
    yard.finish(bad, exit_code=1)
    rescue, either = waiting(yard, "failure", good, bad), waiting(yard, "any", bad, size=2)
    assert yard.running() == [rescue, f"{either}:0", f"{either}:1"]
    assert yard.end_of(waiting(yard, "failure", good))[0] == "FAILED"


def test_after_any_of_an_array_and_of_one_child(yard: Yard) -> None:
    array = yard.submit(size=2)
    whole, one = waiting(yard, "any", array), waiting(yard, "failure", f"{array}:1")
    yard.finish(f"{array}:1", exit_code=1)
    assert yard.running() == [f"{array}:0", one]
    yard.finish(f"{array}:0")
    assert yard.running() == [one, whole]


def test_a_typed_dependency_of_the_same_job_waits_for_success(yard: Yard) -> None:
    first, array = yard.submit(), yard.submit(size=2)
    entries = [{"jobId": first}, {"jobId": array, "type": "N_TO_N"}]
    mixed = yard.submit(size=2, after=entries, tags={"batchyard:after": "any"})
    yard.finish(first, f"{array}:0", exit_code=1)
    yard.finish(f"{array}:1")
    assert yard.running() == [f"{mixed}:1"]
    assert yard.end_of(f"{mixed}:0") == ("FAILED", reasons.DEPENDENT_JOB_FAILED, 0)


def test_a_cancelled_job_fails_when_what_it_waits_for_has_ended(yard: Yard) -> None:
    first = yard.submit()
    cleanup = waiting(yard, "any", first)
    yard.ask("CancelJob", jobId=cleanup, reason="not needed")
    yard.finish(first, exit_code=1)
    assert yard.end_of(cleanup) == ("FAILED", "not needed", 0)


# ------------------------------------------------------------------------------------------------------------- backfill


def sized(vcpus: int, seconds: int | None = None, **more: Any) -> dict[str, Any]:
    needs = [{"type": "VCPU", "value": str(vcpus)}]
    timeout = {} if seconds is None else {"timeout": {"attemptDurationSeconds": seconds}}
    return {"jobQueue": "urgent", "containerOverrides": {"resourceRequirements": needs}, **timeout, **more}


def test_who_ends_in_time_passes_a_blocked_job(yard: Yard) -> None:
    yard.world.patience_ms = BEFORE_ANY_TIMEOUT
    tag(yard, "job-queue/urgent", backfill="true")
    running = yard.submit(**sized(4, 300))
    blocked = yard.submit(**sized(5, 60))
    too_long, endless = yard.submit(**sized(1, 290)), yard.submit(**sized(1))
    short = yard.submit(**sized(1, 60))
    assert yard.running() == [running, short]
    array = yard.submit(**sized(1, 60, size=5))
    assert yard.running() == [running, short, f"{array}:0"], "as much as there is room"
    assert [yard.describe(job)["status"] for job in (blocked, too_long, endless)] == ["RUNNABLE"] * 3
    yard.finish(running, short, f"{array}:0")
    assert yard.running() == [blocked, too_long]


def test_nobody_passes_where_nobody_says_when_room_comes(yard: Yard) -> None:
    yard.world.patience_ms = BEFORE_ANY_TIMEOUT
    tag(yard, "job-queue/urgent", backfill="true")
    running = yard.submit(**sized(4))
    yard.submit(**sized(5, 60))
    yard.submit(**sized(1, 60))
    assert yard.running() == [running]


def test_the_queue_says_whether_jobs_may_pass(yard: Yard) -> None:
    yard.world.patience_ms = BEFORE_ANY_TIMEOUT
    running = yard.submit(**sized(4, 300))
    yard.submit(**sized(5, 60))
    short = yard.submit(**sized(1, 60))
    assert yard.running() == [running]
    tag(yard, "job-queue/urgent", backfill="true")
    assert yard.running() == [running, short], "it counts at once"
    another = yard.submit(**sized(1, 60))
    assert yard.running() == [running, short, another]
    yard.finish(short, another)
    yard.ask("UntagResource", resourceArn=f"{ARN}job-queue/urgent", tagKeys=["batchyard:backfill"])
    yard.submit(**sized(1, 60))
    assert yard.running() == [running]


def test_time_goes_on_and_less_may_pass(yard: Yard) -> None:
    yard.world.patience_ms = BEFORE_ANY_TIMEOUT
    tag(yard, "job-queue/urgent", backfill="true")
    running = yard.submit(**sized(4, 300))
    yard.submit(**sized(5, 60))
    yard.let_pass(230)
    yard.restart()
    late = yard.ask_now("SubmitJob", jobName="j", jobDefinition="any", parameters={"program": "hangs"}, **sized(1, 60))
    assert late["jobId"] not in yard.running()
    assert yard.running() == [running]


def test_shares_are_passed_in_their_turn(yard: Yard) -> None:
    yard.world.patience_ms = BEFORE_ANY_TIMEOUT
    policy = yard.ask("CreateSchedulingPolicy", name="fair", fairsharePolicy={})["arn"]
    order = [{"order": 1, "computeEnvironment": "large"}]
    yard.ask(
        "CreateJobQueue",
        jobQueueName="fair",
        priority=1,
        computeEnvironmentOrder=order,
        schedulingPolicyArn=policy,
        tags={"batchyard:backfill": "true"},
    )
    fair = {"jobQueue": "fair", "shareIdentifier": "a"}
    running = yard.submit(**sized(4, 300) | fair)
    yard.submit(**sized(5, 60) | fair | {"shareIdentifier": "b"})
    behind = yard.submit(**sized(1, 60) | fair | {"shareIdentifier": "b"})
    other = yard.submit(**sized(1, 60) | fair)
    assert yard.running() == [running, behind, other]


# ------------------------------------------------------------------------------------------------------------- defaults


def test_a_queue_gives_what_a_job_does_not_name(yard: Yard) -> None:
    yard.world.patience_ms = BEFORE_ANY_TIMEOUT
    tag(yard, "job-queue/urgent", default_timeout_seconds="90", default_attempts="2")
    plain = yard.submit(jobQueue="urgent")
    own = yard.submit(jobQueue="urgent", timeout={"attemptDurationSeconds": 70}, retryStrategy={"attempts": 1})
    found = yard.describe(plain)
    assert found["timeout"] == {"attemptDurationSeconds": 90}
    assert found["retryStrategy"] == {"attempts": 2, "evaluateOnExit": []}
    assert yard.describe(own)["timeout"] == {"attemptDurationSeconds": 70}
    yard.finish(plain, own, exit_code=1)
    assert yard.running() == [plain]
    yard.ask("UntagResource", resourceArn=f"{ARN}job-queue/urgent", tagKeys=["batchyard:default-attempts"])
    assert "retryStrategy" not in yard.describe(yard.submit(jobQueue="urgent"))
    yard.let_pass(91)
    yard.settle()
    assert yard.end_of(plain) == ("FAILED", reasons.TIMED_OUT, 2)


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("tags", "more", "text"),
    [
        (
            {"batchyard:max-paralel": "2"},
            {"size": 2},
            "Tag batchyard:max-paralel is none that Batchyard knows here: those of a job are batchyard:after, "
            "batchyard:max-parallel, batchyard:retry-of.",
        ),
        ({"Batchyard:after": "any"}, {}, "Tag Batchyard:after is none that"),
        ({"batchyard:backfill": "true"}, {}, "Tag batchyard:backfill is none that"),
        ({"batchyard:max-parallel": "0"}, {"size": 2}, "must be an integer from 1 to 2147483647, not '0'."),
        ({"batchyard:max-parallel": "2"}, {}, "Tag batchyard:max-parallel needs an array job."),
        ({"batchyard:after": "any"}, {}, "Tag batchyard:after needs an entry of dependsOn without a type."),
        ({"batchyard:after": "always"}, {}, "Tag batchyard:after must be success, any or failure, not 'always'."),
    ],
)
def test_what_means_nothing_is_refused(yard: Yard, tags: dict[str, str], more: dict[str, Any], text: str) -> None:
    with pytest.raises(Refusal) as caught:
        yard.submit(tags=tags, **more)
    assert text in caught.value.text


@pytest.mark.parametrize(
    ("key", "value"),
    [("backfill", "yes"), ("default_attempts", "11"), ("default_timeout_seconds", "59"), ("max_parallel", "1")],
)
def test_queues_refuse_what_means_nothing(yard: Yard, key: str, value: str) -> None:
    with pytest.raises(Refusal):
        tag(yard, "job-queue/urgent", **{key: value})
    assert yard.read("DescribeJobQueues", jobQueues=["urgent"])["jobQueues"][0]["tags"] == {}


def test_when_a_job_runs_is_not_changed_later(yard: Yard) -> None:
    cleanup = waiting(yard, "any", yard.submit())
    with pytest.raises(Refusal, match="counts when a job is submitted"):
        tag(yard, f"job/{cleanup}", after="failure")
    with pytest.raises(Refusal, match="counts when a job is submitted"):
        yard.ask("UntagResource", resourceArn=f"{ARN}job/{cleanup}", tagKeys=["batchyard:after"])
    assert yard.describe(cleanup)["tags"] == {"batchyard:after": "any"}
