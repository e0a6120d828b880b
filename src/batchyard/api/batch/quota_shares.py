"""CreateQuotaShare, UpdateQuotaShare, DeleteQuotaShare, DescribeQuotaShare, ListQuotaShares.

What they say counts from the next placement on (core.quota_shares).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from batchyard.api import phases
from batchyard.api.context import Context
from batchyard.api.pagination import Page
from batchyard.api.references import find_job_queue, find_quota_share
from batchyard.core import quotas, refusals
from batchyard.core.names import is_resource_name
from batchyard.core.resources import CREATING, DELETING, DISABLED, ENABLED, UPDATING, JobQueue, Record
from batchyard.core.scheduling_policies import QUOTA_SHARE
from batchyard.core.service_capacity import capacity_limits, resource_sharing
from batchyard.core.tags import new_tags

_KIND = "quota-share"


def create_quota_share(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make one in a queue with a quota-share policy."""
    if not is_resource_name(request["quotaShareName"]):
        raise refusals.quota_share_name_invalid()
    document = {"state": request.get("state", ENABLED), **_said(request)}
    tags = new_tags(request.get("tags"), "quota-share")
    queue = _managed_queue(context, request["jobQueue"])
    name = f"{queue.name}/{request['quotaShareName']}"
    shares = context.tx.quota_shares
    if shares.get(name) is not None:
        raise refusals.already_exists()
    limit = quotas.QUOTA_SHARES_PER_QUEUE
    if len(shares.page(0, limit, prefix=f"{queue.name}/")) >= limit:
        raise refusals.quota_reached("quota shares in a job queue", limit)
    shares.insert(Record(0, name, context.now, document))
    context.tx.tags.put(f"{_KIND}/{name}", tags)
    phases.begin(context, f"{_KIND}/{name}", CREATING)
    return _named(context, name)


def update_quota_share(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Change what is given and leave the rest."""
    share = _required(context, request["quotaShareArn"])
    phases.check_update(context, f"{_KIND}/{share.name}")
    document = {**share.document, **_said(request)}
    context.tx.quota_shares.update(replace(share, document=document))
    phases.begin(context, f"{_KIND}/{share.name}", UPDATING)
    return _named(context, share.name)


def delete_quota_share(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Remove one that is DISABLED, at once and with its tags."""
    share = _required(context, request["quotaShareArn"])
    phases.check_delete(context, f"{_KIND}/{share.name}")
    if share.document["state"] != DISABLED:
        raise refusals.quota_share_not_disabled()
    if phases.begin(context, f"{_KIND}/{share.name}", DELETING) != DELETING:
        remove(context, share)
    return {}


def remove(context: Context, share: Record) -> None:
    """Remove a quota share with its tags, whatever phase it is in."""
    context.tx.phases.delete(f"{_KIND}/{share.name}")
    context.tx.quota_shares.delete(share.name)
    context.tx.tags.delete(f"{_KIND}/{share.name}")


def describe_quota_share(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """One, by its ARN."""
    share = _required(context, request["quotaShareArn"])
    return {**_detail(context, share), "tags": context.tx.tags.get(f"{_KIND}/{share.name}")}


def list_quota_shares(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Those of a queue, by pages, oldest first."""
    queue = _queue(context, request["jobQueue"])
    page = Page(context, "ListQuotaShares", request, filters=("jobQueue",))
    return page.answer(
        "quotaShares",
        context.tx.quota_shares.page(page.after or 0, page.fetch, prefix=f"{queue.name}/"),
        show=lambda share: _detail(context, share),
        position=lambda share: share.id,
    )


def _said(request: Mapping[str, Any]) -> dict[str, Any]:
    """The members of the document that the request gives. Raises Refusal for what they may not say."""
    said = {member: request[member] for member in ("preemptionConfiguration", "state") if member in request}
    if "capacityLimits" in request:
        said["capacityLimits"] = capacity_limits(request["capacityLimits"])
    if "resourceSharingConfiguration" in request:
        said["resourceSharingConfiguration"] = resource_sharing(request["resourceSharingConfiguration"])
    return said


def _queue(context: Context, reference: str) -> JobQueue:
    queue = find_job_queue(context.tx, reference)
    if queue is None:
        raise refusals.job_queue_not_found(reference)
    return queue


def _managed_queue(context: Context, reference: str) -> JobQueue:
    queue = _queue(context, reference)
    if queue.status == DELETING:
        raise refusals.update_while_being_modified()
    policy = context.tx.scheduling_policies.get(queue.scheduling_policy or "")
    if policy is None or QUOTA_SHARE not in policy.document:
        raise refusals.quota_share_needs_quota_management()
    return queue


def _required(context: Context, arn: str) -> Record:
    share = find_quota_share(context.tx, arn)
    if share is None:
        raise refusals.does_not_exist(arn)
    return share


def _named(context: Context, name: str) -> dict[str, Any]:
    return {"quotaShareName": name.partition("/")[2], "quotaShareArn": context.arn(f"{_KIND}/{name}")}


def _detail(context: Context, share: Record) -> dict[str, Any]:
    queue = context.arn(f"job-queue/{share.name.partition('/')[0]}")
    status = phases.status_of(context, f"{_KIND}/{share.name}")
    return {**_named(context, share.name), "jobQueueArn": queue, **share.document, "status": status}
