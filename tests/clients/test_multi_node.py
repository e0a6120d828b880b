"""Multi-node parallel jobs: all nodes of a job on this machine."""

import itertools
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.clients.yard import Yard

pytestmark = pytest.mark.process

_numbers = itertools.count(1)


def container(script: str) -> dict[str, Any]:
    return {"image": "busybox", "vcpus": 1, "memory": 64, "command": ["sh", "-c", script]}


def define_nodes(yard: Yard, number: int, main: int, **ranges: str) -> str:
    """Register a multi-node definition; `ranges` are scripts by `from_to`, as in `n0_2`, or `n3_` for an open range."""
    name = f"nodes-{next(_numbers)}"
    properties = [
        {"targetNodes": target.removeprefix("n").replace("_", ":"), "container": container(script)}
        for target, script in ranges.items()
    ]
    yard.batch.register_job_definition(
        jobDefinitionName=name,
        type="multinode",
        nodeProperties={"numNodes": number, "mainNode": main, "nodeRangeProperties": properties},
    )
    return name


def nodes(yard: Yard, job_id: str, number: int) -> list[dict[str, Any]]:
    """The nodes as DescribeJobs shows them."""
    return yard.describe(*(f"{job_id}#{node}" for node in range(number)))


WORDS = (
    'echo "$AWS_BATCH_JOB_ID $AWS_BATCH_JOB_NODE_INDEX $AWS_BATCH_JOB_NUM_NODES $AWS_BATCH_JOB_MAIN_NODE_INDEX '
    '${AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS:-none}"'
)


def test_the_main_node_ends_the_job_and_every_node_knows_its_place(yard: Yard) -> None:
    definition = define_nodes(yard, 4, 1, n0_=f"{WORDS}; exec sleep 1000", n1_1=f"{WORDS}; sleep 0.5")
    job_id = yard.submit(definition)
    job = yard.ended(job_id)
    assert (job["status"], job["attempts"][0]["container"]["exitCode"]) == ("SUCCEEDED", 0)
    assert "container" not in job
    assert job["nodeProperties"]["numNodes"] == 4
    found = nodes(yard, job_id, 4)
    assert [node["nodeDetails"] for node in found] == [{"nodeIndex": i, "isMainNode": i == 1} for i in range(4)]
    words = [yard.log(node)[0].split() for node in found]
    addresses = {word[4] for i, word in enumerate(words) if i != 1}
    assert [word[:4] for word in words] == [[f"{job_id}#{i}", str(i), "4", "1"] for i in range(4)]
    assert words[1][4] == "none"
    assert len(addresses) == 1
    assert addresses.pop().startswith("127.")
    assert job["attempts"][0]["container"]["logStreamName"] == found[1]["container"]["logStreamName"]
    assert len({node["container"]["taskArn"] for node in found}) == 4


def test_a_child_node_that_dies_changes_nothing(yard: Yard) -> None:
    definition = define_nodes(yard, 3, 0, n0_0="sleep 0.6", n1_1="exit 9", n2_2="exec sleep 1000")
    job_id = yard.submit(definition)
    assert yard.ended(job_id)["status"] == "SUCCEEDED"
    main, died, stopped = nodes(yard, job_id, 3)
    assert (main["status"], died["status"], stopped["status"]) == ("SUCCEEDED", "FAILED", "SUCCEEDED")
    assert (died["container"]["exitCode"], stopped["container"]["exitCode"]) == (9, 143)
    listed = yard.listed(multiNodeJobId=job_id, jobStatus="FAILED")
    assert [(one["jobId"], one["nodeProperties"]) for one in listed] == [
        (f"{job_id}#1", {"isMainNode": False, "numNodes": 3, "nodeIndex": 1})
    ]
    assert [one["jobId"] for one in yard.listed(multiNodeJobId=job_id, jobStatus="SUCCEEDED")] == [
        f"{job_id}#0",
        f"{job_id}#2",
    ]


def test_the_main_node_drives_the_retries_of_all(yard: Yard) -> None:
    definition = define_nodes(yard, 2, 0, n0_0="sleep 0.2; exit 3", n1_1="exec sleep 1000")
    job_id = yard.submit(definition, retryStrategy={"attempts": 2})
    job = yard.ended(job_id)
    assert (job["status"], len(job["attempts"])) == ("FAILED", 2)
    assert [len(node["attempts"]) for node in nodes(yard, job_id, 2)] == [2, 2]


def test_nodes_of_several_containers_and_of_pods(yard: Yard) -> None:
    def part(name: str, script: str) -> dict[str, Any]:
        needs = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
        return {"name": name, "image": "i", "command": ["sh", "-c", script], "resourceRequirements": needs}

    limits = {"limits": {"cpu": "1", "memory": "64Mi"}}
    pod = {"containers": [{"name": "in-pod", "image": "i", "command": ["sh", "-c", "exit 6"], "resources": limits}]}
    task = {"taskProperties": [{"containers": [part("app", "exec sleep 100"), part("end", "sleep 0.4; exit 4")]}]}
    for name, other in (("tasks", {"ecsProperties": task}), ("pods", {"eksProperties": {"podProperties": pod}})):
        ranges = [{"targetNodes": "0", "ecsProperties": task}, {"targetNodes": "1:", **other}]
        yard.batch.register_job_definition(
            jobDefinitionName=name,
            type="multinode",
            nodeProperties={"numNodes": 2, "mainNode": 0, "nodeRangeProperties": ranges},
        )
    with_tasks, with_pods = yard.submit("tasks"), yard.submit("pods")
    job = yard.ended(with_tasks)
    assert (job["status"], job["attempts"][0]["container"]["exitCode"]) == ("FAILED", 4)
    for node in nodes(yard, with_tasks, 2):
        (now,), (then,) = node["ecsProperties"]["taskProperties"], node["attempts"][0]["taskProperties"]
        assert [c["name"] for c in now["containers"]] == ["app", "end"]
        assert (now["taskArn"], now["containers"][1]["logStreamName"]) == (
            then["taskArn"],
            then["containers"][1]["logStreamName"],
        )
        assert "container" not in node
    yard.ended(with_pods)
    child = nodes(yard, with_pods, 2)[1]
    assert child["eksProperties"]["podProperties"]["podName"] == child["eksAttempts"][0]["podName"]
    assert (child["status"], child["eksAttempts"][0]["containers"][0]["exitCode"]) == ("FAILED", 6)


def test_terminating_the_job_ends_all_nodes(yard: Yard) -> None:
    definition = define_nodes(yard, 3, 0, n0_="exec sleep 1000")
    job_id = yard.submit(definition)
    yard.until(job_id, "RUNNING")
    yard.batch.terminate_job(jobId=job_id, reason="enough")
    assert yard.ended(job_id)["statusReason"] == "enough"
    assert {node["status"] for node in nodes(yard, job_id, 3)} == {"FAILED"}
    assert {node["container"]["exitCode"] for node in nodes(yard, job_id, 3)} <= {143, None}


def test_node_overrides(yard: Yard) -> None:
    definition = define_nodes(yard, 2, 0, n0_0="sleep 0.3", n1_="exit 0")
    overrides = {
        "numNodes": 4,
        "nodePropertyOverrides": [
            {"targetNodes": "1:", "containerOverrides": {"command": ["sh", "-c", "echo over; exec sleep 100"]}}
        ],
    }
    job_id = yard.submit(definition, nodeOverrides=overrides)
    job = yard.ended(job_id)
    assert job["nodeProperties"]["numNodes"] == 4
    assert [yard.log(node) for node in nodes(yard, job_id, 4)[1:]] == [["over"]] * 3


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"nodePropertyOverrides": [{"targetNodes": "0:1"}]}, "Non matching targets - 0:1"),
        ({"numNodes": 1001}, "Number of nodes must be between 1 and 1000"),
        ({"numNodes": 3}, "open-ended"),
    ],
)
def test_node_overrides_that_fit_no_range_are_refused(yard: Yard, override: dict[str, Any], words: str) -> None:
    definition = define_nodes(yard, 2, 0, n0_0="true", n1_1="true")
    with pytest.raises(ClientError, match=words):
        yard.submit(definition, nodeOverrides=override)


def test_an_array_of_nodes_is_refused(yard: Yard) -> None:
    with pytest.raises(ClientError, match="arrayProperties"):
        yard.submit(define_nodes(yard, 2, 0, n0_="true"), size=2)


def test_unknown_nodes_are_not_described(yard: Yard) -> None:
    job_id = yard.submit(define_nodes(yard, 2, 0, n0_="true"))
    single = yard.submit(["true"])
    assert yard.batch.describe_jobs(jobs=[f"{job_id}#2", f"{single}#0"])["jobs"] == []
