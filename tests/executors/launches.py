"""Launches of new attempts."""

import uuid

from batchyard.core.ids import AttemptId
from batchyard.executors.interface import Container, ContainerDependency, Launch, Ulimit


def launch(
    *command: str,
    vcpus: float = 1.0,
    memory_mib: int = 256,
    environment: dict[str, str] | None = None,
    compute_environment: str = "default",
    gpus: int = 0,
    user: str | None = None,
    ulimits: tuple[Ulimit, ...] = (),
) -> Launch:
    """A launch of a new attempt."""
    return Launch(
        AttemptId(uuid.uuid4().hex),
        job_id=str(uuid.uuid4()),
        compute_environment=compute_environment,
        vcpus=vcpus,
        memory_mib=memory_mib,
        gpus=gpus,
        containers=(
            Container(
                name="default",
                image="busybox",
                command=command,
                environment=environment or {},
                vcpus=vcpus,
                memory_mib=memory_mib,
                gpus=gpus,
                user=user,
                ulimits=ulimits,
            ),
        ),
    )


def shell(script: str, **members: object) -> Launch:
    """A launch of a shell script."""
    return launch("sh", "-c", script, **members)  # type: ignore[arg-type]


def part(name: str, script: str, *depends_on: tuple[str, str], **members: object) -> Container:
    """A container of a task, which runs a shell script and depends on others, given as (name, condition)."""
    return Container(
        name=name,
        image="busybox",
        command=("sh", "-c", script),
        environment={},
        vcpus=0.25,
        memory_mib=64,
        depends_on=tuple(ContainerDependency(*each) for each in depends_on),
        **members,  # type: ignore[arg-type]
    )


def task(*containers: Container, main_node: int = 0) -> Launch:
    """A launch of a new attempt of several containers."""
    vcpus, memory_mib = sum(c.vcpus for c in containers), sum(c.memory_mib for c in containers)
    job_id = str(uuid.uuid4())
    return Launch(AttemptId(uuid.uuid4().hex), job_id, "default", vcpus, memory_mib, 0, containers, main_node)
