"""Jobs of several containers and nodes in the engine: what they need together, and how an attempt of them is lost."""

from typing import Any

from tests.engine.yard import Yard, job_request
from tests.simulation.ledger import Run

LICENCE = "permits"  # there are three


def need(quantity: int) -> dict[str, Any]:
    return {"consumableResourceList": [{"consumableResource": LICENCE, "quantity": quantity}]}


def container(vcpus: int = 1) -> dict[str, Any]:
    needs = [{"type": "VCPU", "value": str(vcpus)}, {"type": "MEMORY", "value": "100"}]
    return {"image": "i", "command": ["hangs"], "resourceRequirements": needs}


def define_nodes(yard: Yard, number: int, *ranges: dict[str, Any]) -> str:
    properties = {"numNodes": number, "mainNode": 0, "nodeRangeProperties": list(ranges)}
    yard.ask("RegisterJobDefinition", jobDefinitionName="several", type="multinode", nodeProperties=properties)
    return "several"


def in_use(yard: Yard) -> int:
    found = yard.read("DescribeConsumableResource", consumableResource=LICENCE)
    return int(found["inUseQuantity"])


def the_run(yard: Yard) -> Run:
    (run,) = yard.world.ledger.running()
    return run


def test_nodes_need_what_their_ranges_need_of_consumable_resources(yard: Yard) -> None:
    ranges = [
        {"targetNodes": "0", "container": container()},
        {"targetNodes": "1:", "container": container(), "consumableResourceProperties": need(1)},
    ]
    job = yard.submit(jobDefinition=define_nodes(yard, 3, *ranges), parameters={})
    assert (yard.running(), in_use(yard)) == ([job], 2)
    override = {
        "nodePropertyOverrides": [{"targetNodes": "1:", "consumableResourcePropertiesOverride": need(2)}],
        "numNodes": 2,
    }
    waiting = yard.submit(jobDefinition="several", parameters={}, nodeOverrides=override)
    assert yard.describe(waiting)["status"] == "RUNNABLE"
    yard.finish(job)
    assert (yard.running(), in_use(yard)) == ([waiting], 2)
    yard.finish(waiting)
    assert in_use(yard) == 0


def test_nodes_are_placed_together_or_not_at_all(yard: Yard) -> None:
    first = yard.submit(jobDefinition=define_nodes(yard, 4, {"targetNodes": "0:", "container": container()}))
    second = yard.submit(jobDefinition="several")
    assert yard.running() == [first]
    assert len(the_run(yard).launch.containers) == 4
    assert yard.describe(second)["status"] == "RUNNABLE"
    yard.finish(first)
    assert yard.running() == [second]


def test_a_replaced_host_loses_all_containers(yard: Yard) -> None:
    request = job_request(jobQueue="narrow", retryStrategy={"attempts": 2})
    task = {"containers": [{**container(), "name": name} for name in ("one", "two")]}
    yard.ask(
        "RegisterJobDefinition", jobDefinitionName="pair", type="container", ecsProperties={"taskProperties": [task]}
    )
    job = yard.ask_now("SubmitJob", **request | {"jobDefinition": "pair"})["jobId"]
    yard.let_pass(1)
    assert yard.describe(job)["status"] == "RUNNING"
    infrastructure = {"imageId": "ami-new"}
    policy = {"terminateJobsOnUpdate": True}
    yard.ask_now(
        "UpdateComputeEnvironment", computeEnvironment="small", computeResources=infrastructure, updatePolicy=policy
    )
    yard.settle()
    found = yard.describe(job)
    (lost,) = found["attempts"]
    assert lost["statusReason"].startswith("Host EC2 (instance ")
    assert [set(c) & {"exitCode", "reason"} for c in lost["taskProperties"][0]["containers"]] == [set(), set()]
    assert all(end.exit_code == 143 for end in yard.world.ledger.runs[0].exits)
    assert (found["status"], yard.running()) == ("RUNNING", [job])
    yard.finish(job, exit_code=4)
    _, again = yard.describe(job)["attempts"]
    assert [c["exitCode"] for c in again["taskProperties"][0]["containers"]] == [4, 143]
