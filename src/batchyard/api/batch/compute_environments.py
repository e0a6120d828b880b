"""CreateComputeEnvironment, UpdateComputeEnvironment, DeleteComputeEnvironment, DescribeComputeEnvironments.

A compute environment is VALID as soon as it is made: there is no instance to wait for. One whose infrastructure is
updated, or that is deleted, waits for the attempts that run in it (`api/phases.py`).
"""

import uuid
from dataclasses import replace
from typing import Any

from batchyard.api import phases
from batchyard.api.context import Context
from batchyard.api.pagination import Page
from batchyard.api.references import find_compute_environment, name_of
from batchyard.core import quotas, refusals
from batchyard.core.compute_environments import (
    HEALTHY,
    compute_environment_document,
    is_infrastructure_update,
    job_execution_timeout_minutes,
    max_vcpus_of,
    platform_of,
    updated_document,
)
from batchyard.core.ids import Millis
from batchyard.core.resources import CREATING, DELETING, DISABLED, ENABLED, UPDATING, ComputeEnvironment, Document
from batchyard.core.tags import new_tags

_KIND = "compute-environment"


def create_compute_environment(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make one; its name must be free."""
    name, environment_type = request["computeEnvironmentName"], request["type"]
    document = compute_environment_document(request)
    tags = new_tags(request.get("tags"), "compute-environment")
    environments = context.tx.compute_environments
    if environments.get(name) is not None:
        raise refusals.already_exists()
    if environments.count() >= quotas.COMPUTE_ENVIRONMENTS:
        raise refusals.quota_reached("compute environments", quotas.COMPUTE_ENVIRONMENTS)
    _check_cluster(context, document)
    # Derived and not drawn, so that the same calls at the same times make the same yard.
    document["uuid"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{_KIND}/{name}/{context.now}"))
    environments.insert(
        ComputeEnvironment(
            id=0,
            name=name,
            type=environment_type,
            state=ENABLED,
            status=phases.begin(context, f"{_KIND}/{name}", CREATING),
            status_reason=HEALTHY,
            platform=platform_of(environment_type, document),
            max_vcpus=max_vcpus_of(environment_type, document),
            created_at=context.now,
            document=document,
        )
    )
    context.tx.tags.put(f"{_KIND}/{name}", tags)
    return _named(context, name)


def update_compute_environment(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Change what is given and leave the rest. Running jobs are not touched, unless the update is one of the
    infrastructure: then they end as updatePolicy says."""
    environment = _required(context, request["computeEnvironment"])
    phases.check_update(context, f"{_KIND}/{environment.name}")
    document = updated_document(environment.type, environment.document, request)
    context.tx.compute_environments.update(
        replace(
            environment,
            state=request.get("state", environment.state),
            status=_begin_update(context, environment, document),
            platform=platform_of(environment.type, document),
            max_vcpus=max_vcpus_of(environment.type, document),
            document=document,
        )
    )
    return _named(context, environment.name)


def delete_compute_environment(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Remove one that is DISABLED and in no queue's order, as soon as nothing runs in it any more."""
    environment = _required(context, request["computeEnvironment"])
    phases.check_delete(context, f"{_KIND}/{environment.name}")
    if environment.state != DISABLED:
        raise refusals.compute_environment_not_disabled()
    if context.tx.job_queues.any_lists(environment.name):
        raise refusals.compute_environment_in_use()
    resource = f"{_KIND}/{environment.name}"
    if phases.begin(context, resource, DELETING, is_held=_is_in_use(context, environment)) == DELETING:
        context.tx.compute_environments.update(replace(environment, status=DELETING))
        return {}
    context.tx.compute_environments.delete(environment.name)
    context.tx.tags.delete(resource)
    return {}


def describe_compute_environments(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Those named, or all by pages; unknown names are left out."""
    page = Page(context, "DescribeComputeEnvironments", request, filters=("computeEnvironments",))
    references = request.get("computeEnvironments") or ()
    if len(references) > quotas.DESCRIBE_NAMES:
        raise refusals.too_many_names("compute environments", quotas.DESCRIBE_NAMES)
    environments = context.tx.compute_environments
    if references:
        found = environments.named([name_of(reference, _KIND) for reference in references])
        return {"computeEnvironments": [_detail(context, environment) for environment in found]}
    return page.answer(
        "computeEnvironments",
        environments.page(page.after or 0, page.fetch),
        show=lambda environment: _detail(context, environment),
        position=lambda environment: environment.id,
    )


def _begin_update(context: Context, environment: ComputeEnvironment, document: dict[str, Any]) -> str:
    """The status that the environment has after the update: UPDATING while attempts run on what it was before."""
    resource = f"{_KIND}/{environment.name}"
    if not is_infrastructure_update(environment.document, document) or not _is_in_use(context, environment):
        return phases.begin(context, resource, UPDATING)
    stop_at = Millis(context.now + 60_000 * job_execution_timeout_minutes(document))
    return phases.begin(context, resource, UPDATING, is_held=True, stop_at=stop_at)


def _is_in_use(context: Context, environment: ComputeEnvironment) -> bool:
    return any(attempt.compute_environment == environment.name for attempt in context.tx.attempts.active())


def _check_cluster(context: Context, document: Document) -> None:
    """An EKS cluster serves so many compute environments and no more (F 2.4)."""
    cluster = (document.get("eksConfiguration") or {}).get("eksClusterArn")
    if cluster is None:
        return
    present = (each.document for each in context.tx.compute_environments.page(0, quotas.COMPUTE_ENVIRONMENTS))
    sharing = [each for each in present if (each.get("eksConfiguration") or {}).get("eksClusterArn") == cluster]
    if len(sharing) >= quotas.ENVIRONMENTS_PER_EKS_CLUSTER:
        raise refusals.quota_reached("compute environments of an EKS cluster", quotas.ENVIRONMENTS_PER_EKS_CLUSTER)


def _required(context: Context, reference: str) -> ComputeEnvironment:
    environment = find_compute_environment(context.tx, reference)
    if environment is None:
        raise refusals.does_not_exist(context.arn(f"{_KIND}/{name_of(reference, _KIND)}"))
    return environment


def _named(context: Context, name: str) -> dict[str, Any]:
    return {"computeEnvironmentName": name, "computeEnvironmentArn": context.arn(f"{_KIND}/{name}")}


def _detail(context: Context, environment: ComputeEnvironment) -> dict[str, Any]:
    document, note = environment.document, context.settings.executor_note
    detail = {
        **_named(context, environment.name),
        "type": environment.type,
        "state": environment.state,
        "status": environment.status,
        "statusReason": f"{environment.status_reason}. {note}" if note else environment.status_reason,
        **document,
        "tags": context.tx.tags.get(f"{_KIND}/{environment.name}"),
    }
    if document["containerOrchestrationType"] == "ECS":
        detail["ecsClusterArn"] = context.arn(f"cluster/{cluster_name(environment.name, environment)}", service="ecs")
    return detail


def cluster_name(name: str, environment: ComputeEnvironment | None) -> str:
    """What ECS would call the cluster of a compute environment (F 2.3); without its UUID once it has been deleted."""
    return f"AWSBatch-{name}" if environment is None else f"AWSBatch-{name}-{environment.document['uuid']}"
