"""GetLogEvents: one stream, forwards or backwards, by tokens that say where in the file a page ends (F 10.3).

Both tokens come with every page. At the end of the stream, in either direction, a page is empty and its token is the
one that was passed in: that is how clients know. The token at the end of a running job's stream stays good: passed in
again later, it shows what has been written since.
"""

import re
from typing import Any

from batchyard.api.context import Context
from batchyard.api.logs.log_references import check_range, log_group, open_log
from batchyard.core import refusals
from batchyard.logs.reader import EVENTS_PER_PAGE, LogEvent

_TOKEN = re.compile(r"(?P<direction>[fb])/(?P<offset>[0-9]{1,18})")


def get_log_events(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """One page of one stream, oldest event first; without a token the newest events unless startFromHead."""
    stream = context.tx.log_streams.get(log_group(context, request), request["logStreamName"])
    if stream is None:
        raise refusals.log_stream_not_found()
    limit = check_range("limit", request.get("limit", EVENTS_PER_PAGE), 1, EVENTS_PER_PAGE)
    backward, offset = _place(request)
    with open_log(context, stream) as log:
        page = log.page(
            offset,
            backward=backward,
            limit=limit,
            start_time=request.get("startTime"),
            end_time=request.get("endTime"),
        )
    return {
        "events": [_event(event) for event in page.events],
        "nextForwardToken": f"f/{page.after}",
        "nextBackwardToken": f"b/{page.before}",
    }


def _place(request: dict[str, Any]) -> tuple[bool, int | None]:
    """Whether to read backwards, and from which offset."""
    token = request.get("nextToken")
    if not token:
        return not request.get("startFromHead", False), None
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise refusals.log_next_token_invalid()
    return match["direction"] == "b", int(match["offset"])


def _event(event: LogEvent) -> dict[str, Any]:
    return {"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.timestamp}
