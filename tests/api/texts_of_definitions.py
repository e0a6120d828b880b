"""The sentences by which AWS Batch refuses job definitions (F 5, 6.4, 7), each with a request that provokes it.

A row: the function in core/refusals, what the request says besides a name and the type, and the sentence. All are
found in the request alone, so all come wrapped.
"""

from typing import Any

Members = dict[str, Any]

EC2: Members = {"image": "busybox", "vcpus": 1, "memory": 64}
NEEDS = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
FARGATE: Members = {"image": "busybox", "executionRoleArn": "arn:aws:iam::1:role/r", "resourceRequirements": NEEDS}
PART: Members = {
    "name": "main",
    "image": "busybox",
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
}
EFS = {"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}


def ec2(**members: Any) -> Members:
    return {"containerProperties": {**EC2, **members}}


def fargate(**members: Any) -> Members:
    return {"containerProperties": {**FARGATE, **members}, "platformCapabilities": ["FARGATE"]}


def linux(**members: Any) -> Members:
    return {"linuxParameters": members}


def task(*containers: Members, **members: Any) -> Members:
    return {"ecsProperties": {"taskProperties": [{"containers": list(containers), **members}]}}


def two(condition: str, name: str = "main", **members: Any) -> Members:
    return task(
        {**PART, **members}, {**PART, "name": "b", "dependsOn": [{"containerName": name, "condition": condition}]}
    )


def pod(**resources: Any) -> Members:
    return {"eksProperties": {"podProperties": {"containers": [{"image": "busybox", "resources": resources}]}}}


def nodes(*ranges: Members, number: int = 2, main: int = 0, **members: Any) -> Members:
    properties = {"numNodes": number, "mainNode": main, "nodeRangeProperties": list(ranges)}
    return {"type": "multinode", "nodeProperties": properties, **members}


def part_of_nodes(**members: Any) -> Members:
    return {"targetNodes": ":", **members}


def retried(**condition: str) -> Members:
    return {**ec2(), "retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "RETRY", **condition}]}}


def consuming(*names: str) -> Members:
    entries = [{"consumableResource": name, "quantity": 1} for name in names]
    return {**ec2(), "consumableResourceProperties": {"consumableResourceList": entries}}


WHOLE = part_of_nodes(container=EC2)

CONTAINERS: list[tuple[str, Members, str]] = [
    ("container_image_missing", {}, "ECS Container Image must be provided."),
    ("container_image_missing", ec2(image=""), "ECS Container Image must be provided."),
    ("vcpu_missing", {"containerProperties": {"image": "busybox", "memory": 64}}, "vCPU is required."),
    ("vcpu_too_small", ec2(vcpus=0), "vCPU must be at least 1, got 0."),
    ("duplicate_resource_requirements", ec2(resourceRequirements=[{"type": "GPU", "value": "1"}] * 2), "Cannot provide duplicates in resourceRequirements."),
    ("resource_value_not_numeric", ec2(resourceRequirements=[{"type": "GPU", "value": "one"}]), "Value one for type GPU in resourceRequirement is not valid. Please provide a numeric value."),
    ("user_invalid", ec2(user="Bad User"), "User 'Bad User' does not match regex"),
    ("environment_name_missing", ec2(environment=[{"value": "1"}]), "Environment variable name is required."),
    ("volume_of_two_kinds", ec2(volumes=[{**EFS, "host": {}}]), "When the volume parameter is specified, only one volume configuration type should be used."),
    ("swap_negative", ec2(**linux(maxSwap=-1)), "Invalid swap memory size: -1, must be non-negative."),
    ("swappiness_out_of_range", ec2(**linux(swappiness=101)), "Invalid swappiness: 101, must be between 0 and 100."),
    ("not_applicable_for_ec2", ec2(networkConfiguration={"assignPublicIp": "ENABLED"}), "networkConfiguration not applicable for EC2."),
    ("not_applicable_for_ec2", ec2(fargatePlatformConfiguration={"platformVersion": "1.4.0"}), "fargatePlatformConfiguration not applicable for EC2."),
    ("execution_role_required", fargate(executionRoleArn=""), "executionRoleArn is required for Fargate jobs."),
    ("gpu_on_fargate", fargate(resourceRequirements=[*NEEDS, {"type": "GPU", "value": "1"}]), "GPU is not applicable for Fargate."),
    ("ulimits_on_fargate", fargate(ulimits=[{"name": "nofile", "softLimit": 1, "hardLimit": 1}]), "ulimits is not applicable for Fargate."),
    ("linux_parameter_on_fargate", fargate(**linux(devices=[{"hostPath": "/dev/x"}])), "linuxParameter.devices is not allowed for Fargate."),
    ("linux_parameter_on_fargate", fargate(**linux(sharedMemorySize=64)), "linuxParameter.sharedMemorySize is not allowed for Fargate."),
    ("linux_parameter_on_fargate", fargate(**linux(tmpfs=[{"containerPath": "/t", "size": 1}])), "linuxParameter.tmpfs is not allowed for Fargate."),
    ("linux_parameter_on_fargate", fargate(**linux(maxSwap=1)), "linuxParameter.maxSwap is not allowed for Fargate."),
    ("linux_parameter_on_fargate", fargate(**linux(swappiness=1)), "linuxParameter.swappiness is not allowed for Fargate."),
    ("log_driver_invalid_for_fargate", fargate(logConfiguration={"logDriver": "syslog"}), "Log driver for Fargate is not valid: syslog"),
    ("source_path_on_fargate", fargate(volumes=[{"name": "v", "host": {"sourcePath": "/x"}}]), "host.sourcePath should not be set for volumes in Fargate."),
    ("efs_platform_version", fargate(volumes=[EFS], fargatePlatformConfiguration={"platformVersion": "1.3.0"}), "EFS is supported for Fargate platform versions 1.4.0 or later, provided 1.3.0"),
    ("privileged_on_fargate", fargate(privileged=True), "Fargate requires that the \u2018privileged\u2019 setting be \u2018false\u2019 at the container level."),
    ("ephemeral_storage_out_of_range", fargate(ephemeralStorage={"sizeInGiB": 201}), "Ephemeral storage for Fargate tasks can be only between range 21 GiB to 200 GiB"),
    ("fargate_resources_invalid", fargate(resourceRequirements=[NEEDS[0], {"type": "MEMORY", "value": "4096"}]), "Fargate resource requirements (vCPU 0.25, memory 4096) not valid."),
]  # fmt: skip

KINDS: list[tuple[str, Members, str]] = [
    ("scheduling_priority_out_of_range", {**ec2(), "schedulingPriority": 10_000}, "Scheduling priority must be between 0 and 9999."),
    ("retry_attempts_missing", {**ec2(), "retryStrategy": {}}, "RetryAttempts must be provided with retry strategy."),
    ("retry_attempts_out_of_range", {**ec2(), "retryStrategy": {"attempts": 11}}, "RetryAttempts must be between 1 and 10."),
    ("timeout_too_short", {**ec2(), "timeout": {"attemptDurationSeconds": 59}}, "AttemptDurationSeconds in Timeout must be at least 60 seconds."),
    ("evaluate_on_exit_without_condition", retried(), "EvaluateOnExit should contain at least one of onExitCode, onReason or onStatusReason"),
    ("evaluate_on_exit_too_long", retried(onReason="x" * 513), "Evaluate on exit condition cannot exceed 512 characters."),
    ("evaluate_on_exit_characters", retried(onExitCode="1x"), "Evaluate on exit condition contains restricted characters."),
    ("too_many_consumable_resources", consuming(*"abcdef"), "Each ConsumableResourceProperty can have at most 5 consumableResources"),
    ("duplicate_consumable_resource", consuming("a", "a"), "Cannot have duplicate consumableResource in consumableResourceProperties"),
    ("managed_instances_container_properties", {**ec2(), "platformCapabilities": ["MANAGED_INSTANCES"]}, "Cannot use ECS containerProperties for MANAGED_INSTANCES"),
    ("number_of_containers", task(), "Number of containers must be between 1 and 10"),
    ("number_of_containers", task(*[PART] * 11), "Number of containers must be between 1 and 10"),
    ("no_essential_container", task({**PART, "essential": False}), "At least one container must be set as essential"),
    ("container_dependency_condition", two("DONE"), "TaskContainer dependency DONE is not valid. Valid values are: [START, COMPLETE, SUCCESS]"),
    ("container_dependency_on_essential", two("SUCCESS"), "The container target of a dependency can not have condition SUCCESS if the target is essential"),
    ("container_dependency_unknown", two("START", "c"), "containerName c must reference a defined container."),
    ("container_dependency_alone", task({**PART, "dependsOn": [{"containerName": "main", "condition": "START"}]}), "Container dependency can not be used in a single-container job."),
    ("firelens_needs_root", task({**PART, "user": "nobody", "firelensConfiguration": {"type": "fluentd"}}), "When a firelensConfiguration object is specified, at least one container has to run as root"),
    ("ipc_mode_invalid", task(PART, ipcMode="odd"), "ipcMode odd is not valid. Valid values are: [host, task, none]"),
    ("pid_mode_invalid", task(PART, pidMode="odd"), "Capability odd is not valid. Valid capabilities: [host, task]"),
    ("eks_containers_missing", {"eksProperties": {"podProperties": {"serviceAccountName": "a"}}}, "Containers must be provided for Batch on EKS jobs."),
    ("eks_resource_type", pod(limits={"disk": "1"}), "disk is not a supported type for resources."),
    ("eks_cpu_request_above_limit", pod(limits={"cpu": "1"}, requests={"cpu": "2"}), "cpu request must be <= to cpu limit if both are provided."),
    ("fargate_multi_node", nodes(WHOLE, platformCapabilities=["FARGATE"]), "Fargate does not support MNP jobs"),
    ("managed_instances_multi_node", nodes(WHOLE, platformCapabilities=["MANAGED_INSTANCES"]), "MANAGED_INSTANCES does not support MNP jobs"),
    ("number_of_nodes", nodes(WHOLE, number=1001), "Number of nodes must be between 1 and 1000."),
    ("too_many_node_ranges", nodes(*[WHOLE] * 6), "Maximum allowed size of node range properties is 5"),
    ("main_node_out_of_range", nodes(WHOLE, main=2), "Main node index is out of range, must be less than numNodes."),
    ("target_nodes_not_digits", nodes({**WHOLE, "targetNodes": "a:b"}), "targetNodes should contain only digits."),
    ("node_range_without_container", nodes({"targetNodes": "0:1"}), "Must specify container for node range 0:1"),
    ("node_range_with_two_blocks", nodes({**WHOLE, **task(PART)}), "NodeRangeProperties can not use both ecsProperties and container fields"),
    ("node_instance_types_without_ecs", nodes({**WHOLE, "instanceTypes": ["a"]}), "Using instanceTypes with nodeRangeProperty is only allowed for ecsProperties jobs."),
]  # fmt: skip
"""What is said of a definition as a whole, and of tasks, pods and nodes."""
