"""DescribeLogGroups, CreateLogGroup, DeleteLogGroup; and the calls by which others would write logs, refused."""

from typing import Any

from batchyard.api.context import Context
from batchyard.api.logs.log_references import check_range, log_group_arn, log_page
from batchyard.core import refusals
from batchyard.core.names import is_log_group_name
from batchyard.store.log_groups import LogGroup

_LARGEST_PAGE = 50


def describe_log_groups(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The groups by name in ASCII order, of a prefix or that hold a text; the default one is always among all."""
    if request.get("logGroupNamePrefix") and request.get("logGroupNamePattern"):
        raise refusals.log_parameter_invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive")
    members = ("logGroupNamePrefix", "logGroupNamePattern")
    page = log_page(context, "DescribeLogGroups", request, members, largest=_LARGEST_PAGE)
    found = context.tx.log_groups.page(
        prefix=request.get("logGroupNamePrefix") or "",
        pattern=request.get("logGroupNamePattern") or "",
        after=page.after or "",
        limit=page.fetch,
    )
    return page.answer("logGroups", found, lambda group: _detail(context, group), lambda group: group.name)


def create_log_group(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make a group. Raises Refusal for a name that is taken."""
    name = request["logGroupName"]
    check_range("logGroupName", len(name), 1, 512)
    if not is_log_group_name(name):
        raise refusals.log_parameter_invalid(
            "logGroupName must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )
    if context.tx.log_groups.get(name) is not None:
        raise refusals.log_group_exists()
    context.tx.log_groups.ensure(name, context.now)
    return {}


def delete_log_group(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Remove a group with what it shows. What jobs wrote stays on disk for as long as they are kept."""
    name = request["logGroupName"]
    if context.tx.log_groups.get(name) is None:
        raise refusals.log_group_not_found()
    context.tx.log_groups.delete(name, context.now)
    return {}


def create_log_stream(_context: Context, _request: dict[str, Any]) -> dict[str, Any]:
    """Refused: streams here are what jobs wrote."""
    raise refusals.log_streams_are_written_by_jobs("CreateLogStream")


def put_log_events(_context: Context, _request: dict[str, Any]) -> dict[str, Any]:
    """Refused: streams here are what jobs wrote."""
    raise refusals.log_streams_are_written_by_jobs("PutLogEvents")


def _detail(context: Context, group: LogGroup) -> dict[str, Any]:
    arn = log_group_arn(context, group.name)
    return {
        "logGroupName": group.name,
        "creationTime": group.created_at,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
        "logGroupArn": arn,
    }
