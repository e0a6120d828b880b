"""What service jobs have besides the rows of every job: client tokens, and a scheduling priority that may change."""

from batchyard.core.ids import JobSeq
from batchyard.store.name_patterns import Condition
from batchyard.store.statements import Statements

_QUOTA_SHARE = (
    "(SELECT json_extract(document, '$.service.quota_share_name') FROM job_requests WHERE job_requests.seq = jobs.seq)"
)


def of_quota_share(name: str) -> Condition:
    """QUOTA_SHARE_NAME. A job's quota share stands where others have their share identifier."""
    return f"share_identifier = ? AND {_QUOTA_SHARE} IS NOT NULL", (name,)


def of_share_identifier(share_identifier: str) -> Condition:
    """SHARE_IDENTIFIER."""
    return f"share_identifier = ? AND {_QUOTA_SHARE} IS NULL", (share_identifier,)


class ServiceJobs:
    """The door to them, on one connection."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def of_token(self, client_token: str, request: str) -> JobSeq | None:
        """The job that this token and this digest of a request have made."""
        statement = "SELECT job_seq FROM service_job_tokens WHERE client_token = ? AND request = ?"
        row = self._run(statement, (client_token, request)).first()
        return None if row is None else JobSeq(row[0])

    def remember_token(self, client_token: str, request: str, seq: JobSeq) -> None:
        """This token and request make this job; they are kept as long as the job."""
        statement = "INSERT INTO service_job_tokens (client_token, request, job_seq) VALUES (?, ?, ?)"
        self._run(statement, (client_token, request, seq))

    def set_scheduling_priority(self, seq: JobSeq, priority: int) -> None:
        """Write the priority of a job."""
        self._run("UPDATE jobs SET scheduling_priority = ? WHERE seq = ?", (priority, seq))
