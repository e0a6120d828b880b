"""Forgetting what ended long ago, with a clock that only the test moves, and servers that die in the middle."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from batchyard.core.ids import AttemptId
from batchyard.core.refusals import Refusal
from batchyard.engine import retention
from batchyard.engine.retention import Retention
from tests.engine.yard import Yard, job_request
from tests.simulation.faults import Crash

DAY = 24 * 60 * 60
KEEP_DAYS = 10
_OF_JOBS = (
    "jobs", "job_requests", "array_children", "attempts", "history", "dependencies", "consumable_needs", "blocked_jobs",
    "retired_jobs", "retired_logs", "attempt_containers",
)  # fmt: skip


class LogFolder:
    """Which attempts have files."""

    def __init__(self) -> None:
        self.removed: list[AttemptId] = []
        self.fails = False

    def remove(self, attempt_ids: Sequence[AttemptId]) -> None:
        if self.fails:
            raise OSError("no such luck")
        self.removed += attempt_ids


@pytest.fixture
def logs() -> LogFolder:
    return LogFolder()


@pytest.fixture
def yard(tmp_path: Path, logs: LogFolder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """Keeps jobs for ten days, and takes away a few rows at a time."""
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(retention, "JOBS_AT_ONCE", 3)
    made = Yard(tmp_path)
    made.world.retention = lambda: Retention(KEEP_DAYS * DAY * 1000, logs.remove)
    made.world.patience_ms = 500_000
    made.restart()
    yield made
    made.close()


def left(yard: Yard) -> dict[str, int]:
    """How many rows there are of what belongs to jobs."""
    with yard.world.database.read() as tx:
        counts = {name: tx.statements.run(f"SELECT count(*) FROM {name}").scalar_one() for name in _OF_JOBS}
        counts["tags"] = tx.statements.run("SELECT count(*) FROM tags WHERE resource LIKE 'job/%'").scalar_one()
    return {name: count for name, count in counts.items() if count}


def dangling(yard: Yard) -> list[str]:
    """Rows that belong to no job that is known or being forgotten, by table."""
    known = "SELECT seq FROM jobs UNION SELECT job_seq FROM retired_jobs"
    with yard.world.database.read() as tx:
        return [
            name
            for name in ("array_children", "attempts", "history", "dependencies", "consumable_needs")
            if tx.statements.run(f"SELECT 1 FROM {name} WHERE job_seq NOT IN ({known}) LIMIT 1").first()
        ]


def some_jobs(yard: Yard) -> list[str]:
    """An array with a retry, a chain, one that was never placed, and one with tags and a consumable resource."""
    array = yard.submit(size=12, retryStrategy={"attempts": 2})
    yard.finish(f"{array}:0", exit_code=1)
    yard.finish_all()
    permits = {"consumableResourceList": [{"consumableResource": "permits", "quantity": 1}]}
    single = yard.submit(tags={"a": "b"}, consumableResourcePropertiesOverride=permits)
    after = yard.submit(after=[{"jobId": single}, {"jobId": array}])
    yard.finish_all()
    wanted = [{"type": "VCPU", "value": "8"}, {"type": "MEMORY", "value": "100"}]
    misfit = yard.submit(containerOverrides={"resourceRequirements": wanted})
    yard.ask("TerminateJob", jobId=misfit, reason="enough")
    return [array, single, after, misfit]


def pass_days(yard: Yard, days: float) -> None:
    """Time passes, and then everybody has all the time they need."""
    yard.let_pass(days * DAY)
    for _ in range(60):
        yard.let_pass(1)


def found(yard: Yard, *names: str) -> list[str]:
    return [detail["jobId"] for detail in yard.read("DescribeJobs", jobs=list(names))["jobs"]]


def test_jobs_are_forgotten_with_all_that_hangs_on_them(yard: Yard, logs: LogFolder) -> None:
    jobs = some_jobs(yard)
    ran = {attempt.attempt_id for made in yard.world.records.attempts.values() for attempt in made}
    pass_days(yard, KEEP_DAYS - 0.1)
    assert found(yard, *jobs) == jobs
    pass_days(yard, 0.2)
    assert found(yard, *jobs, f"{jobs[0]}:3") == []
    assert left(yard) == {}
    assert sorted(logs.removed) == sorted(ran)
    with pytest.raises(Refusal):
        yard.submit(after=[{"jobId": jobs[0]}])
    assert yard.ask_now("TerminateJob", jobId=jobs[0], reason="again") == {}


def test_numbers_are_never_given_again(yard: Yard) -> None:
    last = max(yard.world.key(name).seq for name in some_jobs(yard))  # type: ignore[union-attr]
    pass_days(yard, KEEP_DAYS + 1)
    assert left(yard) == {}
    yard.restart()
    key = yard.world.key(yard.submit())
    assert key is not None
    assert key.seq == last + 1


def test_what_has_not_ended_and_what_it_needs_stays(yard: Yard) -> None:
    first = yard.submit()
    yard.finish(first)
    running = yard.submit()
    waiting = yard.submit(after=[{"jobId": first}, {"jobId": running}])
    gone = yard.submit()
    yard.finish(gone)
    pass_days(yard, 2 * KEEP_DAYS)
    assert found(yard, first, running, waiting, gone) == [first, running, waiting]
    yard.finish(running)
    yard.finish(waiting)
    pass_days(yard, KEEP_DAYS - 0.1)
    assert found(yard, running, waiting) == [running, waiting]
    pass_days(yard, 1)
    assert left(yard) == {}


def test_a_young_job_behind_an_old_one_stays(yard: Yard) -> None:
    old = yard.submit()
    yard.finish(old)
    pass_days(yard, 5)
    young = yard.submit()
    yard.finish(young)
    pass_days(yard, 6)
    assert found(yard, old, young) == [young]
    pass_days(yard, 5)
    assert found(yard, old, young) == []


def test_files_that_cannot_be_removed_are_tried_again(yard: Yard, logs: LogFolder) -> None:
    some_jobs(yard)
    logs.fails = True
    pass_days(yard, KEEP_DAYS + 1)
    assert set(left(yard)) == {"retired_logs"}
    logs.fails = False
    pass_days(yard, 1)
    assert left(yard) == {}
    assert logs.removed


def test_a_server_that_dies_in_the_middle_forgets_nothing_half(yard: Yard, logs: LogFolder) -> None:
    jobs = some_jobs(yard)
    ran = {attempt.attempt_id for made in yard.world.records.attempts.values() for attempt in made}
    assert yard.world.server is not None
    yard.world.kill_server("for the test")
    yard.world.clock.advance_to(yard.world.clock.now() + (KEEP_DAYS + 1) * DAY * 1000)
    deaths = 0
    while left(yard):
        assert deaths < 100, "it never comes to an end"
        if _lives_for(yard, 3 + deaths % 4):
            deaths += 1
        assert dangling(yard) == []
        shown = found(yard, *jobs) if yard.world.server else []
        assert all(yard.world.server.read("DescribeJobs", {"jobs": [name]}) for name in shown)  # type: ignore[union-attr]
    assert deaths > 5
    assert set(logs.removed) == ran


def _lives_for(yard: Yard, commits: int) -> bool:
    """A server starts and is killed at its next commits; whether it was."""
    world, left_to_live = yard.world, commits

    def may_crash(where: str) -> None:
        nonlocal left_to_live
        if where in ("before the commit", "after the commit, before the answers"):
            left_to_live -= 1
            if left_to_live == 0:
                raise Crash(where)

    original: Any = world.faults.may_crash
    world.faults.may_crash = may_crash  # type: ignore[method-assign]
    try:
        world.start_server()
        for _ in range(50):
            yard.let_pass(1)
    except Crash as crash:
        world.kill_server(str(crash))
        return True
    finally:
        world.faults.may_crash = original  # type: ignore[method-assign]
    return False


def test_nothing_is_forgotten_unless_asked_for(tmp_path: Path) -> None:
    yard = Yard(tmp_path)
    jobs = some_jobs(yard)
    pass_days(yard, 4000)
    assert found(yard, *jobs) == jobs
    assert yard.world.server is not None
    assert yard.world.server.due_at is None, "the loop sleeps"
    yard.close()


def test_requests_are_refused_as_for_unknown_jobs(yard: Yard) -> None:
    job = yard.submit()
    yard.finish(job)
    pass_days(yard, KEEP_DAYS + 1)
    with pytest.raises(Refusal) as caught:
        yard.ask_now("SubmitJob", **job_request(after=[{"jobId": job}]))
    unknown = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(Refusal) as known:
        yard.ask_now("SubmitJob", **job_request(after=[{"jobId": unknown}]))
    assert caught.value.text.replace(job, unknown) == known.value.text


def test_all_containers_of_an_attempt_are_forgotten_with_their_files(yard: Yard, logs: LogFolder) -> None:
    job = yard.submit(jobDefinition="nodes", parameters={"program": "hangs", "beside": "hangs"})
    yard.finish(job)
    with yard.world.database.read() as tx:
        files = {row[0] for row in tx.statements.run("SELECT log_id FROM attempt_containers")}
    assert len(files) == 3
    yard.let_pass((KEEP_DAYS + 1) * DAY)
    yard.settle()
    assert left(yard) == {}
    assert set(logs.removed) == files
