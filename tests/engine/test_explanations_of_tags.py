"""Why a job waits on account of Batchyard's own tags."""

from tests.engine.test_batchyard_tags import BEFORE_ANY_TIMEOUT, limited, sized, tag, waiting
from tests.engine.test_explanations import order, why
from tests.engine.yard import Yard


def test_as_many_children_run_as_the_tag_allows(yard: Yard) -> None:
    array = limited(yard, 2, size=5)
    found = why(yard, f"{array}:4")
    assert found["cause"] == "MAX_PARALLEL"
    assert found["sentence"] == (
        "As many children of its array as batchyard:max-parallel allows are at work now: 2 of 2."
    )
    assert found["facts"]["maxParallel"] == {"limit": 2, "atWork": 2}
    assert found["facts"]["position"]["childrenAhead"] == 2
    assert "Of child 2: As many children" in why(yard, array)["sentence"]
    tag(yard, f"job/{array}", max_parallel="1")
    assert "are at work now: 2, and it allows 1." in why(yard, array)["sentence"]
    tag(yard, f"job/{array}", max_parallel="5")
    assert why(yard, array)["cause"] == "CHILDREN"


def test_a_limit_is_the_cause_only_while_it_is_reached(yard: Yard) -> None:
    yard.submit(**sized(6))
    array = limited(yard, 2, size=5)
    assert why(yard, array)["cause"] == "MACHINE_FULL"
    closed = limited(yard, 1, size=2, jobQueue="narrow")
    yard.ask("UpdateComputeEnvironment", computeEnvironment="small", state="DISABLED")
    assert why(yard, closed)["cause"] == "COMPUTE_ENVIRONMENT_CLOSED"


def test_after_any_waits_for_an_end(yard: Yard) -> None:
    first, second = yard.submit(), yard.submit()
    found = why(yard, waiting(yard, "any", first, second))
    assert found["cause"] == "DEPENDENCY"
    assert found["sentence"] == (
        "It runs after jobs that have not ended yet (batchyard:after any): "
        f"job ({first}) is RUNNING and job ({second}) is RUNNING."
    )
    assert [each["type"] for each in found["facts"]["dependencies"]] == ["AFTER_ANY", "AFTER_ANY"]


def test_after_failure_says_whether_one_has_failed(yard: Yard) -> None:
    first, second, third = (yard.submit() for _ in range(3))
    rescue = waiting(yard, "failure", first, second, third)
    yard.finish(first)
    assert "of which none has failed yet (batchyard:after failure): job (" in why(yard, rescue)["sentence"]
    yard.finish(second, exit_code=1)
    found = why(yard, rescue)
    assert found["sentence"] == (
        "It runs after a failure among jobs of which one has failed, and not all have ended yet "
        f"(batchyard:after failure): job ({third}) is RUNNING."
    )


def test_a_job_may_wait_for_ends_and_for_successes(yard: Yard) -> None:
    first, array = yard.submit(), yard.submit(size=2)
    entries = [{"jobId": first}, {"jobId": array, "type": "N_TO_N"}]
    mixed = yard.submit(size=2, after=entries, tags={"batchyard:after": "any"})
    sentence = why(yard, f"{mixed}:1")["sentence"]
    assert sentence.startswith("It depends on jobs that have not ended yet, some of which have to succeed: ")
    assert f"job ({array}:1), the child of the same index (N_TO_N), is RUNNING" in sentence
    yard.finish(first)
    assert why(yard, f"{mixed}:1")["sentence"].startswith("It depends on jobs that have not succeeded yet: ")


def test_who_does_not_pass_a_blocked_job_is_told_why(yard: Yard) -> None:
    yard.world.patience_ms = BEFORE_ANY_TIMEOUT
    running, blocked = yard.submit(**sized(4, 300)), yard.submit(**sized(5, 60))
    late, endless, large = yard.submit(**sized(1, 290)), yard.submit(**sized(1)), yard.submit(**sized(3, 60))
    assert "backfill" not in why(yard, late)["facts"]
    tag(yard, "job-queue/urgent", backfill="true")
    assert yard.running() == [running]
    found = {job: why(yard, job) for job in (late, endless, large)}
    assert {each["cause"] for each in found.values()} == {"BEHIND_IN_QUEUE"}
    assert {each["facts"]["before"]["jobId"] for each in found.values()} == {blocked}
    facts = found[late]["facts"]["backfill"]
    assert facts["timeoutSeconds"] == 290
    assert 290 < facts["roomWithinSeconds"] <= 300 < 290 + facts["graceSeconds"]
    assert "ends it within 290 s and" in found[late]["details"][-1]
    assert "timeoutSeconds" not in found[endless]["facts"]["backfill"]
    assert found[endless]["details"][-1].endswith("this job has no timeout, so it passes nobody.")
    assert "it ends in time to pass that one, and does when it fits" in found[large]["details"][-1]


def test_nobody_passes_whom_nothing_says_when_room_comes(yard: Yard) -> None:
    yard.world.patience_ms = BEFORE_ANY_TIMEOUT
    tag(yard, "job-queue/urgent", backfill="true")
    yard.submit(**sized(4))
    yard.submit(**sized(5, 60))
    found = why(yard, yard.submit(**sized(1, 60)))
    assert found["cause"] == "BEHIND_IN_QUEUE"
    assert "nobody passes that one" in found["details"][-1]
    assert "roomWithinSeconds" not in found["facts"]["backfill"]


def test_a_share_behind_a_blocked_one_is_told_of_backfill(yard: Yard) -> None:
    yard.world.patience_ms = BEFORE_ANY_TIMEOUT
    policy = yard.ask("CreateSchedulingPolicy", name="fair", fairsharePolicy={})["arn"]
    queue = {"priority": 1, "computeEnvironmentOrder": [order("large")], "schedulingPolicyArn": policy}
    yard.ask("CreateJobQueue", jobQueueName="fair", tags={"batchyard:backfill": "true"}, **queue)
    fair = {"jobQueue": "fair", "shareIdentifier": "a"}
    yard.submit(**sized(4, 300) | fair)
    yard.submit(**sized(5, 60) | fair | {"shareIdentifier": "b"})
    found = why(yard, yard.submit(**sized(1) | fair))
    assert found["cause"] == "FAIR_SHARE"
    assert found["facts"]["backfill"]["roomWithinSeconds"] <= 300
    assert any("no timeout" in detail for detail in found["details"])
