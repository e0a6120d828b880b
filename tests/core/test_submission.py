"""What runs when a SubmitJob's overrides meet a definition."""

from typing import Any

import msgspec
import pytest

from batchyard.core.ids import Millis
from batchyard.core.job_definitions import job_definition_document
from batchyard.core.parameters import substitute
from batchyard.core.refusals import Refusal
from batchyard.core.resources import JobDefinition
from batchyard.core.submission import ResolvedJob, check_platform, resolve

LEGACY: dict[str, Any] = {"image": "busybox", "vcpus": 2, "memory": 64}
NEW_STYLE: dict[str, Any] = {
    "image": "busybox",
    "resourceRequirements": [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "64"}],
}
POD: dict[str, Any] = {
    "name": "main",
    "image": "busybox",
    "command": ["sh"],
    "args": ["-c", "true"],
    "env": [{"name": "A", "value": "1"}],
    "resources": {"limits": {"cpu": "0.5", "memory": "64Mi"}},
}


def definition(container: dict[str, Any] | None = None, *, name: str = "sleep", **members: Any) -> JobDefinition:
    request = {"jobDefinitionName": name, "type": "container", **members}
    if container is not None:
        request["containerProperties"] = container
    document = job_definition_document(request)
    return JobDefinition(1, name, 1, "ACTIVE", request["type"], Millis(0), document)


def submit(container: dict[str, Any], **request: Any) -> ResolvedJob:
    return resolve(definition(container), request)


def refusal(container: dict[str, Any], **request: Any) -> str:
    with pytest.raises(Refusal) as caught:
        submit(container, **request)
    return caught.value.text


def test_without_overrides() -> None:
    job = submit({**LEGACY, "command": ["true"], "user": "nobody"})
    (container,) = job.containers
    assert (container.image, container.command, container.environment, container.user) == (
        "busybox",
        ("true",),
        {},
        "nobody",
    )
    assert (job.vcpus, job.memory_mib, job.gpus) == (2.0, 64, 0)
    assert (job.attempts, job.retry_strategy, job.attempt_duration_seconds) == (1, None, None)
    assert (job.containers[0].log_group, job.log_stream_prefix) == ("/aws/batch/job", "sleep")
    assert job.container == {
        "image": "busybox",
        "vcpus": 2,
        "memory": 64,
        "user": "nobody",
        "command": ["true"],
        "environment": [],
        "mountPoints": [],
        "networkInterfaces": [],
        "resourceRequirements": [],
        "secrets": [],
        "ulimits": [],
        "volumes": [],
    }


def test_empty_members_count_as_absent() -> None:
    empty = {
        "parameters": {},
        "timeout": {},
        "containerOverrides": {},
        "ecsPropertiesOverride": {},
        "eksPropertiesOverride": {},
        "nodeOverrides": {},
        "consumableResourcePropertiesOverride": {},
    }
    assert submit(LEGACY, **empty) == submit(LEGACY)


def test_command_replaces_and_environment_merges_by_name() -> None:
    container = {
        **LEGACY,
        "command": ["a", "b"],
        "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    }
    overrides = {"command": ["c"], "environment": [{"name": "B", "value": "3"}, {"name": "C", "value": ""}]}
    job = submit(container, containerOverrides=overrides)
    assert job.containers[0].command == ("c",)
    assert job.containers[0].environment == {"A": "1", "B": "3", "C": ""}
    assert job.container["environment"][1] == {"name": "B", "value": "3"}


def test_empty_override_command_keeps_the_definitions() -> None:
    assert submit({**LEGACY, "command": ["a"]}, containerOverrides={"command": []}).containers[0].command == ("a",)
    assert "empty string" in refusal(LEGACY, containerOverrides={"command": ["a", ""]})


def test_resource_requirements_replace_by_type() -> None:
    job = submit(NEW_STYLE, containerOverrides={"resourceRequirements": [{"type": "MEMORY", "value": "128"}]})
    assert (job.vcpus, job.memory_mib) == (2.0, 128)
    assert job.container["resourceRequirements"] == [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "128"}]
    assert "vcpus" not in job.container


def test_legacy_overrides_of_a_legacy_definition() -> None:
    job = submit(LEGACY, containerOverrides={"vcpus": 1, "memory": 32})
    assert (job.vcpus, job.memory_mib) == (1.0, 32)
    assert (job.container["vcpus"], job.container["memory"]) == (1, 32)


def test_resource_requirement_overrides_a_legacy_member() -> None:
    job = submit(LEGACY, containerOverrides={"resourceRequirements": [{"type": "MEMORY", "value": "128"}]})
    assert (job.vcpus, job.memory_mib) == (2.0, 128)
    assert job.container["vcpus"] == 2
    assert "memory" not in job.container


def test_legacy_override_of_a_requirement() -> None:
    assert refusal(NEW_STYLE, containerOverrides={"memory": 128}).startswith(
        "This value was submitted in a deprecated key and may conflict"
    )
    assert submit(NEW_STYLE, containerOverrides={"memory": 64}).memory_mib == 64


def test_gpus_may_be_added() -> None:
    assert submit(LEGACY, containerOverrides={"resourceRequirements": [{"type": "GPU", "value": "2"}]}).gpus == 2


def test_reserved_variables_are_refused() -> None:
    overrides = {"environment": [{"name": "AWS_BATCH_JOB_ID", "value": "1"}]}
    assert "AWS_BATCH_JOB_ID" in refusal(LEGACY, containerOverrides=overrides)


def test_fargate_resources_are_checked_again() -> None:
    fargate = definition(
        {
            "image": "busybox",
            "executionRoleArn": "r",
            "resourceRequirements": [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}],
        },
        platformCapabilities=["FARGATE"],
    )
    assert resolve(fargate, {}).vcpus == 0.25
    with pytest.raises(Refusal, match="Fargate resource requirements"):
        resolve(fargate, {"containerOverrides": {"resourceRequirements": [{"type": "MEMORY", "value": "9"}]}})


# ---------------------------------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("element", "result"),
    [
        ("Ref::in", "a b"),
        ("--in=Ref::in", "--in=a b"),
        ("Ref::in.txt", "a b.txt"),
        ("Ref::in/Ref::out", "a b/x"),
        ("Ref::odd name!", "odd"),
        ("Ref::loop", "Ref::in"),
        ("Ref::", "Ref::"),
        ("plain", "plain"),
    ],
)
def test_substitution(element: str, result: str) -> None:
    parameters = {"in": "a b", "out": "x", "odd name!": "odd", "loop": "Ref::in"}
    assert substitute([element], parameters) == [result]


def test_request_parameters_win_over_the_definitions() -> None:
    job = resolve(
        definition({**LEGACY, "command": ["Ref::a", "Ref::b"]}, parameters={"a": "1", "b": "2"}),
        {"parameters": {"b": "3"}},
    )
    assert job.containers[0].command == ("1", "3")
    assert job.parameters == {"a": "1", "b": "3"}
    assert job.container["command"] == ["1", "3"]


def test_overriding_commands_are_substituted_too() -> None:
    assert submit(LEGACY, containerOverrides={"command": ["Ref::a"]}, parameters={"a": "1"}).containers[0].command == (
        "1",
    )


@pytest.mark.parametrize("element", ["Ref::x", "--in=Ref::x"])
def test_missing_parameter(element: str) -> None:
    text = refusal({**LEGACY, "command": [element]}, parameters={"y": "1"})
    assert text == "Unable to substitute value. No parameter found for reference x"


def test_only_the_command_is_substituted() -> None:
    job = submit({**LEGACY, "environment": [{"name": "A", "value": "Ref::x"}]})
    assert job.containers[0].environment == {"A": "Ref::x"}


# ------------------------------------------------------------------------------------------- replaced as a whole, logs


def test_retry_strategy_and_timeout_replace_the_definitions() -> None:
    given = definition(
        LEGACY,
        retryStrategy={"attempts": 5, "evaluateOnExit": [{"onReason": "*", "action": "EXIT"}]},
        timeout={"attemptDurationSeconds": 600},
    )
    inherited = resolve(given, {})
    assert (inherited.attempts, inherited.attempt_duration_seconds) == (5, 600)
    replaced = resolve(given, {"retryStrategy": {"attempts": 2}, "timeout": {"attemptDurationSeconds": 60}})
    assert replaced.retry_strategy == {"attempts": 2, "evaluateOnExit": []}
    assert replaced.attempt_duration_seconds == 60
    with pytest.raises(Refusal, match="RetryAttempts must be provided"):
        resolve(given, {"retryStrategy": {}})


def test_log_configuration_names_group_and_prefix() -> None:
    options = {"awslogs-group": "mine", "awslogs-stream-prefix": "p"}
    job = submit({**LEGACY, "logConfiguration": {"logDriver": "awslogs", "options": options}})
    (container,) = job.containers
    assert (container.log_group, container.log_stream_prefix) == ("mine", "p")


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({}, None),
        ({"awslogs-multiline-pattern": "^START"}, "^START"),
        ({"awslogs-multiline-pattern": "^START", "awslogs-datetime-format": r"\[%Y/100%%"}, r"\[[0-9]{4}/100%"),
    ],
)
def test_log_configuration_says_where_events_begin(options: dict[str, str], pattern: str | None) -> None:
    (container,) = submit({**LEGACY, "logConfiguration": {"logDriver": "awslogs", "options": options}}).containers
    assert container.log_event_start == pattern


def test_priority_override() -> None:
    given = definition(LEGACY, schedulingPriority=3)
    assert resolve(given, {}).scheduling_priority == 3
    assert resolve(given, {"schedulingPriorityOverride": 0}).scheduling_priority == 0


# ------------------------------------------------------------------------------------------------------ other families


def test_single_container_task() -> None:
    given = definition(
        ecsProperties={"taskProperties": [{"containers": [{**NEW_STYLE, "name": "main", "command": ["Ref::a"]}]}]}
    )
    containers = [{"name": "main", "environment": [{"name": "A", "value": "1"}]}]
    request = {"ecsPropertiesOverride": {"taskProperties": [{"containers": containers}]}, "parameters": {"a": "x"}}
    job = resolve(given, request)
    assert (job.containers[0].command, job.containers[0].environment, job.memory_mib) == (("x",), {"A": "1"}, 64)
    assert job.container == {}
    assert job.ecs_properties is not None
    assert job.ecs_properties["taskProperties"][0]["containers"][0]["environment"] == [{"name": "A", "value": "1"}]
    with pytest.raises(Refusal, match="containerName other must reference"):
        resolve(given, {"ecsPropertiesOverride": {"taskProperties": [{"containers": [{"name": "other"}]}]}})


def test_single_container_pod() -> None:
    given = definition(eksProperties={"podProperties": {"containers": [POD]}})
    override = {"name": "main", "args": ["-c", "false"], "resources": {"limits": {"memory": "128Mi"}}}
    job = resolve(given, {"eksPropertiesOverride": {"podProperties": {"containers": [override]}}})
    assert (job.containers[0].command, job.containers[0].environment) == (("sh", "-c", "false"), {"A": "1"})
    assert (job.vcpus, job.memory_mib) == (0.5, 128)
    assert job.eks_properties is not None


def test_overrides_of_another_family_are_refused() -> None:
    override = {"podProperties": {"containers": [{"name": "x"}]}}
    assert "eksPropertiesOverride" in refusal(LEGACY, eksPropertiesOverride=override)


def test_platform_of_the_queue() -> None:
    check_platform((), ["EC2"])
    check_platform(("EC2", "FARGATE"), ["FARGATE"])
    with pytest.raises(Refusal, match="can not run Jobs with capability EC2"):
        check_platform((), ["FARGATE"])
    with pytest.raises(Refusal, match="can not run Jobs with capability FARGATE"):
        check_platform(("FARGATE",), ["EC2"])


def test_a_resolved_job_survives_its_json() -> None:
    job = submit({**LEGACY, "command": ["a"], "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}]})
    assert msgspec.json.decode(msgspec.json.encode(job), type=ResolvedJob) == job
