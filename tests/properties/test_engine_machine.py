"""The engine over the real SQLite, driven rule by rule; after every rule the rows are sound, and in the end all ends.

Where the simulation throws dice for long, Hypothesis looks for the shortest story that goes wrong.
"""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from batchyard.core.invariants import broken
from tests.engine.yard import Yard, job_request

sizes = st.sampled_from([None, None, 2, 3])
_EXIT_ON_2 = {"attempts": 3, "evaluateOnExit": [{"onExitCode": "2", "action": "EXIT"}]}
strategies = st.sampled_from([None, {"attempts": 2}, _EXIT_ON_2])
waits = st.sampled_from(["plain", "child", "N_TO_N", "SEQUENTIAL"])
vcpus = st.sampled_from(["1", "2", "6"])


class EngineMachine(RuleBasedStateMachine):
    """Clients, processes that end when a rule says so, a clock, a server and a supervisor that may be killed."""

    jobs: Bundle[tuple[str, int | None]] = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="batchyard-", dir="/dev/shm")
        self.yard = Yard(Path(self._folder.name))

    def teardown(self) -> None:
        """Everything that runs is ended, and then nothing waits."""
        try:
            self.yard.settle()
            self.yard.finish_all()
            unended = [job for job in self.yard.world.records.jobs.values() if not job.status.is_terminal]
            assert unended == []
        finally:
            self.yard.close()
            self._folder.cleanup()

    def _ask(self, operation: str, **request: Any) -> Any:
        call = self.yard.world.ask(operation, request)
        self.yard.world.live_on()
        return call.outcome

    @rule(target=jobs, size=sizes, strategy=strategies, vcpus=vcpus, queue=st.sampled_from(["urgent", "normal"]))
    def submit(self, size: int | None, strategy: Any, vcpus: str, queue: str) -> Any:
        """A job, or an array."""
        needs = {"resourceRequirements": [{"type": "VCPU", "value": vcpus}]}
        more = {} if strategy is None else {"retryStrategy": strategy}
        request = job_request(size=size, jobQueue=queue, containerOverrides=needs, **more)
        return self._ask("SubmitJob", **request)["jobId"], size

    @rule(target=jobs, on=jobs, how=waits, size=sizes, index=st.integers(0, 2))
    def submit_after(self, on: tuple[str, int | None], how: str, size: int | None, index: int) -> Any:
        """A job or an array that waits for another."""
        job_id, other = on
        entry = {"jobId": job_id} if how == "plain" else {"jobId": job_id, "type": how}
        if how == "child":
            entry = {"jobId": f"{job_id}:{index}" if other and index < other else job_id}
        elif how == "SEQUENTIAL":
            size, entry = size or 3, {"type": "SEQUENTIAL"}
        elif how == "N_TO_N":
            if other is None:
                return multiple()
            size = other
        return self._ask("SubmitJob", **job_request(size=size, after=[entry]))["jobId"], size

    @rule(chance=st.randoms(use_true_random=False), exit_code=st.sampled_from([0, 0, 1, 2]))
    def finish(self, chance: Any, exit_code: int) -> None:
        """One of the processes ends."""
        if running := self.yard.running():
            self.yard.finish(chance.choice(running), exit_code=exit_code)

    @rule(job=jobs, index=st.none() | st.integers(0, 2), kind=st.sampled_from(["CancelJob", "TerminateJob"]))
    def end(self, job: tuple[str, int | None], index: int | None, kind: str) -> None:
        """Cancel or terminate a job, an array or a child."""
        name = job[0] if index is None else f"{job[0]}:{index}"
        self._ask(kind, jobId=name, reason="asked")

    @rule(job=consumes(jobs))
    def end_at_once(self, job: tuple[str, int | None]) -> None:
        """Submit something that waits for a job and terminate that job, all in one transaction."""
        world = self.yard.world
        world.ask("SubmitJob", job_request(size=2, after=[{"jobId": job[0]}]))
        world.ask("TerminateJob", {"jobId": job[0], "reason": "asked"})
        world.live_on()

    @rule()
    def restart_server(self) -> None:
        """The server is killed and started."""
        self.yard.world.kill_server("by rule")
        self.yard.settle()

    @rule()
    def kill_supervisor(self) -> None:
        """What runs is lost."""
        self.yard.world.kill_supervisor()
        self.yard.settle()

    @invariant()
    def rows_are_sound(self) -> None:
        """All of `core.invariants`."""
        self.yard.world.look()
        assert list(broken(self.yard.world.records)) == []


TestEngineMachine = EngineMachine.TestCase
TestEngineMachine.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
