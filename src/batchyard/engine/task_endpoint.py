"""Where a job asks about itself: the variables that tell it, and the tokens by which it is known there.

Jobs outlive the server, so a token names everything that is needed to find the attempt again, and is signed instead of
being remembered: `ATTEMPT_ID.JOB.INDEX.CONTAINER`, and behind it or beside it a MAC with a key of the data folder.
Making one takes a few microseconds and no row.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import NamedTuple

from batchyard.core.ids import AttemptId, JobSeq
from batchyard.core.jobs import Attempt, JobKey, Terms
from batchyard.core.resolved_nodes import ranges_of_nodes
from batchyard.core.resolved_tasks import placed_containers
from batchyard.core.resources import Document

METADATA_VARIABLE = "ECS_CONTAINER_METADATA_URI_V4"
CREDENTIALS_VARIABLE = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
AUTHORIZATION_VARIABLE = "AWS_CONTAINER_AUTHORIZATION_TOKEN"

_NAME = re.compile(r"([0-9a-f]{32})\.(\d{1,18})\.(\d{1,18}|-)\.(\d{1,3})", re.ASCII)
_MAC_BYTES = 16


class TaskName(NamedTuple):
    """One container of one attempt; `container` is its position in the attempt."""

    attempt_id: AttemptId
    key: JobKey
    container: int = 0


class TaskTokens:
    """Signs the names of tasks and verifies them. key: a secret of the data folder."""

    def __init__(self, key: bytes) -> None:
        # A key of its own for each purpose: who may ask what a task is called may not ask for its credentials.
        self._metadata = hmac.digest(key, b"task metadata", "sha256")
        self._credentials = hmac.digest(key, b"task credentials", "sha256")

    def metadata(self, name: str) -> str:
        """The last part of a metadata path: the name and its MAC."""
        return f"{name}.{_mac(self._metadata, name)}"

    def authorization(self, name: str) -> str:
        """What must stand in `Authorization` where this task's credentials are asked for."""
        return _mac(self._credentials, name)

    def read_metadata(self, token: str) -> TaskName | None:
        """The task that a metadata path names; None if it was not made here."""
        name, _, mac = token.rpartition(".")
        return read_name(name) if _equal(mac, _mac(self._metadata, name)) else None

    def read_credentials(self, name: str, authorization: str) -> TaskName | None:
        """The task whose credentials are asked for; None if the authorization is not its own."""
        return read_name(name) if _equal(authorization, _mac(self._credentials, name)) else None


def write_name(name: TaskName) -> str:
    """The text of a task's name, of letters that need no escape in a URL."""
    index = "-" if name.key.array_index is None else name.key.array_index
    return f"{name.attempt_id}.{name.key.seq}.{index}.{name.container}"


def read_name(text: str) -> TaskName | None:
    """The task that the text names; None if it is no such text."""
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    attempt_id, seq, index, container = found.groups()
    key = JobKey(JobSeq(int(seq)), None if index == "-" else int(index))
    return TaskName(AttemptId(attempt_id), key, int(container))


@dataclass(frozen=True, slots=True)
class TaskEndpoint:
    """What jobs are told. url: `http://127.0.0.1:PORT`. roles: the names or ARNs of roles that have credentials."""

    url: str
    tokens: TaskTokens
    roles: frozenset[str] = frozenset()

    def variables(self, attempt: Attempt, terms: Terms, container: int = 0) -> dict[str, str]:
        """The variables of one container of an attempt; credentials only where its role has any."""
        name = write_name(TaskName(attempt.attempt_id, attempt.key, container))
        found = {METADATA_VARIABLE: f"{self.url}/v4/{self.tokens.metadata(name)}"}
        if self.roles and matching_role(job_role(terms, container), self.roles):
            found[CREDENTIALS_VARIABLE] = f"{self.url}/credentials/{name}"
            found[AUTHORIZATION_VARIABLE] = self.tokens.authorization(name)
        return found


def job_role(terms: Terms, container: int = 0) -> str:
    """The `jobRoleArn`, or `taskRoleArn` of ecsProperties, that a container's definition names; empty without one.

    container is its position in the attempt. A pod names no role.
    """
    found = _properties_of(terms, container)
    if found.get("container"):
        return str(found["container"].get("jobRoleArn") or "")
    tasks = (found.get("ecsProperties") or {}).get("taskProperties") or [{}]
    return str(tasks[0].get("taskRoleArn") or "")


def _properties_of(terms: Terms, container: int) -> Document:
    """The block of properties that a container comes from, in the form of an entry of nodeRangeProperties."""
    resolved = terms.resolved
    if resolved.node_properties is None:
        return {"container": resolved.container, "ecsProperties": resolved.ecs_properties}
    ranges = resolved.node_properties["nodeRangeProperties"]
    of_node = ranges_of_nodes(ranges, resolved.node_properties["numNodes"])
    found: Document = ranges[of_node[placed_containers(resolved.containers)[container].node]]
    return found


def matching_role(role: str, known: frozenset[str]) -> str | None:
    """Which of the known roles a job's role means: the one spelled alike, or named as the end of its ARN is."""
    if not role:
        return None
    return next((spelling for spelling in (role, role.rpartition("/")[2]) if spelling in known), None)


def _mac(key: bytes, name: str) -> str:
    # BLAKE2 with a key is a MAC, and takes a third of an HMAC's time, which each launch pays.
    return hashlib.blake2b(name.encode(), key=key, digest_size=_MAC_BYTES).hexdigest()


def _equal(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())
