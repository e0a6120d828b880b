"""What is asked of a container engine, through the Docker client; one connection for each thread that asks."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException

from batchyard.core.ids import Millis

_TIMEOUT_SECONDS = 120


class EngineGone(Exception):
    """The engine does not answer, so nobody knows whether it did what it was asked."""


class EngineRefused(Exception):
    """The engine answered that it will not do it; the text is its own."""


class NoSuchThing(EngineRefused):
    """There is no such container, or no such image."""


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine says of itself. `kind` is `docker` or `podman`."""

    kind: str
    version: str
    address: str
    cgroup_version: str
    cgroup_driver: str
    limits_memory: bool
    limits_swap: bool
    keeps_running: bool
    storage_driver: str
    is_rootless: bool
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ContainerState:
    """Where a container is. `status` is Docker's word."""

    status: str
    exit_code: int
    out_of_memory: bool
    error: str
    started_at: Millis | None
    finished_at: Millis | None
    stop_signal: str


class EngineApi:
    """The engine at an address such as `unix:///run/podman/podman.sock`.

    Every method raises EngineGone when no answer comes, EngineRefused (NoSuchThing for 404) when it is a refusal.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._local = threading.local()
        self._version: str | None = None

    def facts(self) -> EngineFacts:
        """What engine this is."""
        with _answers():
            version, info = self._client().version(), self._client().info()
        components = {component.get("Name", "") for component in version.get("Components") or ()}
        security = " ".join(info.get("SecurityOptions") or ())
        return EngineFacts(
            kind="podman" if any(name.startswith("Podman") for name in components) else "docker",
            version=version.get("Version", "?"),
            address=self.address,
            cgroup_version=str(info.get("CgroupVersion") or "1"),
            cgroup_driver=info.get("CgroupDriver") or "none",
            limits_memory=bool(info.get("MemoryLimit")),
            limits_swap=bool(info.get("SwapLimit")),
            keeps_running=bool(info.get("LiveRestoreEnabled")),
            storage_driver=info.get("Driver") or "?",
            is_rootless="rootless" in security,
            warnings=tuple(info.get("Warnings") or ()),
        )

    def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Make a container, or find the one of that name; its id."""
        try:
            with _answers():
                made = self._client().create_container_from_config(dict(body), name)
                return str(made["Id"])
        except EngineRefused as refusal:
            if "already in use" not in str(refusal):
                raise
            return self.id_of(name)

    def id_of(self, name: str) -> str:
        """The id of a container by its name."""
        with _answers():
            return str(self._client().inspect_container(name)["Id"])

    def start(self, container_id: str) -> None:
        """Start a container."""
        with _answers():
            self._client().start(container_id)

    def signal(self, container_id: str, signal: str) -> None:
        """Send its main process a signal."""
        with _answers():
            self._client().kill(container_id, signal)

    def remove(self, container_id: str, *, force: bool) -> None:
        """Remove a container; without force only one that does not run."""
        with _answers():
            self._client().remove_container(container_id, v=True, force=force)

    def remove_volume(self, name: str) -> None:
        """Remove a volume."""
        with _answers():
            self._client().remove_volume(name)

    def state(self, container_id: str) -> ContainerState:
        """Where a container is."""
        with _answers():
            found = self._client().inspect_container(container_id)
        state = found["State"]
        return ContainerState(
            status=state.get("Status") or "",
            exit_code=int(state.get("ExitCode") or 0),
            out_of_memory=bool(state.get("OOMKilled")),
            error=state.get("Error") or "",
            started_at=millis(state.get("StartedAt")),
            finished_at=millis(state.get("FinishedAt")),
            stop_signal=(found.get("Config") or {}).get("StopSignal") or "SIGTERM",
        )

    def containers(self, label: str) -> list[dict[str, Any]]:
        """All containers with a label, whatever they do."""
        with _answers():
            return list(self._client().containers(all=True, filters={"label": label}))

    def events(self, label: str, since: float) -> Iterator[dict[str, Any]]:
        """What happens to containers with a label; `close` ends it from another thread."""
        with _answers():
            found: Iterator[dict[str, Any]] = self._client().events(
                since=since, decode=True, filters={"type": "container", "label": label}
            )
            return found

    def output(self, container_id: str, since: str | None) -> Any:
        """What it writes, from its beginning to its end; with `since` (seconds and nanoseconds) what it has written
        from then on. As a response whose `raw` is read: frames of eight bytes
        (stream, length) and a message with its time before it. `close` on it ends it."""
        with _answers():
            client = self._client()
            response = client.get(
                f"{client.base_url}/v{client.api_version}/containers/{container_id}/logs",
                params={"stdout": 1, "stderr": 1, "timestamps": 1} | ({"since": since} if since else {"follow": 1}),
                stream=True,
                timeout=(_TIMEOUT_SECONDS, None),
            )
            response.raise_for_status()
            return response

    def pull(self, image: str, credentials: Mapping[str, str] | None, platform: str | None) -> Iterator[dict[str, Any]]:
        """Pull an image, with the credentials given or the engine user's own; what the engine says meanwhile."""
        with _answers():
            yield from self._client().pull(
                image,
                stream=True,
                decode=True,
                auth_config=dict(credentials) if credentials else None,
                platform=platform,
            )

    def prune_images(self, unused_hours: int) -> int:
        """Remove images made longer ago that no container uses; how many bytes that freed."""
        with _answers():
            filters = {"until": f"{unused_hours}h", "dangling": False}
            return int(self._client().prune_images(filters).get("SpaceReclaimed") or 0)

    def _client(self) -> Any:
        client = getattr(self._local, "client", None)
        if client is None:
            version = self._version or "auto"
            client = docker.APIClient(base_url=self.address, version=version, timeout=_TIMEOUT_SECONDS)
            self._version = client._version
            self._local.client = client
        return client


@contextlib.contextmanager
def _answers() -> Iterator[None]:
    """Turn the client's troubles into ours."""
    try:
        yield
    except (ImageNotFound, NotFound) as failure:
        raise NoSuchThing(_words(failure)) from failure
    except APIError as failure:
        raise EngineRefused(_words(failure)) from failure
    except (DockerException, RequestException, OSError) as failure:
        raise EngineGone(str(failure)) from failure


def _words(failure: APIError) -> str:
    return str(failure.explanation or failure).strip()


def millis(text: str | None) -> Millis | None:
    """The time in an answer of the engine; None for none and for year 1, which means never."""
    if not text or text.startswith("0001-"):
        return None
    head, _, rest = text.partition(".")
    zone = "+00:00" if rest.endswith("Z") or head.endswith("Z") else text[-6:]
    digits = "".join(c for c in rest[:9] if c.isdigit())[:3].ljust(3, "0") if rest else "000"
    at = datetime.fromisoformat(f"{head[:19]}{zone}").astimezone(UTC)
    return Millis(int(at.timestamp()) * 1000 + int(digits))
