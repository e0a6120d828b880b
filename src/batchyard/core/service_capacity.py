"""What service environments and quota shares may say of capacity (F 8.8, 8.9; API Reference, CapacityLimit)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchyard.core import quotas, refusals

NUM_INSTANCES = "NUM_INSTANCES"
_LEND_AND_BORROW = "LEND_AND_BORROW"
_UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class InstanceSize:
    """What one training instance holds of this machine while it runs; memory is its limit, too."""

    vcpus: float = 1.0
    memory_mib: int = 2048
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class InstanceSizes:
    """Those that an operator has given a size of their own, by instance type, and what the others are."""

    otherwise: InstanceSize = InstanceSize()
    by_type: Mapping[str, InstanceSize] = field(default_factory=dict)

    def of(self, instance_type: str) -> InstanceSize:
        """The size of an instance of this type."""
        return self.by_type.get(instance_type, self.otherwise)


def environment_name(service_environment: str, unit: str) -> str:
    """What attempts and plans call one capacity limit of a service environment; no compute environment has a `/`."""
    tail = "" if unit == NUM_INSTANCES else f"/{unit}"
    return f"service-environment/{service_environment}{tail}"


def capacity_limits(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """capacityLimits as describe calls echo them: one to five, in numbers of instances or in instance types, each unit
    once. Raises Refusal."""
    if not given:
        raise refusals.capacity_limits_missing()
    if len(given) > quotas.CAPACITY_LIMITS:
        raise refusals.too_many_capacity_limits(quotas.CAPACITY_LIMITS)
    units = [limit.get("capacityUnit") for limit in given]
    if not all(units) or (NUM_INSTANCES in units and set(units) != {NUM_INSTANCES}):
        raise refusals.capacity_units_mixed()
    if len(set(units)) < len(units):
        raise refusals.duplicate_capacity_units()
    if not all((limit.get("maxCapacity") or 0) > 0 for limit in given):
        raise refusals.max_capacity_too_small()
    return [dict(limit) for limit in given]


def resource_sharing(given: Mapping[str, Any]) -> dict[str, Any]:
    """resourceSharingConfiguration as describe calls echo it: who borrows does so without limit unless one is given.

    Raises Refusal for a limit of one that does not borrow, or below -1.
    """
    if given["strategy"] != _LEND_AND_BORROW:
        if "borrowLimit" in given:
            raise refusals.borrow_limit_not_applicable()
        return dict(given)
    limit = given.get("borrowLimit", _UNLIMITED)
    if limit < _UNLIMITED:
        raise refusals.borrow_limit_out_of_range()
    return {**given, "borrowLimit": limit}
