"""What an executor is: launch by attempt id, observe, stop with grace, take back, adopt after a restart.

The engine hands over orders in batches and is told what happened in batches. Both directions are plain data
(frozen dataclasses that encode to MessagePack), because the process that runs attempts may live in another process
or, later, on another host. Three rules make crashes harmless:

1. An order is named by its attempt id. Doing it twice changes nothing: a launch of an attempt that the executor has
   ever accepted is ignored, a stop of one that has ended is ignored.
2. Reports carry a position in the executor's journal. The engine stores the position in the transaction that takes
   the reports in, and asks for everything after it when it connects again. So each report counts exactly once.
3. On every (re)connection the executor first replays the journal after the position, then sends `Observed`: every
   attempt it holds (waiting for its slot or running). What the engine's rows expect and `Observed` lacks was never
   accepted and is launched. What `Observed` has and no row expects is stopped.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from batchyard.core.ids import AttemptId, Millis

# ------------------------------------------------------------------------------------------ orders


@dataclass(frozen=True, slots=True)
class Ulimit:
    """`containerProperties.ulimits[]`: name without `RLIMIT_`, lower case, as AWS spells it (`nofile`)."""

    name: str
    soft_limit: int
    hard_limit: int


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder inside a container: `source` of the host, or the volume of this name, empty at first, which the
    containers of the attempt share; one of the two is given."""

    path: str
    source: str | None = None
    volume: str | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Tmpfs:
    """`linuxParameters.tmpfs[]`."""

    path: str
    size_mib: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Device:
    """`linuxParameters.devices[]`; `permissions` are letters of `rwm`."""

    host_path: str
    path: str
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True)
class Isolation:
    """What a container has that a process of the host has not; executors without containers pass over it.

    `entry_point` replaces the image's (None: the image's own; empty: none, the command is all), `shared_memory_mib` is
    the size of /dev/shm, `init_process` puts a reaper of orphans before the command. `network` is `host`, `none` or
    `bridge`, `ipc_mode` and `pid_mode` are ECS's; None is what the executor has by default. `ephemeral_storage_gib` is
    how much its own root may grow. `architecture` is as images name it (`amd64`, `arm64`). `pull_policy` is
    `if-missing`, `always` or `never` (None: the executor's setting); `credentials_parameter` names the secret that
    opens the image's registry, and `credentials` are the user name and password in it once an executor is told to
    launch. Capabilities are without `CAP_`. With `impossible` the start fails with that reason.
    """

    entry_point: tuple[str, ...] | None = None
    privileged: bool = False
    read_only_root: bool = False
    init_process: bool = False
    shared_memory_mib: int | None = None
    swappiness: int | None = None
    mounts: tuple[Mount, ...] = ()
    tmpfs: tuple[Tmpfs, ...] = ()
    devices: tuple[Device, ...] = ()
    network: str | None = None
    ipc_mode: str | None = None
    pid_mode: str | None = None
    ephemeral_storage_gib: int | None = None
    architecture: str | None = None
    pull_policy: str | None = None
    credentials_parameter: str | None = None
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    capabilities_added: tuple[str, ...] = ()
    capabilities_dropped: tuple[str, ...] = ()
    no_new_privileges: bool = False
    impossible: str | None = None


@dataclass(frozen=True, slots=True)
class ContainerDependency:
    """`dependsOn[]` of a container: start no earlier than container `name` has come to `condition`, which is START,
    COMPLETE (ended, whatever the exit code) or SUCCESS (ended with 0)."""

    name: str
    condition: str


@dataclass(frozen=True, slots=True)
class Container:
    """One container of an attempt.

    `environment` is complete except for what only the executor knows (PATH and HOME where the job names none, GPU
    numbers, scratch folder). `memory_mib` is a hard limit, `vcpus` are shares (F 6.4). `node` is its node in a
    multi-node job; what `essential`, `depends_on` and `start_timeout_seconds` mean is in core.tasks.
    `stop_timeout_seconds` replaces the grace of a `Stop`. `secrets` are variables by what their values are from;
    when an executor is told to launch they are in the environment, and here no longer (`executors/secrets.py`).
    """

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    vcpus: float
    memory_mib: int
    gpus: int = 0
    user: str | None = None
    ulimits: tuple[Ulimit, ...] = ()
    max_swap_mib: int | None = None
    node: int = 0
    essential: bool = True
    depends_on: tuple[ContainerDependency, ...] = ()
    start_timeout_seconds: int | None = None
    stop_timeout_seconds: int | None = None
    isolation: Isolation | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder that is made for an attempt before it starts and outlives it, as a training job has one.

    path: where, absolute, on the attempt's host; it is the attempt's alone. The others are relative to it and never
    lead out of it. folders: made in it. files: their texts. links: what stands for a folder or file elsewhere, which
    must exist, by an absolute path; `shared` the same for folders that are made if missing. failure: a file in it whose
    beginning says why, if the attempt fails. Whatever stands at its top is to be found in the working folder, too.
    """

    path: str
    folders: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """Start this attempt as soon as its vCPUs, memory and GPUs are free; queue it (first in, first out) until then.

    `vcpus`, `memory_mib` and `gpus` are what is reserved for its containers together, of which there is at least one.
    `main_node` is the node whose end is the attempt's. `in_containers` tells a supervisor to run each from its image.
    With `impossible` the start fails with that reason.
    """

    attempt_id: AttemptId
    job_id: str
    compute_environment: str
    vcpus: float
    memory_mib: int
    gpus: int
    containers: tuple[Container, ...]
    main_node: int = 0
    workspace: Workspace | None = None
    in_containers: bool = False
    impossible: str | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """End this attempt: SIGTERM to its whole tree, SIGKILL after the grace period (30 seconds on AWS, F 5.3).

    An attempt still queued is dropped without ever starting; it is reported as `AttemptExited` with no exit code and
    no `started_at`.
    """

    attempt_id: AttemptId
    grace_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Return this attempt if it has not started: answered by `AttemptReturned`, or ignored if it has started."""

    attempt_id: AttemptId


Order = Launch | Stop | TakeBack


@dataclass(frozen=True, slots=True)
class Capacity:
    """What attempts may hold together, in all and per compute environment (vCPUs by its name)."""

    vcpus: float
    memory_mib: int
    gpus: int = 0
    compute_environment_vcpus: Mapping[str, float] = field(default_factory=dict)


# ------------------------------------------------------------------------------------------ reports


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """The attempt's main process runs since `at`. Left out when the attempt ended before the batch was sent: then
    `AttemptExited.started_at` says it."""

    attempt_id: AttemptId
    at: Millis


@dataclass(frozen=True, slots=True)
class ContainerExit:
    """How one of several containers ended; `started_at` and `exit_code` are None for one that never ran."""

    position: int
    at: Millis
    started_at: Millis | None
    exit_code: int | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptExited:
    """The attempt ended and left nothing behind; its log is complete on disk.

    `exit_code` is what a shell would see (128 + n for signal n), or None if no process ever ran. `reason` is the text
    for container.reason (F 3.5): an out-of-memory kill, or why the start failed. `started_at` is None when it never
    started. `failed_to_start` marks a command, user or folder that could not be used (`Task failed to start`).
    Of an attempt of several containers these are those of the one that decides (core.tasks), and `containers` has all.
    """

    attempt_id: AttemptId
    at: Millis
    started_at: Millis | None
    exit_code: int | None
    reason: str | None = None
    failed_to_start: bool = False
    containers: tuple[ContainerExit, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptLost:
    """The attempt was accepted, and nobody can say how it ended: its host or its supervisor died.

    Whatever was left of it has been killed before this is reported, so a next attempt never runs beside it.
    """

    attempt_id: AttemptId
    at: Millis
    started_at: Millis | None = None


@dataclass(frozen=True, slots=True)
class AttemptReturned:
    """The attempt was taken back before it started; it does not count (see `TakeBack`)."""

    attempt_id: AttemptId
    at: Millis


Report = AttemptStarted | AttemptExited | AttemptLost | AttemptReturned


@dataclass(frozen=True, slots=True)
class Position:
    """How far in an executor's journal: `journal` names the journal (a new one is made when the data folder is new),
    `record` is the number of the last record taken in, 0 for none."""

    journal: str = ""
    record: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Reports in journal order; `position` is that of the last one."""

    position: Position
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """Sent once per connection, after the replay: every attempt that the executor holds, started or waiting."""

    position: Position
    attempts: frozenset[AttemptId]


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The executor cannot be reached now; orders are kept back until the next `Observed`."""

    detail: str


Message = Batch | Observed | ConnectionLost


class Executor(Protocol):
    """Threads: `start` returns at once; `sink` is called from the executor's own thread and must not block.

    `instance_id` names the host as AWS would an EC2 instance (`i-` and 17 hex digits), for `Host EC2 (instance
    i-...) terminated.` and for container instance ARNs.
    """

    name: str
    instance_id: str

    def start(self, after: Position, sink: Callable[[Message], None]) -> None:
        """Connect (starting the supervisor if none runs), replay what came after `after`, keep reconnecting."""

    def configure(self, capacity: Capacity) -> None:
        """Say what attempts may hold together from now on; running attempts are never ended by a smaller capacity."""

    def order(self, orders: Sequence[Order]) -> None:
        """Hand over orders, in order. Returns at once; orders given while disconnected are dropped, since the next
        `Observed` lets the engine derive them again from its rows."""

    def acknowledge(self, position: Position) -> None:
        """Everything up to `position` is committed; the journal may forget it."""

    def honours(self) -> Mapping[str, str]:
        """What this executor cannot do here, by member name, each with the reason and the remedy; empty if nothing."""

    def close(self) -> None:
        """Disconnect. What runs goes on running."""
