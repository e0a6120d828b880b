"""From an attempt's row and its job's terms to the order that an executor understands."""

from batchyard.core.chosen_indexes import VARIABLE, chosen_indexes
from batchyard.core.jobs import Attempt, Terms
from batchyard.executors.interface import Launch, Ulimit


def job_environment(attempt: Attempt, terms: Terms) -> dict[str, str]:
    """The variables of a job: its own, and over them those that AWS Batch sets (F 6.5)."""
    environment = dict(terms.resolved.environment)
    environment["AWS_BATCH_JOB_ID"] = terms.child_id(attempt.key.array_index)
    environment["AWS_BATCH_JOB_ATTEMPT"] = str(attempt.attempt)
    environment["AWS_BATCH_JQ_NAME"] = terms.queue
    environment["AWS_BATCH_CE_NAME"] = attempt.compute_environment
    if place := _place_in_array(attempt, terms):
        environment["AWS_BATCH_JOB_ARRAY_INDEX"], environment["AWS_BATCH_JOB_ARRAY_SIZE"] = map(str, place)
    capabilities = terms.resolved.platform_capabilities
    environment["AWS_EXECUTION_ENV"] = "AWS_ECS_FARGATE" if "FARGATE" in capabilities else "AWS_ECS_EC2"
    environment.setdefault("AWS_REGION", terms.region)
    environment.setdefault("AWS_DEFAULT_REGION", terms.region)
    return environment


def _place_in_array(attempt: Attempt, terms: Terms) -> tuple[int, int] | None:
    """The array index and the array's size that a job is told; None for a single job that stands for no child."""
    index, size = attempt.key.array_index, terms.array_size
    chosen = chosen_indexes(terms.resolved.environment.get(VARIABLE, ""))
    if chosen and len(chosen.indexes) == (size or 1):
        return chosen.at(index or 0), chosen.size
    return None if index is None or size is None else (index, size)


def launch_of(attempt: Attempt, terms: Terms) -> Launch:
    """The order that starts this attempt."""
    resolved = terms.resolved
    return Launch(
        attempt_id=attempt.attempt_id,
        job_id=terms.child_id(attempt.key.array_index),
        compute_environment=attempt.compute_environment,
        image=resolved.image,
        command=tuple(resolved.command),
        environment=job_environment(attempt, terms),
        vcpus=attempt.vcpus,
        memory_mib=attempt.memory_mib,
        gpus=attempt.gpus,
        user=resolved.user,
        ulimits=tuple(Ulimit(u["name"], u["softLimit"], u["hardLimit"]) for u in resolved.ulimits),
        max_swap_mib=resolved.max_swap_mib,
    )
