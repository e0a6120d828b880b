"""What a container is told about itself and its task: version 4 of the ECS task metadata, as far as programs read it.

ARNs, the log stream and the job's limits are those that DescribeJobs shows. Ids of Docker and of images are made up,
since they are for telling containers apart and not for looking anything up.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

from batchyard.api.batch.compute_environments import cluster_name
from batchyard.api.context import Context
from batchyard.core.ids import AttemptId, Millis, container_id
from batchyard.core.jobs import Attempt, Terms
from batchyard.core.resolved_tasks import PlacedContainer, placed_containers
from batchyard.engine.task_endpoint import TaskName
from batchyard.store.transaction import Transaction

_LABEL = "com.amazonaws.ecs."
_CPU_UNITS_PER_VCPU = 1024


def find_task(tx: Transaction, name: TaskName) -> tuple[Attempt, Terms] | None:
    """The attempt that a task is and its job's terms, while it is active; None before and after.

    An attempt that has been reported has nothing left that could ask, so there is no grace.
    """
    attempt = tx.attempts.current(name.key)
    if attempt is None or attempt.attempt_id != name.attempt_id or attempt.stopped_at is not None:
        return None
    terms = tx.jobs.terms(name.key.seq)
    return (attempt, terms) if name.container < len(placed_containers(terms.resolved.containers)) else None


def container_metadata(context: Context, attempt: Attempt, terms: Terms, container: int) -> dict[str, Any]:
    """What stands at the metadata URI itself: one container, by its position in the attempt."""
    cluster = _cluster(context, attempt)
    placed = placed_containers(terms.resolved.containers)[container]
    resolved, name, task_id = placed.container, placed.label, placed.task_id(attempt.attempt_id)
    docker_id = hashlib.sha256(container_id(attempt.attempt_id, container).encode()).hexdigest()
    image = resolved.image
    family, _, revision = (terms.definition or terms.job_name).partition(":")
    return {
        "DockerId": docker_id,
        "Name": name,
        "DockerName": f"ecs-{family}-{revision}-{name}-{docker_id[:20]}",
        "Image": image,
        "ImageID": "sha256:" + hashlib.sha256(image.encode()).hexdigest(),
        "Labels": {
            f"{_LABEL}cluster": cluster,
            f"{_LABEL}container-name": name,
            f"{_LABEL}task-arn": _task_arn(context, task_id, cluster),
            f"{_LABEL}task-definition-family": family,
            f"{_LABEL}task-definition-version": revision,
        },
        **_statuses(attempt),
        "Limits": {"CPU": int(resolved.vcpus * _CPU_UNITS_PER_VCPU), "Memory": resolved.memory_mib},
        "CreatedAt": _time(attempt.placed_at),
        "StartedAt": _time(attempt.started_at or attempt.placed_at),
        "Type": "NORMAL",
        "LogDriver": "awslogs",
        "LogOptions": {
            "awslogs-group": resolved.log_group,
            "awslogs-region": terms.region,
            "awslogs-stream": placed.log_stream(attempt.attempt_id, terms.resolved.log_stream_prefix),
        },
        "ContainerARN": context.arn(f"container/{cluster}/{task_id}/{docker_id[:32]}", service="ecs"),
        "Networks": [{"NetworkMode": "host", "IPv4Addresses": ["127.0.0.1"]}],
    }


def task_metadata(context: Context, attempt: Attempt, terms: Terms, container: int) -> dict[str, Any]:
    """What stands at `/task`: the ECS task that the container in this position belongs to, with all its containers."""
    cluster = _cluster(context, attempt)
    siblings = containers_of_task(terms, container)
    members = [each.container for each in siblings]
    family, _, revision = (terms.definition or terms.job_name).partition(":")
    return {
        "Cluster": context.arn(f"cluster/{cluster}", service="ecs"),
        "TaskARN": _task_arn(context, siblings[0].task_id(attempt.attempt_id), cluster),
        "Family": family,
        "Revision": revision,
        **_statuses(attempt),
        "Limits": {"CPU": sum(each.vcpus for each in members), "Memory": sum(each.memory_mib for each in members)},
        "PullStartedAt": _time(attempt.placed_at),
        "PullStoppedAt": _time(attempt.placed_at),
        "AvailabilityZone": f"{terms.region}a",
        "LaunchType": "FARGATE" if "FARGATE" in terms.resolved.platform_capabilities else "EC2",
        "Containers": [container_metadata(context, attempt, terms, each.position) for each in siblings],
    }


def containers_of_task(terms: Terms, container: int) -> list[PlacedContainer]:
    """The containers that share a task with the one in this position: each node of a multi-node job is a task."""
    placed = placed_containers(terms.resolved.containers)
    return [each for each in placed if each.task_position == placed[container].task_position]


def task_tags(context: Context, terms: Terms) -> dict[str, dict[str, str]]:
    """What `/taskWithTags` says besides: the job's tags where they propagate to the task, none of the host."""
    tags = dict(context.tx.tags.get(f"job/{terms.job_id}")) if terms.resolved.propagate_tags else {}
    return {"TaskTags": tags, "ContainerInstanceTags": {}}


def _cluster(context: Context, attempt: Attempt) -> str:
    environment = attempt.compute_environment
    return cluster_name(environment, context.tx.compute_environments.get(environment))


def _task_arn(context: Context, task_id: AttemptId, cluster: str) -> str:
    return context.arn(f"task/{cluster}/{task_id}", service="ecs")


def _statuses(attempt: Attempt) -> dict[str, str]:
    """Who asks runs, whatever has been reported of it so far."""
    return {"DesiredStatus": "RUNNING" if attempt.stop_wanted is None else "STOPPED", "KnownStatus": "RUNNING"}


def _time(at: Millis) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
