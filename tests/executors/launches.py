"""Launches of new attempts."""

import uuid

from batchyard.core.ids import AttemptId
from batchyard.executors.interface import Container, Launch, Ulimit


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
