"""What a consumable resource may be, and what UpdateConsumableResource makes of it (F 8.6)."""

from batchyard.core import refusals
from batchyard.core.names import is_resource_name
from batchyard.core.resources import NON_REPLENISHABLE, REPLENISHABLE

QUANTITY_MAX = 2**63 - 1
"""A long of the service model; the database holds no more either."""


def check_new(name: str, resource_type: str, quantity: int) -> None:
    """Raises Refusal for a name, type or quantity that no consumable resource may have."""
    if not is_resource_name(name):
        raise refusals.consumable_resource_name_invalid()
    if resource_type not in (REPLENISHABLE, NON_REPLENISHABLE):
        raise refusals.consumable_resource_type_invalid(resource_type)
    _check_total(quantity)


def updated_total(total: int, operation: str | None, quantity: int | None) -> int:
    """The total after SET, ADD or REMOVE of a quantity. It may fall below what is in use; nothing is taken away from
    running jobs then, and nothing new starts. Raises Refusal."""
    if quantity is None or quantity < 0:
        raise refusals.update_quantity_invalid()
    match operation:
        case "SET":
            changed = quantity
        case "ADD":
            changed = total + quantity
        case "REMOVE":
            changed = total - quantity
        case _:
            raise refusals.update_operation_invalid()
    _check_total(changed)
    return changed


def _check_total(quantity: int) -> None:
    if quantity < 0:
        raise refusals.total_quantity_negative()
    if quantity > QUANTITY_MAX:
        raise refusals.total_quantity_too_large()
