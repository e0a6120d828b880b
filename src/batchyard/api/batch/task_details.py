"""How the containers of an attempt fared, in the forms that describe calls know: the task of ecsProperties, the pod of
eksProperties, the nodes of a multi-node job (F 3.6, 7.6, 7.7, 8.7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchyard.api.batch.clusters import Clusters
from batchyard.api.context import Context
from batchyard.core.ids import JobSeq, Millis
from batchyard.core.jobs import Attempt, Terms
from batchyard.core.resolved_nodes import node_address
from batchyard.core.resolved_tasks import PlacedContainer, placed_containers
from batchyard.core.resources import Document
from batchyard.store.attempt_containers import AttemptContainer

_REASON_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Fate:
    """One container of an attempt, and its row if the attempt has several and has started."""

    placed: PlacedContainer
    attempt: Attempt
    row: AttemptContainer | None

    @property
    def started_at(self) -> Millis | None:
        """When it started; None if it has not."""
        return self.attempt.started_at if self.row is None else self.row.started_at

    @property
    def stopped_at(self) -> Millis | None:
        """When it ended, which is known once the attempt has ended."""
        return self.attempt.stopped_at if self.row is None else self.row.stopped_at

    @property
    def exit_code(self) -> int | None:
        """Its exit code, if it ran and that is known."""
        return self.attempt.exit_code if self.row is None else self.row.exit_code

    @property
    def network_interfaces(self) -> list[dict[str, str]]:
        """The address of its node; none in a job of one node, whose containers have no interface of their own."""
        if self.placed.container.nodes is None or self.started_at is None:
            return []
        return [{"privateIpv4Address": node_address(self.attempt.attempt_id, self.placed.node)}]

    def outcome(self) -> dict[str, Any]:
        """exitCode, reason and logStreamName, as far as there are any."""
        reason = self.attempt.reason if self.row is None else self.row.reason
        stream = self.attempt.log_stream if self.row is None else self.row.log_stream
        found = {
            "exitCode": self.exit_code,
            "reason": None if reason is None else reason[:_REASON_CHARACTERS],
            "logStreamName": None if self.started_at is None else stream,
        }
        return {name: value for name, value in found.items() if value is not None}


def fates(context: Context, seq: JobSeq, terms: Terms, attempt: Attempt) -> list[Fate]:
    """The containers of an attempt, by position; if the attempt is one of the past, as they were then."""
    placed = placed_containers(terms.resolved.containers)
    rows: Mapping[int, AttemptContainer] = {}
    if len(placed) > 1 and attempt.started_at is not None:
        rows = {row.position: row for row in context.tx.attempt_containers.of_attempt(seq, attempt.attempt_id)}
    if attempt.stopped_at is None:
        rows = {position: _while_it_ran(row, attempt) for position, row in rows.items()}
    return [Fate(each, attempt, rows.get(each.position)) for each in placed]


def _while_it_ran(row: AttemptContainer, attempt: Attempt) -> AttemptContainer:
    """The row as it was before the attempt ended, whatever it has become since."""
    return row._replace(started_at=attempt.started_at, stopped_at=None, exit_code=None, reason=None)


def decisive(found: Sequence[Fate]) -> Fate:
    """The container that speaks for its node: the first essential one to end, of a pod the first to fail."""
    candidates = [fate for fate in found if fate.placed.container.essential]
    candidates = candidates or [fate for fate in found if fate.exit_code != 0] or list(found)
    ended = [fate for fate in candidates if fate.stopped_at is not None]
    return min(ended, key=lambda fate: fate.stopped_at or 0) if ended else candidates[0]


def task_outcome(clusters: Clusters, properties: Document, found: Sequence[Fate]) -> dict[str, Any]:
    """`attempts[].taskProperties[]` of a job with these ecsProperties: names as the definition gives them."""
    names = [container.get("name") for container in _ecs_containers(properties)]
    return _host(clusters, found[0]) | {
        "containers": [
            ({} if name is None else {"name": name}) | fate.outcome() | {"networkInterfaces": fate.network_interfaces}
            for name, fate in zip(names, found, strict=True)
        ]
    }


def ecs_properties(clusters: Clusters, properties: Document | None, found: Sequence[Fate]) -> dict[str, Any] | None:
    """ecsProperties of a job: its effective containers, with how those of the latest attempt fared."""
    if properties is None or not found:
        return None if properties is None else dict(properties)
    containers = [
        {**container, **fate.outcome(), "networkInterfaces": fate.network_interfaces}
        for container, fate in zip(_ecs_containers(properties), found, strict=True)
    ]
    task = {**properties["taskProperties"][0], **_host(clusters, found[0]), "containers": containers}
    return {"taskProperties": [task]}


def _ecs_containers(properties: Document) -> Sequence[Mapping[str, Any]]:
    containers: Sequence[Mapping[str, Any]] = properties["taskProperties"][0]["containers"]
    return containers


def _host(clusters: Clusters, first: Fate) -> dict[str, Any]:
    return {
        "containerInstanceArn": clusters.container_instance_arn(first.attempt),
        "taskArn": clusters.task_arn(first.attempt, first.placed.task_id(first.attempt.attempt_id)),
    }


def eks_properties(properties: Document | None, found: Sequence[Fate]) -> dict[str, Any] | None:
    """eksProperties of a job, with the pod of its latest attempt."""
    if properties is None or not found:
        return None if properties is None else dict(properties)
    pod = properties["podProperties"]
    inits = len(pod.get("initContainers") or ())
    shown = {
        member: [{**container, **_without_stream(fate)} for container, fate in zip(pod[member], of_member, strict=True)]
        for member, of_member in (("initContainers", found[:inits]), ("containers", found[inits:]))
        if pod.get(member)
    }
    return {"podProperties": {**pod, **_pod_place(found[0]), **shown}}


def eks_attempt(properties: Document, found: Sequence[Fate]) -> dict[str, Any]:
    """`eksAttempts[]`: one ended attempt of a pod."""
    pod = properties["podProperties"]
    attempt, inits = found[0].attempt, len(pod.get("initContainers") or ())
    shown = [{"name": fate.placed.label, "containerID": _container_id(fate), **_without_stream(fate)} for fate in found]
    detail = {
        "containers": shown[inits:],
        "initContainers": shown[:inits],
        **_pod_place(found[0]),
        "podNamespace": (pod.get("metadata") or {}).get("namespace") or "default",
        "startedAt": attempt.started_at,
        "stoppedAt": attempt.stopped_at,
        "statusReason": attempt.status_reason,
    }
    return {name: value for name, value in detail.items() if value is not None}


def _container_id(fate: Fate) -> str:
    return f"batchyard://{fate.row.log_id if fate.row else fate.attempt.attempt_id}"


def _without_stream(fate: Fate) -> dict[str, Any]:
    return {name: value for name, value in fate.outcome().items() if name != "logStreamName"}


def _pod_place(first: Fate) -> dict[str, str]:
    """The pod's name ends with what the log streams of its containers end with."""
    pod = first.placed.task_id(first.attempt.attempt_id)
    return {"podName": f"aws-batch.{pod}", "nodeName": first.attempt.instance_id}
