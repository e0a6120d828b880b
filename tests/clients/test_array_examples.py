"""Worked examples of array jobs: what has become of the children and of the parent at the end."""

import itertools
from collections.abc import Sequence

import pytest

from tests.clients.server_process import wait_for
from tests.clients.yard import STATUSES, Detail, Gate, Yard

pytestmark = pytest.mark.process

EXITED = "Essential container in task exited"
DEPENDENT = "Dependent Job failed"
CHILD_FAILED = "Array Child Job failed"
FAIL_CHILD = 'exit $([ "$AWS_BATCH_JOB_ARRAY_INDEX" = {} ] && echo {} || echo 0)'


def ends(jobs: Sequence[Detail]) -> list[tuple[str, str]]:
    return [(job["status"], job["statusReason"]) for job in jobs]


def summary(**counts: int) -> dict[str, int]:
    return dict.fromkeys(STATUSES, 0) | counts


def assert_never_ran(job: Detail, reason: str) -> None:
    assert (job["status"], job["statusReason"], job["attempts"]) == ("FAILED", reason, [])
    assert "startedAt" not in job
    assert job["stoppedAt"] >= job["createdAt"]


def test_all_children_exit_0(yard: Yard) -> None:
    parent = yard.run(["true"], size=3)
    assert parent["status"] == "SUCCEEDED"
    assert parent["arrayProperties"]["statusSummary"] == summary(SUCCEEDED=3)
    assert parent["attempts"] == []
    assert not {"exitCode", "logStreamName", "taskArn"} & set(parent["container"])
    assert ends(yard.children(parent["jobId"], 3)) == [("SUCCEEDED", EXITED)] * 3


def test_one_child_fails(yard: Yard) -> None:
    parent = yard.run(["sh", "-c", FAIL_CHILD.format(1, 1)], size=3)
    assert (parent["status"], parent["statusReason"]) == ("FAILED", CHILD_FAILED)
    assert parent["arrayProperties"]["statusSummary"] == summary(SUCCEEDED=2, FAILED=1)
    children = yard.children(parent["jobId"], 3)
    assert ends(children) == [("SUCCEEDED", EXITED), ("FAILED", EXITED), ("SUCCEEDED", EXITED)]
    assert children[1]["container"]["exitCode"] == 1


def test_one_child_fails_and_is_retried(yard: Yard) -> None:
    script = (
        'echo "$AWS_BATCH_JOB_ATTEMPT"; [ "$AWS_BATCH_JOB_ARRAY_INDEX" != 1 ] || exit $((2 - AWS_BATCH_JOB_ATTEMPT))'
    )
    parent = yard.run(["sh", "-c", script], size=3, retryStrategy={"attempts": 2})
    assert parent["status"] == "SUCCEEDED"
    children = yard.children(parent["jobId"], 3)
    assert [[a["container"]["exitCode"] for a in child["attempts"]] for child in children] == [[0], [1, 0], [0]]
    assert yard.log(children[1]) == ["2"]


def test_sequential_stops_at_the_child_that_fails(yard: Yard) -> None:
    parent = yard.run(["sh", "-c", FAIL_CHILD.format(1, 5)], size=4, dependsOn=[{"type": "SEQUENTIAL"}])
    assert (parent["status"], parent["statusReason"]) == ("FAILED", CHILD_FAILED)
    children = yard.children(parent["jobId"], 4)
    assert ends(children[:2]) == [("SUCCEEDED", EXITED), ("FAILED", EXITED)]
    for child in children[2:]:
        assert_never_ran(child, DEPENDENT)


def test_sequential_children_run_one_after_the_other(yard: Yard) -> None:
    parent = yard.run(["sh", "-c", "sleep 0.05"], size=4, dependsOn=[{"type": "SEQUENTIAL"}])
    children = yard.children(parent["jobId"], 4)
    for before, after in itertools.pairwise(children):
        assert before["stoppedAt"] <= after["startedAt"]


def test_n_to_n_fails_the_partner_alone(yard: Yard) -> None:
    first = yard.submit(["sh", "-c", FAIL_CHILD.format(2, 1)], size=3)
    second = yard.run(["true"], size=3, dependsOn=[{"jobId": first, "type": "N_TO_N"}])
    assert ends([yard.ended(first), second]) == [("FAILED", CHILD_FAILED)] * 2
    children = yard.children(second["jobId"], 3)
    assert ends(children[:2]) == [("SUCCEEDED", EXITED)] * 2
    assert_never_ran(children[2], DEPENDENT)


def test_n_to_n_partners_do_not_wait_for_the_whole_array(yard: Yard, gate: Gate) -> None:
    first = yard.shell(f'[ "$AWS_BATCH_JOB_ARRAY_INDEX" = 0 ] || {{ {gate.script}; }}', size=2)
    second = yard.submit(["true"], size=2, dependsOn=[{"jobId": first, "type": "N_TO_N"}])
    assert yard.ended(f"{second}:0")["status"] == "SUCCEEDED"
    assert yard.job(f"{second}:1")["status"] == "PENDING"
    assert yard.job(f"{first}:1")["status"] in ("STARTING", "RUNNING")
    gate.open()
    assert yard.ended(second)["status"] == "SUCCEEDED"


def test_a_plain_job_after_an_array_with_a_failed_child(yard: Yard, gate: Gate) -> None:
    array = yard.shell(f'[ "$AWS_BATCH_JOB_ARRAY_INDEX" = 0 ] && exit 1; {gate.script}', size=2)
    after = yard.submit(["true"], dependsOn=[{"jobId": array}])
    assert yard.ended(f"{array}:0")["status"] == "FAILED"
    assert yard.job(after)["status"] == "PENDING"
    gate.open()
    assert_never_ran(yard.ended(after), DEPENDENT)
    assert ends([yard.job(array)]) == [("FAILED", CHILD_FAILED)]


def test_an_array_after_a_job_that_fails(yard: Yard) -> None:
    before = yard.submit(["false"])
    array = yard.run(["true"], size=3, dependsOn=[{"jobId": before}])
    assert (array["status"], array["statusReason"]) == ("FAILED", DEPENDENT)
    assert array["arrayProperties"]["statusSummary"] == summary(FAILED=3)
    for child in yard.children(array["jobId"], 3):
        assert_never_ran(child, DEPENDENT)


def test_terminating_one_child_leaves_its_siblings(yard: Yard, gate: Gate) -> None:
    parent = yard.shell(gate.script, size=10)
    yard.until(f"{parent}:5", "RUNNING")
    yard.batch.terminate_job(jobId=f"{parent}:5", reason="stop it")
    assert ends([yard.ended(f"{parent}:5")]) == [("FAILED", "stop it")]
    assert yard.job(parent)["status"] == "PENDING"
    gate.open()
    assert ends([yard.ended(parent)]) == [("FAILED", CHILD_FAILED)]
    assert yard.job(parent)["arrayProperties"]["statusSummary"] == summary(SUCCEEDED=9, FAILED=1)


def test_cancelling_a_parent_spares_the_children_that_run(yard: Yard, gate: Gate) -> None:
    vcpus = {"vcpus": 4}  # of 16, so that four run and six wait
    parent = yard.submit(yard.define(["sh", "-c", gate.script], container=vcpus), size=10)
    wait_for(
        lambda: yard.job(parent)["arrayProperties"]["statusSummary"] == summary(RUNNING=4, RUNNABLE=6),
        "four children running",
    )
    yard.batch.cancel_job(jobId=parent, reason="enough")
    cancelled = [child for child in yard.children(parent, 10) if child["status"] == "FAILED"]
    assert len(cancelled) == 6
    for child in cancelled:
        assert_never_ran(child, "enough")
    assert yard.job(parent)["status"] == "PENDING"
    assert len(yard.listed(arrayJobId=parent, jobStatus="RUNNING")) == 4
    gate.open()
    assert yard.ended(parent)["status"] == "FAILED"
    assert yard.job(parent)["arrayProperties"]["statusSummary"] == summary(SUCCEEDED=4, FAILED=6)


def test_terminating_a_parent_ends_every_child(yard: Yard, gate: Gate) -> None:
    parent = yard.submit(yard.define(["sh", "-c", gate.script], container={"vcpus": 8}), size=4)
    wait_for(lambda: len(yard.listed(arrayJobId=parent)) == 2, "two children running")
    yard.batch.terminate_job(jobId=parent, reason="enough")
    assert yard.ended(parent)["status"] == "FAILED"
    for child in yard.children(parent, 4):
        assert (child["status"], child["statusReason"]) == ("FAILED", "enough")
        assert child["isTerminated"]


def test_a_job_may_wait_for_a_single_child(yard: Yard, gate: Gate) -> None:
    array = yard.shell(f'[ "$AWS_BATCH_JOB_ARRAY_INDEX" = 1 ] || {{ {gate.script}; }}', size=2)
    after = yard.run(["true"], dependsOn=[{"jobId": f"{array}:1"}])
    assert after["status"] == "SUCCEEDED"
    assert yard.job(array)["status"] == "PENDING"
    assert after["dependsOn"] == [{"jobId": f"{array}:1"}]


def test_a_dependency_that_has_ended_counts_at_once(yard: Yard) -> None:
    good, bad = yard.run(["true"])["jobId"], yard.run(["false"])["jobId"]
    assert yard.run(["true"], dependsOn=[{"jobId": good}])["status"] == "SUCCEEDED"
    assert_never_ran(yard.run(["true"], dependsOn=[{"jobId": bad}]), DEPENDENT)
    array = yard.run(["true"], size=2)["jobId"]
    assert yard.run(["true"], size=2, dependsOn=[{"jobId": array, "type": "N_TO_N"}])["status"] == "SUCCEEDED"


def test_children_share_what_their_parent_was_submitted_with(yard: Yard) -> None:
    script = 'echo "$AWS_BATCH_JOB_ID $AWS_BATCH_JOB_ARRAY_INDEX $AWS_BATCH_JOB_ARRAY_SIZE $1"'
    definition = yard.define(["sh", "-c", script, "sh", "Ref::word"])
    parent = yard.run(definition, size=2, parameters={"word": "shared"}, tags={"owner": "me"}, jobName="together")
    assert parent["tags"] == {"owner": "me"}
    for index, child in enumerate(yard.children(parent["jobId"], 2)):
        assert (child["jobName"], child["jobDefinition"]) == ("together", parent["jobDefinition"])
        assert child["jobArn"] == f"{parent['jobArn']}:{index}"
        assert child["tags"] == {}
        assert yard.log(child) == [f"{parent['jobId']}:{index} {index} 2 shared"]
