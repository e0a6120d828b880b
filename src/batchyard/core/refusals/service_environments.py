"""Refusals of service environments, quota shares and the queues that have them (F 8.8, 8.9)."""

from batchyard.core.refusals.refusal import Refusal, bare, static


def service_environment_name_invalid() -> Refusal:
    """serviceEnvironmentName against its pattern (F 2.1). [seen]"""
    return static("Service environment name should match a valid pattern.")


def capacity_limits_missing() -> Refusal:
    """No capacityLimits. [seen]"""
    return static("Capacitylimits are required.")


def too_many_capacity_limits(limit: int) -> Refusal:
    """More than 5 capacityLimits. [chosen]"""
    return static(f"At most {limit} capacityLimits are allowed.")


def capacity_units_mixed() -> Refusal:
    """NUM_INSTANCES beside instance types, or no unit at all. [seen]"""
    return static("Capacity units must specify either number of instances OR instance type")


def duplicate_capacity_units() -> Refusal:
    """One capacityUnit twice. [chosen]"""
    return static("Duplicate capacityUnit values in capacityLimits.")


def max_capacity_too_small() -> Refusal:
    """A maxCapacity that is not above 0. [seen]"""
    return static("Max capacity must be more than 0.")


def service_environment_not_disabled() -> Refusal:
    """DeleteServiceEnvironment while ENABLED. [chosen]"""
    return bare("Cannot delete, service environment must be in DISABLED state.")


def service_environment_in_use() -> Refusal:
    """DeleteServiceEnvironment while a queue lists it; modelled on compute environments. [chosen]"""
    return bare("Cannot delete, found existing JobQueue relationship")


def service_environments_must_be_valid() -> Refusal:
    """A queue with a service environment that is unknown or not VALID. [chosen]"""
    return bare("Service Environments must be created and valid before attaching them to a job queue")


def sagemaker_queue_needs_service_environments() -> Refusal:
    """A SAGEMAKER_TRAINING queue without service environments. [seen]"""
    return static("Job queues of type SAGEMAKER_TRAINING must have serviceEnvironmentOrder.")


def environment_order_kind_fixed() -> Refusal:
    """An update that gives compute environments to a queue of service environments, or the reverse. [chosen]"""
    return bare("A job queue can not be changed between compute environments and service environments.")


def service_environment_is_managed() -> Refusal:
    """A second queue for a service environment whose capacity quota shares divide (F 2.4). [chosen]"""
    return bare("A service environment with quota management can be attached to one job queue only.")


def quota_share_name_invalid() -> Refusal:
    """quotaShareName against its pattern (F 2.1). [chosen]"""
    return static("Quota share name should match a valid pattern.")


def quota_share_needs_quota_management() -> Refusal:
    """CreateQuotaShare in a queue without a quota-share policy. [chosen]"""
    return bare("Quota shares can only be created in job queues with a quota share scheduling policy.")


def borrow_limit_not_applicable() -> Refusal:
    """borrowLimit with another strategy than LEND_AND_BORROW. [chosen]"""
    return static("borrowLimit can only be specified with the LEND_AND_BORROW strategy.")


def borrow_limit_out_of_range() -> Refusal:
    """borrowLimit below -1. [chosen]"""
    return static("borrowLimit must be -1 or more.")


def quota_share_not_disabled() -> Refusal:
    """DeleteQuotaShare while ENABLED. [chosen]"""
    return bare("Cannot delete, quota share must be in DISABLED state.")
