"""What a caller calls a thing: its name or its ARN, of any account and region, since one yard serves them all."""

import re

from batchyard.core import refusals
from batchyard.core.names import is_resource_name
from batchyard.core.resources import ComputeEnvironment, ConsumableResource, Document, JobDefinition, JobQueue, Record
from batchyard.store.transaction import Transaction

_ARN = re.compile(r"arn:[a-z0-9-]+:batch:[a-z0-9-]*:[0-9]*:(?P<tail>[a-z-]+/.+)", re.DOTALL)
_REVISION = re.compile(r"[0-9]{1,9}")


def tail_of(arn: str) -> str | None:
    """`job-queue/default` of a Batch ARN; None for anything else."""
    match = _ARN.fullmatch(arn)
    return None if match is None else match["tail"]


def name_of(reference: str, kind: str) -> str:
    """The name in a name or an ARN of this kind (`job-queue`). Raises Refusal for a reference of another kind."""
    name = reference
    if (tail := tail_of(reference)) is not None:
        found, _, name = tail.partition("/")
        if found != kind:
            raise refusals.provided_name_not_supported(reference)
    if not is_resource_name(name):
        raise refusals.provided_name_not_supported(reference)
    return name


def definition_reference(reference: str) -> tuple[str, int | None]:
    """Name and revision of a definition, from `name`, `name:revision` or an ARN with or without a revision.

    Raises Refusal for a reference of another kind or with a revision that is no number.
    """
    text = reference
    if (tail := tail_of(reference)) is not None:
        found, _, text = tail.partition("/")
        if found != "job-definition":
            raise refusals.provided_name_not_supported(reference)
    name, colon, revision = text.partition(":")
    if not is_resource_name(name) or (colon and not _REVISION.fullmatch(revision)):
        raise refusals.provided_name_not_supported(reference)
    return name, int(revision) if colon else None


def find_job_queue(tx: Transaction, reference: str) -> JobQueue | None:
    """The queue of a name or ARN. Raises Refusal for a reference of another kind."""
    return tx.job_queues.get(name_of(reference, "job-queue"))


def find_compute_environment(tx: Transaction, reference: str) -> ComputeEnvironment | None:
    """The compute environment of a name or ARN. Raises Refusal for a reference of another kind."""
    return tx.compute_environments.get(name_of(reference, "compute-environment"))


def find_job_definition(tx: Transaction, reference: str) -> JobDefinition | None:
    """The revision that is named, whatever its status, or the newest ACTIVE one. Raises Refusal as above."""
    name, revision = definition_reference(reference)
    if revision is None:
        return tx.job_definitions.newest_active(name)
    return tx.job_definitions.get(name, revision)


def find_scheduling_policy(tx: Transaction, arn: str) -> Record | None:
    """The policy of an ARN; None for whatever is no ARN of a policy, since policies have no other reference."""
    kind, _, name = (tail_of(arn) or "").partition("/")
    return tx.scheduling_policies.get(name) if kind == "scheduling-policy" else None


def find_service_environment(tx: Transaction, reference: str) -> Record | None:
    """The service environment of a name or ARN. Raises Refusal for a reference of another kind."""
    return tx.service_environments.get(name_of(reference, "service-environment"))


def find_quota_share(tx: Transaction, arn: str) -> Record | None:
    """The quota share of an ARN; None for whatever is no ARN of one, since they have no other reference."""
    kind, _, name = (tail_of(arn) or "").partition("/")
    return tx.quota_shares.get(name) if kind == "quota-share" else None


def find_consumable_resource(tx: Transaction, reference: str) -> ConsumableResource | None:
    """The consumable resource of a name or ARN. Raises Refusal for a reference of another kind."""
    return tx.consumable_resources.get(name_of(reference, "consumable-resource"))


def consumable_needs(tx: Transaction, properties: Document | None) -> dict[str, int]:
    """What consumableResourceProperties ask for, by the name of the resource.

    Raises Refusal for a resource that does not exist, and for one that is listed by its name and by its ARN.
    """
    needs: dict[str, int] = {}
    for entry in (properties or {}).get("consumableResourceList", ()):
        reference = entry["consumableResource"]
        name = name_of(reference, "consumable-resource")
        if name in needs:
            raise refusals.duplicate_consumable_resource()
        if not tx.consumable_resources.exists(name):
            raise refusals.consumable_resource_not_found(reference)
        needs[name] = entry["quantity"]
    return needs
