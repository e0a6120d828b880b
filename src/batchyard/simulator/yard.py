"""What a trace is replayed against: a machine, its compute environments and queues, as a file in TOML says.

    vcpus = 64                                  # of the machine; MaxProcs of the trace where it is left out
    memory = 131072                             # in MiB; no bound where it is left out

    [[computeEnvironments]]                     # one of the machine's size where there are none
    computeEnvironmentName = "all"
    maxvCpus = 64

    [[jobQueues]]                               # one without a policy where there are none
    jobQueueName = "batch"
    priority = 1
    computeEnvironmentOrder = ["all"]           # all of them where it is left out
    traceQueues = [2]                           # queue numbers of the trace; what no queue names, the first takes
    shares = "user"                             # or "group": whose id makes the share identifier: user7, group2
    fairsharePolicy = { shareDecaySeconds = 3600, shareDistribution = [{ shareIdentifier = "user1" }] }

`fairsharePolicy` is that of CreateSchedulingPolicy, member by member, and is refused in the same words.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from batchyard.core.fair_share import FairSharePolicy, fair_share_policy
from batchyard.core.placement import Room
from batchyard.core.refusals import Refusal
from batchyard.core.scheduling_policies import FAIRSHARE, policy_document
from batchyard.simulator.swf import Trace, TraceJob

_WHOLE_MACHINE = "machine"


class YardProblem(Exception):
    """A file does not describe a yard, or one that the trace cannot run in; the message says why."""


@dataclass(frozen=True, slots=True)
class SimulatedQueue:
    """A job queue. `policy`: None for first in, first out. `trace_queues`: the queue numbers whose jobs it takes."""

    name: str
    priority: int
    environments: tuple[str, ...]
    policy: FairSharePolicy | None = None
    trace_queues: frozenset[int] = frozenset()
    shares: str = "user"

    def share_identifier(self, job: TraceJob) -> str:
        """Of the share that a job belongs to; jobs whose user or group is not known share one."""
        number = job.group if self.shares == "group" else job.user
        return f"{self.shares}{max(0, number)}"

    def line(self, share_identifier: str) -> str:
        """What a job queues in: its share's line, or the one of a queue without a policy."""
        return "" if self.policy is None else share_identifier


@dataclass(frozen=True, slots=True)
class SimulatedYard:
    """environments: maxvCpus by name. bounds_memory: whether memory counts at all."""

    name: str
    machine: Room
    environments: Mapping[str, float]
    queues: Sequence[SimulatedQueue]
    bounds_memory: bool = False

    def queue_of(self, job: TraceJob) -> SimulatedQueue:
        """The queue that a job of the trace is submitted to."""
        return next((queue for queue in self.queues if job.queue in queue.trace_queues), self.queues[0])

    def most_vcpus(self, queue: SimulatedQueue) -> float:
        """What a queue may hold in all."""
        return min(self.machine.vcpus, sum(self.environments[name] for name in queue.environments))


class _InFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """A table of the file."""


class _Environment(_InFile, frozen=True):
    compute_environment_name: str
    max_vcpus: float = msgspec.field(name="maxvCpus")


class _Share(_InFile, frozen=True):
    share_identifier: str
    weight_factor: float = 1.0


class _FairsharePolicy(_InFile, frozen=True):
    share_decay_seconds: int = 0
    compute_reservation: int = 0
    share_distribution: tuple[_Share, ...] = ()


class _Queue(_InFile, frozen=True):
    job_queue_name: str
    priority: int = 1
    compute_environment_order: tuple[str, ...] = ()
    trace_queues: frozenset[int] = frozenset()
    shares: Literal["user", "group"] = "user"
    fairshare_policy: _FairsharePolicy | None = None


class _File(_InFile, frozen=True):
    vcpus: float | None = None
    memory: int | None = None
    compute_environments: tuple[_Environment, ...] = ()
    job_queues: tuple[_Queue, ...] = (_Queue("default"),)


def read_yard(name: str, text: str, trace: Trace) -> SimulatedYard:
    """The yard of a file, for a trace. Raises YardProblem."""
    try:
        return _yard(name, msgspec.convert(tomllib.loads(text), _File), trace)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise YardProblem(f"{name}: {error}") from None
    except Refusal as refusal:
        raise YardProblem(f"{name}: fairsharePolicy: {refusal}") from None


def _yard(name: str, file: _File, trace: Trace) -> SimulatedYard:
    vcpus = file.vcpus if file.vcpus is not None else trace.processors
    if vcpus is None:
        raise YardProblem(f"{name}: neither it nor the trace (MaxProcs) says how many vcpus the machine has")
    environments = {one.compute_environment_name: one.max_vcpus for one in file.compute_environments}
    environments = environments or {_WHOLE_MACHINE: vcpus}
    queues = [_queue(one, environments) for one in file.job_queues]
    if not queues:
        raise YardProblem(f"{name}: jobQueues is empty")
    for queue in queues:
        if unknown := set(queue.environments) - environments.keys():
            raise YardProblem(f"{name}: {queue.name} names {min(unknown)}, which is not among computeEnvironments")
    # Memory that nobody needs is no bound; a machine without any would fit nothing.
    machine = Room(vcpus, 1 if file.memory is None else file.memory)
    return SimulatedYard(name, machine, environments, queues, file.memory is not None)


def _queue(queue: _Queue, environments: Mapping[str, float]) -> SimulatedQueue:
    policy = None
    if queue.fairshare_policy is not None:
        document = policy_document({FAIRSHARE: msgspec.to_builtins(queue.fairshare_policy)})
        policy = fair_share_policy(document[FAIRSHARE])
    order = queue.compute_environment_order or tuple(environments)
    return SimulatedQueue(queue.job_queue_name, queue.priority, order, policy, queue.trace_queues, queue.shares)
