"""DescribeJobs: up to 100 jobs, array children included; ids that name nothing are left out (F 1.7).

A child that has no row yet is answered from its parent's row, so describing a waiting child costs what describing its
parent costs. What lies behind the ids is read in a few queries, however many there are.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from batchyard.api.batch.clusters import Clusters
from batchyard.api.batch.job_details import job_detail
from batchyard.api.batch.job_references import JobReference, key_in, parse_job_id
from batchyard.api.batch.jobs_in_rows import jobs_of
from batchyard.api.batch.nodes import Nodes, is_node
from batchyard.api.context import Context
from batchyard.core import quotas, refusals
from batchyard.core.jobs import JobKey
from batchyard.store.jobs import JobRow

_Named = tuple[JobReference, JobRow, JobKey]


def describe_jobs(context: Context, request: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeJobs. Raises Refusal for too many ids or characters that no id has."""
    if len(request["jobs"]) > quotas.DESCRIBE_JOBS_IDS:
        raise refusals.too_many_jobs()
    references = list(dict.fromkeys(parse_job_id(text) for text in request["jobs"]))
    rows = context.tx.jobs.find_many(sorted({reference.job_id for reference in references}))
    named: list[_Named] = []
    for reference in references:
        row = rows.get(reference.job_id)
        key = key_in(row, reference)
        if row is not None and key is not None:
            named.append((reference, row, key))
    return {"jobs": _describe(context, named)}


def _describe(context: Context, named: Sequence[_Named]) -> list[dict[str, Any]]:
    tx, clusters, found = context.tx, Clusters(context), []
    terms_of = tx.jobs.terms_of(sorted({row.seq for _, row, _ in named}))
    jobs = jobs_of(tx, ((row, key) for _, row, key in named))
    attempts_of = tx.attempts.of_jobs(key for _, _, key in named)
    tags_of = tx.tags.get_many(f"job/{row.job_id}" for _, row, key in named if key.array_index is None)
    for reference, row, key in named:
        terms, attempts, node = terms_of[row.seq], attempts_of.get(key, []), reference.node_index
        tags = tags_of[f"job/{row.job_id}"] if key.array_index is None else {}
        detail = job_detail(context, clusters, row, jobs[key], terms, attempts, tags)
        if node is None:
            found.append(detail)
        elif is_node(terms, node):
            found.append(Nodes(context, row, terms, attempts).detail(detail, clusters, node))
    return found
