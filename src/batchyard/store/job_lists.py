"""The pages of ListJobs: keyset pages over indexes, so that a page costs the same wherever it stands."""

from collections.abc import Sequence

from batchyard.core.jobs import JobStatus
from batchyard.store.jobs import COLUMNS, SELECT_JOBS, JobRow, job_row
from batchyard.store.name_patterns import Condition, name_matches
from batchyard.store.statements import Statements

FIRST_PAGE = 1 << 62
"""Newer than any job."""


def named(pattern: str) -> Condition:
    """JOB_NAME: equality without regard to case; a trailing `*` makes it a prefix."""
    return name_matches("job_name", pattern)


def of_definition(pattern: str) -> Condition:
    """JOB_DEFINITION: `name` (any revision), `name:revision`, or a prefix of the name with a trailing `*`."""
    if pattern.endswith("*"):
        where, value = "substr(name, 1, length(?1)) = ?1", pattern[:-1]
        return f"definition_id IN (SELECT id FROM job_definitions WHERE {where.replace('?1', '?')})", (value, value)
    name, _, revision = pattern.partition(":")
    if revision:
        where = "name = ? AND revision = ?"
        return f"definition_id IN (SELECT id FROM job_definitions WHERE {where})", (name, int(revision))
    return "definition_id IN (SELECT id FROM job_definitions WHERE name = ?)", (name,)


def created(*, before: int | None = None, after: int | None = None) -> Condition:
    """BEFORE_CREATED_AT or AFTER_CREATED_AT, in milliseconds."""
    return ("created_at < ?", (before,)) if before is not None else ("created_at > ?", (after,))


def of_share(share_identifier: str) -> Condition:
    """SHARE_IDENTIFIER."""
    return "share_identifier = ?", (share_identifier,)


def with_status(status: JobStatus) -> Condition:
    """jobStatus."""
    return "status = ?", (status.value,)


class JobLists:
    """Lists of the jobs of a queue, newest first."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def page(self, queue_id: int, conditions: Sequence[Condition], before_seq: int, limit: int) -> list[JobRow]:
        """Up to `limit` jobs older than number `before_seq` that meet all conditions.

        The conditions' texts are made by this module alone; what callers supply are values.
        """
        where = " AND ".join(["queue_id = ?", *(text for text, _ in conditions), "seq < ?"])
        values = [queue_id, *(value for _, values in conditions for value in values), before_seq, limit]
        found = self._run(f"{SELECT_JOBS} WHERE {where} ORDER BY seq DESC LIMIT ?", tuple(values))
        return [job_row(r) for r in found]

    def of_consumable(
        self, resource: str, conditions: Sequence[Condition], before_seq: int, limit: int
    ) -> list[tuple[JobRow, int]]:
        """Up to `limit` jobs of any queue that need this consumable resource, with how much, as `page` finds them."""
        where = " AND ".join(["resource = ?", "job_seq < ?", *(text for text, _ in conditions)])
        values = [resource, before_seq, *(value for _, values in conditions for value in values), limit]
        found = self._run(
            f"SELECT {COLUMNS}, quantity FROM consumable_needs CROSS JOIN jobs ON jobs.seq = consumable_needs.job_seq"
            f" WHERE {where} ORDER BY job_seq DESC LIMIT ?",
            tuple(values),
        )
        return [(job_row(r), r[-1]) for r in found]
