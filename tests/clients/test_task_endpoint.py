"""What jobs ask about themselves: the task's metadata and its role's credentials, with AWS's own SDK in the job."""

import http.client
import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.clients.server_process import ServerProcess, steady_port, wait_for
from tests.clients.yard import Detail, Gate, Yard

pytestmark = pytest.mark.process

ROLE = "arn:aws:iam::123456789012:role/service/reader"
SECRETS = ("the-readers-secret-key", "the-readers-session-token", "the-secret-of-a-variable", "the-secret-of-a-process")
METADATA, CREDENTIALS = "ECS_CONTAINER_METADATA_URI_V4", "AWS_CONTAINER_CREDENTIALS_FULL_URI"
SAID = "that is all"
AUTHORIZATION = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
SDK = """
import botocore.session
found = botocore.session.Session().get_credentials()
frozen = found and found.get_frozen_credentials()
print(found and found.method, frozen and frozen.access_key, frozen and frozen.secret_key, frozen and frozen.token)
"""
SETTINGS = f"""
[roles.reader]
access_key_id = "AKIDREADER"
secret_access_key = "{SECRETS[0]}"
session_token = "{SECRETS[1]}"

[roles."arn:aws:iam::123456789012:role/exact"]
access_key_id = "AKIDEXACT"
secret_variable = "SECRET_OF_EXACT"

[roles.profiled]
profile = "profiled"

[roles.broken]
profile = "there-is-none"
"""


class RoleYard(Yard):
    """A yard whose jobs may name roles, with the AWS configuration of whoever runs its server."""

    def job_of(self, role: str | None, script: str, *arguments: object, **container: Any) -> str:
        """Submit a shell script that runs as a role. Its HOME is empty, so that no AWS configuration is found there."""
        environment = [{"name": "HOME", "value": "/nowhere"}]
        members = {"jobRoleArn": role, "environment": environment, **container}
        command = ["sh", "-c", script, "sh", *map(str, arguments)]
        return self.submit(self.define(command, container=members))

    def sdk(self, role: str | None) -> str:
        """What the SDK finds in a job of that role: how, and the credentials."""
        return self.output(self.ended(self.job_of(role, '"$1" -c "$2"', sys.executable, SDK)))


@pytest.fixture(scope="module")
def role_yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoleYard]:
    folder = tmp_path_factory.mktemp("roles")
    config = folder / "yard.toml"
    config.write_text(SETTINGS)
    config.chmod(0o600)
    answer = {"Version": 1, "AccessKeyId": "AKIDPROCESS", "SecretAccessKey": SECRETS[3]}
    (folder / "answer.json").write_text(json.dumps(answer))
    (folder / "aws").write_text(f"[profile profiled]\ncredential_process = cat {folder}/answer.json\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_OF_EXACT", SECRETS[2])
        patch.setenv("AWS_CONFIG_FILE", str(folder / "aws"))
        server = ServerProcess(folder, "--config", str(config), "--executor", "process", "--max-vcpus", "8")
        server.start(steady_port())
    yield RoleYard.at(server)
    server.end()


def ask(url: str, **headers: str) -> tuple[int, Any]:
    """GET; the status, and what the JSON of the answer says."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request("GET", parts.path, headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def running(yard: RoleYard, gate: Gate, role: str | None = "reader", **container: Any) -> tuple[Detail, dict[str, str]]:
    """A job that runs until the gate opens, and the variables it was given."""
    job_id = yard.job_of(role, f"env; echo {SAID}; {gate.script}", **container)
    yard.until(job_id, "RUNNING")
    lines = wait_for(lambda: said if SAID in (said := yard.log(yard.job(job_id))) else None, "what the job was given")
    return yard.job(job_id), dict(line.partition("=")[::2] for line in lines)


@pytest.mark.parametrize(
    ("role", "found"),
    [
        (ROLE, f"container-role AKIDREADER {SECRETS[0]} {SECRETS[1]}"),
        ("reader", f"container-role AKIDREADER {SECRETS[0]} {SECRETS[1]}"),
        ("arn:aws:iam::123456789012:role/exact", f"container-role AKIDEXACT {SECRETS[2]} "),
        ("arn:aws:iam::123456789012:role/profiled", f"container-role AKIDPROCESS {SECRETS[3]} "),
    ],
)
def test_the_sdk_in_a_job_finds_the_credentials_of_its_role(role_yard: RoleYard, role: str, found: str) -> None:
    assert role_yard.sdk(role).rstrip() == found.rstrip()


@pytest.mark.parametrize("role", [None, "arn:aws:iam::123456789012:role/unknown"])
def test_a_job_without_a_known_role_is_told_of_no_credentials(
    role_yard: RoleYard, gate: Gate, role: str | None
) -> None:
    _, variables = running(role_yard, gate, role)
    assert METADATA in variables
    assert not {CREDENTIALS, AUTHORIZATION} & set(variables)


def test_credentials_have_the_shape_that_sdks_read(role_yard: RoleYard, gate: Gate) -> None:
    _, variables = running(role_yard, gate, ROLE)
    status, found = ask(variables[CREDENTIALS], Authorization=variables[AUTHORIZATION])
    assert status == 200
    assert set(found) == {"RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    assert found["RoleArn"] == ROLE


def test_a_role_whose_profile_fails_is_said_and_nothing_leaks(role_yard: RoleYard, gate: Gate) -> None:
    _, variables = running(role_yard, gate, "broken")
    status, found = ask(variables[CREDENTIALS], Authorization=variables[AUTHORIZATION])
    assert (status, found["code"]) == (503, "RoleUnavailable")
    assert "ProfileNotFound" in found["message"]


def test_metadata_agrees_with_describe_jobs(role_yard: RoleYard, gate: Gate) -> None:
    job, variables = running(role_yard, gate, memory=96, vcpus=2)
    status, container = ask(variables[METADATA])
    assert status == 200
    status, task = ask(variables[METADATA] + "/task")
    assert status == 200
    (described,) = role_yard.describe(job["jobId"])
    assert task["TaskARN"] == described["container"]["taskArn"] == container["Labels"]["com.amazonaws.ecs.task-arn"]
    assert container["LogOptions"]["awslogs-stream"] == described["container"]["logStreamName"]
    assert (container["LogOptions"]["awslogs-group"], container["LogOptions"]["awslogs-region"]) == (
        "/aws/batch/job",
        "us-east-1",
    )
    assert task["Containers"] == [container]
    assert (container["Name"], container["Image"], container["KnownStatus"]) == ("default", "busybox", "RUNNING")
    assert (container["Limits"], task["Limits"]) == ({"CPU": 2048, "Memory": 96}, {"CPU": 2.0, "Memory": 96})
    family, revision = described["jobDefinition"].rpartition("/")[2].split(":")
    assert (task["Family"], task["Revision"], task["LaunchType"]) == (family, revision, "EC2")
    (environment,) = role_yard.batch.describe_compute_environments(computeEnvironments=["default"])[
        "computeEnvironments"
    ]
    assert task["Cluster"] == environment["ecsClusterArn"]


def test_containers_of_one_task_are_told_apart(role_yard: RoleYard) -> None:
    script = "import os, urllib.request as r; print(r.urlopen(os.environ['{}'] + '{}').read().decode())"
    roles = ("", "/task")
    containers = [
        {
            "name": f"part{number}",
            "image": "busybox",
            "essential": number == 1,
            "dependsOn": [{"containerName": "part0", "condition": "COMPLETE"}] * number,
            "command": [sys.executable, "-c", script.format(METADATA, path)],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": str(64 + number)}],
        }
        for number, path in enumerate(roles)
    ]
    definition = role_yard.batch.register_job_definition(
        jobDefinitionName="parts", type="container", ecsProperties={"taskProperties": [{"containers": containers}]}
    )["jobDefinitionArn"]
    (task,) = role_yard.run(definition)["ecsProperties"]["taskProperties"]
    streams = [container["logStreamName"] for container in task["containers"]]
    said = [json.loads("".join(e["message"] for e in role_yard.log_events(stream))) for stream in streams]
    assert (said[0]["Name"], said[0]["Limits"]["Memory"]) == ("part0", 64)
    assert said[1]["TaskARN"] == task["taskArn"]
    assert [each["LogOptions"]["awslogs-stream"] for each in said[1]["Containers"]] == streams
    assert said[1]["Limits"] == {"CPU": 2.0, "Memory": 129}


def test_tags_of_a_job_are_its_tasks_if_they_propagate(role_yard: RoleYard) -> None:
    script = (
        "exec \"$0\" -c \"import os, urllib.request as r; print(r.urlopen(os.environ['{}'] + '{}').read().decode())\""
    )
    shown = script.format(METADATA, "/taskWithTags")
    definition = role_yard.define(["sh", "-c", shown, sys.executable])
    request: dict[str, Any] = {"tags": {"colour": "red"}, "propagateTags": True}
    told = json.loads(role_yard.output(role_yard.run(definition, **request)))
    assert (told["TaskTags"], told["ContainerInstanceTags"]) == ({"colour": "red"}, {})
    told = json.loads(role_yard.output(role_yard.run(definition, tags={"colour": "red"})))
    assert told["TaskTags"] == {}


def test_each_array_child_is_told_of_itself(role_yard: RoleYard) -> None:
    script = (
        "import os, urllib.request as r; print(r.urlopen(os.environ['ECS_CONTAINER_METADATA_URI_V4']).read().decode())"
    )
    array = role_yard.submit([sys.executable, "-c", script], size=3)
    role_yard.ended(array)
    children = role_yard.children(array, 3)
    streams = [json.loads(role_yard.output(child))["LogOptions"]["awslogs-stream"] for child in children]
    assert streams == [child["container"]["logStreamName"] for child in children]


def test_stats_say_what_a_task_uses(role_yard: RoleYard, gate: Gate) -> None:
    job, variables = running(role_yard, gate, memory=128)
    status, found = ask(variables[METADATA] + "/stats")
    assert (status, found["memory_stats"]["limit"]) == (200, 128 << 20)
    assert 0 < found["memory_stats"]["usage"] < 128 << 20
    assert found["pids_stats"]["current"] >= 1
    assert found["cpu_stats"]["cpu_usage"]["total_usage"] < found["cpu_stats"]["system_cpu_usage"]
    _, container = ask(variables[METADATA])
    assert (found["id"], found["name"]) == (container["DockerId"], container["DockerName"])
    _, of_all = ask(variables[METADATA] + "/task/stats")
    assert set(of_all) == {container["DockerId"]}
    assert set(of_all[container["DockerId"]]) == set(found)
    assert role_yard.job(job["jobId"])["status"] == "RUNNING"


def test_a_token_is_good_for_its_own_attempt_alone(role_yard: RoleYard, gate: Gate) -> None:
    _, one = running(role_yard, gate)
    _, other = running(role_yard, gate)
    assert ask(one[CREDENTIALS], Authorization=other[AUTHORIZATION])[0] == 404
    assert ask(one[CREDENTIALS])[0] == 404
    assert ask(one[CREDENTIALS], Authorization="é")[0] == 404
    metadata_mac = one[METADATA].rpartition(".")[2]
    assert ask(one[CREDENTIALS], Authorization=metadata_mac)[0] == 404
    name, _, mac = one[METADATA].rpartition(".")
    assert ask(f"{name}.{'0' * len(mac)}")[0] == 404
    assert ask(name)[0] == 404
    other_name = other[METADATA].rpartition(".")[0]
    assert ask(f"{other_name}.{mac}")[0] == 404


def test_an_attempt_that_ended_is_not_answered(role_yard: RoleYard, gate: Gate) -> None:
    job, variables = running(role_yard, gate)
    assert ask(variables[METADATA])[0] == 200
    gate.open()
    role_yard.ended(job["jobId"])
    assert ask(variables[METADATA])[0] == 404
    assert ask(variables[CREDENTIALS], Authorization=variables[AUTHORIZATION])[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_web_page_is_refused(role_yard: RoleYard, gate: Gate, headers: dict[str, str]) -> None:
    _, variables = running(role_yard, gate)
    assert ask(variables[METADATA], **headers)[0] == 403
    assert ask(variables[CREDENTIALS], Authorization=variables[AUTHORIZATION], **headers)[0] == 403


def test_only_what_jobs_ask_is_served_there(role_yard: RoleYard, gate: Gate) -> None:
    _, variables = running(role_yard, gate)
    tasks = "http://" + urlsplit(variables[METADATA]).netloc
    assert ask(tasks + "/health")[0] == 404
    assert ask(tasks + "/v1/describejobs")[0] == 404
    path = urlsplit(variables[METADATA]).path
    assert ask(role_yard.server.url + path)[0] == 404


def test_secrets_are_in_no_answer_log_or_record(role_yard: RoleYard, gate: Gate) -> None:
    job, variables = running(role_yard, gate)
    assert ask(variables[CREDENTIALS], Authorization=variables[AUTHORIZATION])[0] == 200
    shown = json.dumps(role_yard.job(job["jobId"]), default=str) + role_yard.server.log.read_text()
    folder = role_yard.server.data
    kept = [file for file in folder.rglob("*") if file.is_file() and "logs" not in file.relative_to(folder).parts]
    for secret in (*SECRETS[:3], variables[AUTHORIZATION]):
        assert secret not in shown
        assert not [file for file in kept if secret.encode() in file.read_bytes()]


def test_jobs_are_answered_across_a_restart(role_yard: RoleYard, gate: Gate) -> None:
    _, variables = running(role_yard, gate, ROLE)
    before = ask(variables[METADATA])
    role_yard.server.kill()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_OF_EXACT", SECRETS[2])
        role_yard.server.start(role_yard.server.port)
    assert ask(variables[METADATA]) == before
    status, found = ask(variables[CREDENTIALS], Authorization=variables[AUTHORIZATION])
    assert (status, found["AccessKeyId"]) == (200, "AKIDREADER")
