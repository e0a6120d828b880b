"""`GET /why/{jobId}` of a real server: the true cause of each way to wait, within two seconds of the cause arising."""

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest

from tests.cli.terminal import Terminal
from tests.clients.server_process import ServerProcess, wait_for
from tests.clients.yard import Gate, Yard

pytestmark = pytest.mark.process

VCPUS = 4
SECONDS = 2.0
KIND = "ml.m5.large"
PAYLOAD = {
    "TrainingJobName": "training",
    "AlgorithmSpecification": {"TrainingImage": "image", "ContainerEntrypoint": ["sleep", "600"]},
    "ResourceConfig": {"InstanceType": KIND, "InstanceCount": 1, "VolumeSizeInGB": 1},
}


@dataclass
class Ground:
    """One server for this file, with 4 vCPUs, and what tests say to it. `gate` holds jobs until it is opened."""

    yard: Yard
    gate: Gate
    service_jobs: list[str] = field(default_factory=list)

    def queue(self, *, most: int = VCPUS, priority: int = 1, environment: str | None = None, **members: Any) -> str:
        """A queue of its own name, in a compute environment of the same, or another."""
        name = f"why-{uuid.uuid4().hex[:8]}"
        if environment is None:
            environment = self.environment(name, most)
        order = [{"order": 1, "computeEnvironment": environment}]
        self.yard.batch.create_job_queue(jobQueueName=name, priority=priority, computeEnvironmentOrder=order, **members)
        return name

    def environment(self, name: str, most: int) -> str:
        """A compute environment."""
        resources = {"type": "EC2", "minvCpus": 0, "maxvCpus": most, "instanceTypes": ["optimal"]}
        resources |= {"subnets": ["subnet-1"], "securityGroupIds": [], "instanceRole": "role"}
        self.yard.batch.create_compute_environment(
            computeEnvironmentName=name, type="MANAGED", computeResources=resources
        )
        return name

    def policy(self, **members: Any) -> str:
        """A scheduling policy; returns its ARN."""
        arn: str = self.yard.batch.create_scheduling_policy(name=f"why-{uuid.uuid4().hex[:8]}", **members)["arn"]
        return arn

    def submit(self, queue: str, vcpus: int = 1, **members: Any) -> str:
        """A job that waits for the gate."""
        amounts = [{"type": "VCPU", "value": str(vcpus)}, {"type": "MEMORY", "value": "64"}]
        overrides = {"resourceRequirements": amounts}
        return self.yard.shell(self.gate.script, jobQueue=queue, containerOverrides=overrides, **members)

    def holding(self, queue: str, vcpus: int = 1, **members: Any) -> str:
        """The same, once it runs."""
        job_id = self.submit(queue, vcpus, **members)
        self.yard.until(job_id, "RUNNING")
        return job_id

    def ask(self, job_id: str) -> dict[str, Any]:
        """What the page says."""
        with urllib.request.urlopen(f"{self.yard.server.url}/why/{quote(job_id)}", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def why(self, job_id: str, cause: str) -> dict[str, Any]:
        """The same, once it names this cause; two seconds at the most."""
        seen = [self.ask(job_id)]

        def look() -> dict[str, Any] | None:
            seen[0] = self.ask(job_id)
            return seen[0] if seen[0]["cause"] == cause else None

        try:
            return wait_for(look, cause, SECONDS)
        except AssertionError:
            raise AssertionError(f"{cause} is not said within {SECONDS} s, but {seen[0]}") from None


@pytest.fixture(scope="module")
def why_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(
        tmp_path_factory.mktemp("why"),
        *("--executor", "process", "--max-vcpus", str(VCPUS), "--max-memory", "16384"),
        settings={"stop_grace_seconds": 1.0},
    )
    server.start()
    yield server
    server.end()


@pytest.fixture
def ground(why_server: ServerProcess, gate: Gate) -> Iterator[Ground]:
    made = Ground(Yard.at(why_server), gate)
    yield made
    for job_id in made.service_jobs:
        made.yard.batch.terminate_service_job(jobId=job_id, reason="the test is over")
    made.yard.clear()


def names(found: dict[str, Any]) -> list[str]:
    return [holder["jobId"] for holder in found["facts"]["holders"]]


# ------------------------------------------------------------------------------------------------------- dependencies


def test_a_dependency_that_is_open(ground: Ground) -> None:
    first = ground.holding("default", jobName="first")
    found = ground.why(ground.submit("default", dependsOn=[{"jobId": first}]), "DEPENDENCY")
    assert f"first ({first}) is RUNNING" in found["sentence"]
    assert found["facts"]["dependencies"] == [
        {"jobId": first, "jobName": "first", "jobQueue": "default", "status": "RUNNING"}
    ]


def test_the_partner_of_an_n_to_n_dependency(ground: Ground) -> None:
    first = ground.submit("default", size=2)
    second = ground.submit("default", size=2, dependsOn=[{"jobId": first, "type": "N_TO_N"}])
    ground.yard.until(f"{first}:1", "RUNNING")
    found = ground.why(f"{second}:1", "DEPENDENCY")
    assert found["jobId"] == f"{second}:1"
    [partner] = found["facts"]["dependencies"]
    assert (partner["jobId"], partner["type"], partner["status"]) == (f"{first}:1", "N_TO_N", "RUNNING")


def test_the_predecessor_in_a_sequential_array(ground: Ground) -> None:
    array = ground.submit("default", size=3, dependsOn=[{"type": "SEQUENTIAL"}])
    ground.yard.until(f"{array}:0", "RUNNING")
    found = ground.why(f"{array}:2", "DEPENDENCY")
    [before] = found["facts"]["dependencies"]
    assert (before["jobId"], before["type"], before["status"]) == (f"{array}:1", "SEQUENTIAL", "PENDING")
    assert f"{array}:1), the child before it (SEQUENTIAL), is PENDING" in found["sentence"]


def test_a_job_that_was_cancelled_while_it_was_pending(ground: Ground) -> None:
    first = ground.holding("default")
    job_id = ground.submit("default", dependsOn=[{"jobId": first}])
    ground.yard.until(job_id, "PENDING")
    ground.yard.batch.cancel_job(jobId=job_id, reason="not today")
    found = ground.why(job_id, "CANCELLED")
    assert found["status"] == "PENDING"
    assert first in found["sentence"]


# ----------------------------------------------------------------------------------------------- states and capacity


def test_a_queue_that_is_disabled(ground: Ground) -> None:
    queue = ground.queue(most=1)
    holder = ground.holding(queue)
    job_id = ground.submit(queue)
    ground.yard.batch.update_job_queue(jobQueue=queue, state="DISABLED")
    found = ground.why(job_id, "COMPUTE_ENVIRONMENT_FULL")
    assert names(found) == [holder], "it goes on with what it has; that is not what the job waits for"
    assert found["facts"]["queue"]["state"] == "DISABLED"
    assert f"The queue {queue} is DISABLED: it takes no new jobs, and goes on with this one." in found["details"]


def test_a_compute_environment_that_is_disabled(ground: Ground) -> None:
    queue = ground.queue()
    ground.yard.batch.update_compute_environment(computeEnvironment=queue, state="DISABLED")
    found = ground.why(ground.submit(queue), "COMPUTE_ENVIRONMENT_CLOSED")
    assert f"{queue} is DISABLED" in found["sentence"]
    ground.yard.batch.update_compute_environment(computeEnvironment=queue, state="ENABLED")
    ground.why(found["jobId"], "RUNNING")


def test_the_machine_is_full(ground: Ground) -> None:
    holder = ground.holding("default", 3, jobName="holder")
    found = ground.why(ground.submit("default", 2), "MACHINE_FULL")
    assert names(found) == [holder]
    assert f"It is held by holder ({holder})." in found["sentence"]
    assert found["facts"]["machine"]["free"]["vcpus"] == 1


def test_a_compute_environment_has_reached_its_max_vcpus(ground: Ground) -> None:
    queue = ground.queue(most=2)
    holder = ground.holding(queue, 2)
    found = ground.why(ground.submit(queue), "COMPUTE_ENVIRONMENT_FULL")
    assert found["facts"]["computeEnvironments"] == [{"name": queue, "limit": 2, "used": 2}]
    assert names(found) == [holder]


def test_behind_the_head_of_the_queue(ground: Ground) -> None:
    ground.holding("default", 3)
    head = ground.submit("default", 2, jobName="head")
    ground.submit("default", size=7)
    found = ground.why(ground.submit("default"), "BEHIND_IN_QUEUE")
    assert found["facts"]["before"]["jobId"] == head, "one vCPU is free, and kept for the head"
    assert found["facts"]["position"] == {"jobsAhead": 2, "childrenAhead": 0, "isMore": False}


def test_a_queue_of_higher_priority_takes_the_room(ground: Ground) -> None:
    urgent, patient = ground.queue(priority=9), ground.queue(priority=2)
    ground.holding(urgent, VCPUS)
    job_id = ground.submit(patient)
    ground.why(job_id, "MACHINE_FULL")
    first = ground.submit(urgent)
    found = ground.why(job_id, "OTHER_QUEUE_FIRST")
    assert (found["facts"]["before"]["jobId"], found["facts"]["before"]["jobQueue"]) == (first, urgent)


def test_a_job_that_can_never_fit(ground: Ground) -> None:
    found = ground.why(ground.submit("default", 64), "NEVER_FITS")
    assert "the machine has 4 vCPUs" in found["sentence"]
    assert "--max-vcpus" in found["sentence"], "with the remedy"


def test_a_retry_that_waits(ground: Ground) -> None:
    queue = ground.queue()
    script = f"{ground.gate.script}; exit 3"
    job_id = ground.yard.shell(script, jobQueue=queue, retryStrategy={"attempts": 3})
    ground.yard.until(job_id, "RUNNING")
    ground.yard.batch.update_compute_environment(computeEnvironment=queue, state="DISABLED")
    ground.gate.open()
    found = ground.why(job_id, "COMPUTE_ENVIRONMENT_CLOSED")
    assert found["sentence"].startswith("Attempt 1 of 3 failed with exit code 3, and it is to be tried again.")
    assert found["facts"]["retry"]["exitCode"] == 3


# ------------------------------------------------------------------------------------------- resources and shares


def licences(ground: Ground, total: int) -> str:
    name = f"licence-{uuid.uuid4().hex[:8]}"
    ground.yard.batch.create_consumable_resource(consumableResourceName=name, totalQuantity=total)
    return name


def needing(name: str, quantity: int) -> dict[str, Any]:
    entries = [{"consumableResource": name, "quantity": quantity}]
    return {"consumableResourcePropertiesOverride": {"consumableResourceList": entries}}


def test_a_consumable_resource_that_another_job_holds(ground: Ground) -> None:
    name = licences(ground, 3)
    holder = ground.holding("default", **needing(name, 2))
    found = ground.why(ground.submit("default", **needing(name, 2)), "CONSUMABLE_RESOURCE")
    assert found["facts"]["resource"] == {"name": name, "quantity": 2, "available": 1, "total": 3}
    assert [(h["jobId"], h["quantity"]) for h in found["facts"]["holders"]] == [(holder, 2)]


def test_a_consumable_resource_of_which_there_is_never_enough(ground: Ground) -> None:
    name = licences(ground, 1)
    job_id = ground.submit("default", **needing(name, 2))
    found = ground.why(job_id, "NEVER_FITS")
    assert found["facts"]["resource"]["name"] == name
    ground.yard.batch.update_consumable_resource(consumableResource=name, operation="SET", quantity=2)
    ground.why(job_id, "RUNNING")


def test_the_turn_of_another_share(ground: Ground) -> None:
    queue = ground.queue(schedulingPolicyArn=ground.policy(fairsharePolicy={"shareDecaySeconds": 600}))
    greedy = ground.holding(queue, VCPUS, shareIdentifier="greedy")
    modest = ground.submit(queue, shareIdentifier="modest")
    found = ground.why(ground.submit(queue, shareIdentifier="greedy"), "FAIR_SHARE")
    assert found["facts"]["before"]["jobId"] == modest
    first, second = found["facts"]["shares"]
    assert (first["shareIdentifier"], second["shareIdentifier"]) == ("modest", "greedy")
    assert first["weighted"] < second["weighted"]
    assert names(found) == [greedy]


def test_what_is_left_is_reserved(ground: Ground) -> None:
    policy = ground.policy(fairsharePolicy={"computeReservation": 50})
    queue = ground.queue(schedulingPolicyArn=policy)
    holder = ground.holding(queue, 2, shareIdentifier="a")
    found = ground.why(ground.submit(queue, shareIdentifier="a"), "RESERVATION")
    assert (found["facts"]["held"], found["facts"]["unreserved"]) == (2, 2)
    assert names(found) == [holder]


def test_a_quota_share_has_all_its_instances(ground: Ground) -> None:
    batch, name = ground.yard.batch, f"why-{uuid.uuid4().hex[:8]}"
    limit = [{"maxCapacity": 2, "capacityUnit": KIND}]
    batch.create_service_environment(
        serviceEnvironmentName=name, serviceEnvironmentType="SAGEMAKER_TRAINING", capacityLimits=limit
    )
    arn = ground.policy(quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"})
    batch.create_job_queue(
        jobQueueName=name,
        jobQueueType="SAGEMAKER_TRAINING",
        priority=1,
        serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": name}],
        schedulingPolicyArn=arn,
    )
    batch.create_quota_share(
        quotaShareName="team",
        jobQueue=name,
        capacityLimits=[{"maxCapacity": 1, "capacityUnit": KIND}],
        resourceSharingConfiguration={"strategy": "RESERVE"},
        preemptionConfiguration={"inSharePreemption": "DISABLED"},
    )
    request = {"jobQueue": name, "serviceJobType": "SAGEMAKER_TRAINING", "quotaShareName": "team"}
    for number in range(2):
        payload = json.dumps({**PAYLOAD, "TrainingJobName": f"training-{number}"})
        made = batch.submit_service_job(jobName=f"train-{number}", serviceRequestPayload=payload, **request)
        ground.service_jobs.append(made["jobId"])
    holder, waits = ground.service_jobs
    found = ground.why(waits, "QUOTA_SHARE_LIMIT")
    assert "Its quota share team holds 1 of its 1 instance" in Terminal(ground.yard.server.url)("why", waits).output
    assert names(found) == [holder]
    assert found["facts"]["quotaShare"]["limit"] == 1


# ------------------------------------------------------------------------------------------------------------- the page


def test_the_command_says_what_the_page_says(ground: Ground) -> None:
    holder = ground.holding("default", VCPUS, jobName="holder")
    job_id = ground.submit("default", jobName="waits")
    found = ground.why(job_id, "MACHINE_FULL")
    batchyard = Terminal(ground.yard.server.url)
    assert batchyard("why", job_id).output.splitlines() == [
        f"RUNNABLE waits  {job_id}",
        f"  {found['sentence']}",
        *(f"  {line}" for line in found["details"]),
    ]
    told = batchyard("why", "waits", "-o", "json").json
    assert told == {**found, "why": [found["sentence"], *found["details"]]}
    assert f"holder ({holder}) holds 4 vCPUs and 64 MiB in default." in told["why"]


def test_what_ended_says_how(ground: Ground) -> None:
    job = ground.yard.run(["sh", "-c", "exit 127"])
    found = ground.ask(job["jobId"])
    assert (found["cause"], found["facts"]["exitCode"]) == ("FAILED", 127)
    assert "the command was not found" in found["sentence"]
    assert found["details"] == ["It has no retry strategy, so it was not tried again."]
    dependent = ground.yard.submit(["true"], dependsOn=[{"jobId": job["jobId"]}])
    ground.yard.ended(dependent)
    found = ground.ask(dependent)
    assert found["facts"]["dependencies"][0]["jobId"] == job["jobId"]
    assert job["jobId"] in found["sentence"]


def refused(ground: Ground, job_id: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(f"{ground.yard.server.url}/why/{quote(job_id)}", headers=headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    message = json.load(caught.value)["message"]
    caught.value.close()
    return caught.value.code, message


def test_jobs_that_do_not_exist(ground: Ground) -> None:
    array = ground.submit("default", size=2)
    for job_id in (str(uuid.UUID(int=1)), f"{array}:2", f"{array}#0"):
        assert refused(ground, job_id) == (404, f"There is no job '{job_id}'.")
    assert refused(ground, "no job!")[0] == 400
    assert refused(ground, array, Origin="http://localhost")[0] == 403


def test_nodes_and_arns_name_jobs_as_well(ground: Ground) -> None:
    holder = ground.holding("default", VCPUS)
    container = {"image": "busybox", "vcpus": 1, "memory": 64, "command": ["true"]}
    ranges = [{"targetNodes": "0:1", "container": container}]
    definition = ground.yard.batch.register_job_definition(
        jobDefinitionName="nodes",
        type="multinode",
        nodeProperties={"numNodes": 2, "mainNode": 0, "nodeRangeProperties": ranges},
    )["jobDefinitionArn"]
    made = ground.yard.batch.submit_job(jobName="nodes", jobQueue="default", jobDefinition=definition)
    ground.yard.submitted.append(made["jobId"])
    found = ground.why(f"{made['jobId']}#1", "MACHINE_FULL")
    assert found["jobId"] == f"{made['jobId']}#1"
    assert found["facts"]["needs"]["vcpus"] == 2
    assert names(ground.ask(made["jobArn"])) == [holder]
    assert refused(ground, f"{made['jobId']}#2")[0] == 404
