"""DescribeServiceJob, ListServiceJobs, UpdateServiceJob (F 8.8).

A queue holds jobs of one kind only, so lists of service jobs and of other jobs never meet. What has been placed and
does not run yet is SCHEDULED: it may still fall back to RUNNABLE. One machine has nothing to show as STARTING.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from batchyard.api.batch.job_references import find_service_job
from batchyard.api.batch.list_filters import millis, one_filter
from batchyard.api.context import Context
from batchyard.api.pagination import Page
from batchyard.api.references import find_job_queue
from batchyard.core import refusals
from batchyard.core.job_definitions import check_scheduling_priority
from batchyard.core.jobs import Attempt, JobKey, JobStatus, StopCause, Terms
from batchyard.core.service_capacity import NUM_INSTANCES
from batchyard.core.training import SAGEMAKER_TRAINING
from batchyard.store import job_lists
from batchyard.store.jobs import JobRow
from batchyard.store.name_patterns import Condition
from batchyard.store.service_jobs import of_quota_share, of_share_identifier

Request = Mapping[str, Any]

_SCHEDULED = "SCHEDULED"
_RECENT_MAX = 10


def describe_service_job(context: Context, request: Request) -> dict[str, Any]:
    """DescribeServiceJob: one service job, with all its attempts that have ended. Raises Refusal for an unknown id."""
    row = _required(context, request["jobId"])
    terms = context.tx.jobs.terms(row.seq)
    tags = context.tx.tags.get(f"service-job/{row.job_id}")
    return service_job_detail(context, row, terms, context.tx.attempts.of_job(JobKey(row.seq))) | {"tags": tags}


def service_job_detail(context: Context, row: JobRow, terms: Terms, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """A service job without its tags; attempts: all of them, oldest first."""
    service = terms.service
    assert service is not None
    detail = {
        **_common(context, row, terms, attempts[-1] if attempts else None),
        "attempts": [_attempt(context, each) for each in attempts if each.stopped_at is not None],
        "jobQueue": context.arn(f"job-queue/{terms.queue}"),
        "preemptionConfiguration": service.preemption_configuration,
        "preemptionSummary": _preemptions(context, attempts),
        "retryStrategy": terms.resolved.retry_strategy,
        "schedulingPriority": row.scheduling_priority,
        "serviceRequestPayload": service.payload,
        "timeoutConfig": service.timeout_config,
        "isTerminated": row.job.is_terminated,
    }
    return {name: value for name, value in detail.items() if value is not None}


def list_service_jobs(context: Context, request: Request) -> dict[str, Any]:
    """ListServiceJobs: the service jobs of a queue, newest first; RUNNING ones unless another status is asked for."""
    if not request.get("jobQueue"):
        raise refusals.list_service_jobs_needs_queue()
    queue = find_job_queue(context.tx, request["jobQueue"])
    if queue is None:
        raise refusals.job_queue_not_found(request["jobQueue"])
    conditions = _conditions(request)
    page = Page(context, "ListServiceJobs", request, filters=("jobQueue", "jobStatus", "filters"))
    before = job_lists.FIRST_PAGE if page.after is None else page.after
    is_empty = queue.document["jobQueueType"] != SAGEMAKER_TRAINING or conditions is None
    rows = [] if is_empty else context.tx.job_lists.page(queue.id, conditions or (), before, page.fetch)
    terms = context.tx.jobs.terms_of([row.seq for row in rows])
    attempts = context.tx.attempts.latest_of_jobs(row.job.key for row in rows)

    def show(row: JobRow) -> dict[str, Any]:
        summary = _common(context, row, terms[row.seq], attempts.get(row.job.key))
        return {name: value for name, value in summary.items() if value is not None}

    return page.answer("jobSummaryList", rows, show, lambda row: row.seq)


def update_service_job(context: Context, request: Request) -> dict[str, Any]:
    """UpdateServiceJob: change the scheduling priority of a job that has not ended. Raises Refusal."""
    row = _required(context, request["jobId"])
    priority = check_scheduling_priority(request["schedulingPriority"])
    if row.job.status.is_terminal:
        raise refusals.service_job_has_ended(row.job_id)
    context.tx.service_jobs.set_scheduling_priority(row.seq, priority)
    return {"jobArn": context.arn(f"service-job/{row.job_id}"), "jobName": row.job_name, "jobId": row.job_id}


def _required(context: Context, job_id: str) -> JobRow:
    row = find_service_job(context.tx, job_id)
    if row is None:
        raise refusals.service_job_not_found(job_id)
    return row


# --------------------------------------------------------------------------------------------------------- conditions


def _conditions(request: Request) -> Sequence[Condition] | None:
    """What the rows must meet; None if none can. A filter replaces the status, but for those on shares."""
    found = one_filter(request)
    if found is None:
        return _with_status(request)
    name, value = found
    match name:
        case "JOB_NAME":
            return [job_lists.named(value)]
        case "BEFORE_CREATED_AT":
            return [job_lists.created(before=millis(name, value))]
        case "AFTER_CREATED_AT":
            return [job_lists.created(after=millis(name, value))]
        case "SHARE_IDENTIFIER" | "QUOTA_SHARE_NAME":
            of_share = of_share_identifier(value) if name == "SHARE_IDENTIFIER" else of_quota_share(value)
            with_status = _with_status(request)
            return None if with_status is None else [of_share, *with_status]
    raise refusals.filter_name_unknown(name)


def _with_status(request: Request) -> Sequence[Condition] | None:
    wanted = request.get("jobStatus") or JobStatus.RUNNING.value
    if wanted == JobStatus.STARTING:
        return None
    return [job_lists.with_status(JobStatus.STARTING if wanted == _SCHEDULED else JobStatus(wanted))]


# ------------------------------------------------------------------------------------------------------------- members


def _common(context: Context, row: JobRow, terms: Terms, latest: Attempt | None) -> dict[str, Any]:
    """What summaries and details both say; None for what is left out."""
    job, service = row.job, terms.service
    assert service is not None
    return {
        "jobArn": context.arn(f"service-job/{row.job_id}"),
        "jobId": row.job_id,
        "jobName": row.job_name,
        "serviceJobType": SAGEMAKER_TRAINING,
        "createdAt": job.created_at,
        "scheduledAt": job.scheduled_at,
        "startedAt": job.started_at,
        "stoppedAt": job.stopped_at,
        "status": _SCHEDULED if job.status is JobStatus.STARTING else job.status.value,
        "statusReason": job.status_reason,
        "shareIdentifier": None if service.quota_share_name else row.share_identifier,
        "quotaShareName": service.quota_share_name,
        "capacityUsage": [{"capacityUnit": NUM_INSTANCES, "quantity": 1.0}],
        "latestAttempt": None if latest is None else {"serviceResourceId": _resource(context, latest)},
        "isTerminated": job.is_terminated or None,
    }


def _resource(context: Context, attempt: Attempt) -> dict[str, str]:
    """The training job that an attempt is; its log stream begins with the name."""
    name = attempt.log_stream.partition("/")[0]
    return {"name": "TrainingJobArn", "value": context.arn(f"training-job/{name}", service="sagemaker")}


def _preemptions(context: Context, attempts: Sequence[Attempt]) -> dict[str, Any] | None:
    """How often a job was preempted, and its latest attempts that were."""
    found = [a for a in attempts if a.stopped_at is not None and a.stop_wanted is StopCause.PREEMPTED]
    recent = [_attempt(context, attempt) for attempt in found[-_RECENT_MAX:]]
    return {"preemptedAttemptCount": len(found), "recentPreemptedAttempts": recent} if found else None


def _attempt(context: Context, attempt: Attempt) -> dict[str, Any]:
    detail = {
        "serviceResourceId": _resource(context, attempt),
        "startedAt": attempt.started_at,
        "stoppedAt": attempt.stopped_at,
        "statusReason": attempt.status_reason,
    }
    return {name: value for name, value in detail.items() if value is not None}
