"""Tags that Batchyard reads: what AWS Batch has no member for, said so that AWS accepts and ignores it.

A tag whose key begins with `batchyard:` is a setting. An unknown one, or one with a value that means nothing, is
refused with a sentence that names what is valid, since a setting that is misspelt must not be lost in silence.
"""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum

from batchyard.core import quotas, refusals
from batchyard.core.resources import NO_SETTINGS, QueueSettings

PREFIX = "batchyard:"

MAX_PARALLEL = "batchyard:max-parallel"
AFTER = "batchyard:after"
RETRY_OF = "batchyard:retry-of"
BACKFILL = "batchyard:backfill"
DEFAULT_TIMEOUT = "batchyard:default-timeout-seconds"
DEFAULT_ATTEMPTS = "batchyard:default-attempts"

KNOWN: Mapping[str, tuple[str, ...]] = {
    "job": (AFTER, MAX_PARALLEL, RETRY_OF),
    "job-queue": (BACKFILL, DEFAULT_ATTEMPTS, DEFAULT_TIMEOUT),
}
"""The keys that a kind of resource may bear; every other kind may bear none."""

_SHORTEST_ATTEMPT_SECONDS = 60
_LARGEST = (1 << 31) - 1


class After(StrEnum):
    """What the plain dependencies of a job must have come to before it runs."""

    SUCCESS = "success"
    ANY = "any"
    FAILURE = "failure"


def settings_among(tags: Mapping[str, str]) -> dict[str, str]:
    """Those of these tags that Batchyard reads."""
    return {key: value for key, value in tags.items() if key.startswith(PREFIX)}


def check_known(keys: Collection[str], kind: str) -> None:
    """Raises Refusal for a `batchyard:` tag, in any case, that this kind of resource cannot bear."""
    known = KNOWN.get(kind, ())
    for key in keys:
        if key.lower().startswith(PREFIX) and key not in known:
            raise refusals.batchyard_tag_unknown(key, kind, known)


def max_parallel(tags: Mapping[str, str], array_size: int | None) -> int | None:
    """How many children of an array may be placed at once; None for any number. Raises Refusal for another value than
    a positive integer, and on a job that is no array."""
    if MAX_PARALLEL not in tags:
        return None
    if array_size is None:
        raise refusals.batchyard_tag_needs(MAX_PARALLEL, "an array job")
    return _integer(tags, MAX_PARALLEL, 1, _LARGEST)


def after(tags: Mapping[str, str], *, has_plain_dependency: bool) -> After:
    """When a job runs. Raises Refusal for a value that is none of them, and on a job that waits for nobody."""
    if AFTER not in tags:
        return After.SUCCESS
    if tags[AFTER] not in tuple(After):
        raise refusals.batchyard_tag_invalid(AFTER, tags[AFTER], "success, any or failure")
    if not has_plain_dependency:
        raise refusals.batchyard_tag_needs(AFTER, "an entry of dependsOn without a type")
    return After(tags[AFTER])


def queue_settings(tags: Mapping[str, str], *, is_for_service_jobs: bool = False) -> QueueSettings:
    """What the tags of a queue say. Raises Refusal for a value that means nothing, and for any of them on a queue of
    service jobs."""
    own = settings_among(tags)
    if not own:
        return NO_SETTINGS
    if is_for_service_jobs:
        raise refusals.batchyard_tag_needs(next(iter(own)), "a job queue with compute environments")
    backfill = own.get(BACKFILL, "false")
    if backfill not in ("true", "false"):
        raise refusals.batchyard_tag_invalid(BACKFILL, backfill, "true or false")
    return QueueSettings(
        backfill == "true",
        _integer(own, DEFAULT_TIMEOUT, _SHORTEST_ATTEMPT_SECONDS, _LARGEST),
        _integer(own, DEFAULT_ATTEMPTS, 1, quotas.RETRY_ATTEMPTS),
    )


def _integer(tags: Mapping[str, str], key: str, least: int, most: int) -> int | None:
    value = tags.get(key)
    if value is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,9}", value) or not least <= int(value) <= most:
        raise refusals.batchyard_tag_invalid(key, value, f"an integer from {least} to {most}")
    return int(value)
