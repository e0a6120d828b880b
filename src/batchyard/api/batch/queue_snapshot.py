"""GetJobQueueSnapshot: what a queue will place next, and what its jobs hold (F 8.5)."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from batchyard.api.context import Context
from batchyard.api.references import find_job_queue
from batchyard.core import refusals
from batchyard.core.fair_share import FairSharePolicy, Turns, fair_share_policy, pledged, standings
from batchyard.core.job_queues import SAGEMAKER_TRAINING
from batchyard.core.jobs import JobStatus
from batchyard.core.resources import JobQueue
from batchyard.core.scheduling_policies import FAIRSHARE, QUOTA_SHARE
from batchyard.core.service_capacity import NUM_INSTANCES
from batchyard.store.jobs import JobRow

_JOBS_MAX = 100
_SHARES_MAX = 20


def get_job_queue_snapshot(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The first 100 RUNNABLE jobs and array children in the order of placement, and the vCPUs that the queue holds."""
    queue = find_job_queue(context.tx, request["jobQueue"])
    if queue is None:
        raise refusals.job_queue_not_found(request["jobQueue"])
    jobs = islice(_front(context, queue), _JOBS_MAX)
    answer: dict[str, Any] = {
        "frontOfQueue": {"jobs": list(jobs), "lastUpdatedAt": context.now},
        "queueUtilization": {**_utilization(context, queue), "lastUpdatedAt": context.now},
    }
    if _policy(context, queue) == QUOTA_SHARE:
        answer["frontOfQuotaShares"] = {"quotaShares": _quota_fronts(context, queue), "lastUpdatedAt": context.now}
    return answer


def _policy(context: Context, queue: JobQueue) -> str | None:
    """The kind of the queue's scheduling policy."""
    policy = context.tx.scheduling_policies.get(queue.scheduling_policy or "")
    return None if policy is None else FAIRSHARE if FAIRSHARE in policy.document else QUOTA_SHARE


def _quota_fronts(context: Context, queue: JobQueue) -> dict[str, list[dict[str, Any]]]:
    """The first RUNNABLE job of each quota share that has one."""
    shares = context.tx.shares
    fronts = {share: shares.first(queue.id, share, 1) for share in shares.placeable(queue.id)}
    return {share: [entry for row in rows for entry in _runnable(context, row)] for share, rows in fronts.items()}


def _front(context: Context, queue: JobQueue) -> Iterator[dict[str, Any]]:
    """What is RUNNABLE in the order of placement; what cannot fit comes last."""
    policy = context.tx.scheduling_policies.get(queue.scheduling_policy or "")
    if policy is not None and FAIRSHARE in policy.document:
        yield from _by_share(context, queue, fair_share_policy(policy.document[FAIRSHARE]))
    else:
        for row in context.tx.queue_fronts.first(queue.id, _JOBS_MAX):
            yield from _runnable(context, row)
    for row in context.tx.queue_fronts.misfits(queue.id, _JOBS_MAX):
        yield from _runnable(context, row)


def _by_share(context: Context, queue: JobQueue, policy: FairSharePolicy) -> Iterator[dict[str, Any]]:
    """Job after job of the share whose turn it is, as they would be placed were there room for all of them now."""
    shares = context.tx.shares
    found = standings(policy, shares.placeable(queue.id), shares.usages(queue.id), shares.held(queue.id), context.now)
    turns = Turns((standing, shares.first(queue.id, share, _JOBS_MAX)) for share, standing in found.items())
    entries: dict[int, Iterator[dict[str, Any]]] = {}
    while (row := turns.head()) is not None:
        if row.seq not in entries:
            entries[row.seq] = _runnable(context, row)
        charge = pledged(policy, row.need.vcpus)
        most = turns.most(charge)
        yield from islice(entries[row.seq], most)
        turns.take(most, charge)


def _runnable(context: Context, row: JobRow) -> Iterator[dict[str, Any]]:
    """A job, or the next RUNNABLE children of an array: those that run again first, as they are placed."""
    if row.children is None:
        kind = "service-job" if row.is_service_job else "job"
        yield _entry(context, f"{kind}/{row.job_id}", context.tx.queue_fronts.runnable_since(row.seq))
        return
    again = context.tx.array_children.with_status(row.seq, (JobStatus.RUNNABLE,), -1, _JOBS_MAX, row.job.created_at)
    indexes = [child.key.array_index for child in again if child.key.array_index is not None]
    for first, last in row.children.waiting(JobStatus.RUNNABLE).spans:
        indexes += range(first, min(last + 1, first + _JOBS_MAX - len(indexes)))
    if indexes:
        yield from _children(context, row, indexes)


def _children(context: Context, row: JobRow, indexes: Sequence[int]) -> Iterator[dict[str, Any]]:
    since = context.tx.queue_fronts.children_runnable_since(row.seq, min(indexes), max(indexes))
    for index in indexes:
        yield _entry(context, f"job/{row.job_id}:{index}", since[index])


def _entry(context: Context, tail: str, since: int) -> dict[str, Any]:
    return {"jobArn": context.arn(tail), "earliestTimeAtPosition": since}


def _utilization(context: Context, queue: JobQueue) -> dict[str, Any]:
    if queue.document["jobQueueType"] == SAGEMAKER_TRAINING:
        used, unit = context.tx.queue_fronts.instances_in_use(queue.id), NUM_INSTANCES
    else:
        used = context.tx.queue_fronts.vcpus_in_use(queue.id)
        unit = "cpu" if queue.document["jobQueueType"] == "EKS" else "VCPU"
    found: dict[str, Any] = {
        "totalCapacityUsage": [{"capacityUnit": unit, "quantity": sum(vcpus for _, vcpus in used)}]
    }
    kind = _policy(context, queue)
    top = [(share, [{"capacityUnit": unit, "quantity": quantity}]) for share, quantity in used[:_SHARES_MAX]]
    if kind == FAIRSHARE:
        found["fairshareUtilization"] = {
            "activeShareCount": len(used),
            "topCapacityUtilization": [{"shareIdentifier": share, "capacityUsage": usage} for share, usage in top],
        }
    if kind == QUOTA_SHARE:
        found["quotaShareUtilization"] = {
            "topCapacityUtilization": [{"quotaShareName": share, "capacityUsage": usage} for share, usage in top]
        }
    return found
