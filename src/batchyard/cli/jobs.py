"""Jobs as the API describes them, and the ways in which people name them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from batchyard.cli.connection import Connection
from batchyard.cli.problem import CommandProblem

Job = dict[str, Any]
"""A JobDetail or a JobSummary, with AWS's members."""

LIVE = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
FINISHED = ("SUCCEEDED", "FAILED")
DESCRIBED_MAX = 100
"""How many ids one DescribeJobs takes."""

PREFIX_CHARACTERS_MIN = 6
_JOB_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SUFFIX = re.compile(r"[:#][0-9]+$")
_SEARCHED_MAX = 20_000
_SHOWN_CANDIDATES_MAX = 8


def describe(connection: Connection, job_ids: Iterable[str]) -> dict[str, Job]:
    """What DescribeJobs says of each id, however many they are; ids that name nothing are left out."""
    found: dict[str, Job] = {}
    ids = iter(job_ids)
    while some := list(islice(ids, DESCRIBED_MAX)):
        found |= {job["jobId"]: job for job in connection.batch.describe_jobs(jobs=some)["jobs"]}
    return found


def describe_again(connection: Connection, job: Job) -> Job:
    """The job as it is now; a server that is being restarted is waited for.

    Raises CommandProblem if the job is no longer known.
    """
    found = connection.patiently(lambda: describe(connection, [job["jobId"]]))
    if not found:
        raise CommandProblem(f"The job {job['jobId']} is no longer known.")
    return found[job["jobId"]]


def list_jobs(connection: Connection, limit: int | None = None, **question: Any) -> Iterator[Job]:
    """The summaries that ListJobs gives for a question (jobQueue, arrayJobId, jobStatus, filters), page by page."""
    pages = connection.batch.get_paginator("list_jobs").paginate(**question)
    return islice((job for page in pages for job in page["jobSummaryList"]), limit)


def find_jobs(connection: Connection, queue: str, references: Sequence[str]) -> list[Job]:
    """The details of the jobs that people mean, in their order.

    A reference is an id, the beginning of one, or a name; `:7` behind it means an array child. Beginnings and names are
    looked for in the queue. Raises CommandProblem for one that means no job, or several.
    """
    ids = [job_id_of(connection, queue, reference) for reference in references]
    found = describe(connection, dict.fromkeys(ids))
    for reference, job_id in zip(references, ids, strict=True):
        if job_id not in found:
            raise CommandProblem(f"There is no job {reference}.")
    return [found[job_id] for job_id in ids]


def find_job(connection: Connection, queue: str, reference: str) -> Job:
    """As `find_jobs`, for one."""
    return find_jobs(connection, queue, [reference])[0]


def job_id_of(connection: Connection, queue: str, reference: str) -> str:
    """The id that a reference means; a whole id is taken at its word. Raises CommandProblem."""
    suffix = found.group() if (found := _SUFFIX.search(reference)) else ""
    name = reference.removesuffix(suffix)
    if _JOB_ID.fullmatch(name):
        return reference
    candidates = _named(connection, queue, name) or _beginning_with(connection, queue, name)
    if len(candidates) > 1:
        live = [job for job in candidates if job["status"] in LIVE]
        candidates = live if len(live) == 1 else candidates
    if not candidates:
        raise CommandProblem(f"There is no job {reference} in the queue {queue}.")
    if len(candidates) > 1:
        raise CommandProblem(_ambiguous(reference, candidates))
    return str(candidates[0]["jobId"]) + suffix


def _named(connection: Connection, queue: str, name: str) -> list[Job]:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise CommandProblem(f"{name!r} is neither a job's id nor its name.")
    filters = [{"name": "JOB_NAME", "values": [name]}]
    jobs = list_jobs(connection, _SHOWN_CANDIDATES_MAX + 1, jobQueue=queue, filters=filters)
    return [job for job in jobs if job["jobName"] == name]


def _beginning_with(connection: Connection, queue: str, beginning: str) -> list[Job]:
    if len(beginning) < PREFIX_CHARACTERS_MIN or not re.fullmatch(r"[0-9a-f-]+", beginning):
        return []
    return [
        job
        for status in (*reversed(LIVE), *FINISHED)
        for job in list_jobs(connection, _SEARCHED_MAX, jobQueue=queue, jobStatus=status)
        if job["jobId"].startswith(beginning)
    ]


def _ambiguous(reference: str, candidates: Sequence[Job]) -> str:
    shown = [f"  {job['jobId']}  {job['status']}  {job['jobName']}" for job in candidates[:_SHOWN_CANDIDATES_MAX]]
    more = ["  and more"] if len(candidates) > _SHOWN_CANDIDATES_MAX else []
    return "\n".join([f"{reference} may mean several jobs:", *shown, *more])


# -------------------------------------------------------------------------------------------------------- what they say


def is_array(job: Job) -> bool:
    """Whether this is an array's parent."""
    return "size" in job.get("arrayProperties", {})


def is_finished(job: Job) -> bool:
    """Whether nothing of this job will change any more."""
    return job["status"] in FINISHED


def children_by_status(job: Job) -> dict[str, int]:
    """How many children of an array are in each status, in the order of a job's life."""
    summary = job["arrayProperties"].get("statusSummary", {})
    return {status: summary.get(status, 0) for status in (*LIVE, *FINISHED)}


def tail_of_arn(reference: str) -> str:
    """The name at the end of an ARN, with the revision if it has one; a plain name is returned as it is."""
    return reference.rpartition("/")[2]
