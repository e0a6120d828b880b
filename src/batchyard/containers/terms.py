"""What the label of a container keeps of its launch, to go on with it after a restart.

The containers of an attempt are all made before it waits for its turn, and the label of each has the whole plan of the
attempt: in what order they start and which of them decides. So no launch need be remembered anywhere else.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from batchyard.core.ids import AttemptId, container_id
from batchyard.core.tasks import START
from batchyard.executors.interface import Container, ContainerDependency, Launch


@dataclass(frozen=True, slots=True)
class Member:
    """One container of an attempt, as far as core.tasks and its end are concerned."""

    name: str
    node: int = 0
    essential: bool = True
    depends_on: tuple[ContainerDependency, ...] = ()
    start_timeout_seconds: int | None = None
    stop_timeout_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """`number` is the attempt's place in the queue, `gpu_numbers` its GPUs, `volumes` what was made for it;
    `position` is this container's, and `log_bytes` what its log held before it was made."""

    number: int
    job_id: str
    compute_environment: str
    vcpus: float
    memory_mib: int
    members: tuple[Member, ...]
    main_node: int = 0
    position: int = 0
    log_bytes: int = 0
    gpu_numbers: tuple[int, ...] = ()
    volumes: tuple[str, ...] = ()
    grouped: bool = False


def terms_of(launch: Launch, number: int, network: str) -> Terms:
    """Those of an attempt. `network` is what its containers have unless they say otherwise."""
    members = tuple(_member(launch, position, network) for position in range(len(launch.containers)))
    return Terms(
        number,
        launch.job_id,
        launch.compute_environment,
        launch.vcpus,
        launch.memory_mib,
        members,
        launch.main_node,
    )


def run_ids(attempt_id: AttemptId, terms: Terms) -> Iterator[AttemptId]:
    """What the attempt's containers are named after, by position."""
    return (container_id(attempt_id, position) for position in range(len(terms.members)))


def network_of(launch: Launch, position: int, network: str) -> int | str:
    """The network of a container: the engine's name for it, or the position of the container whose it shares.

    The host's is shared by all. Any other is that of the first container of its node that waits for none.
    """
    holder = _holder(launch, launch.containers[position].node)
    wanted = _own_network(launch.containers[holder], network)
    return wanted if wanted == "host" or position == holder else holder


def _holder(launch: Launch, node: int) -> int:
    of_node = [position for position, container in enumerate(launch.containers) if container.node == node]
    free = (position for position in of_node if not launch.containers[position].depends_on)
    return next(free, of_node[0])


def _own_network(container: Container, network: str) -> str:
    return (container.isolation.network if container.isolation else None) or network


def _member(launch: Launch, position: int, network: str) -> Member:
    """Who shares the network of another starts after that one."""
    container = launch.containers[position]
    depends_on, shared = container.depends_on, network_of(launch, position, network)
    if isinstance(shared, int):
        depends_on = (*depends_on, ContainerDependency(launch.containers[shared].name, START))
    return Member(
        container.name,
        container.node,
        container.essential,
        depends_on,
        container.start_timeout_seconds,
        container.stop_timeout_seconds,
    )
