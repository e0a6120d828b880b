"""Rows of jobs and of what they were submitted as.

Statements here are written out: these are the hot paths, run in batches once per tick. `?` stands for a value; nothing
from outside is ever put into the text of a statement.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from batchyard.core.arrays import Children, Segment
from batchyard.core.ids import JobId, JobSeq, Millis
from batchyard.core.jobs import Job, JobKey, JobStatus, Terms
from batchyard.core.placement import Room
from batchyard.store import documents
from batchyard.store.statements import Statements, slices


class JobRow(NamedTuple):
    """A submitted job: what changes of it (`job`, `children`) beside what it is found and placed by."""

    job: Job
    job_id: JobId
    job_name: str
    queue_id: int
    definition_id: int | None
    need: Room
    array_size: int | None = None
    children: Children | None = None
    children_updated_at: Millis | None = None
    is_placeable: bool = False
    share_identifier: str | None = None
    scheduling_priority: int | None = None
    consumes: bool = False

    @property
    def is_service_job(self) -> bool:
        """Whether it came by SubmitServiceJob; jobs of the two kinds share neither queues nor operations."""
        return self.definition_id is None

    @property
    def seq(self) -> JobSeq:
        """The job's number in order of submission."""
        return self.job.key.seq

    @property
    def available(self) -> int:
        """How many of it may be placed: RUNNABLE children as far as they may run at once, or the job itself."""
        return 1 if self.children is None else self.children.available


COLUMNS = (
    "seq, job_id, job_name, queue_id, definition_id, status, status_reason, created_at, scheduled_at, started_at, "
    "stopped_at, attempt, is_cancelled, is_terminated, requested_reason, array_size, children, children_updated_at, "
    "placeable, vcpus, memory_mib, gpus, share_identifier, scheduling_priority, consumes"
)
SELECT_JOBS = f"SELECT {COLUMNS} FROM jobs"
_INSERT = f"INSERT INTO jobs ({COLUMNS}) VALUES ({', '.join('?' * 25)})"
_UPDATE = (
    "UPDATE jobs SET status=?, status_reason=?, scheduled_at=?, started_at=?, stopped_at=?, attempt=?, is_cancelled=?,"
    " is_terminated=?, requested_reason=?, children=?, children_updated_at=?, placeable=? WHERE seq=?"
)
PLACEABLE = tuple(
    f"{SELECT_JOBS} WHERE queue_id = ? AND placeable = 1 AND consumes = {consumes} AND seq > ? ORDER BY seq LIMIT ?"
    for consumes in (0, 1)
)
"""Of a queue, from beyond a number: jobs that need no consumable resources, and those that do."""
_NEXT_QUEUE = tuple(
    f"SELECT queue_id FROM jobs WHERE placeable = 1 AND consumes = {consumes} AND queue_id > ?"
    " ORDER BY queue_id LIMIT 1"
    for consumes in (0, 1)
)
_STATUS = {status.value: status for status in JobStatus}


def dump_children(children: Children) -> str:
    """The `children` column: counts by status, segments as short lists, and the limit of children at once, if any."""
    limit = () if children.max_parallel is None else (children.max_parallel,)
    return documents.dump(
        [
            children.size,
            {status.value: count for status, count in children.counts.items()},
            [
                [
                    s.first,
                    s.last,
                    s.status.value,
                    s.status_reason,
                    s.stopped_at,
                    s.is_cancelled,
                    s.is_terminated,
                    s.requested_reason,
                ]
                for s in children.segments
            ],
            *limit,
        ]
    )


def load_children(text: str) -> Children:
    """What `dump_children` wrote."""
    size, counts, segments, *limit = documents.load(text)
    return Children(
        size,
        {_STATUS[name]: count for name, count in counts.items()},
        tuple(Segment(s[0], s[1], _STATUS[s[2]], *s[3:]) for s in segments),
        *limit,
    )


def job_row(r: Any) -> JobRow:
    job = Job(
        key=JobKey(r[0]),
        status=_STATUS[r[5]],
        created_at=r[7],
        status_reason=r[6],
        scheduled_at=r[8],
        started_at=r[9],
        stopped_at=r[10],
        attempt=r[11],
        is_cancelled=bool(r[12]),
        is_terminated=bool(r[13]),
        requested_reason=r[14],
    )
    return JobRow(
        job=job,
        job_id=r[1],
        job_name=r[2],
        queue_id=r[3],
        definition_id=r[4],
        need=Room(r[19], r[20], r[21]),
        array_size=r[15],
        children=None if r[16] is None else load_children(r[16]),
        children_updated_at=r[17],
        is_placeable=bool(r[18]),
        share_identifier=r[22],
        scheduling_priority=r[23],
        consumes=bool(r[24]),
    )


def _values(row: JobRow) -> tuple[Any, ...]:
    job, need = row.job, row.need
    return (
        row.seq,
        row.job_id,
        row.job_name,
        row.queue_id,
        row.definition_id,
        job.status.value,
        job.status_reason,
        job.created_at,
        job.scheduled_at,
        job.started_at,
        job.stopped_at,
        job.attempt,
        job.is_cancelled,
        job.is_terminated,
        job.requested_reason,
        row.array_size,
        None if row.children is None else dump_children(row.children),
        row.children_updated_at,
        row.is_placeable,
        need.vcpus,
        need.memory_mib,
        need.gpus,
        row.share_identifier,
        # In a share every job has its place by priority, 0 unless it says otherwise.
        row.scheduling_priority or 0 if row.share_identifier is not None else row.scheduling_priority,
        row.consumes,
    )


class Jobs:
    """Submitted jobs: single ones and the parents of arrays."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def next_seq(self) -> JobSeq:
        """The number of the next job to be submitted, which no job has had before."""
        found = self._run("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'").scalar()
        return JobSeq((found or 0) + 1)

    def insert(self, row: JobRow, terms: Terms) -> None:
        """Record a submission under the number that `next_seq` gave it."""
        self._run(_INSERT, _values(row))
        self._run("INSERT INTO job_requests (seq, document) VALUES (?, ?)", (row.seq, documents.dump(terms)))

    def update(self, rows: Iterable[JobRow]) -> None:
        """Write what changes of these jobs."""
        values = [
            (
                r.job.status.value,
                r.job.status_reason,
                r.job.scheduled_at,
                r.job.started_at,
                r.job.stopped_at,
                r.job.attempt,
                r.job.is_cancelled,
                r.job.is_terminated,
                r.job.requested_reason,
                None if r.children is None else dump_children(r.children),
                r.children_updated_at,
                r.is_placeable,
                r.seq,
            )
            for r in rows
        ]
        if values:
            self._run(_UPDATE, values)

    def get(self, seq: JobSeq) -> JobRow:
        """The job of a number that is known to exist."""
        found = self._run(f"{SELECT_JOBS} WHERE seq = ?", (seq,)).one()
        return job_row(found)

    def get_many(self, seqs: Sequence[JobSeq]) -> list[JobRow]:
        """The jobs of these numbers, in no order."""
        found: list[JobRow] = []
        for marks, values in slices(seqs):
            found += [job_row(r) for r in self._run(f"{SELECT_JOBS} WHERE seq IN ({marks})", values)]
        return found

    def find(self, job_id: str) -> JobRow | None:
        """The job of an id as clients know it, without child index; None if there is none."""
        found = self._run(f"{SELECT_JOBS} WHERE job_id = ?", (job_id,)).one_or_none()
        return None if found is None else job_row(found)

    def find_many(self, job_ids: Sequence[str]) -> dict[str, JobRow]:
        """The jobs that exist among these ids, by id."""
        found: dict[str, JobRow] = {}
        for marks, values in slices(job_ids):
            found |= {r[1]: job_row(r) for r in self._run(f"{SELECT_JOBS} WHERE job_id IN ({marks})", values)}
        return found

    def terms(self, seq: JobSeq) -> Terms:
        """What the job was submitted as."""
        found = self._run("SELECT document FROM job_requests WHERE seq = ?", (seq,)).scalar_one()
        return documents.load_as(found, Terms)

    def terms_of(self, seqs: Sequence[JobSeq]) -> dict[JobSeq, Terms]:
        """What these jobs were submitted as, by number."""
        found: dict[JobSeq, Terms] = {}
        for marks, values in slices(seqs):
            rows = self._run(f"SELECT seq, document FROM job_requests WHERE seq IN ({marks})", values)
            found |= {JobSeq(r[0]): documents.load_as(r[1], Terms) for r in rows}
        return found

    def placeable(self, queue_id: int, after: int, limit: int, *, consuming: bool = False) -> list[JobRow]:
        """The next jobs of a queue with something to place, first in first out, from beyond number `after`: those that
        need no consumable resources, or those that do."""
        statement = PLACEABLE[consuming]
        return [job_row(r) for r in self._run(statement, (queue_id, after, limit))]

    def queues_with_placeable(self, *, consuming: bool = False) -> list[int]:
        """The queues that have something to place: one index seek for each, however many jobs wait."""
        found: list[int] = []
        last = -1
        while True:
            queue_id = self._run(_NEXT_QUEUE[consuming], (last,)).scalar()
            if queue_id is None:
                return found
            found.append(queue_id)
            last = queue_id

    def oldest_placeable(self, queue_id: int) -> JobSeq:
        """The number of the oldest job that a queue, which has some, has to place."""
        found = (self._run(statement, (queue_id, -1, 1)).first() for statement in PLACEABLE)
        return JobSeq(min(row[0] for row in found if row is not None))

    def reconsider_misfits(self) -> None:
        """Let jobs that could never fit be looked at again, since a compute environment, a queue or the machine has
        changed. They lose their reason, or it would shut them out again at the next change of their row."""
        self._run(
            "UPDATE jobs SET placeable = 1, status_reason = NULL WHERE status IN ('RUNNABLE', 'PENDING') AND"
            " status_reason LIKE 'MISCONFIGURATION:%'"
        )

    def live_of_queue(self, queue_id: int, limit: int) -> list[JobRow]:
        """Jobs of a queue that have not ended and have not been terminated, for the deletion of the queue."""
        return [
            job_row(r)
            for r in self._run(
                f"{SELECT_JOBS} WHERE queue_id = ? AND status IN ('SUBMITTED', 'PENDING', 'RUNNABLE', 'STARTING',"
                " 'RUNNING') AND is_terminated = 0 LIMIT ?",
                (queue_id, limit),
            )
        ]

    def has_live(self, queue_id: int) -> bool:
        """Whether a job of the queue has not ended."""
        found = self._run(
            "SELECT 1 FROM jobs WHERE queue_id = ? AND status IN ('SUBMITTED', 'PENDING', 'RUNNABLE', 'STARTING',"
            " 'RUNNING') LIMIT 1",
            (queue_id,),
        )
        return found.first() is not None
