"""Containers on their way from an order to a running process, in two steps that take time: image and crun.

crun makes the container, starts its first process and ends; that process then is a child of the supervisor, as every
orphan below it is, and its death is noticed like that of any other. So no process stands between the two.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchyard.executors.interface import Isolation
from batchyard.executors.supervisor_protocol import ContainerSettings
from batchyard.supervisor.containers.bundle import ERROR_FILE, PROCESS_ID_FILE, error_of, make_bundle
from batchyard.supervisor.containers.discarded import Discarded
from batchyard.supervisor.containers.image import Image, ImageWish, Prepared
from batchyard.supervisor.containers.images import Images, Waiting, Watch
from batchyard.supervisor.containers.mounts import enter_own_mounts
from batchyard.supervisor.containers.runtime_spec import CannotContain
from batchyard.supervisor.launching import CannotStart

if TYPE_CHECKING:
    from batchyard.supervisor.runs import Run

_REASON_CHARACTERS = 500


class CannotPrepare(CannotStart):
    """The container cannot be had for a reason that is given in full."""

    def __init__(self, reason: str) -> None:
        Exception.__init__(self, reason)


@dataclass(slots=True)
class _Start:
    """One container's way. `waiting`: while its image is prepared."""

    environment: dict[str, str]
    gpus: tuple[int, ...]
    waiting: Waiting | None = None


class ContainerStarts:
    """Those of one supervisor.

    `spawn` runs a command with a run's output, in its control group and the given folder, and returns its process id.
    `running` is told of a container's first process; `failed` why there is none; `reaped` of a child that died before
    it was known whose it is.
    """

    def __init__(
        self,
        data: Path,
        watch: Watch,
        *,
        spawn: "Callable[[Run, tuple[str, ...], Path], int]",
        running: "Callable[[Run, int], None]",
        failed: "Callable[[Run, str | None], None]",
        reaped: Callable[[int, int], None],
    ) -> None:
        self.settings = ContainerSettings()
        self._spawn = spawn
        self._running = running
        self._failed = failed
        self._reaped = reaped
        self._images = Images(data / "images", watch)
        self._discarded = Discarded(data / "scratch")
        self._starts: dict[Run, _Start] = {}
        self._creating: dict[int, Run] = {}
        self._early: dict[int, int] = {}
        self._has_own_mounts = False

    @property
    def helpers(self) -> list[int]:
        """Children of this process that are no container's."""
        remover = self._discarded.remover
        return [*self._images.helpers, *self._creating, *([] if remover is None else [remover])]

    @property
    def is_removing(self) -> bool:
        """Whether something of ended containers is still to be removed."""
        return self._discarded.is_busy

    def begin(self, run: "Run", environment: dict[str, str], gpus: tuple[int, ...]) -> None:
        """Set out; ends in `running` or `failed`, not before this returns. Raises CannotStart if it cannot begin."""
        isolation = run.container.isolation or Isolation()
        if isolation.impossible:
            raise CannotPrepare(isolation.impossible)
        self._enter_own_mounts()
        policy = isolation.pull_policy or self.settings.pull_policy
        wish = ImageWish(run.container.image, policy, isolation.architecture, isolation.credentials)
        start = _Start(environment, gpus)
        if image := self._images.find(wish):
            self._create(run, start, image)
        else:
            start.waiting = Waiting(run.say, lambda prepared: self._on_prepared(run, prepared))
            try:
                self._images.request(wish, start.waiting)
            except OSError as failure:
                raise CannotPrepare(f"CannotPullContainerError: {failure}") from failure
        self._starts[run] = start

    def give_up(self, run: "Run") -> None:
        """It is no longer wanted: `failed` is called without a reason, if crun has not begun. Beyond that the command
        may be at work already, so it is to be ended like any that runs once `running` is called."""
        start = self._starts[run]
        if start.waiting:
            self._images.give_up(start.waiting)
            del self._starts[run]
            self._failed(run, None)

    def end(self) -> None:
        """The supervisor is told to end: nothing more is pulled."""
        self._images.end()

    def reaped(self, process_id: int, status: int) -> bool:
        """A child has died; whether that was of any meaning here."""
        if run := self._creating.pop(process_id, None):
            self._on_created(run, os.waitstatus_to_exitcode(status))
            return True
        if self._images.reaped(process_id) or self._discarded.reaped(process_id):
            return True
        if self._creating:
            # Perhaps a container that ended before its crun was seen to end.
            self._early[process_id] = status
        return False

    def continue_removing(self) -> float | None:
        """Remove what is due; return after how many seconds to call again."""
        return self._discarded.remove_what_is_due()

    def remove(self, run: "Run") -> None:
        """Nothing of it lives: take away what it lay in."""
        if run.bundle is not None:
            self._discarded.add(run.bundle)

    def _enter_own_mounts(self) -> None:
        if self._has_own_mounts:
            return
        if os.geteuid() != 0:
            raise CannotStart("containers of the oci executor need a supervisor that runs as root")
        try:
            enter_own_mounts()
        except OSError as failure:
            raise CannotStart(f"no mount namespace can be made: {failure.strerror}") from failure
        self._has_own_mounts = True

    def _on_prepared(self, run: "Run", prepared: Prepared) -> None:
        start = self._starts[run]
        start.waiting = None
        if prepared.image is None:
            del self._starts[run]
            self._failed(run, prepared.failure)
            return
        try:
            self._create(run, start, prepared.image)
        except CannotStart as failure:
            del self._starts[run]
            self._failed(run, str(failure))

    def _create(self, run: "Run", start: _Start, image: Image) -> None:
        crun = shutil.which("crun")
        if crun is None:
            raise CannotStart("crun is not installed on this machine")
        isolation = run.container.isolation or Isolation()
        asked = isolation.network if isolation.network in ("host", "none") else None
        bundle = run.scratch / f"container-{run.position}"
        run.bundle = bundle
        run.stop_signal = image.stop_signal
        try:
            make_bundle(
                bundle,
                run.container,
                image,
                start.environment,
                gpus=start.gpus,
                network=asked or self.settings.network,
                mark=run.mark,
            )
            options = ("--cgroup-manager=disabled", f"--root={bundle}/state", f"--log={bundle}/{ERROR_FILE}")
            how = ("run", "--detach", f"--pid-file={bundle}/{PROCESS_ID_FILE}", f"--bundle={bundle}", run.mark)
            process_id = self._spawn(run, (crun, *options, "--log-format=json", *how), bundle)
        except (CannotContain, CannotStart, OSError) as failure:
            self._discarded.add(bundle)
            if isinstance(failure, CannotStart):
                raise
            raise CannotStart(str(failure)) from failure
        self._creating[process_id] = run

    def _on_created(self, run: "Run", exit_code: int) -> None:
        del self._starts[run]
        assert run.bundle
        if exit_code:
            detail = error_of(run.bundle) or f"crun ended with {exit_code}"
            self._failed(run, str(CannotStart(detail[:_REASON_CHARACTERS])))
        else:
            process_id = int((run.bundle / PROCESS_ID_FILE).read_text())
            self._running(run, process_id)
            if (status := self._early.pop(process_id, None)) is not None:
                self._reaped(process_id, status)
        if not self._creating:
            self._early.clear()
