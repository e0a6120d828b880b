"""What generated requests may name: things that exist, so that requests get past the look-ups; and texts that bite."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from tests.clients.server_process import wait_for

ARN = "arn:aws:batch:us-east-1:123456789012:"
NAMES = ("seed", "spare", "other", "more", "x" * 128)
KINDS = {
    "jobQueue": "job-queue",
    "computeEnvironment": "compute-environment",
    "jobDefinition": "job-definition",
    "schedulingPolicy": "scheduling-policy",
    "serviceEnvironment": "service-environment",
    "consumableResource": "consumable-resource",
    "quotaShare": "quota-share",
}

CONTAINER: Mapping[str, Any] = {"image": "busybox", "vcpus": 1, "memory": 64, "command": ["true", "Ref::what"]}
NEEDS = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
WHOLE_NEEDS = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
FARGATE = {"image": "busybox", "resourceRequirements": NEEDS, "executionRoleArn": "arn:aws:iam::123456789012:role/r"}
TASK = {"containers": [{"name": "main", "image": "busybox", "resourceRequirements": WHOLE_NEEDS, "command": ["true"]}]}
POD = {"containers": [{"image": "busybox", "resources": {"limits": {"cpu": "1", "memory": "64Mi"}}}]}
RANGES = [{"targetNodes": "0:", "container": CONTAINER}]
LIMITS = [{"maxCapacity": 1, "capacityUnit": "NUM_INSTANCES"}]
DEFINITION: Mapping[str, Any] = {"jobDefinitionName": "seed", "type": "container", "parameters": {"what": "1"}}
DEFINITIONS: tuple[Mapping[str, Any], ...] = (
    {**DEFINITION, "containerProperties": CONTAINER},
    {**DEFINITION, "containerProperties": FARGATE, "platformCapabilities": ["FARGATE"], "jobDefinitionName": "fargate"},
    {**DEFINITION, "ecsProperties": {"taskProperties": [TASK]}, "jobDefinitionName": "task"},
    {**DEFINITION, "eksProperties": {"podProperties": POD}, "jobDefinitionName": "pod"},
    {
        "jobDefinitionName": "nodes",
        "type": "multinode",
        "nodeProperties": {"numNodes": 2, "mainNode": 0, "nodeRangeProperties": RANGES},
    },
)
ENVIRONMENT = {"type": "MANAGED", "computeResources": {"type": "EC2", "maxvCpus": 4}}
QUEUE = {"priority": 1, "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "seed"}]}
SUBMITTED = {"jobName": "job", "parameters": {"what": "1"}}
TRAINING: Mapping[str, Any] = {"jobName": "job", "serviceJobType": "SAGEMAKER_TRAINING", "serviceRequestPayload": "{}"}
IN_SHARE: Mapping[str, Any] = {**TRAINING, "jobQueue": "training", "quotaShareName": "seed"}
PAYLOADS = (
    "{}",
    '{"TrainingJobName": "one", "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1}}',
    '{"AlgorithmSpecification": {"ContainerEntrypoint": ["true"], "ContainerArguments": ["a", "b"]}}',
    '{"HyperParameters": {"sagemaker_program": "t.py", "rate": "[1"}, "StoppingCondition": {"MaxRuntimeInSeconds": 9}}',
    '{"InputDataConfig": [{"ChannelName": "x", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/../.."}}}]}',
    '{"InputDataConfig": [{"ChannelName": ".."}]}',
    '{"HyperParameters": {"a": 1}}',
    '{"Environment": {"": "\\ud800", "A=B": "\\u0000"}, "ResourceConfig": {"InstanceCount": 1e400}}',
    "[" * 10_000,
    "null",
    "NaN",
)
"""serviceRequestPayload: the JSON of a CreateTrainingJob request, sound and otherwise."""
CONSUMED = {"consumableResourceList": [{"consumableResource": "seed", "quantity": 1}]}
GROUP = {"logGroupName": "/aws/batch/job"}

BASES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "CreateComputeEnvironment": [ENVIRONMENT, {"type": "UNMANAGED", "serviceRole": "role"}],
    "CreateJobQueue": [QUEUE, {**QUEUE, "schedulingPolicyArn": f"{ARN}scheduling-policy/seed"}],
    "CreateServiceEnvironment": [{"serviceEnvironmentType": "SAGEMAKER_TRAINING", "capacityLimits": LIMITS}],
    "CreateQuotaShare": [
        {
            "jobQueue": "training",
            "capacityLimits": LIMITS,
            "resourceSharingConfiguration": {"strategy": "LEND"},
            "preemptionConfiguration": {"inSharePreemption": "ENABLED"},
        }
    ],
    "RegisterJobDefinition": DEFINITIONS,
    "SubmitJob": [
        {**SUBMITTED, "jobQueue": "seed", "jobDefinition": "seed"},
        {**SUBMITTED, "jobQueue": "seed", "jobDefinition": "seed", "arrayProperties": {"size": 3}},
        {**SUBMITTED, "jobQueue": "seed", "jobDefinition": "task"},
        {**SUBMITTED, "jobQueue": "seed", "jobDefinition": "pod"},
        {**SUBMITTED, "jobQueue": "seed", "jobDefinition": "nodes"},
        {**SUBMITTED, "jobQueue": "fair", "jobDefinition": "seed", "shareIdentifier": "blue"},
        {**SUBMITTED, "jobQueue": "seed", "jobDefinition": "seed", "consumableResourcePropertiesOverride": CONSUMED},
        {**SUBMITTED, "jobQueue": "fargate", "jobDefinition": "fargate"},
    ],
    "SubmitServiceJob": [
        IN_SHARE,
        {
            **IN_SHARE,
            "serviceRequestPayload": PAYLOADS[1],
            "preemptionConfiguration": {"preemptionRetriesBeforeTermination": 1},
        },
        {**IN_SHARE, "retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "EXIT", "onStatusReason": "x*"}]}},
        {**TRAINING, "jobQueue": "plain-training", "serviceRequestPayload": PAYLOADS[2]},
        {**TRAINING, "jobQueue": "fair-training", "shareIdentifier": "blue", "schedulingPriority": 3},
    ],
    "DescribeServiceJob": [{}],
    "UpdateServiceJob": [{"schedulingPriority": 7}],
    "TerminateServiceJob": [{"reason": "enough"}],
    "GetJobQueueSnapshot": [{"jobQueue": queue} for queue in ("seed", "fair", "training", "fair-training")],
    "ListJobs": [{"jobQueue": "seed", "jobStatus": "RUNNABLE"}, {"jobQueue": "seed"}],
    "ListJobsByConsumableResource": [{"consumableResource": "seed"}],
    "DescribeConsumableResource": [{"consumableResource": "seed"}],
    "UpdateConsumableResource": [{"consumableResource": "seed", "operation": "SET", "quantity": 3}],
    "UpdateJobQueue": [{"jobQueue": "spare", "state": "DISABLED"}],
    "DeleteJobQueue": [{"jobQueue": "spare"}],
    "UpdateComputeEnvironment": [{"computeEnvironment": "spare", "state": "DISABLED"}],
    "DeleteComputeEnvironment": [{"computeEnvironment": "spare"}],
    "UpdateServiceEnvironment": [{"serviceEnvironment": "spare", "state": "DISABLED"}],
    "DeleteServiceEnvironment": [{"serviceEnvironment": "spare"}],
    "UpdateQuotaShare": [{"quotaShareArn": f"{ARN}quota-share/training/spare", "state": "DISABLED"}],
    "DeleteQuotaShare": [{"quotaShareArn": f"{ARN}quota-share/training/spare"}],
    "ListServiceJobs": [
        {"jobQueue": "training", "jobStatus": "RUNNABLE"},
        {"jobQueue": "plain-training"},
        {"jobQueue": "training", "filters": [{"name": "QUOTA_SHARE_NAME", "values": ["seed"]}]},
    ],
    "ListQuotaShares": [{"jobQueue": "training"}],
    "GetLogEvents": [GROUP],
    "FilterLogEvents": [GROUP],
    "DescribeLogStreams": [GROUP],
}
"""Members that make a request of the operation sound, in several ways; generated ones are laid over them."""

NUMBERS: Mapping[str, Sequence[int]] = {
    **dict.fromkeys(("maxResults", "limit", "attempts", "order", "quantity", "maxCapacity"), (1, 2, 3)),
    **dict.fromkeys(("minvCpus", "desiredvCpus", "readOnly", "mainNode", "transitEncryptionPort"), (0,)),
    **dict.fromkeys(("vcpus", "maxvCpus"), (1, 4)),
    "memory": (64, 2048),
    "size": (2, 3, 10_000),
    "numNodes": (1, 2),
    "attemptDurationSeconds": (60, 3600),
    "maxTimeSeconds": (600,),
    "startTime": (0,),
    "endTime": (4_000_000_000_000,),
}
"""Numbers that are sound, by the member that carries them."""

PAGINATED = (
    "DescribeComputeEnvironments",
    "DescribeJobDefinitions",
    "DescribeJobQueues",
    "DescribeServiceEnvironments",
    "ListConsumableResources",
    "ListJobs",
    "ListJobsByConsumableResource",
    "ListQuotaShares",
    "ListSchedulingPolicies",
    "ListServiceJobs",
)

BITING = (
    "", " ", "\0", "a\0b", "\ud800", "\U0010ffff", "\u202e", "e\u0301" * 20, "../../etc/passwd", "' OR 1=1 --", "%00",
    "a" * 129, "a" * 5000, "Ref::", "Ref::what", "nul\n\r\t", "\ufeff", "NaN", "-0", "1e400", "arn:", ARN, f"{ARN}job/",
    f"{ARN}job-queue/seed/more", f"{ARN}job-definition/seed:99999999999", "seed:0", "*", "**", "AWS_BATCH_JOB_ID",
    "\u0661", "\u00b2", "9" * 20, "9" * 5000, "{}", "[", "aws:x", "#0", ":0",
)  # fmt: skip
"""Strings that have broken programs."""


def write_a_log(batch: Any) -> None:
    """Run one job, of this file's own, whose stream and attempt requests may then name."""
    batch.register_job_definition(
        jobDefinitionName="echo",
        type="container",
        containerProperties={**CONTAINER, "command": ["printf", "first ERROR\\nsecond\\n"]},
    )
    job_id = batch.submit_job(jobName="job", jobQueue="default", jobDefinition="echo")["jobId"]
    wait_for(lambda: batch.describe_jobs(jobs=[job_id])["jobs"][0]["status"] == "SUCCEEDED", "a job that has ended")


def seed(batch: Any, logs: Any) -> dict[str, tuple[str, ...]]:
    """Make what is not there, and the texts that requests may use, by the member that carries them."""
    quota = {"quotaSharePolicy": {"idleResourceAssignmentStrategy": "FIFO"}}
    fargate = {"type": "MANAGED", "computeResources": {"type": "FARGATE", "maxvCpus": 4}}
    on_fargate = {"priority": 1, "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "fargate"}]}
    training = {
        "priority": 1,
        "serviceEnvironmentOrder": [{"order": 1, "serviceEnvironment": "training"}],
    }
    divided = {**training, "schedulingPolicyArn": f"{ARN}scheduling-policy/training"}
    by_share = {**training, "schedulingPolicyArn": f"{ARN}scheduling-policy/seed"}
    service = BASES["CreateServiceEnvironment"][0]
    for make, request in (
        (batch.create_compute_environment, {**ENVIRONMENT, "computeEnvironmentName": "seed"}),
        (batch.create_compute_environment, {**ENVIRONMENT, "computeEnvironmentName": "spare"}),
        (batch.create_compute_environment, {**fargate, "computeEnvironmentName": "fargate"}),
        (batch.create_scheduling_policy, {"name": "seed", "fairsharePolicy": {}}),
        (batch.create_scheduling_policy, {"name": "training", **quota}),
        (batch.create_service_environment, {**service, "serviceEnvironmentName": "training"}),
        (batch.create_job_queue, {**QUEUE, "jobQueueName": "seed"}),
        (batch.create_job_queue, {**QUEUE, "jobQueueName": "spare"}),
        (batch.create_service_environment, {**service, "serviceEnvironmentName": "spare"}),
        (batch.create_job_queue, {**on_fargate, "jobQueueName": "fargate"}),
        (batch.create_job_queue, {**BASES["CreateJobQueue"][1], "jobQueueName": "fair"}),
        (batch.create_job_queue, {**divided, "jobQueueName": "training"}),
        (batch.create_job_queue, {**training, "jobQueueName": "plain-training"}),
        (batch.create_job_queue, {**by_share, "jobQueueName": "fair-training"}),
        (batch.create_quota_share, {**BASES["CreateQuotaShare"][0], "quotaShareName": "seed"}),
        (batch.create_quota_share, {**BASES["CreateQuotaShare"][0], "quotaShareName": "spare"}),
        (batch.create_consumable_resource, {"consumableResourceName": "seed", "totalQuantity": 3}),
        (logs.create_log_group, {"logGroupName": "seed"}),
        *((batch.register_job_definition, definition) for definition in DEFINITIONS),
    ):
        with contextlib.suppress(ClientError):  # It is there, or was made unusable by requests before.
            make(**request)
    streams: list[Any] = []
    with contextlib.suppress(ClientError):
        streams = logs.describe_log_streams(**GROUP)["logStreams"]
    return {
        **_texts(_job_ids(batch)),
        **_service_jobs(batch),
        **_tokens(batch),
        **dict.fromkeys(("logStreamName", "logStreamNames"), tuple(stream["logStreamName"] for stream in streams)),
    }


def _job_ids(batch: Any) -> list[str]:
    found: list[str] = []
    for queue, status in (("seed", "RUNNABLE"), ("default", "SUCCEEDED")):
        with contextlib.suppress(ClientError):
            listed = batch.list_jobs(jobQueue=queue, jobStatus=status, maxResults=2)["jobSummaryList"]
            found += [job["jobId"] for job in listed]
    for members in BASES["SubmitJob"]:
        depends = {"dependsOn": [{"jobId": found[-1]}]} if found else {}
        with contextlib.suppress(ClientError):
            found.append(batch.submit_job(**members, **depends)["jobId"])
    return found


def _service_jobs(batch: Any) -> dict[str, tuple[str, ...]]:
    """Ids and ARNs of service jobs, for the operations on them alone."""
    found: list[str] = []
    for members in BASES["SubmitServiceJob"]:
        with contextlib.suppress(ClientError):
            made = batch.submit_service_job(**members)
            found += [made["jobId"], made["jobArn"]]
    own = (*found, *found, "no-such-job", "")
    operations = ("DescribeServiceJob", "UpdateServiceJob", "TerminateServiceJob")
    return {**{f"{name}.jobId": own for name in operations}, "TerminateServiceJobs.jobs": own}


def _tokens(batch: Any) -> dict[str, tuple[str, ...]]:
    """A token of each operation that has pages, as far as there is a second one."""
    found: dict[str, tuple[str, ...]] = {"nextToken": ("x",)}
    for operation in PAGINATED:
        ask = getattr(batch, xform_name(operation))
        base = BASES.get(operation, ({},))[0]
        with contextlib.suppress(ClientError):
            if token := ask(**base, maxResults=1).get("nextToken"):
                found[f"{operation}.nextToken"] = (token,)
    return found


def _texts(job_ids: list[str]) -> dict[str, tuple[str, ...]]:
    jobs = (*job_ids, *(f"{i}:{n}" for i in job_ids for n in (0, 2, 3)), *(f"{i}#0" for i in job_ids), "no-such-job")
    texts: dict[str, tuple[str, ...]] = dict.fromkeys(("jobId", "jobs", "arrayJobId", "multiNodeJobId"), jobs)
    arns: list[str] = [f"{ARN}job/{job}" for job in jobs]
    for kind, tail in KINDS.items():
        names = ("seed", "seed", *NAMES, "training", "fair", "default")
        of_kind = [f"{ARN}{tail}/{name}" for name in names]
        if kind == "jobDefinition":
            of_kind += [f"{ARN}{tail}/seed:1", "seed:1", "seed:2"]
        if kind == "quotaShare":
            of_kind = [f"{ARN}{tail}/training/{name}" for name in ("seed", *NAMES)]
        texts |= {f"{kind}Name": NAMES, f"{kind}Arn": tuple(of_kind), kind: (*names, *of_kind)}
        texts |= {f"{kind}s": texts[kind]}
        arns += of_kind
    texts["jobDefinition"] += ("task", "pod", "nodes", "fargate", "echo")
    return texts | {
        "arn": texts["schedulingPolicyArn"],
        "arns": texts["schedulingPolicyArn"],
        "resourceArn": tuple(arns),
        "name": (
            *NAMES,
            "JOB_NAME",
            "JOB_DEFINITION",
            "BEFORE_CREATED_AT",
            "SHARE_IDENTIFIER",
            "JOB_STATUS",
            "QUOTA_SHARE_NAME",
        ),
        "values": ("job", "seed*", "1700000000000", "RUNNABLE", "blue", f"{ARN}job-definition/seed:1"),
        "value": ("1", "0.25", "512", "2048", "64Mi", "x", "-1"),
        "shareIdentifier": ("blue", "red*", "re", "default"),
        "quotaShareName": ("seed", "seed", "spare", "other"),
        "CreateQuotaShare.quotaShareName": NAMES,
        "serviceRequestPayload": PAYLOADS,
        "clientToken": ("once", "twice"),
        "capacityUnit": ("NUM_INSTANCES", "ml.m5.large"),
        "targetNodes": ("0:", ":", "0", "0:1", "1:0", "5"),
        "onExitCode": ("1", "1*", "x"),
        "logGroupName": ("/aws/batch/job", "seed"),
        "DeleteLogGroup.logGroupName": ("seed",),  # what jobs wrote would be hidden for good
        "logGroupIdentifier": ("/aws/batch/job", "arn:aws:logs:us-east-1:123456789012:log-group:seed"),
        "filterPattern": ("ERROR -retrying", '"', "?a ?b", "{ $.a = 1 }", "%x%", "[a, b]"),
        "platformVersion": ("LATEST", "1.3.0", "1.4.0"),
        "limits.key": ("cpu", "memory", "nvidia.com/gpu"),
        "requests.key": ("cpu", "memory", "nvidia.com/gpu"),
        "limits": ("1", "0.25", "64Mi", "9" * 9, "9" * 30),
        "requests": ("1", "0.25", "64Mi"),
        "key": ("one", "two", "cpu", "memory"),
        "tagKeys": ("one", "two"),
        "condition": ("START", "COMPLETE", "SUCCESS"),
        "operation": ("SET", "ADD", "REMOVE"),
        "reason": ("enough", "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"),
        "status": ("ACTIVE", "INACTIVE"),
        "command": ("true", "Ref::what", "Ref::nothing"),
        "image": ("busybox",),
        "jobName": ("job", "a" * 128),
    }
