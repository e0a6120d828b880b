"""What is forgotten goes whole, however small the slices."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchyard.core.ids import JobId, JobSeq, Millis
from batchyard.core.jobs import Job, JobKey, JobStatus
from batchyard.core.placement import Room
from batchyard.store.database import Database
from batchyard.store.jobs import JobRow
from batchyard.store.transaction import Transaction
from tests.core.rows import attempt, terms


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Transaction]:
    database = Database.at(tmp_path, synchronous="OFF")
    database.migrate()
    with database.write() as transaction:
        transaction.job_definitions.insert("work", "container", Millis(0), {})
        yield transaction
    database.close()


def add(tx: Transaction, name: str) -> JobSeq:
    """A job that has ended, with one attempt of two containers."""
    seq = tx.jobs.next_seq()
    ended = Job(JobKey(seq), JobStatus.SUCCEEDED, Millis(1), stopped_at=Millis(2), attempt=1)
    tx.jobs.insert(JobRow(ended, JobId(name), name, 1, 1, Room(1, 100)), terms(job_id=name))
    tx.attempts.insert(
        [attempt(key=JobKey(seq), attempt_id=f"{name}-0", started_at=Millis(1), stopped_at=Millis(2), log_stream=name)]
    )
    rows = [(seq, f"{name}-0", position, f"{name}-{position}") for position in (0, 1)]
    tx.statements.run(
        "INSERT INTO attempt_containers (job_seq, attempt_id, position, log_id, log_group, log_stream, placed_at,"
        " started_at) VALUES (?, ?, ?, ?, 'group', 'stream', 1, 1)",
        rows,
    )
    return seq


def count(tx: Transaction, table: str) -> int:
    return int(tx.statements.run(f"SELECT count(*) FROM {table}").scalar_one())


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_containers_and_attempts_go_and_their_files_are_remembered(tx: Transaction, limit: int) -> None:
    for name in ("first", "second", "third"):
        add(tx, name)
    tx.pruning.retire(tx.pruning.oldest(JobSeq(-1), 2))
    assert tx.jobs.find("first") is None
    for _ in range(30):
        tx.pruning.sweep(limit)
    assert tx.pruning.sweep(limit) == 0
    assert [count(tx, table) for table in ("jobs", "attempts", "attempt_containers", "retired_jobs")] == [1, 1, 2, 0]
    assert tx.pruning.logs(10) == ["first-0", "first-1", "second-0", "second-1"]
    tx.pruning.forget_logs(tx.pruning.logs(3))
    assert tx.pruning.logs(10) == ["second-1"]


def test_the_number_of_a_forgotten_job_is_not_given_again(tx: Transaction) -> None:
    last = [add(tx, name) for name in ("first", "second")][-1]
    tx.pruning.retire(tx.pruning.oldest(JobSeq(-1), 2))
    assert tx.jobs.next_seq() == last + 1
