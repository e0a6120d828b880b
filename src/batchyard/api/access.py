"""What a caller may do: asked before an operation is carried out, in the transaction that carries it out.

The role decides on the operation. A caller that is kept to some queues is then let through by the operation's line in
`SCOPES`, which knows what the operation does with jobs; an operation without a line is closed to such callers. What
they would change or ask for by name in another queue is refused; what they would merely be shown is left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from batchyard.api.batch.job_references import find_service_job, parse_job_id
from batchyard.api.context import Answer, Context
from batchyard.api.logs.filter_log_events import STREAM_NAMES_MAX
from batchyard.api.logs.log_references import log_group
from batchyard.api.operations import Function
from batchyard.api.references import tail_of
from batchyard.core import access, quotas, refusals
from batchyard.core.access import Principal
from batchyard.core.refusals import Refusal

_TAGGING = ("batch.TagResource", "batch.UntagResource")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a known caller. operation as in `batch.SubmitJob`."""

    context: Context
    principal: Principal
    operation: str
    function: Function
    request: dict[str, Any]

    def proceed(self, **members: Any) -> Answer:
        """Carry it out, with these members in place of those of the request."""
        return self.function(self.context, {**self.request, **members})

    def denied(self, resource: str) -> Refusal:
        """The refusal, for a resource by its ARN."""
        settings = self.context.settings
        user = f"arn:{settings.partition}:iam::{settings.account}:user/{self.principal.name}"
        return refusals.not_authorized(user, self.operation, resource)

    def check_queue(self, reference: str) -> None:
        """Raises Refusal for a queue, by name or ARN, that is not the caller's."""
        name = (tail_of(reference) or reference).removeprefix("job-queue/")
        if not access.may_use_queue(self.principal, name):
            raise self.denied(self.context.arn(f"job-queue/{name}"))

    def check_job(self, job_id: str) -> None:
        """Raises Refusal for a job of another queue. Whether an id names anything is the operation's to say."""
        row = self.context.tx.jobs.find(parse_job_id(job_id).job_id)
        if row is not None and not access.may_use_queue(self.principal, self.context.tx.jobs.terms(row.seq).queue):
            raise self.denied(self.context.arn(f"job/{row.job_id}"))

    def check_service_job(self, job_id: str) -> None:
        """Raises Refusal for a service job of another queue."""
        row = find_service_job(self.context.tx, job_id)
        if row is not None and not access.may_use_queue(self.principal, self.context.tx.jobs.terms(row.seq).queue):
            raise self.denied(self.context.arn(f"service-job/{row.job_id}"))

    def has(self, queue_arn: str) -> bool:
        """Whether the queue of an answer is the caller's."""
        return access.may_use_queue(self.principal, queue_arn.rpartition("/")[2])


Scope = Callable[[Call], Answer]


def carry_out(operation: str, function: Function, context: Context, request: dict[str, Any]) -> Answer:
    """The operation's answer, as far as the context's principal may have it; None is a yard that asks nobody.

    Raises Refusal (AccessDeniedException), and what the operation raises.
    """
    principal = context.principal
    if principal is None:
        return function(context, request)
    call = Call(context, principal, operation, function, request)
    if not access.may_call(principal, operation):
        raise call.denied(_resource(context, request))
    if operation in _TAGGING:
        _check_tagging(call)
    if principal.queues is None:
        return function(context, request)
    scope = SCOPES.get(operation)
    if scope is None:
        raise call.denied(_resource(context, request))
    return scope(call)


_RESOURCE_MEMBERS = {
    "jobQueue": "job-queue",
    "jobQueueName": "job-queue",
    "jobId": "job",
    "jobDefinition": "job-definition",
    "jobDefinitionName": "job-definition",
    "computeEnvironment": "compute-environment",
    "computeEnvironmentName": "compute-environment",
}


def _resource(context: Context, request: Mapping[str, Any]) -> str:
    """The ARN of what a request is about; `*` if it does not say."""
    for member, kind in _RESOURCE_MEMBERS.items():
        if value := request.get(member):
            return str(value) if tail_of(value) else context.arn(f"{kind}/{value}")
    return str(request.get("resourceArn") or request.get("arn") or "*")


def _check_tagging(call: Call) -> None:
    arn = call.request["resourceArn"]
    tail = tail_of(arn)
    if tail is not None and not access.may_change_tags(call.principal, tail.partition("/")[0]):
        raise call.denied(arn)


# -------------------------------------------------------------------------------------------------------------- scopes


def _anywhere(call: Call) -> Answer:
    """For what shows or changes no job."""
    return call.proceed()


def _in_queue(call: Call) -> Answer:
    """For what names its queue; without a name it would be about all of them."""
    if not call.request.get("jobQueue"):
        raise call.denied("*")
    call.check_queue(call.request["jobQueue"])
    return call.proceed()


def _of_job(call: Call) -> Answer:
    call.check_job(call.request["jobId"])
    return call.proceed()


def _list_jobs(call: Call) -> Answer:
    if queue := call.request.get("jobQueue"):
        call.check_queue(queue)
    for member in ("arrayJobId", "multiNodeJobId"):
        if job_id := call.request.get(member):
            call.check_job(job_id)
    return call.proceed()


def _shown(member: str, queue_member: str) -> Scope:
    """For what shows jobs of any queue, each with its queue's ARN."""

    def scope(call: Call) -> Answer:
        answer = call.proceed()
        jobs: Any = answer[member]
        return {**answer, member: [job for job in jobs if call.has(job[queue_member])]}

    return scope


def _each_job(call: Call) -> Answer:
    """For what ends many jobs, each on its own."""
    return _each(call, call.check_job)


def _each_service_job(call: Call) -> Answer:
    return _each(call, call.check_service_job)


def _each(call: Call, check: Callable[[str], None]) -> Answer:
    jobs = call.request["jobs"]
    if len(jobs) > quotas.BULK_JOB_IDS:
        return call.proceed()
    own, errors = [], []
    for job_id in jobs:
        try:
            check(job_id)
        except Refusal as refusal:
            if refusal.code == "AccessDeniedException":
                errors.append({"job": job_id, "code": "AccessDenied", "message": refusal.text})
                continue
        own.append(job_id)
    answer: Mapping[str, Any] = call.proceed(jobs=own)
    return {**answer, "errors": [*answer["errors"], *errors]}


def _of_resource(call: Call) -> Answer:
    """For tags: those of a job belong to its queue, those of a queue to nobody else."""
    arn = call.request["resourceArn"]
    kind, _, name = (tail_of(arn) or "").partition("/")
    if kind == "job":
        call.check_job(name)
    elif kind == "service-job":
        call.check_service_job(name)
    return call.proceed()


def _of_service_job(call: Call) -> Answer:
    call.check_service_job(call.request["jobId"])
    return call.proceed()


def _check_streams(call: Call, names: list[str]) -> None:
    """Streams that do not exist are the operation's to refuse."""
    group = log_group(call.context, call.request)
    for name, queue in call.context.tx.log_streams.queues(group, names).items():
        if queue is None or not access.may_use_queue(call.principal, queue):
            raise call.denied(_stream_arn(call, group.name, name))


def _stream_arn(call: Call, group: str, name: str) -> str:
    return call.context.arn(f"log-group:{group}:log-stream:{name}", service="logs")


def _one_stream(call: Call) -> Answer:
    _check_streams(call, [call.request["logStreamName"]])
    return call.proceed()


def _named_streams(call: Call) -> Answer:
    """For what reads many streams at once: it must name them."""
    names = call.request.get("logStreamNames") or []
    if len(names) > STREAM_NAMES_MAX:
        return call.proceed()
    if not names:
        raise call.denied(_stream_arn(call, log_group(call.context, call.request).name, "*"))
    _check_streams(call, names)
    return call.proceed()


def _shown_streams(call: Call) -> Answer:
    answer: Mapping[str, Any] = call.proceed()
    names = [stream["logStreamName"] for stream in answer["logStreams"]]
    queues = call.context.tx.log_streams.queues(log_group(call.context, call.request), names)
    own = {name for name, queue in queues.items() if queue and access.may_use_queue(call.principal, queue)}
    return {**answer, "logStreams": [stream for stream in answer["logStreams"] if stream["logStreamName"] in own]}


SCOPES: Mapping[str, Scope] = {
    "batch.CancelJob": _of_job,
    "batch.CancelJobs": _each_job,
    "batch.DeregisterJobDefinition": _anywhere,
    "batch.DescribeComputeEnvironments": _anywhere,
    "batch.DescribeConsumableResource": _anywhere,
    "batch.DescribeJobDefinitions": _anywhere,
    "batch.DescribeJobQueues": _anywhere,
    "batch.DescribeJobs": _shown("jobs", "jobQueue"),
    "batch.DescribeQuotaShare": _anywhere,
    "batch.DescribeSchedulingPolicies": _anywhere,
    "batch.DescribeServiceEnvironments": _anywhere,
    "batch.DescribeServiceJob": _of_service_job,
    "batch.GetJobQueueSnapshot": _in_queue,
    "batch.ListConsumableResources": _anywhere,
    "batch.ListJobs": _list_jobs,
    "batch.ListJobsByConsumableResource": _shown("jobs", "jobQueueArn"),
    "batch.ListQuotaShares": _in_queue,
    "batch.ListSchedulingPolicies": _anywhere,
    "batch.ListServiceJobs": _in_queue,
    "batch.ListTagsForResource": _of_resource,
    "batch.RegisterJobDefinition": _anywhere,
    "batch.SubmitJob": _in_queue,
    "batch.SubmitServiceJob": _in_queue,
    "batch.TagResource": _of_resource,
    "batch.TerminateJob": _of_job,
    "batch.TerminateJobs": _each_job,
    "batch.TerminateServiceJob": _of_service_job,
    "batch.TerminateServiceJobs": _each_service_job,
    "batch.UntagResource": _of_resource,
    "batch.UpdateServiceJob": _of_service_job,
    "logs.CreateLogGroup": _anywhere,
    "logs.DescribeLogGroups": _anywhere,
    "logs.DescribeLogStreams": _shown_streams,
    "logs.FilterLogEvents": _named_streams,
    "logs.GetLogEvents": _one_stream,
}
"""How an operation keeps to a caller's queues. CreateLogStream and PutLogEvents write what others may read: closed."""
