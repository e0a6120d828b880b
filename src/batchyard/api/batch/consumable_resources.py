"""CreateConsumableResource, UpdateConsumableResource, DeleteConsumableResource, DescribeConsumableResource,
ListConsumableResources, ListJobsByConsumableResource.

Whoever changes how much there is changes what can be placed, so these operations count as changes of resources.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from batchyard.api.context import Context
from batchyard.api.pagination import Page
from batchyard.api.references import find_consumable_resource, name_of
from batchyard.core import quotas, refusals
from batchyard.core.consumable_resources import check_new, updated_total
from batchyard.core.jobs import JobStatus
from batchyard.core.resources import REPLENISHABLE, ConsumableResource
from batchyard.core.tags import new_tags
from batchyard.store import job_lists
from batchyard.store.documents import dump
from batchyard.store.jobs import JobRow
from batchyard.store.name_patterns import Condition, any_of, name_matches

_KIND = "consumable-resource"


def create_consumable_resource(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make one, replenishable unless it is said not to be; its name must be free."""
    name, quantity = request["consumableResourceName"], request.get("totalQuantity") or 0
    resource_type = request.get("resourceType") or REPLENISHABLE
    check_new(name, resource_type, quantity)
    tags = new_tags(request.get("tags"), "consumable-resource")
    resources = context.tx.consumable_resources
    if resources.exists(name):
        raise refusals.already_exists()
    if resources.count() >= quotas.CONSUMABLE_RESOURCES:
        raise refusals.quota_reached("consumable resources", quotas.CONSUMABLE_RESOURCES)
    resources.insert(name, resource_type, quantity, context.now)
    context.tx.tags.put(f"{_KIND}/{name}", tags)
    return _named(context, name)


def update_consumable_resource(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Set, raise or lower the total; the same request with the same clientToken counts once in 8 hours."""
    resource = _required(context, request["consumableResource"])
    total = resource.quantity
    if not _is_repeated(context, resource, request):
        total = updated_total(total, request.get("operation"), request.get("quantity"))
        context.tx.consumable_resources.update(replace(resource, quantity=total))
    return {**_named(context, resource.name), "totalQuantity": total}


def delete_consumable_resource(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Remove one of which no placed job holds any, with its tags; jobs that need it wait until there is one again."""
    resource = _required(context, request["consumableResource"])
    if resource.held:
        raise refusals.consumable_resource_in_use()
    context.tx.consumable_resources.delete(resource.name)
    context.tx.tags.delete(f"{_KIND}/{resource.name}")
    return {}


def describe_consumable_resource(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """How much there is of one, how much is in use and how much is available."""
    resource = _required(context, request["consumableResource"])
    return {
        **_summary(context, resource),
        "availableQuantity": max(0, resource.available),
        "createdAt": resource.created_at,
        "tags": context.tx.tags.get(f"{_KIND}/{resource.name}"),
    }


def list_consumable_resources(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """All, or those that the filters let through, by pages, oldest first."""
    page = Page(context, "ListConsumableResources", request, filters=("filters",))
    conditions = [
        any_of([name_matches("name", value) for value in values])
        for values in _filters(request, "CONSUMABLE_RESOURCE_NAME").values()
    ]
    return page.answer(
        "consumableResources",
        context.tx.consumable_resources.page(conditions, page.after or 0, page.fetch),
        show=lambda resource: _summary(context, resource),
        position=lambda resource: resource.id,
    )


def list_jobs_by_consumable_resource(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The jobs that need a consumable resource, newest first, by status or name; of an array the parent alone."""
    resource = _required(context, request["consumableResource"])
    page = Page(context, "ListJobsByConsumableResource", request, filters=("consumableResource", "filters"))
    before = job_lists.FIRST_PAGE if page.after is None else page.after
    found = context.tx.job_lists.of_consumable(resource.name, _job_conditions(request), before, page.fetch)
    return page.answer(
        "jobs",
        found,
        show=lambda each: _job_summary(context, *each),
        position=lambda each: each[0].seq,
    )


def _filters(request: Mapping[str, Any], *names: str) -> dict[str, list[str]]:
    """The values of each filter. Raises Refusal for other names, and for a name that comes twice or without values."""
    found: dict[str, list[str]] = {}
    for given in request.get("filters") or ():
        name, values = given.get("name") or "", given.get("values") or []
        if name not in names:
            raise refusals.filter_name_unknown(name)
        if name in found or not all(values) or not values or len(values) > quotas.DESCRIBE_NAMES:
            raise refusals.filter_value_invalid(name)
        found[name] = values
    return found


def _job_conditions(request: Mapping[str, Any]) -> list[Condition]:
    conditions = []
    for name, values in _filters(request, "JOB_STATUS", "JOB_NAME").items():
        if name == "JOB_NAME":
            conditions.append(any_of([job_lists.named(value) for value in values]))
            continue
        statuses = [status for status in JobStatus if status.value in values]
        if len(statuses) < len(set(values)):
            raise refusals.filter_value_invalid(name)
        conditions.append(any_of([job_lists.with_status(status) for status in statuses]))
    return conditions


def _is_repeated(context: Context, resource: ConsumableResource, request: Mapping[str, Any]) -> bool:
    if not (token := request.get("clientToken")):
        return False
    payload = dump([resource.id, request.get("operation"), request.get("quantity")])
    valid = quotas.CLIENT_TOKEN_VALID_MILLIS
    return context.tx.consumable_resources.is_repeated(token, payload, context.now, valid)


def _required(context: Context, reference: str) -> ConsumableResource:
    resource = find_consumable_resource(context.tx, reference)
    if resource is None:
        raise refusals.does_not_exist(context.arn(f"{_KIND}/{name_of(reference, _KIND)}"))
    return resource


def _named(context: Context, name: str) -> dict[str, Any]:
    return {"consumableResourceName": name, "consumableResourceArn": context.arn(f"{_KIND}/{name}")}


def _summary(context: Context, resource: ConsumableResource) -> dict[str, Any]:
    return {
        **_named(context, resource.name),
        "totalQuantity": resource.quantity,
        "inUseQuantity": resource.in_use,
        "resourceType": resource.resource_type,
    }


def _job_summary(context: Context, row: JobRow, quantity: int) -> dict[str, Any]:
    terms = context.tx.jobs.terms(row.seq)
    summary = {
        "jobArn": context.arn(f"job/{row.job_id}"),
        "jobQueueArn": context.arn(f"job-queue/{terms.queue}"),
        "jobName": row.job_name,
        "jobDefinitionArn": context.arn(f"job-definition/{terms.definition}"),
        "shareIdentifier": row.share_identifier,
        "jobStatus": row.job.status.value,
        "quantity": quantity,
        "statusReason": row.job.status_reason,
        "startedAt": row.job.started_at,
        "createdAt": row.job.created_at,
        "consumableResourceProperties": terms.resolved.consumable_resource_properties,
    }
    return {name: value for name, value in summary.items() if value is not None}
