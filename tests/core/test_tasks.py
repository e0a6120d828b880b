"""What to start and stop among the containers of an attempt, on a small simulated host."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.core.ids import Millis
from batchyard.core.tasks import ContainerState, Steps, next_steps
from batchyard.executors.interface import Container, ContainerDependency

NOW = Millis(1_000_000)


def container(name: str, *depends_on: tuple[str, str], **members: object) -> Container:
    """A container that depends on others, given as (name, condition)."""
    dependencies = tuple(ContainerDependency(*each) for each in depends_on)
    return Container(name, "busybox", ("true",), {}, 1.0, 64, depends_on=dependencies, **members)  # type: ignore[arg-type]


class Task:
    """Carries out what `next_steps` says, at once but for ends, which a test orders."""

    def __init__(self, *containers: Container, main_node: int = 0) -> None:
        self.containers = containers
        self.main_node = main_node
        self.states = [ContainerState() for _ in containers]
        self.stopped: set[str] = set()
        self.started: list[str] = []
        self.given_up: dict[str, str] = {}
        self.is_stopped = False
        self.ends = 0
        self.now = NOW
        self.steps = Steps()
        self.advance()

    def advance(self) -> None:
        """Follow the steps until there are none."""
        while True:
            self.steps = next_steps(
                self.containers, self.states, self.now, main_node=self.main_node, is_stopped=self.is_stopped
            )
            for position in self.steps.start:
                self.states[position] = ContainerState(self.now)
                self.started.append(self.containers[position].name)
            for position, reason in self.steps.give_up:
                self.given_up[self.containers[position].name] = reason
                self._end(position, None)
            self.stopped |= {self.containers[position].name for position in self.steps.stop}
            if not self.steps.start and not self.steps.give_up:
                return

    def _end(self, position: int, exit_code: int | None) -> None:
        self.ends += 1
        self.states[position] = self.states[position]._replace(end_order=self.ends, exit_code=exit_code)

    def end(self, name: str, exit_code: int = 0) -> "Task":
        """A container ends."""
        self._end([c.name for c in self.containers].index(name), exit_code)
        self.advance()
        return self

    @property
    def decided_by(self) -> str | None:
        """The container that decided, once all have ended."""
        return None if self.steps.decided_by is None else self.containers[self.steps.decided_by].name


def test_one_container_starts_and_decides() -> None:
    task = Task(container("main"))
    assert task.started == ["main"]
    assert task.decided_by is None
    assert task.end("main", 3).decided_by == "main"


def test_all_without_dependencies_start_together() -> None:
    assert Task(container("a"), container("b")).started == ["a", "b"]


def test_start_waits_for_the_start_of_another() -> None:
    task = Task(container("app", ("db", "START")), container("db", essential=False))
    assert task.started == ["db", "app"]


@pytest.mark.parametrize(("condition", "exit_code"), [("COMPLETE", 0), ("COMPLETE", 7), ("SUCCESS", 0)])
def test_complete_and_success_wait_for_the_end(condition: str, exit_code: int) -> None:
    task = Task(container("app", ("prepare", condition)), container("prepare", essential=False))
    assert task.started == ["prepare"]
    assert task.end("prepare", exit_code).started == ["prepare", "app"]


def test_a_failed_success_dependency_dooms_the_dependent_and_with_it_the_task() -> None:
    task = Task(container("app", ("prepare", "SUCCESS")), container("prepare", essential=False), container("side"))
    task.end("prepare", 1)
    assert "SUCCESS" in task.given_up["app"]
    assert task.stopped == {"side"}
    assert task.end("side", 143).decided_by == "app"


def test_a_non_essential_end_matters_to_nobody() -> None:
    task = Task(container("app"), container("side", essential=False)).end("side", 1)
    assert not task.stopped
    assert task.end("app", 0).decided_by == "app"


@pytest.mark.parametrize("exit_code", [0, 1])
def test_an_essential_end_stops_the_others(exit_code: int) -> None:
    task = Task(container("app"), container("second"), container("side", essential=False)).end("second", exit_code)
    assert task.stopped == {"app", "side"}
    assert task.end("app", 143).end("side", 143).decided_by == "second"


def test_what_others_depend_on_stops_after_them() -> None:
    task = Task(container("main"), container("app", ("db", "START")), container("db", essential=False)).end("main")
    assert task.stopped == {"app"}
    assert task.end("app", 143).stopped == {"app", "db"}


def test_a_stop_reaches_those_that_run_and_those_that_wait() -> None:
    task = Task(container("app", ("prepare", "COMPLETE")), container("prepare", essential=False))
    task.is_stopped = True
    task.advance()
    assert task.stopped == {"prepare"}
    assert "app" in task.given_up
    assert task.end("prepare", 143).decided_by == "app"


def test_a_start_timeout_gives_up_on_those_who_wait_for_it() -> None:
    task = Task(
        container("app", ("prepare", "COMPLETE")), container("prepare", essential=False, start_timeout_seconds=5)
    )
    assert task.steps.look_again_at == NOW + 5000
    task.now = Millis(NOW + 5000)
    task.advance()
    assert "start timeout" in task.given_up["app"]
    assert task.stopped == {"prepare"}


def test_a_pod_runs_all_to_their_end_and_the_first_failure_decides() -> None:
    pod = [container(name, essential=False) for name in ("a", "b", "c")]
    task = Task(*pod).end("b", 2)
    assert not task.stopped
    assert task.end("c", 3).end("a", 0).decided_by == "b"
    assert Task(*pod).end("c").end("a").end("b").decided_by == "b"


def test_an_init_container_that_fails_decides_the_pod() -> None:
    init = container("init", essential=False)
    pod = container("app", ("init", "SUCCESS"), essential=False)
    assert Task(init, pod).end("init", 4).decided_by == "init"


def nodes(count: int, main: int) -> list[Container]:
    """A multi-node job: all nodes wait for the start of the main one."""
    return [
        container(f"node-{i}", *([] if i == main else [(f"node-{main}", "START")]), node=i, essential=True)
        for i in range(count)
    ]


def test_the_main_node_starts_first_and_ends_all() -> None:
    task = Task(*nodes(3, 1), main_node=1)
    assert task.started[0] == "node-1"
    assert sorted(task.started) == ["node-0", "node-1", "node-2"]
    task.end("node-2", 9)
    assert not task.stopped
    task.end("node-1", 0)
    assert task.stopped == {"node-0"}
    assert task.end("node-0", 143).decided_by == "node-1"


def test_an_essential_container_ends_only_its_own_node() -> None:
    two = [container("app", node=1), container("side", node=1, essential=False)]
    task = Task(container("main"), *two).end("app", 1)
    assert task.stopped == {"side"}


graphs = st.integers(1, 6).flatmap(
    lambda size: st.tuples(
        *(
            st.tuples(
                st.booleans(),
                st.lists(
                    st.tuples(st.integers(0, max(0, position - 1)), st.sampled_from(["START", "COMPLETE", "SUCCESS"])),
                    max_size=2 if position else 0,
                ),
            )
            for position in range(size)
        )
    )
)


@given(graphs, st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=40), st.booleans())
def test_every_task_comes_to_an_end(
    graph: Sequence[tuple[bool, list[tuple[int, str]]]], ends: list[tuple[int, int]], stop: bool
) -> None:
    """Whatever ends in whatever order, nothing starts early, and once all that runs has ended the task is decided."""
    containers = [
        container(str(i), *((str(on), condition) for on, condition in depends), essential=essential)
        for i, (essential, depends) in enumerate(graph)
    ]
    task = Task(*containers)
    task.is_stopped = stop
    task.advance()
    for choice, exit_code in [*ends, *[(0, 0)] * len(containers)]:
        running = [c.name for c, state in zip(containers, task.states, strict=True) if state.is_running]
        if not running:
            break
        task.end(running[choice % len(running)], exit_code)
    assert task.decided_by is not None
    for one, state in zip(containers, task.states, strict=True):
        for dependency in one.depends_on:
            target = task.states[int(dependency.name)]
            if state.started_at is not None:
                assert target.started_at is not None
