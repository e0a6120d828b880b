"""The sentences by which AWS Batch refuses anything but a definition (F 1.6, 2, 8), each with what provokes it.

A row: the function in core/refusals, the operation, the request, whether the sentence comes wrapped, and the sentence.
`{job}` stands for the id of a job in the queue `default`.
"""

from typing import Any

ARN = "arn:aws:batch:eu-central-1:123456789012:"
SUBMIT: dict[str, Any] = {"jobName": "job", "jobQueue": "default", "jobDefinition": "sleep"}
REQUIREMENTS = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
LIMIT = {"maxCapacity": 1, "capacityUnit": "NUM_INSTANCES"}
ACTION = {"reason": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", "state": "RUNNABLE", "maxTimeSeconds": 600}

W, B = True, False
Row = tuple[str, str, dict[str, Any], bool, str]


def submit(**members: Any) -> dict[str, Any]:
    return {**SUBMIT, **members}


def queue(*environments: str, **members: Any) -> dict[str, Any]:
    order = [{"order": number, "computeEnvironment": name} for number, name in enumerate(environments or ("machine",))]
    return {"jobQueueName": "new", "priority": 1, "computeEnvironmentOrder": order, **members}


def training(**members: Any) -> dict[str, Any]:
    order = [{"order": 1, "serviceEnvironment": "training"}]
    return {"jobQueueName": "new", "priority": 1, "serviceEnvironmentOrder": order, **members}


def environment(**resources: Any) -> dict[str, Any]:
    resources = {"type": "EC2", "maxvCpus": 4, **resources}
    return {"computeEnvironmentName": "new", "type": "MANAGED", "computeResources": resources}


def on_fargate(**resources: Any) -> dict[str, Any]:
    return environment(type="FARGATE", **resources)


def fair(*shares: dict[str, Any]) -> dict[str, Any]:
    return {"name": "new", "fairsharePolicy": {"shareDistribution": list(shares)}}


def service_environment(*limits: dict[str, Any]) -> dict[str, Any]:
    kind = "SAGEMAKER_TRAINING"
    return {"serviceEnvironmentName": "new", "serviceEnvironmentType": kind, "capacityLimits": list(limits)}


UNSUPPORTED = "is not supported pattern[a-zA-Z_0-9-]{1,128}"
FIFO = "Job with shareIdentifier or schedulingPriority can onlybe submitted to job queue with fair share scheduling policy."
DEPRECATED = (
    "This value was submitted in a deprecated key and may conflict with the value provided by the job "
    "definition's resource requirements."
)
FIFTY_TAGS = (
    "1 validation error detected: Value at 'tags' failed to satisfy constraint: "
    "Member must have length less than or equal to 50"
)

JOBS: list[Row] = [
    ("job_name_invalid", "SubmitJob", submit(jobName="a b"), W, "Job name should match valid pattern"),
    ("too_many_dependencies", "SubmitJob", submit(dependsOn=[{"jobId": "a"}] * 21), W, "Job cannot have more than 20 dependencies"),
    ("scheduling_priority_out_of_range", "SubmitJob", submit(schedulingPriorityOverride=-1), W, "Scheduling priority must be between 0 and 9999."),
    ("share_identifier_invalid", "SubmitJob", submit(jobQueue="fair", shareIdentifier="a b"), W, "ShareIdentifier name should match a valid pattern."),
    ("share_identifier_on_fifo", "SubmitJob", submit(shareIdentifier="a"), B, FIFO),
    ("share_identifier_on_fifo", "SubmitJob", submit(schedulingPriorityOverride=1), B, FIFO),
    ("job_queue_not_found", "SubmitJob", submit(jobQueue="nowhere"), B, "JobQueue nowhere not found."),
    ("job_definition_not_found", "SubmitJob", submit(jobDefinition="nothing"), B, "JobDefinition name nothing does not exist or is not in ACTIVE status"),
    ("job_definition_not_found", "SubmitJob", submit(jobDefinition="gone:1"), B, "JobDefinition name gone:1 does not exist or is not in ACTIVE status"),
    ("provided_name_not_supported", "SubmitJob", submit(jobDefinition="sleep:latest"), B, f"Provided name sleep:latest {UNSUPPORTED}"),
    ("provided_name_not_supported", "SubmitJob", submit(jobDefinition=f"{ARN}job-queue/default"), B, f"Provided name {ARN}job-queue/default {UNSUPPORTED}"),
    ("provided_name_not_supported", "DescribeJobs", {"jobs": ["a b"]}, B, f"Provided name a b {UNSUPPORTED}"),
    ("no_parameter_for", "SubmitJob", submit(containerOverrides={"command": ["Ref::x"]}), B, "Unable to substitute value. No parameter found for reference x"),
    ("capability_mismatch", "SubmitJob", submit(jobQueue="fargate"), B, "Job Queue is attached to Compute Environment that can not run Jobs with capability EC2"),
    ("capability_mismatch", "SubmitJob", submit(jobDefinition="on-fargate"), B, "Job Queue is attached to Compute Environment that can not run Jobs with capability FARGATE"),
    ("deprecated_resource_override", "SubmitJob", submit(jobDefinition="modern", containerOverrides={"vcpus": 2}), B, DEPRECATED),
    ("node_override_range_unknown", "SubmitJob", submit(jobDefinition="nodes", nodeOverrides={"nodePropertyOverrides": [{"targetNodes": "0:0"}]}), B, "NodeOverride targets should match job definition. Non matching targets - 0:0"),
    ("too_many_jobs", "DescribeJobs", {"jobs": ["a"] * 101}, W, "Maximum number of jobs supported is  100 ."),
    ("log_stream_not_found", "logs.GetLogEvents", {"logGroupName": "/aws/batch/job", "logStreamName": "a"}, B, "The specified log stream does not exist."),
    ("log_group_not_found", "logs.DescribeLogStreams", {"logGroupName": "a"}, B, "The specified log group does not exist."),
    ("log_group_exists", "logs.CreateLogGroup", {"logGroupName": "/aws/batch/job"}, B, "The specified log group already exists"),
    ("log_next_token_invalid", "logs.DescribeLogGroups", {"nextToken": "a"}, B, "The specified nextToken is invalid."),
]  # fmt: skip

QUEUES: list[Row] = [
    ("job_queue_name_invalid", "CreateJobQueue", queue(jobQueueName="-a"), W, "Job Queue name should match a valid pattern."),
    ("too_many_environments", "CreateJobQueue", queue("a", "b", "c", "d"), W, "Only 3 environments are allowed in job queue request."),
    ("duplicate_order_values", "CreateJobQueue", queue(computeEnvironmentOrder=[{"order": 1, "computeEnvironment": name} for name in ("machine", "spare")]), W, "Duplicate ComputeEnvironment order values."),
    ("duplicate_environments", "CreateJobQueue", queue("machine", "machine"), W, "Duplicate ComputeEnvironments within order list."),
    ("environments_must_be_valid", "CreateJobQueue", queue("nowhere"), B, "Compute Environments must be created and valid before attaching them to a job queue"),
    ("environments_must_be_valid", "UpdateJobQueue", {"jobQueue": "default", "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "nowhere"}]}, B, "Compute Environments must be created and valid before attaching them to a job queue"),
    ("mixed_platforms", "CreateJobQueue", queue("machine", "fargate"), B, "Fargate and EC2 compute environments can not be mixed."),
    ("already_exists", "CreateJobQueue", queue(jobQueueName="default"), B, "Object already exists"),
    ("does_not_exist", "UpdateJobQueue", {"jobQueue": "nowhere"}, B, f"{ARN}job-queue/nowhere does not exist"),
    ("being_modified", "DeleteJobQueue", {"jobQueue": "leaving"}, B, "Cannot delete, resource is being modified."),
    ("update_while_being_modified", "UpdateJobQueue", {"jobQueue": "leaving", "priority": 2}, B, "Cannot update, resource is being modified."),
    ("job_state_action_invalid", "CreateJobQueue", queue(jobStateTimeLimitActions=[{**ACTION, "action": "TERMINATE"}]), W, "Invalid job action. Valid job actions: [CANCEL]"),
    ("job_state_action_invalid", "CreateJobQueue", training(jobStateTimeLimitActions=[{**ACTION, "action": "CANCEL"}]), W, "Invalid job action. Valid job actions: [TERMINATE]"),
    ("duplicate_job_state_actions", "CreateJobQueue", queue(jobStateTimeLimitActions=[{**ACTION, "action": "CANCEL"}] * 2), W, "Duplicate job state limit actions are not allowed."),
    ("scheduling_policy_not_found", "CreateJobQueue", queue(schedulingPolicyArn=f"{ARN}scheduling-policy/a"), B, f"SchedulingPolicy {ARN}scheduling-policy/a not found."),
    ("quota_management_needs_sagemaker", "CreateJobQueue", queue(schedulingPolicyArn=f"{ARN}scheduling-policy/quota"), B, "Quota Management feature is only supported for SageMaker Training job queues."),
    ("sagemaker_queue_needs_service_environments", "CreateJobQueue", queue(jobQueueType="SAGEMAKER_TRAINING"), W, "Job queues of type SAGEMAKER_TRAINING must have serviceEnvironmentOrder."),
    ("too_many_tags", "TagResource", {"resourceArn": f"{ARN}job-queue/default", "tags": {"a": "1", "b": "2"}}, W, FIFTY_TAGS),
]  # fmt: skip

ENVIRONMENTS: list[Row] = [
    ("must_be_created_enabled", "CreateComputeEnvironment", {**environment(), "state": "DISABLED"}, W, "Compute Environment must be created in ENABLED state."),
    ("unmanaged_vcpus_on_managed", "CreateComputeEnvironment", {**environment(), "unmanagedvCpus": 1}, W, "unmanagedvCpus is not applicable for managed Compute Environments"),
    ("not_applicable_for_fargate", "CreateComputeEnvironment", on_fargate(desiredvCpus=1), W, "desiredvCpus is not applicable for Fargate."),
    ("not_applicable_for_fargate", "CreateComputeEnvironment", on_fargate(tags={"a": "b"}), W, "tags is not applicable for Fargate."),
    ("desired_vcpus_out_of_range", "CreateComputeEnvironment", environment(desiredvCpus=5), W, "desiredvCpus should be between minvCpus and maxvCpus."),
    ("bid_percentage_out_of_range", "CreateComputeEnvironment", environment(bidPercentage=101), W, "Bid percentage must be between 0 to 100."),
    ("too_many_subnets", "CreateComputeEnvironment", on_fargate(subnets=["a"] * 17), W, "Fargate supports a maximum of 16 subnets."),
    ("too_many_security_groups", "CreateComputeEnvironment", on_fargate(securityGroupIds=["a"] * 6), W, "Fargate supports a maximum of 5 security groups."),
    ("image_type_invalid", "CreateComputeEnvironment", environment(ec2Configuration=[{"imageType": "a"}]), W, "Invalid imageType in ComputeResources.ec2Configuration"),
    ("compute_environment_in_use", "DeleteComputeEnvironment", {"computeEnvironment": "idle"}, B, "Cannot delete, found existing JobQueue relationship"),
    ("already_exists", "CreateComputeEnvironment", {**environment(), "computeEnvironmentName": "machine"}, B, "Object already exists"),
    ("service_environment_name_invalid", "CreateServiceEnvironment", {**service_environment(LIMIT), "serviceEnvironmentName": "a b"}, W, "Service environment name should match a valid pattern."),
    ("capacity_limits_missing", "CreateServiceEnvironment", service_environment(), W, "Capacitylimits are required."),
    ("capacity_units_mixed", "CreateServiceEnvironment", service_environment(LIMIT, {**LIMIT, "capacityUnit": "ml.m5.large"}), W, "Capacity units must specify either number of instances OR instance type"),
    ("max_capacity_too_small", "CreateServiceEnvironment", service_environment({**LIMIT, "maxCapacity": 0}), W, "Max capacity must be more than 0."),
]  # fmt: skip

SCHEDULING: list[Row] = [
    ("scheduling_policy_name_invalid", "CreateSchedulingPolicy", {"name": "a b"}, W, "Scheduling policy name should match a valid pattern."),
    ("two_kinds_of_policy", "CreateSchedulingPolicy", {"name": "a", "fairsharePolicy": {}, "quotaSharePolicy": {"idleResourceAssignmentStrategy": "FIFO"}}, W, "A scheduling policy can have either fairsharePolicy or quotaSharePolicy"),
    ("too_many_shares", "CreateSchedulingPolicy", fair(*({"shareIdentifier": f"s{n}"} for n in range(501))), W, "ShareDistribution size cannot be greater than 500."),
    ("share_identifier_invalid", "CreateSchedulingPolicy", fair({"shareIdentifier": "a b"}), W, "ShareIdentifier name should match a valid pattern."),
    ("weight_factor_out_of_range", "CreateSchedulingPolicy", fair({"shareIdentifier": "a", "weightFactor": 1000}), W, "Weight factor should be between 0.0001 and 999.9999."),
    ("duplicate_shares", "CreateSchedulingPolicy", fair({"shareIdentifier": "a"}, {"shareIdentifier": "a"}), W, "Cannot have two or more identical shareIdentifiers."),
    ("shares_overlap", "CreateSchedulingPolicy", fair({"shareIdentifier": "a*"}, {"shareIdentifier": "ab"}), W, "Share identifier ab matches another share identifier a*"),
    ("consumable_resource_name_invalid", "CreateConsumableResource", {"consumableResourceName": "a b"}, W, "ConsumableResource name should match a valid pattern."),
    ("total_quantity_negative", "CreateConsumableResource", {"consumableResourceName": "a", "totalQuantity": -1}, W, "totalQuantity cannot be a negative number."),
]  # fmt: skip

TEXTS = [*JOBS, *QUEUES, *ENVIRONMENTS, *SCHEDULING]
