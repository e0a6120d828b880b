"""Refusals of scheduling policies (F 8.4) and of the queues that follow them (F 8.2)."""

from batchyard.core.refusals.refusal import Refusal, bare, static


def scheduling_policy_name_invalid() -> Refusal:
    """The name of a scheduling policy against its pattern (F 2.1). [seen]"""
    return static("Scheduling policy name should match a valid pattern.")


def two_kinds_of_policy() -> Refusal:
    """fairsharePolicy and quotaSharePolicy at once. [seen]"""
    return static("A scheduling policy can have either fairsharePolicy or quotaSharePolicy")


def policy_kind_fixed() -> Refusal:
    """An update that would turn a fair-share policy into a quota-share policy, or the reverse. [chosen]"""
    return bare("The type of a scheduling policy can not be changed.")


def share_decay_out_of_range() -> Refusal:
    """shareDecaySeconds outside 0 to 604800. [chosen]"""
    return static("shareDecaySeconds must be between 0 and 604800.")


def compute_reservation_out_of_range() -> Refusal:
    """computeReservation outside 0 to 99. [chosen]"""
    return static("computeReservation must be between 0 and 99.")


def too_many_shares(limit: int) -> Refusal:
    """A shareDistribution that is too long. [seen]"""
    return static(f"ShareDistribution size cannot be greater than {limit}.")


def weight_factor_out_of_range() -> Refusal:
    """A weightFactor outside 0.0001 to 999.9999. [seen]"""
    return static("Weight factor should be between 0.0001 and 999.9999.")


def duplicate_shares() -> Refusal:
    """One share identifier twice. [seen]"""
    return static("Cannot have two or more identical shareIdentifiers.")


def shares_overlap(identifier: str, covering: str) -> Refusal:
    """A share identifier that a prefix (`name*`) covers. [seen] as far as `matches another share identifier`"""
    return static(f"Share identifier {identifier} matches another share identifier {covering}")


def scheduling_policy_not_found(arn: str) -> Refusal:
    """A queue with an unknown scheduling policy. [seen]"""
    return bare(f"SchedulingPolicy {arn} not found.")


def scheduling_policy_in_use() -> Refusal:
    """DeleteSchedulingPolicy while a queue has it; modelled on compute environments. [chosen]"""
    return bare("Cannot delete, found existing JobQueue relationship")


def queue_cannot_gain_policy() -> Refusal:
    """An update that gives a scheduling policy to a queue that was made without one. [chosen]"""
    return bare("A scheduling policy can not be added to a job queue that was created without one.")


def queue_policy_kind_fixed() -> Refusal:
    """An update that replaces a queue's policy by one of the other kind. [chosen]"""
    return bare("The scheduling policy of a job queue can only be replaced by one of the same type.")


def quota_management_needs_sagemaker() -> Refusal:
    """A quota-share policy on a queue of another type than SAGEMAKER_TRAINING. [seen]"""
    return bare("Quota Management feature is only supported for SageMaker Training job queues.")
