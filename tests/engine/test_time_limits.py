"""Why the head of a queue waits, and jobStateTimeLimitActions, with a clock that only the test moves."""

from typing import Any

import pytest

from tests.engine.yard import Yard, job_request

MISFIT = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
NARROW = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
CAPACITY = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"


def needs(vcpus: int = 1, memory_mib: int = 100) -> dict[str, Any]:
    wanted = [{"type": "VCPU", "value": str(vcpus)}, {"type": "MEMORY", "value": str(memory_mib)}]
    return {"containerOverrides": {"resourceRequirements": wanted}}


def limit(reason: str, seconds: int = 600) -> dict[str, Any]:
    return {"reason": reason, "state": "RUNNABLE", "maxTimeSeconds": seconds, "action": "CANCEL"}


def submit(yard: Yard, **more: Any) -> str:
    job_id: str = yard.ask_now("SubmitJob", **job_request(**more))["jobId"]
    return job_id


def set_limits(yard: Yard, *limits: dict[str, Any], queue: str = "urgent") -> None:
    yard.ask_now("UpdateJobQueue", jobQueue=queue, jobStateTimeLimitActions=list(limits))


def code(yard: Yard, name: str) -> str | None:
    reason = yard.describe(name).get("statusReason")
    return reason and reason.partition(" - ")[0]


def rows(yard: Yard) -> list[tuple[Any, ...]]:
    with yard.world.database.read() as tx:
        return tx.statements.run("SELECT job_seq, reason, since, due_at FROM blocked_jobs").all()


def test_a_misfit_is_cancelled_when_its_time_is_over(yard: Yard) -> None:
    set_limits(yard, limit(MISFIT), limit(NARROW, 700))
    huge, wide = submit(yard, **needs(8)), submit(yard, jobQueue="narrow", **needs(4))
    set_limits(yard, limit(NARROW, 700), queue="narrow")
    assert (code(yard, huge), code(yard, wide)) == (MISFIT, NARROW)
    yard.let_pass(599)
    yard.restart()
    assert yard.describe(huge)["status"] == "RUNNABLE"
    yard.let_pass(1)
    detail = yard.describe(huge)
    assert (detail["status"], detail["statusReason"], detail["attempts"]) == (
        "FAILED",
        f"Canceled by JobStateTimeLimit action due to reason: {MISFIT}",
        [],
    )
    assert yard.describe(wide)["status"] == "RUNNABLE"
    yard.let_pass(100)
    assert yard.end_of(wide) == ("FAILED", f"Canceled by JobStateTimeLimit action due to reason: {NARROW}", 0)
    assert rows(yard) == []


def test_a_misfit_that_comes_to_fit_is_left_alone(yard: Yard) -> None:
    set_limits(yard, limit(NARROW), queue="narrow")
    job = submit(yard, jobQueue="narrow", **needs(4))
    yard.let_pass(500)
    yard.ask_now("UpdateComputeEnvironment", computeEnvironment="small", computeResources={"maxvCpus": 5})
    yard.let_pass(200)
    assert yard.describe(job)["status"] == "RUNNING"
    assert rows(yard) == []


def test_changes_of_other_resources_do_not_begin_the_time_anew(yard: Yard) -> None:
    set_limits(yard, limit(MISFIT))
    job = submit(yard, **needs(8))
    yard.let_pass(400)
    yard.ask_now("UpdateJobQueue", jobQueue="normal", priority=7)
    yard.let_pass(200)
    assert yard.describe(job)["status"] == "FAILED"


def test_limits_count_from_when_the_job_was_blocked_and_can_be_taken_away(yard: Yard) -> None:
    job = submit(yard, **needs(8))
    yard.let_pass(650)
    set_limits(yard, limit(MISFIT, 700))
    set_limits(yard)
    yard.let_pass(100)
    assert yard.describe(job)["status"] == "RUNNABLE"
    set_limits(yard, limit(MISFIT, 700))
    assert yard.describe(job)["status"] == "FAILED"


def test_the_head_says_so_when_the_machine_has_no_room_and_its_environment_would(yard: Yard) -> None:
    big = submit(yard, jobQueue="normal", **needs(1, 1500))
    yard.let_pass(1)
    head, next_one = submit(yard, jobQueue="normal", **needs(1, 900)), submit(yard, jobQueue="normal", **needs(1, 900))
    assert code(yard, head) is None, "it may be a matter of moments"
    yard.let_pass(5)
    assert (code(yard, head), code(yard, next_one)) == (CAPACITY, None)
    assert yard.describe(head)["statusReason"].endswith("for instance type [optimal]")
    yard.restart()
    assert code(yard, head) == CAPACITY
    yard.world.supervisor.finish(big, 0)
    yard.let_pass(1)
    assert yard.describe(head)["status"] == "STARTING"
    assert code(yard, head) is None
    assert rows(yard) == []


def test_a_full_environment_is_no_reason(yard: Yard) -> None:
    submit(yard, jobQueue="narrow", **needs(2))
    yard.let_pass(1)
    waiting = submit(yard, jobQueue="narrow", **needs(2))
    yard.let_pass(60)
    assert (yard.describe(waiting)["status"], code(yard, waiting)) == ("RUNNABLE", None)


def test_a_head_for_which_the_machine_has_no_room_is_cancelled_and_the_next_one_is_head(yard: Yard) -> None:
    set_limits(yard, limit(CAPACITY), queue="normal")
    submit(yard, jobQueue="normal", **needs(1, 1500))
    yard.let_pass(1)
    head, second = submit(yard, jobQueue="normal", **needs(1, 900)), submit(yard, jobQueue="normal", **needs(1, 900))
    yard.let_pass(300)
    yard.restart()
    yard.let_pass(299)
    assert yard.describe(head)["status"] == "RUNNABLE"
    yard.let_pass(1)
    assert yard.end_of(head) == ("FAILED", f"Canceled by JobStateTimeLimit action due to reason: {CAPACITY}", 0)
    assert code(yard, second) is None
    yard.let_pass(5)
    assert code(yard, second) == CAPACITY, "its time begins when it has become the head"
    yard.let_pass(580)
    assert yard.describe(second)["status"] == "RUNNABLE"


def test_an_array_stands_for_its_waiting_children(yard: Yard) -> None:
    set_limits(yard, limit(CAPACITY), queue="normal")
    array = submit(yard, jobQueue="normal", size=4, **needs(1, 900))
    yard.let_pass(1)
    assert yard.running() == [f"{array}:0", f"{array}:1"]
    yard.let_pass(5)
    assert code(yard, array) == code(yard, f"{array}:3") == CAPACITY
    yard.let_pass(600)
    assert yard.running() == [f"{array}:0", f"{array}:1"], "what runs goes on"
    assert yard.end_of(f"{array}:2") == yard.end_of(f"{array}:3")
    assert yard.describe(f"{array}:3")["status"] == "FAILED"
    yard.finish(f"{array}:0", f"{array}:1")
    assert yard.describe(array)["status"] == "FAILED"
    assert code(yard, array) == f"Canceled by JobStateTimeLimit action due to reason: {CAPACITY}"
    assert rows(yard) == []


@pytest.mark.parametrize("operation", ["CancelJob", "TerminateJob"])
def test_what_ends_otherwise_leaves_no_row(yard: Yard, operation: str) -> None:
    job = submit(yard, **needs(8))
    assert len(rows(yard)) == 1
    yard.ask_now(operation, jobId=job, reason="never mind")
    assert (yard.describe(job)["status"], rows(yard)) == ("FAILED", [])


def test_ordinary_waiting_costs_nothing(yard: Yard) -> None:
    for _ in range(20):
        submit(yard, jobQueue="normal", **needs(1, 900))
    yard.let_pass(60)
    assert len(rows(yard)) == 1, "the head alone has a row"
