"""Which executor runs the jobs: the one that was asked for, or the best that works here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from batchyard.executors import oci
from batchyard.executors.interface import Executor
from batchyard.executors.oci import OciExecutor
from batchyard.executors.process import ProcessExecutor
from batchyard.executors.secrets import SecretSource
from batchyard.executors.supervisor_protocol import ContainerSettings
from batchyard.server.configuration import Configuration
from batchyard.server.problem import ConfigurationProblem


@dataclass(frozen=True, slots=True)
class Kind:
    """An executor that may be chosen.

    `note` is what the status reason of compute environments says of it. `obstacles` are what keeps it from working
    here, each with its remedy. `isolates`: whether it is told what containers are to have (`engine.isolation`).
    """

    note: str
    obstacles: Callable[[Configuration], list[str]]
    make: Callable[[Configuration], Executor]
    isolates: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """`why` says why it was chosen, for the log."""

    name: str
    kind: Kind
    why: str


def _process(configuration: Configuration) -> Executor:
    return ProcessExecutor(configuration.data, log_cap_bytes=configuration.log_cap_bytes)


def _oci(configuration: Configuration) -> Executor:
    chosen = configuration.containers
    settings = ContainerSettings(chosen.pull_policy, chosen.network, chosen.cpu_quota)
    return OciExecutor(configuration.data, containers=settings, log_cap_bytes=configuration.log_cap_bytes)


def secret_sources(configuration: Configuration) -> dict[str, SecretSource]:
    """`[secrets]`, as executors know it."""
    return {
        name: SecretSource(secret.file, secret.environment, secret.command)
        for name, secret in configuration.secrets.items()
    }


def _engine(kind: str) -> Kind:
    """The executor on a container engine. Its client is loaded when it is needed: that takes a while."""

    def obstacles(_: Configuration) -> list[str]:
        from batchyard.containers.finding import ADDRESS_VARIABLES, addresses, find_engine

        if find_engine(kind) is not None:
            return []
        tried = ", ".join(addresses(kind)) or "no socket found"
        return [f"no {kind} answers ({tried}); start its API service, or name its socket in {ADDRESS_VARIABLES[kind]}"]

    def make(configuration: Configuration) -> Executor:
        from batchyard.containers.executor import ContainerExecutor
        from batchyard.containers.finding import find_engine
        from batchyard.containers.workshop import EngineSettings

        found = find_engine(kind)
        if found is None:
            raise ConfigurationProblem(f"{kind} no longer answers.")
        chosen = configuration.containers
        settings = EngineSettings(chosen.network, chosen.cpu_quota, chosen.pull_policy, chosen.prune_images_after_hours)
        return ContainerExecutor(
            configuration.data,
            found[0],
            settings,
            log_cap_bytes=configuration.log_cap_bytes,
        )

    return Kind(f"jobs run in containers of their images, made by {kind}", obstacles, make)


KINDS: Mapping[str, Kind] = {
    "oci": Kind(
        "jobs run in containers of their images, made by crun", lambda chosen: list(oci.obstacles(chosen.data)), _oci
    ),
    "docker": _engine("docker"),
    "podman": _engine("podman"),
    "process": Kind(
        "jobs run as processes of this machine, and the image they name is ignored",
        lambda _: [],
        _process,
        isolates=False,
    ),
}
"""In the order in which `auto` tries them."""


def choose_executor(configuration: Configuration) -> Choice:
    """The executor for this configuration. Raises ConfigurationProblem if the one it names cannot work here."""
    wanted = configuration.executor
    if wanted == "auto":
        return _best(configuration)
    if (kind := KINDS.get(wanted)) is None:
        raise ConfigurationProblem(
            f"The executor {wanted!r} is not part of this Batchyard yet. Use one of {', '.join(KINDS)}."
        )
    if obstacles := kind.obstacles(configuration):
        raise ConfigurationProblem(f"The executor {wanted} cannot work here: {'; '.join(obstacles)}.")
    return Choice(wanted, kind, "it was asked for")


def _best(configuration: Configuration) -> Choice:
    passed_over: list[str] = []
    for name, kind in KINDS.items():
        obstacles = kind.obstacles(configuration)
        if not obstacles:
            why = f"it is the best that works here ({' / '.join(passed_over)})" if passed_over else "it works here"
            return Choice(name, kind, why)
        passed_over.append(f"not {name}: {'; '.join(obstacles)}")
    raise ConfigurationProblem("No executor works here.")
