"""What service environments and quota shares may say of capacity (F 8.8, 8.9; API Reference, CapacityLimit)."""

from collections.abc import Mapping, Sequence
from typing import Any

from batchyard.core import quotas, refusals

NUM_INSTANCES = "NUM_INSTANCES"
_LEND_AND_BORROW = "LEND_AND_BORROW"
_UNLIMITED = -1


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
