"""One transaction, as the rooms above see it: a door for each kind of row.

Every statement lives in the file of its resource; nothing above the store writes SQL. Reads see what was written
earlier in the same transaction.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TypeVar

from batchyard.store.array_children import ArrayChildren
from batchyard.store.attempt_containers import AttemptContainers
from batchyard.store.attempts import Attempts
from batchyard.store.blocked_jobs import BlockedJobs
from batchyard.store.compute_environments import ComputeEnvironments
from batchyard.store.consumable_resources import ConsumableResources
from batchyard.store.dependencies import Dependencies
from batchyard.store.engine_state import EngineState
from batchyard.store.history import History
from batchyard.store.job_definitions import JobDefinitions
from batchyard.store.job_lists import JobLists
from batchyard.store.job_queues import JobQueues
from batchyard.store.jobs import Jobs
from batchyard.store.log_groups import LogGroups
from batchyard.store.log_streams import LogStreams
from batchyard.store.phases import Phases
from batchyard.store.pruning import Pruning
from batchyard.store.queue_fronts import QueueFronts
from batchyard.store.records import Records
from batchyard.store.service_jobs import ServiceJobs
from batchyard.store.shares import Shares
from batchyard.store.statements import Statements
from batchyard.store.tags import Tags

T = TypeVar("T")


class TransactionLost(Exception):
    """The database has undone the whole transaction by itself, as SQLite does when the disk is full; nothing that was
    done in it has happened, and nothing more may be done in it."""


class Transaction:
    """Doors to the rows, on one connection."""

    def __init__(self, statements: Statements) -> None:
        self.statements = statements

    def remembered(self, key: Hashable, look: Callable[[], T]) -> T:
        """What `look` makes of queues, compute environments and definitions alone, made anew once one has changed."""
        return self.statements.remembered(key, look)

    @cached_property
    def compute_environments(self) -> ComputeEnvironments:
        """Compute environments."""
        return ComputeEnvironments(self.statements)

    @cached_property
    def job_queues(self) -> JobQueues:
        """Job queues."""
        return JobQueues(self.statements)

    @cached_property
    def scheduling_policies(self) -> Records:
        """Scheduling policies."""
        return Records(self.statements, "scheduling_policies")

    @cached_property
    def service_environments(self) -> Records:
        """Service environments."""
        return Records(self.statements, "service_environments")

    @cached_property
    def quota_shares(self) -> Records:
        """Quota shares, by `<queue>/<quota share>`."""
        return Records(self.statements, "quota_shares")

    @cached_property
    def phases(self) -> Phases:
        """What is CREATING, UPDATING or DELETING."""
        return Phases(self.statements)

    @cached_property
    def consumable_resources(self) -> ConsumableResources:
        """Consumable resources, and what jobs need of them."""
        return ConsumableResources(self.statements)

    @cached_property
    def shares(self) -> Shares:
        """The shares of fair-share queues: what they have used, and their first jobs."""
        return Shares(self.statements)

    @cached_property
    def queue_fronts(self) -> QueueFronts:
        """What stands at the front of a queue, and what its jobs hold."""
        return QueueFronts(self.statements)

    @cached_property
    def job_definitions(self) -> JobDefinitions:
        """Job definitions, one row per revision."""
        return JobDefinitions(self.statements)

    @cached_property
    def tags(self) -> Tags:
        """Tags of every resource."""
        return Tags(self.statements)

    @cached_property
    def log_groups(self) -> LogGroups:
        """Log groups."""
        return LogGroups(self.statements)

    @cached_property
    def log_streams(self) -> LogStreams:
        """Log streams: one for every attempt that started."""
        return LogStreams(self.statements)

    @cached_property
    def jobs(self) -> Jobs:
        """Submitted jobs: single ones and the parents of arrays."""
        return Jobs(self.statements)

    @cached_property
    def job_lists(self) -> JobLists:
        """Pages of the jobs of a queue."""
        return JobLists(self.statements)

    @cached_property
    def pruning(self) -> Pruning:
        """Jobs that are to be forgotten."""
        return Pruning(self.statements)

    @cached_property
    def blocked_jobs(self) -> BlockedJobs:
        """Jobs that say why they cannot be placed."""
        return BlockedJobs(self.statements)

    @cached_property
    def service_jobs(self) -> ServiceJobs:
        """What service jobs have besides the rows of every job."""
        return ServiceJobs(self.statements)

    @cached_property
    def array_children(self) -> ArrayChildren:
        """Array children that have been placed."""
        return ArrayChildren(self.statements)

    @cached_property
    def attempts(self) -> Attempts:
        """Attempts of every job."""
        return Attempts(self.statements)

    @cached_property
    def attempt_containers(self) -> AttemptContainers:
        """Containers of attempts that have several."""
        return AttemptContainers(self.statements)

    @cached_property
    def dependencies(self) -> Dependencies:
        """Who waits for whom."""
        return Dependencies(self.statements)

    @cached_property
    def history(self) -> History:
        """The story of every job."""
        return History(self.statements)

    @cached_property
    def engine_state(self) -> EngineState:
        """What the engine must not forget."""
        return EngineState(self.statements)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What happens inside is undone if the block raises, without touching what came before it.

        Raises TransactionLost where that is no longer possible.
        """
        self.statements.run("SAVEPOINT one_request")
        try:
            yield
        except BaseException as error:
            self.statements.forget()
            try:
                self.statements.run("ROLLBACK TO one_request")
            except Exception:
                raise TransactionLost from error
            self.statements.run("RELEASE one_request")
            raise
        self.statements.run("RELEASE one_request")
