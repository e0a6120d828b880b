"""CreateServiceEnvironment, UpdateServiceEnvironment, DeleteServiceEnvironment, DescribeServiceEnvironments.

Service jobs take instances of their capacity limits.
"""

from dataclasses import replace
from typing import Any

from batchyard.api import phases
from batchyard.api.context import Context
from batchyard.api.pagination import Page
from batchyard.api.references import find_service_environment, name_of
from batchyard.core import quotas, refusals
from batchyard.core.names import is_resource_name
from batchyard.core.resources import CREATING, DELETING, DISABLED, ENABLED, UPDATING, Record
from batchyard.core.service_capacity import capacity_limits
from batchyard.core.tags import new_tags

_KIND = "service-environment"


def create_service_environment(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make one; its name must be free."""
    name = request["serviceEnvironmentName"]
    if not is_resource_name(name):
        raise refusals.service_environment_name_invalid()
    document = {
        "serviceEnvironmentType": request["serviceEnvironmentType"],
        "state": request.get("state", ENABLED),
        "capacityLimits": capacity_limits(request["capacityLimits"]),
    }
    tags = new_tags(request.get("tags"), "service-environment")
    environments = context.tx.service_environments
    if environments.get(name) is not None:
        raise refusals.already_exists()
    if environments.count() >= quotas.SERVICE_ENVIRONMENTS:
        raise refusals.quota_reached("service environments", quotas.SERVICE_ENVIRONMENTS)
    environments.insert(Record(0, name, context.now, document))
    context.tx.tags.put(f"{_KIND}/{name}", tags)
    phases.begin(context, f"{_KIND}/{name}", CREATING)
    return _named(context, name)


def update_service_environment(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Change state and capacity limits as far as they are given."""
    environment = _required(context, request["serviceEnvironment"])
    phases.check_update(context, f"{_KIND}/{environment.name}")
    document = {**environment.document, "state": request.get("state", environment.document["state"])}
    if "capacityLimits" in request:
        document["capacityLimits"] = capacity_limits(request["capacityLimits"])
    context.tx.service_environments.update(replace(environment, document=document))
    phases.begin(context, f"{_KIND}/{environment.name}", UPDATING)
    return _named(context, environment.name)


def delete_service_environment(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Remove one that is DISABLED and in no queue's order, at once and with its tags."""
    environment = _required(context, request["serviceEnvironment"])
    phases.check_delete(context, f"{_KIND}/{environment.name}")
    if environment.document["state"] != DISABLED:
        raise refusals.service_environment_not_disabled()
    if context.tx.job_queues.that_list(environment.name):
        raise refusals.service_environment_in_use()
    if phases.begin(context, f"{_KIND}/{environment.name}", DELETING) == DELETING:
        return {}
    context.tx.service_environments.delete(environment.name)
    context.tx.tags.delete(f"{_KIND}/{environment.name}")
    return {}


def describe_service_environments(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Those named, or all by pages; unknown names are left out."""
    page = Page(context, "DescribeServiceEnvironments", request, filters=("serviceEnvironments",))
    references = request.get("serviceEnvironments") or ()
    if len(references) > quotas.DESCRIBE_NAMES:
        raise refusals.too_many_names("service environments", quotas.DESCRIBE_NAMES)
    environments = context.tx.service_environments
    if references:
        found = environments.named([name_of(reference, _KIND) for reference in references])
        return {"serviceEnvironments": [_detail(context, environment) for environment in found]}
    return page.answer(
        "serviceEnvironments",
        environments.page(page.after or 0, page.fetch),
        show=lambda environment: _detail(context, environment),
        position=lambda environment: environment.id,
    )


def _required(context: Context, reference: str) -> Record:
    environment = find_service_environment(context.tx, reference)
    if environment is None:
        raise refusals.does_not_exist(context.arn(f"{_KIND}/{name_of(reference, _KIND)}"))
    return environment


def _named(context: Context, name: str) -> dict[str, Any]:
    return {"serviceEnvironmentName": name, "serviceEnvironmentArn": context.arn(f"{_KIND}/{name}")}


def _detail(context: Context, environment: Record) -> dict[str, Any]:
    resource = f"{_KIND}/{environment.name}"
    status, tags = phases.status_of(context, resource), context.tx.tags.get(resource)
    return {**_named(context, environment.name), **environment.document, "status": status, "tags": tags}
