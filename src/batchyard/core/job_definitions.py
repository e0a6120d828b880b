"""A job definition: what RegisterJobDefinition accepts and what describe calls echo (F 7; User Guide, Job definitions).

A definition is checked and completed once, here. Its `document` is then the whole truth: describe calls show it, and
`core.submission` merges a SubmitJob with it. AWS's way of echoing is part of the contract, because clients compare what
they registered with what they are shown: empty lists appear, `evaluateOnExit` actions turn lower-case, variables with
an empty value are gone, and nothing else is invented.
"""

from collections.abc import Mapping
from typing import Any

from batchyard.core import quotas, refusals
from batchyard.core.attempt_limits import validate_retry_strategy, validate_timeout
from batchyard.core.consumable_resources import QUANTITY_MAX
from batchyard.core.container_properties import container_properties
from batchyard.core.ecs_properties import ecs_properties
from batchyard.core.eks_properties import eks_properties
from batchyard.core.names import is_resource_name
from batchyard.core.node_properties import node_properties

CONTAINER = "container"
MULTINODE = "multinode"

_BLOCKS = ("containerProperties", "ecsProperties", "eksProperties")
_HIGHEST_SCHEDULING_PRIORITY = 9999


def job_definition_document(request: Mapping[str, Any]) -> dict[str, Any]:
    """The `document` of a new revision, from the members of a RegisterJobDefinition request.

    Name, revision, status, type, ARN and tags are not part of it. Raises Refusal for whatever AWS refuses.
    """
    if not is_resource_name(request["jobDefinitionName"]):
        raise refusals.job_definition_name_invalid()
    capabilities = list(request.get("platformCapabilities") or ())
    document: dict[str, Any] = {"parameters": dict(request.get("parameters") or {})}
    if request["type"] == MULTINODE:
        document["nodeProperties"] = _multinode(request, capabilities)
    else:
        document |= _container_block(request, capabilities)
    if (retry_strategy := validate_retry_strategy(request.get("retryStrategy"))) is not None:
        document["retryStrategy"] = retry_strategy
    if (timeout := validate_timeout(request.get("timeout"))) is not None:
        document["timeout"] = timeout
    if (priority := request.get("schedulingPriority")) is not None:
        document["schedulingPriority"] = check_scheduling_priority(priority)
    if (resources := request.get("consumableResourceProperties")) is not None:
        document["consumableResourceProperties"] = consumable_resource_properties(resources)
    if capabilities:
        document["platformCapabilities"] = capabilities
    if "propagateTags" in request:
        document["propagateTags"] = request["propagateTags"]
    document["containerOrchestrationType"] = "EKS" if "eksProperties" in document else "ECS"
    return document


def check_scheduling_priority(priority: int) -> int:
    """The priority itself. Raises Refusal outside 0 to 9999."""
    if not 0 <= priority <= _HIGHEST_SCHEDULING_PRIORITY:
        raise refusals.scheduling_priority_out_of_range()
    return priority


def consumable_resource_properties(given: Mapping[str, Any]) -> dict[str, Any]:
    """consumableResourceProperties as describe calls echo it (F 7.8). Raises Refusal."""
    entries = list(given.get("consumableResourceList") or ())
    if len(entries) > quotas.CONSUMABLE_RESOURCES_PER_JOB:
        raise refusals.too_many_consumable_resources()
    if len({entry.get("consumableResource") for entry in entries}) < len(entries):
        raise refusals.duplicate_consumable_resource()
    for entry in entries:
        if not entry.get("consumableResource"):
            raise refusals.consumable_resource_missing()
        if not 1 <= (entry.get("quantity") or 0) <= QUANTITY_MAX:
            raise refusals.consumable_quantity_invalid()
    return {"consumableResourceList": entries}


def _container_block(request: Mapping[str, Any], capabilities: list[str]) -> dict[str, Any]:
    if request.get("nodeProperties"):
        raise refusals.node_properties_on_container()
    given = [member for member in _BLOCKS if request.get(member)]
    if not given:
        raise refusals.container_image_missing()
    if len(given) > 1:
        raise refusals.one_property_block()
    fargate = "FARGATE" in capabilities
    match given[0]:
        case "containerProperties":
            if "MANAGED_INSTANCES" in capabilities:
                raise refusals.managed_instances_container_properties()
            return {"containerProperties": container_properties(request["containerProperties"], fargate=fargate)}
        case "ecsProperties":
            return {"ecsProperties": ecs_properties(request["ecsProperties"], fargate=fargate)}
        case _:
            for member in ("platformCapabilities", "propagateTags"):
                if request.get(member):
                    raise refusals.not_applicable_to_eks(member)
            return {"eksProperties": eks_properties(request["eksProperties"])}


def _multinode(request: Mapping[str, Any], capabilities: list[str]) -> dict[str, Any]:
    if "FARGATE" in capabilities:
        raise refusals.fargate_multi_node()
    if "MANAGED_INSTANCES" in capabilities:
        raise refusals.managed_instances_multi_node()
    if any(request.get(member) for member in _BLOCKS):
        raise refusals.container_block_on_multinode()
    if not request.get("nodeProperties"):
        raise refusals.node_properties_missing()
    return node_properties(request["nodeProperties"])
