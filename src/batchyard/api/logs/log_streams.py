"""DescribeLogStreams: one stream for every attempt that started."""

from typing import Any

from batchyard.api.context import Context
from batchyard.api.logs.log_references import log_group, log_group_arn, log_page, open_log
from batchyard.core import refusals
from batchyard.store.log_groups import LogGroup
from batchyard.store.log_streams import LogStream

_LARGEST_PAGE = 50
_QUESTION = ("logGroupName", "logGroupIdentifier", "logStreamNamePrefix", "orderBy", "descending")


def describe_log_streams(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The streams of a group, by name or by the time of their last event."""
    group = log_group(context, request)
    page = log_page(context, "DescribeLogStreams", request, _QUESTION, largest=_LARGEST_PAGE)
    prefix, descending = request.get("logStreamNamePrefix") or "", bool(request.get("descending"))
    streams = context.tx.log_streams
    if request.get("orderBy") == "LastEventTime":
        if prefix:
            raise refusals.log_parameter_invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        after = None if page.after is None else (page.after[0], page.after[1])
        found = streams.by_last_event(group, after=after, descending=descending, limit=page.fetch)
    else:
        name = None if page.after is None else page.after[1]
        found = streams.by_name(group, prefix=prefix, after=name, descending=descending, limit=page.fetch)
    return page.answer(
        "logStreams",
        found,
        lambda stream: _detail(context, group, stream),
        lambda stream: [stream.last_event_at, stream.name],
    )


def _detail(context: Context, group: LogGroup, stream: LogStream) -> dict[str, Any]:
    detail: dict[str, Any] = {
        "logStreamName": stream.name,
        "creationTime": stream.started_at,
        "arn": f"{log_group_arn(context, group.name)}:log-stream:{stream.name}",
    }
    with open_log(context, stream) as log:
        detail["storedBytes"] = log.stored_bytes
        if (first := log.first_timestamp()) is not None and (last := log.last_timestamp()) is not None:
            detail |= {"firstEventTimestamp": first, "lastEventTimestamp": last, "lastIngestionTime": last}
    return detail
