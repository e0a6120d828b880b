"""What service jobs have besides the rows of every job: client tokens, and a scheduling priority that may change."""

from batchyard.core.ids import JobSeq
from batchyard.store.name_patterns import Condition
from batchyard.store.statements import Statements


def of_quota_share(name: str) -> Condition:
    """QUOTA_SHARE_NAME."""
    found = "SELECT json_extract(document, '$.service.quota_share_name') FROM job_requests"
    return f"({found} WHERE job_requests.seq = jobs.seq) = ?", (name,)


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
