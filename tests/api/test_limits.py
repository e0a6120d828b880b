"""How long, how many, how large (F 2): what is at the limit is taken, what is beyond it is refused."""

from typing import Any

import pytest

from tests.api.conftest import CONTAINER, Yard
from tests.api.texts_of_definitions import PART, pod, task
from tests.api.texts_of_resources import SUBMIT
from tests.api.through_the_wire import refused

CLUSTER = "arn:aws:eks:eu-central-1:123456789012:cluster/a"
CE: dict[str, Any] = {"type": "MANAGED", "computeResources": {"type": "EC2", "maxvCpus": 1}}
SE = {"serviceEnvironmentType": "SAGEMAKER_TRAINING", "capacityLimits": [{"maxCapacity": 1, "capacityUnit": "a"}]}
DEFINITION = {"jobDefinitionName": "a", "type": "container", "containerProperties": CONTAINER}
ORDER = [{"order": 1, "computeEnvironment": "machine"}]


def container(**members: Any) -> dict[str, Any]:
    return {**DEFINITION, "containerProperties": {**CONTAINER, **members}}


def pods(number: int, member: str = "containers") -> dict[str, Any]:
    properties = pod(limits={"cpu": "1", "memory": "64Mi"})["eksProperties"]["podProperties"]
    each = properties["containers"][0]
    many = [{**each, "name": f"c{n}"} for n in range(number)]
    return {
        "jobDefinitionName": "a",
        "type": "container",
        "eksProperties": {"podProperties": {**properties, member: many}},
    }


def namespaced(namespace: str) -> dict[str, Any]:
    properties = pod(limits={"cpu": "1", "memory": "64Mi"})["eksProperties"]["podProperties"]
    return {
        "jobDefinitionName": "a",
        "type": "container",
        "eksProperties": {"podProperties": {**properties, "metadata": {"namespace": namespace}}},
    }


def parts(number: int) -> dict[str, Any]:
    return {"jobDefinitionName": "a", "type": "container", **task(*({**PART, "name": f"c{n}"} for n in range(number)))}


def exits(number: int) -> dict[str, Any]:
    entries = [{"action": "RETRY", "onExitCode": str(n)} for n in range(number)]
    return {**DEFINITION, "retryStrategy": {"attempts": 2, "evaluateOnExit": entries}}


def limits(number: int) -> dict[str, Any]:
    units = [{"maxCapacity": 1, "capacityUnit": f"ml.{n}"} for n in range(number)]
    return {**SE, "serviceEnvironmentName": "a", "capacityLimits": units}


NAMED: list[tuple[str, dict[str, Any], str, int]] = [
    ("CreateComputeEnvironment", CE, "computeEnvironmentName", 128),
    ("CreateJobQueue", {"priority": 1, "computeEnvironmentOrder": ORDER}, "jobQueueName", 128),
    ("CreateSchedulingPolicy", {}, "name", 128),
    ("CreateServiceEnvironment", SE, "serviceEnvironmentName", 128),
    ("CreateConsumableResource", {}, "consumableResourceName", 128),
    ("RegisterJobDefinition", DEFINITION, "jobDefinitionName", 128),
    ("SubmitJob", SUBMIT, "jobName", 128),
    ("SubmitJob", {**SUBMIT, "jobQueue": "fair"}, "shareIdentifier", 255),
    ("CancelJob", {"jobId": "a"}, "reason", 1024),
    ("TerminateJob", {"jobId": "a"}, "reason", 1024),
]
"""Texts that may have so many characters."""


@pytest.fixture
def furnished(yard: Yard) -> Yard:
    yard.environment()
    yard.queue()
    yard.definition()
    policy = yard.call("CreateSchedulingPolicy", name="fair", fairsharePolicy={})["arn"]
    yard.queue("fair", schedulingPolicyArn=policy)
    return yard


@pytest.mark.parametrize(("operation", "request_", "member", "longest"), NAMED)
def test_texts_have_a_longest(
    furnished: Yard, operation: str, request_: dict[str, Any], member: str, longest: int
) -> None:
    furnished.call(operation, {**request_, member: "x" * longest})
    assert refused(furnished, operation, {**request_, member: "x" * (longest + 1)}).code == "ClientException"


@pytest.mark.parametrize(
    ("operation", "member", "wrong"),
    [
        (operation, member, wrong)
        for operation, _, member, longest in NAMED
        for wrong in ("", "a b", "\u00e9", "a/b")
        if member != "reason" and (wrong or member != "shareIdentifier")
    ],
)
def test_names_are_letters_digits_hyphens_and_underscores(
    furnished: Yard, operation: str, member: str, wrong: str
) -> None:
    request = next(request for name, request, of, _ in NAMED if (name, of) == (operation, member))
    assert refused(furnished, operation, {**request, member: wrong}).code == "ClientException"


@pytest.mark.parametrize(
    ("operation", "good", "bad"),
    [
        ("SubmitJob", {**SUBMIT, "arrayProperties": {"size": 2}}, {**SUBMIT, "arrayProperties": {"size": 1}}),
        ("SubmitJob", {**SUBMIT, "arrayProperties": {"size": 10_000}}, {**SUBMIT, "arrayProperties": {"size": 10_001}}),
        ("SubmitJob", {**SUBMIT, "parameters": {"a": "x" * 30_000}}, {**SUBMIT, "parameters": {"a": "x" * 31_000}}),
        ("RegisterJobDefinition", container(command=["x" * 24_000]), container(command=["x" * 25_000])),
        ("RegisterJobDefinition", container(image="x" * 255), container(image="x" * 256)),
        ("RegisterJobDefinition", container(memory=4), container(memory=3)),
        ("RegisterJobDefinition", container(volumes=[{"name": "v" * 255}]), container(volumes=[{"name": "v" * 256}])),
        ("RegisterJobDefinition", parts(10), parts(11)),
        ("RegisterJobDefinition", pods(10), pods(11)),
        ("RegisterJobDefinition", pods(10, "initContainers"), pods(11, "initContainers")),
        ("RegisterJobDefinition", exits(5), exits(6)),
        ("RegisterJobDefinition", namespaced("n" * 63), namespaced("n" * 64)),
        ("RegisterJobDefinition", namespaced("jobs-1"), namespaced("Jobs")),
        ("RegisterJobDefinition", namespaced("a-default"), namespaced("default")),
        ("RegisterJobDefinition", namespaced("my-kube"), namespaced("kube-system")),
        ("CreateServiceEnvironment", limits(5), limits(6)),
        ("DescribeJobs", {"jobs": ["a"] * 100}, {"jobs": ["a"] * 101}),
        ("DescribeJobQueues", {"jobQueues": ["a"] * 100}, {"jobQueues": ["a"] * 101}),
        ("DescribeComputeEnvironments", {"computeEnvironments": ["a"] * 100}, {"computeEnvironments": ["a"] * 101}),
        ("DescribeServiceEnvironments", {"serviceEnvironments": ["a"] * 100}, {"serviceEnvironments": ["a"] * 101}),
        ("DescribeJobDefinitions", {"jobDefinitions": ["a"] * 100}, {"jobDefinitions": ["a"] * 101}),
        ("DescribeSchedulingPolicies", {"arns": ["a"] * 100}, {"arns": ["a"] * 101}),
        ("CancelJobs", {"jobs": ["a"] * 50, "reason": "r"}, {"jobs": ["a"] * 51, "reason": "r"}),
        ("TerminateJobs", {"jobs": ["a"] * 50, "reason": "r"}, {"jobs": ["a"] * 51, "reason": "r"}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_there_is_a_most_and_a_least(
    furnished: Yard, operation: str, good: dict[str, Any], bad: dict[str, Any]
) -> None:
    furnished.call(operation, good)
    assert refused(furnished, operation, bad).code == "ClientException"


@pytest.mark.parametrize(
    "tags",
    [{"k" * 129: ""}, {"": "v"}, {"k": "v" * 257}, {"aws:a": "v"}, {"AWS:a": "v"}, {f"k{n}": "" for n in range(51)}],
)
def test_tags_have_limits(furnished: Yard, tags: dict[str, str]) -> None:
    assert refused(furnished, "CreateSchedulingPolicy", {"name": "a", "tags": tags}).code == "ClientException"
    arn = furnished.call("CreateSchedulingPolicy", {"name": "a", "tags": {"k" * 128: "v" * 256}})["arn"]
    assert refused(furnished, "TagResource", {"resourceArn": arn, "tags": tags}).code == "ClientException"
    keys = [f"k{number}" for number in range(51)]
    assert refused(furnished, "UntagResource", {"resourceArn": arn, "tagKeys": keys}).code == "ClientException"


@pytest.mark.parametrize(
    ("operation", "request_", "member", "most"),
    [
        ("CreateComputeEnvironment", CE, "computeEnvironmentName", 50),
        ("CreateComputeEnvironment", {**CE, "eksConfiguration": {"eksClusterArn": CLUSTER, "kubernetesNamespace": "a"}, "computeResources": {**CE["computeResources"], "allocationStrategy": "BEST_FIT_PROGRESSIVE"}}, "computeEnvironmentName", 5),
        ("CreateJobQueue", {"priority": 1, "computeEnvironmentOrder": ORDER}, "jobQueueName", 50),
        ("CreateServiceEnvironment", SE, "serviceEnvironmentName", 50),
    ],
)  # fmt: skip
def test_an_account_holds_so_many(yard: Yard, operation: str, request_: dict[str, Any], member: str, most: int) -> None:
    if operation == "CreateJobQueue":
        yard.environment()
    for number in range(most):
        yard.call(operation, {**request_, member: f"n{number}"})
    told = refused(yard, operation, {**request_, member: "one-more"})
    assert "Account limit exceeded" in told.message


def test_a_queue_holds_twenty_quota_shares_and_one_service_environment(yard: Yard) -> None:
    for name in ("a", "b"):
        yard.call("CreateServiceEnvironment", {**SE, "serviceEnvironmentName": name})
    quota = {"quotaSharePolicy": {"idleResourceAssignmentStrategy": "FIFO"}}
    policy = yard.call("CreateSchedulingPolicy", {"name": "quota", **quota})["arn"]
    order = [{"order": number, "serviceEnvironment": name} for number, name in enumerate("ab")]
    queue = {"jobQueueName": "training", "priority": 1, "schedulingPolicyArn": policy}
    told = refused(yard, "CreateJobQueue", {**queue, "serviceEnvironmentOrder": order})
    assert told.message.count("Only 1 environments are allowed in job queue request.") == 1
    yard.call("CreateJobQueue", {**queue, "serviceEnvironmentOrder": order[:1]})
    share = {
        "jobQueue": "training",
        "capacityLimits": SE["capacityLimits"],
        "resourceSharingConfiguration": {"strategy": "RESERVE"},
        "preemptionConfiguration": {"inSharePreemption": "DISABLED"},
    }
    for number in range(20):
        yard.call("CreateQuotaShare", {**share, "quotaShareName": f"s{number}"})
    assert "Account limit exceeded" in refused(yard, "CreateQuotaShare", {**share, "quotaShareName": "s20"}).message
