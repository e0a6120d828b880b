"""Opening the database: connections, pragmas, migrations.

One writer, many readers: `Database.write()` is used by the engine's thread alone (its transaction is the tick),
`Database.read()` by whoever answers a question. SQLite runs in WAL mode, so readers never wait for the writer and see
the last committed state; `synchronous=FULL` makes a commit mean *on disk* (design, promise 1).
"""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, PoolProxiedConnection, create_engine, event, inspect
from sqlalchemy.pool import NullPool, QueuePool

from batchyard.store.statements import Statements
from batchyard.store.transaction import Transaction

log = logging.getLogger(__name__)

HEAD = "0001"
"""The newest migration; a test holds it against migrations/versions."""


class DatabaseProblem(Exception):
    """The database cannot be used; the message says what to do."""


class Database:
    """The yard's records. `url` is an SQLAlchemy URL; `Database.at(folder)` is the embedded default."""

    def __init__(self, url: str, *, synchronous: str = "FULL") -> None:
        self._synchronous = synchronous
        self._writer_engine = self._engine(url, NullPool)
        self._reader_engine = self._engine(url, QueuePool, pool_size=8, max_overflow=8)
        self._writer: PoolProxiedConnection | None = None
        self._writer_statements: Statements
        self._writer_lock = threading.Lock()
        self.url = url

    @classmethod
    def at(cls, data: Path, *, synchronous: str = "FULL") -> "Database":
        """The SQLite database of a data folder, which is made if need be."""
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(f"sqlite:///{data / 'batchyard.sqlite3'}", synchronous=synchronous)

    def _engine(self, url: str, pool: type[Any], **options: Any) -> Engine:
        # "autocommit" at the driver, since pysqlite's own ideas of when to begin would break savepoints.
        engine = create_engine(
            url, poolclass=pool, connect_args={"isolation_level": None, "check_same_thread": False}, **options
        )
        event.listen(engine, "connect", self._on_connect)
        return engine

    def _on_connect(self, connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={self._synchronous}")
        cursor.execute("PRAGMA busy_timeout=10000")
        cursor.execute("PRAGMA cache_size=-16384")
        cursor.execute("PRAGMA wal_autocheckpoint=4000")
        cursor.close()

    def migrate(self) -> None:
        """Bring an empty or older database to the newest schema; does nothing (and loads nothing) when it is there.

        Raises DatabaseProblem for a database written by a newer Batchyard.
        """
        with self._reader_engine.connect() as connection:
            found = self._revision(connection)
        if found == HEAD:
            return
        if found is not None and found > HEAD:
            raise DatabaseProblem(
                f"The database is of a newer Batchyard (schema {found}, this one knows {HEAD}). "
                "Use that Batchyard, or another --data folder."
            )
        from batchyard.store.migrations import upgrade

        upgrade(self._writer_engine)

    @staticmethod
    def _revision(connection: Connection) -> str | None:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """The one writing transaction: committed (on disk) at the end, undone if the block or the commit raises."""
        with self._writer_lock:
            if self._writer is None:
                self._writer = self._writer_engine.raw_connection()
                self._writer_statements = Statements(self._writer.driver_connection, remembers=True)
            statements = self._writer_statements
            statements.run("BEGIN IMMEDIATE")
            try:
                yield Transaction(statements)
                statements.run("COMMIT")
            except BaseException:
                self._undo(statements)
                raise

    def _undo(self, statements: Statements) -> None:
        """Roll back; where that cannot be done (SQLite may have done so itself) the next writer is a new connection."""
        statements.forget()
        try:
            statements.run("ROLLBACK")
        except Exception:
            log.warning("the transaction could not be rolled back; its connection is closed", exc_info=True)
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A snapshot of what is committed; nothing may be written through it."""
        pooled = self._reader_engine.raw_connection()
        try:
            statements = Statements(pooled.driver_connection)
            statements.run("BEGIN")
            try:
                yield Transaction(statements)
            finally:
                statements.run("ROLLBACK")
        finally:
            pooled.close()

    def close(self) -> None:
        """Close every connection; waits for a write under way."""
        with self._writer_lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._writer_engine.dispose()
        self._reader_engine.dispose()


def sqlite_version() -> tuple[int, ...]:
    """The version of the SQLite library that this Python speaks to."""
    return sqlite3.sqlite_version_info
