"""What generated requests may name: things that exist, so that requests get past the look-ups; and texts that bite."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

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
LIMITS = [{"maxCapacity": 1, "capacityUnit": "NUM_INSTANCES"}]

BASES: Mapping[str, Mapping[str, Any]] = {
    "CreateComputeEnvironment": {"type": "MANAGED", "computeResources": {"type": "EC2", "maxvCpus": 4}},
    "CreateJobQueue": {"priority": 1, "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "seed"}]},
    "CreateServiceEnvironment": {"serviceEnvironmentType": "SAGEMAKER_TRAINING", "capacityLimits": LIMITS},
    "CreateQuotaShare": {
        "jobQueue": "training",
        "capacityLimits": LIMITS,
        "resourceSharingConfiguration": {"strategy": "LEND"},
        "preemptionConfiguration": {"inSharePreemption": "ENABLED"},
    },
    "RegisterJobDefinition": {
        "jobDefinitionName": "seed",
        "type": "container",
        "containerProperties": CONTAINER,
        "parameters": {"what": "1"},
    },
    "SubmitJob": {"jobName": "job", "jobQueue": "seed", "jobDefinition": "seed", "parameters": {"what": "1"}},
    "SubmitServiceJob": {
        "jobName": "job",
        "jobQueue": "training",
        "serviceJobType": "SAGEMAKER_TRAINING",
        "serviceRequestPayload": "{}",
    },
    "ListJobs": {"jobQueue": "seed", "jobStatus": "RUNNABLE"},
    "ListServiceJobs": {"jobQueue": "training"},
    "GetLogEvents": {"logGroupName": "/aws/batch/job"},
    "FilterLogEvents": {"logGroupName": "/aws/batch/job"},
    "DescribeLogStreams": {"logGroupName": "/aws/batch/job"},
}
"""Members that make a request of the operation sound; generated ones are laid over them."""

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

BITING = (
    "", " ", "\0", "a\0b", "\ud800", "\U0010ffff", "\u202e", "e\u0301" * 20, "../../etc/passwd", "' OR 1=1 --", "%00",
    "a" * 129, "a" * 5000, "Ref::", "Ref::what", "nul\n\r\t", "\ufeff", "NaN", "-0", "1e400", "arn:", ARN, f"{ARN}job/",
    f"{ARN}job-queue/seed/more", f"{ARN}job-definition/seed:99999999999", "seed:0", "*", "**", "AWS_BATCH_JOB_ID",
    "\u0661", "{}", "[", "aws:x", "#0", ":0",
)  # fmt: skip
"""Strings that have broken programs."""


def seed(batch: Any, logs: Any) -> dict[str, tuple[str, ...]]:
    """Make what is not there, and the texts that requests may use, by the member that carries them."""
    quota = {"quotaSharePolicy": {"idleResourceAssignmentStrategy": "FIFO"}}
    with_environment = BASES["CreateJobQueue"]
    fair = {**with_environment, "schedulingPolicyArn": f"{ARN}scheduling-policy/seed"}
    training = {
        "priority": 1,
        "serviceEnvironmentOrder": [{"order": 1, "serviceEnvironment": "training"}],
        "schedulingPolicyArn": f"{ARN}scheduling-policy/training",
    }
    for make, request in (
        (batch.create_compute_environment, {**BASES["CreateComputeEnvironment"], "computeEnvironmentName": "seed"}),
        (batch.create_scheduling_policy, {"name": "seed", "fairsharePolicy": {}}),
        (batch.create_scheduling_policy, {"name": "training", **quota}),
        (
            batch.create_service_environment,
            {**BASES["CreateServiceEnvironment"], "serviceEnvironmentName": "training"},
        ),
        (batch.create_job_queue, {**with_environment, "jobQueueName": "seed"}),
        (batch.create_job_queue, {**fair, "jobQueueName": "fair"}),
        (batch.create_job_queue, {**training, "jobQueueName": "training"}),
        (batch.create_quota_share, {**BASES["CreateQuotaShare"], "quotaShareName": "seed"}),
        (batch.create_consumable_resource, {"consumableResourceName": "seed", "totalQuantity": 3}),
        (batch.register_job_definition, BASES["RegisterJobDefinition"]),
        (logs.create_log_group, {"logGroupName": "seed"}),
    ):
        with contextlib.suppress(ClientError):  # It is there, or was made unusable by requests before.
            make(**request)
    return _texts(_job_ids(batch), _tokens(batch))


def _job_ids(batch: Any) -> list[str]:
    found: list[str] = []
    for members in ({}, {"arrayProperties": {"size": 3}}, {"arrayProperties": {"size": 10_000}}):
        depends = {"dependsOn": [{"jobId": found[-1]}]} if found else {}
        with contextlib.suppress(ClientError):
            found.append(batch.submit_job(**{**BASES["SubmitJob"], **members, **depends})["jobId"])
    return found


def _tokens(batch: Any) -> list[str]:
    pages = (batch.list_jobs(jobQueue="default", maxResults=1), batch.describe_job_queues(maxResults=1))
    return [page["nextToken"] for page in pages if "nextToken" in page]


def _texts(job_ids: list[str], tokens: list[str]) -> dict[str, tuple[str, ...]]:
    jobs = (*job_ids, *(f"{i}:{n}" for i in job_ids for n in (0, 2, 3)), *(f"{i}#0" for i in job_ids), "no-such-job")
    texts: dict[str, tuple[str, ...]] = dict.fromkeys(("jobId", "jobs", "arrayJobId", "multiNodeJobId"), jobs)
    arns: list[str] = [f"{ARN}job/{job}" for job in jobs]
    for kind, tail in KINDS.items():
        names = (*NAMES, "training", "fair", "default")
        of_kind = [f"{ARN}{tail}/{name}" for name in names]
        if kind == "jobDefinition":
            of_kind += [f"{ARN}{tail}/seed:1", "seed:1", "seed:2"]
        if kind == "quotaShare":
            of_kind = [f"{ARN}{tail}/training/{name}" for name in NAMES]
        texts |= {f"{kind}Name": NAMES, f"{kind}Arn": tuple(of_kind), kind: (*names, *of_kind)}
        texts |= {f"{kind}s": texts[kind]}
        arns += of_kind
    return texts | {
        "arn": texts["schedulingPolicyArn"],
        "arns": texts["schedulingPolicyArn"],
        "resourceArn": tuple(arns),
        "nextToken": tuple(tokens),
        "name": (*NAMES, "JOB_NAME", "JOB_DEFINITION", "BEFORE_CREATED_AT", "SHARE_IDENTIFIER", "JOB_STATUS"),
        "values": ("job", "seed*", "1700000000000", "RUNNABLE", "blue", f"{ARN}job-definition/seed:1"),
        "value": ("1", "0.25", "512", "2048", "64Mi", "x", "-1"),
        "shareIdentifier": ("blue", "red*", "re", "default"),
        "capacityUnit": ("NUM_INSTANCES", "ml.m5.large"),
        "targetNodes": ("0:", ":", "0", "0:1", "1:0", "5"),
        "onExitCode": ("1", "1*", "x"),
        "logGroupName": ("/aws/batch/job", "seed"),
        "logGroupIdentifier": ("/aws/batch/job", "arn:aws:logs:us-east-1:123456789012:log-group:seed"),
        "filterPattern": ("ERROR -retrying", '"', "?a ?b", "{ $.a = 1 }", "%x%", "[a, b]"),
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
