"""Rows of job definitions, one per revision; `batchyard.core.resources.JobDefinition` above the store.

A revision never changes but for its status, and its number is never given again: rows stay after deregistration.
"""

from collections.abc import Collection
from typing import Any

from batchyard.core.ids import Millis
from batchyard.core.resources import ACTIVE, INACTIVE, Document, JobDefinition
from batchyard.store.documents import dump, load
from batchyard.store.statements import Statements

_SELECT = "SELECT id, name, revision, status, type, created_at, document FROM job_definitions"


class JobDefinitions:
    """The door to them, on one connection."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def get(self, name: str, revision: int) -> JobDefinition | None:
        """One revision, whatever its status; one index look-up."""

        def look() -> JobDefinition | None:
            found = self._statements.run(f"{_SELECT} WHERE name = ? AND revision = ?", (name, revision))
            row = found.one_or_none()
            return None if row is None else _definition(row)

        return self._statements.remembered(("job_definitions", name, revision), look)

    def newest_active(self, name: str) -> JobDefinition | None:
        """The ACTIVE revision with the highest number; the index is walked from its end."""

        def look() -> JobDefinition | None:
            found = self._statements.run(
                f"{_SELECT} WHERE name = ? AND status = ? ORDER BY revision DESC LIMIT 1", (name, ACTIVE)
            )
            row = found.one_or_none()
            return None if row is None else _definition(row)

        return self._statements.remembered(("job_definitions", name), look)

    def page(
        self, *, name: str | None, status: str | None, before: int | None, limit: int, deregistered_after: Millis
    ) -> list[JobDefinition]:
        """At most `limit`, newest first: of one name or of all, of one status or of both.

        `before` is where the last page ended: a revision when a name is given, otherwise an id. Those deregistered
        at `deregistered_after` or earlier are left out.
        """
        position = "id" if name is None else "revision"
        conditions, values = ["(deregistered_at IS NULL OR deregistered_at > ?)"], [deregistered_after]
        for condition, value in (("name = ?", name), ("status = ?", status), (f"{position} < ?", before)):
            if value is not None:
                conditions.append(condition)
                values.append(value)  # type: ignore[arg-type]
        statement = f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY {position} DESC LIMIT ?"
        rows = self._statements.run(statement, (*values, limit))
        return [_definition(row) for row in rows]

    def references(self, identifiers: Collection[int]) -> dict[int, str]:
        """`name:revision` of each of these definitions, by id."""
        if not identifiers:
            return {}
        marks = ", ".join("?" * len(identifiers))
        found = self._statements.run(
            f"SELECT id, name, revision FROM job_definitions WHERE id IN ({marks})",
            tuple(identifiers),
        )
        return {row[0]: f"{row[1]}:{row[2]}" for row in found}

    def insert(self, name: str, definition_type: str, created_at: Millis, document: Document) -> JobDefinition:
        """Add the next revision of this name (the first is 1), ACTIVE."""
        self._statements.forget()
        newest = self._statements.run("SELECT coalesce(max(revision), 0) FROM job_definitions WHERE name = ?", (name,))
        revision = newest.scalar_one() + 1
        cursor = self._statements.run(
            "INSERT INTO job_definitions (name, revision, status, type, created_at, document)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (name, revision, ACTIVE, definition_type, created_at, dump(document)),
        )
        return JobDefinition(cursor.lastrowid, name, revision, ACTIVE, definition_type, created_at, document)

    def deregister(self, definition: JobDefinition, at: Millis) -> None:
        """Make it INACTIVE; does nothing if it is."""
        self._statements.forget()
        self._statements.run(
            "UPDATE job_definitions SET status = ?, deregistered_at = ? WHERE id = ? AND status = ?",
            (INACTIVE, at, definition.id, ACTIVE),
        )


def _definition(row: Any) -> JobDefinition:
    return JobDefinition(
        id=row[0],
        name=row[1],
        revision=row[2],
        status=row[3],
        type=row[4],
        created_at=Millis(row[5]),
        document=load(row[6]),
    )
