"""Refusals of SubmitJob and of the calls that look at jobs (F 1.6, 4, 6, 9)."""

from batchyard.core.refusals.refusal import Refusal, bare, static

# ---------------------------------------------------------------------------------------- SubmitJob: the request itself


def job_name_invalid() -> Refusal:
    """jobName against its pattern (F 2.1). [seen]"""
    return static("Job name should match valid pattern")


def too_many_dependencies() -> Refusal:
    """dependsOn with more than 20 entries. [seen]"""
    return static("Job cannot have more than 20 dependencies")


def array_size_out_of_range(largest: int) -> Refusal:
    """arrayProperties.size below 2 or above the largest allowed. [chosen]"""
    return static(f"Array size must be between 2 and {largest}.")


def sequential_needs_array() -> Refusal:
    """A SEQUENTIAL dependency on a job without arrayProperties. [chosen]"""
    return static("SEQUENTIAL dependency can only be used with array jobs.")


def n_to_n_needs_array() -> Refusal:
    """An N_TO_N dependency on a job without arrayProperties. [chosen]"""
    return static("N_TO_N dependency can only be used with array jobs.")


def n_to_n_needs_job_id() -> Refusal:
    """An N_TO_N dependency that names no job. [chosen]"""
    return static("N_TO_N dependency must specify the jobId of an array job.")


def n_to_n_target_not_array(job_id: str) -> Refusal:
    """An N_TO_N dependency on a job that is no array. [chosen]"""
    return bare(f"N_TO_N dependency job {job_id} is not an array job.")


def n_to_n_size_mismatch(job_id: str, size: int, target_size: int) -> Refusal:
    """An N_TO_N dependency between arrays of different sizes. [chosen]"""
    return bare(f"N_TO_N dependency job {job_id} has array size {target_size}, which must equal the array size {size}.")


def dependency_needs_job_id() -> Refusal:
    """A dependency with neither a jobId nor a type. [chosen]"""
    return static("Job dependency must specify a jobId.")


def dependency_not_found(job_id: str) -> Refusal:
    """A dependency on a job that does not exist (F 14.2). [chosen]"""
    return bare(f"Job dependency {job_id} not found.")


def scheduling_priority_out_of_range() -> Refusal:
    """schedulingPriority or schedulingPriorityOverride outside 0 to 9999. [seen]"""
    return static("Scheduling priority must be between 0 and 9999.")


def share_identifier_invalid() -> Refusal:
    """shareIdentifier against its pattern (F 2.1). [seen]"""
    return static("ShareIdentifier name should match a valid pattern.")


def payload_too_large(limit_kib: int) -> Refusal:
    """A SubmitJob body above its quota (F 2.4). [chosen]"""
    return static(f"SubmitJob request must be at most {limit_kib} KiB.")


# ------------------------------------------------------------------------------ SubmitJob: against queue and definition


def job_queue_not_found(name: str) -> Refusal:
    """SubmitJob and ListJobs with an unknown queue. [seen] for SubmitJob"""
    return bare(f"JobQueue {name} not found.")


def job_queue_disabled(name: str) -> Refusal:
    """SubmitJob to a queue that is DISABLED or being deleted; that it is refused is documented. [chosen]"""
    return bare(f"JobQueue {name} is not accepting jobs: it must be in ENABLED state.")


def job_definition_not_found(name: str) -> Refusal:
    """SubmitJob with an unknown or INACTIVE definition. [seen]"""
    return bare(f"JobDefinition name {name} does not exist or is not in ACTIVE status")


def no_parameter_for(name: str) -> Refusal:
    """`Ref::name` in the command without a value (F 6.1). [seen]"""
    return bare(f"Unable to substitute value. No parameter found for reference {name}")


def capability_mismatch(capability: str) -> Refusal:
    """The definition's platform capability against the queue's compute environments. [seen]"""
    return bare(f"Job Queue is attached to Compute Environment that can not run Jobs with capability {capability}")


def share_identifier_on_fifo() -> Refusal:
    """shareIdentifier or scheduling priority on a FIFO queue; `onlybe` is AWS's own spelling. [seen]"""
    return bare(
        "Job with shareIdentifier or schedulingPriority can onlybe submitted to job queue "
        "with fair share scheduling policy."
    )


def share_identifier_missing() -> Refusal:
    """No shareIdentifier on a fair-share queue (F 14.17). [chosen]"""
    return bare("Job submitted to job queue with fair share scheduling policy must specify shareIdentifier.")


def too_many_active_shares(limit: int) -> Refusal:
    """A share identifier that would be one too many of those active in a fair-share queue (F 8.4). [chosen]"""
    return bare(f"The job queue already has the maximum of {limit} active share identifiers.")


def deprecated_resource_override() -> Refusal:
    """vcpus or memory in the overrides that contradict the definition's resourceRequirements (F 6.2). [doc]"""
    return bare(
        "This value was submitted in a deprecated key and may conflict with the value provided by the job "
        "definition's resource requirements."
    )


def empty_command_element() -> Refusal:
    """An overriding command with an empty string in it. [chosen]"""
    return static("Container override command must not contain an empty string.")


def override_not_applicable(override: str, properties: str) -> Refusal:
    """Overrides of another family than the definition's properties (F 6.3). [chosen]"""
    return bare(f"{override} is not applicable to a job definition with {properties}.")


def override_container_not_found(name: str) -> Refusal:
    """An override for a container that the definition lacks (F 6.3). [chosen]"""
    return bare(f"containerName {name} must reference a defined container.")


def too_many_task_overrides() -> Refusal:
    """ecsPropertiesOverride with more than one taskProperties element (F 6.3). [chosen]"""
    return static("ecsPropertiesOverride.taskProperties must have exactly one element.")


def nodes_not_open_ended() -> Refusal:
    """nodeOverrides.numNodes where no range of nodes is open at its end, or none begins below it (F 6.3). [chosen]"""
    return static("numNodes can only be overridden when a node range is open-ended and starts below it.")


def node_override_range_unknown(target: str) -> Refusal:
    """An override for a range of nodes that the definition lacks (F 1.6). [seen]"""
    return bare(f"NodeOverride targets should match job definition. Non matching targets - {target}")


def array_of_nodes() -> Refusal:
    """arrayProperties with a multi-node parallel definition (F 4.1). [chosen]"""
    return static("arrayProperties is not applicable to multi-node parallel jobs.")


# ------------------------------------------------------------------------------------------ DescribeJobs, ListJobs, ...


def too_many_jobs() -> Refusal:
    """DescribeJobs with more than 100 ids; two spaces before the number, one before the dot. [seen]"""
    return static("Maximum number of jobs supported is  100 .")


def too_many_jobs_in_bulk(limit: int) -> Refusal:
    """CancelJobs or TerminateJobs with more than 50 ids. [chosen]"""
    return static(f"Maximum number of jobs supported is  {limit} .")


def reason_too_long() -> Refusal:
    """The reason of a cancel or terminate call above 1024 characters. [chosen]"""
    return static("Reason must have at most 1024 characters.")


def reason_missing() -> Refusal:
    """The reason of a cancel or terminate call is empty. [chosen]"""
    return static("Reason must not be empty.")


def list_jobs_needs_one_selector() -> Refusal:
    """ListJobs with none or several of jobQueue, arrayJobId, multiNodeJobId. [chosen]"""
    return static("Exactly one of jobQueue, arrayJobId and multiNodeJobId must be specified.")


def array_job_not_found(job_id: str) -> Refusal:
    """ListJobs with an arrayJobId that is no array job. [chosen]"""
    return bare(f"Array job {job_id} not found.")


def multi_node_job_not_found(job_id: str) -> Refusal:
    """ListJobs with a multiNodeJobId that is no multi-node parallel job. [chosen]"""
    return bare(f"Multi-node parallel job {job_id} not found.")


def one_filter_at_a_time() -> Refusal:
    """ListJobs with more than one filter. [chosen]"""
    return static("Only one filter can be used at a time.")


def filter_name_unknown(name: str) -> Refusal:
    """ListJobs with a filter that does not exist; names are case-sensitive. [chosen]"""
    return static(f"Filter name {name} is not supported.")


def filter_value_invalid(name: str) -> Refusal:
    """ListJobs with a filter whose values cannot be used. [chosen]"""
    return static(f"Filter {name} does not have a valid value.")
