"""CancelJob, TerminateJob, TerminateServiceJob and their bulk forms (F 5.4).

The calls succeed for jobs that have ended and for ids that name nothing; what they do to a job in each status is the
lifecycle's to say. The engine stops what runs after the commit, by comparing rows with the executor.
"""

from collections.abc import Callable, Mapping
from typing import Any

from batchyard.api.batch.job_references import find_job, find_service_job, parse_job_id
from batchyard.api.context import Context
from batchyard.core import quotas, refusals
from batchyard.core.events import CancelRequested, TerminateRequested
from batchyard.core.jobs import JobKey
from batchyard.core.refusals import Refusal
from batchyard.engine.apply import Changes
from batchyard.store.jobs import JobRow
from batchyard.store.transaction import Transaction

_Kind = type[CancelRequested] | type[TerminateRequested]
_Find = Callable[[Transaction, str], tuple[JobRow, JobKey] | None]


def cancel_job(context: Context, request: Mapping[str, Any]) -> dict[str, Any]:
    """CancelJob: jobs that have not started fail; STARTING and RUNNING ones are left alone."""
    _end(context, request["jobId"], CancelRequested, _reason(request))
    return {}


def terminate_job(context: Context, request: Mapping[str, Any]) -> dict[str, Any]:
    """TerminateJob: jobs that have not started fail; STARTING and RUNNING ones are stopped and fail."""
    _end(context, request["jobId"], TerminateRequested, _reason(request))
    return {}


def cancel_jobs(context: Context, request: Mapping[str, Any]) -> dict[str, Any]:
    """CancelJobs: up to 50 ids, each on its own; unknown ids count as processed."""
    return _end_many(context, request, CancelRequested)


def terminate_jobs(context: Context, request: Mapping[str, Any]) -> dict[str, Any]:
    """TerminateJobs: up to 50 ids, each on its own; unknown ids count as processed."""
    return _end_many(context, request, TerminateRequested)


def terminate_service_job(context: Context, request: Mapping[str, Any]) -> dict[str, Any]:
    """TerminateServiceJob: a service job that has not started fails; one that has is stopped and fails."""
    _end(context, request["jobId"], TerminateRequested, _reason(request), _find_service_job)
    return {}


def terminate_service_jobs(context: Context, request: Mapping[str, Any]) -> dict[str, Any]:
    """TerminateServiceJobs: up to 50 ids, each on its own; unknown ids count as processed."""
    return _end_many(context, request, TerminateRequested, _find_service_job)


def _find_job(tx: Transaction, job_id: str) -> tuple[JobRow, JobKey] | None:
    return find_job(tx, parse_job_id(job_id))


def _find_service_job(tx: Transaction, job_id: str) -> tuple[JobRow, JobKey] | None:
    row = find_service_job(tx, job_id)
    return None if row is None else (row, row.job.key)


def _reason(request: Mapping[str, Any]) -> str:
    reason: str = request["reason"]
    if not reason:
        raise refusals.reason_missing()
    if len(reason) > quotas.REASON_CHARACTERS:
        raise refusals.reason_too_long()
    return reason


def _end(context: Context, job_id: str, kind: _Kind, reason: str, find: _Find = _find_job) -> None:
    found = find(context.tx, job_id)
    if found is None:
        return
    row, key = found
    changes = Changes(context.tx, context.now, context.terms)
    changes.know([row])
    changes.request(key, kind(context.now, reason))
    changes.settle()
    changes.save()


def _end_many(context: Context, request: Mapping[str, Any], kind: _Kind, find: _Find = _find_job) -> dict[str, Any]:
    reason = _reason(request)
    if len(request["jobs"]) > quotas.BULK_JOB_IDS:
        raise refusals.too_many_jobs_in_bulk(quotas.BULK_JOB_IDS)
    successful: list[str] = []
    errors: list[dict[str, str]] = []
    for job_id in request["jobs"]:
        try:
            _end(context, job_id, kind, reason, find)
        except Refusal as refusal:
            errors.append({"job": job_id, "code": refusal.code, "message": refusal.text})
        else:
            successful.append(job_id)
    return {"successful": successful, "errors": errors}
