"""Where the API is, and a client for it.

The AWS configuration decides, as for every AWS client: environment variables, profiles, their endpoints, regions and
credentials. Only where it says nothing at all do we assume a Batchyard on this machine, which takes any credentials.
An EC2 instance's role is asked for only when the endpoint is AWS's own, since asking takes seconds elsewhere; with
nothing but such a role, name the endpoint: `--endpoint-url https://batch.REGION.amazonaws.com`.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

Answer = TypeVar("Answer")

LOCAL_URL = "http://127.0.0.1:22824"
LOCAL_REGION = "us-east-1"
LOCAL_PACE_SECONDS = 0.1
AWS_PACE_SECONDS = 3.0
"""How often to look again: AWS throttles those who look more often."""

ABSENCE_SECONDS = 60.0
"""How long `patiently` waits for a server that is being restarted."""


@dataclass(frozen=True)
class Connection:
    """Clients of one endpoint. endpoint_url None: AWS's own, for the region of the configuration."""

    session: Any
    endpoint_url: str | None
    is_aws: bool

    @cached_property
    def batch(self) -> Any:
        """The client for AWS Batch."""
        return self._client("batch", self.endpoint_url)

    @cached_property
    def logs(self) -> Any:
        """The client for CloudWatch Logs, which a Batchyard answers on the same endpoint."""
        own = _configured_endpoint(self.session, "logs")
        return self._client("logs", own or (None if self.is_aws else self.endpoint_url))

    @property
    def pace_seconds(self) -> float:
        """How long to wait before asking the same again."""
        return AWS_PACE_SECONDS if self.is_aws else LOCAL_PACE_SECONDS

    def _client(self, service: str, endpoint_url: str | None) -> Any:
        # A Batchyard that does not answer is not running: saying so at once is better than trying for half a minute.
        config = None if self.is_aws else Config(retries={"total_max_attempts": 1})
        return self.session.create_client(service, endpoint_url=endpoint_url, config=config)

    def patiently(self, call: Callable[[], Answer]) -> Answer:
        """What the call returns; while nothing answers, as when a server is restarted, it is made again for a minute.

        Only for calls that change nothing. Raises what the last call raised.
        """
        deadline = time.monotonic() + ABSENCE_SECONDS
        has_said_so = False
        while True:
            try:
                return call()
            except (EndpointConnectionError, ConnectionClosedError):
                if time.monotonic() > deadline:
                    raise
                if not has_said_so:
                    print("batchyard: the server does not answer; waiting for it.", file=sys.stderr)
                    has_said_so = True
            time.sleep(self.pace_seconds)


def connect(endpoint_url: str | None) -> Connection:
    """The connection for `--endpoint-url` (None if it was not given) and the AWS configuration."""
    session = botocore.session.get_session()
    endpoint = endpoint_url or _configured_endpoint(session, "batch")
    if endpoint is not None and _is_aws(endpoint):
        return Connection(session, endpoint, is_aws=True)
    session.get_component("credential_provider").remove("iam-role")
    has_credentials = session.get_credentials() is not None
    if endpoint is None and has_credentials:
        return Connection(session, None, is_aws=True)
    if not has_credentials:
        session.set_credentials("batchyard", "batchyard")
    if session.get_config_variable("region") is None:
        session.set_config_variable("region", LOCAL_REGION)
    return Connection(session, endpoint or LOCAL_URL, is_aws=False)


def _configured_endpoint(session: Any, service: str) -> str | None:
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    found: str | None = ConfiguredEndpointProvider(
        full_config=session.full_config, scoped_config=session.get_scoped_config(), client_name=service
    ).provide()
    return found


def _is_aws(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))
