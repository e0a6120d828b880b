"""The statusReason and reason texts that programs match on, exactly as AWS writes them (F 3.4, 3.5)."""

ESSENTIAL_CONTAINER_EXITED = "Essential container in task exited"
TASK_FAILED_TO_START = "Task failed to start"
TIMED_OUT = "Job attempt duration exceeded timeout"
DEPENDENT_JOB_FAILED = "Dependent Job failed"
NO_DEPENDENT_JOB_FAILED = "No dependent Job failed, and batchyard:after is failure"
ARRAY_CHILD_FAILED = "Array Child Job failed"
JOB_QUEUE_DELETED = "JobQueue deleted"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
JOB_RESOURCE_REQUIREMENT = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that "
    "can be met by the CE(s) attached to the job queue."
)
COMPUTE_ENVIRONMENT_MAX_RESOURCE = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU "
    "requirement of the job."
)

SERVICE_ENVIRONMENT_LIMIT = (
    "MISCONFIGURATION:SERVICE_ENVIRONMENT_MAX_RESOURCE - The service environment of the job queue has no capacity "
    "limit that the instance type of the job fits in."
)
"""Ours: what AWS says here is not known."""

QUOTA_SHARE_LIMIT = (
    "MISCONFIGURATION:QUOTA_SHARE_MAX_RESOURCE - The quota share of the job has no capacity limit for the instance "
    "type of the job, and cannot borrow without limit."
)
"""Ours: what AWS says here is not known."""

CONSUMABLE_RESOURCE = (
    "MISCONFIGURATION:CONSUMABLE_RESOURCE - The job requires more of a consumable resource than its total quantity."
)
"""Ours: what AWS says here is not known."""

TRAINING_COMPLETED = "Received status from SageMaker: Training job completed"
TRAINING_PREEMPTED = "Preempted by a job with a better claim to its capacity"
"""Ours: AWS's words are not known."""

TRAINING_LOST = (
    "Received status from SageMaker: InternalServerError: We encountered an internal error. Please try again."
)


def training_failed(reason: str | None, exit_code: int | None) -> str:
    """SageMaker's FailureReason as service jobs pass it on; reason: what the program wrote to `output/failure`."""
    ended = "" if exit_code is None else f", exit code: {exit_code}"
    return f"Received status from SageMaker: AlgorithmError: {reason or ''}{ended}"


def insufficient_capacity(instance_type: str) -> str:
    """The head of a queue waits for room that its compute environments would grant and the machine has not."""
    return (
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance type "
        f"[{instance_type}]"
    )


def cancelled_by_time_limit(reason: str) -> str:
    """jobStateTimeLimitActions with the action CANCEL; AWS spells it with one l."""
    return f"Canceled by JobStateTimeLimit action due to reason: {reason}"


def terminated_by_time_limit(reason: str) -> str:
    """jobStateTimeLimitActions with the action TERMINATE."""
    return f"Terminated by JobStateTimeLimit action due to reason: {reason}"


def host_terminated(instance_id: str) -> str:
    """The text that `evaluateOnExit` rules for Spot losses match with `Host EC2*`."""
    return f"Host EC2 (instance {instance_id}) terminated."
