"""One event in EventBridge's envelope (F 10.1)."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from batchyard.api.context import Context
from batchyard.core.ids import JobId, Millis

_NAMESPACE = uuid.UUID("0bd1b1c4-5f0e-4a3b-9a35-6d0f1f6a3c7e")

_encode = msgspec.json.Encoder().encode


def event_id(job_id: JobId, seq: int) -> str:
    """The id of the event that row `seq` of the history is for this job or child: always the same UUID."""
    return str(uuid.uuid5(_NAMESPACE, f"{job_id}/{seq}"))


def envelope(context: Context, event_id: str, detail_type: str, at: Millis, detail: Mapping[str, Any]) -> bytes:
    """The event as JSON. detail: what is told of a job; its `jobArn` is the resource that the event is about."""
    event = {
        "version": "0",
        "id": event_id,
        "detail-type": detail_type,
        "source": "aws.batch",
        "account": context.settings.account,
        "time": datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": context.region,
        "resources": [detail["jobArn"]],
        "detail": detail,
    }
    return _encode(event)
