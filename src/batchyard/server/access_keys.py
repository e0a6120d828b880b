"""`[auth]` in batchyard.toml: the access keys that may call, each with its role and queues."""

import re
from pathlib import Path
from typing import Any

import msgspec

from batchyard.core.access import Principal, Role
from batchyard.core.names import is_resource_name
from batchyard.server.problem import ConfigurationProblem
from batchyard.server.secret_files import check_private, secret_in
from batchyard.wire.sigv4 import Key

SECRET_CHARACTERS_MIN = 16
"""Whoever overhears one signature can try secrets at leisure, so short ones are not secret."""

_ACCESS_KEY_ID = re.compile(r"[\w.-]{3,128}", re.ASCII)
_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)


class AccessKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[auth.keys]]`. Its secrets stand in no representation of it.

    secret_file: a file that holds nothing but the secret, instead of secret_access_key; relative to the configuration.
    session_token: what the caller must send besides, empty for nothing. name: who calls, the access key id if empty.
    queues: the names of those whose jobs the caller may submit, see and end; None for all.
    """

    access_key_id: str
    role: Role
    secret_access_key: str = ""
    secret_file: str = ""
    session_token: str = ""
    name: str = ""
    queues: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return f"AccessKey(access_key_id={self.access_key_id!r}, role={self.role.value!r}, queues={self.queues!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("access_key_id", self.access_key_id)]

    @property
    def key(self) -> Key:
        """What a signature of the caller is verified with."""
        return Key(self.access_key_id, self.secret_access_key, self.session_token or None)

    @property
    def principal(self) -> Principal:
        """Who a caller with this key is."""
        queues = None if self.queues is None else frozenset(self.queues)
        return Principal(self.name or self.access_key_id, self.role, queues)


class Auth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[auth]`: with keys every call must be signed by one of them, without any nobody is asked."""

    keys: tuple[AccessKey, ...] = ()


def checked(auth: Auth, file: Path | None) -> Auth:
    """The keys with secrets that were read from their files; file is the configuration they stand in.

    Raises ConfigurationProblem for a key that cannot be used, and for secrets that everyone on the machine can read.
    """
    if file is not None and any(key.secret_access_key for key in auth.keys):
        check_private(file)
    folder = Path() if file is None else file.absolute().parent
    keys = tuple(_checked(key, folder) for key in auth.keys)
    ids = [key.access_key_id for key in keys]
    if twice := next((each for each in ids if ids.count(each) > 1), None):
        raise ConfigurationProblem(f"auth.keys: the access key id {twice} is there twice.")
    return Auth(keys)


def _checked(key: AccessKey, folder: Path) -> AccessKey:
    if not _ACCESS_KEY_ID.fullmatch(key.access_key_id):
        raise ConfigurationProblem(
            "auth.keys: an access_key_id has 3 to 128 letters, digits, underscores, dots and hyphens."
        )
    where = f"auth.keys: {key.access_key_id}"
    if key.name and not _NAME.fullmatch(key.name):
        raise ConfigurationProblem(f"{where}: a name has at most 64 letters, digits and characters of _+=,.@-")
    if bool(key.secret_access_key) is bool(key.secret_file):
        raise ConfigurationProblem(f"{where}: give either secret_access_key or secret_file.")
    if key.secret_file:
        key = msgspec.structs.replace(key, secret_access_key=secret_in(folder / Path(key.secret_file).expanduser()))
    if len(key.secret_access_key) < SECRET_CHARACTERS_MIN:
        raise ConfigurationProblem(f"{where}: the secret must have at least {SECRET_CHARACTERS_MIN} characters.")
    if key.queues is not None and key.role is Role.ADMIN:
        raise ConfigurationProblem(f"{where}: an admin is for every queue. Leave out queues, or choose another role.")
    if key.queues is not None and not (key.queues and all(map(is_resource_name, key.queues))):
        raise ConfigurationProblem(f"{where}: queues lists names of job queues. Leave it out for all of them.")
    return key
