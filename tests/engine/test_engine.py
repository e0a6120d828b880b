"""What the engine does beyond the worked examples: dependencies known at submit, queues, misfits, failing commits."""

from typing import TYPE_CHECKING, Any

import pytest

from batchyard.core import reasons
from batchyard.core.refusals import Refusal
from batchyard.engine import launches, loop
from batchyard.engine.launches import LaunchSettings
from batchyard.store.transaction import Transaction
from tests.engine.yard import Yard, job_request
from tests.simulation.link import INSTANCE_ID
from tests.simulation.programs import Fate
from tests.simulation.supervisor import Journal
from tests.simulation.world import World

if TYPE_CHECKING:
    from concurrent.futures import Future

    from batchyard.core.jobs import Attempt, Terms
    from batchyard.executors.interface import Launch

DEPENDENT = ("FAILED", "Dependent Job failed", 0)


def wants(vcpus: str) -> dict[str, Any]:
    return {"resourceRequirements": [{"type": "VCPU", "value": vcpus}]}


# ------------------------------------------------------------------------------------------------ known when submitted


def test_a_dependency_that_has_succeeded_is_satisfied_at_once(yard: Yard) -> None:
    first = yard.submit(size=2)
    yard.finish_all()
    after = yard.submit(size=2, after=[{"jobId": first, "type": "N_TO_N"}, {"jobId": first}, {"jobId": f"{first}:1"}])
    assert yard.running() == [f"{after}:0", f"{after}:1"]


def test_a_dependency_that_has_failed_fails_what_is_submitted_after_it(yard: Yard) -> None:
    first = yard.submit(size=2)
    yard.finish(f"{first}:0", exit_code=1)
    partner = yard.submit(size=2, after=[{"jobId": first, "type": "N_TO_N"}])
    child = yard.submit(after=[{"jobId": f"{first}:0"}])
    assert yard.end_of(f"{partner}:0") == yard.end_of(child) == DEPENDENT
    assert yard.describe(f"{partner}:1")["status"] == "PENDING"


def test_an_unknown_dependency_is_refused(yard: Yard) -> None:
    with pytest.raises(Refusal):
        yard.submit(after=[{"jobId": "00000000-0000-4000-8000-000000000000"}])


def test_a_dependency_that_ends_in_the_very_transaction_of_the_submit(yard: Yard) -> None:
    first = yard.submit()
    after = [{"jobId": first}]
    calls = [yard.world.ask("SubmitJob", job_request(size=size, after=after)) for size in (2, None)]
    yard.world.ask("TerminateJob", {"jobId": first, "reason": "at once"})
    yard.settle()
    job_id = calls[0].outcome["jobId"]
    # The first job still ends, by its process; then both fail.
    ends = [yard.end_of(name) for name in (job_id, f"{job_id}:0", calls[1].outcome["jobId"])]
    assert ends == [DEPENDENT] * 3


def test_waiting_jobs_terminated_with_what_they_wait_for_in_one_transaction(yard: Yard) -> None:
    yard.submit(size=6)  # fills the machine
    first = yard.submit()
    call = yard.world.ask("SubmitJob", job_request(size=2, after=[{"jobId": first}]))
    yard.world.ask("TerminateJob", {"jobId": first, "reason": "at once"})
    yard.settle()
    assert yard.end_of(call.outcome["jobId"]) == DEPENDENT


# ---------------------------------------------------------------------------------------------------- cancel, terminate


def test_cancelling_a_pending_job_waits_for_its_dependencies(yard: Yard) -> None:
    first = yard.submit()
    after = yard.submit(after=[{"jobId": first}])
    yard.ask("CancelJob", jobId=after, reason="changed my mind")
    detail = yard.describe(after)
    assert (detail["status"], detail["isCancelled"]) == ("PENDING", True)
    yard.finish(first)
    assert yard.end_of(after) == ("FAILED", "changed my mind", 0)


def test_a_cancelled_pending_array_ends_when_what_it_waits_for_has(yard: Yard) -> None:
    first = yard.submit()
    array = yard.submit(size=3, after=[{"jobId": first}, {"type": "SEQUENTIAL"}])
    yard.ask("CancelJob", jobId=array, reason="changed my mind")
    yard.finish(first)
    ends = {yard.end_of(name) for name in (array, *(f"{array}:{index}" for index in range(3)))}
    assert ends == {("FAILED", "changed my mind", 0)}


def test_requests_for_what_runs_or_is_unknown(yard: Yard) -> None:
    job = yard.submit()
    assert yard.ask("CancelJob", jobId=job, reason="too late") == {}
    assert yard.running() == [job]
    assert "isCancelled" not in yard.describe(job)
    assert yard.ask("TerminateJob", jobId="no-such-job", reason="why not") == {}
    yard.ask("TerminateJob", jobId=job, reason="stop it")
    assert yard.describe(job)["container"]["exitCode"] == 143
    assert yard.end_of(job) == ("FAILED", "stop it", 1)
    yard.ask("TerminateJob", jobId=job, reason="again")
    assert yard.end_of(job) == ("FAILED", "stop it", 1)


def test_a_timeout_stops_with_grace_kills_and_is_not_retried(yard: Yard) -> None:
    yard.world.supervisor.fate = lambda *_launch: Fate(1 << 50, 0, None, obeys_sigterm=False, can_start=True)
    started_at = yard.world.clock.now()
    job = yard.submit(timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 3})
    detail = yard.describe(job)  # settling has let the time pass
    assert (detail["status"], detail["statusReason"]) == ("FAILED", "Job attempt duration exceeded timeout")
    assert (len(detail["attempts"]), detail["container"]["exitCode"]) == (1, 137)
    assert detail["stoppedAt"] - started_at == 90_000


# ------------------------------------------------------------------------------------------------- queues and misfits


def test_a_job_that_can_never_fit_says_so_and_runs_when_the_environment_has_grown(yard: Yard) -> None:
    job = yard.submit(jobQueue="narrow", size=2, containerOverrides=wants("3"))
    assert yard.describe(f"{job}:0")["statusReason"].startswith("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE")
    filler = yard.submit(size=6)  # 2 in `small`, 4 in `large`
    assert len(yard.running()) == 6
    yard.ask("UpdateComputeEnvironment", computeEnvironment="small", computeResources={"maxvCpus": 6})
    assert yard.describe(f"{job}:0")["statusReason"].startswith("CAPACITY:"), "it would fit, and others run"
    yard.ask("TerminateJob", jobId=f"{job}:1", reason="one is enough")  # its row changes while it waits
    yard.finish(*(f"{filler}:{index}" for index in range(6)))
    assert yard.running() == [f"{job}:0"]


def test_a_job_that_still_does_not_fit_is_shut_out_again(yard: Yard) -> None:
    job = yard.submit(containerOverrides=wants("8"))
    yard.ask("UpdateJobQueue", jobQueue="urgent", priority=3)
    assert yard.describe(job)["statusReason"].startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")
    with yard.world.database.read() as tx:
        assert tx.jobs.queues_with_placeable() == []


def test_two_environments_take_children_that_run_again(yard: Yard) -> None:
    job = yard.submit(size=6, retryStrategy={"attempts": 3}, jobQueue="urgent")
    yard.finish(*(f"{job}:{index}" for index in range(6)), exit_code=1)
    assert sorted(yard.running()) == [f"{job}:{index}" for index in range(6)]
    yard.finish_all()
    assert yard.describe(job)["status"] == "SUCCEEDED"


def test_deleting_a_queue_ends_all_its_jobs_and_then_the_queue(yard: Yard) -> None:
    array = yard.submit(size=8, retryStrategy={"attempts": 2})
    yard.ask("CancelJob", jobId=array, reason="cancelled before")
    waiting = yard.submit(after=[{"jobId": array}])
    yard.ask("CancelJob", jobId=waiting, reason="cancelled before")
    yard.ask("UpdateJobQueue", jobQueue="urgent", state="DISABLED")
    yard.ask("DeleteJobQueue", jobQueue="urgent")
    assert yard.running() == []
    assert yard.end_of(f"{array}:0")[:2] == ("FAILED", "JobQueue deleted")
    assert yard.end_of(f"{array}:7")[:2] == ("FAILED", "cancelled before")
    assert yard.describe(waiting)["status"] == "FAILED"
    assert yard.world.server is not None
    assert yard.world.server.read("DescribeJobQueues", {"jobQueues": ["urgent"]})["jobQueues"] == []


def test_a_new_queue_does_not_inherit_the_jobs_of_a_deleted_one(yard: Yard) -> None:
    order = [{"order": 1, "computeEnvironment": "large"}]
    yard.ask("CreateJobQueue", jobQueueName="first", priority=1, computeEnvironmentOrder=order)
    yard.submit(jobQueue="first")
    yard.finish_all()
    yard.ask("UpdateJobQueue", jobQueue="first", state="DISABLED")
    yard.ask("DeleteJobQueue", jobQueue="first")
    yard.ask("CreateJobQueue", jobQueueName="second", priority=1, computeEnvironmentOrder=order)
    assert yard.world.server is not None
    listed = yard.world.server.read("ListJobs", {"jobQueue": "second", "jobStatus": "SUCCEEDED"})
    assert listed["jobSummaryList"] == []


# ------------------------------------------------------------------------------------------------------------- crashes


def restart(world: World) -> None:
    world.kill_server("because the test says so")
    world.start_server()


def test_a_restarted_server_finds_what_runs(yard: Yard) -> None:
    job = yard.submit(size=2)
    restart(yard.world)
    yard.settle()
    assert len(yard.running()) == 2
    yard.finish_all()
    assert yard.describe(job)["status"] == "SUCCEEDED"
    assert len(yard.world.ledger.runs) == 2


def test_what_ended_while_no_server_was_there_has_its_exit_code(yard: Yard) -> None:
    job = yard.submit()
    yard.world.kill_server("because the test says so")
    yard.world.supervisor.finish(job, 42)
    yard.world.supervisor.let_time_pass()
    yard.world.start_server()
    yard.settle()
    assert yard.describe(job)["container"]["exitCode"] == 42


def test_a_dead_supervisor_ends_attempts_as_a_lost_host(yard: Yard) -> None:
    rule = [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    job = yard.submit(retryStrategy={"attempts": 2, "evaluateOnExit": rule})
    once = yard.submit()
    yard.world.kill_supervisor()
    yard.settle()
    assert yard.running() == [job]
    status, reason, attempts = yard.end_of(once)
    assert (status, attempts) == ("FAILED", 1)
    assert reason is not None
    assert reason.startswith("Host EC2 (instance i-")


# ------------------------------------------------------------------------------------------- transactions that go wrong


def test_a_failed_transaction_is_undone_and_its_job_number_given_to_another(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = yard.world.server
    assert server is not None
    ran: list[Launch] = []
    fate = yard.world.supervisor.fate
    yard.world.supervisor.fate = lambda launch, at: ran.append(launch) or fate(launch, at)  # type: ignore[func-returns-value]
    monkeypatch.setattr(yard.world.faults, "is_on", True)
    monkeypatch.setattr(yard.world.faults, "_failure_rate", 1.0)
    lost = yard.world.ask("SubmitJob", job_request(size=2, parameters={"program": "lost"}))
    server.step()
    assert isinstance(lost.future.exception(), OSError)
    monkeypatch.setattr(yard.world.faults, "is_on", False)
    kept = yard.submit(parameters={"program": "kept"})
    assert yard.running() == [kept]
    assert [launch.containers[0].command for launch in ran] == [("kept",)]


def test_a_request_that_fails_undoes_only_itself(yard: Yard) -> None:
    queues = ("urgent", "no-such-queue", "normal")
    calls = [yard.world.ask("SubmitJob", job_request(jobQueue=queue)) for queue in queues]
    yard.settle()
    assert isinstance(calls[1].outcome, Refusal)
    assert yard.running() == [calls[0].outcome["jobId"], calls[2].outcome["jobId"]]


def test_a_database_that_undoes_everything_by_itself_fails_all_who_were_in_it(yard: Yard) -> None:
    server = yard.world.server
    assert server is not None

    def insert(tx: Transaction) -> None:
        tx.engine_state.set("a", "1")

    def lose_everything(tx: Transaction) -> None:
        tx.statements.run("ROLLBACK")  # as SQLite does on a full disk
        raise OSError("the disk is full")

    futures: list[Future[Any]] = [server.engine.call(request) for request in (insert, lose_everything, insert)]
    server.ring()
    server.step()
    assert all(future.exception() is not None for future in futures)
    with yard.world.database.read() as tx:
        assert tx.engine_state.get("a") is None
    assert yard.submit() in yard.running()  # and the next transaction is a sound one


def test_a_caller_that_has_gone_away_harms_nobody(yard: Yard) -> None:
    server = yard.world.server
    assert server is not None
    gone = server.engine.call(lambda tx: tx.engine_state.set("gone", "yes"))
    assert gone.cancel()
    stays = server.engine.call(lambda tx: tx.engine_state.set("stays", "yes"))
    server.ring()
    yard.settle()
    assert stays.done()
    with yard.world.database.read() as tx:
        assert (tx.engine_state.get("gone"), tx.engine_state.get("stays")) == ("yes", "yes")


def test_attempts_of_a_journal_that_was_removed_are_lost_and_never_launched_again(yard: Yard) -> None:
    retried = yard.submit(retryStrategy={"attempts": 2})
    once = yard.submit()
    assert set(yard.running()) == {retried, once}
    yard.world.kill_supervisor()
    yard.world.supervisor.journal = Journal("another journal")
    yard.settle()
    assert yard.end_of(once)[1] == reasons.host_terminated(INSTANCE_ID)
    assert yard.running() == [retried], "its second attempt, since its first may have run"
    yard.finish(retried)
    assert yard.end_of(retried)[::2] == ("SUCCEEDED", 2)


def test_a_job_that_no_launch_can_be_made_of_fails_alone(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def launch_of(attempt: "Attempt", terms: "Terms", settings: LaunchSettings) -> "Launch":
        if terms.job_name == "broken":
            raise ValueError("a defect")
        return launches.launch_of(attempt, terms, settings)

    monkeypatch.setattr(loop, "launch_of", launch_of)
    jobs = [yard.submit(jobName=name) for name in ("broken", "sound")]
    array = yard.submit(jobName="broken", size=2, retryStrategy={"attempts": 2})
    assert yard.running() == [jobs[1]]
    assert yard.end_of(jobs[0]) == ("FAILED", reasons.TASK_FAILED_TO_START, 1)
    why = "CannotStartContainerError: no launch could be made of the job: a defect"
    assert yard.describe(jobs[0])["container"]["reason"] == why
    assert [yard.end_of(f"{array}:{index}")[2] for index in (0, 1)] == [2, 2]
    assert f"job {jobs[0]} cannot be launched" in caplog.text
