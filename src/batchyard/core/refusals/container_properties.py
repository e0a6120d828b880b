"""Refusals of one container's members, on EC2 and on Fargate (F 6.4, 7.3, 7.4)."""

from batchyard.core.refusals.refusal import Refusal, static

# ------------------------------------------------------------------------------------------------------------ resources


def vcpu_missing() -> Refusal:
    """Neither vcpus nor a VCPU requirement. [seen]"""
    return static("vCPU is required.")


def vcpu_too_small(value: object) -> Refusal:
    """vCPUs below 1, or no whole number, outside Fargate. [seen]"""
    return static(f"vCPU must be at least 1, got {value}.")


def memory_missing() -> Refusal:
    """Neither memory nor a MEMORY requirement. [chosen]"""
    return static("Memory is required.")


def memory_too_small(value: object) -> Refusal:
    """Less than 4 MiB. [chosen]"""
    return static(f"Memory must be at least 4 MiB, got {value}.")


def resource_given_twice(legacy: str, kind: str) -> Refusal:
    """vcpus or memory beside the requirement of the same kind (F 6.4). [chosen]"""
    return static(f"{legacy} and {kind} in resourceRequirements cannot both be specified.")


def duplicate_resource_requirements() -> Refusal:
    """One type twice in resourceRequirements. [seen]"""
    return static("Cannot provide duplicates in resourceRequirements.")


def resource_value_not_numeric(value: str, kind: str) -> Refusal:
    """A requirement that is no number. [seen] for GPU"""
    return static(f"Value {value} for type {kind} in resourceRequirement is not valid. Please provide a numeric value.")


# ---------------------------------------------------------------------------------------------------- the other members


def user_invalid(user: str) -> Refusal:
    """A user name with odd characters. [seen]"""
    return static(f"User '{user}' does not match regex")


def image_too_long() -> Refusal:
    """An image name above 255 characters. [chosen]"""
    return static("ECS Container Image must have at most 255 characters.")


def environment_name_missing() -> Refusal:
    """An environment entry without a name. [seen]"""
    return static("Environment variable name is required.")


def environment_name_reserved(name: str) -> Refusal:
    """A variable that starts with AWS_BATCH; that it is reserved is in the model (F 6.5). [chosen]"""
    return static(f"Environment variable {name} is not valid: names starting with AWS_BATCH are reserved.")


def environment_not_representable(name: str) -> Refusal:
    """A variable that no process can have: `=` in the name, or a NUL character. [chosen]"""
    return static(f"Environment variable {name!r} is not valid: it must not contain '=' or NUL characters.")


def command_not_representable() -> Refusal:
    """A command with a NUL character, which no process can be given. [chosen]"""
    return static("Command must not contain NUL characters.")


def volume_name_invalid(name: str) -> Refusal:
    """A volume name against its pattern (F 2.1). [chosen]"""
    return static(f"Volume name {name!r} should match a valid pattern.")


def duplicate_volume(name: str) -> Refusal:
    """Two volumes of one name. [chosen]"""
    return static(f"Volume name {name} is used more than once.")


def volume_of_two_kinds() -> Refusal:
    """A volume with more than one configuration. [seen]"""
    return static("When the volume parameter is specified, only one volume configuration type should be used.")


def mount_point_without_volume(name: str) -> Refusal:
    """A mount point whose sourceVolume no volume bears. [chosen]"""
    return static(f"Mount point source volume {name} must reference a defined volume.")


def efs_root_directory() -> Refusal:
    """An EFS root directory that is too long, or set beside an access point. [chosen]"""
    return static(
        "efsVolumeConfiguration.rootDirectory must have at most 4096 characters, "
        "and be omitted or / when an access point is specified."
    )


def efs_needs_transit_encryption() -> Refusal:
    """An EFS access point or IAM authorisation without transit encryption. [chosen]"""
    return static("efsVolumeConfiguration.transitEncryption must be ENABLED when authorizationConfig is used.")


def transit_encryption_port() -> Refusal:
    """A port outside 0 to 65535. [chosen]"""
    return static("transitEncryptionPort must be between 0 and 65535.")


def ulimit_name_invalid(name: str) -> Refusal:
    """A ulimit that Linux does not have. [chosen]"""
    return static(f"Ulimit name {name} is not valid.")


def ulimit_soft_above_hard(name: str) -> Refusal:
    """A soft limit above the hard one. [chosen]"""
    return static(f"Ulimit {name}: softLimit must not be greater than hardLimit.")


def swap_negative(value: int) -> Refusal:
    """linuxParameters.maxSwap below 0. [seen]"""
    return static(f"Invalid swap memory size: {value}, must be non-negative.")


def swappiness_out_of_range(value: int) -> Refusal:
    """linuxParameters.swappiness outside 0 to 100. [seen]"""
    return static(f"Invalid swappiness: {value}, must be between 0 and 100.")


# ------------------------------------------------------------------------------------------------------------ platforms


def not_applicable_for_ec2(member: str) -> Refusal:
    """networkConfiguration or fargatePlatformConfiguration outside Fargate. [seen]"""
    return static(f"{member} not applicable for EC2.")


def ephemeral_storage_out_of_range() -> Refusal:
    """ephemeralStorage.sizeInGiB outside 21 to 200. [seen]"""
    return static("Ephemeral storage for Fargate tasks can be only between range 21 GiB to 200 GiB")


def execution_role_required() -> Refusal:
    """Fargate without executionRoleArn. [seen]"""
    return static("executionRoleArn is required for Fargate jobs.")


def log_option_invalid(option: str, value: str) -> Refusal:
    """A log option that says where events begin, and is no date format or no pattern in RE2's syntax. [chosen]"""
    return static(f"Log option {option} is not valid: {value}")


def log_driver_invalid_for_fargate(driver: str) -> Refusal:
    """A log driver that Fargate does not have. [seen]"""
    return static(f"Log driver for Fargate is not valid: {driver}")


def gpu_on_fargate() -> Refusal:
    """A GPU requirement on Fargate. [seen]"""
    return static("GPU is not applicable for Fargate.")


def ulimits_on_fargate() -> Refusal:
    """ulimits on Fargate. [seen]"""
    return static("ulimits is not applicable for Fargate.")


def linux_parameter_on_fargate(member: str) -> Refusal:
    """A linuxParameters member that Fargate does not allow. [seen]"""
    return static(f"linuxParameter.{member} is not allowed for Fargate.")


def source_path_on_fargate() -> Refusal:
    """A host folder on Fargate. [seen]"""
    return static("host.sourcePath should not be set for volumes in Fargate.")


def efs_platform_version(version: str) -> Refusal:
    """EFS on a Fargate platform before 1.4.0. [seen]"""
    return static(f"EFS is supported for Fargate platform versions 1.4.0 or later, provided {version}")


def privileged_on_fargate() -> Refusal:
    """privileged on Fargate; the quotation marks are AWS's. [seen]"""
    return static(
        "Fargate requires that the \u2018privileged\u2019 setting be \u2018false\u2019 at the container level."
    )


def fargate_resources_invalid(vcpu: object, memory: object) -> Refusal:
    """A pair of vCPU and memory that Fargate does not offer (F 7.4). [seen] at both ends"""
    return static(f"Fargate resource requirements (vCPU {vcpu}, memory {memory}) not valid.")


def legacy_resources_on_fargate() -> Refusal:
    """vcpus or memory on Fargate. [chosen]"""
    return static("vcpus and memory are not applicable for Fargate. Use resourceRequirements.")
