"""All rows of a yard, read as they stand, past the store's doors."""

from typing import Any

from batchyard.core.dependencies import Edge
from batchyard.core.fair_share import Usage
from batchyard.core.ids import AttemptId, JobSeq
from batchyard.core.intervals import Indexes
from batchyard.core.invariants import Records
from batchyard.core.jobs import Attempt, Job, JobKey, JobStatus, StopCause
from batchyard.core.resolved_tasks import placed_containers
from batchyard.core.time_limits import BlockedJob
from batchyard.store.attempt_containers import AttemptContainer
from batchyard.store.jobs import load_children
from batchyard.store.tables import metadata
from batchyard.store.transaction import Transaction

_NO_INDEX = -1


class RecordsReader:
    """Reads everything. What jobs were submitted as never changes and is kept."""

    def __init__(self) -> None:
        self._attempts_max: dict[JobSeq, int] = {}
        self.numbers: dict[str, JobSeq] = {}
        """The number of each job by its id."""
        self.needs: dict[JobSeq, dict[str, int]] = {}
        """What an attempt of each job needs of consumable resources."""
        self.blocked: dict[JobSeq, BlockedJob] = {}
        """What says why it cannot be placed."""
        self.containers: dict[AttemptId, list[AttemptContainer]] = {}
        """The rows of each attempt's containers, by position."""
        self.numbers_of_containers: dict[JobSeq, int] = {}
        """How many containers attempts of each job have."""
        self.quantities: dict[str, int] = {}
        """How much there is of each consumable resource."""
        self.shares: dict[JobSeq, tuple[int, str]] = {}
        """The queue and share of each job that has a share."""
        self.queues: dict[int, str] = {}
        """The names of the queues there are, by id."""
        self.usages: dict[tuple[int, str], Usage] = {}
        """What each share of each queue has used."""

    def read(self, tx: Transaction) -> Records:
        """All rows of a small yard."""
        rows = _all(tx, "jobs")
        retired = {row["job_seq"] for row in _all(tx, "retired_jobs")}  # nothing of theirs can be asked for any more
        self.numbers = {row["job_id"]: row["seq"] for row in rows}
        self.quantities = {row["name"]: row["quantity"] for row in _all(tx, "consumable_resources")}
        self.blocked = {row["job_seq"]: BlockedJob(*row.values()) for row in _all(tx, "blocked_jobs")}
        self.shares = {r["seq"]: (r["queue_id"], r["share_identifier"]) for r in rows if r["share_identifier"]}
        self.queues = {row["id"]: row["name"] for row in _all(tx, "job_queues")}
        self.usages = {
            (row["queue_id"], row["share_identifier"]): Usage(row["vcpu_seconds"], row["at"])
            for row in _all(tx, "share_usage")
        }
        self.containers = {}
        for row in _all(tx, "attempt_containers", "ORDER BY position"):
            self.containers.setdefault(row["attempt_id"], []).append(AttemptContainer(**row))
        self.needs = {}
        for row in _all(tx, "consumable_needs"):
            self.needs.setdefault(row["job_seq"], {})[row["resource"]] = row["quantity"]
        for row in rows:
            if row["seq"] not in self._attempts_max:
                resolved = tx.jobs.terms(row["seq"]).resolved
                self._attempts_max[row["seq"]] = resolved.attempts
                self.numbers_of_containers[row["seq"]] = len(placed_containers(resolved.containers))
        jobs = {row["seq"]: _job(row, JobKey(row["seq"]), row["created_at"]) for row in rows}
        children = [_child(row, jobs) for row in _all(tx, "array_children") if row["job_seq"] not in retired]
        attempts: dict[JobKey, list[Attempt]] = {}
        for row in _all(tx, "attempts", "ORDER BY job_seq, array_index, attempt"):
            if row["job_seq"] in retired:
                continue
            attempt = _attempt(row)
            attempts.setdefault(attempt.key, []).append(attempt)
        edges: dict[JobSeq, list[Edge]] = {}
        for row in _all(tx, "dependencies", "ORDER BY job_seq, position"):
            edges.setdefault(row["job_seq"], []).append(_edge(row))
        return Records(
            jobs=jobs,
            sizes={row["seq"]: row["array_size"] for row in rows if row["array_size"] is not None},
            children={row["seq"]: load_children(row["children"]) for row in rows if row["children"] is not None},
            child_rows={child.key: child for child in children},
            attempts=attempts,
            attempts_max=self._attempts_max,
            edges=edges,
        )


def _all(tx: Transaction, table: str, order: str = "") -> list[dict[str, Any]]:
    names = metadata.tables[table].columns.keys()
    found = tx.statements.run(f"SELECT {', '.join(names)} FROM {table} {order}")
    return [dict(zip(names, row, strict=True)) for row in found]


def _job(row: Any, key: JobKey, created_at: Any) -> Job:
    return Job(
        key=key,
        status=JobStatus(row["status"]),
        created_at=created_at,
        status_reason=row["status_reason"],
        scheduled_at=row["scheduled_at"],
        started_at=row["started_at"],
        stopped_at=row["stopped_at"],
        attempt=row["attempt"],
        is_cancelled=bool(row["is_cancelled"]),
        is_terminated=bool(row["is_terminated"]),
        requested_reason=row["requested_reason"],
    )


def _child(row: Any, jobs: dict[JobSeq, Job]) -> Job:
    return _job(row, JobKey(row["job_seq"], row["array_index"]), jobs[row["job_seq"]].created_at)


def _attempt(row: Any) -> Attempt:
    values = {name: value for name, value in row.items() if name not in ("job_seq", "array_index", "stop_wanted")}
    index = None if row["array_index"] == _NO_INDEX else row["array_index"]
    stop_wanted = None if row["stop_wanted"] is None else StopCause(row["stop_wanted"])
    return Attempt(key=JobKey(row["job_seq"], index), stop_wanted=stop_wanted, **values)


def _edge(row: Any) -> Edge:
    return Edge(
        row["job_seq"],
        row["position"],
        row["type"],
        row["on_job_seq"],
        row["on_array_index"],
        None if row["outcome"] is None else JobStatus(row["outcome"]),
        Indexes.parse(row["succeeded"] or ""),
        Indexes.parse(row["failed"] or ""),
    )
