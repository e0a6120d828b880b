"""Every member of a job definition: DescribeJobDefinitions shows it again, whether it counts here or not."""

from collections.abc import Iterator
from typing import Any

import pytest

from batchyard.wire import model
from batchyard.wire.validation import validate
from tests.api.conftest import Yard

REGISTER = model.batch().operations["RegisterJobDefinition"]
WHOLE = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
NEEDS = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]

VALUES: dict[str, Any] = {
    "ContainerProperties.vcpus": 1,
    "ContainerProperties.memory": 64,
    "ContainerProperties.resourceRequirements": [{"type": "GPU", "value": "1"}],
    "TaskContainerProperties.resourceRequirements": WHOLE,
    "TaskContainerProperties.dependsOn": [],
    "TaskContainerProperties.startTimeout": 2,
    "TaskContainerProperties.user": "root",
    "MountPoint.sourceVolume": "host",
    "Volume.name": "host",
    "Ulimit.name": "nofile",
    "LinuxParameters.swappiness": 50,
    "EphemeralStorage.sizeInGiB": 30,
    "EFSVolumeConfiguration.rootDirectory": "/",
    "EFSVolumeConfiguration.transitEncryption": "ENABLED",
    "RetryStrategy.attempts": 2,
    "EvaluateOnExit.onExitCode": "1*",
    "EvaluateOnExit.action": "exit",
    "EcsTaskProperties.ipcMode": "host",
    "EcsTaskProperties.pidMode": "host",
    "EksContainerResourceRequirements.limits": {"cpu": "1", "memory": "64Mi"},
    "EksContainerResourceRequirements.requests": {"cpu": "0.5", "memory": "64Mi"},
    "EksMetadata.namespace": "jobs",
    "ConsumableResourceRequirement.consumableResource": "scarce",
    "NodeProperties.numNodes": 1,
    "NodeProperties.mainNode": 0,
    "NodeRangeProperty.targetNodes": "0:",
    "RegisterJobDefinitionRequest.platformCapabilities": ["EC2"],
}
"""What has rules of its own; all else is any value of its type."""

LEFT_OUT = {
    "ContainerProperties.networkConfiguration",
    "ContainerProperties.fargatePlatformConfiguration",
    "EcsTaskProperties.networkConfiguration",
    "NodeRangeProperty.ecsProperties",
    "NodeRangeProperty.eksProperties",
    "NodeRangeProperty.instanceTypes",
}
"""What cannot stand beside its neighbours, and stands in a definition of its own below."""

BLOCKS = ("containerProperties", "ecsProperties", "eksProperties", "nodeProperties")


def filled(shape: Any, place: str = "") -> Any:
    """A value with every member, but for those that are left out."""
    if place in VALUES:
        return VALUES[place]
    match shape.type_name:
        case "structure":
            places = {name: f"{shape.name}.{name}" for name in shape.members}
            return {n: filled(shape.members[n], at) for n, at in places.items() if at not in LEFT_OUT}
        case "list" if shape.member.name == "Volume":
            kinds = ("host", "efsVolumeConfiguration", "s3filesVolumeConfiguration")
            return [{"name": kind, kind: filled(shape.member.members[kind])} for kind in kinds]
        case "list":
            return [filled(shape.member)]
        case "map":
            return {"key": filled(shape.value)}
        case "string":
            return shape.enum[0] if shape.enum else "text"
        case "boolean":
            return True
    return 60


def definition(block: str) -> dict[str, Any]:
    """A definition with every member that may stand beside this block of properties."""
    members = filled(REGISTER.input)
    without = {*BLOCKS} - {block}
    if block == "eksProperties":
        without |= {"platformCapabilities", "propagateTags"}
    kind = "multinode" if block == "nodeProperties" else "container"
    return {name: value for name, value in members.items() if name not in without} | {"type": kind}


def fargate() -> dict[str, Any]:
    container = {
        "image": "busybox",
        "executionRoleArn": "role",
        "resourceRequirements": NEEDS,
        "networkConfiguration": {"assignPublicIp": "ENABLED"},
        "fargatePlatformConfiguration": {"platformVersion": "1.4.0"},
    }
    return {
        "jobDefinitionName": "a",
        "type": "container",
        "platformCapabilities": ["FARGATE"],
        "containerProperties": container,
    }


def nodes_of(block: str) -> dict[str, Any]:
    members = definition("nodeProperties")
    inner = definition(block)[block]
    types = {"instanceTypes": ["a"]} if block == "ecsProperties" else {}
    ranges = [{"targetNodes": ":", block: inner, **types}]
    return {**members, "nodeProperties": {**members["nodeProperties"], "nodeRangeProperties": ranges}}


def task_with_a_network() -> dict[str, Any]:
    members = definition("ecsProperties")
    (task,) = members["ecsProperties"]["taskProperties"]
    first = task["containers"][0]
    second = {**first, "name": "second", "dependsOn": [{"containerName": first["name"], "condition": "START"}]}
    network = {"networkConfiguration": {"assignPublicIp": "ENABLED"}}
    return {**members, "ecsProperties": {"taskProperties": [{**task, **network, "containers": [first, second]}]}}


DEFINITIONS = {
    **{block: definition(block) for block in BLOCKS},
    "on Fargate": fargate(),
    "nodes of tasks": nodes_of("ecsProperties"),
    "nodes of pods": nodes_of("eksProperties"),
    "two containers": task_with_a_network(),
}


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_what_was_given_is_shown(yard: Yard, kind: str) -> None:
    yard.call("CreateConsumableResource", consumableResourceName="scarce", totalQuantity=100)
    given = DEFINITIONS[kind]
    assert validate(REGISTER, dict(given)) == given, "a member has a wrong type"
    arn = yard.call("RegisterJobDefinition", given)["jobDefinitionArn"]
    (shown,) = yard.call("DescribeJobDefinitions", jobDefinitions=[arn])["jobDefinitions"]
    assert list(_lost(given, shown, "")) == []


def _lost(given: Any, shown: Any, place: str) -> Iterator[str]:
    """The places whose value is not shown as it was given."""
    if isinstance(given, dict) and isinstance(shown, dict):
        for name, value in given.items():
            yield from _lost(value, shown.get(name), f"{place}.{name}")
    elif isinstance(given, list) and isinstance(shown, list) and len(given) == len(shown):
        for index, (one, other) in enumerate(zip(given, shown, strict=True)):
            yield from _lost(one, other, f"{place}[{index}]")
    elif given != shown:
        yield f"{place}: {given!r} is shown as {shown!r}"


def test_every_member_is_given_somewhere() -> None:
    wanted: dict[str, set[str]] = {}
    _members(REGISTER.input, wanted)
    given: dict[str, set[str]] = {name: set() for name in wanted}
    for each in DEFINITIONS.values():
        _given(REGISTER.input, each, given)
    assert {name: missing for name in wanted if (missing := wanted[name] - given[name])} == {}


def _members(shape: Any, found: dict[str, set[str]]) -> None:
    match shape.type_name:
        case "structure":
            found[shape.name] = set(shape.members)
            for member in shape.members.values():
                _members(member, found)
        case "list":
            _members(shape.member, found)


def _given(shape: Any, value: Any, found: dict[str, set[str]]) -> None:
    match shape.type_name:
        case "structure":
            found[shape.name] |= value.keys()
            for name, each in value.items():
                _given(shape.members[name], each, found)
        case "list":
            for each in value:
                _given(shape.member, each, found)
