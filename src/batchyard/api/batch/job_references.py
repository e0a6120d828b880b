"""Job ids as clients write them: a UUID, `UUID:index` for an array child, `UUID#node`, or a job's ARN.

Service jobs are looked up apart: neither kind is found by the operations of the other.
"""

import re
from dataclasses import dataclass

from batchyard.core import refusals
from batchyard.core.jobs import JobKey
from batchyard.store.jobs import JobRow
from batchyard.store.transaction import Transaction

_ID = re.compile(r"(?P<job>[a-zA-Z0-9_-]{1,128})(?:(?P<mark>[:#])(?P<number>[0-9]{1,9}))?")
_SERVICE_JOB = re.compile(r"(?:arn:[^:]+:batch:[^:]*:[^:]*:service-job/)?(?P<id>[a-zA-Z0-9_-]{1,128})")
_ARN = re.compile(r"arn:[^:]+:batch:[^:]*:[^:]*:job/(?P<id>.+)")


@dataclass(frozen=True, slots=True)
class JobReference:
    """`text` as given. An index or a node, or neither."""

    text: str
    job_id: str
    array_index: int | None = None
    node_index: int | None = None


def parse_job_id(text: str) -> JobReference:
    """Read an id; raises Refusal for characters that no id has (F 1.6, DescribeJobs)."""
    arn = _ARN.fullmatch(text)
    found = _ID.fullmatch(arn["id"] if arn else text)
    if found is None:
        raise refusals.provided_name_not_supported(text)
    number = None if found["number"] is None else int(found["number"])
    if found["mark"] == "#":
        return JobReference(text, found["job"], node_index=number)
    return JobReference(text, found["job"], array_index=number)


def key_in(row: JobRow | None, reference: JobReference) -> JobKey | None:
    """The key that `reference` names within its job's row, or None if there is no such job or child.

    A node has no key of its own: its job's is returned.
    """
    if row is None or row.is_service_job:
        return None
    if reference.array_index is None:
        return JobKey(row.seq)
    if row.array_size is None or reference.array_index >= row.array_size:
        return None
    return JobKey(row.seq, reference.array_index)


def find_job(tx: Transaction, reference: JobReference) -> tuple[JobRow, JobKey] | None:
    """The row and key that an id names, or None; a node cannot be acted on by itself."""
    if reference.node_index is not None:
        return None
    row = tx.jobs.find(reference.job_id)
    key = key_in(row, reference)
    return None if row is None or key is None else (row, key)


def find_service_job(tx: Transaction, text: str) -> JobRow | None:
    """The service job of an id or ARN, or None. Raises Refusal for characters that no id has."""
    found = _SERVICE_JOB.fullmatch(text)
    if found is None:
        raise refusals.provided_name_not_supported(text)
    row = tx.jobs.find(found["id"])
    return row if row is not None and row.is_service_job else None
