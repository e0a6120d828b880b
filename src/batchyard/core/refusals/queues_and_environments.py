"""Refusals of job queues (F 8.2) and compute environments (F 8.3)."""

from batchyard.core.refusals.refusal import Refusal, bare, static

# ----------------------------------------------------------------------------------------------------------- job queues


def job_queue_name_invalid() -> Refusal:
    """jobQueueName against its pattern (F 2.1). [seen]"""
    return static("Job Queue name should match a valid pattern.")


def too_many_environments(limit: int) -> Refusal:
    """More compute environments in a queue's order than allowed. [seen]"""
    return static(f"Only {limit} environments are allowed in job queue request.")


def environment_order_missing() -> Refusal:
    """Neither compute nor service environments. [chosen]"""
    return static("computeEnvironmentOrder or serviceEnvironmentOrder must be provided.")


def two_environment_orders() -> Refusal:
    """Both compute and service environments. [chosen]"""
    return static("computeEnvironmentOrder and serviceEnvironmentOrder cannot both be specified.")


def duplicate_order_values() -> Refusal:
    """Two compute environments with one order number. [seen]"""
    return static("Duplicate ComputeEnvironment order values.")


def duplicate_environments() -> Refusal:
    """One compute environment twice in a queue's order. [seen]"""
    return static("Duplicate ComputeEnvironments within order list.")


def environments_must_be_valid() -> Refusal:
    """A compute environment that is unknown or not VALID. [seen]"""
    return bare("Compute Environments must be created and valid before attaching them to a job queue")


def mixed_platforms() -> Refusal:
    """Fargate and EC2 in one queue. [seen]"""
    return bare("Fargate and EC2 compute environments can not be mixed.")


def mixed_orchestration() -> Refusal:
    """ECS and EKS, or managed instances and others, in one queue. [chosen]"""
    return bare("Compute environments of different kinds can not be mixed in a job queue.")


def job_queue_type_mismatch(job_queue_type: str) -> Refusal:
    """A jobQueueType other than that of the environments. [chosen]"""
    return bare(f"Environments in the order list do not match job queue type {job_queue_type}.")


def job_state_action_invalid(valid: str) -> Refusal:
    """A job-state time limit with another action than CANCEL, or TERMINATE in a queue of service jobs. [seen]"""
    return static(f"Invalid job action. Valid job actions: [{valid}]")


def duplicate_job_state_actions() -> Refusal:
    """Two job-state time limits for the same reason. [seen]"""
    return static("Duplicate job state limit actions are not allowed.")


def job_state_time_out_of_range() -> Refusal:
    """maxTimeSeconds outside 600 to 86400. [chosen]"""
    return static("maxTimeSeconds must be between 600 and 86400.")


def job_queue_not_disabled() -> Refusal:
    """DeleteJobQueue while ENABLED (F 14.18). [chosen]"""
    return bare("Cannot delete, job queue must be in DISABLED state.")


# ------------------------------------------------------------------------------------------------- compute environments


def compute_environment_name_invalid() -> Refusal:
    """computeEnvironmentName against its pattern (F 2.1). [chosen]"""
    return static("Compute Environment name should match a valid pattern.")


def must_be_created_enabled() -> Refusal:
    """A compute environment created DISABLED. [seen]"""
    return static("Compute Environment must be created in ENABLED state.")


def compute_resources_missing() -> Refusal:
    """MANAGED without computeResources. [chosen]"""
    return static("computeResources must be provided for a managed Compute Environment.")


def compute_resources_unmanaged() -> Refusal:
    """UNMANAGED with computeResources. [chosen]"""
    return static("computeResources is not applicable for unmanaged Compute Environments")


def unmanaged_vcpus_on_managed() -> Refusal:
    """MANAGED with unmanagedvCpus. [seen]"""
    return static("unmanagedvCpus is not applicable for managed Compute Environments")


def not_applicable_for_fargate(member: str) -> Refusal:
    """A member of computeResources that only EC2 has. [seen]"""
    return static(f"{member} is not applicable for Fargate.")


def vcpus_negative(member: str) -> Refusal:
    """A negative number of vCPUs. [chosen]"""
    return static(f"{member} must not be negative.")


def desired_vcpus_out_of_range() -> Refusal:
    """desiredvCpus outside minvCpus to maxvCpus, or minvCpus above maxvCpus. [seen]"""
    return static("desiredvCpus should be between minvCpus and maxvCpus.")


def desired_vcpus_lowered() -> Refusal:
    """An update that lowers desiredvCpus; that it is refused is in the model. [chosen]"""
    return bare("desiredvCpus can not be lowered by an update.")


def bid_percentage_out_of_range() -> Refusal:
    """bidPercentage outside 0 to 100. [seen]"""
    return static("Bid percentage must be between 0 to 100.")


def too_many_subnets() -> Refusal:
    """More than 16 subnets on Fargate. [seen]"""
    return static("Fargate supports a maximum of 16 subnets.")


def too_many_security_groups() -> Refusal:
    """More than 5 security groups on Fargate. [seen]"""
    return static("Fargate supports a maximum of 5 security groups.")


def launch_template_ambiguous() -> Refusal:
    """A launch template with an id and a name, or neither. [chosen]"""
    return static("Launch template must specify either launchTemplateId or launchTemplateName.")


def too_many_launch_template_overrides() -> Refusal:
    """More than 10 launch template overrides. [chosen]"""
    return static("Launch template can have at most 10 overrides.")


def launch_template_override_without_types() -> Refusal:
    """A launch template override that names no instance types. [chosen]"""
    return static("Launch template overrides must specify targetInstanceTypes.")


def too_many_ec2_configurations() -> Refusal:
    """More than 2 ec2Configuration entries. [chosen]"""
    return static("ec2Configuration must have 1 or 2 entries.")


def image_type_invalid() -> Refusal:
    """An ec2Configuration.imageType that does not exist. [seen]"""
    return static("Invalid imageType in ComputeResources.ec2Configuration")


def allocation_strategy_required_for_eks() -> Refusal:
    """EKS without allocationStrategy. [chosen]"""
    return static("allocationStrategy is required for EKS compute environments.")


def eks_configuration_on_ecs() -> Refusal:
    """An update that gives eksConfiguration to a compute environment that was made without one. [chosen]"""
    return static("eksConfiguration can only be updated for EKS compute environments.")


def job_execution_timeout_out_of_range() -> Refusal:
    """updatePolicy.jobExecutionTimeoutMinutes outside 1 to 7200. [chosen]"""
    return static("jobExecutionTimeoutMinutes must be between 1 and 7200.")


def managed_instances_type_fixed() -> Refusal:
    """An update to or from ECS_MANAGED_INSTANCES (F 8.3). [chosen]"""
    return bare("computeResources type can not be changed to or from ECS_MANAGED_INSTANCES.")


def platform_fixed() -> Refusal:
    """An update that turns EC2 into Fargate, or the reverse. [chosen]"""
    return bare("computeResources type can not be changed between EC2 and Fargate.")


def compute_environment_not_disabled() -> Refusal:
    """DeleteComputeEnvironment while ENABLED (F 14.18). [chosen]"""
    return bare("Cannot delete, compute environment must be in DISABLED state.")


def compute_environment_in_use() -> Refusal:
    """DeleteComputeEnvironment while a queue lists it. [seen]"""
    return bare("Cannot delete, found existing JobQueue relationship")
