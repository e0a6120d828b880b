"""RegisterJobDefinition, DeregisterJobDefinition, DescribeJobDefinitions."""

from collections.abc import Iterable
from typing import Any

from batchyard.api.context import Context
from batchyard.api.pagination import Page
from batchyard.api.references import consumable_needs, find_job_definition
from batchyard.core import quotas, refusals
from batchyard.core.ids import Millis
from batchyard.core.job_definitions import job_definition_document
from batchyard.core.log_options import DATETIME_FORMAT, MULTILINE_PATTERN, log_event_start
from batchyard.core.resources import JobDefinition
from batchyard.core.tags import new_tags
from batchyard.logs.grouped import line_test
from batchyard.store.documents import dump

_KIND = "job-definition"
_ALONE = ("jobDefinitionName", "status", "maxResults", "nextToken")


def register_job_definition(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Add the next revision of this name, also when nothing about it is new."""
    document = job_definition_document(request)
    if len(dump(document)) > quotas.JOB_DEFINITION_KIB * 1024:
        raise refusals.job_definition_too_large(quotas.JOB_DEFINITION_KIB)
    options = _log_options(document)
    _check_event_starts(options)
    tags = new_tags(request.get("tags"), "job-definition")
    consumable_needs(context.tx, document.get("consumableResourceProperties"))
    definition = context.tx.job_definitions.insert(request["jobDefinitionName"], request["type"], context.now, document)
    context.tx.tags.put(f"{_KIND}/{definition.reference}", tags)
    for group in _log_groups(options):
        context.tx.log_groups.ensure(group, context.now)
    return {**_named(context, definition), "revision": definition.revision}


def deregister_job_definition(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make a revision INACTIVE: the one named, or the newest ACTIVE one of a bare name. Jobs do not notice."""
    reference = request["jobDefinition"]
    definition = find_job_definition(context.tx, reference)
    if definition is None:
        raise refusals.job_definition_does_not_exist(reference)
    context.tx.job_definitions.deregister(definition, context.now)
    return {}


def describe_job_definitions(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Those listed, or by pages those of a name and a status, newest first; without a status both are shown."""
    if references := request.get("jobDefinitions"):
        return {"jobDefinitions": _listed(context, request, references)}
    page = Page(context, "DescribeJobDefinitions", request, filters=("jobDefinitionName", "status"))
    name = request.get("jobDefinitionName") or None
    found = context.tx.job_definitions.page(
        name=name,
        status=request.get("status") or None,
        before=page.after,
        limit=page.fetch,
        deregistered_after=Millis(context.now - quotas.INACTIVE_DEFINITIONS_KEPT_MILLIS),
    )
    return page.answer(
        "jobDefinitions",
        found,
        show=lambda definition: _detail(context, definition),
        position=lambda definition: definition.id if name is None else definition.revision,
    )


def _listed(context: Context, request: dict[str, Any], references: list[str]) -> list[dict[str, Any]]:
    if any(request.get(member) for member in _ALONE):
        raise refusals.job_definitions_list_stands_alone()
    if len(references) > quotas.DESCRIBE_NAMES:
        raise refusals.too_many_names("job definitions", quotas.DESCRIBE_NAMES)
    found = {}
    for reference in references:
        definition = find_job_definition(context.tx, reference)
        if definition is not None:
            found[definition.id] = definition
    return [_detail(context, definition) for definition in found.values()]


def _log_groups(options: Iterable[dict[str, str]]) -> set[str]:
    """The groups that its containers name; a job writes there without anyone having to make them."""
    return {each["awslogs-group"] for each in options if each.get("awslogs-group")}


def _check_event_starts(options: Iterable[dict[str, str]]) -> None:
    for each in options:
        if (pattern := log_event_start(each)) is not None:
            try:
                line_test(pattern)
            except ValueError as error:
                option = DATETIME_FORMAT if each.get(DATETIME_FORMAT) else MULTILINE_PATTERN
                raise refusals.log_option_invalid(option, each[option]) from error


def _log_options(document: dict[str, Any]) -> list[dict[str, str]]:
    """The options of its containers' log drivers, those of every node range among them."""
    parts = [document, *((document.get("nodeProperties") or {}).get("nodeRangeProperties") or ())]
    containers = [part.get("containerProperties") or part.get("container") or {} for part in parts]
    for part in parts:
        for task in (part.get("ecsProperties") or {}).get("taskProperties") or ():
            containers += task["containers"]
    return [(container.get("logConfiguration") or {}).get("options") or {} for container in containers]


def _named(context: Context, definition: JobDefinition) -> dict[str, Any]:
    arn = context.arn(f"{_KIND}/{definition.reference}")
    return {"jobDefinitionName": definition.name, "jobDefinitionArn": arn}


def _detail(context: Context, definition: JobDefinition) -> dict[str, Any]:
    return {
        **_named(context, definition),
        "revision": definition.revision,
        "status": definition.status,
        "type": definition.type,
        **definition.document,
        "tags": context.tx.tags.get(f"{_KIND}/{definition.reference}"),
    }
