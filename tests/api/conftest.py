"""A yard without a server: operations called as functions, over a real database in a folder of the test's own."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from batchyard.api.context import Context, Settings
from batchyard.api.operations import endpoint
from batchyard.core.ids import AttemptId, JobSeq, Millis
from batchyard.core.jobs import Attempt, JobKey
from batchyard.core.refusals import Refusal
from batchyard.engine.clock import RandomIds
from batchyard.engine.terms import TermsCache
from batchyard.logs.writer import AttemptLogWriter
from batchyard.store.database import Database
from batchyard.store.transaction import Transaction

EC2: dict[str, Any] = {"type": "EC2", "maxvCpus": 4}
FARGATE: dict[str, Any] = {"type": "FARGATE", "maxvCpus": 4}
START = Millis(1_700_000_000_000)
CONTAINER: dict[str, Any] = {"image": "busybox", "vcpus": 1, "memory": 64}


@dataclass
class Yard:
    """`call` is one request; `now` its time, which a test may set."""

    database: Database
    settings: Settings
    now: Millis = START
    region: str = "eu-central-1"
    terms: TermsCache = field(default_factory=TermsCache)

    def call(self, operation: str, request: dict[str, Any] | None = None, /, **members: Any) -> dict[str, Any]:
        """The answer of an operation (`CreateJobQueue`, `logs.GetLogEvents`). Raises Refusal."""
        name = operation if "." in operation else f"batch.{operation}"
        found = endpoint(name)
        with self.database.write() if found.writes else self.database.read() as tx:
            return dict(found.function(self.context(tx), {**(request or {}), **members}))

    def refusal(self, operation: str, /, **members: Any) -> Refusal:
        """The refusal that the operation raises."""
        with pytest.raises(Refusal) as caught:
            self.call(operation, **members)
        return caught.value

    def context(self, tx: Transaction) -> Context:
        return Context(tx, self.now, self.region, self.settings, RandomIds(), self.terms)

    def environment(self, name: str = "machine", **members: Any) -> str:
        """Make a compute environment; the answer is its ARN."""
        members = {"type": "MANAGED", "computeResources": EC2, **members}
        made = self.call("CreateComputeEnvironment", computeEnvironmentName=name, **members)
        return str(made["computeEnvironmentArn"])

    def queue(self, name: str = "default", *environments: str, **members: Any) -> str:
        """Make a queue; the answer is its ARN."""
        order = [{"order": i, "computeEnvironment": each} for i, each in enumerate(environments or ("machine",))]
        members = {"priority": 1, "computeEnvironmentOrder": order, **members}
        return str(self.call("CreateJobQueue", jobQueueName=name, **members)["jobQueueArn"])

    def definition(self, name: str = "sleep", **members: Any) -> str:
        """Register a definition; the answer is its ARN."""
        members = {"type": "container", "containerProperties": CONTAINER, **members}
        return str(self.call("RegisterJobDefinition", jobDefinitionName=name, **members)["jobDefinitionArn"])

    def attempt(
        self,
        number: int,
        *lines: tuple[int, str],
        stream: str | None = None,
        group: str = "/aws/batch/job",
        **members: Any,
    ) -> str:
        """Record an attempt that ran and what it wrote, as (milliseconds after now, line); its stream is the answer."""
        attempt_id = AttemptId(f"{number:032x}")
        name = f"sleep/default/{attempt_id}" if stream is None else stream
        attempt = Attempt(
            key=JobKey(JobSeq(number)),
            attempt=1,
            attempt_id=attempt_id,
            compute_environment="machine",
            instance_id="i-0123456789abcdef0",
            vcpus=1.0,
            memory_mib=64,
            gpus=0,
            placed_at=self.now,
            log_group=group,
            log_stream=name,
            started_at=Millis(self.now + (lines[0][0] if lines else 0)),
            stopped_at=Millis(self.now + (lines[-1][0] if lines else 0)),
        )
        writer = AttemptLogWriter(self.settings.logs, attempt_id, None)
        for after, line in lines:
            writer.write(f"{line}\n".encode(), Millis(self.now + after))
        writer.close()
        with self.database.write() as tx:
            tx.attempts.insert([attempt._replace(**members)])
        return name


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    database = Database.at(tmp_path, synchronous="OFF")
    database.migrate()
    yield Yard(database, Settings(token_key=b"k" * 32, logs=tmp_path / "logs"))
    database.close()
