"""Each checker notices the harm it is there for. Everything here breaks something ON PURPOSE."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from batchyard.core import arrays, lifecycle
from batchyard.core import dependencies as deps
from batchyard.core.jobs import JobStatus
from batchyard.core.placement import _Planner
from batchyard.engine import intake
from batchyard.engine.apply import Changes
from batchyard.engine.tick import Surroundings
from batchyard.executors import interface as x
from batchyard.store.attempt_containers import AttemptContainers
from batchyard.store.consumable_resources import ConsumableResources
from batchyard.store.database import Database
from batchyard.store.shares import Shares
from batchyard.store.transaction import Transaction
from batchyard.supervisor.slots import Slots
from tests.simulation.link import SimulatedExecutor
from tests.simulation.simulation import simulate
from tests.simulation.supervisor import Journal, Supervisor

Patch = pytest.MonkeyPatch


def failures(seeds: int = 12, first: int = 0) -> Iterator[str]:
    """What so many seeds complain of."""
    found = (simulate(f"harm {seed}").failure for seed in range(first, first + seeds))
    return (failure for failure in found if failure)


def notices(*checkers: str, seeds: int = 12, first: int = 0) -> bool:
    """Whether a seed fails by one of these checkers."""
    return any(failure.startswith(checkers) for failure in failures(seeds, first))


def test_a_supervisor_that_forgets_what_it_accepted_runs_attempts_twice(monkeypatch: Patch) -> None:
    kill = Supervisor.kill

    def kill_and_forget(self: Supervisor) -> None:
        kill(self)
        self.journal.live.clear()

    monkeypatch.setattr(Supervisor, "kill", kill_and_forget)
    monkeypatch.setattr(Journal, "knows", lambda self, attempt_id: False)
    assert notices("launches", "one_at_a_time")


def test_a_supervisor_that_lets_orphans_live_runs_two_attempts_at_once(monkeypatch: Patch) -> None:
    monkeypatch.setattr("tests.simulation.ledger.Ledger.running", lambda self: [])
    assert notices("one_at_a_time", "exit_codes")


def test_a_supervisor_that_oversells_is_noticed(monkeypatch: Patch) -> None:
    take = Slots.take

    def take_anyway(self: Slots, launch: x.Launch) -> Any:
        self.configure(x.Capacity(1000, 1_000_000))
        return take(self, launch)

    monkeypatch.setattr(Slots, "take", take_anyway)
    # Only attempts placed ahead ever need the executor to hold them back, so this one is rare.
    assert notices("capacity", seeds=60)


def test_permits_that_are_oversold_are_noticed(monkeypatch: Patch) -> None:
    monkeypatch.setattr(_Planner, "_supply", lambda _self, _candidate, most: most)
    assert notices("consumables", seeds=12)


def test_more_children_at_once_than_may_are_noticed(monkeypatch: Patch) -> None:
    everybody = property(lambda children: children.count(JobStatus.RUNNABLE))
    monkeypatch.setattr(arrays.Children, "available", everybody)
    assert notices("parallel", seeds=20)


def test_running_after_a_failure_that_never_was_is_noticed(monkeypatch: Patch) -> None:
    monkeypatch.setattr(deps, "_is_spared", lambda _outcomes: False)
    assert notices("dependents", seeds=20)


@pytest.mark.parametrize(("forgotten", "first"), [("use_up", 0), ("return_unused", 55)])
def test_a_budget_that_is_not_kept_is_noticed(monkeypatch: Patch, forgotten: str, first: int) -> None:
    monkeypatch.setattr(ConsumableResources, forgotten, lambda _self, _seq: None)
    # Few attempts that need consumable resources are ever taken back, so the search begins near a seed with one.
    assert notices("consumables", seeds=20, first=first)


def test_usage_that_is_not_charged_is_noticed(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Shares, "write", lambda _self, _queue_id, _usages: None)
    assert notices("shares", seeds=3)


def test_a_wrong_exit_code_is_noticed(monkeypatch: Patch) -> None:
    add = Journal.add

    def lie(self: Journal, reports: Any) -> Any:
        changed = [
            x.AttemptExited(r.attempt_id, r.at, r.started_at, 7) if getattr(r, "exit_code", None) == 1 else r
            for r in reports
        ]
        return add(self, changed)

    monkeypatch.setattr(Journal, "add", lie)
    assert notices("exit_codes")


def test_a_commit_that_never_reached_the_disk_is_noticed(monkeypatch: Patch) -> None:
    count = itertools.count(1)
    write = Database.write

    @contextmanager
    def forgetful(self: Database) -> Iterator[Transaction]:
        with write(self) as tx:
            yield tx
            if next(count) % 15 == 0:
                tx.statements.run("ROLLBACK")
                tx.statements.run("BEGIN IMMEDIATE")

    monkeypatch.setattr(Database, "write", forgetful)
    assert notices("acknowledged")


def test_a_report_that_is_dropped_is_noticed(monkeypatch: Patch) -> None:
    take_in = intake.take_in

    def deaf(changes: Changes, active: Any, reports: list[x.Report], *rest: Any) -> None:
        take_in(changes, active, [r for r in reports if not r.attempt_id.startswith("7")], *rest)

    monkeypatch.setattr("batchyard.engine.tick.take_in", deaf)
    # The row still expects it, and the executor holds it no longer: it is launched again.
    assert notices("launches", "exit_codes", "outcomes", seeds=4)


def test_retrying_everything_is_noticed(monkeypatch: Patch) -> None:
    def always(strategy: Any, attempt: int, **_values: Any) -> bool:
        return strategy is not None and attempt < strategy["attempts"]

    monkeypatch.setattr(lifecycle, "is_retried", always)
    assert notices("retries")


def test_running_before_a_dependency_has_succeeded_is_noticed(monkeypatch: Patch) -> None:
    assess = deps.assess

    def hasty(edges: Any, size: int = 1) -> deps.Assessment:
        return assess([edge for edge in edges if edge.is_per_child], size)

    monkeypatch.setattr("batchyard.engine.apply.deps.assess", hasty)
    monkeypatch.setattr("batchyard.core.invariants.assess", hasty)
    assert notices("dependents")


def test_children_that_are_not_counted_are_noticed(monkeypatch: Patch) -> None:
    monkeypatch.setattr(arrays, "recount", lambda children, *_: children)
    assert notices("invariants", seeds=2)


def test_an_ending_that_changes_is_noticed(monkeypatch: Patch) -> None:
    end = lifecycle._end

    def rewrite(job: Any, at: Any, reason: str, attempt: Any) -> Any:
        if job.status is JobStatus.FAILED:
            return lifecycle.Decision(job._replace(status_reason=reason), attempt)
        return end(job, at, reason, attempt)

    monkeypatch.setattr(lifecycle, "_end", rewrite)
    monkeypatch.setattr(lifecycle, "_REQUESTS", ())
    table = dict(lifecycle.TRANSITIONS)
    for event, targets in table.items():
        if JobStatus.RUNNABLE in targets and event.__name__ == "TerminateRequested":
            table[event] = {**targets, JobStatus.FAILED: frozenset({JobStatus.FAILED})}
    monkeypatch.setattr(lifecycle, "TRANSITIONS", table)
    assert any("became" in failure for failure in failures(20))


def test_a_transition_without_a_story_is_noticed(monkeypatch: Patch) -> None:
    note = Changes._note

    def forget(self: Changes, *values: Any) -> None:
        if "AttemptExited" not in values:
            note(self, *values)

    monkeypatch.setattr(Changes, "_note", forget)
    assert notices("histories", seeds=3)


def test_an_engine_that_stops_placing_never_comes_to_an_end(monkeypatch: Patch) -> None:
    def idle(changes: Changes, active: Any, around: Surroundings) -> tuple[Any, ...]:
        return ()

    monkeypatch.setattr("batchyard.engine.tick._place", idle)
    assert notices("outcomes", "dependents", seeds=2)


def test_a_blocked_job_that_nobody_counts_is_noticed(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Changes, "blocked", lambda self, row: None)
    assert notices("blocked", seeds=3)


def test_an_order_that_is_not_given_is_noticed(monkeypatch: Patch) -> None:
    order = SimulatedExecutor.order

    def forget(self: SimulatedExecutor, orders: Any) -> None:
        order(self, [wanted for wanted in orders if not isinstance(wanted, x.Stop)])

    monkeypatch.setattr(SimulatedExecutor, "order", forget)
    assert notices("orders", seeds=4)


def test_a_container_without_a_row_is_noticed(monkeypatch: Patch) -> None:
    put = AttemptContainers.put
    monkeypatch.setattr(AttemptContainers, "put", lambda self, rows: put(self, list(rows)[:-1]))
    assert notices("containers", seeds=4)


def test_a_containers_end_that_is_not_taken_in_is_noticed(monkeypatch: Patch) -> None:
    monkeypatch.setattr("batchyard.engine.containers._told", lambda _attempt, _exits: {})
    assert notices("containers", seeds=4)


def test_containers_that_outlive_the_main_node_are_noticed(monkeypatch: Patch) -> None:
    monkeypatch.setattr("batchyard.core.tasks._ending_nodes", lambda *_values: set())
    assert any(failures(4))
