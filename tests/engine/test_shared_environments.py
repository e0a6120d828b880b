"""Queues that share compute environments, their order, what overflows, and what drains."""

from collections import Counter

from tests.engine.yard import Yard


def held(yard: Yard) -> Counter[str]:
    """How many attempts each compute environment holds."""
    attempts = (attempt for made in yard.world.records.attempts.values() for attempt in made)
    return Counter(attempt.compute_environment for attempt in attempts if attempt.stopped_at is None)


def change(yard: Yard, name: str, **members: object) -> None:
    yard.ask("UpdateComputeEnvironment", computeEnvironment=name, **members)


def test_the_first_is_filled_and_the_rest_overflows(yard: Yard) -> None:
    yard.submit(size=9)
    assert held(yard) == {"small": 2, "large": 4}, "the machine has six vCPUs"
    yard.finish_all()
    yard.submit(size=9, jobQueue="normal")
    assert held(yard) == {"large": 6}


def test_max_vcpus_counts_at_once_and_min_vcpus_holds_nothing(yard: Yard) -> None:
    change(yard, "large", computeResources={"minvCpus": 3, "maxvCpus": 3})
    assert held(yard) == {}
    array = yard.submit(size=9)
    assert held(yard) == {"small": 2, "large": 3}
    change(yard, "large", computeResources={"minvCpus": 0, "maxvCpus": 1})
    assert held(yard) == {"small": 2, "large": 3}, "what runs goes on"
    yard.finish(f"{array}:2", f"{array}:3")
    assert held(yard) == {"small": 2, "large": 1}


def test_a_disabled_environment_drains_and_the_next_is_used(yard: Yard) -> None:
    array = yard.submit(size=2)
    assert held(yard) == {"small": 2}
    change(yard, "small", state="DISABLED")
    later = yard.submit(size=2)
    assert held(yard) == {"small": 2, "large": 2}
    yard.finish(f"{array}:0", f"{array}:1")
    assert yard.end_of(array)[0] == "SUCCEEDED"
    assert held(yard) == {"large": 2}
    yard.finish_all()
    assert yard.end_of(later)[0] == "SUCCEEDED"


def test_what_queues_share_goes_to_the_higher_priority(yard: Yard) -> None:
    filler = yard.submit(size=6, jobQueue="normal")
    low = yard.submit(size=3, jobQueue="normal")
    high = yard.submit(size=2)
    yard.finish(*[f"{filler}:{index}" for index in range(3)])
    running = [name.partition(":")[0] for name in yard.running()]
    assert (running.count(high), running.count(low)) == (2, 1)
