"""What clients ask for: a seeded stream of requests, some of them unwise."""

import json
import random
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchyard.core.batchyard_tags import AFTER, BACKFILL, MAX_PARALLEL

if TYPE_CHECKING:
    from collections.abc import Callable

Request = tuple[str, dict[str, Any]]

ENVIRONMENTS = {"small": 2, "large": 6}
"""maxvCpus of each compute environment; the machine has 6 vCPUs."""

QUEUES = {
    "urgent": (10, ("small", "large")),
    "normal": (5, ("large", "small")),
    "narrow": (5, ("small",)),
    "shared": (5, ("large",)),
}
"""Priority and compute environments, best first."""

PASSABLE = ("normal", "shared")
"""Queues with backfill."""

LIMITS = [
    {"reason": reason, "state": "RUNNABLE", "maxTimeSeconds": 600, "action": "CANCEL"}
    for reason in ("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE", "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY")
]
"""jobStateTimeLimitActions that some queues have for some time."""
SHARED, SHARES = "shared", ("a", "b1", "b2")
"""The queue with a fair-share policy, and the shares of its jobs."""

WINDOW_SECONDS = 604_800
"""The decay window of that policy: nothing that is used is forgotten while a world lasts."""

PERMITS, BUDGET = 3, 1_000_000
"""How much there is of `permits`, which come back, and of `budget`, which does not."""

KIND = "ml.m5.large"
TRAINING, MANAGED, INSTANCES = "service-environment/training", f"service-environment/cluster/{KIND}", 3
"""What attempts call the service environments, the second divided by quota shares, and how many training instances each
has at most."""

_POLICY_ARN = f"arn:aws:batch:us-east-1:123456789012:scheduling-policy/{SHARED}"
_SEVERAL_SHARE = 0.2
"""Of the jobs, how many have several containers."""

_SIZES = (2, 3, 3, 5)
_SERVICE_SHARE = 0.1
_EVALUATE_ON_EXIT = (
    [{"onExitCode": "137", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
    [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
    [{"onExitCode": "1", "action": "EXIT"}],
    [{"onReason": "OutOfMemory*", "onExitCode": "137", "action": "EXIT"}, {"onExitCode": "4*", "action": "retry"}],
    [{"onStatusReason": "Task failed to start", "action": "EXIT"}],
)


@dataclass(slots=True)
class Submitted:
    """A SubmitJob that was answered."""

    job_id: str
    request: dict[str, Any]

    @property
    def size(self) -> int | None:
        """Of the array, or None for a single job."""
        return (self.request.get("arrayProperties") or {}).get("size")

    def names(self) -> list[str]:
        """The job, or the children of the array."""
        return [self.job_id] if self.size is None else [f"{self.job_id}:{index}" for index in range(self.size)]


class Client:
    """Remembers what was promised. `touched` are jobs (or parents) that somebody asked to cancel or terminate, whether
    or not that was answered; `lost_queues` are those that somebody asked to delete."""

    def __init__(self, seed: str) -> None:
        self.submitted: list[Submitted] = []
        self.touched: set[str] = set()
        self.lost_queues: set[str] = set()
        self.services: list[Submitted] = []
        self.widest = ENVIRONMENTS | {TRAINING: INSTANCES, MANAGED: INSTANCES}
        self._service = random.Random(f"{seed} service")
        self._random = random.Random(f"{seed} client")
        self._needs = random.Random(f"{seed} needs")  # of its own: what else is asked does not depend on it
        self._details = random.Random(f"{seed} details")
        self._shares = random.Random(f"{seed} shares")
        self._kinds_of_jobs = random.Random(f"{seed} kinds of jobs")
        self._tags = random.Random(f"{seed} tags")
        self._next: deque[Request] = deque()
        self._kinds: list[tuple[int, Callable[[], Request | None]]] = [
            (60, self._submit),
            (8, self._cancel),
            (8, self._terminate),
            (2, self._bulk),
            (4, self._change_environment),
            (3, self._change_queue),
            (2, self._delete_queue),
            (3, self._create_queue),
            (1, self._change_policy),
        ]

    # ---------------------------------------------------------------------------------------------------- requests

    @staticmethod
    def first_requests() -> list[Request]:
        """What every world begins with."""
        requests: list[Request] = []
        for name, vcpus in ENVIRONMENTS.items():
            resources = {"type": "EC2", "minvCpus": 0, "maxvCpus": vcpus, "instanceTypes": ["optimal"]}
            resources |= {"subnets": ["subnet-1"], "securityGroupIds": [], "instanceRole": "role"}
            requests.append(
                (
                    "CreateComputeEnvironment",
                    {"computeEnvironmentName": name, "type": "MANAGED", "computeResources": resources},
                )
            )
        requests.append(("CreateSchedulingPolicy", {"name": SHARED, "fairsharePolicy": _policy(0.5, 25)}))
        requests += [_create_queue(name) for name in QUEUES]
        requests += _training()
        for name, total, kind in (("permits", PERMITS, "REPLENISHABLE"), ("budget", BUDGET, "NON_REPLENISHABLE")):
            resource = {"consumableResourceName": name, "totalQuantity": total, "resourceType": kind}
            requests.append(("CreateConsumableResource", resource))
        for name in ("quick", "any"):
            properties = {"containerProperties": _container("Ref::program")}
            definition = {"jobDefinitionName": name, "type": "container", **properties}
            requests.append(("RegisterJobDefinition", definition))
        return requests + [("RegisterJobDefinition", definition) for definition in _several()]

    def next_request(self) -> Request | None:
        """The next thing that somebody wants."""
        if self._next:
            return self._next.popleft()
        if self._service.random() < _SERVICE_SHARE:
            return self._service_request()
        kind = self._random.choices([make for _, make in self._kinds], [weight for weight, _ in self._kinds])[0]
        return kind()

    def _submit(self) -> Request:
        chance = self._random
        is_quick = chance.random() < 0.5
        program = chance.choice(
            ["true", "true", "quick"]
            if is_quick
            else ["quick", "steady", "steady", "flaky", "flaky", "fails", "hog", "long", "hangs", "stubborn", "missing"]
        )
        request: dict[str, Any] = {
            "jobName": f"job-{chance.randrange(1000)}",
            "jobQueue": chance.choice(list(QUEUES)),
            "jobDefinition": "quick" if is_quick else "any",
            "parameters": {"program": program},
        }
        if chance.random() < 0.35:
            request["containerOverrides"] = {"resourceRequirements": self._requirements()}
        if chance.random() < 0.45:
            request["arrayProperties"] = {"size": chance.choice(_SIZES)}
        if chance.random() < 0.6:
            strategy: dict[str, Any] = {"attempts": chance.randint(1, 4)}
            if chance.random() < 0.5:
                strategy["evaluateOnExit"] = chance.choice(_EVALUATE_ON_EXIT)
            request["retryStrategy"] = strategy
        self._perhaps_several(request)
        if program in ("hangs", "stubborn") or chance.random() < 0.15:
            request["timeout"] = {"attemptDurationSeconds": 60}
        if depends_on := self._depends_on(request):
            request["dependsOn"] = depends_on
        if tags := self._settings(request):
            request["tags"] = tags
        if request["jobQueue"] == SHARED:
            request["shareIdentifier"] = self._shares.choice(SHARES)
            if self._shares.random() < 0.5:
                request["schedulingPriorityOverride"] = self._shares.randrange(3)
        if self._needs.random() < 0.25 and request["jobDefinition"] != "nodes":
            request["consumableResourcePropertiesOverride"] = {"consumableResourceList": self._consumables()}
        return "SubmitJob", request

    def _settings(self, request: dict[str, Any]) -> dict[str, str]:
        """Tags that Batchyard reads."""
        found: dict[str, str] = {}
        if "arrayProperties" in request and self._tags.random() < 0.3:
            found[MAX_PARALLEL] = self._tags.choice("112")
        if any("type" not in entry for entry in request.get("dependsOn", ())) and self._tags.random() < 0.4:
            found[AFTER] = self._tags.choice(["any", "failure", "success"])
        return found

    def _service_request(self) -> Request:
        """Mostly another training job; sometimes one is terminated, or its environment changes."""
        chance = self._service
        if self.services and chance.random() < 0.2:
            jobs = [chance.choice(self.services).job_id for _ in range(2)]
            return "TerminateServiceJobs", {"jobs": jobs, "reason": "all of these"}
        if chance.random() < 0.1:
            limits = [{"maxCapacity": chance.randint(1, INSTANCES), "capacityUnit": "NUM_INSTANCES"}]
            changes = {"state": chance.choice(["ENABLED", "DISABLED"]), "capacityLimits": limits}
            return "UpdateServiceEnvironment", {"serviceEnvironment": "training", **changes}
        program = chance.choice(["quick", "steady", "flaky", "flaky", "fails", "hangs", "stubborn", "missing"])
        payload: dict[str, Any] = {"AlgorithmSpecification": {"ContainerEntrypoint": [program]}}
        rules = [{"action": "RETRY", "onStatusReason": "Received status from SageMaker: InternalServerError*"}]
        rules += [{"action": chance.choice(["RETRY", "EXIT"]), "onStatusReason": "*"}]
        request = {
            "jobName": "train",
            "jobQueue": "training",
            "serviceJobType": "SAGEMAKER_TRAINING",
            "serviceRequestPayload": json.dumps(payload),
            "retryStrategy": {"attempts": chance.randint(1, 4), "evaluateOnExit": rules},
            "timeoutConfig": {"attemptDurationSeconds": 60},
            "clientToken": f"{chance.randrange(1000)}",
        }
        if chance.random() < 0.5:
            payload["ResourceConfig"] = {"InstanceType": KIND, "InstanceCount": 1}
            request |= {"jobQueue": "managed", "serviceRequestPayload": json.dumps(payload)}
            for share in chance.choice([["borrower"] * 3 + ["lender"] * 2, ["lender", "borrower"]]):
                more = {"quotaShareName": share, "schedulingPriority": chance.randrange(3)}
                more |= {"preemptionConfiguration": chance.choice([{}, {"preemptionRetriesBeforeTermination": 1}])}
                self._next.append(("SubmitServiceJob", request | more | {"clientToken": f"{chance.randrange(1000)}"}))
            return self._next.popleft()
        return "SubmitServiceJob", request

    def _perhaps_several(self, request: dict[str, Any]) -> None:
        """Some jobs have several containers, or several nodes."""
        if self._kinds_of_jobs.random() > _SEVERAL_SHARE:
            return
        request["jobDefinition"] = self._kinds_of_jobs.choice(["task", "pod", "nodes"])
        request["parameters"]["beside"] = self._kinds_of_jobs.choice(["quick", "flaky", "hangs", "stubborn", "missing"])
        request.pop("containerOverrides", None)
        if request["jobDefinition"] == "pod":
            request["parameters"]["program"] = "quick"  # what its first container runs, in all pods
        if request["jobDefinition"] == "nodes":
            request.pop("arrayProperties", None)

    def _consumables(self) -> list[dict[str, Any]]:
        """Sometimes more permits than there are."""
        permits = {"consumableResource": "permits", "quantity": self._needs.choice([1, 1, 1, 2, 3, 4])}
        budget = {"consumableResource": "budget", "quantity": self._needs.randint(1, 9)}
        return self._needs.choice([[permits], [permits, budget], [budget]])

    def _requirements(self) -> list[dict[str, str]]:
        vcpus = self._random.choice(["0.5", "1", "2", "2", "4", "6", "8"])
        return [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": self._random.choice(["100", "900"])}]

    def _depends_on(self, request: dict[str, Any]) -> list[dict[str, str]]:
        chance = self._random
        size = (request.get("arrayProperties") or {}).get("size")
        found: list[dict[str, str]] = []
        if size and chance.random() < 0.3:
            found.append({"type": "SEQUENTIAL"})
        partners = [job for job in self.submitted if job.size == size and size]
        if partners and chance.random() < 0.4:
            found.append({"type": "N_TO_N", "jobId": chance.choice(partners[-4:]).job_id})
        while self.submitted and chance.random() < 0.3:
            found.append({"jobId": self._target()})
        return found

    def _target(self) -> str:
        """A recent job, sometimes one of its children."""
        job = self._random.choice(self.submitted[-8:])
        return self._random.choice(job.names()) if self._random.random() < 0.4 else job.job_id

    def _cancel(self) -> Request | None:
        return self._end("CancelJob")

    def _terminate(self) -> Request | None:
        return self._end("TerminateJob")

    def _end(self, operation: str) -> Request | None:
        if not self.submitted:
            return None
        job_id = self._target()
        self.touched |= {job_id, job_id.partition(":")[0]}
        return operation, {"jobId": job_id, "reason": f"reason {self._random.randrange(1000)}"}

    def _bulk(self) -> Request | None:
        if not self.submitted:
            return None
        jobs = [self._target() for _ in range(3)]
        self.touched |= {name for job_id in jobs for name in (job_id, job_id.partition(":")[0])}
        return self._random.choice(["CancelJobs", "TerminateJobs"]), {"jobs": jobs, "reason": "all of these"}

    def _change_environment(self) -> Request:
        name = self._random.choice(list(ENVIRONMENTS))
        request: dict[str, Any] = {"computeEnvironment": name}
        if self._random.random() < 0.6:
            request["state"] = self._random.choice(["ENABLED", "DISABLED"])
        else:
            vcpus = self._random.randint(1, 6)
            self.widest[name] = max(self.widest[name], vcpus)
            request["computeResources"] = {"maxvCpus": vcpus}
            if self._details.random() < 0.3:
                request["computeResources"]["imageId"] = f"ami-{self._details.randrange(1000)}"
                request["updatePolicy"] = {"terminateJobsOnUpdate": self._details.random() < 0.5}
        return "UpdateComputeEnvironment", request

    def _change_queue(self) -> Request:
        request: dict[str, Any] = {"jobQueue": self._random.choice(list(QUEUES))}
        if self._random.random() < 0.5:
            request["state"] = self._random.choice(["ENABLED", "ENABLED", "DISABLED"])
        else:
            request["priority"] = self._random.randrange(20)
            if self._details.random() < 0.5:
                request["jobStateTimeLimitActions"] = self._details.choice([LIMITS, []])
        return "UpdateJobQueue", request

    def _delete_queue(self) -> Request:
        name = self._random.choice(list(QUEUES))
        self.lost_queues.add(name)
        self._next.append(("DeleteJobQueue", {"jobQueue": name}))
        return "UpdateJobQueue", {"jobQueue": name, "state": "DISABLED"}

    def _create_queue(self) -> Request:
        return _create_queue(self._random.choice(list(QUEUES)))

    def _change_policy(self) -> Request:
        """Other weights, and more or less in reserve."""
        policy = _policy(self._shares.choice([0.25, 0.5, 1.0, 4.0]), self._shares.choice([0, 0, 25, 60]))
        return "UpdateSchedulingPolicy", {"arn": _POLICY_ARN, "fairsharePolicy": policy}

    @staticmethod
    def last_requests() -> list[Request]:
        """When everything is to come to its end: all compute environments are open, as wide as they began."""
        requests: list[Request] = [
            (
                "UpdateComputeEnvironment",
                {"computeEnvironment": name, "state": "ENABLED", "computeResources": {"maxvCpus": vcpus}},
            )
            for name, vcpus in ENVIRONMENTS.items()
        ]
        return [*requests, ("UpdateServiceEnvironment", {"serviceEnvironment": "training", "state": "ENABLED"})]

    def told(self, operation: str, request: dict[str, Any], answer: Any) -> None:
        """An answer came."""
        if operation == "SubmitJob" and isinstance(answer, dict):
            self.submitted.append(Submitted(answer["jobId"], request))
        if operation == "SubmitServiceJob" and isinstance(answer, dict):
            self.services.append(Submitted(answer["jobId"], request))


def _create_queue(name: str) -> Request:
    priority, environments = QUEUES[name]
    order = [{"order": order, "computeEnvironment": environment} for order, environment in enumerate(environments)]
    tags = {BACKFILL: "true"} if name in PASSABLE else {}
    request = {"jobQueueName": name, "priority": priority, "computeEnvironmentOrder": order, "tags": tags}
    return "CreateJobQueue", request | ({"schedulingPolicyArn": _POLICY_ARN} if name == SHARED else {})


def _training() -> list[Request]:
    """A service environment and its queue."""
    environment = {
        "serviceEnvironmentName": "training",
        "serviceEnvironmentType": "SAGEMAKER_TRAINING",
        "capacityLimits": [{"maxCapacity": INSTANCES, "capacityUnit": "NUM_INSTANCES"}],
    }
    order = [{"order": 1, "serviceEnvironment": "training"}]
    queue = {"jobQueueName": "training", "priority": 7, "serviceEnvironmentOrder": order}
    return [("CreateServiceEnvironment", environment), ("CreateJobQueue", queue), *_managed(environment)]


def _managed(environment: dict[str, Any]) -> list[Request]:
    """Another that quota shares divide: one lends two instances, the other has one and borrows."""
    limits = [{"maxCapacity": INSTANCES, "capacityUnit": KIND}]
    cluster = environment | {"serviceEnvironmentName": "cluster", "capacityLimits": limits}
    policy = {"name": "quota", "quotaSharePolicy": {"idleResourceAssignmentStrategy": "FIFO"}}
    queue = {
        "jobQueueName": "managed",
        "priority": 6,
        "serviceEnvironmentOrder": [{"order": 1, "serviceEnvironment": "cluster"}],
        "schedulingPolicyArn": _POLICY_ARN.replace(SHARED, "quota"),
    }
    requests: list[Request] = [("CreateServiceEnvironment", cluster), ("CreateSchedulingPolicy", policy)]
    requests.append(("CreateJobQueue", queue))
    for name, most, strategy in (("lender", 2, "LEND"), ("borrower", 1, "LEND_AND_BORROW")):
        share = {"quotaShareName": name, "jobQueue": "managed", "resourceSharingConfiguration": {"strategy": strategy}}
        share |= {"capacityLimits": [{"maxCapacity": most, "capacityUnit": KIND}]}
        requests.append(("CreateQuotaShare", share | {"preemptionConfiguration": {"inSharePreemption": "ENABLED"}}))
    return requests


def _policy(weight: float, reservation: int) -> dict[str, Any]:
    distribution = [{"shareIdentifier": "b*", "weightFactor": weight}]
    return {
        "shareDecaySeconds": WINDOW_SECONDS,
        "computeReservation": reservation,
        "shareDistribution": distribution,
    }


def _several() -> list[dict[str, Any]]:
    """Definitions of a task, a pod and three nodes; `program` is what decides in the first and the last."""
    before = [{"containerName": "before", "condition": "COMPLETE"}]
    task = [
        {**_container("Ref::program"), "name": "main", "dependsOn": before},
        {**_container("flaky"), "name": "before", "essential": False},
        {**_container("Ref::beside"), "name": "beside", "essential": False, "startTimeout": 5},
    ]
    resources = {"limits": {"cpu": "1", "memory": "100Mi"}}
    pod = {
        "initContainers": [{"name": "init", "image": "image", "command": ["quick"], "resources": resources}],
        "containers": [
            {"name": name, "image": "image", "command": [name], "resources": resources} for name in ("steady", "flaky")
        ],
    }
    nodes = {
        "numNodes": 3,
        "mainNode": 1,
        "nodeRangeProperties": [
            {"targetNodes": "0:", "container": _container("Ref::beside")},
            {"targetNodes": "1", "container": _container("Ref::program")},
        ],
    }
    return [
        {"jobDefinitionName": "task", "type": "container", "ecsProperties": {"taskProperties": [{"containers": task}]}},
        {"jobDefinitionName": "pod", "type": "container", "eksProperties": {"podProperties": pod}},
        {"jobDefinitionName": "nodes", "type": "multinode", "nodeProperties": nodes},
    ]


def _container(program: str) -> dict[str, Any]:
    needs = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "100"}]
    return {"image": "image", "command": [program], "resourceRequirements": needs}
