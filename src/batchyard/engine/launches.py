"""From an attempt's row and its job's terms to the order that an executor understands."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from batchyard.core.chosen_indexes import VARIABLE, chosen_indexes
from batchyard.core.jobs import Attempt, Terms
from batchyard.core.parameters import expand
from batchyard.core.resolved_nodes import node_address
from batchyard.core.resolved_tasks import PlacedContainer, placed_containers
from batchyard.core.training import TrainingSite
from batchyard.engine.isolation import IsolationRules, isolation_of
from batchyard.engine.task_endpoint import TaskEndpoint
from batchyard.engine.training_launches import training_launch_of
from batchyard.executors.interface import Container, ContainerDependency, Launch, Ulimit


@dataclass(frozen=True, slots=True)
class LaunchSettings:
    """What the launches of one server are made with.

    isolation: what the operator allows; None for an executor that isolates nothing. endpoint: where containers may ask
    about themselves, if anywhere. training: where training jobs keep what they make.
    """

    isolation: IsolationRules | None = None
    endpoint: TaskEndpoint | None = None
    training: TrainingSite = field(default_factory=TrainingSite)


BARE = LaunchSettings()
"""Nothing isolated, nowhere to ask."""


def launch_of(attempt: Attempt, terms: Terms, settings: LaunchSettings = BARE) -> Launch:
    """The order that starts this attempt."""
    if terms.service is not None:
        return training_launch_of(attempt, terms, terms.service.training, settings.training)
    added = _batch_environment(attempt, terms)
    placed = placed_containers(terms.resolved.containers)

    def container(each: PlacedContainer) -> Container:
        own = _own_environment(attempt, terms, each, settings.endpoint)
        return _container(each, added | own, terms.region, settings.isolation)

    return Launch(
        attempt_id=attempt.attempt_id,
        job_id=terms.child_id(attempt.key.array_index),
        compute_environment=attempt.compute_environment,
        vcpus=attempt.vcpus,
        memory_mib=attempt.memory_mib,
        gpus=attempt.gpus,
        containers=tuple(map(container, placed)),
        main_node=placed[0].node,
        in_containers=settings.isolation is not None,
    )


def _container(
    placed: PlacedContainer, added: Mapping[str, str], region: str, rules: IsolationRules | None
) -> Container:
    """A container with the job's own variables, and over them those that AWS Batch sets."""
    resolved = placed.container
    environment = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, **resolved.environment, **added}
    command = expand(resolved.command, environment) if resolved.expands_variables else resolved.command
    return Container(
        name=resolved.name,
        image=resolved.image,
        command=tuple(command),
        environment=environment,
        vcpus=resolved.vcpus,
        memory_mib=resolved.memory_mib,
        gpus=resolved.gpus,
        user=resolved.user,
        ulimits=tuple(Ulimit(u["name"], u["softLimit"], u["hardLimit"]) for u in resolved.ulimits),
        max_swap_mib=resolved.max_swap_mib,
        node=placed.node,
        essential=resolved.essential,
        depends_on=tuple(ContainerDependency(name, condition) for name, condition in resolved.depends_on),
        start_timeout_seconds=resolved.start_timeout_seconds,
        stop_timeout_seconds=resolved.stop_timeout_seconds,
        isolation=isolation_of(resolved.isolation, rules) if rules and resolved.isolation is not None else None,
        secrets=resolved.secrets or {},
    )


def _batch_environment(attempt: Attempt, terms: Terms) -> dict[str, str]:
    """The variables that AWS Batch sets, which no job can (F 6.5)."""
    environment = {
        "AWS_BATCH_JOB_ID": terms.child_id(attempt.key.array_index),
        "AWS_BATCH_JOB_ATTEMPT": str(attempt.attempt),
        "AWS_BATCH_JQ_NAME": terms.queue,
        "AWS_BATCH_CE_NAME": attempt.compute_environment,
    }
    if place := _place_in_array(attempt, terms):
        environment["AWS_BATCH_JOB_ARRAY_INDEX"], environment["AWS_BATCH_JOB_ARRAY_SIZE"] = map(str, place)
    capabilities = terms.resolved.platform_capabilities
    environment["AWS_EXECUTION_ENV"] = "AWS_ECS_FARGATE" if "FARGATE" in capabilities else "AWS_ECS_EC2"
    return environment


def _own_environment(
    attempt: Attempt, terms: Terms, placed: PlacedContainer, endpoint: TaskEndpoint | None
) -> dict[str, str]:
    """What one container is told that the others are not: its node, and where to ask about itself."""
    found = _node_environment(attempt, terms, placed.node)
    return found if endpoint is None else found | endpoint.variables(attempt, terms, placed.position)


def _node_environment(attempt: Attempt, terms: Terms, node: int) -> dict[str, str]:
    """What a node of a multi-node job is told of itself and of the main node (F 6.5); nothing for other jobs."""
    properties = terms.resolved.node_properties
    if properties is None:
        return {}
    main = properties["mainNode"]
    found = {
        "AWS_BATCH_JOB_ID": f"{terms.job_id}#{node}",
        "AWS_BATCH_JOB_NODE_INDEX": str(node),
        "AWS_BATCH_JOB_NUM_NODES": str(properties["numNodes"]),
        "AWS_BATCH_JOB_MAIN_NODE_INDEX": str(main),
        "BATCHYARD_NODE_PRIVATE_IPV4_ADDRESS": node_address(attempt.attempt_id, node),
    }
    if node != main:
        found["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] = node_address(attempt.attempt_id, main)
    return found


def _place_in_array(attempt: Attempt, terms: Terms) -> tuple[int, int] | None:
    """The array index and the array's size that a job is told; None for a single job that stands for no child."""
    index, size = attempt.key.array_index, terms.array_size
    chosen = chosen_indexes(terms.resolved.containers[0].environment.get(VARIABLE, ""))
    if chosen and len(chosen.indexes) == (size or 1):
        return chosen.at(index or 0), chosen.size
    return None if index is None or size is None else (index, size)
