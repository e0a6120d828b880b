"""What RegisterJobDefinition accepts, refuses and echoes."""

from typing import Any

import pytest

from batchyard.core.job_definitions import job_definition_document
from batchyard.core.refusals import Refusal

CONTAINER: dict[str, Any] = {"image": "busybox", "vcpus": 1, "memory": 64}
FARGATE: dict[str, Any] = {
    "image": "busybox",
    "executionRoleArn": "arn:aws:iam::123456789012:role/r",
    "resourceRequirements": [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}],
}


def register(container: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    request = {"jobDefinitionName": "sleep", "type": "container", **members}
    if container is not None:
        request["containerProperties"] = container
    return job_definition_document(request)


def refusal(container: dict[str, Any] | None = None, **members: Any) -> str:
    with pytest.raises(Refusal) as caught:
        register(container, **members)
    assert caught.value.code == "ClientException"
    assert caught.value.wrapped, "what the body alone shows is of the static family"
    return caught.value.text


def without(given: dict[str, Any], *members: str) -> dict[str, Any]:
    return {member: value for member, value in given.items() if member not in members}


def test_echo_fills_in_what_aws_fills_in() -> None:
    assert register(CONTAINER) == {
        "parameters": {},
        "containerProperties": {
            "image": "busybox",
            "vcpus": 1,
            "memory": 64,
            "command": [],
            "environment": [],
            "mountPoints": [],
            "resourceRequirements": [],
            "secrets": [],
            "ulimits": [],
            "volumes": [],
        },
        "containerOrchestrationType": "ECS",
    }


def test_echo_of_nested_members() -> None:
    echoed = register(
        {
            **CONTAINER,
            "environment": [{"name": "A", "value": "1"}, {"name": "EMPTY", "value": ""}, {"name": "NONE"}],
            "logConfiguration": {"logDriver": "awslogs"},
            "linuxParameters": {"initProcessEnabled": True, "devices": [{"hostPath": "/dev/fuse"}]},
        }
    )["containerProperties"]
    assert echoed["environment"] == [{"name": "A", "value": "1"}]
    assert echoed["logConfiguration"] == {"logDriver": "awslogs", "options": {}, "secretOptions": []}
    assert echoed["linuxParameters"] == {
        "initProcessEnabled": True,
        "devices": [{"hostPath": "/dev/fuse", "permissions": []}],
        "tmpfs": [],
    }


def test_echo_of_the_definition_level() -> None:
    document = register(
        CONTAINER,
        parameters={"codec": "mp4"},
        retryStrategy={"attempts": 3, "evaluateOnExit": [{"onExitCode": "1*", "action": "RETRY"}]},
        timeout={"attemptDurationSeconds": 60},
        schedulingPriority=9999,
        platformCapabilities=["EC2"],
        propagateTags=False,
    )
    assert document["parameters"] == {"codec": "mp4"}
    assert document["retryStrategy"] == {
        "attempts": 3,
        "evaluateOnExit": [{"onExitCode": "1*", "action": "retry"}],
    }
    assert document["timeout"] == {"attemptDurationSeconds": 60}
    assert document["platformCapabilities"] == ["EC2"]
    assert document["propagateTags"] is False


def test_retry_strategy_without_evaluate_on_exit_echoes_an_empty_list() -> None:
    assert register(CONTAINER, retryStrategy={"attempts": 1})["retryStrategy"] == {"attempts": 1, "evaluateOnExit": []}


@pytest.mark.parametrize("member", ["parameters", "timeout", "platformCapabilities"])
def test_empty_members_count_as_absent(member: str) -> None:
    empty: Any = [] if member == "platformCapabilities" else {}
    assert register(CONTAINER, **{member: empty}) == register(CONTAINER)


@pytest.mark.parametrize(
    ("container", "text"),
    [
        (without(CONTAINER, "image"), "ECS Container Image must be provided."),
        (without(CONTAINER, "vcpus"), "vCPU is required."),
        (without(CONTAINER, "memory"), "Memory is required."),
        ({**CONTAINER, "vcpus": 0}, "vCPU must be at least 1, got 0."),
        ({**CONTAINER, "memory": 3}, "Memory must be at least 4 MiB, got 3."),
        (
            {**CONTAINER, "resourceRequirements": [{"type": "VCPU", "value": "1"}]},
            "vcpus and VCPU in resourceRequirements cannot both be specified.",
        ),
        (
            {**CONTAINER, "resourceRequirements": [{"type": "GPU", "value": "1"}] * 2},
            "Cannot provide duplicates in resourceRequirements.",
        ),
        (
            {**CONTAINER, "resourceRequirements": [{"type": "GPU", "value": "one"}]},
            "Value one for type GPU in resourceRequirement is not valid. Please provide a numeric value.",
        ),
        ({**CONTAINER, "environment": [{"value": "1"}]}, "Environment variable name is required."),
        ({**CONTAINER, "user": "Bad User"}, "User 'Bad User' does not match regex"),
        (
            {**CONTAINER, "linuxParameters": {"maxSwap": -1}},
            "Invalid swap memory size: -1, must be non-negative.",
        ),
        (
            {**CONTAINER, "linuxParameters": {"swappiness": 101}},
            "Invalid swappiness: 101, must be between 0 and 100.",
        ),
        (
            {
                **CONTAINER,
                "volumes": [{"name": "v", "host": {}, "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}],
            },
            "When the volume parameter is specified, only one volume configuration type should be used.",
        ),
        (
            {**CONTAINER, "networkConfiguration": {"assignPublicIp": "ENABLED"}},
            "networkConfiguration not applicable for EC2.",
        ),
        (
            {**CONTAINER, "fargatePlatformConfiguration": {"platformVersion": "LATEST"}},
            "fargatePlatformConfiguration not applicable for EC2.",
        ),
    ],
)
def test_refused_containers(container: dict[str, Any], text: str) -> None:
    assert refusal(container) == text


@pytest.mark.parametrize("value", ["1e3", "nan", "inf", " 1", "", "-1", "1.5.2", "\u0664", "9" * 40])
def test_numbers_are_plain_digits(value: str) -> None:
    requirements = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": value}]
    assert "MEMORY" in refusal({"image": "busybox", "resourceRequirements": requirements})


@pytest.mark.parametrize("name", ["AWS_BATCH_JOB_ID", "AWS_BATCHX"])
def test_reserved_variables_are_refused(name: str) -> None:
    assert name in refusal({**CONTAINER, "environment": [{"name": name, "value": "1"}]})


def test_what_no_process_can_be_given_is_refused() -> None:
    assert "NUL" in refusal({**CONTAINER, "command": ["a\0b"]})
    assert "NUL" in refusal({**CONTAINER, "environment": [{"name": "A", "value": "\0"}]})
    assert "'='" in refusal({**CONTAINER, "environment": [{"name": "A=B", "value": "1"}]})


@pytest.mark.parametrize("user", ["nobody", "1000", "1000:1000", "root:wheel", "_apt"])
def test_users(user: str) -> None:
    assert register({**CONTAINER, "user": user})["containerProperties"]["user"] == user


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"jobDefinitionName": "a b"}, "Job Definition name should match a valid pattern."),
        ({"retryStrategy": {}}, "RetryAttempts must be provided with retry strategy."),
        ({"retryStrategy": {"attempts": 0}}, "RetryAttempts must be between 1 and 10."),
        ({"retryStrategy": {"attempts": 11}}, "RetryAttempts must be between 1 and 10."),
        ({"timeout": {"attemptDurationSeconds": 59}}, "AttemptDurationSeconds in Timeout must be at least 60 seconds."),
        ({"schedulingPriority": 10000}, "Scheduling priority must be between 0 and 9999."),
        (
            {"consumableResourceProperties": {"consumableResourceList": [{"consumableResource": "a"}] * 2}},
            "Cannot have duplicate consumableResource in consumableResourceProperties",
        ),
        ({"platformCapabilities": ["MANAGED_INSTANCES"]}, "Cannot use ECS containerProperties for MANAGED_INSTANCES"),
    ],
)
def test_refused_definitions(members: dict[str, Any], text: str) -> None:
    assert refusal(CONTAINER, **members) == text


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        (
            [{"action": "RETRY"}],
            "EvaluateOnExit should contain at least one of onExitCode, onReason or onStatusReason",
        ),
        (
            [{"action": "RETRY", "onReason": "x" * 513}],
            "Evaluate on exit condition cannot exceed 512 characters.",
        ),
        ([{"action": "RETRY", "onExitCode": "1x"}], "Evaluate on exit condition contains restricted characters."),
        ([{"action": "RETRY", "onReason": "a*b"}], "Evaluate on exit condition contains restricted characters."),
        ([{"action": "RETRY", "onReason": "*"}] * 6, "EvaluateOnExit can contain at most 5 conditions."),
    ],
)
def test_refused_evaluate_on_exit(entries: list[dict[str, str]], text: str) -> None:
    assert refusal(CONTAINER, retryStrategy={"attempts": 2, "evaluateOnExit": entries}) == text


def test_evaluate_on_exit_actions_of_any_case() -> None:
    entries = [{"action": "Exit", "onStatusReason": "Host EC2*"}, {"action": "retry", "onReason": "*"}]
    echoed = register(CONTAINER, retryStrategy={"attempts": 2, "evaluateOnExit": entries})["retryStrategy"]
    assert [entry["action"] for entry in echoed["evaluateOnExit"]] == ["exit", "retry"]


# ------------------------------------------------------------------------------------------------------------- Fargate


def test_fargate_echoes_its_platform_version() -> None:
    echoed = register(FARGATE, platformCapabilities=["FARGATE"])["containerProperties"]
    assert echoed["fargatePlatformConfiguration"] == {"platformVersion": "LATEST"}


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"executionRoleArn": ""}, "executionRoleArn is required for Fargate jobs."),
        ({"ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 1}]}, "ulimits is not applicable for Fargate."),
        ({"linuxParameters": {"maxSwap": 0}}, "linuxParameter.maxSwap is not allowed for Fargate."),
        ({"linuxParameters": {"devices": [{"hostPath": "/x"}]}}, "linuxParameter.devices is not allowed for Fargate."),
        ({"logConfiguration": {"logDriver": "syslog"}}, "Log driver for Fargate is not valid: syslog"),
        (
            {"volumes": [{"name": "v", "host": {"sourcePath": "/x"}}]},
            "host.sourcePath should not be set for volumes in Fargate.",
        ),
        (
            {"ephemeralStorage": {"sizeInGiB": 20}},
            "Ephemeral storage for Fargate tasks can be only between range 21 GiB to 200 GiB",
        ),
        (
            {
                "volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}],
                "fargatePlatformConfiguration": {"platformVersion": "1.3.0"},
            },
            "EFS is supported for Fargate platform versions 1.4.0 or later, provided 1.3.0",
        ),
        (
            {"resourceRequirements": [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "4096"}]},
            "Fargate resource requirements (vCPU 0.25, memory 4096) not valid.",
        ),
        (
            {"resourceRequirements": [*FARGATE["resourceRequirements"], {"type": "GPU", "value": "1"}]},
            "GPU is not applicable for Fargate.",
        ),
    ],
)
def test_refused_on_fargate(members: dict[str, Any], text: str) -> None:
    assert refusal({**FARGATE, **members}, platformCapabilities=["FARGATE"]) == text


@pytest.mark.parametrize("version", ["\u00b2", "9" * 5000, "1.", "", "1.4.x"])
def test_a_platform_version_may_be_anything(version: str) -> None:
    members: dict[str, Any] = {
        "volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}],
        "fargatePlatformConfiguration": {"platformVersion": version},
    }
    if version:
        text = f"EFS is supported for Fargate platform versions 1.4.0 or later, provided {version}"
        assert refusal({**FARGATE, **members}, platformCapabilities=["FARGATE"]) == text
    else:
        assert register({**FARGATE, **members}, platformCapabilities=["FARGATE"])


@pytest.mark.parametrize(("vcpu", "memory"), [("0.5", "1024"), ("1", "8192"), ("16", "122880"), ("32", "249856")])
def test_fargate_pairs(vcpu: str, memory: str) -> None:
    requirements = [{"type": "VCPU", "value": vcpu}, {"type": "MEMORY", "value": memory}]
    assert register({**FARGATE, "resourceRequirements": requirements}, platformCapabilities=["FARGATE"])


# ---------------------------------------------------------------------------------------------------- property blocks


def test_one_property_block_is_needed() -> None:
    assert refusal() == "ECS Container Image must be provided."
    assert "Only one of" in refusal(CONTAINER, eksProperties={"podProperties": {}})
    assert "multinode" in refusal(CONTAINER, nodeProperties={"numNodes": 1})


def task(*containers: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"ecsProperties": {"taskProperties": [{"containers": list(containers), **members}]}}


ECS_CONTAINER: dict[str, Any] = {
    "name": "main",
    "image": "busybox",
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
}


def test_ecs_properties_echo() -> None:
    (echoed,) = register(**task(ECS_CONTAINER))["ecsProperties"]["taskProperties"]
    assert echoed["volumes"] == []
    assert echoed["containers"][0] == {
        **ECS_CONTAINER,
        "essential": True,
        "command": [],
        "dependsOn": [],
        "environment": [],
        "mountPoints": [],
        "secrets": [],
        "ulimits": [],
    }


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (task(), "Number of containers must be between 1 and 10"),
        (task({**ECS_CONTAINER, "essential": False}), "At least one container must be set as essential"),
        (
            task({**ECS_CONTAINER, "dependsOn": [{"containerName": "main", "condition": "START"}]}),
            "Container dependency can not be used in a single-container job.",
        ),
        (
            task(
                ECS_CONTAINER,
                {**ECS_CONTAINER, "name": "b", "dependsOn": [{"containerName": "main", "condition": "SUCCESS"}]},
            ),
            "The container target of a dependency can not have condition SUCCESS if the target is essential",
        ),
        (
            task(
                ECS_CONTAINER,
                {**ECS_CONTAINER, "name": "b", "dependsOn": [{"containerName": "c", "condition": "START"}]},
            ),
            "containerName c must reference a defined container.",
        ),
        (task(ECS_CONTAINER, ipcMode="odd"), "ipcMode odd is not valid. Valid values are: [host, task, none]"),
        (task(ECS_CONTAINER, pidMode="odd"), "Capability odd is not valid. Valid capabilities: [host, task]"),
    ],
)
def test_refused_ecs_properties(members: dict[str, Any], text: str) -> None:
    assert refusal(**members) == text


def pod(**container: Any) -> dict[str, Any]:
    return {"eksProperties": {"podProperties": {"containers": [{"image": "busybox", **container}]}}}


def test_eks_properties_echo() -> None:
    document = register(**pod(resources={"limits": {"cpu": "0.25", "memory": "64Mi"}}))
    assert document["containerOrchestrationType"] == "EKS"
    assert document["eksProperties"]["podProperties"]["containers"] == [
        {"name": "Default", "image": "busybox", "resources": {"limits": {"cpu": "0.25", "memory": "64Mi"}}}
    ]


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"eksProperties": {"podProperties": {}}}, "Containers must be provided for Batch on EKS jobs."),
        (pod(resources={"limits": {"disk": "1"}}), "disk is not a supported type for resources."),
        (
            pod(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
            "cpu request must be <= to cpu limit if both are provided.",
        ),
        (pod(resources={"limits": {"cpu": "0.3"}}), "cpu 0.3 is not valid. Values must be a multiple of 0.25."),
        (pod(resources={"limits": {"cpu": "\u0661"}}), "cpu \u0661 is not valid. Values must be a multiple of 0.25."),
        (
            pod(resources={"limits": {"nvidia.com/gpu": "9" * 30}}),
            f"Value {'9' * 30} for type GPU in resourceRequirement is not valid. Please provide a numeric value.",
        ),
        (
            pod(env=[{"name": "A=B", "value": "1"}]),
            "Environment variable 'A=B' is not valid: it must not contain '=' or NUL characters.",
        ),
    ],
)
def test_refused_eks_properties(members: dict[str, Any], text: str) -> None:
    assert refusal(**members) == text


def multinode(*ranges: dict[str, Any], nodes: int = 4, main: int = 0) -> dict[str, Any]:
    return {
        "type": "multinode",
        "nodeProperties": {"numNodes": nodes, "mainNode": main, "nodeRangeProperties": list(ranges)},
    }


@pytest.mark.parametrize("targets", [["0:3"], [":"], ["0:"], ["0", "1:"], [":1", "2:3"], ["0:3", "2"]], ids=" ".join)
def test_node_ranges(targets: list[str]) -> None:
    ranges = [{"targetNodes": target, "container": CONTAINER} for target in targets]
    echoed = register(**multinode(*ranges))["nodeProperties"]["nodeRangeProperties"]
    assert [node_range["targetNodes"] for node_range in echoed] == targets
    assert all(node_range["container"]["command"] == [] for node_range in echoed)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (multinode(nodes=0), "Number of nodes must be between 1 and 1000."),
        (multinode(main=4), "Main node index is out of range, must be less than numNodes."),
        (
            multinode({"targetNodes": "a:b", "container": CONTAINER}),
            "targetNodes should contain only digits.",
        ),
        (multinode({"targetNodes": "0:3"}), "Must specify container for node range 0:3"),
        (multinode({"targetNodes": "0:2", "container": CONTAINER}), "Node ranges must cover all nodes."),
        (multinode(*[{"targetNodes": ":"}] * 6), "Maximum allowed size of node range properties is 5"),
        (
            {**multinode({"targetNodes": ":", "container": CONTAINER}), "platformCapabilities": ["FARGATE"]},
            "Fargate does not support MNP jobs",
        ),
    ],
)
def test_refused_node_properties(members: dict[str, Any], text: str) -> None:
    assert refusal(**members) == text
