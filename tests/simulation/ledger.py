"""What truly happened, kept outside of everything that is tested: every process that ever ran."""

from dataclasses import dataclass, field

from batchyard.core.ids import AttemptId
from batchyard.executors.interface import ContainerExit, Launch


@dataclass(slots=True)
class Run:
    """One attempt's processes. `ended_at` is None while any runs; `exit_code` is None when nobody was there to see it
    end, or when the container that decides never ran. `exits`: those of its containers, seen with its end."""

    launch: Launch
    started_at: int
    incarnation: int
    ended_at: int | None = None
    exit_code: int | None = None
    exits: tuple[ContainerExit, ...] = ()

    @property
    def attempt_id(self) -> AttemptId:
        """The attempt that it is of."""
        return self.launch.attempt_id

    @property
    def job_id(self) -> str:
        """The job or array child, as clients know it."""
        return self.launch.job_id

    @property
    def number(self) -> int:
        """AWS_BATCH_JOB_ATTEMPT, as the program sees it."""
        return int(self.launch.containers[0].environment["AWS_BATCH_JOB_ATTEMPT"])


@dataclass(slots=True)
class Ledger:
    """All runs in the order in which they started."""

    runs: list[Run] = field(default_factory=list)

    def begin(self, launch: Launch, at: int, incarnation: int) -> Run:
        """A process starts."""
        run = Run(launch, at, incarnation)
        self.runs.append(run)
        return run

    def running(self) -> list[Run]:
        """The processes that run now."""
        return [run for run in self.runs if run.ended_at is None]

    def by_job(self) -> dict[str, list[Run]]:
        """The runs of each job or child, in order."""
        found: dict[str, list[Run]] = {}
        for run in self.runs:
            found.setdefault(run.job_id, []).append(run)
        return found
