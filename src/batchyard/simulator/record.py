"""What came out of a replay: who ran when. Everything that is said, drawn or checked afterwards follows from this."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from batchyard.core.ids import JobSeq, Millis
from batchyard.simulator.yard import SimulatedYard

FOREVER = Millis(1 << 62)
"""The start and the end of what has neither."""


class Run(NamedTuple):
    """A job of a replay. seq: its place in the order of submission. number: its number in the trace. A job that could
    never fit, or was never placed, starts and ends at FOREVER."""

    seq: JobSeq
    number: int
    queue: str
    share_identifier: str
    vcpus: float
    memory_mib: int
    submitted_at: Millis
    started_at: Millis
    ended_at: Millis
    environment: str

    @property
    def waited_millis(self) -> int:
        """From submission to start."""
        return self.started_at - self.submitted_at

    @property
    def ran_millis(self) -> int:
        """From start to end."""
        return self.ended_at - self.started_at

    @property
    def vcpu_seconds(self) -> float:
        """What it used."""
        return self.vcpus * self.ran_millis / 1000


@dataclass(frozen=True, slots=True)
class Record:
    """runs: in the order of their starts. waiting: jobs that were left, were never placed and could have been.
    misfits: jobs that can never fit, which wait for another machine. plans: how many were made."""

    yard: SimulatedYard
    runs: Sequence[Run]
    waiting: Sequence[Run]
    misfits: Sequence[Run]
    plans: int

    @property
    def begins_at(self) -> Millis:
        """When the first job was submitted."""
        return min((run.submitted_at for run in self.runs), default=Millis(0))

    @property
    def ends_at(self) -> Millis:
        """When the last job ended."""
        return max((run.ended_at for run in self.runs), default=Millis(0))
