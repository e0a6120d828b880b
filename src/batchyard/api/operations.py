"""Every operation by its name, and whether it writes. The server looks here and nowhere else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from batchyard.api.batch import (
    compute_environments,
    consumable_resources,
    describe_jobs,
    end_jobs,
    job_definitions,
    job_queues,
    list_jobs,
    queue_snapshot,
    quota_shares,
    scheduling_policies,
    service_environments,
    service_jobs,
    submit_job,
    submit_service_job,
    tags,
)
from batchyard.api.context import Answer, Context
from batchyard.api.logs import filter_log_events, log_events, log_groups, log_streams
from batchyard.core import refusals

Function = Callable[[Context, dict[str, Any]], Answer]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What carries an operation out. One that writes is given the tick's transaction, the others a snapshot.

    changes_resources: whether it may change a queue, its policy or quota shares, an environment or a consumable
    resource, which the engine then reads again, and looks again at what could never fit.
    """

    function: Function
    writes: bool = False
    changes_resources: bool = False


def _refuse(name: str) -> Function:
    service, _, operation = name.partition(".")
    refusal = refusals.log_operation_not_available if service == "logs" else refusals.operation_not_available

    def refuse(_context: Context, _request: dict[str, Any]) -> Answer:
        raise refusal(operation)

    return refuse


OPERATIONS: Mapping[str, Endpoint] = {
    "batch.CreateComputeEnvironment": Endpoint(
        compute_environments.create_compute_environment, writes=True, changes_resources=True
    ),
    "batch.UpdateComputeEnvironment": Endpoint(
        compute_environments.update_compute_environment, writes=True, changes_resources=True
    ),
    "batch.DeleteComputeEnvironment": Endpoint(
        compute_environments.delete_compute_environment, writes=True, changes_resources=True
    ),
    "batch.DescribeComputeEnvironments": Endpoint(compute_environments.describe_compute_environments),
    "batch.CreateJobQueue": Endpoint(job_queues.create_job_queue, writes=True, changes_resources=True),
    "batch.UpdateJobQueue": Endpoint(job_queues.update_job_queue, writes=True, changes_resources=True),
    "batch.DeleteJobQueue": Endpoint(job_queues.delete_job_queue, writes=True, changes_resources=True),
    "batch.DescribeJobQueues": Endpoint(job_queues.describe_job_queues),
    "batch.GetJobQueueSnapshot": Endpoint(queue_snapshot.get_job_queue_snapshot),
    "batch.CreateSchedulingPolicy": Endpoint(scheduling_policies.create_scheduling_policy, writes=True),
    "batch.UpdateSchedulingPolicy": Endpoint(
        scheduling_policies.update_scheduling_policy, writes=True, changes_resources=True
    ),
    "batch.DeleteSchedulingPolicy": Endpoint(scheduling_policies.delete_scheduling_policy, writes=True),
    "batch.DescribeSchedulingPolicies": Endpoint(scheduling_policies.describe_scheduling_policies),
    "batch.ListSchedulingPolicies": Endpoint(scheduling_policies.list_scheduling_policies),
    "batch.CreateServiceEnvironment": Endpoint(
        service_environments.create_service_environment, writes=True, changes_resources=True
    ),
    "batch.UpdateServiceEnvironment": Endpoint(
        service_environments.update_service_environment, writes=True, changes_resources=True
    ),
    "batch.DeleteServiceEnvironment": Endpoint(
        service_environments.delete_service_environment, writes=True, changes_resources=True
    ),
    "batch.DescribeServiceEnvironments": Endpoint(service_environments.describe_service_environments),
    "batch.CreateQuotaShare": Endpoint(quota_shares.create_quota_share, writes=True, changes_resources=True),
    "batch.UpdateQuotaShare": Endpoint(quota_shares.update_quota_share, writes=True, changes_resources=True),
    "batch.DeleteQuotaShare": Endpoint(quota_shares.delete_quota_share, writes=True, changes_resources=True),
    "batch.DescribeQuotaShare": Endpoint(quota_shares.describe_quota_share),
    "batch.ListQuotaShares": Endpoint(quota_shares.list_quota_shares),
    "batch.CreateConsumableResource": Endpoint(
        consumable_resources.create_consumable_resource, writes=True, changes_resources=True
    ),
    "batch.UpdateConsumableResource": Endpoint(
        consumable_resources.update_consumable_resource, writes=True, changes_resources=True
    ),
    "batch.DeleteConsumableResource": Endpoint(
        consumable_resources.delete_consumable_resource, writes=True, changes_resources=True
    ),
    "batch.DescribeConsumableResource": Endpoint(consumable_resources.describe_consumable_resource),
    "batch.ListConsumableResources": Endpoint(consumable_resources.list_consumable_resources),
    "batch.ListJobsByConsumableResource": Endpoint(consumable_resources.list_jobs_by_consumable_resource),
    "batch.RegisterJobDefinition": Endpoint(job_definitions.register_job_definition, writes=True),
    "batch.DeregisterJobDefinition": Endpoint(job_definitions.deregister_job_definition, writes=True),
    "batch.DescribeJobDefinitions": Endpoint(job_definitions.describe_job_definitions),
    "batch.SubmitJob": Endpoint(submit_job.submit_job, writes=True),
    "batch.DescribeJobs": Endpoint(describe_jobs.describe_jobs),
    "batch.ListJobs": Endpoint(list_jobs.list_jobs),
    "batch.CancelJob": Endpoint(end_jobs.cancel_job, writes=True),
    "batch.CancelJobs": Endpoint(end_jobs.cancel_jobs, writes=True),
    "batch.TerminateJob": Endpoint(end_jobs.terminate_job, writes=True),
    "batch.TerminateJobs": Endpoint(end_jobs.terminate_jobs, writes=True),
    "batch.SubmitServiceJob": Endpoint(submit_service_job.submit_service_job, writes=True),
    "batch.DescribeServiceJob": Endpoint(service_jobs.describe_service_job),
    "batch.ListServiceJobs": Endpoint(service_jobs.list_service_jobs),
    "batch.UpdateServiceJob": Endpoint(service_jobs.update_service_job, writes=True),
    "batch.TerminateServiceJob": Endpoint(end_jobs.terminate_service_job, writes=True),
    "batch.TerminateServiceJobs": Endpoint(end_jobs.terminate_service_jobs, writes=True),
    "batch.TagResource": Endpoint(tags.tag_resource, writes=True),
    "batch.UntagResource": Endpoint(tags.untag_resource, writes=True),
    "batch.ListTagsForResource": Endpoint(tags.list_tags_for_resource),
    "logs.GetLogEvents": Endpoint(log_events.get_log_events),
    "logs.FilterLogEvents": Endpoint(filter_log_events.filter_log_events),
    "logs.DescribeLogStreams": Endpoint(log_streams.describe_log_streams),
    "logs.DescribeLogGroups": Endpoint(log_groups.describe_log_groups),
    "logs.CreateLogGroup": Endpoint(log_groups.create_log_group, writes=True),
    "logs.DeleteLogGroup": Endpoint(log_groups.delete_log_group, writes=True),
    "logs.CreateLogStream": Endpoint(log_groups.create_log_stream),
    "logs.PutLogEvents": Endpoint(log_groups.put_log_events),
}


def endpoint(name: str) -> Endpoint:
    """What carries out an operation of either model (`batch.CreateJobQueue`); one not built refuses, saying so."""
    return OPERATIONS.get(name) or Endpoint(_refuse(name))
