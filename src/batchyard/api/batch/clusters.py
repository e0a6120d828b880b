"""The ECS clusters that compute environments stand for, in the ARNs of tasks and container instances."""

from batchyard.api.batch.compute_environments import cluster_name
from batchyard.api.context import Context
from batchyard.core.jobs import Attempt


class Clusters:
    """The names of the ECS clusters that compute environments stand for, each looked up once per call."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._names: dict[str, str] = {}

    def container_instance_arn(self, attempt: Attempt) -> str:
        """The ARN of the host of an attempt."""
        return self._arn("container-instance", attempt.compute_environment, attempt.instance_id.removeprefix("i-"))

    def task_arn(self, attempt: Attempt, task_id: str) -> str:
        """The ARN of a task of an attempt; the nodes of a multi-node job are tasks of their own."""
        return self._arn("task", attempt.compute_environment, task_id)

    def _arn(self, kind: str, compute_environment: str, tail: str) -> str:
        name = self._names.get(compute_environment)
        if name is None:
            found = self._context.tx.compute_environments.get(compute_environment)
            name = self._names[compute_environment] = cluster_name(compute_environment, found)
        return self._context.arn(f"{kind}/{name}/{tail}", service="ecs")
