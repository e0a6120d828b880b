"""The oci executor: the conformance suite in real containers, and each property as it is seen from inside."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from batchyard.executors.interface import (
    AttemptExited,
    AttemptLost,
    Container,
    Device,
    Isolation,
    Launch,
    Mount,
    Order,
    Stop,
    Tmpfs,
    Ulimit,
)
from batchyard.executors.oci import OciExecutor
from batchyard.executors.process import stop_supervisor
from batchyard.executors.supervisor_protocol import ContainerSettings, supervisor_folder
from tests.executors.conformance import ExecutorConformance, Host, new_mark, sleepers, the_only, until
from tests.executors.images import CONFIGURED, PLAIN
from tests.executors.launches import launch, shell
from tests.executors.task_conformance import TaskConformance

pytestmark = pytest.mark.process

_PROGRAMS = ("sh", "sleep", "env", "true", "false", "yes", "cat", "tail")


class InContainers(OciExecutor):
    """Runs the launches of a suite that knows of processes alone: in the plain image, under an init process as shells
    of the host are, with the folder of the test where it is."""

    shared: Path

    def order(self, orders: Sequence[Order]) -> None:
        """Turn each launch into one of containers."""
        super().order([self._contained(o) if isinstance(o, Launch) and not o.in_containers else o for o in orders])

    def _contained(self, order: Launch) -> Launch:
        return replace(order, in_containers=True, containers=tuple(self._with_image(c) for c in order.containers))

    def _with_image(self, container: Container) -> Container:
        share = Mount(str(self.shared), source=str(self.shared))
        isolation = Isolation(init_process=container.command[:1] in [(name,) for name in _PROGRAMS], mounts=(share,))
        return replace(container, image=PLAIN, isolation=isolation)


@pytest.fixture
def host(tmp_path: Path, storage: Path) -> Iterator[Host]:
    yield from host_with(tmp_path, ContainerSettings())


def host_with(tmp_path: Path, settings: ContainerSettings) -> Iterator[Host]:
    data = tmp_path / "data"

    def make() -> OciExecutor:
        executor = InContainers(data, containers=settings)
        executor.shared = tmp_path
        return executor

    host = Host(data, make)
    yield host
    host.close()
    stop_supervisor(data, 0.1)
    assert "Traceback" not in (supervisor_folder(data) / "supervisor.log").read_text()
    left = [path for path in (data / "scratch").rglob("*") if path.name != "rootfs" or not path.is_dir()]
    assert left == [], "nothing is left of any container"


def contained(order: Launch, image: str = PLAIN, **isolation: object) -> Launch:
    """The launch as one of a container."""
    (container,) = order.containers
    made = Isolation(**isolation) if isolation else None  # type: ignore[arg-type]
    return replace(order, in_containers=True, containers=(replace(container, image=image, isolation=made),))


def inside(script: str, **isolation: object) -> Launch:
    """A container that runs a script."""
    return contained(shell(script), **isolation)  # type: ignore[arg-type]


def said(host: Host, order: Launch, code: int = 0) -> list[str]:
    """What a container wrote, once it has ended with this exit code."""
    end = the_only(host.connect().run(order))
    text = host.text(order) if host.raw(order).exists() else ""
    assert end.exit_code == code, (end, text)
    return text.splitlines()


def supervisor_process(host: Host) -> int:
    return int((supervisor_folder(host.data) / "lock").read_text())


class TestOciExecutor(ExecutorConformance, TaskConformance):
    """The contract."""

    def test_the_working_folder_is_empty_and_gone_afterwards(self, host: Host) -> None:
        order = shell("pwd; mkdir -p /a/b; echo text >/a/b/c; chmod 500 /a; ln -s / /a/b/root")
        assert the_only(host.connect().run(order)).exit_code == 0
        assert host.text(order) == "/"
        assert not (host.data / "scratch" / order.attempt_id).exists()
