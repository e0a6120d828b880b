"""The containers of a job, one or several, as DescribeJobs tells of them: how each fared, and where its output is.

A job of containerProperties has one container, which has no name here. Tasks, pods and nodes are told of in members of
their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from batchyard.cli.connection import Connection
from batchyard.cli.jobs import Job, describe, tail_of_arn
from batchyard.cli.problem import CommandProblem

DEFAULT_LOG_GROUP = "/aws/batch/job"
_STOPPED = (137, 143)
"""How a container ends that is stopped because another one has ended."""


@dataclass(frozen=True, slots=True)
class Part:
    """A container of a job. name: None if it is the only one. members: what DescribeJobs says of it."""

    name: str | None
    members: dict[str, Any]
    is_essential: bool = True

    @property
    def exit_code(self) -> int | None:
        """How its latest run ended."""
        code: int | None = self.members.get("exitCode")
        return code


class Stream(NamedTuple):
    """Where the output of a container's run is."""

    container: str | None
    group: str
    name: str


def parts(job: Job) -> list[Part]:
    """The containers of a job as they are now; of a multi-node job that has ended what decided its end."""
    if task := _task(job):
        return [Part(c.get("name"), c, c.get("essential", True)) for c in task["containers"]]
    if pod := job.get("eksProperties", {}).get("podProperties"):
        found = [*pod.get("initContainers", []), *pod["containers"]]
        return [Part(c.get("name"), {**c, "command": [*c.get("command", []), *c.get("args", [])]}) for c in found]
    if is_multi_node(job):
        attempts = job.get("attempts", [])
        return [Part(None, attempts[-1].get("container", {}))] if attempts else []
    return [Part(None, job.get("container", {}))]


def parts_of_attempts(job: Job) -> list[tuple[dict[str, Any], list[Part]]]:
    """Each attempt that has ended, and the containers it had."""
    if "eksProperties" in job:
        attempts = job.get("eksAttempts", [])
        return [
            (each, [Part(c["name"], c) for c in (*each.get("initContainers", []), *each["containers"])])
            for each in attempts
        ]
    found = []
    for attempt in job.get("attempts", []):
        of_task = [c for task in attempt.get("taskProperties", []) for c in task["containers"]]
        several = [Part(c.get("name"), c) for c in of_task]
        found.append((attempt, several or [Part(None, attempt.get("container", {}))]))
    return found


def culprits(job: Job) -> list[Part]:
    """The containers to which a failed job's end is owed; those that were merely stopped with others are left out."""
    bad = [part for part in parts(job) if part.exit_code != 0]
    for better in (
        [part for part in bad if part.is_essential and part.exit_code not in (None, *_STOPPED)],
        [part for part in bad if part.is_essential and part.exit_code is not None],
    ):
        if better:
            return better
    return bad


def is_multi_node(job: Job) -> bool:
    """Whether this is a multi-node parallel job, and not one of its nodes."""
    return "nodeProperties" in job and "nodeDetails" not in job


def node_ids(job: Job) -> list[str]:
    """The ids of the nodes of a multi-node job, by index."""
    return [f"{job['jobId']}#{node}" for node in range(job["nodeProperties"]["numNodes"])]


def main_node(connection: Connection, job: Job) -> Job:
    """The main node of a multi-node job."""
    job_id = f"{job['jobId']}#{job['nodeProperties']['mainNode']}"
    return describe(connection, [job_id])[job_id]


# -------------------------------------------------------------------------------------------------------------- streams


def streams(job: Job, container: str | None = None) -> list[list[Stream]]:
    """The log streams of each attempt, oldest first: those of its containers that got so far as to write.

    container: only that of this name. Raises CommandProblem if the job has no such container.
    """
    names = [part.name for part in parts(job)]
    if container is not None and container not in names:
        known = ", ".join(name for name in names if name) or "one only, which has no name"
        raise CommandProblem(f"{job['jobId']} has no container {container}. Its containers: {known}.")
    found = [list(_streams(job, of_attempt, attempt.get("podName"))) for attempt, of_attempt in parts_of_attempts(job)]
    pod = job.get("eksProperties", {}).get("podProperties", {})
    current = list(_streams(job, parts(job), pod.get("podName")))
    if current and current not in found:
        found.append(current)
    return [[stream for stream in each if container in (None, stream.container)] for each in found]


def _streams(job: Job, of_attempt: list[Part], pod_name: str | None) -> Iterator[Stream]:
    """Pods are not told with their streams, but streams end as the pod's name does."""
    groups = {part.name: _log_group(part) for part in parts(job)}
    prefix = tail_of_arn(job["jobDefinition"]).partition(":")[0]
    for part in of_attempt:
        group = groups.get(part.name, DEFAULT_LOG_GROUP)
        if pod_name is not None:
            yield Stream(part.name, group, f"{prefix}/{part.name}/{pod_name.rpartition('.')[2]}")
        elif name := part.members.get("logStreamName"):
            yield Stream(part.name, group, name)


def _log_group(part: Part) -> str:
    options = part.members.get("logConfiguration", {}).get("options", {})
    group: str = options.get("awslogs-group", DEFAULT_LOG_GROUP)
    return group


# ------------------------------------------------------------------------------------------------------------ resources


def resources(job: Job) -> tuple[float, int]:
    """The vCPUs and the MiB of memory that a job, or each child of an array, holds while it runs."""
    if is_multi_node(job):
        return _of_nodes(job["nodeProperties"])
    if pod := job.get("eksProperties", {}).get("podProperties"):
        return _of_pod(pod)
    return _sum([_of_container(part.members) for part in parts(job)])


def _task(job: dict[str, Any]) -> dict[str, Any] | None:
    tasks: list[dict[str, Any]] = job.get("ecsProperties", {}).get("taskProperties", [])
    return tasks[0] if tasks else None


def _of_nodes(properties: dict[str, Any]) -> tuple[float, int]:
    from batchyard.core.resolved_nodes import ranges_of_nodes

    ranges = properties["nodeRangeProperties"]
    of_range = [resources(each) for each in ranges]  # a range has the members that a job has
    return _sum([of_range[position] for position in ranges_of_nodes(ranges, properties["numNodes"])])


def _of_pod(pod: dict[str, Any]) -> tuple[float, int]:
    """Its containers together, or an init container that needs more than they."""
    together = _sum([_of_pod_container(each) for each in pod["containers"]])
    inits = [_of_pod_container(each) for each in pod.get("initContainers", [])]
    return max([together[0], *(each[0] for each in inits)]), max([together[1], *(each[1] for each in inits)])


def _of_pod_container(container: dict[str, Any]) -> tuple[float, int]:
    from batchyard.core.eks_properties import eks_resources

    found = eks_resources(container)
    return found.vcpus, found.memory_mib


def _of_container(container: dict[str, Any]) -> tuple[float, int]:
    amounts = {item["type"]: item["value"] for item in container.get("resourceRequirements", [])}
    vcpus = float(amounts.get("VCPU", container.get("vcpus", 0)))
    return vcpus, int(float(amounts.get("MEMORY", container.get("memory", 0))))


def _sum(amounts: list[tuple[float, int]]) -> tuple[float, int]:
    return sum(vcpus for vcpus, _ in amounts), sum(memory for _, memory in amounts)
