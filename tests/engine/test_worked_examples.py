"""The worked examples of array jobs and dependencies (F 4.8), one test per row."""

from tests.engine.yard import Yard

EXITED = "Essential container in task exited"
CHILD_FAILED = ("FAILED", "Array Child Job failed", 0)
DEPENDENT = ("FAILED", "Dependent Job failed", 0)
SUCCEEDED = ("SUCCEEDED", EXITED, 1)

RETRY_ONCE = {"attempts": 2}


def children(yard: Yard, job_id: str, size: int) -> list[tuple[str, str | None, int]]:
    return [yard.end_of(f"{job_id}:{index}") for index in range(size)]


def test_all_children_succeed(yard: Yard) -> None:
    job = yard.submit(size=3)
    assert yard.describe(job)["status"] == "PENDING"
    yard.finish_all()
    assert children(yard, job, 3) == [SUCCEEDED] * 3
    detail = yard.describe(job)
    assert (detail["status"], detail["attempts"]) == ("SUCCEEDED", [])
    counts = dict.fromkeys(("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "FAILED"), 0) | {"SUCCEEDED": 3}
    assert detail["arrayProperties"]["statusSummary"] == counts


def test_one_child_fails(yard: Yard) -> None:
    job = yard.submit(size=3)
    yard.finish(f"{job}:1", exit_code=1)
    assert yard.describe(job)["status"] == "PENDING"  # siblings run on
    yard.finish_all()
    assert children(yard, job, 3) == [SUCCEEDED, ("FAILED", EXITED, 1), SUCCEEDED]
    assert yard.describe(f"{job}:1")["container"]["exitCode"] == 1
    assert yard.end_of(job) == CHILD_FAILED
    summary = yard.describe(job)["arrayProperties"]["statusSummary"]
    assert (summary["SUCCEEDED"], summary["FAILED"]) == (2, 1)


def test_a_child_fails_and_is_retried(yard: Yard) -> None:
    job = yard.submit(size=3, retryStrategy=RETRY_ONCE)
    yard.finish(f"{job}:1", exit_code=1)
    numbers = [run.number for run in yard.world.ledger.running() if run.job_id == f"{job}:1"]
    assert numbers == [2]
    yard.finish_all()
    assert children(yard, job, 3) == [SUCCEEDED, ("SUCCEEDED", EXITED, 2), SUCCEEDED]
    assert yard.describe(job)["status"] == "SUCCEEDED"


def test_a_sequential_chain_breaks(yard: Yard) -> None:
    job = yard.submit(size=4, after=[{"type": "SEQUENTIAL"}])
    assert yard.running() == [f"{job}:0"]
    yard.finish(f"{job}:0")
    assert yard.running() == [f"{job}:1"]
    yard.finish(f"{job}:1", exit_code=1)
    assert yard.running() == []
    assert children(yard, job, 4) == [SUCCEEDED, ("FAILED", EXITED, 1), DEPENDENT, DEPENDENT]
    assert yard.end_of(job) == CHILD_FAILED


def test_n_to_n_follows_child_by_child(yard: Yard) -> None:
    first = yard.submit(size=3)
    second = yard.submit(size=3, after=[{"jobId": first, "type": "N_TO_N"}])
    yard.finish(f"{first}:0")
    assert f"{second}:0" in yard.running()  # without waiting for the whole of the first
    yard.finish(f"{first}:1", f"{second}:0")
    yard.finish(f"{first}:2", exit_code=1)
    assert yard.end_of(f"{second}:2") == DEPENDENT
    assert yard.running() == [f"{second}:1"]
    yard.finish_all()
    assert children(yard, second, 3) == [SUCCEEDED, SUCCEEDED, DEPENDENT]
    assert yard.end_of(first) == yard.end_of(second) == CHILD_FAILED


def test_a_job_waits_for_a_whole_array(yard: Yard) -> None:
    array = yard.submit(size=2)
    after = yard.submit(after=[{"jobId": array}])
    yard.finish(f"{array}:0", exit_code=1)
    assert yard.describe(after)["status"] == "PENDING"
    yard.finish(f"{array}:1")
    assert yard.end_of(after) == DEPENDENT
    assert "stoppedAt" in yard.describe(after)


def test_a_job_waits_for_one_child(yard: Yard) -> None:
    array = yard.submit(size=2)
    after = yard.submit(after=[{"jobId": f"{array}:1"}])
    yard.finish(f"{array}:0")
    assert yard.describe(after)["status"] == "PENDING"
    yard.finish(f"{array}:1")
    assert yard.running() == [after]


def test_an_array_waits_for_a_job_that_fails(yard: Yard) -> None:
    first = yard.submit()
    array = yard.submit(size=3, after=[{"jobId": first}])
    assert yard.describe(f"{array}:1")["status"] == "PENDING"
    yard.finish(first, exit_code=1)
    assert children(yard, array, 3) == [DEPENDENT] * 3
    assert yard.end_of(array) == DEPENDENT


def test_failure_goes_down_the_whole_chain_at_once(yard: Yard) -> None:
    first = yard.submit()
    chain = [first]
    for _ in range(4):
        chain.append(yard.submit(after=[{"jobId": chain[-1]}]))
    yard.ask("TerminateJob", jobId=first, reason="no more")
    assert [yard.end_of(job) for job in chain[1:]] == [DEPENDENT] * 4


def test_one_child_is_terminated(yard: Yard) -> None:
    job = yard.submit(size=10)
    yard.ask("TerminateJob", jobId=f"{job}:9", reason="stop it")
    assert yard.end_of(f"{job}:9") == ("FAILED", "stop it", 0)
    yard.finish_all()
    assert children(yard, job, 9) == [SUCCEEDED] * 9
    assert yard.end_of(job) == CHILD_FAILED


def test_a_parent_is_cancelled_while_some_run(yard: Yard) -> None:
    job = yard.submit(size=10)
    assert len(yard.running()) == 6
    yard.ask("CancelJob", jobId=job, reason="enough")
    assert yard.describe(job)["status"] == "PENDING"
    assert children(yard, job, 10)[6:] == [("FAILED", "enough", 0)] * 4
    yard.finish_all()
    assert children(yard, job, 10)[:6] == [SUCCEEDED] * 6
    assert yard.end_of(job)[0] == "FAILED"


def test_a_parent_is_terminated_while_some_run(yard: Yard) -> None:
    job = yard.submit(size=8, retryStrategy=RETRY_ONCE)
    yard.ask("TerminateJob", jobId=job, reason="enough")
    assert yard.running() == []
    assert [end[:2] for end in children(yard, job, 8)] == [("FAILED", "enough")] * 8
    assert yard.end_of(job) == ("FAILED", "enough", 0)


def test_a_live_array_is_pending_the_whole_time(yard: Yard) -> None:
    job = yard.submit(size=2)
    assert yard.world.server is not None
    listed = {
        status: yard.world.server.read("ListJobs", {"jobQueue": "urgent", "jobStatus": status})["jobSummaryList"]
        for status in ("RUNNING", "PENDING")
    }
    assert [summary["jobId"] for summary in listed["PENDING"]] == [job]
    assert listed["RUNNING"] == []
