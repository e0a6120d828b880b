"""Refusals of consumable resources and of the jobs that need them (F 7.8, 8.6)."""

from batchyard.core.refusals.refusal import Refusal, bare, static


def too_many_consumable_resources() -> Refusal:
    """More than 5 consumable resources. [seen]"""
    return static("Each ConsumableResourceProperty can have at most 5 consumableResources")


def duplicate_consumable_resource() -> Refusal:
    """One consumable resource twice. [seen]"""
    return static("Cannot have duplicate consumableResource in consumableResourceProperties")


def consumable_resource_missing() -> Refusal:
    """An entry of consumableResourceList that names nothing. [chosen]"""
    return static("Each entry of consumableResourceList must specify a consumableResource.")


def consumable_quantity_invalid() -> Refusal:
    """An entry of consumableResourceList without a quantity above 0. [chosen]"""
    return static("quantity of a consumableResource must be a positive number.")


def consumable_resource_not_found(reference: str) -> Refusal:
    """A definition or job that needs a consumable resource that does not exist. [chosen]"""
    return bare(f"ConsumableResource {reference} not found.")


def consumable_resource_name_invalid() -> Refusal:
    """consumableResourceName against its pattern (F 2.1). [seen]"""
    return static("ConsumableResource name should match a valid pattern.")


def consumable_resource_type_invalid(resource_type: str) -> Refusal:
    """A resourceType that does not exist. [chosen]"""
    return static(f"resourceType {resource_type} is not valid. Valid types: [REPLENISHABLE, NON_REPLENISHABLE]")


def total_quantity_negative() -> Refusal:
    """A total below 0, at creation or after an update. [seen] for creation"""
    return static("totalQuantity cannot be a negative number.")


def total_quantity_too_large() -> Refusal:
    """A total that is no long any more. [chosen]"""
    return static("totalQuantity is too large.")


def update_quantity_invalid() -> Refusal:
    """UpdateConsumableResource without a quantity, or with a negative one. [chosen]"""
    return static("quantity must be a non-negative number.")


def update_operation_invalid() -> Refusal:
    """UpdateConsumableResource with another operation. [chosen]"""
    return static("operation must be one of SET, ADD or REMOVE.")


def consumable_resource_in_use() -> Refusal:
    """DeleteConsumableResource while a job that has been placed holds some of it. [chosen]"""
    return bare("Cannot delete, the consumable resource is in use by jobs.")
