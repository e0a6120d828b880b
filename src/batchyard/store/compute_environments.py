"""Rows of compute environments; `batchyard.core.resources.ComputeEnvironment` above the store."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from batchyard.core.ids import Millis
from batchyard.core.resources import ComputeEnvironment
from batchyard.store.documents import dump, load
from batchyard.store.statements import Statements

_SELECT = (
    "SELECT id, name, type, state, status, status_reason, platform, max_vcpus, created_at, document"
    " FROM compute_environments"
)


class ComputeEnvironments:
    """The door to them, on one connection."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def get(self, name: str) -> ComputeEnvironment | None:
        """The one of this name."""

        def look() -> ComputeEnvironment | None:
            row = self._statements.run(f"{_SELECT} WHERE name = ?", (name,)).one_or_none()
            return None if row is None else _environment(row)

        return self._statements.remembered(("compute_environments", name), look)

    def all(self) -> list[ComputeEnvironment]:
        """Every one, oldest first; there are few (quota)."""
        return [_environment(row) for row in self._statements.run(f"{_SELECT} ORDER BY id")]

    def page(self, after: int, limit: int) -> list[ComputeEnvironment]:
        """At most `limit`, oldest first, of those with a greater id than `after`."""
        rows = self._statements.run(f"{_SELECT} WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
        return [_environment(row) for row in rows]

    def named(self, names: Sequence[str]) -> list[ComputeEnvironment]:
        """Those of these names that exist, in the order given."""
        found = (self.get(name) for name in dict.fromkeys(names))
        return [environment for environment in found if environment is not None]

    def count(self) -> int:
        """How many there are."""
        counted = self._statements.run("SELECT count(*) FROM compute_environments")
        return int(counted.scalar_one())

    def insert(self, environment: ComputeEnvironment) -> ComputeEnvironment:
        """Add it; the answer bears its id. The name must be free."""
        self._statements.forget()
        cursor = self._statements.run(
            "INSERT INTO compute_environments"
            " (name, created_at, type, state, status, status_reason, platform, max_vcpus, document)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (environment.name, environment.created_at, *_mutable(environment)),
        )
        return replace(environment, id=cursor.lastrowid)

    def update(self, environment: ComputeEnvironment) -> None:
        """Write everything but name and time of creation over the row of its id."""
        self._statements.forget()
        self._statements.run(
            "UPDATE compute_environments SET type = ?, state = ?, status = ?, status_reason = ?, platform = ?,"
            " max_vcpus = ?, document = ? WHERE id = ?",
            (*_mutable(environment), environment.id),
        )

    def delete(self, name: str) -> None:
        """Remove the one of this name."""
        self._statements.forget()
        self._statements.run("DELETE FROM compute_environments WHERE name = ?", (name,))


def _mutable(environment: ComputeEnvironment) -> tuple[Any, ...]:
    return (
        environment.type,
        environment.state,
        environment.status,
        environment.status_reason,
        environment.platform,
        environment.max_vcpus,
        dump(environment.document),
    )


def _environment(row: Any) -> ComputeEnvironment:
    return ComputeEnvironment(
        id=row[0],
        name=row[1],
        type=row[2],
        state=row[3],
        status=row[4],
        status_reason=row[5],
        platform=row[6],
        max_vcpus=row[7],
        created_at=Millis(row[8]),
        document=load(row[9]),
    )
