"""Roles and queues: what a caller may do, asked of operations over a real database."""

import re
from typing import Any

import pytest

from batchyard.api import access
from batchyard.api.operations import endpoint
from batchyard.core.access import NEEDED_ROLES, Principal, Role, needed_role
from batchyard.core.refusals import Refusal
from batchyard.engine.clock import RandomIds
from batchyard.wire import model
from tests.api.conftest import Yard

GROUP = "/aws/batch/job"
ALICE = Principal("alice", Role.SUBMIT, frozenset({"hers"}))
READER = Principal("reader", Role.READ)
SUBMITTER = Principal("submitter", Role.SUBMIT)
ADMIN = Principal("admin", Role.ADMIN)


@pytest.fixture
def two_queues(yard: Yard) -> Yard:
    """Alice's queue and another one, with a job in each; a definition."""
    yard.environment()
    yard.queue("hers")
    yard.queue("other")
    yard.definition()
    return yard


def ask(yard: Yard, who: Principal, operation: str, /, **members: Any) -> dict[str, Any]:
    """The answer to a caller. Raises Refusal."""
    name = operation if "." in operation else f"batch.{operation}"
    found = endpoint(name)
    with yard.database.write() if found.writes else yard.database.read() as tx:
        context = yard.context(tx)
        context = type(context)(
            tx, context.now, context.region, context.settings, RandomIds(), context.terms, principal=who
        )
        return dict(access.carry_out(name, found.function, context, members))


def denied(yard: Yard, who: Principal, operation: str, /, **members: Any) -> str:
    """The resource that is denied."""
    with pytest.raises(Refusal) as caught:
        ask(yard, who, operation, **members)
    refusal = caught.value
    name = operation if "." in operation else f"batch.{operation}"
    assert (refusal.code, refusal.status) == ("AccessDeniedException", 400 if name.startswith("logs.") else 403)
    user = f"arn:aws:iam::123456789012:user/{who.name}"
    said = re.fullmatch(
        rf"User: {user} is not authorized to perform: {name.replace('.', ':')} on resource: (\S+)", refusal.text
    )
    assert said, refusal.text
    return said[1]


def submit(yard: Yard, queue: str, **members: Any) -> str:
    answer = yard.call("SubmitJob", jobName="job", jobQueue=queue, jobDefinition="sleep", **members)
    return str(answer["jobId"])


def status(yard: Yard, job_id: str) -> str:
    return str(yard.call("DescribeJobs", jobs=[job_id])["jobs"][0]["status"])


def arn(tail: str) -> str:
    return f"arn:aws:batch:eu-central-1:123456789012:{tail}"


# --------------------------------------------------------------------------------------------------------------- tables


def test_every_operation_that_looks_is_for_readers_and_no_other() -> None:
    for service in (model.batch(), model.logs()):
        for name in service.operations:
            looks = name.startswith(("Describe", "List", "Get", "Filter"))
            assert (needed_role(f"{service.name}.{name}") is Role.READ) is looks, name


def test_every_operation_of_the_tables_exists_and_has_a_scope() -> None:
    known = {f"{service.name}.{name}" for service in (model.batch(), model.logs()) for name in service.operations}
    assert known >= NEEDED_ROLES.keys()
    assert NEEDED_ROLES.keys() - access.SCOPES.keys() == {"logs.CreateLogStream", "logs.PutLogEvents"}
    assert access.SCOPES.keys() - NEEDED_ROLES.keys() == set()


# ---------------------------------------------------------------------------------------------------------------- roles


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        (READER, {"ListJobs"}),
        (SUBMITTER, {"ListJobs", "SubmitJob", "RegisterJobDefinition"}),
        (ADMIN, {"ListJobs", "SubmitJob", "RegisterJobDefinition", "UpdateJobQueue", "CreateComputeEnvironment"}),
    ],
)
def test_what_a_role_may_call(two_queues: Yard, who: Principal, allowed: set[str]) -> None:
    requests: dict[str, dict[str, Any]] = {
        "ListJobs": {"jobQueue": "other"},
        "SubmitJob": {"jobName": "a", "jobQueue": "other", "jobDefinition": "sleep"},
        "RegisterJobDefinition": {
            "jobDefinitionName": "new",
            "type": "container",
            "containerProperties": {"image": "busybox", "vcpus": 1, "memory": 64},
        },
        "UpdateJobQueue": {"jobQueue": "other", "priority": 2},
        "CreateComputeEnvironment": {"computeEnvironmentName": "new", "type": "UNMANAGED"},
    }
    resources = {
        "SubmitJob": arn("job-queue/other"),
        "RegisterJobDefinition": arn("job-definition/new"),
        "UpdateJobQueue": arn("job-queue/other"),
        "CreateComputeEnvironment": arn("compute-environment/new"),
    }
    for operation, request in requests.items():
        if operation in allowed:
            ask(two_queues, who, operation, **request)
        else:
            assert denied(two_queues, who, operation, **request) == resources[operation]


def test_submitters_tag_jobs_and_definitions_only(two_queues: Yard) -> None:
    job = arn(f"job/{submit(two_queues, 'other')}")
    for tagged in (job, arn("job-definition/sleep:1")):
        ask(two_queues, SUBMITTER, "TagResource", resourceArn=tagged, tags={"a": "b"})
        ask(two_queues, SUBMITTER, "UntagResource", resourceArn=tagged, tagKeys=["a"])
        assert denied(two_queues, READER, "TagResource", resourceArn=tagged, tags={"a": "b"}) == tagged
    queue = arn("job-queue/other")
    assert denied(two_queues, SUBMITTER, "TagResource", resourceArn=queue, tags={"a": "b"}) == queue
    ask(two_queues, ADMIN, "TagResource", resourceArn=queue, tags={"a": "b"})
    assert ask(two_queues, READER, "ListTagsForResource", resourceArn=queue)["tags"] == {"a": "b"}


def test_logs_for_readers(two_queues: Yard) -> None:
    stream = two_queues.attempt(1, (0, "line"))
    assert ask(two_queues, READER, "logs.GetLogEvents", logGroupName=GROUP, logStreamName=stream)["events"]
    assert denied(two_queues, READER, "logs.CreateLogGroup", logGroupName="g") == "*"
    assert denied(two_queues, SUBMITTER, "logs.DeleteLogGroup", logGroupName="g") == "*"


# --------------------------------------------------------------------------------------------------------------- queues


def test_submits_to_own_queues_only(two_queues: Yard) -> None:
    request = {"jobName": "a", "jobDefinition": "sleep"}
    for own in ("hers", arn("job-queue/hers"), "arn:aws:batch:us-west-2:999999999999:job-queue/hers"):
        ask(two_queues, ALICE, "SubmitJob", jobQueue=own, **request)
    for foreign in ("other", arn("job-queue/other"), "arn:aws:batch:us-west-2:999999999999:job-queue/other"):
        assert denied(two_queues, ALICE, "SubmitJob", jobQueue=foreign, **request) == arn("job-queue/other")


def test_ends_own_jobs_only(two_queues: Yard) -> None:
    own, foreign = submit(two_queues, "hers"), submit(two_queues, "other", arrayProperties={"size": 2})
    for operation in ("CancelJob", "TerminateJob"):
        for job_id in (foreign, f"{foreign}:1", arn(f"job/{foreign}")):
            assert denied(two_queues, ALICE, operation, jobId=job_id, reason="no") == arn(f"job/{foreign}")
        ask(two_queues, ALICE, operation, jobId=own, reason="hers")
        ask(two_queues, ALICE, operation, jobId="00000000-0000-4000-8000-000000000000", reason="nobody's")
    assert status(two_queues, foreign) != "FAILED"
    assert status(two_queues, own) == "FAILED"


@pytest.mark.parametrize("operation", ["CancelJobs", "TerminateJobs"])
def test_ends_many_jobs_and_says_which_were_not_hers(two_queues: Yard, operation: str) -> None:
    own, foreign = submit(two_queues, "hers"), submit(two_queues, "other")
    answer = ask(two_queues, ALICE, operation, jobs=[foreign, own, "not an id"], reason="hers")
    assert answer["successful"] == [own]
    assert {error["job"]: error["code"] for error in answer["errors"]} == {
        foreign: "AccessDenied",
        "not an id": "ClientException",
    }
    assert status(two_queues, foreign) != "FAILED"
    with pytest.raises(Refusal, match="50"):
        ask(two_queues, ALICE, operation, jobs=[foreign] * 51, reason="too many")


def test_is_shown_own_jobs_only(two_queues: Yard) -> None:
    own, foreign = submit(two_queues, "hers"), submit(two_queues, "other", arrayProperties={"size": 2})
    shown = ask(two_queues, ALICE, "DescribeJobs", jobs=[foreign, own, f"{foreign}:0"])["jobs"]
    assert [job["jobId"] for job in shown] == [own]
    listed = ask(two_queues, ALICE, "ListJobs", jobQueue="hers", jobStatus=status(two_queues, own))["jobSummaryList"]
    assert [job["jobId"] for job in listed] == [own]
    assert denied(two_queues, ALICE, "ListJobs", jobQueue="other") == arn("job-queue/other")
    assert denied(two_queues, ALICE, "ListJobs", arrayJobId=foreign) == arn(f"job/{foreign}")
    with pytest.raises(Refusal) as caught:
        ask(two_queues, ALICE, "ListJobs")
    assert caught.value.code == "ClientException"


def test_tags_of_foreign_jobs_stay_hidden(two_queues: Yard) -> None:
    own, foreign = (arn(f"job/{submit(two_queues, queue)}") for queue in ("hers", "other"))
    ask(two_queues, ALICE, "TagResource", resourceArn=own, tags={"a": "b"})
    assert ask(two_queues, ALICE, "ListTagsForResource", resourceArn=own)["tags"] == {"a": "b"}
    for operation, members in (
        ("ListTagsForResource", {}),
        ("TagResource", {"tags": {"a": "b"}}),
        ("UntagResource", {"tagKeys": ["a"]}),
    ):
        assert denied(two_queues, ALICE, operation, resourceArn=foreign, **members) == foreign
    assert ask(two_queues, ALICE, "ListTagsForResource", resourceArn=arn("job-queue/other"))["tags"] == {}


def test_reads_logs_of_own_jobs_only(two_queues: Yard) -> None:
    submit(two_queues, "hers")
    submit(two_queues, "other")
    own, foreign = (two_queues.attempt(number, (0, "line"), stream=f"s/{number}") for number in (1, 2))
    request = {"logGroupName": GROUP}
    assert ask(two_queues, ALICE, "logs.GetLogEvents", logStreamName=own, **request)["events"]
    assert denied(two_queues, ALICE, "logs.GetLogEvents", logStreamName=foreign, **request).endswith(f":{foreign}")
    assert ask(two_queues, ALICE, "logs.FilterLogEvents", logStreamNames=[own], **request)["events"]
    for names in ([own, foreign], []):
        denied(two_queues, ALICE, "logs.FilterLogEvents", logStreamNames=names, **request)
    denied(two_queues, ALICE, "logs.FilterLogEvents", logStreamNamePrefix="s/1", **request)
    shown = ask(two_queues, ALICE, "logs.DescribeLogStreams", **request)["logStreams"]
    assert [stream["logStreamName"] for stream in shown] == [own]
    with pytest.raises(Refusal) as caught:
        ask(two_queues, ALICE, "logs.GetLogEvents", logStreamName="nothing", **request)
    assert caught.value.code == "ResourceNotFoundException"
    assert ask(two_queues, READER, "logs.GetLogEvents", logStreamName=foreign, **request)["events"]


def test_other_operations_stay_open_and_new_ones_closed(two_queues: Yard) -> None:
    assert len(ask(two_queues, ALICE, "DescribeJobQueues")["jobQueues"]) == 2
    assert denied(two_queues, ALICE, "GetJobQueueSnapshot", jobQueue="other") == arn("job-queue/other")
    assert denied(two_queues, ALICE, "ListServiceJobs") == "*"
    assert denied(two_queues, ALICE, "logs.PutLogEvents", logGroupName=GROUP, logStreamName="s", logEvents=[]) == "*"
    assert denied(two_queues, ALICE, "DeleteJobQueue", jobQueue="hers") == arn("job-queue/hers")


def service_job(yard: Yard, queue: str) -> str:
    request = {"jobName": "train", "serviceJobType": "SAGEMAKER_TRAINING", "serviceRequestPayload": "{}"}
    return str(yard.call("SubmitServiceJob", jobQueue=queue, **request)["jobId"])


def test_service_jobs_belong_to_their_queues(yard: Yard) -> None:
    limits = [{"maxCapacity": 1, "capacityUnit": "NUM_INSTANCES"}]
    names = {"serviceEnvironmentName": "training", "serviceEnvironmentType": "SAGEMAKER_TRAINING"}
    yard.call("CreateServiceEnvironment", capacityLimits=limits, **names)
    order = [{"order": 1, "serviceEnvironment": "training"}]
    for name in ("hers", "other"):
        yard.call("CreateJobQueue", jobQueueName=name, priority=1, serviceEnvironmentOrder=order)
    own, foreign = service_job(yard, "hers"), service_job(yard, "other")
    resource = arn(f"service-job/{foreign}")
    assert ask(yard, ALICE, "DescribeServiceJob", jobId=own)["jobId"] == own
    for operation in ("DescribeServiceJob", "TerminateServiceJob", "UpdateServiceJob"):
        assert denied(yard, ALICE, operation, jobId=foreign, schedulingPriority=1, reason="r") == resource
    assert denied(yard, ALICE, "ListServiceJobs", jobQueue="other") == arn("job-queue/other")
    assert denied(yard, ALICE, "TagResource", resourceArn=resource, tags={"a": "b"}) == resource
    assert denied(yard, READER, "TerminateServiceJobs", jobs=[own], reason="r") == "*"
    answer = ask(yard, ALICE, "TerminateServiceJobs", jobs=[own, foreign, "unknown"], reason="enough")
    assert answer["successful"] == [own, "unknown"]
    assert [(error["job"], error["code"]) for error in answer["errors"]] == [(foreign, "AccessDenied")]
    assert yard.call("DescribeServiceJob", jobId=foreign)["status"] == "RUNNABLE"
