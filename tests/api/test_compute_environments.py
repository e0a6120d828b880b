"""Compute environments through their operations."""

from dataclasses import replace
from typing import Any

import pytest

from tests.api.conftest import EC2, FARGATE, Yard

ARN = "arn:aws:batch:eu-central-1:123456789012:compute-environment/machine"


def described(yard: Yard, name: str = "machine") -> dict[str, Any]:
    (detail,) = yard.call("DescribeComputeEnvironments", computeEnvironments=[name])["computeEnvironments"]
    return dict(detail)


def test_created_ones_are_valid_at_once(yard: Yard) -> None:
    assert yard.environment(tags={"team": "a"}, serviceRole="role") == ARN
    detail = described(yard)
    identifier = detail.pop("uuid")
    assert len(identifier) == 36
    assert detail == {
        "computeEnvironmentName": "machine",
        "computeEnvironmentArn": ARN,
        "type": "MANAGED",
        "state": "ENABLED",
        "status": "VALID",
        "statusReason": "ComputeEnvironment Healthy",
        "computeResources": EC2,
        "serviceRole": "role",
        "containerOrchestrationType": "ECS",
        "ecsClusterArn": f"arn:aws:ecs:eu-central-1:123456789012:cluster/AWSBatch-machine-{identifier}",
        "tags": {"team": "a"},
    }


def test_the_status_reason_says_what_the_executor_does_not(yard: Yard) -> None:
    yard.settings = replace(yard.settings, executor_note="images are ignored")
    yard.environment()
    assert described(yard)["statusReason"] == "ComputeEnvironment Healthy. images are ignored"


def test_what_clients_of_2017_send(yard: Yard) -> None:
    resources = {
        "type": "EC2", "minvCpus": 0, "maxvCpus": 4, "desiredvCpus": 0, "instanceTypes": ["optimal"],
        "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"], "instanceRole": "ecsInstanceRole",
    }  # fmt: skip
    yard.environment(computeResources=resources, serviceRole="role", state="ENABLED")
    assert described(yard)["computeResources"] == resources


def test_unmanaged(yard: Yard) -> None:
    yard.call("CreateComputeEnvironment", computeEnvironmentName="mine", type="UNMANAGED", unmanagedvCpus=2)
    assert described(yard, "mine")["unmanagedvCpus"] == 2


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"computeEnvironmentName": "a b"}, "Compute Environment name should match a valid pattern."),
        ({"state": "DISABLED"}, "Compute Environment must be created in ENABLED state."),
        ({"computeResources": {}}, "computeResources must be provided for a managed Compute Environment."),
        ({"unmanagedvCpus": 1}, "unmanagedvCpus is not applicable for managed Compute Environments"),
        ({"computeResources": {**EC2, "minvCpus": 5}}, "desiredvCpus should be between minvCpus and maxvCpus."),
        ({"computeResources": {**EC2, "desiredvCpus": 5}}, "desiredvCpus should be between minvCpus and maxvCpus."),
        ({"computeResources": {**EC2, "bidPercentage": 101}}, "Bid percentage must be between 0 to 100."),
        (
            {"computeResources": {**EC2, "ec2Configuration": [{"imageType": "ODD"}]}},
            "Invalid imageType in ComputeResources.ec2Configuration",
        ),
        ({"computeResources": {**FARGATE, "desiredvCpus": 1}}, "desiredvCpus is not applicable for Fargate."),
        ({"computeResources": {**FARGATE, "tags": {"a": "b"}}}, "tags is not applicable for Fargate."),
        ({"computeResources": {**FARGATE, "subnets": ["s"] * 17}}, "Fargate supports a maximum of 16 subnets."),
        ({"computeEnvironmentName": "machine"}, "Object already exists"),
    ],
)
def test_refused_at_creation(yard: Yard, members: dict[str, Any], text: str) -> None:
    yard.environment()
    request = {"computeEnvironmentName": "other", "type": "MANAGED", "computeResources": EC2, **members}
    assert yard.refusal("CreateComputeEnvironment", **request).text == text


def test_quota(yard: Yard) -> None:
    for number in range(50):
        yard.environment(f"e{number}")
    request = {"computeEnvironmentName": "one-more", "type": "MANAGED", "computeResources": EC2}
    assert "at most 50" in yard.refusal("CreateComputeEnvironment", **request).text


def test_update_changes_what_is_given(yard: Yard) -> None:
    yard.environment(computeResources={**EC2, "minvCpus": 1})
    answer = yard.call(
        "UpdateComputeEnvironment", computeEnvironment=ARN, state="DISABLED", computeResources={"maxvCpus": 8}
    )
    assert answer == {"computeEnvironmentName": "machine", "computeEnvironmentArn": ARN}
    detail = described(yard)
    assert (detail["state"], detail["status"]) == ("DISABLED", "VALID")
    assert detail["computeResources"] == {"type": "EC2", "minvCpus": 1, "maxvCpus": 8}
    with yard.database.read() as tx:
        environment = tx.compute_environments.get("machine")
    assert environment is not None
    assert environment.max_vcpus == 8


def test_update_refusals(yard: Yard) -> None:
    arn = ARN.replace("machine", "nothing")
    assert yard.refusal("UpdateComputeEnvironment", computeEnvironment="nothing").text == f"{arn} does not exist"
    yard.environment(computeResources={**EC2, "desiredvCpus": 2})
    refused = yard.refusal(
        "UpdateComputeEnvironment", computeEnvironment="machine", computeResources={"desiredvCpus": 1}
    )
    assert refused.text == "desiredvCpus can not be lowered by an update."


def test_delete_when_disabled_and_free(yard: Yard) -> None:
    yard.environment(tags={"a": "b"})
    yard.queue()
    delete = ("DeleteComputeEnvironment", {"computeEnvironment": "machine"})
    assert "DISABLED" in yard.refusal(delete[0], **delete[1]).text
    yard.call("UpdateComputeEnvironment", computeEnvironment="machine", state="DISABLED")
    assert yard.refusal(delete[0], **delete[1]).text == "Cannot delete, found existing JobQueue relationship"
    yard.environment("other")
    order = [{"order": 1, "computeEnvironment": "other"}]
    yard.call("UpdateJobQueue", jobQueue="default", computeEnvironmentOrder=order)
    assert yard.call(*delete) == {}
    assert yard.call("DescribeComputeEnvironments", computeEnvironments=["machine"]) == {"computeEnvironments": []}
    yard.environment()
    assert described(yard)["tags"] == {}, "a deleted resource takes its tags along"


def test_an_environment_made_without_eks_never_has_it(yard: Yard) -> None:
    yard.environment()
    update = {"computeEnvironment": "machine", "eksConfiguration": {"accessEntry": {"desiredState": "ENABLED"}}}
    assert "EKS" in yard.refusal("UpdateComputeEnvironment", **update).text
    eks = {"eksClusterArn": "arn:aws:eks:eu-central-1:123456789012:cluster/a", "kubernetesNamespace": "jobs"}
    yard.environment("pods", eksConfiguration=eks, computeResources={**EC2, "allocationStrategy": "BEST_FIT"})
    yard.call("UpdateComputeEnvironment", {**update, "computeEnvironment": "pods"})
    assert described(yard, "pods")["eksConfiguration"] == {**eks, **update["eksConfiguration"]}


def test_pages_of_all(yard: Yard) -> None:
    for number in range(5):
        yard.environment(f"e{number}")
    names: list[str] = []
    request: dict[str, Any] = {"maxResults": 2}
    for expected in (2, 2, 1):
        page = yard.call("DescribeComputeEnvironments", request)
        found = [detail["computeEnvironmentName"] for detail in page["computeEnvironments"]]
        assert len(found) == expected
        names += found
        request["nextToken"] = page.get("nextToken", "")
    assert names == [f"e{number}" for number in range(5)]
    assert request["nextToken"] == "", "the last page bears no token"
