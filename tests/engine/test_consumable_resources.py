"""Consumable resources are taken at STARTING, given back at the end, and never oversold."""

from typing import Any

import pytest

from batchyard.core import reasons
from batchyard.core.refusals import Refusal
from tests.engine.yard import Yard, job_request


def make(yard: Yard, total: int, name: str = "licence", **members: Any) -> None:
    yard.ask("CreateConsumableResource", consumableResourceName=name, totalQuantity=total, **members)


def update(yard: Yard, operation: str, quantity: int, name: str = "licence") -> None:
    yard.ask("UpdateConsumableResource", consumableResource=name, operation=operation, quantity=quantity)


def needing(quantity: int, name: str = "licence") -> dict[str, Any]:
    entries = [{"consumableResource": name, "quantity": quantity}]
    return {"consumableResourcePropertiesOverride": {"consumableResourceList": entries}}


def quantities(yard: Yard, name: str = "licence") -> tuple[int, int, int]:
    """Total, in use, available."""
    assert yard.world.server is not None
    found = yard.world.server.read("DescribeConsumableResource", {"consumableResource": name})
    return found["totalQuantity"], found["inUseQuantity"], found["availableQuantity"]


def test_jobs_wait_until_enough_is_given_back(yard: Yard) -> None:
    make(yard, 3)
    first, second = yard.submit(**needing(2)), yard.submit(**needing(2))
    assert yard.running() == [first]
    assert quantities(yard) == (3, 2, 1)
    assert yard.describe(second)["status"] == "RUNNABLE"
    yard.finish(first)
    assert yard.running() == [second]
    yard.finish(second)
    assert quantities(yard) == (3, 0, 3)


def test_children_need_it_each(yard: Yard) -> None:
    make(yard, 2)
    array = yard.submit(size=5, **needing(1))
    assert yard.running() == [f"{array}:0", f"{array}:1"]
    yard.finish(f"{array}:0")
    assert yard.running() == [f"{array}:1", f"{array}:2"]
    yard.finish_all()
    assert yard.end_of(array)[0] == "SUCCEEDED"
    assert quantities(yard) == (2, 0, 2)


def test_attempts_take_it_anew_and_failures_give_it_back(yard: Yard) -> None:
    make(yard, 1)
    again = yard.submit(retryStrategy={"attempts": 2}, **needing(1))
    yard.finish(again, exit_code=1)
    assert yard.running() == [again]
    assert quantities(yard) == (1, 1, 0)
    yard.finish(again, exit_code=1)
    assert yard.end_of(again)[::2] == ("FAILED", 2)
    assert quantities(yard) == (1, 0, 1)


def test_who_waits_for_a_resource_holds_back_only_those_that_need_it_too(yard: Yard) -> None:
    make(yard, 3)
    make(yard, 1, "tape")
    holder = yard.submit(**needing(2))
    large = yard.submit(**needing(3))
    small = yard.submit(**needing(1))
    plain = yard.submit()
    tape = yard.submit(jobQueue="normal", **needing(1, "tape"))
    assert yard.running() == [holder, plain, tape], "the one licence that is left is kept for the job that came first"
    yard.finish(holder)
    assert yard.running() == [plain, tape, large]
    yard.finish(large)
    assert yard.running() == [plain, tape, small]


def test_what_is_used_up_stays_used_up(yard: Yard) -> None:
    make(yard, 3, resourceType="NON_REPLENISHABLE")
    first, second = yard.submit(retryStrategy={"attempts": 2}, **needing(1)), yard.submit(**needing(1))
    assert quantities(yard) == (1, 0, 1)
    yard.finish(second)
    assert quantities(yard) == (1, 0, 1)
    yard.finish(first, exit_code=1)
    assert quantities(yard) == (0, 0, 0), "the second attempt took one too"
    waiting = yard.submit(size=2, **needing(1))
    yard.finish(first)
    assert yard.running() == []
    assert yard.describe(waiting)["statusReason"] == reasons.CONSUMABLE_RESOURCE
    update(yard, "ADD", 2)
    assert yard.running() == [f"{waiting}:0", f"{waiting}:1"]
    assert "statusReason" not in yard.describe(waiting)


def test_more_than_there_is_waits_for_more_and_holds_back_nobody(yard: Yard) -> None:
    make(yard, 1)
    greedy, modest = yard.submit(**needing(2)), yard.submit(**needing(1))
    assert yard.running() == [modest]
    assert yard.describe(greedy)["statusReason"] == reasons.CONSUMABLE_RESOURCE
    update(yard, "SET", 3)
    assert yard.running() == [modest, greedy]


def test_a_total_below_what_is_in_use_lets_nothing_start(yard: Yard) -> None:
    make(yard, 2)
    running, waiting = yard.submit(**needing(2)), yard.submit(**needing(1))
    update(yard, "SET", 1)
    assert quantities(yard) == (1, 2, 0)
    yard.finish(running)
    assert yard.running() == [waiting]


def test_deleted_while_jobs_wait_for_it(yard: Yard) -> None:
    make(yard, 1)
    running, waiting = yard.submit(**needing(1)), yard.submit(**needing(1))
    with pytest.raises(Refusal, match="in use by jobs"):
        yard.ask("DeleteConsumableResource", consumableResource="licence")
    yard.ask("CancelJob", jobId=waiting, reason="r")
    yard.finish(running)
    yard.ask("DeleteConsumableResource", consumableResource="licence")
    make(yard, 1)
    late = yard.submit(**needing(1))
    assert yard.running() == [late]


def test_all_of_several_or_none(yard: Yard) -> None:
    make(yard, 1)
    make(yard, 1, "tape")
    entries = [{"consumableResource": name, "quantity": 1} for name in ("licence", "tape")]
    both = {"consumableResourcePropertiesOverride": {"consumableResourceList": entries}}
    licence = yard.submit(**needing(1))
    needs_both = yard.submit(**both)
    assert quantities(yard, "tape") == (1, 0, 1)
    yard.finish(licence)
    assert yard.running() == [needs_both]
    assert (quantities(yard), quantities(yard, "tape")) == ((1, 1, 0), (1, 1, 0))


def test_a_long_queue_for_one_resource_does_not_keep_others_from_running(yard: Yard) -> None:
    make(yard, 1)
    running = yard.submit(**needing(1))
    for _ in range(300):
        yard.world.ask("SubmitJob", job_request(**needing(1)))
    plain = yard.submit()
    assert yard.running() == [running, plain]
