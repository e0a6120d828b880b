"""What a compute environment may say (F 8.3; API Reference, ComputeResource).

On AWS a compute environment buys machines; here it is a share of the machine at hand. What matters of it is the
platform, `maxvCpus`, and its state. Everything else is checked as AWS does and echoed. Roles, subnets and instance
types may be missing: a machine of one's own needs none.
"""

from collections.abc import Mapping
from typing import Any

from batchyard.core import refusals
from batchyard.core.names import is_resource_name
from batchyard.core.resources import DISABLED, Document

MANAGED = "MANAGED"
HEALTHY = "ComputeEnvironment Healthy"

_PLATFORMS = {
    "EC2": "EC2",
    "SPOT": "EC2",
    "FARGATE": "FARGATE",
    "FARGATE_SPOT": "FARGATE",
    "ECS_MANAGED_INSTANCES": "MANAGED_INSTANCES",
}
_NOT_FOR_FARGATE = (
    "minvCpus", "desiredvCpus", "allocationStrategy", "instanceTypes", "imageId", "ec2KeyPair", "instanceRole", "tags",
    "placementGroup", "bidPercentage", "spotIamFleetRole", "launchTemplate", "ec2Configuration",
)  # fmt: skip
_IMAGE_TYPES = frozenset(
    f"{orchestration}_{system}{variant}"
    for orchestration in ("ECS", "EKS")
    for system in ("AL1", "AL2", "AL2023")
    for variant in ("", "_NVIDIA")
)
_FARGATE_SUBNETS, _FARGATE_SECURITY_GROUPS = 16, 5
_EC2_CONFIGURATIONS = 2
_LAUNCH_TEMPLATE_OVERRIDES = 10
_LONGEST_UPDATE_TIMEOUT_MINUTES, _USUAL_UPDATE_TIMEOUT_MINUTES = 7200, 30
_INFRASTRUCTURE = (
    "subnets", "securityGroupIds", "allocationStrategy", "instanceTypes", "ec2KeyPair", "instanceRole", "tags",
    "placementGroup", "bidPercentage", "launchTemplate", "ec2Configuration", "updateToLatestImageVersion", "type",
    "imageId",
)  # fmt: skip
"""Members of computeResources whose change replaces the instances (API Reference, ComputeResourceUpdate; User Guide,
Infrastructure updates)."""
_DOCUMENT_MEMBERS = ("serviceRole", "unmanagedvCpus", "computeResources", "eksConfiguration", "context", "ecsSettings")


def compute_environment_document(request: Mapping[str, Any]) -> dict[str, Any]:
    """The `document` of a new compute environment, from a CreateComputeEnvironment request. Raises Refusal."""
    if not is_resource_name(request["computeEnvironmentName"]):
        raise refusals.compute_environment_name_invalid()
    if request.get("state") == DISABLED:
        raise refusals.must_be_created_enabled()
    document = {member: request[member] for member in _DOCUMENT_MEMBERS if member in request}
    _check(request["type"], document)
    document["containerOrchestrationType"] = "EKS" if request.get("eksConfiguration") else "ECS"
    return document


def updated_document(environment_type: str, document: Document, request: Mapping[str, Any]) -> dict[str, Any]:
    """The `document` after an UpdateComputeEnvironment: members of computeResources are replaced one by one.

    Raises Refusal.
    """
    updated = dict(document)
    for member in ("serviceRole", "unmanagedvCpus", "context", "ecsSettings", "updatePolicy"):
        if member in request:
            updated[member] = request[member]
    if given := request.get("eksConfiguration"):
        if not document.get("eksConfiguration"):
            raise refusals.eks_configuration_on_ecs()
        updated["eksConfiguration"] = {**document["eksConfiguration"], **given}
    if given := request.get("computeResources"):
        present = document.get("computeResources") or {}
        updated["computeResources"] = {**present, **given}
        _check_change(present, updated["computeResources"])
    _check(environment_type, updated)
    minutes = (updated.get("updatePolicy") or {}).get("jobExecutionTimeoutMinutes")
    if minutes is not None and not 1 <= minutes <= _LONGEST_UPDATE_TIMEOUT_MINUTES:
        raise refusals.job_execution_timeout_out_of_range()
    return updated


def is_infrastructure_update(before: Document, after: Document) -> bool:
    """Whether an update replaces the instances; all others, such as of maxvCpus or state, only scale."""
    former, latter = before.get("computeResources") or {}, after.get("computeResources") or {}
    return any(former.get(member) != latter.get(member) for member in _INFRASTRUCTURE)


def job_execution_timeout_minutes(document: Document) -> int:
    """How long jobs may go on when the infrastructure under them is updated; 0 if they are terminated at once."""
    policy = document.get("updatePolicy") or {}
    if policy.get("terminateJobsOnUpdate"):
        return 0
    return int(policy.get("jobExecutionTimeoutMinutes") or _USUAL_UPDATE_TIMEOUT_MINUTES)


def platform_of(environment_type: str, document: Document) -> str:
    """The platform capability of its jobs; an UNMANAGED one is EC2."""
    if environment_type != MANAGED:
        return "EC2"
    return _PLATFORMS[document["computeResources"]["type"]]


def max_vcpus_of(environment_type: str, document: Document) -> float | None:
    """How many vCPUs its jobs may hold together; None for an UNMANAGED one that does not say."""
    if environment_type != MANAGED:
        return document.get("unmanagedvCpus")
    return float(document["computeResources"]["maxvCpus"])


def _check(environment_type: str, document: Document) -> None:
    resources = document.get("computeResources")
    if environment_type != MANAGED:
        if resources:
            raise refusals.compute_resources_unmanaged()
        if document.get("unmanagedvCpus", 0) < 0:
            raise refusals.vcpus_negative("unmanagedvCpus")
        return
    if document.get("unmanagedvCpus") is not None:
        raise refusals.unmanaged_vcpus_on_managed()
    if not resources:
        raise refusals.compute_resources_missing()
    _check_vcpus(resources)
    if _PLATFORMS[resources["type"]] == "FARGATE":
        _check_fargate(resources)
    else:
        _check_ec2(resources)
    if document.get("eksConfiguration") and not resources.get("allocationStrategy"):
        raise refusals.allocation_strategy_required_for_eks()


def _check_vcpus(resources: Mapping[str, Any]) -> None:
    for member in ("minvCpus", "maxvCpus", "desiredvCpus"):
        if resources.get(member, 0) < 0:
            raise refusals.vcpus_negative(member)
    least, most = resources.get("minvCpus", 0), resources["maxvCpus"]
    if not least <= resources.get("desiredvCpus", least) <= most:
        raise refusals.desired_vcpus_out_of_range()


def _check_fargate(resources: Mapping[str, Any]) -> None:
    for member in _NOT_FOR_FARGATE:
        if resources.get(member) not in (None, "", [], {}):
            raise refusals.not_applicable_for_fargate(member)
    if len(resources.get("subnets") or ()) > _FARGATE_SUBNETS:
        raise refusals.too_many_subnets()
    if len(resources.get("securityGroupIds") or ()) > _FARGATE_SECURITY_GROUPS:
        raise refusals.too_many_security_groups()


def _check_ec2(resources: Mapping[str, Any]) -> None:
    if not 0 <= resources.get("bidPercentage", 0) <= 100:
        raise refusals.bid_percentage_out_of_range()
    configurations = resources.get("ec2Configuration") or ()
    if len(configurations) > _EC2_CONFIGURATIONS:
        raise refusals.too_many_ec2_configurations()
    if any(configuration["imageType"] not in _IMAGE_TYPES for configuration in configurations):
        raise refusals.image_type_invalid()
    if template := resources.get("launchTemplate"):
        _check_launch_template(template)


def _check_launch_template(template: Mapping[str, Any]) -> None:
    overrides = template.get("overrides") or ()
    if bool(template.get("launchTemplateId")) == bool(template.get("launchTemplateName")):
        raise refusals.launch_template_ambiguous()
    if len(overrides) > _LAUNCH_TEMPLATE_OVERRIDES:
        raise refusals.too_many_launch_template_overrides()
    if not all(override.get("targetInstanceTypes") for override in overrides):
        raise refusals.launch_template_override_without_types()


def _check_change(present: Mapping[str, Any], updated: Mapping[str, Any]) -> None:
    if not present:
        return
    before, after = _PLATFORMS[present["type"]], _PLATFORMS[updated["type"]]
    if before != after:
        if "MANAGED_INSTANCES" in (before, after):
            raise refusals.managed_instances_type_fixed()
        raise refusals.platform_fixed()
    if updated.get("desiredvCpus", 0) < present.get("desiredvCpus", 0):
        raise refusals.desired_vcpus_lowered()
