"""GetJobQueueSnapshot shows what is placed next, in that order."""

from collections.abc import Mapping
from typing import Any

import pytest

from batchyard.core.refusals import Refusal
from tests.engine.yard import Yard


def snapshot(yard: Yard, queue: str = "urgent") -> Mapping[str, Any]:
    assert yard.world.server is not None
    found: Mapping[str, Any] = yard.world.server.read("GetJobQueueSnapshot", {"jobQueue": queue})
    return found


def front(yard: Yard, queue: str = "urgent") -> list[str]:
    return [job["jobArn"].partition("job/")[2] for job in snapshot(yard, queue)["frontOfQueue"]["jobs"]]


def test_the_front_is_what_runs_next(yard: Yard) -> None:
    running = [yard.submit(), yard.submit(size=5, retryStrategy={"attempts": 2})]
    first = yard.submit()
    array = yard.submit(size=3)
    late = yard.submit()
    yard.submit(after=[{"jobId": first}])
    assert front(yard) == [first, f"{array}:0", f"{array}:1", f"{array}:2", late]
    yard.finish(f"{running[1]}:3", exit_code=1)
    assert f"{running[1]}:3" in yard.running(), "what runs again comes before what was submitted later"
    order = front(yard)
    seen = []
    while waiting := front(yard):
        yard.finish(yard.running()[0])
        seen += [name for name in waiting if name in yard.running()]
    assert seen == order


def test_children_that_run_again_come_first(yard: Yard) -> None:
    array = yard.submit(size=9, retryStrategy={"attempts": 2})
    yard.ask("UpdateComputeEnvironment", computeEnvironment="small", state="DISABLED")
    yard.ask("UpdateComputeEnvironment", computeEnvironment="large", state="DISABLED")
    yard.finish(f"{array}:4", exit_code=1)
    assert front(yard) == [f"{array}:{index}" for index in (4, 6, 7, 8)]


def test_a_hundred_at_most_and_since_when(yard: Yard) -> None:
    yard.submit(size=6)
    array = yard.submit(size=90)
    yard.submit(size=90)
    jobs = snapshot(yard)["frontOfQueue"]["jobs"]
    assert len(jobs) == 100
    runnable = yard.describe(f"{array}:0")["createdAt"]
    assert jobs[0]["earliestTimeAtPosition"] == runnable
    assert snapshot(yard)["frontOfQueue"]["lastUpdatedAt"] >= runnable


def test_what_cannot_fit_comes_last(yard: Yard) -> None:
    yard.submit(size=6)
    requirements = [{"type": "VCPU", "value": "8"}, {"type": "MEMORY", "value": "100"}]
    misfit = yard.submit(containerOverrides={"resourceRequirements": requirements})
    waiting = yard.submit()
    assert front(yard) == [waiting, misfit]


def test_what_the_queue_holds(yard: Yard) -> None:
    yard.submit(size=2)
    yard.submit(jobQueue="normal")
    assert snapshot(yard)["queueUtilization"]["totalCapacityUsage"] == [{"capacityUnit": "VCPU", "quantity": 2}]
    assert "fairshareUtilization" not in snapshot(yard)["queueUtilization"]
    assert front(yard, "narrow") == []


def test_what_the_shares_hold(yard: Yard) -> None:
    arn = yard.ask("CreateSchedulingPolicy", name="fair")["arn"]
    order = [{"order": 1, "computeEnvironment": "large"}]
    yard.ask("CreateJobQueue", jobQueueName="f", priority=1, computeEnvironmentOrder=order, schedulingPolicyArn=arn)
    yard.submit(jobQueue="f", shareIdentifier="a")
    yard.submit(jobQueue="f", shareIdentifier="b", size=2)
    assert snapshot(yard, "f")["queueUtilization"]["fairshareUtilization"] == {
        "activeShareCount": 2,
        "topCapacityUtilization": [
            {"shareIdentifier": "b", "capacityUsage": [{"capacityUnit": "VCPU", "quantity": 2}]},
            {"shareIdentifier": "a", "capacityUsage": [{"capacityUnit": "VCPU", "quantity": 1}]},
        ],
    }


def test_an_unknown_queue(yard: Yard) -> None:
    with pytest.raises(Refusal, match="JobQueue nothing not found"):
        snapshot(yard, "nothing")
