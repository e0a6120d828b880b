"""What an operation is given besides its request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from batchyard.core import quotas
from batchyard.core.access import Principal
from batchyard.core.ids import Arn, Millis
from batchyard.core.service_capacity import InstanceSizes
from batchyard.engine.clock import Ids
from batchyard.engine.terms import TermsCache
from batchyard.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator chose and operations must know."""

    account: str = "123456789012"
    partition: str = "aws"
    array_size_max: int = 10_000
    submit_job_kib_max: int = quotas.SUBMIT_JOB_KIB
    phase_seconds: float = 0.0
    """How long resources stay CREATING, UPDATING and DELETING where nothing makes them."""
    executor_name: str = "process"
    executor_note: str = ""
    token_key: bytes = bytes(32)
    """The secret of the data folder with which page tokens are signed."""
    training_instances: InstanceSizes = field(default_factory=InstanceSizes)
    """What training instances hold of this machine."""
    logs: Path = Path("logs")
    """The folder that holds what attempts wrote."""


@dataclass(frozen=True, slots=True)
class Context:
    """One call. `tx` is a snapshot for an operation that reads and the tick's transaction for one that writes.

    `region` is that of the caller's signature: one yard serves every region (design, decision on accounts). `ids` and
    `terms` are the engine's; only operations that write may use `terms`, since they run on the engine's thread.
    """

    tx: Transaction
    now: Millis
    region: str
    settings: Settings
    ids: Ids
    terms: TermsCache
    principal: Principal | None = None
    """Who calls; None where nobody is asked."""

    def arn(self, tail: str, *, service: str = "batch") -> Arn:
        """The ARN of a resource in the caller's region, from its tail (`job-queue/default`)."""
        return Arn(f"arn:{self.settings.partition}:{service}:{self.region}:{self.settings.account}:{tail}")


Answer = Mapping[str, object]
