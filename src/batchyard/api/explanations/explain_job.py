"""One job, child or node, and why it is where it is.

Reads one snapshot, a bounded part of it: the rows of the job and of those it is about, the heads of the queues as a
tick reads them, and what runs. No waiting job is visited for standing in front.
"""

from typing import Any

from batchyard.api.batch.job_references import JobReference, parse_job_id
from batchyard.api.batch.jobs_in_rows import job_of
from batchyard.api.batch.nodes import is_node
from batchyard.api.context import Context
from batchyard.api.explanations.mentions import Mentions
from batchyard.api.explanations.placing import Placing
from batchyard.core import access, reasons, refusals
from batchyard.core.explanations import Cause, Explanation, dependencies, endings
from batchyard.core.explanations.causes import counted, listed
from batchyard.core.explanations.dependencies import OpenDependency
from batchyard.core.jobs import Attempt, Job, JobKey, JobStatus, Terms
from batchyard.core.placement import Room
from batchyard.engine.outlook import Foresight, Outlook, foresee
from batchyard.store.jobs import JobRow

_OPERATION = "batch.GetWhy"
"""What AccessDeniedException calls it, for want of a name of AWS's."""

_FAILED_CHILDREN_MAX = 5
_WAITING = (JobStatus.RUNNABLE, JobStatus.PENDING)


def explain_job(context: Context, outlook: Outlook, job_id: str) -> dict[str, Any] | None:
    """The explanation of a job by an id as clients write it (`id`, `id:7`, `id#1`, an ARN) as a JSON object, or None if
    there is no such job. Raises Refusal for characters that no id has, and for a job that is not the caller's."""
    reference = parse_job_id(job_id.replace(":service-job/", ":job/"))
    row = context.tx.jobs.find(reference.job_id)
    if row is None:
        return None
    terms = context.tx.jobs.terms(row.seq)
    key = _key(row, terms, reference)
    if key is None:
        return None
    _check_queue(context, row, terms)
    return _Explainer(context, outlook, row, terms).answer(key, reference)


def _key(row: JobRow, terms: Terms, reference: JobReference) -> JobKey | None:
    if reference.node_index is not None and not is_node(terms, reference.node_index):
        return None
    if reference.array_index is not None and not 0 <= reference.array_index < (row.array_size or 0):
        return None
    return JobKey(row.seq, reference.array_index)


def _check_queue(context: Context, row: JobRow, terms: Terms) -> None:
    principal = context.principal
    if principal is not None and not access.may_use_queue(principal, terms.queue):
        user = f"arn:{context.settings.partition}:iam::{context.settings.account}:user/{principal.name}"
        raise refusals.not_authorized(user, _OPERATION, context.arn(f"job/{row.job_id}"))


class _Explainer:
    """Of one job and its children."""

    def __init__(self, context: Context, outlook: Outlook, row: JobRow, terms: Terms) -> None:
        self._context = context
        self._outlook = outlook
        self._row = row
        self._terms = terms
        self._retry_strategy = terms.resolved.retry_strategy
        self._mentions = Mentions(context, {})

    def answer(self, key: JobKey, reference: JobReference) -> dict[str, Any]:
        """The JSON object."""
        job = job_of(self._context.tx, self._row, key)
        is_parent = self._row.array_size is not None and key.array_index is None
        found = self._of_array(job) if is_parent else self._of_job(key, job)
        node = "" if reference.node_index is None else f"#{reference.node_index}"
        return {
            "jobId": f"{self._terms.child_id(key.array_index)}{node}",
            "jobName": self._row.job_name,
            "jobQueue": self._terms.queue,
            "status": job.status.value,
            "cause": found.cause.value,
            "sentence": found.sentence,
            "details": list(found.details),
            "facts": found.facts,
        }

    def _of_job(self, key: JobKey, job: Job) -> Explanation:
        attempts = self._context.tx.attempts.of_job(key)
        current = attempts[-1] if attempts else None
        if current is not None and current.stopped_at is None and current.stop_wanted is not None:
            return endings.stopping(job, current)
        match job.status:
            case JobStatus.SUBMITTED | JobStatus.PENDING:
                return self._pending(key, job)
            case JobStatus.RUNNABLE:
                return self._runnable(key, current)
            case JobStatus.STARTING:
                return self._starting(current)
            case JobStatus.RUNNING:
                return endings.running(job, current, self._retry_strategy)
        found = endings.ended(job, attempts, self._retry_strategy)
        if job.status_reason != reasons.DEPENDENT_JOB_FAILED:
            return found
        edges = dependencies.failed_edges(self._context.tx.dependencies.of_job(key.seq), key.array_index)
        return endings.after_dependencies(found, self._dependencies(edges))

    # ------------------------------------------------------------------------------------------ before it is placed

    def _pending(self, key: JobKey, job: Job) -> Explanation:
        edges = self._context.tx.dependencies.of_job(key.seq)
        waits_for = self._dependencies(dependencies.open_edges(edges, key.array_index))
        has_failure = dependencies.has_its_failure(edges)
        return dependencies.explain(waits_for, is_cancelled=job.is_cancelled, has_failure=has_failure)

    def _dependencies(self, edges: list[tuple[JobKey, str | None]]) -> list[OpenDependency]:
        """Those that are still known."""
        rows = {row.seq: row for row in self._context.tx.jobs.get_many(sorted({on.seq for on, _ in edges}))}
        known = ((on, form) for on, form in edges if on.seq in rows)
        return [OpenDependency(self._mentions.of(rows[on.seq], on.array_index), form) for on, form in known]

    def _runnable(self, key: JobKey, last: Attempt | None) -> Explanation:
        foresight = self._foresight()
        mentions = Mentions(self._context, foresight.yard.queues)
        found = Placing(self._context, foresight, mentions).explain(self._row, key)
        if last is None or last.stopped_at is None:
            return found
        return found.told(
            opening=endings.retried(last, self._retry_strategy), retry=endings.retry_facts(last, self._retry_strategy)
        )

    def _foresight(self) -> Foresight:
        return foresee(self._context.tx, self._context.now, self._outlook)

    def _starting(self, current: Attempt | None) -> Explanation:
        has_images = self._context.settings.executor_name != "process" and not self._row.is_service_job
        images = [each.image for each in self._terms.resolved.containers] if has_images else []
        is_ahead = current is not None and self._is_ahead(current)
        is_connected = self._outlook.is_connected
        return endings.starting(current, is_connected=is_connected, is_ahead=is_ahead, images=images)

    def _is_ahead(self, attempt: Attempt) -> bool:
        """Whether more has been placed than fits at once, on the machine or in the attempt's compute environment."""
        tx, free, used = self._context.tx, self._outlook.machine, 0.0
        for each in tx.attempts.active():
            free = free.less(Room(each.vcpus, each.memory_mib, each.gpus))
            used += each.vcpus if each.compute_environment == attempt.compute_environment else 0.0
        environment = tx.compute_environments.get(attempt.compute_environment)
        limit = None if environment is None else environment.max_vcpus
        is_over = limit is not None and used > limit + 1e-9
        return is_over or free.vcpus < -1e-9 or free.memory_mib < 0 or free.gpus < 0

    # ------------------------------------------------------------------------------------------ arrays

    def _of_array(self, parent: Job) -> Explanation:
        """One of the children that wait speaks for the others."""
        children = self._row.children
        if parent.status.is_terminal:
            return self._ended_array(parent)
        if children is None:
            return self._pending(JobKey(self._row.seq), parent)
        counts = {status.value: number for status, number in children.counts.items()}
        index = self._speaker()
        if index is None:
            summary = listed([f"{number:,} {status}" for status, number in counts.items()])
            sentence = f"An array is PENDING until its last child has ended. Its children: {summary}."
            return Explanation(Cause.CHILDREN, sentence, (), {"children": counts})
        key = JobKey(self._row.seq, index)
        job = job_of(self._context.tx, self._row, key)
        waiting = sum(children.count(status) for status in _WAITING)
        opening = f"{counted(waiting, 'child', 'children')} of it wait{'s' if waiting == 1 else ''}. Of child {index}:"
        found = self._of_job(key, job)
        child = {"jobId": self._terms.child_id(index), "status": job.status.value}
        return found.told(opening=opening, children=counts, child=child)

    def _speaker(self) -> int | None:
        """The first child that waits: for room rather than for another job."""
        row = self._row
        assert row.children is not None
        for status in _WAITING:
            if not row.children.count(status):
                continue
            if spans := row.children.waiting(status).spans:
                return spans[0][0]
            again = self._context.tx.array_children.with_status(row.seq, (status,), -1, 1, row.job.created_at)
            return again[0].key.array_index
        return None

    def _ended_array(self, parent: Job) -> Explanation:
        row, tx = self._row, self._context.tx
        counts = {} if row.children is None else {s.value: number for s, number in row.children.counts.items()}
        if parent.status is JobStatus.SUCCEEDED:
            return Explanation(
                Cause.SUCCEEDED, "It does not wait: all of its children succeeded.", (), {"children": counts}
            )
        rows = tx.array_children.with_status(row.seq, (JobStatus.FAILED,), -1, _FAILED_CHILDREN_MAX, row.job.created_at)
        attempts = tx.attempts.of_jobs(child.key for child in rows)
        failed = [(child.key.array_index or 0, child, attempts.get(child.key, [])) for child in rows]
        return endings.failed_array(counts, failed, parent.status_reason)
