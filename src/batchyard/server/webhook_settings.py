"""`[[webhooks]]` in batchyard.toml: who is told of events, and with what they are signed."""

import base64
import binascii
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from batchyard.core.jobs import JobStatus
from batchyard.core.names import is_resource_name
from batchyard.server.problem import ConfigurationProblem
from batchyard.server.secret_files import check_private, secret_in

SECRET_BYTES_MIN = 16
"""Whoever sees one signature can try secrets at leisure, so short ones are not secret."""

_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,63}", re.ASCII)
_ENCODED = "whsec_"


class Webhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[webhooks]]`. Its secret and URL, which may hold another, stand in no representation of it.

    name: by which it is remembered how far it has got. secret_file: a file that holds nothing but the secret, instead
    of secret; relative to the configuration. queues, statuses: those it wants to hear of; None for all.
    """

    name: str
    url: str
    secret: str = ""
    secret_file: str = ""
    queues: tuple[str, ...] | None = None
    statuses: tuple[JobStatus, ...] | None = None

    def __repr__(self) -> str:
        return f"Webhook(name={self.name!r}, queues={self.queues!r}, statuses={self.statuses!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("name", self.name)]

    @property
    def key(self) -> bytes:
        """What bodies are signed with: the secret's characters, or what `whsec_` and base64 stand for."""
        if self.secret.startswith(_ENCODED):
            return base64.b64decode(self.secret.removeprefix(_ENCODED), validate=True)
        return self.secret.encode()


def checked(webhooks: tuple[Webhook, ...], file: Path | None) -> tuple[Webhook, ...]:
    """The webhooks with secrets that were read from their files; file is the configuration they stand in.

    Raises ConfigurationProblem for one that cannot be used, and for secrets that everyone on the machine can read.
    """
    if file is not None and any(webhook.secret for webhook in webhooks):
        check_private(file)
    folder = Path() if file is None else file.absolute().parent
    names = [webhook.name for webhook in webhooks]
    if twice := next((each for each in names if names.count(each) > 1), None):
        raise ConfigurationProblem(f"webhooks: the name {twice} is there twice.")
    return tuple(_checked(webhook, folder) for webhook in webhooks)


def _checked(webhook: Webhook, folder: Path) -> Webhook:
    if not _NAME.fullmatch(webhook.name):
        raise ConfigurationProblem("webhooks: a name has at most 64 letters, digits, hyphens and underscores.")
    where = f"webhooks: {webhook.name}"
    if not _is_web_address(webhook.url):
        raise ConfigurationProblem(f"{where}: the url must begin with https:// or http:// and name a host.")
    if bool(webhook.secret) is bool(webhook.secret_file):
        raise ConfigurationProblem(f"{where}: give either secret or secret_file.")
    if webhook.secret_file:
        webhook = msgspec.structs.replace(webhook, secret=secret_in(folder / Path(webhook.secret_file).expanduser()))
    try:
        size = len(webhook.key)
    except binascii.Error:
        raise ConfigurationProblem(f"{where}: what follows {_ENCODED} in the secret must be base64.") from None
    if size < SECRET_BYTES_MIN:
        raise ConfigurationProblem(f"{where}: the secret must have at least {SECRET_BYTES_MIN} bytes.")
    if webhook.queues is not None and not (webhook.queues and all(map(is_resource_name, webhook.queues))):
        raise ConfigurationProblem(f"{where}: queues lists names of job queues. Leave it out for all of them.")
    if webhook.statuses is not None and not webhook.statuses:
        raise ConfigurationProblem(f"{where}: statuses lists statuses of jobs. Leave it out for all of them.")
    return webhook


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
