"""What the operations of CloudWatch Logs have in common: naming a group, opening a stream, bounds, pages."""

import re
from collections.abc import Sequence
from typing import Any

from batchyard.api.context import Context
from batchyard.api.pagination import Page
from batchyard.core import refusals
from batchyard.core.ids import Arn
from batchyard.logs.grouped import GroupedLog, line_test
from batchyard.logs.reader import AttemptLog
from batchyard.store.log_groups import LogGroup
from batchyard.store.log_streams import LogStream

_GROUP_ARN = re.compile(r"arn:[a-z0-9-]+:logs:[a-z0-9-]*:[0-9]*:log-group:(?P<name>[^:*]+)(:\*)?")


def log_group(context: Context, request: dict[str, Any]) -> LogGroup:
    """The group of logGroupName, or of logGroupIdentifier (a name or an ARN of any account and region).

    Raises Refusal unless exactly one is given, and for a group that does not exist.
    """
    given = [text for member in ("logGroupName", "logGroupIdentifier") if (text := request.get(member))]
    if len(given) != 1:
        raise refusals.log_parameter_invalid("Specify exactly one of logGroupName and logGroupIdentifier.")
    match = _GROUP_ARN.fullmatch(given[0])
    group = context.tx.log_groups.get(match["name"] if match else given[0])
    if group is None:
        raise refusals.log_group_not_found()
    return group


def log_group_arn(context: Context, name: str) -> Arn:
    """The ARN of a group, without the `:*` that some members have at its end."""
    return context.arn(f"log-group:{name}", service="logs")


def open_log(context: Context, stream: LogStream) -> AttemptLog:
    """What was written to a stream, as events of as many lines as its container's log options ask for."""
    logs, ended = context.settings.logs, stream.stopped_at is not None
    pattern = context.tx.log_streams.event_start(stream)
    if pattern is None:
        return AttemptLog(logs, stream.log_id, ended=ended)
    return GroupedLog(logs, stream.log_id, ended=ended, begins=line_test(pattern))


def check_range(member: str, value: int, least: int, most: int) -> int:
    """The value itself. Raises Refusal outside the bounds."""
    if not least <= value <= most:
        raise refusals.log_parameter_invalid(f"{member} must be between {least} and {most}.")
    return value


def log_page(
    context: Context, operation: str, request: dict[str, Any], filters: Sequence[str], *, largest: int
) -> Page:
    """One page of a list operation of CloudWatch Logs. Raises Refusal for a limit out of bounds or a foreign token."""
    if request.get("limit") is not None:
        check_range("limit", request["limit"], 1, largest)
    return Page(
        context,
        operation,
        request,
        filters=filters,
        limit_member="limit",
        largest=largest,
        refuse_token=refusals.log_next_token_invalid,
    )
