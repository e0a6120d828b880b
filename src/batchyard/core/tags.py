"""Tags: at most 50 on a resource, keys of 1 to 128 characters, values of up to 256, no `aws:` keys (F 2.4, 8.10).

Those that begin with `batchyard:` are settings (core.batchyard_tags), so they must be ones that the resource can have.
"""

from collections.abc import Mapping

from batchyard.core import quotas, refusals
from batchyard.core.batchyard_tags import check_known


def merge_tags(present: Mapping[str, str], given: Mapping[str, str], kind: str) -> dict[str, str]:
    """The tags that a resource bears after `given` are added to those `present`; `kind` is as in its ARN (`job`).

    Raises Refusal for a key or value out of bounds, for a key that starts with `aws:`, for one that starts with
    `batchyard:` and means nothing on this kind of resource, or for more than 50 in all.
    """
    check_known(given, kind)
    for key, value in given.items():
        if not 1 <= len(key) <= 128:
            raise refusals.tag_key_invalid(key)
        if key.lower().startswith("aws:"):
            raise refusals.tag_key_reserved(key)
        if len(value) > 256:
            raise refusals.tag_value_too_long(key)
    merged = {**present, **given}
    if len(merged) > quotas.TAGS_PER_RESOURCE:
        raise refusals.too_many_tags()
    return merged


def new_tags(given: Mapping[str, str] | None, kind: str) -> dict[str, str]:
    """The tags of a resource that is being made; None and {} mean none. Raises Refusal as `merge_tags`."""
    return merge_tags({}, given, kind) if given else {}
