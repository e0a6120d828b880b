"""What the operator chose: defaults, then `batchyard.toml`, then the flags of `serve`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from batchyard.server import access_keys, job_roles, webhook_settings
from batchyard.server.access_keys import Auth
from batchyard.server.job_roles import JobRole
from batchyard.server.problem import ConfigurationProblem
from batchyard.server.webhook_settings import Webhook

DEFAULT_PORT = 22824
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Containers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[containers]`: for those that do not say otherwise. cpu_quota: whether vCPUs are the most they may use.
    prune_images_after_hours: docker and podman remove images of that age that no container uses; None: they stay."""

    pull_policy: str = "if-missing"
    network: str = "host"
    cpu_quota: bool = False
    prune_images_after_hours: int | None = None


class Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `[secrets]`: where the value of a secret is read, when an attempt that needs it is launched."""

    file: str | None = None
    environment: str | None = None
    command: tuple[str, ...] | None = None


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[limits]`. requests_per_second: of one access key, None for no bound."""

    requests_per_second: float | None = None


class Compatibility(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[compatibility]`. phase_seconds: how long resources stay CREATING, UPDATING and DELETING, as they do on AWS."""

    phase_seconds: float = 0.0


class Keeping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[retention]`. finished_jobs_days: how long after their end jobs are shown, None for ever."""

    finished_jobs_days: float | None = None


class Instance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a training instance holds of this machine; memory in MiB."""

    vcpus: float = 1.0
    memory: int = 2048
    gpus: int = 0


class ServiceJobs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[service_jobs]`. instance: of every type that `instances` does not name. folders: by URI, as
    `s3://bucket/prefix`, the folder of this machine that it means."""

    instance: Instance = Instance()
    instances: dict[str, Instance] = {}
    folders: dict[str, str] = {}


def default_data_folder() -> Path:
    """`~/.local/share/batchyard`, or where XDG says."""
    return Path(platformdirs.user_data_dir("batchyard"))


@dataclass(frozen=True, slots=True)
class Configuration:
    """Every setting, by its name in batchyard.toml; docs/configuration.md describes each.

    max_vcpus, max_memory (MiB): what jobs may hold together; None is what the machine has, more is overcommitment by
    choice. log_cap_bytes: of one attempt's log, None for no cap. stop_grace_seconds: between SIGTERM and SIGKILL.
    synchronous: SQLite's; anything less than FULL gives up promise 1 on power loss. auth: who may call, everyone if it
    has no keys. limits: how often. roles: the credentials that jobs get, by the role that they name. retention: for how
    long. compatibility: what AWS does and a yard need not. containers: how they are made. volumes: the folder for each
    EFS file system, access point, S3 file system or claim. host_access: whether containers may have folders and devices
    of the host and be privileged; None: only while the server listens on this machine alone. webhooks: who is told of
    events. service_jobs: what training instances are, and where their data lies.
    secrets: what jobs may name in `secrets`, by valueFrom.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    data: Path = field(default_factory=default_data_folder)
    executor: str = "auto"
    database: str | None = None
    max_vcpus: float | None = None
    max_memory: int | None = None
    account: str = "123456789012"
    array_size_max: int = 10_000
    submit_job_kib_max: int = 30
    log_cap_bytes: int | None = None
    stop_grace_seconds: float = 30.0
    synchronous: str = "FULL"
    auth: Auth = field(default_factory=Auth)
    limits: Limits = field(default_factory=Limits)
    retention: Keeping = field(default_factory=Keeping)
    compatibility: Compatibility = field(default_factory=Compatibility)
    roles: Mapping[str, JobRole] = field(default_factory=dict)
    containers: Containers = field(default_factory=Containers)
    secrets: dict[str, Secret] = field(default_factory=dict)
    volumes: dict[str, str] = field(default_factory=dict)
    host_access: bool | None = None
    webhooks: tuple[Webhook, ...] = ()
    service_jobs: ServiceJobs = field(default_factory=ServiceJobs)

    @property
    def grants_host_access(self) -> bool:
        """What `host_access` comes to."""
        return self.host in LOOPBACK if self.host_access is None else self.host_access


PULL_POLICIES = ("if-missing", "always", "never")
NETWORKS = ("host", "none")
EXECUTORS = ("auto", "process", "oci", "docker", "podman")


def read_configuration(file: Path | None, flags: dict[str, Any]) -> Configuration:
    """Defaults, over them the file's settings, over them the flags that were given (None means not given).

    Raises ConfigurationProblem for a file that cannot be read, an unknown setting, or a value out of bounds.
    """
    settings: dict[str, Any] = {} if file is None else _read(file)
    settings |= {name: value for name, value in flags.items() if value is not None}
    try:
        configuration = msgspec.convert(settings, Configuration, strict=True, dec_hook=_from_text)
    except msgspec.ValidationError as problem:
        raise ConfigurationProblem(f"{file or 'flags'}: {problem}") from None
    return _checked(
        replace(
            configuration,
            data=configuration.data.expanduser().absolute(),
            auth=access_keys.checked(configuration.auth, file),
            webhooks=webhook_settings.checked(configuration.webhooks, file),
            roles=job_roles.checked(configuration.roles, file),
        )
    )


def _from_text(kind: type, value: Any) -> Any:
    """A path, which TOML has no kind for."""
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise TypeError(f"Expected `{'str' if kind is Path else kind.__name__}`, got `{type(value).__name__}`")


def _read(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.toml.decode(file.read_bytes())
    except OSError as problem:
        raise ConfigurationProblem(f"The configuration {file} cannot be read: {problem.strerror}.") from None
    except msgspec.DecodeError as problem:
        raise ConfigurationProblem(f"The configuration {file} is not TOML: {problem}.") from None
    known = set(Configuration.__dataclass_fields__)
    for name in found:
        if name not in known:
            raise ConfigurationProblem(f"{file}: there is no setting {name!r}. Known: {', '.join(sorted(known))}.")
    return found


def _checked(configuration: Configuration) -> Configuration:
    if configuration.host not in LOOPBACK and not configuration.auth.keys:
        raise ConfigurationProblem(
            f"Refusing to listen on {configuration.host}: anyone who reaches that address could run commands on this "
            "machine. Say who may, with [[auth.keys]] in a batchyard.toml, and start with --config; or listen on "
            "127.0.0.1 and reach it through an SSH tunnel."
        )
    if configuration.executor not in EXECUTORS:
        raise ConfigurationProblem(
            f"There is no executor {configuration.executor!r}. Choose one of {', '.join(EXECUTORS)}."
        )
    if configuration.database is not None and not configuration.database.startswith("sqlite:///"):
        raise ConfigurationProblem("--database takes an SQLite URL, such as sqlite:////var/lib/batchyard/yard.sqlite3.")
    for name, value in (("max_vcpus", configuration.max_vcpus), ("max_memory", configuration.max_memory)):
        if value is not None and value <= 0:
            raise ConfigurationProblem(f"{name} must be more than 0.")
    _check_containers(configuration)
    rate = configuration.limits.requests_per_second
    if rate is not None and rate <= 0:
        raise ConfigurationProblem("limits.requests_per_second must be more than 0. Leave it out for no limit.")
    _check_times(configuration)
    _check_service_jobs(configuration.service_jobs)
    if not 2 <= configuration.array_size_max <= 1_000_000:
        raise ConfigurationProblem("array_size_max must be between 2 and 1000000.")
    if not 1 <= configuration.submit_job_kib_max <= 1024:
        raise ConfigurationProblem("submit_job_kib_max must be between 1 and 1024.")
    return configuration


def _check_times(configuration: Configuration) -> None:
    days = configuration.retention.finished_jobs_days
    if days is not None and days <= 0:
        raise ConfigurationProblem("retention.finished_jobs_days must be more than 0. Leave it out to keep all jobs.")
    if not 0 <= configuration.compatibility.phase_seconds <= 3600:
        raise ConfigurationProblem("compatibility.phase_seconds must be between 0 and 3600.")


def _check_service_jobs(chosen: ServiceJobs) -> None:
    for name, instance in {"instance": chosen.instance, **chosen.instances}.items():
        if instance.vcpus <= 0 or instance.memory < 1 or instance.gpus < 0:
            raise ConfigurationProblem(f"service_jobs: {name} must have vcpus and memory above 0, and no gpus below 0.")
    for uri, folder in chosen.folders.items():
        if not Path(folder).expanduser().is_absolute():
            raise ConfigurationProblem(f"service_jobs.folders: the folder of {uri} must be an absolute path.")


def _check_containers(configuration: Configuration) -> None:
    for name, secret in configuration.secrets.items():
        if sum(bool(given) for given in (secret.file, secret.environment, secret.command)) != 1:
            raise ConfigurationProblem(f"secrets: {name!r} must have one of file, environment and command.")
    chosen = configuration.containers
    for setting, value, known in (
        ("pull_policy", chosen.pull_policy, PULL_POLICIES),
        ("network", chosen.network, NETWORKS),
    ):
        if value not in known:
            raise ConfigurationProblem(f"containers.{setting} must be one of {', '.join(known)}, not {value!r}.")
    for name, folder in configuration.volumes.items():
        if not Path(folder).is_absolute():
            raise ConfigurationProblem(f"volumes: {name} must be an absolute path, not {folder!r}.")
