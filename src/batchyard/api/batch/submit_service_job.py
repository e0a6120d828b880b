"""SubmitServiceJob: a CreateTrainingJob request as a job of a SAGEMAKER_TRAINING queue (F 8.8).

A service job is a row like any other, so it is placed, retried, stopped and survives crashes as any other; what makes
it one is that it has no definition. It takes one instance of its queue's service environment, and of this machine what
the operator's settings say that such an instance is.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from batchyard.api.batch.submit_job import open_queue
from batchyard.api.context import Context
from batchyard.core import names, quotas, refusals, resources
from batchyard.core.attempt_limits import validate_service_retry_strategy, validate_timeout
from batchyard.core.ids import JobId
from batchyard.core.job_definitions import check_scheduling_priority
from batchyard.core.job_queues import SAGEMAKER_TRAINING
from batchyard.core.jobs import Job, JobKey, JobStatus, Terms
from batchyard.core.placement import Room
from batchyard.core.resolved_tasks import DEFAULT_CONTAINER, ResolvedContainer
from batchyard.core.resources import JobQueue
from batchyard.core.scheduling_policies import QUOTA_SHARE
from batchyard.core.submission import ResolvedJob
from batchyard.core.tags import new_tags
from batchyard.core.training import LOG_GROUP, ServiceTerms, TrainingRequest, read_training_request
from batchyard.engine.apply import Changes
from batchyard.store.jobs import JobRow

Request = Mapping[str, Any]

_canonical = msgspec.json.Encoder(order="deterministic")


def submit_service_job(context: Context, request: Request) -> dict[str, Any]:
    """SubmitServiceJob: record a training job; the same client token with the same request answers the first one.

    Raises Refusal with nothing recorded.
    """
    digest = _check_size(context, request)
    if (made := _made_before(context, request, digest)) is not None:
        return _answer(context, made.job_name, made.job_id)
    if not names.is_job_name(request["jobName"]):
        raise refusals.job_name_invalid()
    tags = new_tags(request.get("tags"), "service-job")
    service, resolved = _read(context, request)
    queue = open_queue(context, request)
    if queue.document["jobQueueType"] != SAGEMAKER_TRAINING:
        raise refusals.not_a_service_job_queue(queue.name)
    _check_shares(context, queue, request)
    job_id, seq = context.ids.job_id(), context.tx.jobs.next_seq()
    row = JobRow(
        job=Job(JobKey(seq), JobStatus.SUBMITTED, context.now),
        job_id=job_id,
        job_name=request["jobName"],
        queue_id=queue.id,
        definition_id=None,
        need=Room(resolved.vcpus, resolved.memory_mib, resolved.gpus),
        share_identifier=request.get("shareIdentifier") or service.quota_share_name,
        scheduling_priority=resolved.scheduling_priority,
    )
    terms = Terms(job_id, row.job_name, queue.name, None, None, resolved, region=context.region, service=service)
    changes = Changes(context.tx, context.now, context.terms)
    changes.submit(row, terms, ())
    changes.settle()
    changes.save()
    context.tx.tags.put(f"service-job/{job_id}", tags)
    context.tx.log_groups.ensure(LOG_GROUP, context.now)
    if token := request.get("clientToken"):
        context.tx.service_jobs.remember_token(token, digest, seq)
    return _answer(context, row.job_name, job_id)


def _answer(context: Context, job_name: str, job_id: JobId) -> dict[str, Any]:
    return {"jobArn": context.arn(f"service-job/{job_id}"), "jobName": job_name, "jobId": job_id}


def _check_size(context: Context, request: Request) -> str:
    """A digest of the request without its token. Raises Refusal for a request or payload above its quota."""
    text = _canonical.encode({member: value for member, value in request.items() if member != "clientToken"})
    if len(text) > context.settings.submit_job_kib_max * 1024:
        raise refusals.payload_too_large(context.settings.submit_job_kib_max)
    if len(request["serviceRequestPayload"].encode()) > quotas.SERVICE_REQUEST_PAYLOAD_KIB * 1024:
        raise refusals.service_payload_too_large(quotas.SERVICE_REQUEST_PAYLOAD_KIB)
    return hashlib.sha256(text).hexdigest()


def _made_before(context: Context, request: Request, digest: str) -> JobRow | None:
    token = request.get("clientToken")
    seq = context.tx.service_jobs.of_token(token, digest) if token else None
    return None if seq is None else context.tx.jobs.get(seq)


def _read(context: Context, request: Request) -> tuple[ServiceTerms, ResolvedJob]:
    """What the request asks for, by itself. Raises Refusal."""
    retry_strategy = validate_service_retry_strategy(request.get("retryStrategy"))
    timeout = validate_timeout(request.get("timeoutConfig"))
    priority = request.get("schedulingPriority")
    if priority is not None:
        check_scheduling_priority(priority)
    payload = request["serviceRequestPayload"]
    try:
        decoded = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        raise refusals.service_payload_not_json() from None
    training = read_training_request(decoded, request["jobName"])
    limits = [(timeout or {}).get("attemptDurationSeconds"), training.max_runtime_seconds]
    service = ServiceTerms(
        payload=payload,
        training=training,
        timeout_config=timeout,
        quota_share_name=request.get("quotaShareName") or None,
        preemption_configuration=request.get("preemptionConfiguration") or None,
    )
    limit = min((seconds for seconds in limits if seconds is not None), default=None)
    return service, _resolved(context, training, retry_strategy, limit, priority)


def _resolved(
    context: Context,
    training: TrainingRequest,
    retry_strategy: dict[str, Any] | None,
    limit_seconds: int | None,
    priority: int | None,
) -> ResolvedJob:
    size = context.settings.training_instances.of(training.instance_type)
    container = ResolvedContainer(
        name=DEFAULT_CONTAINER,
        image=training.image,
        command=training.entry_point,
        environment=training.environment,
        vcpus=size.vcpus,
        memory_mib=size.memory_mib,
        gpus=size.gpus,
        user=None,
        ulimits=(),
        max_swap_mib=None,
        log_group=LOG_GROUP,
    )
    return ResolvedJob(
        container={},
        ecs_properties=None,
        eks_properties=None,
        node_properties=None,
        containers=(container,),
        vcpus=size.vcpus,
        memory_mib=size.memory_mib,
        gpus=size.gpus,
        parameters={},
        attempts=retry_strategy["attempts"] if retry_strategy else 1,
        retry_strategy=retry_strategy,
        attempt_duration_seconds=limit_seconds,
        platform_capabilities=(),
        propagate_tags=None,
        scheduling_priority=priority,
        consumable_resource_properties=None,
        log_stream_prefix="",
    )


def _check_shares(context: Context, queue: JobQueue, request: Request) -> None:
    """The share identifier belongs to fair-share queues, the quota share to queues with quota management."""
    policy = context.tx.scheduling_policies.get(queue.scheduling_policy or "")
    is_managed = policy is not None and QUOTA_SHARE in policy.document
    share, quota_share = request.get("shareIdentifier"), request.get("quotaShareName")
    if share and (policy is None or is_managed):
        raise refusals.service_share_identifier_not_applicable()
    if share and not names.is_share_identifier(share):
        raise refusals.share_identifier_invalid()
    if policy is not None and not is_managed and not share:
        raise refusals.share_identifier_missing()
    if quota_share and not is_managed:
        raise refusals.service_quota_share_not_applicable()
    if is_managed:
        if not quota_share:
            raise refusals.service_quota_share_missing()
        found = context.tx.quota_shares.get(f"{queue.name}/{quota_share}")
        if found is None or found.document["state"] != resources.ENABLED:
            raise refusals.service_quota_share_not_found(quota_share)
