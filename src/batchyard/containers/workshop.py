"""What is done to the containers of attempts: each function asks the engine, takes its time, and changes no state."""

import contextlib
import os
import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from batchyard.containers import images
from batchyard.containers.creation import (
    CannotStart,
    Surroundings,
    create_body,
    missing_sources,
    volume_names,
)
from batchyard.containers.engine_api import (
    ContainerState,
    EngineApi,
    EngineFacts,
    EngineGone,
    EngineRefused,
    NoSuchThing,
)
from batchyard.containers.memory_groups import MemoryGroups
from batchyard.containers.terms import Terms, network_of, run_ids
from batchyard.core.ids import AttemptId, Millis, container_id
from batchyard.executors.interface import Container, Launch, Ulimit
from batchyard.logs.files import log_path, logs_folder
from batchyard.logs.writer import AttemptLogWriter

OWNER_LABEL = "batchyard.data-folder"
ATTEMPT_LABEL = "batchyard.attempt"
TERMS_LABEL = "batchyard.terms"

_PODMAN_ULIMITS = ("nofile", "nproc")
_UNLIMITED_FILE = {"max-size": "1024g", "max-file": "1", "compress": "false"}


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """`[containers]` of the configuration. network: `host`, `none`, `bridge` or the name of one of the engine's.
    cpu_quota: whether vCPUs are an upper limit too. prune_images_after_hours: how old an image that no container uses
    may become; None keeps all."""

    network: str = "host"
    cpu_quota: bool = False
    pull_policy: str = "if-missing"
    prune_images_after_hours: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A container that waits to be started."""

    container_id: str
    terms: Terms


def container_name(run_id: str) -> str:
    """The container's name, which makes it the only one of its place in its attempt."""
    return f"batchyard-{run_id}"


class Workshop:
    """Makes, starts, judges and removes containers for one data folder. Its methods may be called by any thread; they
    raise EngineGone when the engine does not answer."""

    def __init__(
        self,
        data: Path,
        owner: str,
        api: EngineApi,
        facts: EngineFacts,
        settings: EngineSettings,
        log_cap_bytes: int | None,
    ) -> None:
        self.api = api
        self.facts = facts
        self.is_closing = False
        self.keeps_files = facts.kind == "podman" and facts.address.startswith("unix://")
        self._data = data
        self._owner = owner
        self.settings = settings
        self._log_cap_bytes = log_cap_bytes
        self._raw = data / "containers" / "output"
        self._raw.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._gpus_exist = any(Path("/dev").glob("nvidia[0-9]*"))
        is_blind = facts.kind == "podman" and facts.cgroup_version == "1" and facts.cgroup_driver == "cgroupfs"
        self._groups = MemoryGroups(owner) if is_blind and self.keeps_files and not facts.is_rootless else None

    # ----------------------------------------------------------------------------------------------------- making

    def make(self, launch: Launch, terms: Terms, hide_gpus: bool) -> Made:
        """Make the container at the terms' position, with its image pulled first if need be. Raises CannotStart."""
        if launch.impossible is not None:
            raise CannotStart(launch.impossible)
        container = launch.containers[terms.position]
        isolation = container.isolation
        policy = (isolation.pull_policy if isolation else None) or self.settings.pull_policy
        if isolation and isolation.impossible:
            raise CannotStart(isolation.impossible)
        run_id = container_id(launch.attempt_id, terms.position)
        if policy == "always":
            self._pull(run_id, container)
        for source in missing_sources(container):
            with contextlib.suppress(OSError):
                source.mkdir(parents=True)
        try:
            return self._create(launch, run_id, terms, hide_gpus)
        except NoSuchThing:
            if policy != "if-missing":
                raise images.never_pulled(container) from None
            self._pull(run_id, container)
        except EngineRefused as refusal:
            raise _cannot_start(refusal) from refusal
        try:
            return self._create(launch, run_id, terms, hide_gpus)
        except EngineRefused as refusal:
            raise _cannot_start(refusal) from refusal

    def _pull(self, run_id: AttemptId, container: Container) -> None:
        log = self.log(run_id)
        log.resume()

        def say(line: str) -> None:
            if self.is_closing:
                raise EngineGone("the server is closing; the next one pulls again")
            log.write(f"{line}\n".encode(), _now())

        try:
            images.pull(self.api, container, say)
        finally:
            log.close()

    def _create(self, launch: Launch, run_id: AttemptId, terms: Terms, hide_gpus: bool) -> Made:
        container = launch.containers[terms.position]
        group = self._groups.make(run_id, container.memory_mib) if self._groups else None
        path = log_path(logs_folder(self._data), run_id)
        terms = replace(
            terms,
            log_bytes=path.stat().st_size if path.exists() else 0,
            volumes=tuple(volume_names(launch)),
            grouped=group is not None,
        )
        around = Surroundings(
            engine=self.facts.kind,
            network=self._network(launch, terms.position),
            cpu_quota=self.settings.cpu_quota,
            labels=self._labels(launch.attempt_id, terms),
            log=self._log_config(run_id),
            gpus=_own_gpus(launch, terms),
            hide_gpus=hide_gpus,
            gpus_exist=self._gpus_exist,
            has_swap=self.facts.limits_swap,
            is_cgroup_v1=self.facts.cgroup_version == "1",
            cgroup_parent=group,
            position=terms.position,
            default_ulimits=_own_ulimits() if self.facts.kind == "podman" else (),
        )
        body = create_body(launch, container, around)
        return Made(self.api.create(container_name(run_id), body), terms)

    def _network(self, launch: Launch, position: int) -> str:
        """Raises EngineRefused if it is to share that of a container that is not made yet."""
        found = network_of(launch, position, self.settings.network)
        if isinstance(found, str):
            return found
        return f"container:{self.api.id_of(container_name(container_id(launch.attempt_id, found)))}"

    def _labels(self, attempt_id: AttemptId, terms: Terms) -> Mapping[str, str]:
        return {
            OWNER_LABEL: self._owner,
            ATTEMPT_LABEL: attempt_id,
            TERMS_LABEL: msgspec.json.encode(terms).decode(),
        }

    def _log_config(self, run_id: AttemptId) -> Mapping[str, object]:
        if self.keeps_files:
            return {"Type": "k8s-file", "Config": {"path": str(self.raw_output(run_id))}}
        if self.facts.kind == "podman":
            return {"Type": "k8s-file"}
        return {"Type": "local", "Config": _UNLIMITED_FILE}

    # ------------------------------------------------------------------------------------------- starting and ending

    def start(self, container_id: str) -> Millis:
        """Start it; when it had started. Raises CannotStart."""
        try:
            self.api.start(container_id)
        except EngineRefused as refusal:
            raise _cannot_start(refusal) from refusal
        return _now()

    def state(self, container_id: str) -> ContainerState | None:
        """Where it is; None if it is no more."""
        try:
            return self.api.state(container_id)
        except NoSuchThing:
            return None

    def ask_to_end(self, container_id: str) -> None:
        """Send it the signal that its image wants for that."""
        with contextlib.suppress(EngineRefused):
            self.api.signal(container_id, self.api.state(container_id).stop_signal)

    def kill(self, container_id: str) -> None:
        """End it now."""
        with contextlib.suppress(EngineRefused):
            self.api.signal(container_id, "SIGKILL")

    def ran_out_of_memory(self, run_id: AttemptId, state: ContainerState, was_stopped: bool) -> bool:
        """Whether it, or a part of it that mattered, was killed for want of memory."""
        if state.out_of_memory:
            return state.exit_code != 0
        killed = state.exit_code == 137 and not was_stopped
        return killed and self._groups is not None and self._groups.was_full(run_id)

    def withdraw(self, container_id: str) -> bool:
        """Remove a container unless it runs; whether it is gone. Nothing can start it afterwards."""
        try:
            self.api.remove(container_id, force=False)
        except NoSuchThing:
            return True
        except EngineRefused:
            return False
        return True

    def clean_up(self, attempt_id: AttemptId, terms: Terms | None) -> None:
        """Remove what an ended attempt has left: containers, volumes, output, memory groups. The last made goes first,
        since it may share the network of another."""
        for run_id in reversed(list(run_ids(attempt_id, terms)) if terms else [attempt_id]):
            with contextlib.suppress(EngineRefused):
                self.api.remove(container_name(run_id), force=True)
            self.raw_output(run_id).unlink(missing_ok=True)
            self._begun(run_id).unlink(missing_ok=True)
            if self._groups:
                self._groups.remove(run_id)
        for volume in terms.volumes if terms else ():
            with contextlib.suppress(EngineRefused):
                self.api.remove_volume(volume)

    # ------------------------------------------------------------------------------------------ what may have begun

    def note_begin(self, run_id: AttemptId) -> None:
        """Put on disk that the engine may be asked to start this container from now on. Raises OSError."""
        file = os.open(self._begun(run_id), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.close(file)
        folder = os.open(self._raw, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def may_have_begun(self, run_id: AttemptId) -> bool:
        """Whether the engine may ever have been asked to start it."""
        return self._begun(run_id).exists()

    def _begun(self, run_id: AttemptId) -> Path:
        return self._raw / f"{run_id}.begun"

    # ----------------------------------------------------------------------------------------------------- output

    def log(self, run_id: AttemptId) -> AttemptLogWriter:
        """The container's log."""
        return AttemptLogWriter(logs_folder(self._data), run_id, self._log_cap_bytes)

    def raw_output(self, run_id: AttemptId) -> Path:
        """Where the engine writes what the container does, if it writes it to a file of ours."""
        return self._raw / run_id


def _own_gpus(launch: Launch, terms: Terms) -> tuple[int, ...]:
    """The numbers of the GPUs that a container may use: each has its own."""
    before = sum(container.gpus for container in launch.containers[: terms.position])
    return terms.gpu_numbers[before : before + launch.containers[terms.position].gpus]


def _cannot_start(refusal: EngineRefused) -> CannotStart:
    return CannotStart(f"CannotStartContainerError: Error response from daemon: {refusal}")


def _own_ulimits() -> tuple[Ulimit, ...]:
    """This process's own hard limits of what Podman would otherwise raise beyond what it may."""
    numbers = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    pid_max = int(Path("/proc/sys/kernel/pid_max").read_text())
    limits = {name: resource.getrlimit(number)[1] for name, number in numbers.items()}
    limits["nproc"] = pid_max if limits["nproc"] < 0 else min(limits["nproc"], pid_max)
    return tuple(Ulimit(name, limits[name], limits[name]) for name in _PODMAN_ULIMITS)


def _now() -> Millis:
    return Millis(time.time_ns() // 1_000_000)
