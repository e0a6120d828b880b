"""Pages of a Batchyard beside the API, asked for with the signature that every call bears."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchyard.cli.connection import Connection


def get(
    connection: "Connection",
    path: str,
    query: "Sequence[tuple[str, str]]" = (),
    headers: "Mapping[str, str] | None" = None,
    *,
    seconds: float,
) -> Any:
    """The answer to a GET, of any status; its body is in `content`, or is read from `raw` as it comes.

    seconds: how long the server may be silent. Raises botocore's errors if nobody answers.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.httpsession import URLLib3Session

    url = f"{(connection.endpoint_url or '').rstrip('/')}{quote(path)}"
    request = AWSRequest("GET", f"{url}?{urlencode(query)}" if query else url, headers or {}, stream_output=True)
    session = connection.session
    SigV4Auth(session.get_credentials(), "batch", session.get_config_variable("region")).add_auth(request)
    return URLLib3Session(timeout=seconds).send(request.prepare())
