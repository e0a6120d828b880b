"""The one writer of status.

`Changes` is one transaction's worth of decisions: rows are read when first needed, decided on by the core, kept, and
written together by `save`. Nothing else assigns a status. Reading order matters in one place only: whoever queries
jobs by status in the same transaction must call `save` first.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from batchyard.core import arrays, lifecycle, reasons
from batchyard.core import dependencies as deps
from batchyard.core import events as e
from batchyard.core.arrays import Children, Shift
from batchyard.core.ids import AttemptId, JobSeq, Millis
from batchyard.core.intervals import NOTHING, Indexes
from batchyard.core.jobs import Attempt, Job, JobKey, JobStatus, Terms
from batchyard.core.time_limits import BlockedJob, is_blocked_reason
from batchyard.engine.terms import TermsCache
from batchyard.store.history import HistoryRow
from batchyard.store.jobs import JobRow
from batchyard.store.transaction import Transaction

log = logging.getLogger(__name__)

_LIVE_ROWS = (JobStatus.RUNNABLE, JobStatus.STARTING, JobStatus.RUNNING)


class Changes:
    """Decisions taken in one transaction, at one time. `ended`: the attempts that they ended."""

    def __init__(self, tx: Transaction, now: Millis, terms: TermsCache) -> None:
        self.tx = tx
        self.now = now
        self.ended: list[Attempt] = []
        self._terms = terms
        self._submitted: dict[JobSeq, Terms] = {}
        self._rows: dict[JobSeq, JobRow] = {}
        self._dirty_rows: set[JobSeq] = set()
        self._children: dict[JobKey, Job] = {}
        self._dirty_children: set[JobKey] = set()
        self._begun: dict[AttemptId, Attempt] = {}
        self._changed_attempts: dict[AttemptId, Attempt] = {}
        self._returned: list[Attempt] = []
        self._history: list[HistoryRow] = []
        self._finished: dict[JobSeq, deps.Finished] = {}
        self._blocked: dict[JobSeq, BlockedJob | None] = {}
        self.has_blocked = False
        """Whether a job has been blocked in this transaction, or is blocked no more."""

    # ------------------------------------------------------------------------------------------ reading

    def preload(self, keys: Iterable[JobKey]) -> None:
        """Read the rows behind many keys in a few queries."""
        keys = list(keys)
        missing = {key.seq for key in keys} - self._rows.keys()
        for row in self.tx.jobs.get_many(sorted(missing)):
            self._rows[row.seq] = row
        by_parent: dict[JobSeq, list[int]] = {}
        for key in keys:
            if key.array_index is not None and key not in self._children:
                by_parent.setdefault(key.seq, []).append(key.array_index)
        for seq, indexes in by_parent.items():
            created_at = self._rows[seq].job.created_at
            for child in self.tx.array_children.get_many(seq, indexes, created_at).values():
                self._children[child.key] = child

    def row(self, seq: JobSeq) -> JobRow:
        """A submitted job as it stands in this transaction."""
        found = self._rows.get(seq)
        if found is None:
            found = self._rows[seq] = self.tx.jobs.get(seq)
        return found

    def know(self, rows: Iterable[JobRow]) -> None:
        """Rows that have just been read; what this transaction has changed already stays."""
        for row in rows:
            self._rows.setdefault(row.seq, row)

    def job(self, key: JobKey) -> Job:
        """A job or array child as it stands in this transaction."""
        row = self.row(key.seq)
        if key.array_index is None:
            return row.job
        child = self._children.get(key)
        if child is not None:
            return child
        assert row.children is not None, f"{key} names a child of a job that is no array"
        segment = row.children.segment_of(key.array_index)
        if segment is not None:
            return arrays.child_job(key.seq, row.job, segment, key.array_index)
        child = self.tx.array_children.get(key.seq, key.array_index, row.job.created_at)
        assert child is not None, f"{key} is neither in a segment nor has it a row"
        self._children[key] = child
        return child

    def terms(self, seq: JobSeq) -> Terms:
        """What the job was submitted as."""
        return self._terms.get(self.tx, seq)

    def _terms_now(self, seq: JobSeq) -> Terms:
        """The same, with what has become of a job that may be preempted."""
        terms = self.terms(seq)
        if terms.service is None or terms.service.quota_share_name is None:
            return terms
        return replace(terms, preempted=self.tx.attempts.preempted(seq))

    def current_attempt(self, key: JobKey) -> Attempt | None:
        """The latest attempt of a job or child as it stands in this transaction."""
        found = next((a for a in self._begun.values() if a.key == key), None) or self.tx.attempts.current(key)
        return None if found is None else self._changed_attempts.get(found.attempt_id, found)

    # ------------------------------------------------------------------------------------------ deciding

    def happen(self, key: JobKey, event: e.Event, attempt: Attempt | None = None) -> Attempt | None:
        """Let an event happen to a single job or array child; returns the attempt as it became.

        Raises InvalidTransition, with nothing changed, if the lifecycle does not know the pair.
        """
        before = self.job(key)
        needs_terms = isinstance(event, (e.AttemptStarted, e.AttemptExited, e.AttemptLost))
        decision = lifecycle.decide(before, event, self._terms_now(key.seq) if needs_terms else None, attempt)
        if decision.job is not before:
            self._put(before, decision.job, type(event).__name__)
        if decision.attempt is not None and decision.attempt is not attempt:
            self._changed_attempts[decision.attempt.attempt_id] = decision.attempt
            if decision.attempt.stopped_at is not None:
                self.ended.append(decision.attempt)
        return decision.attempt

    def request(self, key: JobKey, event: e.CancelRequested | e.TerminateRequested | e.QueueDeleted) -> None:
        """Cancel or terminate a job, an array with all its children, or one child; ended ones are left as they are."""
        row = self.row(key.seq)
        if key.array_index is not None:
            self._request_child(key, event)
        elif row.children is None:
            self.happen(key, event, self._attempt_if_active(row.job))
        elif not row.job.status.is_terminal:
            self._request_array(row, event)

    def _request_child(self, key: JobKey, event: e.CancelRequested | e.TerminateRequested | e.QueueDeleted) -> None:
        row = self.row(key.seq)
        assert row.children is not None
        assert key.array_index is not None
        if row.children.segment_of(key.array_index) is not None:
            self._request_waiting(row, Indexes.span(key.array_index, key.array_index), event)
        else:
            child = self.job(key)
            self.happen(key, event, self._attempt_if_active(child))

    def _request_array(self, row: JobRow, event: e.CancelRequested | e.TerminateRequested | e.QueueDeleted) -> None:
        assert row.children is not None
        parent = lifecycle.decide_parent(row.job, event)
        self._set_row(row._replace(job=parent))
        self._request_waiting(self.row(row.seq), Indexes.span(0, row.children.size - 1), event)
        self.save()  # the query below reads the rows of children
        live = self.tx.array_children.with_status(row.seq, _LIVE_ROWS, -1, row.children.size, row.job.created_at)
        for child in live:
            self._children.setdefault(child.key, child)
            self.happen(child.key, event, self._attempt_if_active(self.job(child.key)))

    def _request_waiting(
        self, row: JobRow, indexes: Indexes, event: e.CancelRequested | e.TerminateRequested | e.QueueDeleted
    ) -> None:
        assert row.children is not None
        match event:
            case e.CancelRequested():
                children, shifts = arrays.cancel(row.children, indexes, event.at, event.reason)
            case e.TerminateRequested():
                children, shifts = arrays.fail(row.children, indexes, event.at, event.reason, is_terminated=True)
            case e.QueueDeleted():
                reason = reasons.JOB_QUEUE_DELETED
                children, shifts = arrays.fail(row.children, indexes, event.at, reason, is_terminated=True)
        self._put_shifts(row, children, shifts, type(event).__name__)

    def _attempt_if_active(self, job: Job) -> Attempt | None:
        return self.current_attempt(job.key) if job.status in (JobStatus.STARTING, JobStatus.RUNNING) else None

    # ---------------------------------------------------------------------------------------- dependencies and parents

    def submit(self, row: JobRow, terms: Terms, edges: Sequence[deps.Edge], max_parallel: int | None = None) -> None:
        """Take a SUBMITTED job in and look at it at once: PENDING if it waits for another, else RUNNABLE.

        row: numbered by `jobs.next_seq`. edges: its dependencies, with what is known of them already. max_parallel: how
        many of its children may be placed at once.
        """
        self._submitted[row.seq] = terms
        self._set_row(row)
        self.tx.dependencies.write(edges)
        if row.array_size is not None:
            parent = lifecycle.decide_parent(row.job, e.ChildrenSpawned(self.now))
            self._set_row(row._replace(job=parent, children=arrays.spawn(row.array_size, max_parallel)))
            self._note(row.seq, None, None, "ChildrenSpawned", JobStatus.SUBMITTED, parent.status, None)
        elif deps.assess(edges).is_open:
            self.happen(row.job.key, e.DependenciesFoundOpen(self.now))
        self._assess(row.seq, edges)

    def settle(self) -> None:
        """Carry what has ended on to parents and dependents, until nothing more follows."""
        while self._finished:
            self._finish_parents()
            finished, self._finished = self._finished, {}
            affected: dict[JobSeq, None] = {}
            for edge in self.tx.dependencies.open_on(sorted(finished)):
                size = self.row(edge.job_seq).array_size or 1
                self.tx.dependencies.write([deps.observe(edge, finished[edge.on_job_seq], size)])
                affected[edge.job_seq] = None
            for seq in affected:
                self._assess(seq, self.tx.dependencies.of_job(seq))

    def _finish_parents(self) -> None:
        for seq in list(self._finished):
            row = self.row(seq)
            if row.children is None or not row.children.are_finished or row.job.status.is_terminal:
                continue
            failed = row.children.count(JobStatus.FAILED) > 0
            parent = lifecycle.decide_parent(row.job, e.ChildrenFinished(self.now, failed))
            self._put(row.job, parent, "ChildrenFinished")

    def _assess(self, seq: JobSeq, edges: Sequence[deps.Edge]) -> None:
        """Let a waiting job, or the waiting children of an array, go or fail by what its edges now say."""
        row = self.row(seq)
        if row.job.status.is_terminal:
            return
        found = deps.assess(edges, row.array_size or 1)
        if row.children is not None:
            self._assess_array(row, found)
        elif row.job.status not in (JobStatus.SUBMITTED, JobStatus.PENDING):
            return
        elif found.has_failed:
            self.happen(row.job.key, e.DependencyFailed(self.now, found.reason))
        elif not found.is_open:
            self.happen(row.job.key, e.DependenciesSucceeded(self.now))

    def _assess_array(self, row: JobRow, found: deps.Assessment) -> None:
        assert row.children is not None
        if found.has_failed:
            parent = lifecycle.decide_parent(row.job, e.DependencyFailed(self.now, found.reason))
            row = row._replace(job=parent)
            self._set_row(row)
        if found.doomed:
            children, shifts = arrays.fail_dependents(self._children_of(row.seq), found.doomed, self.now, found.reason)
            self._put_shifts(self.row(row.seq), children, shifts, "DependencyFailed")
        if found.ready:
            children, shifts = arrays.release(self._children_of(row.seq), found.ready, self.now)
            self._put_shifts(self.row(row.seq), children, shifts, "DependenciesSucceeded")

    def _children_of(self, seq: JobSeq) -> Children:
        children = self.row(seq).children
        assert children is not None
        return children

    # ------------------------------------------------------------------------------------------ placing

    def place(self, key: JobKey, event: e.JobPlaced, attempt: Attempt) -> None:
        """Begin `attempt` of a RUNNABLE job, or of a child that has left its segment."""
        self.happen(key, event)
        self._begun[attempt.attempt_id] = attempt
        if self.row(key.seq).consumes:
            self.tx.consumable_resources.use_up(key.seq)

    def take_children(self, seq: JobSeq, number: int) -> list[JobKey]:
        """The next RUNNABLE children of an array, those that are to run again first; they have rows from now on."""
        row = self.row(seq)
        assert row.children is not None
        again = row.children.count(JobStatus.RUNNABLE) - len(row.children.waiting(JobStatus.RUNNABLE))
        keys: list[JobKey] = []
        if again:
            self.save()  # the query below must not find children that this transaction has placed already
            found = self.tx.array_children.with_status(
                seq, (JobStatus.RUNNABLE,), -1, min(again, number), row.job.created_at
            )
            for child in found:
                self._children.setdefault(child.key, child)
            keys = [child.key for child in found]
        if len(keys) < number:
            children, taken = arrays.take(row.children, number - len(keys))
            created_at = row.job.created_at
            for index in taken:
                key = JobKey(seq, index)
                self._children[key] = Job(key, JobStatus.RUNNABLE, created_at)
                self._dirty_children.add(key)
                keys.append(key)
            self._set_row(row._replace(children=children))
        return keys

    def limit_parallel(self, seq: JobSeq, limit: int | None) -> None:
        """Let no more children of an array be placed at once from now on; None for any number."""
        row = self.row(seq)
        self._set_row(row._replace(children=replace(self._children_of(seq), max_parallel=limit)))

    def block(self, seq: JobSeq, reason: str | None) -> None:
        """Say on a job, or on an array for all its waiting children, why it cannot be placed."""
        row = self.row(seq)
        if row.job.status_reason == reason:
            return
        if reason is None:
            self.unblocked(seq)
        event = e.JobBlocked(self.now, reason)
        if row.children is None:
            self.happen(row.job.key, event)
        else:
            self._set_row(row._replace(job=lifecycle.decide_parent(row.job, event)))

    def blocked(self, row: BlockedJob) -> None:
        """Keep since when a job that has just been blocked is so."""
        self._blocked[row.seq] = row

    def unblocked(self, seq: JobSeq) -> None:
        """Forget since when a job was blocked."""
        self._blocked[seq] = None

    def give_back(self, attempt: Attempt) -> None:
        """A placement was taken back: the job waits again, and the attempt never was."""
        returned = self.happen(attempt.key, e.AttemptReturned(self.now), attempt)
        assert returned is not None
        self._changed_attempts.pop(attempt.attempt_id, None)
        self._returned.append(attempt)
        if self.row(attempt.key.seq).consumes:
            self.tx.consumable_resources.return_unused(attempt.key.seq)

    # ------------------------------------------------------------------------------------------ writing

    def save(self) -> None:
        """Write everything that has changed since the last call."""
        self.tx.array_children.write([self._children[key] for key in self._dirty_children])
        self._dirty_children.clear()
        for seq, terms in self._submitted.items():
            self.tx.jobs.insert(_with_placeable(self._rows[seq]), terms)
        self._dirty_rows -= self._submitted.keys()
        self.tx.jobs.update([_with_placeable(self._rows[seq]) for seq in self._dirty_rows])
        self._dirty_rows.clear()
        self.tx.attempts.delete(self._returned)  # first: the next attempt may take the place of one taken back
        self._returned.clear()
        begun = [self._changed_attempts.pop(a.attempt_id, a) for a in self._begun.values()]
        self._begun.clear()
        self.tx.attempts.insert(begun)
        self.tx.attempts.update(self._changed_attempts.values())
        self._changed_attempts.clear()
        if self._blocked:
            self.has_blocked = True
            self.tx.blocked_jobs.delete([seq for seq, row in self._blocked.items() if row is None])
            self.tx.blocked_jobs.put([row for row in self._blocked.values() if row is not None])
            self._blocked.clear()
        self.tx.history.append(self._history)
        self._history.clear()
        for seq, terms in self._submitted.items():
            self._terms.put(seq, terms)
        self._submitted.clear()

    def _put(self, before: Job, after: Job, event: str) -> None:
        """Keep a job's new row, and what follows from a change of its status."""
        key = after.key
        if key.array_index is None:
            self._set_row(self.row(key.seq)._replace(job=after))
        else:
            self._children[key] = after
            self._dirty_children.add(key)
        if after.status is before.status:
            return
        if key.array_index is None and is_blocked_reason(before.status_reason):
            self.unblocked(key.seq)
        span = None if key.array_index is None else (key.array_index, key.array_index)
        self._note(key.seq, span, after.attempt, event, before.status, after.status, after.status_reason)
        if key.array_index is not None:
            row = self.row(key.seq)
            assert row.children is not None
            children = arrays.recount(row.children, before.status, after.status)
            parent = row.job
            if parent.started_at is None and after.started_at is not None:
                parent = parent._replace(started_at=after.started_at)  # an array starts with its first child
            self._set_row(row._replace(job=parent, children=children, children_updated_at=self.now))
        if after.status.is_terminal:
            self._finish(key, after.status)

    def _put_shifts(self, row: JobRow, children: Children, shifts: Sequence[Shift], event: str) -> None:
        if children != row.children:
            self._set_row(row._replace(children=children, children_updated_at=self.now))
        for shift in shifts:
            for span in shift.indexes.spans:
                self._note(row.seq, span, None, event, shift.source, shift.target, shift.reason)
            if shift.target is JobStatus.FAILED:
                found = self._finished.get(row.seq, deps.Finished())
                self._finished[row.seq] = found._replace(failed=found.failed | shift.indexes)

    def _finish(self, key: JobKey, status: JobStatus) -> None:
        found = self._finished.get(key.seq, deps.Finished())
        if key.array_index is None:
            found = found._replace(outcome=status)
        else:
            one = Indexes.span(key.array_index, key.array_index)
            succeeded = status is JobStatus.SUCCEEDED
            found = found._replace(
                succeeded=found.succeeded | (one if succeeded else NOTHING),
                failed=found.failed | (NOTHING if succeeded else one),
            )
        self._finished[key.seq] = found

    def _set_row(self, row: JobRow) -> None:
        self._rows[row.seq] = row
        self._dirty_rows.add(row.seq)

    def _note(
        self,
        seq: JobSeq,
        span: tuple[int, int] | None,
        attempt: int | None,
        event: str,
        before: JobStatus,
        after: JobStatus,
        reason: str | None,
    ) -> None:
        self._history.append(HistoryRow(self.now, seq, span, attempt, event, before.value, after.value, reason))


def _with_placeable(row: JobRow) -> JobRow:
    """The row with its place in the index of what can be placed: a misfit stands out until something changes, and an
    array of which as many run as may until one of them ends."""
    misfit = (row.job.status_reason or "").startswith("MISCONFIGURATION:")
    return row._replace(is_placeable=has_runnable(row) and row.available > 0 and not misfit)


def has_runnable(row: JobRow) -> bool:
    """Whether a job is RUNNABLE, or a child of an array is."""
    if row.children is None:
        return row.job.status is JobStatus.RUNNABLE
    return row.job.status is JobStatus.PENDING and row.children.count(JobStatus.RUNNABLE) > 0
