"""What to start and stop among the containers of one attempt, and which of them decides how it ended.

An attempt's containers are those of one ECS task, of one pod, or of the nodes of a multi-node job; whoever runs them
(the supervisor, or a container engine's client) asks `next_steps` after every change. The rules (User Guide,
Multi-container jobs, Amazon EKS jobs, Multi-node parallel jobs; F 7.6, 7.7, 8.7):

* A container waits for its dependencies: START, COMPLETE or SUCCESS of others. One whose dependency can no longer
  come true, or has not within the `startTimeout` of the container it names, gives up.
* When an essential container ends, for whatever reason, the others of its node stop. Those that others depend on
  stop after them. The first essential container to end decides.
* Where nothing is essential (a pod) all run to their end. The first that failed decides, else the last to end.
* When the main node has ended, all nodes stop; how it ended is how the attempt ended. Other nodes end by themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from batchyard.core.ids import Millis

START, COMPLETE, SUCCESS = "START", "COMPLETE", "SUCCESS"


class Dependency(Protocol):
    """`dependsOn[]`: the name of another container of the same node, or for START of any, and its condition."""

    @property
    def name(self) -> str: ...
    @property
    def condition(self) -> str: ...


class TaskContainer(Protocol):
    """What these rules need to know of a container."""

    @property
    def name(self) -> str: ...
    @property
    def node(self) -> int: ...
    @property
    def essential(self) -> bool: ...
    @property
    def depends_on(self) -> Sequence[Dependency]: ...
    @property
    def start_timeout_seconds(self) -> int | None: ...


class ContainerState(NamedTuple):
    """How far a container has come. `end_order` counts the ends within the attempt from 1; None until it has ended.

    One that could not be started, or gave up, has ended without ever having started.
    """

    started_at: Millis | None = None
    end_order: int | None = None
    exit_code: int | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left of it."""
        return self.end_order is not None

    @property
    def is_running(self) -> bool:
        """Whether it has started and not ended."""
        return self.started_at is not None and self.end_order is None


@dataclass(frozen=True, slots=True)
class Steps:
    """Positions of containers. give_up: never to be started, with the reason. look_again_at: when a `startTimeout`
    runs out. decided_by: the container whose end is the attempt's, once all have ended."""

    start: tuple[int, ...] = ()
    give_up: tuple[tuple[int, str], ...] = ()
    stop: tuple[int, ...] = ()
    look_again_at: Millis | None = None
    decided_by: int | None = None


def next_steps(
    containers: Sequence[TaskContainer],
    states: Sequence[ContainerState],
    now: Millis,
    *,
    main_node: int = 0,
    is_stopped: bool = False,
) -> Steps:
    """What to do now. is_stopped: the whole attempt is to end. `stop` may name containers that are being stopped."""
    if all(state.has_ended for state in states):
        return Steps(decided_by=_decider(containers, states, main_node))
    ending = _ending_nodes(containers, states, main_node, is_stopped)
    positions = _positions(containers)
    start, give_up, due = [], [], []
    for position, (container, state) in enumerate(zip(containers, states, strict=True)):
        if state.started_at is not None or state.has_ended:
            continue
        if container.node in ending:
            give_up.append((position, "the task ended before the container could start"))
            continue
        outlook = _outlook(container, containers, states, positions, now)
        if isinstance(outlook, str):
            give_up.append((position, outlook))
        elif outlook is None:
            start.append(position)
        elif outlook > 0:
            due.append(Millis(outlook))
    stop = tuple(_to_stop(containers, states, ending))
    return Steps(tuple(start), tuple(give_up), stop, min(due, default=None))


def _ending_nodes(
    containers: Sequence[TaskContainer], states: Sequence[ContainerState], main_node: int, is_stopped: bool
) -> set[int]:
    nodes = {container.node for container in containers}
    if is_stopped:
        return nodes
    ending = {c.node for c, state in zip(containers, states, strict=True) if c.essential and state.has_ended}
    ending |= nodes - {c.node for c, state in zip(containers, states, strict=True) if not state.has_ended}
    return nodes if main_node in ending else ending


def _positions(containers: Sequence[TaskContainer]) -> Mapping[str | tuple[int, str], int]:
    """Where each container is, by its node and name, and by its name alone the first of that name."""
    found: dict[str | tuple[int, str], int] = {}
    if len(containers) > 1:
        for position, container in enumerate(containers):
            found[container.node, container.name] = position
            found.setdefault(container.name, position)
    return found


def _outlook(
    container: TaskContainer,
    containers: Sequence[TaskContainer],
    states: Sequence[ContainerState],
    positions: Mapping[str | tuple[int, str], int],
    now: Millis,
) -> int | str | None:
    """None if the container may start; why it never will; or until when it waits at most (0: without limit)."""
    waits_until = []
    for dependency in container.depends_on:
        own = positions.get((container.node, dependency.name))
        position = positions[dependency.name] if own is None else own
        target, state = containers[position], states[position]
        if _holds(dependency.condition, state):
            continue
        if state.has_ended:
            return f"dependency on container {dependency.name} can no longer reach {dependency.condition}"
        limit = target.start_timeout_seconds
        if limit is None or state.started_at is None:
            waits_until.append(0)
        elif (due := state.started_at + 1000 * limit) <= now:
            return f"container {dependency.name} did not reach {dependency.condition} within its start timeout"
        else:
            waits_until.append(due)
    if not waits_until:
        return None
    return min((due for due in waits_until if due), default=0)


def _holds(condition: str, state: ContainerState) -> bool:
    if condition == START:
        return state.started_at is not None
    return state.has_ended and state.started_at is not None and (condition == COMPLETE or state.exit_code == 0)


def _to_stop(containers: Sequence[TaskContainer], states: Sequence[ContainerState], ending: set[int]) -> Iterable[int]:
    """Those that run in an ending node, once none that runs there depends on them."""
    needed = {
        (container.node, dependency.name)
        for container, state in zip(containers, states, strict=True)
        if state.is_running
        for dependency in container.depends_on
    }
    for position, (container, state) in enumerate(zip(containers, states, strict=True)):
        if state.is_running and container.node in ending and (container.node, container.name) not in needed:
            yield position


def _decider(containers: Sequence[TaskContainer], states: Sequence[ContainerState], main_node: int) -> int:
    """The first essential container of the main node to end; without one the first that failed, else the last."""
    of_main = [position for position, container in enumerate(containers) if container.node == main_node]

    def order(position: int) -> int:
        return states[position].end_order or 0

    essential = [position for position in of_main if containers[position].essential]
    if essential:
        return min(essential, key=order)
    failed = [position for position in of_main if states[position].exit_code != 0]
    return min(failed, key=order) if failed else max(of_main, key=order)
