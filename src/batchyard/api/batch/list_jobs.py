"""ListJobs: the jobs of a queue newest first, the children of an array or the nodes of a job by index (F 9).

One status at a time, RUNNING unless another is named. With a filter the status is ignored, except SHARE_IDENTIFIER,
which combines with it. Children never appear in a queue's list. Pages continue after a key, not after a count, so they
neither repeat nor skip what stood still while other jobs came and went.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from batchyard.api.batch.job_details import status_summary
from batchyard.api.batch.job_references import parse_job_id
from batchyard.api.batch.list_filters import millis, one_filter
from batchyard.api.batch.nodes import Nodes
from batchyard.api.context import Context
from batchyard.api.pagination import Page
from batchyard.api.references import find_job_queue, tail_of
from batchyard.core import arrays, refusals
from batchyard.core.job_queues import SAGEMAKER_TRAINING
from batchyard.core.jobs import Attempt, Job, JobStatus
from batchyard.store import job_lists
from batchyard.store.jobs import JobRow
from batchyard.store.name_patterns import Condition

PAGE_MAX = 1000
FILTERED_PAGE_MAX = 100
PAGE_DEFAULT = 100

_QUESTION = ("jobQueue", "arrayJobId", "jobStatus", "filters")

Request = Mapping[str, Any]


def list_jobs(context: Context, request: Request) -> dict[str, Any]:
    """ListJobs. Raises Refusal unless exactly one of queue, array and multi-node job is named."""
    selectors = [n for n in ("jobQueue", "arrayJobId", "multiNodeJobId") if request.get(n)]
    if len(selectors) != 1:
        raise refusals.list_jobs_needs_one_selector()
    if selectors == ["multiNodeJobId"]:
        return _nodes(context, request)
    if selectors == ["arrayJobId"]:
        return _children(context, request)
    return _of_queue(context, request)


def _status(request: Request) -> JobStatus:
    return JobStatus(request.get("jobStatus") or "RUNNING")


def _page(context: Context, request: Request, largest: int) -> Page:
    page = Page(context, "ListJobs", request, filters=_QUESTION, largest=largest)
    if not request.get("maxResults"):
        page.limit, page.fetch = PAGE_DEFAULT, PAGE_DEFAULT + 1
    return page


# ---------------------------------------------------------------------------------------------------- queues


def _of_queue(context: Context, request: Request) -> dict[str, Any]:
    queue = find_job_queue(context.tx, request["jobQueue"])
    if queue is None:
        raise refusals.job_queue_not_found(request["jobQueue"])
    conditions, is_filtered = _conditions(request)
    page = _page(context, request, FILTERED_PAGE_MAX if is_filtered else PAGE_MAX)
    before = job_lists.FIRST_PAGE if page.after is None else page.after
    has_jobs = queue.document["jobQueueType"] != SAGEMAKER_TRAINING  # service jobs have a list of their own
    rows = context.tx.job_lists.page(queue.id, conditions, before, page.fetch) if has_jobs else []
    attempts = context.tx.attempts.latest_of_jobs(row.job.key for row in rows if row.array_size is None)
    definitions = context.tx.job_definitions.references(
        {row.definition_id for row in rows if row.definition_id is not None}
    )

    def show(row: JobRow) -> dict[str, Any]:
        assert row.definition_id is not None
        return _summary(context, row, row.job, attempts.get(row.job.key), definitions[row.definition_id])

    return page.answer("jobSummaryList", rows, show, lambda row: row.seq)


def _conditions(request: Request) -> tuple[list[Condition], bool]:
    """What the rows must meet, and whether a filter is among it."""
    found = one_filter(request)
    if found is None:
        return [job_lists.with_status(_status(request))], False
    name, value = found
    match name:
        case "JOB_NAME":
            return [job_lists.named(value)], True
        case "JOB_DEFINITION":
            return [job_lists.of_definition(_definition_pattern(value))], True
        case "BEFORE_CREATED_AT":
            return [job_lists.created(before=millis(name, value))], True
        case "AFTER_CREATED_AT":
            return [job_lists.created(after=millis(name, value))], True
        case "SHARE_IDENTIFIER":
            return [job_lists.of_share(value), job_lists.with_status(_status(request))], True
    raise refusals.filter_name_unknown(name)


def _definition_pattern(value: str) -> str:
    """The name, `name:revision` or prefix in a JOB_DEFINITION filter, which may be an ARN."""
    tail = tail_of(value)
    pattern = value if tail is None else tail.removeprefix("job-definition/")
    name, colon, revision = pattern.partition(":")
    if not name or (colon and not (revision.isascii() and revision.isdigit() and len(revision) < 10)):
        raise refusals.filter_value_invalid("JOB_DEFINITION")
    return pattern


# ---------------------------------------------------------------------------------------------------- children


def _children(context: Context, request: Request) -> dict[str, Any]:
    reference = parse_job_id(request["arrayJobId"])
    row = context.tx.jobs.find(reference.job_id)
    is_parent = row is not None and row.array_size is not None
    if row is None or not is_parent or reference.array_index is not None:
        raise refusals.array_job_not_found(request["arrayJobId"])
    page = _page(context, request, PAGE_MAX)
    after = -1 if page.after is None else page.after
    jobs = _children_in(context, row, _status(request), after, page.fetch)
    attempts = context.tx.attempts.latest_of_jobs(job.key for job in jobs)
    parent = row

    def show(job: Job) -> dict[str, Any]:
        return _summary(context, parent, job, attempts.get(job.key), None)

    return page.answer("jobSummaryList", jobs, show, _index)


def _index(child: Job) -> int:
    assert child.key.array_index is not None
    return child.key.array_index


def _children_in(context: Context, row: JobRow, status: JobStatus, after: int, limit: int) -> list[Job]:
    """Children in one status beyond index `after`: those with rows and those in segments, merged by index."""
    if row.children is None:
        return []
    with_rows = context.tx.array_children.with_status(row.seq, (status,), after, limit, row.job.created_at)
    found = list(with_rows)
    room = limit
    for segment in row.children.segments:
        if segment.status is not status or segment.last <= after or room <= 0:
            continue
        first = max(segment.first, after + 1)
        last = min(segment.last, first + room - 1)
        found += [arrays.child_job(row.seq, row.job, segment, index) for index in range(first, last + 1)]
        room -= last - first + 1
    return sorted(found, key=_index)[:limit]


# ---------------------------------------------------------------------------------------------------- nodes


def _nodes(context: Context, request: Request) -> dict[str, Any]:
    reference = parse_job_id(request["multiNodeJobId"])
    row = context.tx.jobs.find(reference.job_id)
    terms = None if row is None else context.tx.jobs.terms(row.seq)
    if row is None or terms is None or terms.resolved.node_properties is None or reference.node_index is not None:
        raise refusals.multi_node_job_not_found(request["multiNodeJobId"])
    page = _page(context, request, PAGE_MAX)
    first = 0 if page.after is None else page.after + 1
    nodes = Nodes(context, row, terms, context.tx.attempts.of_job(row.job.key)[-1:])
    status, parent = _status(request), row
    jobs = ((node, nodes.job(node)) for node in range(first, nodes.number))
    listed = list(islice(((node, job) for node, job in jobs if job.status is status), page.fetch))

    def show(pair: tuple[int, Job]) -> dict[str, Any]:
        node, job = pair
        job_id, outcome = f"{parent.job_id}#{node}", nodes.outcome(node)
        return {
            **_summary(context, parent, job, None, terms.definition),
            "jobArn": context.arn(f"job/{job_id}"),
            "jobId": job_id,
            "nodeProperties": nodes.summary_properties(node),
        } | ({} if outcome is None else {"container": outcome})

    return page.answer("jobSummaryList", listed, show, lambda pair: pair[0])


# ---------------------------------------------------------------------------------------------------- summaries


def _summary(
    context: Context, row: JobRow, job: Job, attempt: Attempt | None, definition: str | None
) -> dict[str, Any]:
    index = job.key.array_index
    job_id = row.job_id if index is None else f"{row.job_id}:{index}"
    summary = {
        "jobArn": context.arn(f"job/{job_id}"),
        "jobId": job_id,
        "jobName": row.job_name,
        "createdAt": job.created_at,
        "status": job.status.value,
        "statusReason": job.status_reason,
        "startedAt": job.started_at,
        "stoppedAt": job.stopped_at,
        "container": _container(attempt),
        "arrayProperties": _array_properties(row, index),
        "jobDefinition": None if definition is None else context.arn(f"job-definition/{definition}"),
        "shareIdentifier": row.share_identifier,
        "scheduledAt": job.scheduled_at,
        "isCancelled": job.is_cancelled or None,
        "isTerminated": job.is_terminated or None,
    }
    return {name: value for name, value in summary.items() if value is not None}


def _container(attempt: Attempt | None) -> dict[str, Any] | None:
    if attempt is None or attempt.stopped_at is None:
        return None
    found: dict[str, Any] = {}
    if attempt.exit_code is not None:
        found["exitCode"] = attempt.exit_code
    if attempt.reason is not None:
        found["reason"] = attempt.reason[:255]
    return found


def _array_properties(row: JobRow, index: int | None) -> dict[str, Any] | None:
    if row.array_size is None:
        return None
    if index is not None:
        return {"index": index}
    found: dict[str, Any] = {"size": row.array_size}
    if row.children is not None:
        found["statusSummary"] = status_summary(row.children)
    if row.children_updated_at is not None:
        found["statusSummaryLastUpdatedAt"] = row.children_updated_at
    return found
