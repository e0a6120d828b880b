"""Why a job waits, by the plan of the moment: each cause in a yard where every process runs until it is told to end."""

from dataclasses import replace
from typing import Any

import pytest

from batchyard.api.explanations.explain_job import explain_job
from batchyard.core.access import Principal, Role
from batchyard.core.explanations.waiting import POSITIONS_MAX
from batchyard.core.refusals import Refusal
from batchyard.store.database import Database
from tests.engine.test_consumable_resources import make, needing, update
from tests.engine.test_fair_share import make_queue, pass_time, submit
from tests.engine.test_quota_shares import KIND, quota, train
from tests.engine.yard import Yard, job_request


def why(yard: Yard, job_id: str, principal: Principal | None = None) -> dict[str, Any]:
    server = yard.world.server
    assert server is not None
    with Database.read(yard.world.database) as tx:
        context = server.context(tx, principal)
        found = explain_job(context, server.engine.outlook, job_id)
    assert found is not None
    return found


def vcpus(number: int, memory_mib: int = 100) -> dict[str, Any]:
    amounts = [{"type": "VCPU", "value": str(number)}, {"type": "MEMORY", "value": str(memory_mib)}]
    return {"containerOverrides": {"resourceRequirements": amounts}}


def holders(found: dict[str, Any]) -> list[str]:
    return [holder["jobId"] for holder in found["facts"]["holders"]]


def test_the_machine_is_full_and_who_holds_it_is_named(yard: Yard) -> None:
    small, big = yard.submit(), yard.submit(**vcpus(5))
    waits = yard.submit(jobName="waits", **vcpus(2))
    found = why(yard, waits)
    assert found["cause"] == "MACHINE_FULL"
    assert found["sentence"] == (
        "It waits for room on this machine: it needs 2 vCPUs, and 0 of 6 vCPUs are free. "
        f"It is held by job ({big}) and job ({small})."
    )
    assert holders(found) == [big, small]
    assert found["facts"]["holders"][0]["vcpus"] == 5
    assert found["facts"]["machine"]["free"]["vcpus"] == 0
    assert found["facts"]["needs"] == {"vcpus": 2, "memoryMiB": 100, "gpus": 0}


def test_memory_may_be_what_is_short(yard: Yard) -> None:
    yard.submit(**vcpus(1, 1500))
    found = why(yard, yard.submit(**vcpus(1, 600)))
    assert found["cause"] == "MACHINE_FULL"
    assert "it needs 600 MiB, and 500 of 2,000 MiB are free" in found["sentence"]


def test_the_compute_environment_is_full_though_the_machine_is_not(yard: Yard) -> None:
    holder = yard.submit(jobQueue="narrow", **vcpus(2))
    found = why(yard, yard.submit(jobQueue="narrow"))
    assert found["cause"] == "COMPUTE_ENVIRONMENT_FULL"
    assert "small has 0 of its 2 vCPUs free (maxvCpus)" in found["sentence"]
    assert holders(found) == [holder]
    assert found["facts"]["computeEnvironments"] == [{"name": "small", "limit": 2, "used": 2}]


def test_behind_the_head_of_its_queue(yard: Yard) -> None:
    yard.submit(**vcpus(4))
    head = yard.submit(jobName="head", **vcpus(3))
    second, third = yard.submit(size=3), yard.submit()
    found = why(yard, third)
    assert found["cause"] == "BEHIND_IN_QUEUE"
    assert found["facts"]["before"]["jobId"] == head
    assert f"behind head ({head})" in found["sentence"]
    assert "it needs 3 vCPUs, and 2 of 6 vCPUs are free" in found["sentence"]
    assert found["facts"]["position"] == {"jobsAhead": 2, "childrenAhead": 0, "isMore": False}
    assert why(yard, f"{second}:2")["facts"]["position"] == {"jobsAhead": 1, "childrenAhead": 2, "isMore": False}


def test_a_position_is_counted_to_a_bound(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchyard.api.explanations.placing.POSITIONS_MAX", 3)
    monkeypatch.setattr("batchyard.core.explanations.waiting.POSITIONS_MAX", 3)
    assert POSITIONS_MAX == 1000
    yard.submit(**vcpus(6))
    jobs = [yard.submit(**vcpus(6)) for _ in range(6)]
    assert why(yard, jobs[2])["facts"]["position"] == {"jobsAhead": 2, "childrenAhead": 0, "isMore": False}
    assert why(yard, jobs[3])["facts"]["position"] == {"jobsAhead": 3, "childrenAhead": 0, "isMore": False}
    found = why(yard, jobs[5])
    assert found["facts"]["position"] == {"jobsAhead": 3, "childrenAhead": 0, "isMore": True}
    assert "Before it in the queue urgent: more than 3 jobs." in found["details"]


def test_a_queue_of_higher_priority_is_served_first(yard: Yard) -> None:
    running = yard.submit(**vcpus(6))
    low = yard.submit(jobQueue="normal")
    assert why(yard, low)["cause"] == "MACHINE_FULL"
    first = yard.submit(jobName="first", **vcpus(2))
    found = why(yard, low)
    assert found["cause"] == "OTHER_QUEUE_FIRST"
    assert found["facts"]["before"]["jobId"] == first
    assert f"first ({first}) in the queue urgent" in found["sentence"]
    assert holders(found) == [running]


def test_room_that_is_free_may_be_kept_for_another_queue(yard: Yard) -> None:
    yard.ask("CreateJobQueue", jobQueueName="low", priority=0, computeEnvironmentOrder=[order("small")])
    yard.submit(jobQueue="narrow")
    head = yard.submit(jobQueue="narrow", **vcpus(2))
    found = why(yard, yard.submit(jobQueue="low"))
    assert found["cause"] == "OTHER_QUEUE_FIRST"
    assert found["facts"]["before"]["jobId"] == head
    assert found["facts"]["computeEnvironments"] == [{"name": "small", "limit": 2, "used": 1}]


def order(environment: str, at: int = 1) -> dict[str, Any]:
    return {"order": at, "computeEnvironment": environment}


def test_compute_environments_that_are_disabled(yard: Yard) -> None:
    yard.ask("UpdateComputeEnvironment", computeEnvironment="small", state="DISABLED")
    found = why(yard, yard.submit(jobQueue="narrow"))
    assert found["cause"] == "COMPUTE_ENVIRONMENT_CLOSED"
    assert found["sentence"] == "None of its queue's compute environments takes jobs now: small is DISABLED."
    assert found["facts"]["computeEnvironments"] == [{"name": "small", "state": "DISABLED", "status": "VALID"}]


def test_only_the_environment_that_is_large_enough_may_be_disabled(yard: Yard) -> None:
    yard.ask("UpdateComputeEnvironment", computeEnvironment="large", state="DISABLED")
    found = why(yard, yard.submit(**vcpus(4)))
    assert found["cause"] == "COMPUTE_ENVIRONMENT_CLOSED"
    assert "large is DISABLED" in found["sentence"]
    assert "small" not in found["sentence"]


def test_a_queue_that_is_being_made_places_nothing(yard: Yard) -> None:
    yard.hold_phases(60)
    yard.ask_now("CreateJobQueue", jobQueueName="early", priority=1, computeEnvironmentOrder=[order("small")])
    job_id = yard.ask_now("SubmitJob", **job_request(jobQueue="early"))["jobId"]
    assert why(yard, job_id)["cause"] == "QUEUE_NOT_VALID"


def test_a_queue_that_is_disabled_goes_on_with_what_it_has(yard: Yard) -> None:
    running = yard.submit(jobQueue="narrow", **vcpus(2))
    waits = yard.submit(jobQueue="narrow")
    yard.ask("UpdateJobQueue", jobQueue="narrow", state="DISABLED")
    found = why(yard, waits)
    assert (found["cause"], holders(found)) == ("COMPUTE_ENVIRONMENT_FULL", [running])
    assert found["facts"]["queue"]["state"] == "DISABLED"
    assert any("The queue narrow is DISABLED" in line for line in found["details"])


def test_a_consumable_resource_is_held_by_another_job(yard: Yard) -> None:
    make(yard, 3)
    holder, waits = yard.submit(jobName="holder", **needing(2)), yard.submit(**needing(2))
    found = why(yard, waits)
    assert found["cause"] == "CONSUMABLE_RESOURCE"
    assert found["sentence"] == (f"It needs 2 of licence, of which 1 of 3 are free. holder ({holder}) holds 2.")
    later = why(yard, yard.submit(jobName="later", **needing(1)))
    assert later["cause"] == "CONSUMABLE_RESOURCE"
    assert later["facts"]["before"]["jobId"] == waits, "one is free, but it is promised"


@pytest.mark.parametrize("kind", ["REPLENISHABLE", "NON_REPLENISHABLE"])
def test_there_may_never_be_enough_of_a_consumable_resource(yard: Yard, kind: str) -> None:
    make(yard, 3, resourceType=kind)
    found = why(yard, yard.submit(**needing(4)))
    assert found["cause"] == "NEVER_FITS"
    assert "it needs 4 of licence, and there can never be more than 3" in found["sentence"]
    assert "UpdateConsumableResource" in found["sentence"]
    update(yard, "ADD", 1)
    assert len(yard.running()) == 1


def test_a_job_that_is_larger_than_the_machine(yard: Yard) -> None:
    found = why(yard, yard.submit(**vcpus(8)))
    assert found["cause"] == "NEVER_FITS"
    assert "8 vCPUs and 100 MiB, and the machine has 6 vCPUs and 2,000 MiB" in found["sentence"]
    assert found["facts"]["reason"].startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")


def test_a_job_that_is_larger_than_its_compute_environments(yard: Yard) -> None:
    found = why(yard, yard.submit(jobQueue="narrow", **vcpus(3)))
    assert found["cause"] == "NEVER_FITS"
    assert "its queue has room for small 2 at the most" in found["sentence"]
    assert "raise the limit of small" in found["sentence"]


def test_since_when_a_job_is_blocked_and_when_that_is_ended(yard: Yard) -> None:
    action = {"state": "RUNNABLE", "action": "CANCEL", "maxTimeSeconds": 600}
    reason = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
    yard.ask("UpdateJobQueue", jobQueue="urgent", jobStateTimeLimitActions=[{**action, "reason": reason}])
    job_id = yard.ask_now("SubmitJob", **job_request(**vcpus(8)))["jobId"]
    yard.let_pass(60)
    found = why(yard, job_id)
    assert found["details"][0].startswith(f"It has been blocked for 60 s: {reason}")
    assert found["details"][1] == "In 9 min the jobStateTimeLimitActions of its queue end it."
    blocked = found["facts"]["blocked"]
    assert blocked["endsAt"] - blocked["since"] == 600_000


def test_what_is_handed_over_ahead_waits_for_a_slot(yard: Yard) -> None:
    server = yard.world.server
    assert server is not None
    yard.submit(jobQueue="narrow", **vcpus(2))
    for _ in range(9):  # jobs of this definition are known to be short from now on
        server.engine.outlook.pace.note(1, 2)
        server.engine.outlook.pace.note(2, 2)
    call = server.call("SubmitJob", job_request(jobQueue="narrow"))
    server.step()
    found = why(yard, call.future.result()["jobId"])
    assert (found["status"], found["cause"]) == ("STARTING", "WAITS_FOR_SLOT")


def test_it_is_the_turn_of_another_share(yard: Yard) -> None:
    make_queue(yard)
    submit(yard, "a", size=6)
    pass_time(yard, 60)
    b, a = submit(yard, "b", size=2), submit(yard, "a")
    found = why(yard, a)
    assert found["cause"] == "FAIR_SHARE"
    assert found["facts"]["before"]["jobId"] == b
    shares = {share["shareIdentifier"]: share for share in found["facts"]["shares"]}
    assert list(shares) == ["b", "a"]
    assert shares["a"]["weighted"] > shares["b"]["weighted"] == 0
    assert shares["a"]["vcpus"] == 6
    assert "number 2 of 2" in found["sentence"]
    assert "share b, which is next" in found["sentence"]
    assert why(yard, f"{b}:0")["cause"] == "MACHINE_FULL"


def test_within_a_share_the_position_counts_priorities(yard: Yard) -> None:
    make_queue(yard)
    yard.submit(size=6)
    submit(yard, "a", schedulingPriorityOverride=9)
    submit(yard, "b")
    submit(yard, "a")
    last = submit(yard, "a")
    found = why(yard, last)
    assert found["cause"] == "BEHIND_IN_QUEUE"
    assert found["facts"]["position"]["jobsAhead"] == 2


def test_the_rest_is_reserved(yard: Yard) -> None:
    make_queue(yard, computeReservation=50)
    running = submit(yard, "a", size=20)
    found = why(yard, running)
    assert found["cause"] == "RESERVATION"
    assert "the active ones hold 3 of the 3 vCPUs that they may have together" in found["sentence"]


@pytest.fixture
def managed(yard: Yard) -> Yard:
    """A queue `teams` of four instances, two of each of the quota shares `a` and `b`, neither of which borrows."""
    names = {"serviceEnvironmentName": "park", "serviceEnvironmentType": "SAGEMAKER_TRAINING"}
    yard.ask("CreateServiceEnvironment", capacityLimits=[{"maxCapacity": 4, "capacityUnit": KIND}], **names)
    policy = {"idleResourceAssignmentStrategy": "FIFO"}
    arn = yard.ask("CreateSchedulingPolicy", name="teams", quotaSharePolicy=policy)["arn"]
    places = [{"order": 1, "serviceEnvironment": "park"}]
    yard.ask(
        "CreateJobQueue", jobQueueName="teams", priority=1, serviceEnvironmentOrder=places, schedulingPolicyArn=arn
    )
    quota(yard, "a", {"strategy": "RESERVE"})
    quota(yard, "b", {"strategy": "RESERVE"})
    return yard


def test_a_quota_share_has_all_that_it_may(managed: Yard) -> None:
    jobs = [train(managed, "a") for _ in range(4)]
    for waits in jobs[2:]:
        found = why(managed, waits)
        assert found["cause"] == "QUOTA_SHARE_LIMIT"
        assert f"Its quota share a holds 2 of its 2 instances {KIND}" in found["sentence"]
        assert sorted(holders(found)) == sorted(jobs[:2])
    assert why(managed, jobs[3])["facts"]["position"]["jobsAhead"] == 1


def test_a_quota_share_without_the_type_can_never_place_it(managed: Yard) -> None:
    found = why(managed, train(managed, "a", "ml.p5.48xlarge"))
    assert found["cause"] == "NEVER_FITS"
    assert "ml.p5.48xlarge" in found["sentence"]


def test_a_service_environment_is_full(managed: Yard) -> None:
    quota(managed, "c", {"strategy": "RESERVE"})
    running = [train(managed, share) for share in ("a", "a", "b", "b")]
    found = why(managed, train(managed, "c"))
    assert found["cause"] == "COMPUTE_ENVIRONMENT_FULL"
    assert f"it needs 1 instance, and park/{KIND} has 0 of its 4 instances free" in found["sentence"]
    assert sorted(holders(found)) == sorted(running)


def test_an_array_lets_the_child_that_waits_speak(yard: Yard) -> None:
    array = yard.submit(size=9)
    found = why(yard, array)
    assert found["status"] == "PENDING"
    assert found["cause"] == "MACHINE_FULL"
    assert found["facts"]["child"] == {"jobId": f"{array}:6", "status": "RUNNABLE"}
    assert found["facts"]["children"] == {"RUNNABLE": 3, "RUNNING": 6}
    assert found["sentence"].startswith("3 children of it wait. Of child 6: It waits for room")
    yard.finish(*(f"{array}:{index}" for index in range(4)))
    assert why(yard, array)["cause"] == "CHILDREN"


def test_what_runs_is_stopped_or_has_ended(yard: Yard) -> None:
    job_id = yard.submit(retryStrategy={"attempts": 2, "evaluateOnExit": [{"onExitCode": "3", "action": "EXIT"}]})
    assert why(yard, job_id)["cause"] == "RUNNING"
    assert "attempt 1 of 2" in why(yard, job_id)["sentence"]
    yard.finish(job_id, exit_code=3)
    found = why(yard, job_id)
    assert (found["cause"], found["facts"]["exitCode"]) == ("FAILED", 3)
    assert "It was not tried again, since evaluateOnExit says so for onExitCode 3." in found["details"]


def test_a_retry_waits_for_room_and_says_what_failed(yard: Yard) -> None:
    job_id = yard.submit(retryStrategy={"attempts": 3}, **vcpus(6))
    yard.ask("UpdateComputeEnvironment", computeEnvironment="large", state="DISABLED")
    yard.finish(job_id, exit_code=137)
    found = why(yard, job_id)
    assert found["cause"] == "COMPUTE_ENVIRONMENT_CLOSED"
    assert found["sentence"].startswith("Attempt 1 of 3 failed with exit code 137: ended by SIGKILL")
    assert found["facts"]["retry"]["exitCode"] == 137


def test_what_starts_waits_for_its_process_or_for_the_executor(yard: Yard) -> None:
    server = yard.world.server
    assert server is not None
    call = server.call("SubmitJob", job_request())
    server.step()
    job_id = call.future.result()["jobId"]
    found = why(yard, job_id)
    assert (found["cause"], found["sentence"]) == (
        "STARTING",
        "It has been placed in small and its process is being started.",
    )
    server.settings = replace(server.settings, executor_name="docker")
    assert "image is pulled if it is not here yet" in why(yard, job_id)["sentence"]
    server.executor.lose_connection()
    server.step()
    assert why(yard, job_id)["cause"] == "EXECUTOR_UNREACHABLE"


def test_a_job_that_is_being_ended(yard: Yard) -> None:
    server = yard.world.server
    assert server is not None
    job_id = yard.submit()
    server.call("TerminateJob", {"jobId": job_id, "reason": "enough"})
    server.step()
    found = why(yard, job_id)
    assert (found["cause"], found["sentence"]) == (
        "STOPPING",
        "It is being stopped, since somebody wants it ended (enough).",
    )
    yard.settle()
    assert "is not tried again" in why(yard, job_id)["details"][0]


def test_a_preempted_job_says_so(yard: Yard) -> None:
    waits = preempted(yard)
    found = why(yard, waits)
    assert found["sentence"].startswith("Attempt 1 was preempted, and it is to be run again.")
    assert found["cause"] == "QUOTA_SHARE_LIMIT"


def preempted(yard: Yard) -> str:
    """A job that borrowed, until the owner of what it held came back for it."""
    limits = [{"maxCapacity": 2, "capacityUnit": KIND}]
    names = {"serviceEnvironmentName": "park", "serviceEnvironmentType": "SAGEMAKER_TRAINING"}
    yard.ask("CreateServiceEnvironment", capacityLimits=limits, **names)
    arn = yard.ask("CreateSchedulingPolicy", name="teams", quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"})
    queue = {"jobQueueName": "teams", "priority": 1, "schedulingPolicyArn": arn["arn"]}
    yard.ask("CreateJobQueue", serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": "park"}], **queue)
    for name, strategy in (("a", "LEND_AND_BORROW"), ("b", "LEND")):
        yard.ask(
            "CreateQuotaShare",
            quotaShareName=name,
            jobQueue="teams",
            capacityLimits=[{"maxCapacity": 1, "capacityUnit": KIND}],
            resourceSharingConfiguration={"strategy": strategy},
            preemptionConfiguration={"inSharePreemption": "DISABLED"},
        )
    borrowers = [train(yard, "a") for _ in range(2)]
    train(yard, "b")
    [gone] = [job_id for job_id in borrowers if job_id not in yard.running()]
    return gone


def test_an_array_that_failed_names_its_children(yard: Yard) -> None:
    array = yard.submit(size=3)
    yard.finish(f"{array}:0", f"{array}:2")
    yard.finish(f"{array}:1", exit_code=127)
    found = why(yard, array)
    assert found["cause"] == "FAILED"
    assert found["details"] == [
        "Child 1: It failed with exit code 127: the command was not found: Essential container in task exited."
    ]


def test_of_other_queues_it_says_how_much_and_not_who(yard: Yard) -> None:
    hidden = yard.submit(jobName="secret", **vcpus(6))
    waits = yard.submit(jobQueue="normal")
    found = why(yard, waits, Principal("ann", Role.READ, frozenset({"normal"})))
    assert found["cause"] == "MACHINE_FULL"
    assert found["facts"]["holders"][0]["vcpus"] == 6
    assert hidden not in str(found)
    assert "secret" not in str(found)
    first = yard.submit(jobName="secret")
    found = why(yard, waits, Principal("ann", Role.READ, frozenset({"normal"})))
    assert found["cause"] == "OTHER_QUEUE_FIRST"
    assert first not in str(found)
    with pytest.raises(Refusal, match="not authorized"):
        why(yard, hidden, Principal("ann", Role.READ, frozenset({"normal"})))


def test_asking_changes_nothing_and_never_contradicts_what_happens_next(yard: Yard) -> None:
    """Whoever is said to be next is, and nobody else."""
    running = [yard.submit(jobQueue=queue) for queue in ("urgent", "normal", "urgent", "normal", "urgent", "normal")]
    waiting = [yard.submit(jobQueue=queue) for queue in ("normal", "urgent", "normal", "urgent")]
    for name in running:
        causes = {job_id: why(yard, job_id)["cause"] for job_id in waiting}
        next_ones = [job_id for job_id, cause in causes.items() if cause == "MACHINE_FULL"]
        assert len(next_ones) == (1 if waiting else 0)
        yard.finish(name)
        assert [job_id for job_id in waiting if job_id in yard.running()] == next_ones
        waiting = [job_id for job_id in waiting if job_id not in next_ones]
