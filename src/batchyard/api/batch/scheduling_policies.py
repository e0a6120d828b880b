"""CreateSchedulingPolicy, UpdateSchedulingPolicy, DeleteSchedulingPolicy, DescribeSchedulingPolicies,
ListSchedulingPolicies. A policy is named by its ARN alone, except when it is made."""

from dataclasses import replace
from typing import Any

from batchyard.api.context import Context
from batchyard.api.pagination import Page
from batchyard.api.references import find_scheduling_policy
from batchyard.core import quotas, refusals
from batchyard.core.resources import Record
from batchyard.core.scheduling_policies import check_policy_name, policy_document, updated_policy_document
from batchyard.core.tags import new_tags

_KIND = "scheduling-policy"


def create_scheduling_policy(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make a fair-share or quota-share policy; its name must be free."""
    name = request["name"]
    check_policy_name(name)
    document = policy_document(request)
    tags = new_tags(request.get("tags"), "scheduling-policy")
    policies = context.tx.scheduling_policies
    if policies.get(name) is not None:
        raise refusals.already_exists()
    if policies.count() >= quotas.SCHEDULING_POLICIES:
        raise refusals.quota_reached("scheduling policies", quotas.SCHEDULING_POLICIES)
    policies.insert(Record(0, name, context.now, document))
    context.tx.tags.put(f"{_KIND}/{name}", tags)
    return {"name": name, "arn": context.arn(f"{_KIND}/{name}")}


def update_scheduling_policy(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Replace what a policy says, of the same kind; the queues that have it follow at once."""
    policy = _required(context, request["arn"])
    document = updated_policy_document(policy.document, request)
    context.tx.scheduling_policies.update(replace(policy, document=document))
    return {}


def delete_scheduling_policy(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Remove a policy that no queue has, with its tags."""
    policy = _required(context, request["arn"])
    if context.tx.job_queues.any_follows(policy.name):
        raise refusals.scheduling_policy_in_use()
    context.tx.scheduling_policies.delete(policy.name)
    context.tx.tags.delete(f"{_KIND}/{policy.name}")
    return {}


def describe_scheduling_policies(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Those of up to 100 ARNs; unknown ones are left out."""
    arns = request["arns"]
    if len(arns) > quotas.DESCRIBE_NAMES:
        raise refusals.too_many_names("scheduling policies", quotas.DESCRIBE_NAMES)
    found = (find_scheduling_policy(context.tx, arn) for arn in arns)
    policies = {policy.name: policy for policy in found if policy is not None}
    return {"schedulingPolicies": [_detail(context, policy) for policy in policies.values()]}


def list_scheduling_policies(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The ARNs of all, by pages, oldest first."""
    page = Page(context, "ListSchedulingPolicies", request)
    return page.answer(
        "schedulingPolicies",
        context.tx.scheduling_policies.page(page.after or 0, page.fetch),
        show=lambda policy: {"arn": context.arn(f"{_KIND}/{policy.name}")},
        position=lambda policy: policy.id,
    )


def _required(context: Context, arn: str) -> Record:
    policy = find_scheduling_policy(context.tx, arn)
    if policy is None:
        raise refusals.does_not_exist(arn)
    return policy


def _detail(context: Context, policy: Record) -> dict[str, Any]:
    tail = f"{_KIND}/{policy.name}"
    return {"name": policy.name, "arn": context.arn(tail), **policy.document, "tags": context.tx.tags.get(tail)}
