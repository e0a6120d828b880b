"""Why a command could not do what it was asked, in words for the person who asked."""

USAGE_EXIT = 2
"""Of a command that could not be carried out: wrong usage, a refusal, no answer. 1 says that a job failed."""


class CommandProblem(Exception):
    """The command cannot be carried out; the message says why and what to do."""


def spoken(error: Exception) -> str | None:
    """The words for an error that a user can understand, or None for a fault of ours."""
    if isinstance(error, CommandProblem):
        return str(error)
    if not type(error).__module__.startswith("botocore."):
        return None
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        answer = error.response["Error"]
        return f"{error.operation_name}: {answer.get('Code')}: {answer.get('Message') or 'no message'}"
    if isinstance(error, exceptions.EndpointConnectionError):
        scheme, _, rest = error.kwargs["endpoint_url"].partition("://")
        return (
            f"Nothing answers at {scheme}://{rest.partition('/')[0]}. Start a server there with `batchyard serve`, "
            "or name another with --endpoint-url."
        )
    return str(error)
