"""Refusals of RegisterJobDefinition, without those of a single container, and of its kin (F 1.6, 5, 7)."""

from batchyard.core.refusals.refusal import Refusal, bare, static

# ------------------------------------------------------------------------------------------------ the definition itself


def job_definition_name_invalid() -> Refusal:
    """jobDefinitionName against its pattern (F 2.1). [chosen]"""
    return static("Job Definition name should match a valid pattern.")


def job_definition_too_large(limit_kib: int) -> Refusal:
    """A definition above its quota (F 2.4). [chosen]"""
    return static(f"Job Definition must be at most {limit_kib} KiB.")


def job_definition_does_not_exist(reference: str) -> Refusal:
    """DeregisterJobDefinition of something never registered. [chosen]"""
    return bare(f"JobDefinition {reference} does not exist.")


def job_definitions_list_stands_alone() -> Refusal:
    """DescribeJobDefinitions with jobDefinitions and another member. [chosen]"""
    return static("jobDefinitions cannot be used together with jobDefinitionName, status, maxResults or nextToken.")


def container_image_missing() -> Refusal:
    """No property block, or a container without an image. [seen]"""
    return static("ECS Container Image must be provided.")


def one_property_block() -> Refusal:
    """Several of containerProperties, ecsProperties and eksProperties. [chosen]"""
    return static("Only one of containerProperties, ecsProperties and eksProperties can be specified.")


def node_properties_on_container() -> Refusal:
    """nodeProperties on a definition of type container; that it is refused is seen, the text is not. [chosen]"""
    return static("nodeProperties can only be specified for job definitions of type multinode.")


def node_properties_missing() -> Refusal:
    """A multinode definition without nodeProperties. [chosen]"""
    return static("nodeProperties must be provided for job definitions of type multinode.")


def container_block_on_multinode() -> Refusal:
    """containerProperties, ecsProperties or eksProperties beside nodeProperties. [chosen]"""
    return static("Job definitions of type multinode can only have nodeProperties.")


def not_applicable_to_eks(member: str) -> Refusal:
    """platformCapabilities or propagateTags beside eksProperties (F 7.7). [chosen]"""
    return static(f"{member} is not applicable for Batch on EKS jobs.")


# ------------------------------------------------------------------------------------------------- attempts and timeout


def retry_attempts_missing() -> Refusal:
    """retryStrategy without attempts. [seen]"""
    return static("RetryAttempts must be provided with retry strategy.")


def retry_attempts_out_of_range() -> Refusal:
    """retryStrategy.attempts outside 1 to 10. [seen]"""
    return static("RetryAttempts must be between 1 and 10.")


def too_many_evaluate_on_exit() -> Refusal:
    """More than 5 evaluateOnExit entries. [chosen]"""
    return static("EvaluateOnExit can contain at most 5 conditions.")


def evaluate_on_exit_without_condition() -> Refusal:
    """An evaluateOnExit entry that says only what to do. [seen]"""
    return static("EvaluateOnExit should contain at least one of onExitCode, onReason or onStatusReason")


def evaluate_on_exit_too_long() -> Refusal:
    """An evaluateOnExit pattern above 512 characters. [seen]"""
    return static("Evaluate on exit condition cannot exceed 512 characters.")


def evaluate_on_exit_characters() -> Refusal:
    """An evaluateOnExit pattern with other characters than its kind allows, or `*` before the end. [seen]"""
    return static("Evaluate on exit condition contains restricted characters.")


def evaluate_on_exit_action(action: str) -> Refusal:
    """An evaluateOnExit action that is neither RETRY nor EXIT. [chosen]"""
    return static(f"EvaluateOnExit action {action} is not valid. Valid actions: [RETRY, EXIT]")


def timeout_too_short() -> Refusal:
    """timeout.attemptDurationSeconds below 60. [seen]"""
    return static("AttemptDurationSeconds in Timeout must be at least 60 seconds.")


# ---------------------------------------------------------------------------------------------- multi-container (F 7.6)


def one_task_properties() -> Refusal:
    """ecsProperties without exactly one taskProperties element. [chosen]"""
    return static("ecsProperties.taskProperties must have exactly one element.")


def number_of_containers() -> Refusal:
    """No or more than 10 containers in a task. [seen]"""
    return static("Number of containers must be between 1 and 10")


def no_essential_container() -> Refusal:
    """A task in which no container is essential. [seen]"""
    return static("At least one container must be set as essential")


def duplicate_container_name(name: str) -> Refusal:
    """Two containers of one name. [chosen]"""
    return static(f"Container name {name} is used more than once.")


def container_dependency_condition(condition: str) -> Refusal:
    """A container dependency with an unknown condition. [seen]"""
    return static(f"TaskContainer dependency {condition} is not valid. Valid values are: [START, COMPLETE, SUCCESS]")


def container_dependency_on_essential(condition: str) -> Refusal:
    """COMPLETE or SUCCESS of a container that is essential. [seen]"""
    return static(f"The container target of a dependency can not have condition {condition} if the target is essential")


def container_dependency_unknown(name: str) -> Refusal:
    """A container dependency on a container that is not there. [seen]"""
    return static(f"containerName {name} must reference a defined container.")


def container_dependency_alone() -> Refusal:
    """A container dependency in a task of one container. [seen]"""
    return static("Container dependency can not be used in a single-container job.")


def firelens_needs_root() -> Refusal:
    """firelensConfiguration while every container has a user other than root. [seen]"""
    return static("When a firelensConfiguration object is specified, at least one container has to run as root")


def ipc_mode_invalid(mode: str) -> Refusal:
    """An unknown ipcMode. [seen]"""
    return static(f"ipcMode {mode} is not valid. Valid values are: [host, task, none]")


def pid_mode_invalid(mode: str) -> Refusal:
    """An unknown pidMode; AWS calls it a capability. [seen]"""
    return static(f"Capability {mode} is not valid. Valid capabilities: [host, task]")


def container_timeout_too_short(member: str) -> Refusal:
    """startTimeout or stopTimeout below 2 seconds. [chosen]"""
    return static(f"{member} must be at least 2 seconds.")


def container_timeout_too_long(member: str) -> Refusal:
    """startTimeout or stopTimeout above 120 seconds on Fargate. [chosen]"""
    return static(f"{member} must be at most 120 seconds for Fargate.")


# ---------------------------------------------------------------------------------------------------------- EKS (F 7.7)


def eks_containers_missing() -> Refusal:
    """eksProperties without containers. [seen]"""
    return static("Containers must be provided for Batch on EKS jobs.")


def too_many_eks_containers(member: str) -> Refusal:
    """More than 10 containers or init containers in a pod. [chosen]"""
    return static(f"Number of {member} must be at most 10.")


def eks_resource_type(name: str) -> Refusal:
    """An unknown key in limits or requests. [seen]"""
    return static(f"{name} is not a supported type for resources.")


def eks_cpu_request_above_limit() -> Refusal:
    """A cpu request above the cpu limit. [seen]"""
    return static("cpu request must be <= to cpu limit if both are provided.")


def eks_cpu_invalid(value: str) -> Refusal:
    """cpu that is no positive multiple of 0.25. [chosen]"""
    return static(f"cpu {value} is not valid. Values must be a multiple of 0.25.")


def eks_memory_invalid(value: str) -> Refusal:
    """memory that is no whole number of at least 4 with the suffix Mi. [chosen]"""
    return static(f"memory {value} is not valid. Values must be whole numbers of at least 4 with the suffix Mi.")


def eks_limit_must_equal_request(name: str) -> Refusal:
    """memory or nvidia.com/gpu with a limit other than its request. [chosen]"""
    return static(f"{name} request must be equal to {name} limit if both are provided.")


def eks_namespace_invalid(namespace: str) -> Refusal:
    """A Kubernetes namespace against its pattern, `default`, or one that starts with `kube` (F 2.1). [chosen]"""
    return static(f"Namespace {namespace} is not valid for Batch on EKS jobs.")


def eks_resource_missing(name: str) -> Refusal:
    """A pod container without cpu or memory. [chosen]"""
    return static(f"{name} must be provided in limits or requests for Batch on EKS jobs.")


# ---------------------------------------------------------------------------------------------- multi-node (F 7.2, 8.7)


def fargate_multi_node() -> Refusal:
    """Fargate and multinode together. [seen]"""
    return static("Fargate does not support MNP jobs")


def managed_instances_multi_node() -> Refusal:
    """Managed instances and multinode together. [seen]"""
    return static("MANAGED_INSTANCES does not support MNP jobs")


def managed_instances_container_properties() -> Refusal:
    """Managed instances with containerProperties. [seen]"""
    return static("Cannot use ECS containerProperties for MANAGED_INSTANCES")


def number_of_nodes() -> Refusal:
    """numNodes outside 1 to 1000. [seen]"""
    return static("Number of nodes must be between 1 and 1000.")


def too_many_node_ranges() -> Refusal:
    """More than 5 node ranges. [seen]"""
    return static("Maximum allowed size of node range properties is 5")


def main_node_out_of_range() -> Refusal:
    """mainNode not below numNodes. [seen]"""
    return static("Main node index is out of range, must be less than numNodes.")


def target_nodes_not_digits() -> Refusal:
    """targetNodes with other characters than digits and one colon. [seen]"""
    return static("targetNodes should contain only digits.")


def target_nodes_out_of_range(target: str) -> Refusal:
    """targetNodes that end before they begin or beyond the last node. [chosen]"""
    return static(f"targetNodes {target} is out of range.")


def nodes_not_covered() -> Refusal:
    """Node ranges that leave a node without a container. [chosen]"""
    return static("Node ranges must cover all nodes.")


def node_range_without_container(target: str) -> Refusal:
    """A node range without a property block. [seen]"""
    return static(f"Must specify container for node range {target}")


def node_range_with_two_blocks() -> Refusal:
    """A node range with both ecsProperties and container. [seen]"""
    return static("NodeRangeProperties can not use both ecsProperties and container fields")


def node_instance_types_without_ecs() -> Refusal:
    """instanceTypes in a node range without ecsProperties. [seen]"""
    return static("Using instanceTypes with nodeRangeProperty is only allowed for ecsProperties jobs.")
