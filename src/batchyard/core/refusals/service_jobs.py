"""Refusals of service jobs (F 8.8)."""

from batchyard.core.refusals.refusal import Refusal, bare, static


def service_payload_not_json() -> Refusal:
    """A serviceRequestPayload that is no JSON. [chosen]"""
    return static("serviceRequestPayload must be a valid JSON object.")


def service_payload_too_large(limit_kib: int) -> Refusal:
    """A serviceRequestPayload above its quota (F 2.4). [chosen]"""
    return static(f"serviceRequestPayload must be at most {limit_kib} KiB.")


def training_payload_invalid(member: str, complaint: str) -> Refusal:
    """A member of the CreateTrainingJob request that cannot be used. [chosen]"""
    return static(f"serviceRequestPayload is not valid: {member} {complaint}.")


def training_instances_not_available(count: int) -> Refusal:
    """A training job of several instances, which one machine cannot be. [chosen]"""
    return bare(f"Training jobs of {count} instances cannot run in this Batchyard: InstanceCount must be 1.")


def retry_without_status_reason() -> Refusal:
    """An entry of a service job's evaluateOnExit without onStatusReason or action. [chosen]"""
    return static("Each entry of evaluateOnExit must specify action and onStatusReason.")


def not_a_service_job_queue(name: str) -> Refusal:
    """SubmitServiceJob to a queue of another type than SAGEMAKER_TRAINING, which the model forbids. [chosen]"""
    return bare(f"Service jobs can only be submitted to job queues of type SAGEMAKER_TRAINING, JobQueue {name} is not.")


def service_job_not_found(job_id: str) -> Refusal:
    """DescribeServiceJob and UpdateServiceJob with an unknown id. [chosen]"""
    return bare(f"ServiceJob {job_id} not found.")


def list_service_jobs_needs_queue() -> Refusal:
    """ListServiceJobs without a jobQueue. [chosen]"""
    return static("jobQueue must be specified.")


def service_job_has_ended(job_id: str) -> Refusal:
    """UpdateServiceJob of a job that has SUCCEEDED or FAILED. [chosen]"""
    return bare(f"ServiceJob {job_id} has ended and cannot be updated.")


def service_share_identifier_not_applicable() -> Refusal:
    """shareIdentifier in a queue without fair-share policy, which the model forbids. [chosen]"""
    return bare("shareIdentifier can only be specified for a job queue with a fair share scheduling policy.")


def service_quota_share_missing() -> Refusal:
    """No quotaShareName in a queue with quota-share policy, which the model requires. [chosen]"""
    return bare("Service jobs in a job queue with a quota share scheduling policy must specify quotaShareName.")


def service_quota_share_not_applicable() -> Refusal:
    """quotaShareName in a queue without quota-share policy, which the model forbids. [chosen]"""
    return bare("quotaShareName can only be specified for a job queue with a quota share scheduling policy.")


def service_quota_share_not_found(name: str) -> Refusal:
    """A quotaShareName that the queue does not have, or that is DISABLED. [chosen]"""
    return bare(f"Quota share {name} does not exist in the job queue or is not in ENABLED state.")
