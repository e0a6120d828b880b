"""What every executor must do with attempts of several containers; the rules themselves are tested in tests/core.

A suite for one executor subclasses `TaskConformance` beside `ExecutorConformance`, with the same fixture `host`.
"""

from batchyard.core.ids import container_id
from batchyard.executors.interface import AttemptExited, Launch, Stop
from batchyard.logs.files import logs_folder
from batchyard.logs.reader import AttemptLog
from tests.executors.conformance import Host, until
from tests.executors.launches import part, task


def exit_codes(end: AttemptExited) -> list[int | None]:
    """Those of the containers, by position."""
    assert [each.position for each in end.containers] == list(range(len(end.containers)))
    return [each.exit_code for each in end.containers]


def text(host: Host, order: Launch, position: int) -> str:
    """What one container wrote."""
    with AttemptLog(logs_folder(host.data), container_id(order.attempt_id, position), ended=True) as log:
        return "\n".join(event.message for event in log.page().events)


class TaskConformance:
    """The suite."""

    def test_each_container_has_its_exit_code_and_its_log(self, host: Host) -> None:
        order = task(
            part("app", "echo from the app; exit 3"), part("side", "echo from the side; exit 4", essential=False)
        )
        (end,) = host.connect().run(order)
        assert end.exit_code == 3
        assert exit_codes(end)[0] == 3
        assert text(host, order, 0) == "from the app"
        assert text(host, order, 1) in ("from the side", "")

    def test_containers_wait_for_those_they_depend_on(self, host: Host) -> None:
        order = task(
            part("app", "exit 5", ("second", "SUCCESS")),
            part("first", "sleep 0.2; exit 1", essential=False),
            part("second", "exit 0", ("first", "COMPLETE"), essential=False),
        )
        (end,) = host.connect().run(order)
        assert (end.exit_code, exit_codes(end)) == (5, [5, 1, 0])
        app, first, second = end.containers
        assert app.started_at is not None
        assert second.started_at is not None
        assert first.at <= second.started_at <= second.at <= app.started_at

    def test_a_dependency_that_fails_keeps_the_dependent_from_starting(self, host: Host) -> None:
        order = task(part("app", "echo ran", ("prepare", "SUCCESS")), part("prepare", "exit 2", essential=False))
        (end,) = host.connect().run(order)
        assert (end.exit_code, exit_codes(end)) == (None, [None, 2])
        assert end.containers[0].started_at is None
        assert "prepare" in (end.reason or "")
        assert text(host, order, 0) == ""

    def test_when_an_essential_container_ends_the_others_are_stopped(self, host: Host) -> None:
        order = task(
            part("app", "trap 'exit 9' TERM; while :; do sleep 0.01; done"),
            part("other", "sleep 0.3; exit 6"),
            part("side", "sleep 1000", essential=False),
        )
        (end,) = host.connect().run(order)
        assert end.exit_code == 6
        assert exit_codes(end) == [9, 6, 143]

    def test_a_container_that_ignores_its_end_is_killed_after_its_own_stop_timeout(self, host: Host) -> None:
        order = task(
            part("app", "sleep 0.2"),
            part("deaf", "trap '' TERM; while :; do sleep 0.01; done", essential=False, stop_timeout_seconds=1),
        )
        (end,) = host.connect().run(order)
        assert (end.exit_code, exit_codes(end)) == (0, [0, 137])

    def test_a_stop_ends_all_of_it(self, host: Host) -> None:
        client = host.connect()
        order = task(
            part("app", "echo up; exec sleep 1000"),
            part("late", "echo", ("side", "COMPLETE")),
            part("side", "echo up; exec sleep 1000", essential=False),
        )
        client.order(order)
        until(lambda: all(text(host, order, position) == "up" for position in (0, 2)))
        client.order(Stop(order.attempt_id, 30))
        end = client.ends([order.attempt_id])[order.attempt_id]
        assert isinstance(end, AttemptExited)
        assert sorted(exit_codes(end), key=str) == [143, 143, None], end

    def test_the_main_node_ends_the_others(self, host: Host) -> None:
        order = task(
            part("node-0", "sleep 1000", ("node-1", "START"), node=0),
            part("node-1", "sleep 0.3; exit 7", node=1),
            part("node-2", "exit 1", ("node-1", "START"), node=2),
            main_node=1,
        )
        (end,) = host.connect().run(order)
        assert (end.exit_code, exit_codes(end)) == (7, [143, 7, 1])

    def test_nothing_of_a_task_is_left_behind_for_the_next(self, host: Host) -> None:
        client = host.connect(vcpus=0.5)
        orders = [task(part("a", "exit 0"), part("b", "sleep 0.05", essential=False)) for _ in range(4)]
        assert [end.exit_code for end in client.run(*orders)] == [0, 0, 0, 0]
