"""Jobs of several containers: the tasks of ecsProperties and the pods of eksProperties."""

import itertools
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.clients.yard import Yard

pytestmark = pytest.mark.process

_numbers = itertools.count(1)
RESOURCES = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]


def part(name: str, script: str, **members: Any) -> dict[str, Any]:
    """A container of a task, which runs a shell script."""
    return {
        "name": name,
        "image": "busybox",
        "command": ["sh", "-c", script],
        "resourceRequirements": RESOURCES,
        **members,
    }


def after(name: str, condition: str) -> list[dict[str, str]]:
    return [{"containerName": name, "condition": condition}]


def define_task(yard: Yard, *containers: dict[str, Any], **members: Any) -> str:
    """Register a definition of one task; returns its name."""
    name = f"task-{next(_numbers)}"
    yard.batch.register_job_definition(
        jobDefinitionName=name,
        type="container",
        ecsProperties={"taskProperties": [{"containers": list(containers)}]},
        **members,
    )
    return name


def pod_part(name: str, *command: str, args: tuple[str, ...] = (), **env: str) -> dict[str, Any]:
    """A container of a pod."""
    return {
        "name": name,
        "image": "busybox",
        "command": list(command),
        "args": list(args),
        "env": [{"name": n, "value": v} for n, v in env.items()],
        "resources": {"requests": {"cpu": "0.5", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
    }


def define_pod(yard: Yard, *containers: dict[str, Any], inits: tuple[dict[str, Any], ...] = ()) -> str:
    """Register a definition of one pod; returns its name."""
    name = f"pod-{next(_numbers)}"
    pod = {"containers": list(containers)} | ({"initContainers": list(inits)} if inits else {})
    yard.batch.register_job_definition(jobDefinitionName=name, type="container", eksProperties={"podProperties": pod})
    return name


def containers_of(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The containers of a job's task by name."""
    (task,) = job["ecsProperties"]["taskProperties"]
    return {container["name"]: container for container in task["containers"]}


def test_a_task_with_a_dependency_and_a_sidecar(yard: Yard) -> None:
    definition = define_task(
        yard,
        part(
            "app",
            'until [ -e ready ]; do sleep 0.01; done; echo "app $AWS_BATCH_JOB_ATTEMPT"',
            dependsOn=after("prepare", "SUCCESS"),
        ),
        part("prepare", "echo prepared", essential=False),
        part("side", "echo aside; touch ready; exec sleep 1000", essential=False),
    )
    job = yard.run(definition)
    assert (job["status"], job["statusReason"]) == ("SUCCEEDED", "Essential container in task exited")
    found = containers_of(job)
    assert {name: c["exitCode"] for name, c in found.items()} == {"app": 0, "prepare": 0, "side": 143}
    logs = {name: [e["message"] for e in yard.log_events(c["logStreamName"])] for name, c in found.items()}
    assert logs == {"app": ["app 1"], "prepare": ["prepared"], "side": ["aside"]}
    assert "container" not in job
    (attempt,) = job["attempts"]
    (task,) = attempt["taskProperties"]
    assert [(c["name"], c["exitCode"]) for c in task["containers"]] == [("app", 0), ("prepare", 0), ("side", 143)]
    assert task["taskArn"] == job["ecsProperties"]["taskProperties"][0]["taskArn"]


def test_the_streams_of_a_task_are_listed(yard: Yard) -> None:
    definition = define_task(
        yard, part("one", "echo 1", dependsOn=after("two", "COMPLETE")), part("two", "echo 2", essential=False)
    )
    yard.run(definition)
    found = yard.logs.describe_log_streams(logGroupName="/aws/batch/job", logStreamNamePrefix=f"{definition}/")
    assert [s["logStreamName"].split("/")[1] for s in found["logStreams"]] == ["one", "two"]
    events = yard.logs.filter_log_events(logGroupName="/aws/batch/job", logStreamNamePrefix=f"{definition}/")["events"]
    assert sorted(event["message"] for event in events) == ["1", "2"]


def test_a_failing_essential_container_stops_all_and_decides(yard: Yard) -> None:
    definition = define_task(
        yard,
        part("app", "exec sleep 1000"),
        part("checker", "exit 7", dependsOn=[*after("side", "COMPLETE"), *after("app", "START")]),
        part("side", "exit 3", essential=False),
    )
    job = yard.run(
        definition, retryStrategy={"attempts": 2, "evaluateOnExit": [{"onExitCode": "7", "action": "RETRY"}]}
    )
    assert job["status"] == "FAILED"
    assert {name: c["exitCode"] for name, c in containers_of(job).items()} == {"app": 143, "checker": 7, "side": 3}
    assert len(job["attempts"]) == 2


def test_a_dependency_that_fails_fails_the_job(yard: Yard) -> None:
    definition = define_task(
        yard,
        part("app", "echo ran", dependsOn=after("prepare", "SUCCESS")),
        part("prepare", "exit 1", essential=False),
    )
    job = yard.run(definition)
    found = containers_of(job)
    assert job["status"] == "FAILED"
    assert found["prepare"]["exitCode"] == 1
    assert "exitCode" not in found["app"]
    assert "prepare" in found["app"]["reason"]


def test_overrides_go_to_containers_by_name(yard: Yard) -> None:
    definition = define_task(
        yard,
        part("app", "echo Ref::word", dependsOn=after("side", "COMPLETE")),
        part("side", "printenv WORD", essential=False),
    )
    override = [
        {"name": "side", "environment": [{"name": "WORD", "value": "changed"}]},
        {"name": "app", "command": ["sh", "-c", "echo Ref::word again"]},
    ]
    job = yard.run(
        definition,
        parameters={"word": "hello"},
        ecsPropertiesOverride={"taskProperties": [{"containers": override}]},
    )
    found = containers_of(job)
    assert [e["message"] for e in yard.log_events(found["side"]["logStreamName"])] == ["changed"]
    assert [e["message"] for e in yard.log_events(found["app"]["logStreamName"])] == ["hello again"]
    unknown = {"taskProperties": [{"containers": [{"name": "nobody", "command": ["x"]}]}]}
    with pytest.raises(ClientError, match="nobody must reference a defined container"):
        yard.submit(definition, parameters={"word": "x"}, ecsPropertiesOverride=unknown)


def test_terminating_a_task_ends_all_of_it(yard: Yard) -> None:
    definition = define_task(yard, part("app", "exec sleep 1000"), part("side", "exec sleep 1000", essential=False))
    job_id = yard.submit(definition)
    yard.until(job_id, "RUNNING")
    yard.batch.terminate_job(jobId=job_id, reason="enough")
    job = yard.ended(job_id)
    assert job["statusReason"] == "enough"
    assert {name: c["exitCode"] for name, c in containers_of(job).items()} == {"app": 143, "side": 143}


def test_an_array_of_tasks(yard: Yard) -> None:
    definition = define_task(
        yard, part("app", 'exit "$AWS_BATCH_JOB_ARRAY_INDEX"'), part("side", "exec sleep 1000", essential=False)
    )
    job_id = yard.submit(definition, size=3)
    assert yard.ended(job_id)["status"] == "FAILED"
    assert [containers_of(child)["app"]["exitCode"] for child in yard.children(job_id, 3)] == [0, 1, 2]


def test_a_pod_with_init_containers(yard: Yard) -> None:
    definition = define_pod(
        yard,
        pod_part("main", "echo", args=("$(WORD) $$(WORD) $(UNKNOWN)",), WORD="hello"),
        pod_part("second", "true"),
        inits=(pod_part("first", "echo", "one"), pod_part("then", "echo", "two")),
    )
    job = yard.run(definition)
    assert job["status"] == "SUCCEEDED"
    assert job["attempts"] == []
    (attempt,) = job["eksAttempts"]
    assert [(c["name"], c["exitCode"]) for c in attempt["initContainers"]] == [("first", 0), ("then", 0)]
    assert [(c["name"], c["exitCode"]) for c in attempt["containers"]] == [("main", 0), ("second", 0)]
    pod = job["eksProperties"]["podProperties"]
    assert (pod["podName"], pod["nodeName"]) == (attempt["podName"], attempt["nodeName"])
    prefix = f"{definition}/main/"
    events = yard.logs.filter_log_events(logGroupName="/aws/batch/job", logStreamNamePrefix=prefix)["events"]
    assert [event["message"] for event in events] == ["hello $(WORD) $(UNKNOWN)"]


def test_a_pod_fails_if_one_container_does_and_runs_the_others_to_their_end(yard: Yard) -> None:
    definition = define_pod(yard, pod_part("bad", "sh", "-c", "exit 5"), pod_part("good", "sh", "-c", "sleep 0.3"))
    job = yard.run(definition)
    assert job["status"] == "FAILED"
    assert [c["exitCode"] for c in job["eksAttempts"][0]["containers"]] == [5, 0]


def test_a_pod_whose_init_container_fails_never_starts(yard: Yard) -> None:
    definition = define_pod(yard, pod_part("main", "echo", "ran"), inits=(pod_part("init", "sh", "-c", "exit 4"),))
    job = yard.run(definition)
    assert job["status"] == "FAILED"
    (attempt,) = job["eksAttempts"]
    assert attempt["initContainers"][0]["exitCode"] == 4
    assert "exitCode" not in attempt["containers"][0]
