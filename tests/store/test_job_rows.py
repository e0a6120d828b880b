"""The rows of jobs, children, attempts, dependencies and history, as any database must keep them."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchyard.core import arrays
from batchyard.core.dependencies import N_TO_N, SEQUENTIAL, Edge
from batchyard.core.ids import JobId, JobSeq, Millis
from batchyard.core.intervals import Indexes
from batchyard.core.jobs import Job, JobKey, JobStatus, StopCause
from batchyard.core.placement import Room
from batchyard.store import job_lists
from batchyard.store.database import Database
from batchyard.store.history import HistoryRow
from batchyard.store.jobs import JobRow
from batchyard.store.queue_fronts import AHEAD, AHEAD_IN_SHARE
from batchyard.store.shares import LIVE_SHARES, PLACEABLE_SHARES, SHARE_HEADS
from batchyard.store.transaction import Transaction, TransactionLost
from tests.core.rows import attempt, terms

S = JobStatus
NOW = Millis(1_700_000_000_000)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database.at(tmp_path, synchronous="OFF")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def tx(database: Database) -> Iterator[Transaction]:
    with database.write() as transaction:
        definition = transaction.job_definitions.insert("work", "container", NOW, {})
        assert definition.id == 1
        yield transaction


def row(number: int, status: JobStatus = S.SUBMITTED, **fields: Any) -> JobRow:
    """A submission, before it has a number."""
    defaults: dict[str, Any] = {
        "job": Job(JobKey(JobSeq(0)), status, Millis(NOW + number)),
        "job_id": JobId(f"id-{number}"),
        "job_name": f"job-{number}",
        "queue_id": 1,
        "definition_id": 1,
        "need": Room(0.25, 100, 1),
    }
    return JobRow(**(defaults | fields))


def add(tx: Transaction, number: int, status: JobStatus = S.SUBMITTED, **fields: Any) -> JobRow:
    """Record it, numbered."""
    made = row(number, status, **fields)
    made = made._replace(job=made.job._replace(key=JobKey(tx.jobs.next_seq())))
    tx.jobs.insert(made, terms(job_id=f"id-{number}"))
    return made


# ----------------------------------------------------------------------------------------------------------------- jobs


def test_a_job_is_found_as_it_was_recorded(tx: Transaction) -> None:
    first = add(tx, 1, share_identifier="a", scheduling_priority=3)
    second = add(tx, 2, array_size=4)
    assert second.seq > first.seq
    assert tx.jobs.get(first.seq) == tx.jobs.find("id-1") == first
    assert tx.jobs.find("nothing") is None
    assert tx.jobs.get_many([second.seq, first.seq]) == [first, second]
    assert tx.jobs.find_many(["id-2", "nothing"]) == {"id-2": second}
    assert tx.jobs.get_many([]) == []
    assert tx.jobs.find_many([]) == {}
    assert tx.jobs.terms(second.seq) == terms(job_id="id-2")


def test_everything_that_changes_of_a_job_is_kept(tx: Transaction) -> None:
    made = add(tx, 1, array_size=6)
    children, _ = arrays.release(arrays.spawn(6), Indexes.span(0, 3), NOW)
    children, _ = arrays.cancel(children, Indexes.of([1, 5]), NOW, "with 'quotes' and ünicode")
    children, _ = arrays.take(children, 1)
    job = made.job._replace(
        status=S.PENDING,
        status_reason="why",
        scheduled_at=Millis(1),
        started_at=Millis(2),
        stopped_at=Millis(3),
        attempt=4,
        is_cancelled=True,
        is_terminated=True,
        requested_reason="asked",
    )
    changed = made._replace(job=job, children=children, children_updated_at=NOW, is_placeable=True)
    tx.jobs.update([changed])
    assert tx.jobs.get(made.seq) == changed
    tx.jobs.update([])
    assert tx.jobs.get(made.seq) == changed


def test_more_ids_than_a_statement_can_name(tx: Transaction) -> None:
    made = [add(tx, number) for number in range(5)]
    tx.statements._connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 600)
    many = [*(job.seq for job in made), *(JobSeq(number) for number in range(1000, 3000))]
    assert tx.jobs.get_many(many) == made
    assert len(tx.jobs.find_many([*(job.job_id for job in made), *map(str, many)])) == 5
    tx.dependencies.write([Edge(made[1].seq, 0, None, made[0].seq)])
    assert len(tx.dependencies.open_on(many)) == 1
    assert tx.array_children.get_many(made[0].seq, range(3000), NOW) == {}
    keys = [*map(JobKey, many), *(JobKey(made[0].seq, index) for index in range(3000))]
    assert tx.attempts.of_jobs(keys) == tx.attempts.latest_of_jobs(keys) == {}
    assert len(tx.jobs.terms_of(many)) == 5
    assert tx.tags.get_many(map(str, many)) == {str(seq): {} for seq in many}


def test_what_the_loop_looks_for(tx: Transaction) -> None:
    add(tx, 1, S.PENDING)
    waiting = add(tx, 4, S.RUNNABLE, is_placeable=True, queue_id=7)
    later = add(tx, 5, S.RUNNABLE, is_placeable=True, queue_id=7)
    add(tx, 6, S.RUNNABLE, is_placeable=True, queue_id=9)
    add(tx, 7, S.RUNNABLE, queue_id=8)
    assert tx.jobs.queues_with_placeable() == [7, 9]
    assert tx.jobs.placeable(7, -1, 9) == [waiting, later]
    assert tx.jobs.placeable(7, waiting.seq, 9) == [later]
    assert tx.jobs.placeable(7, -1, 1) == [waiting]
    assert tx.jobs.placeable(1, -1, 9) == []


def test_misfits_are_reconsidered_and_nobody_else(tx: Transaction) -> None:
    def with_reason(number: int, status: JobStatus, reason: str) -> JobRow:
        job = Job(JobKey(JobSeq(0)), status, NOW, status_reason=reason)
        return add(tx, number, job=job)

    misfit = with_reason(1, S.RUNNABLE, "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - too large")
    ended = with_reason(2, S.FAILED, "MISCONFIGURATION:whatever the caller wrote")
    waits = with_reason(3, S.RUNNABLE, "CAPACITY:none")
    tx.jobs.reconsider_misfits()
    again = tx.jobs.get(misfit.seq)
    assert (again.is_placeable, again.job.status_reason) == (True, None)
    assert tx.jobs.get(ended.seq) == ended
    assert tx.jobs.get(waits.seq) == waits


def test_the_jobs_of_a_queue_that_is_deleted(tx: Transaction) -> None:
    live = [add(tx, number, status) for number, status in enumerate(S) if not status.is_terminal]
    add(tx, 10, S.SUCCEEDED)
    told = Job(JobKey(JobSeq(0)), S.RUNNING, NOW, is_terminated=True)
    add(tx, 11, job=told)
    assert {found.seq for found in tx.jobs.live_of_queue(1, 99)} == {job.seq for job in live}
    assert len(tx.jobs.live_of_queue(1, 2)) == 2
    assert tx.jobs.has_live(1)
    assert not tx.jobs.has_live(2)


# ------------------------------------------------------------------------------------------------------------ job lists


def test_pages_of_a_queue_go_back_in_time(tx: Transaction) -> None:
    jobs = [add(tx, number, S.RUNNING if number % 2 else S.FAILED) for number in range(6)]
    add(tx, 9, queue_id=2)
    newest = tx.job_lists.page(1, [], job_lists.FIRST_PAGE, 2)
    assert newest == [jobs[5], jobs[4]]
    assert tx.job_lists.page(1, [], newest[-1].seq, 9) == [jobs[3], jobs[2], jobs[1], jobs[0]]
    running = [job_lists.with_status(S.RUNNING)]
    assert tx.job_lists.page(1, running, job_lists.FIRST_PAGE, 9) == [jobs[5], jobs[3], jobs[1]]


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        (job_lists.named("A_b"), [0]),
        (job_lists.named("a_*"), [0]),
        (job_lists.named("a*"), [2, 1, 0]),
        (job_lists.named("%*"), []),
        (job_lists.of_definition("work"), [2, 1, 0]),
        (job_lists.of_definition("work:1"), [2, 1, 0]),
        (job_lists.of_definition("work:2"), []),
        (job_lists.of_definition("wo*"), [2, 1, 0]),
        (job_lists.of_definition("*' OR 1=1 --"), []),
        (job_lists.created(before=NOW + 1), [0]),
        (job_lists.created(after=NOW + 1), [2]),
        (job_lists.of_share("x"), [1]),
    ],
)
def test_filters(tx: Transaction, condition: job_lists.Condition, numbers: list[int]) -> None:
    names = {0: ("a_b", None), 1: ("acb", "x"), 2: ("ab", "y")}
    for number, (name, share) in names.items():
        add(tx, number, job_name=name, share_identifier=share)
    found = tx.job_lists.page(1, [condition], job_lists.FIRST_PAGE, 9)
    assert [int(job.job_id.removeprefix("id-")) for job in found] == numbers


# -------------------------------------------------------------------------------------------- children and attempts


def child(index: int, status: JobStatus, **fields: Any) -> Job:
    return Job(JobKey(JobSeq(1), index), status, NOW, **fields)


def test_children_have_rows_of_their_own(tx: Transaction) -> None:
    ended = child(3, S.FAILED, status_reason="why", scheduled_at=1, started_at=2, stopped_at=3, attempt=2)
    marked = child(0, S.RUNNING, is_cancelled=True, is_terminated=True, requested_reason="asked")
    tx.array_children.write([ended, marked, child(7, S.RUNNABLE)])
    tx.array_children.write([])
    assert tx.array_children.get(JobSeq(1), 3, NOW) == ended
    assert tx.array_children.get(JobSeq(1), 4, NOW) is None
    assert tx.array_children.get_many(JobSeq(1), [0, 3, 4], NOW) == {0: marked, 3: ended}
    assert tx.array_children.get_many(JobSeq(2), [0, 3], NOW) == {}
    tx.array_children.write([marked._replace(status=S.SUCCEEDED)])
    assert tx.array_children.indexes(JobSeq(1), S.SUCCEEDED) == Indexes.of([0])
    assert [c.key.array_index for c in tx.array_children.with_status(JobSeq(1), tuple(S), -1, 2, NOW)] == [0, 3]
    assert [c.key.array_index for c in tx.array_children.with_status(JobSeq(1), tuple(S), 3, 9, NOW)] == [7]


def test_attempts_are_active_until_they_have_stopped(tx: Transaction) -> None:
    single, other = JobKey(JobSeq(1)), JobKey(JobSeq(2), 4)
    first = attempt(key=single, attempt_id="a" * 32, placed_at=20)
    of_child = attempt(key=other, attempt_id="b" * 32, placed_at=10, due_at=99, stop_wanted=StopCause.TIMED_OUT)
    tx.attempts.insert([first, of_child])
    assert tx.attempts.active() == [of_child, first]
    assert tx.attempts.current(other) == of_child
    assert tx.attempts.current(JobKey(JobSeq(2), 5)) is None
    ended = first._replace(started_at=21, stopped_at=22, exit_code=1, reason="r", status_reason="s")
    second = first._replace(attempt=2, attempt_id="c" * 32, placed_at=30)
    tx.attempts.update([ended])
    tx.attempts.insert([second])
    assert tx.attempts.active() == [of_child, second]
    assert tx.attempts.of_job(single) == [ended, second]
    keys = [single, other, JobKey(JobSeq(2)), JobKey(JobSeq(2), 5)]
    assert tx.attempts.of_jobs(keys) == {single: [ended, second], other: [of_child]}
    assert tx.attempts.latest_of_jobs(keys) == {single: second, other: of_child}
    tx.attempts.delete([second])
    assert tx.attempts.of_job(single) == [ended]


# ------------------------------------------------------------------------------- dependencies, history, engine state


def test_edges_are_kept_and_open_ones_found_by_what_they_point_at(tx: Transaction) -> None:
    me, on = JobSeq(5), JobSeq(3)
    edges = [
        Edge(me, 0, None, on, 7),
        Edge(me, 1, N_TO_N, on, succeeded=Indexes.parse("0-4,9"), failed=Indexes.of([5])),
        Edge(me, 2, SEQUENTIAL, me, succeeded=Indexes.span(0, 0)),
        Edge(me, 3, None, on, None, S.SUCCEEDED),
    ]
    tx.dependencies.write(reversed(edges))
    assert tx.dependencies.of_job(me) == edges
    assert tx.dependencies.of_job(on) == tx.dependencies.open_on([]) == []
    assert sorted(tx.dependencies.open_on([on]), key=lambda edge: edge.position) == edges[:2]
    closed = Edge(me, 0, None, on, 7, S.FAILED)
    tx.dependencies.write([closed])
    assert tx.dependencies.open_on([on]) == [edges[1]]


def test_history_stays_in_order(tx: Transaction) -> None:
    rows = [
        HistoryRow(NOW, JobSeq(1), None, None, "ChildrenSpawned", "SUBMITTED", "PENDING", None),
        HistoryRow(NOW, JobSeq(1), (0, 9), None, "DependenciesSucceeded", "PENDING", "RUNNABLE", None),
        HistoryRow(Millis(NOW - 5), JobSeq(1), (3, 3), 1, "JobPlaced", "RUNNABLE", "STARTING", "why"),
    ]
    tx.history.append(rows)
    tx.history.append([])
    assert tx.history.of_job(JobSeq(1)) == rows
    assert tx.history.of_job(JobSeq(2)) == []


def test_engine_state_remembers_the_last_word(tx: Transaction) -> None:
    assert tx.engine_state.get("position") is None
    tx.engine_state.set("position", "a 1")
    tx.engine_state.set("position", "a 2")
    assert tx.engine_state.get("position") == "a 2"


# --------------------------------------------------------------------------------------------------- what costs little


JOBS = "SELECT * FROM jobs"
PLAIN = f"{JOBS} WHERE placeable = 1 AND consumes = 0"
CONSUMING = f"{JOBS} WHERE placeable = 1 AND consumes = 1"


def _with_values(statement: str) -> str:
    return statement.replace("?1", "1").replace("?", "1")


@pytest.mark.parametrize(
    ("index", "statement"),
    [
        ("ix_jobs_placeable (", f"{PLAIN} AND queue_id = 1 AND seq > 5 ORDER BY seq LIMIT 9"),
        ("ix_jobs_placeable (", f"{PLAIN} AND queue_id > 1 ORDER BY queue_id LIMIT 1"),
        ("ix_jobs_placeable_consuming (", f"{CONSUMING} AND queue_id = 1 AND seq > 5 ORDER BY seq LIMIT 9"),
        ("ix_jobs_placeable_consuming (", f"{CONSUMING} AND queue_id > 1 ORDER BY queue_id LIMIT 1"),
        ("ix_jobs_placeable_share (queue_id=? AND share_identifier>?", _with_values(PLACEABLE_SHARES)),
        ("ix_jobs_live_share (queue_id=? AND share_identifier>?", _with_values(LIVE_SHARES)),
        (
            "ix_jobs_placeable_share (queue_id=? AND share_identifier=? AND consumes=? AND scheduling_priority<?",
            _with_values(SHARE_HEADS),
        ),
        *(("ix_jobs_placeable", _with_values(statement)) for statement in AHEAD),
        *(
            ("ix_jobs_placeable_share (queue_id=? AND share_identifier=? AND consumes=?", _with_values(statement))
            for statement in AHEAD_IN_SHARE
        ),
        ("ix_consumable_needs_job", "SELECT * FROM consumable_needs WHERE job_seq IN (1, 2)"),
        ("ix_jobs_misfit", f"{JOBS} WHERE status IN ('RUNNABLE') AND status_reason LIKE 'MISCONFIGURATION:%'"),
        ("ix_attempts_active", "SELECT * FROM attempts WHERE stopped_at IS NULL ORDER BY placed_at, attempt_id"),
        ("ix_dependencies_on", "SELECT * FROM dependencies WHERE on_job_seq IN (1, 2) AND outcome IS NULL"),
        ("ix_array_children_status", "SELECT array_index FROM array_children WHERE job_seq = 1 AND status = 'FAILED'"),
        ("ix_jobs_queue_status", f"{JOBS} WHERE queue_id = 1 AND status = 'RUNNING' AND seq < 9 ORDER BY seq DESC"),
    ],
)
def test_what_every_tick_asks_is_answered_by_an_index(tx: Transaction, index: str, statement: str) -> None:
    plan = " ".join(str(found[3]) for found in tx.statements.run(f"EXPLAIN QUERY PLAN {statement}"))
    assert index in plan
    assert "TEMP B-TREE FOR ORDER BY" not in plan or index == "ix_attempts_active"


# --------------------------------------------------------------------------------------------------------- transactions


def set_and_fail(tx: Transaction, key: str) -> None:
    tx.engine_state.set(key, "1")
    raise ZeroDivisionError


def set_inside_and_fail(tx: Transaction, key: str) -> None:
    with tx.savepoint():
        set_and_fail(tx, key)


def lose_everything(tx: Transaction) -> None:
    with tx.savepoint():
        tx.engine_state.set("a", "1")
        tx.statements.run("ROLLBACK")  # as SQLite does by itself
        raise OSError("the disk is full")


def test_a_block_that_raises_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as tx:
        set_and_fail(tx, "a")
    with database.read() as tx:
        assert tx.engine_state.get("a") is None


def test_a_savepoint_undoes_only_itself(database: Database) -> None:
    with database.write() as tx:
        tx.engine_state.set("before", "1")
        with pytest.raises(ZeroDivisionError):
            set_inside_and_fail(tx, "inside")
        with tx.savepoint():
            tx.engine_state.set("after", "1")
    with database.read() as tx:
        assert [tx.engine_state.get(key) for key in ("before", "inside", "after")] == ["1", None, "1"]


def test_readers_see_what_was_committed_when_they_began(database: Database) -> None:
    with database.read() as reader:
        assert reader.engine_state.get("a") is None
        with database.write() as tx:
            tx.engine_state.set("a", "1")
        assert reader.engine_state.get("a") is None
    with database.read() as reader:
        assert reader.engine_state.get("a") == "1"


def test_a_transaction_that_sqlite_has_undone_by_itself_is_lost_and_the_next_is_sound(database: Database) -> None:
    with pytest.raises(TransactionLost), database.write() as tx:
        lose_everything(tx)
    with database.write() as tx:
        tx.engine_state.set("b", "2")
    with database.read() as tx:
        assert (tx.engine_state.get("a"), tx.engine_state.get("b")) == (None, "2")


def test_a_commit_that_fails_is_undone(database: Database) -> None:
    with database.write() as tx:
        tx.statements.run("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        deferred = "REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED"
        tx.statements.run(f"CREATE TABLE orphans (parent INTEGER {deferred})")
    assert database._writer is not None
    assert database._writer.driver_connection is not None
    database._writer.driver_connection.execute("PRAGMA foreign_keys=ON")
    with pytest.raises(sqlite3.IntegrityError), database.write() as tx:
        tx.statements.run("INSERT INTO orphans VALUES (1)")
    with database.write() as tx:
        tx.engine_state.set("a", "1")
    with database.read() as tx:
        assert tx.statements.run("SELECT count(*) FROM orphans").scalar() == 0
        assert tx.engine_state.get("a") == "1"
