"""What a job is run with: parameters, overrides, environment."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.clients.yard import Yard

pytestmark = pytest.mark.process


def modern(**requirements: str) -> dict[str, Any]:
    """containerProperties in today's style; None takes a legacy member out."""
    return {
        "vcpus": None,
        "memory": None,
        "resourceRequirements": [{"type": t.upper(), "value": value} for t, value in requirements.items()],
    }


def requirements(job: dict[str, Any]) -> dict[str, str]:
    return {found["type"]: found["value"] for found in job["container"]["resourceRequirements"]}


def test_parameters_replace_placeholders_and_the_request_wins(yard: Yard) -> None:
    definition = yard.define(
        ["printf", "%s|", "Ref::first", "Ref::second", "--out=Ref::first"], parameters={"first": "1", "second": "2"}
    )
    ended = yard.run(definition, parameters={"second": "Ref::first; $(id) 'x'", "unused": "y"})
    assert yard.output(ended) == "1|Ref::first; $(id) 'x'|--out=1|"
    assert ended["parameters"]["second"] == "Ref::first; $(id) 'x'"


def test_placeholders_in_an_overriding_command_are_replaced_too(yard: Yard) -> None:
    definition = yard.define(["false"], parameters={"word": "default"})
    ended = yard.run(definition, containerOverrides={"command": ["echo", "Ref::word"]})
    assert yard.log(ended) == ["default"]
    with pytest.raises(ClientError, match="No parameter found for reference other"):
        yard.submit(definition, containerOverrides={"command": ["echo", "Ref::other"]})


def test_placeholders_in_the_environment_are_left_alone(yard: Yard) -> None:
    environment = [{"name": "WORD", "value": "Ref::word"}]
    definition = yard.define(["printenv", "WORD"], parameters={"word": "x"}, container={"environment": environment})
    assert yard.log(yard.run(definition)) == ["Ref::word"]


def test_environments_are_merged_by_name(yard: Yard) -> None:
    given = [{"name": "KEPT", "value": "1"}, {"name": "CHANGED", "value": "2"}]
    definition = yard.define(["env"], container={"environment": given})
    override = [{"name": "CHANGED", "value": "3"}, {"name": "ADDED", "value": "a=b c"}]
    ended = yard.run(definition, containerOverrides={"environment": override})
    seen = yard.environment(ended)
    assert {name: seen[name] for name in ("KEPT", "CHANGED", "ADDED")} == {
        "KEPT": "1",
        "CHANGED": "3",
        "ADDED": "a=b c",
    }
    assert {v["name"]: v["value"] for v in ended["container"]["environment"]} == {
        "KEPT": "1",
        "CHANGED": "3",
        "ADDED": "a=b c",
    }


def test_names_that_aws_reserves_are_refused(yard: Yard) -> None:
    reserved = [{"name": "AWS_BATCH_JOB_ID", "value": "mine"}]
    with pytest.raises(ClientError, match="AWS_BATCH"):
        yard.define(["true"], container={"environment": reserved})
    with pytest.raises(ClientError, match="AWS_BATCH"):
        yard.submit(["true"], containerOverrides={"environment": reserved})


def test_requirements_are_replaced_by_type(yard: Yard) -> None:
    definition = yard.define(["true"], container=modern(vcpu="1", memory="64"))
    override = {"resourceRequirements": [{"type": "MEMORY", "value": "128"}]}
    ended = yard.run(definition, containerOverrides=override)
    assert requirements(ended) == {"VCPU": "1", "MEMORY": "128"}
    assert not {"vcpus", "memory"} & set(ended["container"])


def test_requirements_also_replace_legacy_members(yard: Yard) -> None:
    override = {"resourceRequirements": [{"type": "MEMORY", "value": "128"}, {"type": "VCPU", "value": "2"}]}
    ended = yard.run(["true"], containerOverrides=override)
    assert requirements(ended) == {"VCPU": "2", "MEMORY": "128"}


def test_legacy_members_override_a_legacy_definition(yard: Yard) -> None:
    ended = yard.run(["true"], containerOverrides={"vcpus": 3, "memory": 99})
    assert (ended["container"]["vcpus"], ended["container"]["memory"]) == (3, 99)
    definition = yard.define(["true"], container=modern(vcpu="1", memory="64"))
    with pytest.raises(ClientError, match="deprecated key"):
        yard.submit(definition, containerOverrides={"memory": 99})


def test_empty_members_count_as_not_given(yard: Yard) -> None:
    ended = yard.run(
        yard.define(["echo", "hello"], container={"environment": [{"name": "A", "value": "b"}]}),
        arrayProperties={},
        dependsOn=[],
        parameters={},
        tags={},
        containerOverrides={},
        retryStrategy={"attempts": 1},
    )
    assert ended["status"] == "SUCCEEDED"
    assert "arrayProperties" not in ended
    assert yard.log(ended) == ["hello"]
    again = yard.run(
        ["echo", "again"], containerOverrides={"command": [], "environment": [], "resourceRequirements": []}
    )
    assert yard.log(again) == ["again"]


def test_a_job_knows_who_and_where_it_is(yard: Yard) -> None:
    ended = yard.run(["env"])
    seen = yard.environment(ended)
    expected = {
        "AWS_BATCH_JOB_ID": ended["jobId"],
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_BATCH_JQ_NAME": "default",
        "AWS_BATCH_CE_NAME": "default",
        "AWS_EXECUTION_ENV": "AWS_ECS_EC2",
        "AWS_REGION": "us-east-1",
    }
    assert {name: seen[name] for name in expected} == expected
    assert not [name for name in seen if name.startswith("AWS_BATCH_JOB_ARRAY") or "NODE" in name]
    assert not [name for name in seen if name.startswith(("PYTHON", "PYTEST"))], "the server's environment leaked"
    assert ended["container"]["environment"] == []


def test_a_path_given_by_the_job_finds_the_command_itself(yard: Yard, tmp_path: Any) -> None:
    program = tmp_path / "only-here"
    program.write_text('#!/bin/sh\necho "found by $PATH"\n')
    program.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    ended = yard.run(["only-here"], containerOverrides={"environment": [{"name": "PATH", "value": path}]})
    assert yard.log(ended) == [f"found by {path}"]
    assert yard.run(["only-here"])["statusReason"] == "Task failed to start"


def test_the_image_may_be_any_and_volumes_may_not_exist(yard: Yard) -> None:
    container = {
        "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/thing@sha256:" + "0" * 64,
        "volumes": [{"name": "data", "host": {"sourcePath": "/no/such/folder"}}, {"name": "empty", "host": {}}],
        "mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": True}],
        "jobRoleArn": "arn:aws:iam::123456789012:role/anything",
    }
    ended = yard.run(yard.define(["true"], container=container))
    assert ended["status"] == "SUCCEEDED"
    assert {name: ended["container"][name] for name in container} == container


def test_job_input_reaches_no_shell(yard: Yard, tmp_path: Any) -> None:
    witness = tmp_path / "witness"
    attack = f"; touch {witness} $(touch {witness}) `touch {witness}`"
    environment = [{"name": "ATTACK", "value": attack}]
    ended = yard.run(["printf", "%s", attack], containerOverrides={"environment": environment})
    assert yard.output(ended) == attack
    assert not witness.exists()
