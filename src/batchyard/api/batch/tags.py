"""TagResource, UntagResource, ListTagsForResource: one store of tags, which describe calls show as well."""

from typing import Any

from batchyard.api.context import Context
from batchyard.api.references import tail_of
from batchyard.core import refusals
from batchyard.core.tags import merge_tags


def tag_resource(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Add tags, over those of the same keys."""
    resource = _taggable(context, request["resourceArn"])
    tags = request["tags"]
    merge_tags(context.tx.tags.get(resource), tags)
    context.tx.tags.put(resource, tags)
    return {}


def untag_resource(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Remove tags by key; keys that are not there do not matter."""
    context.tx.tags.remove(_taggable(context, request["resourceArn"]), request["tagKeys"])
    return {}


def list_tags_for_resource(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The tags of a resource."""
    return {"tags": context.tx.tags.get(_taggable(context, request["resourceArn"]))}


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
