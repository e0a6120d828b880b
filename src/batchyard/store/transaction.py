"""One transaction, as the rooms above see it: a door for each kind of row.

Every statement lives in the file of its resource; nothing above the store writes SQL. Reads see what was written
earlier in the same transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from sqlalchemy import Connection

from batchyard.store.compute_environments import ComputeEnvironments
from batchyard.store.job_definitions import JobDefinitions
from batchyard.store.job_queues import JobQueues
from batchyard.store.log_groups import LogGroups
from batchyard.store.log_streams import LogStreams
from batchyard.store.tags import Tags


class Transaction:
    """Doors to the rows, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @cached_property
    def compute_environments(self) -> ComputeEnvironments:
        """Compute environments."""
        return ComputeEnvironments(self.connection)

    @cached_property
    def job_queues(self) -> JobQueues:
        """Job queues."""
        return JobQueues(self.connection)

    @cached_property
    def job_definitions(self) -> JobDefinitions:
        """Job definitions, one row per revision."""
        return JobDefinitions(self.connection)

    @cached_property
    def tags(self) -> Tags:
        """Tags of every resource."""
        return Tags(self.connection)

    @cached_property
    def log_groups(self) -> LogGroups:
        """Log groups."""
        return LogGroups(self.connection)

    @cached_property
    def log_streams(self) -> LogStreams:
        """Log streams: one for every attempt that started."""
        return LogStreams(self.connection)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What happens inside is undone if the block raises, without touching what came before it."""
        self.connection.exec_driver_sql("SAVEPOINT one_request")
        try:
            yield
        except BaseException:
            self.connection.exec_driver_sql("ROLLBACK TO one_request")
            self.connection.exec_driver_sql("RELEASE one_request")
            raise
        self.connection.exec_driver_sql("RELEASE one_request")
