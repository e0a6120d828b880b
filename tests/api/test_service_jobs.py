"""What the operations of service jobs refuse, and what they keep apart, over a real database."""

import json
from typing import Any

import pytest

from batchyard.core.refusals import Refusal
from tests.api.conftest import Yard

ARN = "arn:aws:batch:eu-central-1:123456789012:"
QUOTA: dict[str, Any] = {
    "capacityLimits": [{"maxCapacity": 2, "capacityUnit": "ml.m5.large"}],
    "resourceSharingConfiguration": {"strategy": "LEND"},
    "preemptionConfiguration": {"inSharePreemption": "DISABLED"},
}
PATTERN = "must match [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62} and have at most 63 characters"


@pytest.fixture
def yard(yard: Yard) -> Yard:
    """With compute environment and queue `default`, and service environment and queue `training`."""
    yard.environment()
    yard.queue()
    limits = [{"maxCapacity": 1, "capacityUnit": "NUM_INSTANCES"}]
    names = {"serviceEnvironmentName": "training", "serviceEnvironmentType": "SAGEMAKER_TRAINING"}
    yard.call("CreateServiceEnvironment", capacityLimits=limits, **names)
    queue(yard, "training")
    return yard


def queue(yard: Yard, name: str, **members: Any) -> None:
    order = [{"order": 1, "serviceEnvironment": "training"}]
    yard.call("CreateJobQueue", jobQueueName=name, priority=1, serviceEnvironmentOrder=order, **members)


def request(payload: Any = None, **members: Any) -> dict[str, Any]:
    text = payload if isinstance(payload, str) else json.dumps(payload or {})
    made = {"jobName": "train", "jobQueue": "training", "serviceJobType": "SAGEMAKER_TRAINING"}
    return made | {"serviceRequestPayload": text} | members


def submit(yard: Yard, payload: Any = None, **members: Any) -> str:
    return str(yard.call("SubmitServiceJob", request(payload, **members))["jobId"])


def refused(yard: Yard, payload: Any = None, **members: Any) -> str:
    return yard.refusal("SubmitServiceJob", **request(payload, **members)).text


INVALID = "serviceRequestPayload is not valid: "


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        ("{", "serviceRequestPayload must be a valid JSON object."),
        ("[" * 5000, "serviceRequestPayload must be a valid JSON object."),
        ("[]", f"{INVALID}the payload must be an object."),
        ({"TrainingJobName": "-x"}, f"{INVALID}TrainingJobName {PATTERN}."),
        ({"TrainingJobName": "x" * 64}, f"{INVALID}TrainingJobName {PATTERN}."),
        ({"AlgorithmSpecification": 1}, f"{INVALID}AlgorithmSpecification must be an object."),
        (
            {"AlgorithmSpecification": {"ContainerEntrypoint": ["a", 1]}},
            f"{INVALID}AlgorithmSpecification.ContainerEntrypoint must be a list of strings.",
        ),
        (
            {"HyperParameters": {"epochs": 10}},
            f"{INVALID}HyperParameters must be a map of strings without '=' in names and without NUL characters.",
        ),
        (
            {"Environment": {"A=B": "c"}},
            f"{INVALID}Environment must be a map of strings without '=' in names and without NUL characters.",
        ),
        (
            {"InputDataConfig": [{"ChannelName": ".."}]},
            f"{INVALID}InputDataConfig[0].ChannelName must be a name of letters, digits, '.', '-' and '_', each once.",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 0}},
            f"{INVALID}StoppingCondition.MaxRuntimeInSeconds must be an integer of at least 1.",
        ),
        (
            {"ResourceConfig": {"InstanceCount": 2}},
            "Training jobs of 2 instances cannot run in this Batchyard: InstanceCount must be 1.",
        ),
        ({"X": "x" * 10240}, "serviceRequestPayload must be at most 10 KiB."),
    ],
)
def test_payloads_that_cannot_be_used(yard: Yard, payload: Any, complaint: str) -> None:
    assert refused(yard, payload) == complaint
    assert yard.call("ListServiceJobs", jobQueue="training", jobStatus="RUNNABLE")["jobSummaryList"] == []


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"jobName": "no spaces"}, "Job name should match valid pattern"),
        ({"jobQueue": "nowhere"}, "JobQueue nowhere not found."),
        (
            {"jobQueue": "default"},
            "Service jobs can only be submitted to job queues of type SAGEMAKER_TRAINING, JobQueue default is not.",
        ),
        ({"schedulingPriority": 10000}, "Scheduling priority must be between 0 and 9999."),
        (
            {"shareIdentifier": "a"},
            "shareIdentifier can only be specified for a job queue with a fair share scheduling policy.",
        ),
        (
            {"quotaShareName": "a"},
            "quotaShareName can only be specified for a job queue with a quota share scheduling policy.",
        ),
        ({"retryStrategy": {"attempts": 11}}, "RetryAttempts must be between 1 and 10."),
        (
            {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "RETRY"}]}},
            "Each entry of evaluateOnExit must specify action and onStatusReason.",
        ),
        (
            {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "EXIT", "onStatusReason": "a*b"}]}},
            "Evaluate on exit condition contains restricted characters.",
        ),
        (
            {"timeoutConfig": {"attemptDurationSeconds": 59}},
            "AttemptDurationSeconds in Timeout must be at least 60 seconds.",
        ),
    ],
)
def test_requests_that_cannot_be_carried_out(yard: Yard, members: dict[str, Any], complaint: str) -> None:
    assert refused(yard, **members) == complaint


def test_queues_take_jobs_of_their_own_kind_while_they_are_enabled(yard: Yard) -> None:
    definition = yard.definition()
    refusal = yard.refusal("SubmitJob", jobName="j", jobQueue="training", jobDefinition=definition)
    seen = "Job Queue is attached to Compute Environment that can not run Jobs with capability EC2"
    assert refusal.text == seen
    token = {"clientToken": "once"}
    job_id = submit(yard, **token)
    yard.call("UpdateJobQueue", jobQueue="training", state="DISABLED")
    assert "ENABLED" in refused(yard, clientToken="another")
    assert submit(yard, **token) == job_id


def test_shares_are_those_of_the_policy(yard: Yard) -> None:
    fair = yard.call("CreateSchedulingPolicy", name="fair", fairsharePolicy={})["arn"]
    queue(yard, "fair", schedulingPolicyArn=fair)
    assert "must specify shareIdentifier" in refused(yard, jobQueue="fair")
    job_id = submit(yard, jobQueue="fair", shareIdentifier="red", schedulingPriority=3)
    found = yard.call("DescribeServiceJob", jobId=job_id)
    assert (found["shareIdentifier"], found["schedulingPriority"]) == ("red", 3)
    of_red = [{"name": "SHARE_IDENTIFIER", "values": ["red"]}]
    assert yard.call("ListServiceJobs", jobQueue="fair", filters=of_red)["jobSummaryList"] == []
    (listed,) = yard.call("ListServiceJobs", jobQueue="fair", filters=of_red, jobStatus="RUNNABLE")["jobSummaryList"]
    assert listed["jobId"] == job_id


def test_quota_shares_must_exist_and_be_enabled(yard: Yard) -> None:
    limits = [{"maxCapacity": 1, "capacityUnit": "ml.m5.large"}]
    names = {"serviceEnvironmentName": "managed", "serviceEnvironmentType": "SAGEMAKER_TRAINING"}
    yard.call("CreateServiceEnvironment", capacityLimits=limits, **names)
    policy = yard.call(
        "CreateSchedulingPolicy", name="quota", quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"}
    )
    order = [{"order": 1, "serviceEnvironment": "managed"}]
    members = {"priority": 1, "serviceEnvironmentOrder": order, "schedulingPolicyArn": policy["arn"]}
    yard.call("CreateJobQueue", jobQueueName="managed", **members)
    assert "must specify quotaShareName" in refused(yard, jobQueue="managed")
    assert refused(yard, jobQueue="managed", quotaShareName="team").startswith("Quota share team does not exist")
    arn = yard.call("CreateQuotaShare", quotaShareName="team", jobQueue="managed", **QUOTA)["quotaShareArn"]
    preemption = {"preemptionRetriesBeforeTermination": 2}
    job_id = submit(yard, jobQueue="managed", quotaShareName="team", preemptionConfiguration=preemption)
    found = yard.call("DescribeServiceJob", jobId=job_id)
    assert (found["quotaShareName"], found["preemptionConfiguration"]) == ("team", preemption)
    yard.call("UpdateQuotaShare", quotaShareArn=arn, state="DISABLED")
    assert refused(yard, jobQueue="managed", quotaShareName="team").startswith("Quota share team does not exist")


def test_operations_find_jobs_of_their_own_kind_alone(yard: Yard) -> None:
    service_job = submit(yard)
    job = yard.call("SubmitJob", jobName="j", jobQueue="default", jobDefinition=yard.definition())["jobId"]
    assert yard.call("DescribeJobs", jobs=[service_job])["jobs"] == []
    assert yard.call("ListJobs", jobQueue="training", jobStatus="RUNNABLE")["jobSummaryList"] == []
    assert yard.call("ListServiceJobs", jobQueue="default", jobStatus="RUNNABLE")["jobSummaryList"] == []
    yard.call("TerminateJob", jobId=service_job, reason="wrong kind")
    assert yard.call("DescribeServiceJob", jobId=service_job)["status"] == "RUNNABLE"
    yard.call("TerminateServiceJob", jobId=job, reason="wrong kind")
    assert yard.call("DescribeJobs", jobs=[job])["jobs"][0]["status"] == "RUNNABLE"
    for operation in ("DescribeServiceJob", "UpdateServiceJob"):
        assert yard.refusal(operation, jobId=job, schedulingPriority=1).text == f"ServiceJob {job} not found."
    depends_on = [{"jobId": service_job}]
    with pytest.raises(Refusal):
        yard.call("SubmitJob", jobName="j", jobQueue="default", jobDefinition="sleep", dependsOn=depends_on)
    assert yard.refusal("TagResource", resourceArn=f"{ARN}job/{service_job}", tags={"a": "b"})


def test_tags_of_service_jobs_are_those_of_their_arn(yard: Yard) -> None:
    answer = yard.call("SubmitServiceJob", request(tags={"a": "b"}))
    assert answer["jobArn"] == f"{ARN}service-job/{answer['jobId']}"
    yard.call("TagResource", resourceArn=answer["jobArn"], tags={"c": "d"})
    yard.call("UntagResource", resourceArn=answer["jobArn"], tagKeys=["a"])
    assert yard.call("ListTagsForResource", resourceArn=answer["jobArn"])["tags"] == {"c": "d"}
    assert yard.call("DescribeServiceJob", jobId=answer["jobArn"])["tags"] == {"c": "d"}


def test_a_priority_can_be_changed_until_the_job_has_ended(yard: Yard) -> None:
    job_id = submit(yard, schedulingPriority=1)
    answer = yard.call("UpdateServiceJob", jobId=job_id, schedulingPriority=9999)
    assert answer == {"jobArn": f"{ARN}service-job/{job_id}", "jobName": "train", "jobId": job_id}
    assert yard.call("DescribeServiceJob", jobId=job_id)["schedulingPriority"] == 9999
    refusal = yard.refusal("UpdateServiceJob", jobId=job_id, schedulingPriority=-1)
    assert refusal.text == "Scheduling priority must be between 0 and 9999."
    yard.call("TerminateServiceJob", jobId=job_id, reason="enough")
    refusal = yard.refusal("UpdateServiceJob", jobId=job_id, schedulingPriority=1)
    assert refusal.text == f"ServiceJob {job_id} has ended and cannot be updated."


def test_terminating_many_says_what_became_of_each(yard: Yard) -> None:
    first, second = submit(yard), submit(yard)
    answer = yard.call("TerminateServiceJobs", jobs=[first, "unknown", "a b", second], reason="enough")
    assert answer["successful"] == [first, "unknown", second]
    assert [(error["job"], error["code"]) for error in answer["errors"]] == [("a b", "ClientException")]
    assert yard.call("DescribeServiceJob", jobId=second)["statusReason"] == "enough"
    assert yard.refusal("TerminateServiceJobs", jobs=["x"] * 51, reason="r").text.startswith("Maximum number of jobs")
    assert yard.refusal("TerminateServiceJob", jobId=first, reason="").text == "Reason must not be empty."


def test_lists_need_a_queue_and_one_known_filter(yard: Yard) -> None:
    assert yard.refusal("ListServiceJobs").text == "jobQueue must be specified."
    assert yard.refusal("ListServiceJobs", jobQueue="nowhere").text == "JobQueue nowhere not found."
    unknown = [{"name": "JOB_DEFINITION", "values": ["x"]}]
    refusal = yard.refusal("ListServiceJobs", jobQueue="training", filters=unknown)
    assert refusal.text == "Filter name JOB_DEFINITION is not supported."
    jobs = [submit(yard, jobName=f"job-{number}") for number in range(5)]
    first = yard.call("ListServiceJobs", jobQueue="training", jobStatus="RUNNABLE", maxResults=2)
    submit(yard)
    rest = yard.call(
        "ListServiceJobs", jobQueue="training", jobStatus="RUNNABLE", nextToken=first["nextToken"], maxResults=10
    )
    listed = [job["jobId"] for page in (first, rest) for job in page["jobSummaryList"]]
    assert listed == jobs[::-1]
    assert "nextToken" not in rest
