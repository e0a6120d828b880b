"""CreateJobQueue, UpdateJobQueue, DeleteJobQueue, DescribeJobQueues.

A deleted queue stays DELETING until the engine has ended the jobs left in it; then its row goes. `api/phases.py` says
when it is CREATING or UPDATING.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from batchyard.api import phases
from batchyard.api.batch import quota_shares
from batchyard.api.context import Context
from batchyard.api.pagination import Page
from batchyard.api.references import (
    find_compute_environment,
    find_job_queue,
    find_scheduling_policy,
    find_service_environment,
    name_of,
)
from batchyard.core import quotas, refusals
from batchyard.core.batchyard_tags import queue_settings
from batchyard.core.job_queues import (
    HEALTHY,
    SAGEMAKER_TRAINING,
    check_kind,
    check_order,
    check_queue_name,
    job_state_time_limit_actions,
    queue_type,
)
from batchyard.core.resources import CREATING, DELETING, DISABLED, ENABLED, UPDATING, VALID, JobQueue
from batchyard.core.scheduling_policies import QUOTA_SHARE
from batchyard.core.tags import new_tags

_KIND = "job-queue"


def create_job_queue(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make one; its name must be free and its environments VALID."""
    name = request["jobQueueName"]
    check_queue_name(name)
    tags = new_tags(request.get("tags"), _KIND)
    check_kind(request)
    names, order = _order(context, request)
    limits = job_state_time_limit_actions(request.get("jobStateTimeLimitActions") or (), order["jobQueueType"])
    policy = _policy(context, request, order["jobQueueType"])
    queues = context.tx.job_queues
    if queues.get(name) is not None:
        raise refusals.already_exists()
    if queues.count() >= quotas.JOB_QUEUES:
        raise refusals.quota_reached("job queues", quotas.JOB_QUEUES)
    queue = JobQueue(
        id=0,
        name=name,
        state=request.get("state", ENABLED),
        status=phases.begin(context, f"{_KIND}/{name}", CREATING),
        status_reason=HEALTHY,
        priority=request["priority"],
        compute_environments=names,
        scheduling_policy=policy,
        created_at=context.now,
        document={**order, "jobStateTimeLimitActions": limits},
        settings=queue_settings(tags, is_for_service_jobs=order["jobQueueType"] == SAGEMAKER_TRAINING),
    )
    _check_quota_management(context, queue)
    queues.insert(queue)
    context.tx.tags.put(f"{_KIND}/{name}", tags)
    return _named(context, name)


def update_job_queue(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Change what is given and leave the rest; jobs already in the queue stay."""
    queue = _required(context, request["jobQueue"])
    phases.check_update(context, f"{_KIND}/{queue.name}")
    document, names = dict(queue.document), queue.compute_environments
    job_queue_type = document["jobQueueType"]
    if request.get("computeEnvironmentOrder") or request.get("serviceEnvironmentOrder"):
        check_kind(request)
        names, order = _order(context, request)
        if (order["jobQueueType"] == SAGEMAKER_TRAINING) is not (job_queue_type == SAGEMAKER_TRAINING):
            raise refusals.environment_order_kind_fixed()
        document |= order
    policy = _replaced_policy(context, queue, request)
    if "jobStateTimeLimitActions" in request:
        limits = job_state_time_limit_actions(request["jobStateTimeLimitActions"], job_queue_type)
        document["jobStateTimeLimitActions"] = limits
        blocked = context.tx.blocked_jobs
        blocked.put([row.limited_by(limits) for row in blocked.of_queue(queue.id)])
    changed = replace(
        queue,
        state=request.get("state", queue.state),
        status=phases.begin(context, f"{_KIND}/{queue.name}", UPDATING),
        priority=request.get("priority", queue.priority),
        compute_environments=names,
        scheduling_policy=policy,
        document=document,
    )
    _check_quota_management(context, changed)
    context.tx.job_queues.update(changed)
    return _named(context, queue.name)


def delete_job_queue(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Turn a DISABLED queue DELETING; its jobs end with it, and its quota shares go at once."""
    queue = _required(context, request["jobQueue"])
    phases.check_delete(context, f"{_KIND}/{queue.name}")
    if queue.state != DISABLED:
        raise refusals.job_queue_not_disabled()
    status = phases.begin(context, f"{_KIND}/{queue.name}", DELETING, is_held=True)
    context.tx.job_queues.update(replace(queue, status=status))
    for share in context.tx.quota_shares.page(0, quotas.QUOTA_SHARES_PER_QUEUE, prefix=f"{queue.name}/"):
        quota_shares.remove(context, share)
    return {}


def describe_job_queues(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Those named, or all by pages; unknown names are left out, and queues being deleted are shown."""
    page = Page(context, "DescribeJobQueues", request, filters=("jobQueues",))
    references = request.get("jobQueues") or ()
    if len(references) > quotas.DESCRIBE_NAMES:
        raise refusals.too_many_names("job queues", quotas.DESCRIBE_NAMES)
    queues = context.tx.job_queues
    if references:
        found = queues.named([name_of(reference, _KIND) for reference in references])
        return {"jobQueues": [_detail(context, queue) for queue in found]}
    return page.answer(
        "jobQueues",
        queues.page(page.after or 0, page.fetch),
        show=lambda queue: _detail(context, queue),
        position=lambda queue: queue.id,
    )


def _policy(context: Context, request: Mapping[str, Any], job_queue_type: str) -> str | None:
    """The name of the policy that the request names, which must be one for queues of this type."""
    if not (arn := request.get("schedulingPolicyArn")):
        return None
    policy = find_scheduling_policy(context.tx, arn)
    if policy is None:
        raise refusals.scheduling_policy_not_found(arn)
    if QUOTA_SHARE in policy.document and job_queue_type != SAGEMAKER_TRAINING:
        raise refusals.quota_management_needs_sagemaker()
    return policy.name


def _replaced_policy(context: Context, queue: JobQueue, request: Mapping[str, Any]) -> str | None:
    """The policy's name after an update: it can be replaced by one of its kind, never gained or lost (F 8.2)."""
    name = _policy(context, request, queue.document["jobQueueType"])
    if name is None or name == queue.scheduling_policy:
        return queue.scheduling_policy
    if queue.scheduling_policy is None:
        raise refusals.queue_cannot_gain_policy()
    former, latter = context.tx.scheduling_policies.named([queue.scheduling_policy, name])
    if former.document.keys() != latter.document.keys():
        raise refusals.queue_policy_kind_fixed()
    return name


def _order(context: Context, request: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The names of compute environments, best first, and the members of the document that follow from the order."""
    if entries := request.get("serviceEnvironmentOrder"):
        return (), _service_order(context, entries)
    entries = request.get("computeEnvironmentOrder") or ()
    check_order(entries)
    ordered = sorted(entries, key=lambda entry: entry["order"])
    environments = [find_compute_environment(context.tx, entry["computeEnvironment"]) for entry in ordered]
    found_type = queue_type(environments, request.get("jobQueueType"))
    names = tuple(environment.name for environment in environments if environment is not None)
    order = [{"order": entry["order"], "computeEnvironment": name} for entry, name in zip(ordered, names, strict=True)]
    return names, {"computeEnvironmentOrder": order, "jobQueueType": found_type}


def _service_order(context: Context, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    check_order(entries, quotas.SERVICE_ENVIRONMENTS_PER_QUEUE)
    environments = [find_service_environment(context.tx, entry["serviceEnvironment"]) for entry in entries]
    order = [
        {"order": entry["order"], "serviceEnvironment": environment.name}
        for entry, environment in zip(entries, environments, strict=True)
        if environment is not None
    ]
    statuses = {phases.status_of(context, f"service-environment/{entry['serviceEnvironment']}") for entry in order}
    if len(order) < len(entries) or statuses != {VALID}:
        raise refusals.service_environments_must_be_valid()
    return {"serviceEnvironmentOrder": order, "computeEnvironmentOrder": [], "jobQueueType": SAGEMAKER_TRAINING}


def _check_quota_management(context: Context, queue: JobQueue) -> None:
    """A service environment whose capacity quota shares divide serves one queue alone (F 2.4)."""
    for entry in queue.document.get("serviceEnvironmentOrder", ()):
        queues = [q for q in context.tx.job_queues.that_list(entry["serviceEnvironment"]) if q.name != queue.name]
        policies = context.tx.scheduling_policies.named([q.scheduling_policy or "" for q in (queue, *queues)])
        if queues and any(QUOTA_SHARE in policy.document for policy in policies):
            raise refusals.service_environment_is_managed()


def _required(context: Context, reference: str) -> JobQueue:
    queue = find_job_queue(context.tx, reference)
    if queue is None:
        raise refusals.does_not_exist(context.arn(f"{_KIND}/{name_of(reference, _KIND)}"))
    return queue


def _named(context: Context, name: str) -> dict[str, Any]:
    return {"jobQueueName": name, "jobQueueArn": context.arn(f"{_KIND}/{name}")}


def _detail(context: Context, queue: JobQueue) -> dict[str, Any]:
    detail = {
        **_named(context, queue.name),
        "state": queue.state,
        "status": queue.status,
        "statusReason": queue.status_reason,
        "priority": queue.priority,
        **queue.document,
        "computeEnvironmentOrder": [
            {**entry, "computeEnvironment": context.arn(f"compute-environment/{entry['computeEnvironment']}")}
            for entry in queue.document["computeEnvironmentOrder"]
        ],
        "tags": context.tx.tags.get(f"{_KIND}/{queue.name}"),
    }
    if "serviceEnvironmentOrder" in queue.document:
        detail["serviceEnvironmentOrder"] = [
            {**entry, "serviceEnvironment": context.arn(f"service-environment/{entry['serviceEnvironment']}")}
            for entry in queue.document["serviceEnvironmentOrder"]
        ]
    if queue.scheduling_policy is not None:
        detail["schedulingPolicyArn"] = context.arn(f"scheduling-policy/{queue.scheduling_policy}")
    return detail
