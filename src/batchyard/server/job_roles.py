"""`[roles]` in batchyard.toml: the credentials that jobs get which name a role.

Given as keys, or as a profile of the AWS configuration of whoever runs the server: then botocore finds them, by
whatever means the profile says (keys, `credential_process`, SSO, another role), and renews them when they expire.
"""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.session
import msgspec
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError

from batchyard.server.problem import ConfigurationProblem
from batchyard.server.secret_files import check_private, secret_in

KEYS_LAST = timedelta(hours=1)
"""Keys do not expire, but clients want a time after which to ask again."""


class JobRole(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[roles.NAME]`. Its secrets stand in no representation of it.

    Either profile, or access_key_id with the secret: as such, in a file (relative to the configuration's folder), or in
    a variable of the server's environment.
    """

    access_key_id: str = ""
    secret_access_key: str = ""
    secret_file: str = ""
    secret_variable: str = ""
    session_token: str = ""
    profile: str = ""

    def __repr__(self) -> str:
        return f"JobRole(access_key_id={self.access_key_id!r}, profile={self.profile!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("access_key_id", self.access_key_id), ("profile", self.profile)]


def checked(roles: Mapping[str, JobRole], file: Path | None) -> dict[str, JobRole]:
    """The roles with secrets that were read from where they are; file is the configuration they stand in.

    Raises ConfigurationProblem for a role that cannot be used, and for secrets that everyone on the machine can read.
    """
    if file is not None and any(role.secret_access_key or role.session_token for role in roles.values()):
        check_private(file)
    folder = Path() if file is None else file.absolute().parent
    return {name: _checked(name, role, folder) for name, role in roles.items()}


def _checked(name: str, role: JobRole, folder: Path) -> JobRole:
    secrets = [role.secret_access_key, role.secret_file, role.secret_variable]
    if role.profile and not (role.access_key_id or role.session_token or any(secrets)):
        return role
    if role.profile or not role.access_key_id or sum(map(bool, secrets)) != 1:
        raise ConfigurationProblem(
            f"roles.{name}: give either a profile, or an access_key_id and one of secret_access_key, secret_file and "
            "secret_variable."
        )
    if role.secret_file:
        secret = secret_in(folder / Path(role.secret_file).expanduser())
    else:
        secret = role.secret_access_key or os.environ.get(role.secret_variable, "")
    if not secret:
        raise ConfigurationProblem(f"roles.{name}: the secret is empty.")
    return msgspec.structs.replace(role, secret_access_key=secret, secret_file="", secret_variable="")


class RoleUnavailable(Exception):
    """A role has no credentials now; the text says why, without any secret."""


@dataclass(frozen=True, slots=True)
class RoleCredentials:
    """What a job gets; after `expiration` it should ask again."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime


class RoleSource:
    """The credentials of every role, each found once and renewed by botocore. Any thread may ask."""

    def __init__(self, roles: Mapping[str, JobRole]) -> None:
        self._roles = roles
        self._found: dict[str, Credentials] = {}
        self._locks = {name: threading.Lock() for name in roles}

    @property
    def names(self) -> frozenset[str]:
        """Names and ARNs of the roles that have credentials."""
        return frozenset(self._roles)

    def credentials(self, name: str) -> RoleCredentials:
        """Those of a known role. May take as long as its profile's source does. Raises RoleUnavailable."""
        try:
            with self._locks[name]:  # One for each, since a profile's program may hang.
                found = self._found.get(name) or self._load(name)
                self._found[name] = found
            frozen = found.get_frozen_credentials()
        except (BotoCoreError, OSError) as problem:
            raise RoleUnavailable(f"The credentials of role {name} cannot be had: {type(problem).__name__}.") from None
        # botocore tells nobody when what it renews will expire, except those who look.
        expiration = getattr(found, "_expiry_time", None) or datetime.now(UTC) + KEYS_LAST
        return RoleCredentials(frozen.access_key or "", frozen.secret_key or "", frozen.token or "", expiration)

    def _load(self, name: str) -> Credentials:
        role = self._roles[name]
        if not role.profile:
            return Credentials(role.access_key_id, role.secret_access_key, role.session_token or None)
        found = botocore.session.Session(profile=role.profile).get_credentials()
        if found is None:
            raise RoleUnavailable(f"The profile {role.profile} of role {name} has no credentials.")
        return found
