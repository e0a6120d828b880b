"""Rows of job queues; `batchyard.core.resources.JobQueue` above the store."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from batchyard.core.ids import Millis
from batchyard.core.resources import NO_SETTINGS, JobQueue, QueueSettings
from batchyard.store.documents import dump, load, load_as
from batchyard.store.statements import Statements

_SELECT = (
    "SELECT id, name, state, status, status_reason, priority, compute_environments, scheduling_policy, created_at,"
    " document, settings FROM job_queues"
)


class JobQueues:
    """The door to them, on one connection."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self.has_changed = False
        """Whether a queue has been updated in this transaction."""

    def get(self, name: str) -> JobQueue | None:
        """The one of this name; one index look-up."""

        def look() -> JobQueue | None:
            row = self._statements.run(f"{_SELECT} WHERE name = ?", (name,)).one_or_none()
            return None if row is None else _queue(row)

        return self._statements.remembered(("job_queues", name), look)

    def all(self) -> list[JobQueue]:
        """Every one, oldest first; there are few (quota)."""
        return [_queue(row) for row in self._statements.run(f"{_SELECT} ORDER BY id")]

    def page(self, after: int, limit: int) -> list[JobQueue]:
        """At most `limit`, oldest first, of those with a greater id than `after`."""
        rows = self._statements.run(f"{_SELECT} WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
        return [_queue(row) for row in rows]

    def named(self, names: Sequence[str]) -> list[JobQueue]:
        """Those of these names that exist, in the order given."""
        found = (self.get(name) for name in dict.fromkeys(names))
        return [queue for queue in found if queue is not None]

    def any_lists(self, compute_environment: str) -> bool:
        """Whether any queue has this compute environment, by name, in its order."""
        found = self._statements.run(
            "SELECT 1 FROM job_queues, json_each(job_queues.compute_environments) AS listed"
            " WHERE listed.value = ? LIMIT 1",
            (compute_environment,),
        )
        return found.first() is not None

    def that_list(self, service_environment: str) -> list[JobQueue]:
        """The queues that have this service environment, by name, in their order."""
        return [
            _queue(row)
            for row in self._statements.run(
                f"{_SELECT} WHERE EXISTS (SELECT 1 FROM json_each(document, '$.serviceEnvironmentOrder') AS listed"
                " WHERE json_extract(listed.value, '$.serviceEnvironment') = ?) ORDER BY id",
                (service_environment,),
            )
        ]

    def any_follows(self, scheduling_policy: str) -> bool:
        """Whether any queue has this scheduling policy, by name."""
        found = self._statements.run(
            "SELECT 1 FROM job_queues WHERE scheduling_policy = ? LIMIT 1", (scheduling_policy,)
        )
        return found.first() is not None

    def count(self) -> int:
        """How many there are."""
        counted = self._statements.run("SELECT count(*) FROM job_queues")
        return int(counted.scalar_one())

    def insert(self, queue: JobQueue) -> JobQueue:
        """Add it; the answer bears its id. The name must be free."""
        self._statements.forget()
        cursor = self._statements.run(
            "INSERT INTO job_queues (name, created_at, state, status, status_reason, priority, compute_environments,"
            " scheduling_policy, document, settings) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (queue.name, queue.created_at, *_mutable(queue)),
        )
        return replace(queue, id=cursor.lastrowid)

    def update(self, queue: JobQueue) -> None:
        """Write everything but name and time of creation over the row of its id."""
        self._statements.forget()
        self._statements.run(
            "UPDATE job_queues SET state = ?, status = ?, status_reason = ?, priority = ?, compute_environments = ?,"
            " scheduling_policy = ?, document = ?, settings = ? WHERE id = ?",
            (*_mutable(queue), queue.id),
        )
        self.has_changed = True

    def delete(self, name: str) -> None:
        """Remove the queue of this name; its jobs stay."""
        self._statements.forget()
        self._statements.run("DELETE FROM job_queues WHERE name = ?", (name,))


def _mutable(queue: JobQueue) -> tuple[Any, ...]:
    return (
        queue.state,
        queue.status,
        queue.status_reason,
        queue.priority,
        dump(queue.compute_environments),
        queue.scheduling_policy,
        dump(queue.document),
        None if queue.settings == NO_SETTINGS else dump(queue.settings),
    )


def _queue(row: Any) -> JobQueue:
    return JobQueue(
        id=row[0],
        name=row[1],
        state=row[2],
        status=row[3],
        status_reason=row[4],
        priority=row[5],
        compute_environments=tuple(load(row[6])),
        scheduling_policy=row[7],
        created_at=Millis(row[8]),
        document=load(row[9]),
        settings=NO_SETTINGS if row[10] is None else load_as(row[10], QueueSettings),
    )
