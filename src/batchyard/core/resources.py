"""Compute environments, job queues and job definitions as the rest of the core sees them.

`state` is what someone asked for (ENABLED, DISABLED); `status` is where the thing is (VALID, DELETING, ...). Members
that nothing decides on stay in `document`, the JSON object that describe calls echo (F 7.5, 8.1 to 8.3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchyard.core.ids import Millis

Document = Mapping[str, Any]
"""A JSON object with AWS's member names."""

ENABLED = "ENABLED"
DISABLED = "DISABLED"
VALID = "VALID"
INVALID = "INVALID"
CREATING = "CREATING"
UPDATING = "UPDATING"
DELETING = "DELETING"
ACTIVE = "ACTIVE"
INACTIVE = "INACTIVE"


@dataclass(frozen=True, slots=True)
class ComputeEnvironment:
    """`platform` is the capability its jobs need: EC2, FARGATE or MANAGED_INSTANCES (F 1.6, last rows of SubmitJob).

    `max_vcpus` is computeResources.maxvCpus; None for an UNMANAGED one without unmanagedvCpus: the machine's own limit
    holds then. `document` lacks what is a field here, except computeResources, which it carries whole.
    """

    id: int
    name: str
    type: str
    state: str
    status: str
    status_reason: str
    platform: str
    max_vcpus: float | None
    created_at: Millis
    document: Document


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What the `batchyard:` tags of a queue say (core.batchyard_tags).

    backfill: jobs may pass a blocked one that they cannot delay. The defaults are for jobs for which neither request
    nor definition has a timeout, or a retry strategy.
    """

    backfill: bool = False
    default_timeout_seconds: int | None = None
    default_attempts: int | None = None


NO_SETTINGS = QueueSettings()


@dataclass(frozen=True, slots=True)
class JobQueue:
    """`compute_environments` are names, best first (computeEnvironmentOrder, by `order`); `scheduling_policy` is the
    name of its policy, None for a queue that is first in, first out."""

    id: int
    name: str
    state: str
    status: str
    status_reason: str
    priority: int
    compute_environments: tuple[str, ...]
    scheduling_policy: str | None
    created_at: Millis
    document: Document
    settings: QueueSettings = NO_SETTINGS


@dataclass(frozen=True, slots=True)
class JobDefinition:
    """One revision. `document` is what describe echoes: type, parameters, containerProperties, retryStrategy, ..."""

    id: int
    name: str
    revision: int
    status: str
    type: str
    created_at: Millis
    document: Document

    @property
    def reference(self) -> str:
        """`name:revision`."""
        return f"{self.name}:{self.revision}"


@dataclass(frozen=True, slots=True)
class Record:
    """A scheduling policy, service environment or quota share: all that it says is its `document`. The name of a quota
    share is `<queue>/<quota share>`."""

    id: int
    name: str
    created_at: Millis
    document: Document


@dataclass(frozen=True, slots=True)
class Phase:
    """A resource, by the tail of its ARN (`job-queue/default`), is CREATING, UPDATING or DELETING since `began_at`, and
    at least until `due_at`.

    stop_at: of an infrastructure update, when attempts are stopped that were placed before it began.
    """

    resource: str
    status: str
    began_at: Millis
    due_at: Millis
    stop_at: Millis | None = None


REPLENISHABLE = "REPLENISHABLE"
NON_REPLENISHABLE = "NON_REPLENISHABLE"


@dataclass(frozen=True, slots=True)
class ConsumableResource:
    """`quantity` is totalQuantity: of a REPLENISHABLE one all there is, of a NON_REPLENISHABLE one what no attempt has
    taken yet (User Guide, Check how many resources are in-use and available). `held`: what active attempts took."""

    id: int
    name: str
    resource_type: str
    quantity: int
    held: int
    created_at: Millis

    @property
    def in_use(self) -> int:
        """What will be given back."""
        return self.held if self.resource_type == REPLENISHABLE else 0

    @property
    def available(self) -> int:
        """What can be taken; below 0 where the total was lowered under what is in use."""
        return self.quantity - self.in_use

    @property
    def attainable(self) -> int:
        """The most that can become available by itself: an attempt that has not started may still be taken back."""
        return self.quantity if self.resource_type == REPLENISHABLE else self.quantity + self.held
