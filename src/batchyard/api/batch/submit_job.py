"""SubmitJob: check everything that AWS checks before it answers (F 3.2), then record one job.

An array is one row, whatever its size. A dependency starts with what is already known of the job it names: one that
has SUCCEEDED is satisfied at once; one that has FAILED lets the job be accepted, and fails it in the same transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from batchyard.api.batch.job_references import JobReference, parse_job_id
from batchyard.api.context import Context
from batchyard.api.references import consumable_needs, find_job_definition, find_job_queue
from batchyard.core import names, quotas, refusals, resources
from batchyard.core.batchyard_tags import After, after, max_parallel
from batchyard.core.dependencies import AFTER_ANY, AFTER_FAILURE, N_TO_N, SEQUENTIAL, Edge
from batchyard.core.fair_share import active_shares, fair_share_policy
from batchyard.core.ids import JobSeq
from batchyard.core.intervals import NOTHING, Indexes
from batchyard.core.jobs import Job, JobKey, JobStatus, Terms
from batchyard.core.placement import Room
from batchyard.core.resources import JobDefinition, JobQueue
from batchyard.core.scheduling_policies import FAIRSHARE
from batchyard.core.submission import ResolvedJob, check_platform, resolve, with_defaults
from batchyard.core.tags import new_tags
from batchyard.engine.apply import Changes
from batchyard.store.documents import dump
from batchyard.store.jobs import JobRow

Request = Mapping[str, Any]

_OVERRIDES_NOTHING = {"jobName", "jobQueue", "jobDefinition", "arrayProperties", "dependsOn", "shareIdentifier", "tags"}
"""Members of SubmitJob that `resolve` does not look at."""

_TYPES: Mapping[After, str] = {After.ANY: AFTER_ANY, After.FAILURE: AFTER_FAILURE}


def submit_job(context: Context, request: Request) -> dict[str, Any]:
    """SubmitJob. Answers jobArn, jobName and jobId; raises Refusal with nothing recorded."""
    if not names.is_job_name(request["jobName"]):
        raise refusals.job_name_invalid()
    if len(dump(request)) > context.settings.submit_job_kib_max * 1024:
        raise refusals.payload_too_large(context.settings.submit_job_kib_max)
    size = _array_size(context, request)
    wanted = _depends_on(request, size)
    tags = new_tags(request.get("tags"), "job")
    limit = max_parallel(tags, size)
    when = after(tags, has_plain_dependency=any("type" not in entry for entry in wanted))
    queue = open_queue(context, request)
    definition = find_job_definition(context.tx, request["jobDefinition"])
    if definition is None or definition.status != resources.ACTIVE:
        raise refusals.job_definition_not_found(request["jobDefinition"])
    if size is not None and "nodeProperties" in definition.document:
        raise refusals.array_of_nodes()
    resolved = with_defaults(_resolved(context, definition, request), queue.settings)
    _check_queue(context, queue, resolved, request)
    needs = consumable_needs(context.tx, resolved.consumable_resource_properties)
    edges = _edges(context, wanted, size, _TYPES.get(when))
    job_id, seq = context.ids.job_id(), context.tx.jobs.next_seq()
    tail = f"job/{job_id}"
    context.tx.tags.put(tail, tags)
    context.tx.consumable_resources.write_needs(seq, needs)
    row = JobRow(
        job=Job(JobKey(seq), JobStatus.SUBMITTED, context.now),
        job_id=job_id,
        job_name=request["jobName"],
        queue_id=queue.id,
        definition_id=definition.id,
        need=Room(resolved.vcpus, resolved.memory_mib, resolved.gpus),
        array_size=size,
        share_identifier=request.get("shareIdentifier"),
        scheduling_priority=resolved.scheduling_priority,
        consumes=bool(needs),
    )
    terms = Terms(
        job_id=job_id,
        job_name=request["jobName"],
        queue=queue.name,
        definition=definition.reference,
        definition_id=definition.id,
        resolved=resolved,
        depends_on=tuple(wanted),
        array_size=size,
        region=context.region,
    )
    _record(context, row, terms, _owned(edges, seq), limit)
    return {"jobArn": context.arn(tail), "jobName": row.job_name, "jobId": job_id}


def _resolved(context: Context, definition: JobDefinition, request: Request) -> ResolvedJob:
    """What is to be run. All requests that override nothing come to the same."""
    if request.keys() <= _OVERRIDES_NOTHING:
        return context.tx.remembered(("resolved", definition.id), lambda: resolve(definition, {}))
    return resolve(definition, request)


def _record(context: Context, row: JobRow, terms: Terms, edges: Sequence[Edge], max_parallel: int | None) -> None:
    changes = Changes(context.tx, context.now, context.terms)
    changes.submit(row, terms, edges, max_parallel)
    changes.settle()
    changes.save()


def _array_size(context: Context, request: Request) -> int | None:
    size = (request.get("arrayProperties") or {}).get("size")
    if size is not None and not 2 <= size <= context.settings.array_size_max:
        raise refusals.array_size_out_of_range(context.settings.array_size_max)
    return None if size is None else int(size)


def open_queue(context: Context, request: Request) -> JobQueue:
    """The queue that the request names. Raises Refusal for one that is unknown, DISABLED or being deleted."""
    queue = find_job_queue(context.tx, request["jobQueue"])
    if queue is None:
        raise refusals.job_queue_not_found(request["jobQueue"])
    if queue.state != resources.ENABLED or queue.status == resources.DELETING:
        raise refusals.job_queue_disabled(queue.name)
    return queue


def _check_queue(context: Context, queue: JobQueue, resolved: ResolvedJob, request: Request) -> None:
    found = (context.tx.compute_environments.get(name) for name in queue.compute_environments)
    check_platform(resolved.platform_capabilities, [environment.platform for environment in found if environment])
    is_shared = queue.scheduling_policy is not None
    share = request.get("shareIdentifier")
    if not is_shared and (share or request.get("schedulingPriorityOverride") is not None):
        raise refusals.share_identifier_on_fifo()
    if is_shared and not share:
        raise refusals.share_identifier_missing()
    if share and not names.is_share_identifier(share):
        raise refusals.share_identifier_invalid()
    if share:
        _check_active_shares(context, queue, share)


def _check_active_shares(context: Context, queue: JobQueue, share: str) -> None:
    """A queue has a limit of active shares: a job that adds one more is refused (API Reference, CreateJobQueue)."""
    shares = context.tx.shares
    policy = context.tx.scheduling_policies.get(queue.scheduling_policy or "")
    if policy is None or FAIRSHARE not in policy.document or shares.is_live(queue.id, share):
        return
    fair = fair_share_policy(policy.document[FAIRSHARE])
    active = active_shares(fair, shares.live(queue.id), shares.usages(queue.id), context.now)
    if share not in active and len(active) >= quotas.ACTIVE_SHARES_PER_QUEUE:
        raise refusals.too_many_active_shares(quotas.ACTIVE_SHARES_PER_QUEUE)


# --------------------------------------------------------------------------------------------------------- dependencies


def _depends_on(request: Request, size: int | None) -> list[dict[str, Any]]:
    """dependsOn as it will be echoed; what can be judged without looking anything up is refused here."""
    wanted = [{k: v for k, v in entry.items() if v} for entry in request.get("dependsOn") or ()]
    if len(wanted) > quotas.DEPENDENCIES_PER_JOB:
        raise refusals.too_many_dependencies()
    for entry in wanted:
        kind, job_id = entry.get("type"), entry.get("jobId")
        if kind is None and job_id is None:
            raise refusals.dependency_needs_job_id()
        if kind == SEQUENTIAL and size is None and job_id is None:
            raise refusals.sequential_needs_array()
        if kind == N_TO_N and job_id is None:
            raise refusals.n_to_n_needs_job_id()
        if kind == N_TO_N and size is None:
            raise refusals.n_to_n_needs_array()
    return wanted


def _edges(
    context: Context, wanted: Sequence[Mapping[str, Any]], size: int | None, plain_type: str | None
) -> list[Edge]:
    """The edges of a job that has no number yet; a SEQUENTIAL edge will point at the job itself. plain_type: of those
    that stand for entries without a type."""
    own = JobSeq(0)
    edges: list[Edge] = []
    for entry in wanted:
        if "jobId" in entry:
            reference = parse_job_id(entry["jobId"])
            found = context.tx.jobs.find(reference.job_id)
            if found is None or found.is_service_job:
                raise refusals.dependency_not_found(entry["jobId"])
            if entry.get("type") == N_TO_N:
                edges.append(_n_to_n(context, found, reference, len(edges), size))
            else:
                edge = _plain(context, found, reference, len(edges))
                edges.append(edge if "type" in entry else replace(edge, type=plain_type))
        if entry.get("type") == SEQUENTIAL and size is not None:
            edges.append(Edge(own, len(edges), SEQUENTIAL, own, succeeded=Indexes.span(0, 0)))
    return edges


def _owned(edges: Sequence[Edge], seq: JobSeq) -> list[Edge]:
    """The edges with the number that their job has been given."""
    return [edge.owned_by(seq) for edge in edges]


def _plain(context: Context, row: JobRow, reference: JobReference, position: int) -> Edge:
    index = reference.array_index
    is_child = index is not None and row.array_size is not None and index < row.array_size
    if reference.node_index is not None or (index is not None and not is_child):
        raise refusals.dependency_not_found(reference.text)
    status = row.job.status
    if index is not None and row.children is not None:
        segment = row.children.segment_of(index)
        child = None if segment else context.tx.array_children.get(row.seq, index, row.job.created_at)
        status = segment.status if segment else child.status if child else status
    outcome = status if status.is_terminal else None
    return Edge(JobSeq(0), position, None, row.seq, index, outcome)


def _n_to_n(context: Context, row: JobRow, reference: JobReference, position: int, size: int | None) -> Edge:
    if row.array_size is None or reference.array_index is not None:
        raise refusals.n_to_n_target_not_array(reference.text)
    if row.array_size != size:
        raise refusals.n_to_n_size_mismatch(reference.text, size or 1, row.array_size)
    succeeded = context.tx.array_children.indexes(row.seq, JobStatus.SUCCEEDED)
    failed = context.tx.array_children.indexes(row.seq, JobStatus.FAILED)
    failed |= NOTHING if row.children is None else row.children.waiting(JobStatus.FAILED)
    outcome = row.job.status if row.job.status.is_terminal else None
    return Edge(JobSeq(0), position, N_TO_N, row.seq, None, outcome, succeeded, failed)
