"""Queues with a fair-share policy: whose job is next, what counts, and what the snapshot says."""

from typing import Any

import pytest

from batchyard.core import quotas
from batchyard.core.refusals import Refusal
from tests.engine.yard import Yard


def make_queue(yard: Yard, name: str = "fair", environment: str = "large", priority: int = 1, **policy: Any) -> str:
    """A queue of its own with a policy; returns the policy's ARN."""
    arn: str = yard.ask("CreateSchedulingPolicy", name=name, fairsharePolicy=policy)["arn"]
    order = [{"order": 1, "computeEnvironment": environment}]
    yard.ask(
        "CreateJobQueue",
        jobQueueName=name,
        priority=priority,
        computeEnvironmentOrder=order,
        schedulingPolicyArn=arn,
    )
    return arn


def weight(share: str, factor: float) -> dict[str, Any]:
    return {"shareIdentifier": share, "weightFactor": factor}


def submit(yard: Yard, share: str, queue: str = "fair", **more: Any) -> str:
    return yard.submit(jobQueue=queue, shareIdentifier=share, **more)


def running_of(yard: Yard, *jobs: str) -> list[int]:
    """How many children of each of these jobs run."""
    names = yard.running()
    return [sum(name.partition(":")[0] == job for name in names) for job in jobs]


def front(yard: Yard, queue: str = "fair") -> list[str]:
    assert yard.world.server is not None
    found = yard.world.server.read("GetJobQueueSnapshot", {"jobQueue": queue})
    return [job["jobArn"].partition("job/")[2] for job in found["frontOfQueue"]["jobs"]]


def pass_time(yard: Yard, seconds: float) -> None:
    clock = yard.world.clock
    clock.advance_to(clock.now() + int(seconds * 1000))


def test_free_room_is_divided_by_the_weights(yard: Yard) -> None:
    make_queue(yard, shareDistribution=[weight("b*", 0.5)])
    yard.submit(size=6)
    a, b = submit(yard, "a", size=20), submit(yard, "b1", size=20)
    yard.finish(*yard.running())
    assert running_of(yard, a, b) == [2, 4]


def test_who_has_used_less_is_next_however_late_it_came(yard: Yard) -> None:
    make_queue(yard)
    a = submit(yard, "a", size=20)
    pass_time(yard, 60)
    b = submit(yard, "b", size=20)
    assert running_of(yard, a, b) == [6, 0]
    for _ in range(4):
        yard.finish(f"{a}:{running_of(yard, a)[0] and yard.running()[0].partition(':')[2]}")
    assert running_of(yard, a, b) == [2, 4]


def test_within_a_share_the_higher_priority_goes_first_and_then_who_came_first(yard: Yard) -> None:
    make_queue(yard)
    busy = yard.submit(size=6)
    low = [submit(yard, "a", schedulingPriorityOverride=1) for _ in range(2)]
    high = [submit(yard, "a", schedulingPriorityOverride=9) for _ in range(2)]
    none = submit(yard, "a")
    assert front(yard) == [*high, *low, none]
    started = []
    for index in range(5):
        yard.finish(f"{busy}:{index}")
        started += [name for name in yard.running() if name in front(yard) or name in (*low, *high, none)]
    assert list(dict.fromkeys(started)) == [*high, *low, none]


def test_what_was_used_survives_a_restart_and_fades(yard: Yard) -> None:
    make_queue(yard, shareDecaySeconds=100)
    a = submit(yard, "a", size=6)
    pass_time(yard, 50)
    yard.finish(*[f"{a}:{index}" for index in range(6)])
    before = usage(yard)
    assert before["a"] == pytest.approx(6 * 50 * (1 - 2.718281828**-1), rel=0.05)
    yard.world.kill_server("between two turns")
    yard.settle()
    assert usage(yard) == before
    busy = yard.submit(size=6)
    later, first = submit(yard, "b", size=9), submit(yard, "a", size=9)
    yard.finish(f"{busy}:0")
    assert running_of(yard, later, first) == [1, 0]


def usage(yard: Yard, queue: str = "fair") -> dict[str, float]:
    with yard.world.database.read() as tx:
        found = tx.job_queues.get(queue)
        assert found is not None
        return {share: used.vcpu_seconds for share, used in tx.shares.usages(found.id).items()}


def test_a_policy_that_changes_while_jobs_wait_counts_at_once(yard: Yard) -> None:
    arn = make_queue(yard)
    yard.submit(size=6)
    a, b = submit(yard, "a", size=20), submit(yard, "b", size=20)
    policy = {"shareDistribution": [weight("a", 0.5)]}
    yard.ask("UpdateSchedulingPolicy", arn=arn, fairsharePolicy=policy)
    yard.finish(*yard.running())
    assert running_of(yard, a, b) == [4, 2]


def test_the_reservation_is_kept_for_who_comes(yard: Yard) -> None:
    make_queue(yard, computeReservation=50)
    a = submit(yard, "a", size=20)
    assert running_of(yard, a) == [3]
    b = submit(yard, "b", size=20)
    assert running_of(yard, a, b) == [3, 1], "a quarter of six is kept for the next"
    c = submit(yard, "c", size=20)
    assert running_of(yard, a, b, c) == [3, 1, 1]


def test_consumable_resources_and_misfits_do_not_stop_a_share(yard: Yard) -> None:
    make_queue(yard)
    yard.ask("CreateConsumableResource", consumableResourceName="licence", totalQuantity=1)
    entries = [{"consumableResource": "licence", "quantity": 1}]
    needing = {"consumableResourcePropertiesOverride": {"consumableResourceList": entries}}
    holder, waiting = submit(yard, "a", **needing), submit(yard, "a", **needing)
    requirements = [{"type": "VCPU", "value": "8"}, {"type": "MEMORY", "value": "100"}]
    misfit = submit(yard, "a", containerOverrides={"resourceRequirements": requirements})
    plain = submit(yard, "a")
    assert yard.running() == [holder, plain]
    assert front(yard) == [waiting, misfit]
    yard.finish(holder)
    assert yard.running() == [plain, waiting]


def test_the_front_takes_turns(yard: Yard) -> None:
    make_queue(yard, shareDistribution=[weight("b", 0.5)])
    yard.submit(size=6)
    a, b = submit(yard, "a", size=2), submit(yard, "b", size=3)
    c = submit(yard, "c")
    assert front(yard) == [f"{a}:0", f"{b}:0", c, f"{b}:1", f"{a}:1", f"{b}:2"]


def test_the_higher_queue_goes_before_the_fairest_share(yard: Yard) -> None:
    make_queue(yard, priority=1)
    yard.submit(size=6)
    fair, urgent = submit(yard, "a", size=6), yard.submit(size=3)
    yard.finish(*yard.running()[:3])
    assert running_of(yard, fair, urgent) == [0, 3]


def test_a_deleted_queue_leaves_no_usage(yard: Yard) -> None:
    make_queue(yard)
    job = submit(yard, "a")
    pass_time(yard, 10)
    yard.finish(job)
    yard.ask("UpdateJobQueue", jobQueue="fair", state="DISABLED")
    yard.ask("DeleteJobQueue", jobQueue="fair")
    with yard.world.database.read() as tx:
        assert tx.statements.run("SELECT count(*) FROM share_usage").scalar_one() == 0


def test_at_most_so_many_active_shares(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "ACTIVE_SHARES_PER_QUEUE", 2)
    make_queue(yard)
    first = submit(yard, "a")
    submit(yard, "b")
    with pytest.raises(Refusal, match="maximum of 2 active share identifiers"):
        submit(yard, "c")
    pass_time(yard, 1)
    yard.finish(first)
    with pytest.raises(Refusal, match="active share identifiers"):
        submit(yard, "c")
    submit(yard, "a")
    yard.finish(*yard.running())
    pass_time(yard, 601)
    submit(yard, "c")
