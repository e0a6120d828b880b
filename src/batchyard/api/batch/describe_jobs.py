"""DescribeJobs: up to 100 jobs, array children included; ids that name nothing are left out (F 1.7).

A child that has no row yet is answered from its parent's row, so describing a waiting child costs what describing its
parent costs.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from batchyard.api.batch.clusters import Clusters
from batchyard.api.batch.job_details import job_detail
from batchyard.api.batch.job_references import JobReference, key_in, parse_job_id
from batchyard.api.batch.nodes import Nodes, is_node
from batchyard.api.context import Context
from batchyard.core import arrays, quotas, refusals
from batchyard.core.ids import JobSeq
from batchyard.core.jobs import Job, JobKey, JobStatus, Terms
from batchyard.store.jobs import JobRow


def describe_jobs(context: Context, request: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeJobs. Raises Refusal for too many ids or characters that no id has."""
    if len(request["jobs"]) > quotas.DESCRIBE_JOBS_IDS:
        raise refusals.too_many_jobs()
    references = list(dict.fromkeys(parse_job_id(text) for text in request["jobs"]))
    rows = context.tx.jobs.find_many(sorted({reference.job_id for reference in references}))
    clusters, terms_of = Clusters(context), cache(context.tx.jobs.terms)  # children share their parent's terms
    described = (_describe(context, clusters, terms_of, rows, reference) for reference in references)
    return {"jobs": [found for found in described if found is not None]}


def _describe(
    context: Context,
    clusters: Clusters,
    terms_of: Callable[[JobSeq], Terms],
    rows: Mapping[str, JobRow],
    reference: JobReference,
) -> dict[str, Any] | None:
    row = rows.get(reference.job_id)
    key = key_in(row, reference)
    if row is None or key is None:
        return None
    terms, node = terms_of(row.seq), reference.node_index
    if node is not None and not is_node(terms, node):
        return None
    job = job_of(context, row, key)
    is_child = key.array_index is not None
    attempts = context.tx.attempts.of_job(key) if row.array_size is None or is_child else []
    tags: Mapping[str, str] = {} if is_child else context.tx.tags.get(f"job/{row.job_id}")
    detail = job_detail(context, clusters, row, job, terms, attempts, tags)
    return detail if node is None else Nodes(context, row, terms, attempts).detail(detail, clusters, node)


def job_of(context: Context, row: JobRow, key: JobKey) -> Job:
    """The job that `key` names within its row."""
    if key.array_index is None:
        return row.job
    if row.children is None:
        return Job(key, JobStatus.SUBMITTED, row.job.created_at)
    segment = row.children.segment_of(key.array_index)
    if segment is not None:
        return arrays.child_job(key.seq, row.job, segment, key.array_index)
    child = context.tx.array_children.get(key.seq, key.array_index, row.job.created_at)
    assert child is not None, f"{key} is neither in a segment nor has it a row"
    return child
