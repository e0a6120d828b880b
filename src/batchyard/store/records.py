"""Rows of resources that are a name and a document; `batchyard.core.resources.Record` above the store."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from batchyard.core.ids import Millis
from batchyard.core.resources import Record
from batchyard.store.documents import dump, load
from batchyard.store.statements import Statements


class Records:
    """The door to one kind of them, on one connection."""

    def __init__(self, statements: Statements, table: str) -> None:
        """`table` is one of ours, never from outside."""
        self._run = statements.run
        self._table = table
        self._select = f"SELECT id, name, created_at, document FROM {table}"

    def get(self, name: str) -> Record | None:
        """The one of this name; one index look-up."""
        row = self._run(f"{self._select} WHERE name = ?", (name,)).one_or_none()
        return None if row is None else _record(row)

    def page(self, after: int, limit: int, *, prefix: str = "") -> list[Record]:
        """At most `limit`, oldest first, of those with a greater id than `after` whose names begin with `prefix`."""
        statement = f"{self._select} WHERE id > ? AND substr(name, 1, length(?)) = ? ORDER BY id LIMIT ?"
        return [_record(row) for row in self._run(statement, (after, prefix, prefix, limit))]

    def named(self, names: Sequence[str]) -> list[Record]:
        """Those of these names that exist, in the order given."""
        found = (self.get(name) for name in dict.fromkeys(names))
        return [record for record in found if record is not None]

    def count(self) -> int:
        """How many there are."""
        return int(self._run(f"SELECT count(*) FROM {self._table}").scalar_one())

    def insert(self, record: Record) -> Record:
        """Add it; the answer bears its id. The name must be free."""
        cursor = self._run(
            f"INSERT INTO {self._table} (name, created_at, document) VALUES (?, ?, ?)",
            (record.name, record.created_at, dump(record.document)),
        )
        return replace(record, id=cursor.lastrowid)

    def update(self, record: Record) -> None:
        """Write the document over that of the row of its id."""
        self._run(f"UPDATE {self._table} SET document = ? WHERE id = ?", (dump(record.document), record.id))

    def delete(self, name: str) -> None:
        """Remove the one of this name."""
        self._run(f"DELETE FROM {self._table} WHERE name = ?", (name,))


def _record(row: Any) -> Record:
    return Record(row[0], row[1], Millis(row[2]), load(row[3]))
