"""From an attempt's row and its job's terms to the order that an executor understands."""

from batchyard.core.chosen_indexes import VARIABLE, chosen_indexes
from batchyard.core.jobs import Attempt, Terms
from batchyard.core.submission import ResolvedContainer
from batchyard.engine.isolation import IsolationRules, isolation_of
from batchyard.executors.interface import Container, Launch, Ulimit


def launch_of(attempt: Attempt, terms: Terms, rules: IsolationRules | None = None) -> Launch:
    """The order that starts this attempt. `rules` for its isolation; None for an executor that isolates nothing."""
    added = _batch_environment(attempt, terms)
    return Launch(
        attempt_id=attempt.attempt_id,
        job_id=terms.child_id(attempt.key.array_index),
        compute_environment=attempt.compute_environment,
        vcpus=attempt.vcpus,
        memory_mib=attempt.memory_mib,
        gpus=attempt.gpus,
        containers=tuple(_container(container, added, terms.region, rules) for container in terms.resolved.containers),
    )


def _container(
    resolved: ResolvedContainer, added: dict[str, str], region: str, rules: IsolationRules | None
) -> Container:
    """A container with the job's own variables, and over them those that AWS Batch sets."""
    given = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    return Container(
        name=resolved.name,
        image=resolved.image,
        command=tuple(resolved.command),
        environment=given | dict(resolved.environment) | added,
        vcpus=resolved.vcpus,
        memory_mib=resolved.memory_mib,
        gpus=resolved.gpus,
        user=resolved.user,
        ulimits=tuple(Ulimit(u["name"], u["softLimit"], u["hardLimit"]) for u in resolved.ulimits),
        max_swap_mib=resolved.max_swap_mib,
        isolation=isolation_of(resolved.isolation, rules) if rules and resolved.isolation is not None else None,
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


def _place_in_array(attempt: Attempt, terms: Terms) -> tuple[int, int] | None:
    """The array index and the array's size that a job is told; None for a single job that stands for no child."""
    index, size = attempt.key.array_index, terms.array_size
    chosen = chosen_indexes(terms.resolved.containers[0].environment.get(VARIABLE, ""))
    if chosen and len(chosen.indexes) == (size or 1):
        return chosen.at(index or 0), chosen.size
    return None if index is None or size is None else (index, size)
