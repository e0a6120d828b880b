"""A yard without chance: every process runs until the test says how it ends."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from batchyard.core.invariants import broken
from batchyard.core.refusals import Refusal
from batchyard.executors.interface import Launch
from tests.simulation.programs import NEVER, Fate
from tests.simulation.world import World


def _until_told(_launch: Launch, _position: int) -> Fate:
    return Fate(NEVER, 0, None, obeys_sigterm=True, can_start=True)


def job_request(*, size: int | None = None, after: Sequence[Mapping[str, str]] = (), **more: Any) -> dict[str, Any]:
    """A SubmitJob request: 1 vCPU, in queue `urgent`, unless `more` says otherwise."""
    request = {"jobName": "job", "jobQueue": "urgent", "jobDefinition": "any", "parameters": {"program": "hangs"}}
    array = {} if size is None else {"arrayProperties": {"size": size}}
    return request | array | {"dependsOn": list(after)} | more


class Yard:
    """The simulated world's server, supervisor and clock, without faults. The machine has 6 vCPUs and 2,000 MiB."""

    def __init__(self, folder: Path) -> None:
        self.world = World("no chance", folder, crash_rate=0, failure_rate=0)
        self.world.supervisor.fate = _until_told
        self.world.begin()
        self.settle()

    def settle(self) -> None:
        """Let everybody act until nothing more happens by itself; timeouts do."""
        self.world.live_on()
        self.world.look()
        assert list(broken(self.world.records)) == []

    def ask(self, operation: str, /, **request: Any) -> Any:
        """Ask and settle; returns the answer. Raises Refusal."""
        call = self.world.ask(operation, request)
        self.settle()
        if isinstance(call.outcome, Refusal):
            raise call.outcome
        return call.outcome

    def ask_now(self, operation: str, /, **request: Any) -> Any:
        """As `ask`, and no time passes."""
        call = self.world.ask(operation, request)
        self.world.come_to_rest()
        self.world.look()
        if isinstance(call.outcome, Refusal):
            raise call.outcome
        return call.outcome

    def let_pass(self, seconds: float) -> None:
        """Time passes, and everybody does what is due then."""
        self.world.clock.advance_to(self.world.clock.now() + round(1000 * seconds))
        self.world.supervisor.let_time_pass()
        self.world.come_to_rest()
        self.world.look()

    def restart(self) -> None:
        """The server is killed, and another one starts."""
        assert self.world.server is not None
        settings = self.world.server.settings
        self.world.kill_server("for the test")
        self.world.start_server()
        self.world.server.settings = settings
        self.world.come_to_rest()

    def hold_phases(self, seconds: float) -> None:
        """`[compatibility] phase_seconds`."""
        assert self.world.server is not None
        self.world.server.settings = replace(self.world.server.settings, phase_seconds=seconds)

    def read(self, operation: str, /, **request: Any) -> Any:
        """A question."""
        assert self.world.server is not None
        return self.world.server.read(operation, request)

    def submit(self, **more: Any) -> str:
        """Submit what `job_request` makes; returns the job's id."""
        job_id: str = self.ask("SubmitJob", **job_request(**more))["jobId"]
        return job_id

    def finish(self, *names: str, exit_code: int = 0) -> None:
        """These running jobs end now."""
        for name in names:
            self.world.supervisor.finish(name, exit_code)
        self.settle()

    def finish_all(self) -> None:
        """Whatever runs succeeds, until nothing runs any more."""
        while names := self.running():
            self.finish(*names)

    def running(self) -> list[str]:
        """The jobs and children whose processes run."""
        return [run.job_id for run in self.world.ledger.running()]

    def describe(self, name: str) -> dict[str, Any]:
        """One JobDetail."""
        assert self.world.server is not None
        [detail] = self.world.server.read("DescribeJobs", {"jobs": [name]})["jobs"]
        return dict(detail)

    def end_of(self, name: str) -> tuple[str, str | None, int]:
        """Status, statusReason and how many attempts there were."""
        detail = self.describe(name)
        return detail["status"], detail.get("statusReason"), len(detail["attempts"])

    def close(self) -> None:
        """Let go of the files."""
        self.world.close()
