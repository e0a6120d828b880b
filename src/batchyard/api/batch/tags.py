"""TagResource, UntagResource, ListTagsForResource: one store of tags, which describe calls show as well."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from batchyard.api.context import Context
from batchyard.api.references import tail_of
from batchyard.core import refusals
from batchyard.core.batchyard_tags import AFTER, max_parallel, queue_settings, settings_among
from batchyard.core.job_queues import SAGEMAKER_TRAINING
from batchyard.core.tags import merge_tags
from batchyard.engine.apply import Changes


def tag_resource(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Add tags, over those of the same keys."""
    resource = _taggable(context, request["resourceArn"])
    present, tags = context.tx.tags.get(resource), request["tags"]
    merged = merge_tags(present, tags, resource.partition("/")[0])
    _take_effect(context, resource, present, merged)
    context.tx.tags.put(resource, tags)
    return {}


def untag_resource(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Remove tags by key; keys that are not there do not matter."""
    resource = _taggable(context, request["resourceArn"])
    present, keys = context.tx.tags.get(resource), request["tagKeys"]
    _take_effect(context, resource, present, {key: value for key, value in present.items() if key not in keys})
    context.tx.tags.remove(resource, keys)
    return {}


def list_tags_for_resource(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The tags of a resource."""
    return {"tags": context.tx.tags.get(_taggable(context, request["resourceArn"]))}


def _take_effect(context: Context, resource: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Let changed `batchyard:` tags count. Raises Refusal for a value that means nothing, and for a tag that counts
    when a job is submitted alone."""
    former, latter = settings_among(before), settings_among(after)
    if former == latter:
        return
    kind, _, name = resource.partition("/")
    if kind == "job-queue":
        queue = context.tx.job_queues.get(name)
        assert queue is not None
        is_for_service_jobs = queue.document["jobQueueType"] == SAGEMAKER_TRAINING
        settings = queue_settings(latter, is_for_service_jobs=is_for_service_jobs)
        context.tx.job_queues.update(replace(queue, settings=settings))
    elif kind == "job":
        _change_job(context, name, former, latter)


def _change_job(context: Context, job_id: str, former: Mapping[str, str], latter: Mapping[str, str]) -> None:
    if former.get(AFTER) != latter.get(AFTER):
        raise refusals.batchyard_tag_fixed(AFTER)
    row = context.tx.jobs.find(job_id)
    assert row is not None
    limit = max_parallel(latter, row.array_size)
    if row.children is not None and not row.job.status.is_terminal:
        changes = Changes(context.tx, context.now, context.terms)
        changes.limit_parallel(row.seq, limit)
        changes.save()


def _taggable(context: Context, arn: str) -> str:
    """The tail of an ARN that exists and may bear tags: not that of an array child or of a node."""
    tail = tail_of(arn)
    if tail is None:
        raise refusals.resource_not_taggable(arn)
    kind, _, name = tail.partition("/")
    if kind == "job" and (":" in name or "#" in name):
        raise refusals.resource_not_taggable(arn)
    if kind == "job-definition" and ":" not in name:
        raise refusals.resource_not_taggable(arn)
    if not context.tx.tags.resource_exists(tail):
        raise refusals.resource_not_found(arn)
    return tail
