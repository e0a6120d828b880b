"""What a scheduling policy may say (F 8.4; API Reference, CreateSchedulingPolicy and FairsharePolicy)."""

from collections.abc import Mapping, Sequence
from typing import Any

from batchyard.core import quotas, refusals
from batchyard.core.names import is_resource_name, is_share_identifier
from batchyard.core.resources import Document

FAIRSHARE = "fairsharePolicy"
QUOTA_SHARE = "quotaSharePolicy"

_DECAY_SECONDS_MAX = 604_800
_COMPUTE_RESERVATION_MAX = 99
_WEIGHT_MIN, _WEIGHT_MAX = 0.0001, 999.9999


def check_policy_name(name: str) -> None:
    """Raises Refusal for a name that does not fit the pattern."""
    if not is_resource_name(name):
        raise refusals.scheduling_policy_name_invalid()


def policy_document(request: Mapping[str, Any]) -> dict[str, Any]:
    """The policy of a CreateSchedulingPolicy request as describe calls echo it; one that says nothing is fair share
    with nothing chosen. Raises Refusal."""
    if request.get(FAIRSHARE) is not None and request.get(QUOTA_SHARE) is not None:
        raise refusals.two_kinds_of_policy()
    if (quota_share := request.get(QUOTA_SHARE)) is not None:
        return {QUOTA_SHARE: dict(quota_share)}
    return {FAIRSHARE: _fairshare(request.get(FAIRSHARE) or {})}


def updated_policy_document(document: Document, request: Mapping[str, Any]) -> dict[str, Any]:
    """The policy after an UpdateSchedulingPolicy request: what is given replaces the whole policy.

    Raises Refusal, also for a request that would change the policy's kind.
    """
    if request.get(FAIRSHARE) is None and request.get(QUOTA_SHARE) is None:
        return dict(document)
    changed = policy_document(request)
    if changed.keys() != document.keys():
        raise refusals.policy_kind_fixed()
    return changed


def _fairshare(policy: Mapping[str, Any]) -> dict[str, Any]:
    if not 0 <= policy.get("shareDecaySeconds", 0) <= _DECAY_SECONDS_MAX:
        raise refusals.share_decay_out_of_range()
    if not 0 <= policy.get("computeReservation", 0) <= _COMPUTE_RESERVATION_MAX:
        raise refusals.compute_reservation_out_of_range()
    return {**policy, "shareDistribution": _distribution(policy.get("shareDistribution") or ())}


def _distribution(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if len(entries) > quotas.SHARES_PER_POLICY:
        raise refusals.too_many_shares(quotas.SHARES_PER_POLICY)
    identifiers = [entry["shareIdentifier"] for entry in entries]
    for identifier in identifiers:
        if not is_share_identifier(identifier.removesuffix("*")):
            raise refusals.share_identifier_invalid()
    if len(set(identifiers)) < len(identifiers):
        raise refusals.duplicate_shares()
    _check_overlap(identifiers)
    shares = [{"shareIdentifier": e["shareIdentifier"], "weightFactor": e.get("weightFactor", 1.0)} for e in entries]
    if not all(_WEIGHT_MIN <= share["weightFactor"] <= _WEIGHT_MAX for share in shares):
        raise refusals.weight_factor_out_of_range()
    return shares


def _check_overlap(identifiers: Sequence[str]) -> None:
    """No prefix (`name*`) may cover another entry. Sorted by what they begin with, such a pair has the prefix first."""
    covering: str | None = None
    for identifier in sorted(identifiers, key=lambda i: (i.removesuffix("*"), not i.endswith("*"))):
        if covering is not None and identifier.startswith(covering[:-1]):
            raise refusals.shares_overlap(identifier, covering)
        if identifier.endswith("*"):
            covering = identifier
