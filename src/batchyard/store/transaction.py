"""One transaction, as the rooms above see it: a door for each kind of row.

Every statement lives in the file of its resource; nothing above the store writes SQL. Reads see what was written
earlier in the same transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection


class Transaction:
    """Doors to the rows, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

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
