"""Who may do what: roles, and the queues that a caller is kept to.

A role may call what is listed for it and what a lesser role may; what is not listed, admins alone may call. So an
operation that is new is closed until someone opens it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """READ looks; SUBMIT also submits and ends jobs and registers definitions; ADMIN does everything."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. queues: the names of those whose jobs it may submit, see and end; None for all."""

    name: str
    role: Role
    queues: frozenset[str] | None = None


_RANKS: Mapping[Role, int] = {Role.READ: 0, Role.SUBMIT: 1, Role.ADMIN: 2}

_READ = (
    "batch.DescribeComputeEnvironments",
    "batch.DescribeConsumableResource",
    "batch.DescribeJobDefinitions",
    "batch.DescribeJobQueues",
    "batch.DescribeJobs",
    "batch.DescribeQuotaShare",
    "batch.DescribeSchedulingPolicies",
    "batch.DescribeServiceEnvironments",
    "batch.DescribeServiceJob",
    "batch.GetJobQueueSnapshot",
    "batch.ListConsumableResources",
    "batch.ListJobs",
    "batch.ListJobsByConsumableResource",
    "batch.ListQuotaShares",
    "batch.ListSchedulingPolicies",
    "batch.ListServiceJobs",
    "batch.ListTagsForResource",
    "logs.DescribeLogGroups",
    "logs.DescribeLogStreams",
    "logs.FilterLogEvents",
    "logs.GetLogEvents",
)

_SUBMIT = (
    "batch.CancelJob",
    "batch.CancelJobs",
    "batch.DeregisterJobDefinition",
    "batch.RegisterJobDefinition",
    "batch.SubmitJob",
    "batch.SubmitServiceJob",
    "batch.TagResource",
    "batch.TerminateJob",
    "batch.TerminateJobs",
    "batch.TerminateServiceJob",
    "batch.TerminateServiceJobs",
    "batch.UntagResource",
    "batch.UpdateServiceJob",
    "logs.CreateLogGroup",
    "logs.CreateLogStream",
    "logs.PutLogEvents",
)

NEEDED_ROLES: Mapping[str, Role] = dict.fromkeys(_READ, Role.READ) | dict.fromkeys(_SUBMIT, Role.SUBMIT)
"""The least role that may call an operation (`batch.SubmitJob`); ADMIN for what is not here."""

_TAGGED_BY_SUBMITTERS = frozenset({"job", "job-definition", "service-job"})


def needed_role(operation: str) -> Role:
    """The least role that may call an operation (`batch.SubmitJob`)."""
    return NEEDED_ROLES.get(operation, Role.ADMIN)


def may_call(principal: Principal, operation: str) -> bool:
    """Whether the role allows the operation, on some resource at least."""
    return _RANKS[principal.role] >= _RANKS[needed_role(operation)]


def may_change_tags(principal: Principal, kind: str) -> bool:
    """Whether the role may tag resources of a kind (`job-queue`): who may not make a thing may not tag it."""
    return principal.role is Role.ADMIN or (principal.role is Role.SUBMIT and kind in _TAGGED_BY_SUBMITTERS)


def may_use_queue(principal: Principal, queue: str) -> bool:
    """Whether the jobs of the queue of this name are the caller's to submit, see and end."""
    return principal.queues is None or queue in principal.queues
