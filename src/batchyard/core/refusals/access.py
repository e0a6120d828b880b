"""Refusals for callers who are known and may not do what they asked for."""

from batchyard.core.refusals.refusal import Refusal


def not_authorized(user_arn: str, operation: str, resource: str) -> Refusal:
    """The caller's role or queues do not allow it; operation as in `batch.SubmitJob`. [seen] for Batch

    CloudWatch Logs, as every service of JSON 1.1, says the same with status 400.
    """
    service, _, action = operation.partition(".")
    return Refusal(
        f"User: {user_arn} is not authorized to perform: {service}:{action} on resource: {resource}",
        code="AccessDeniedException",
        status=403 if service == "batch" else 400,
    )
