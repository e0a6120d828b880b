"""Rows of phases; `batchyard.core.resources.Phase` above the store. There are few: one for each resource in one."""

from collections.abc import Mapping

from batchyard.core.resources import Phase
from batchyard.store.statements import Statements

_COLUMNS = "resource, status, began_at, due_at, stop_at"


class Phases:
    """What is CREATING, UPDATING or DELETING, by the tail of its ARN."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def get(self, resource: str) -> Phase | None:
        """The phase that this resource is in; None if it is in none."""
        row = self._run(f"SELECT {_COLUMNS} FROM phases WHERE resource = ?", (resource,)).one_or_none()
        return None if row is None else Phase(*row)

    def all(self) -> Mapping[str, Phase]:
        """Every one, by the resource."""
        found = [Phase(*row) for row in self._run(f"SELECT {_COLUMNS} FROM phases ORDER BY resource")]
        return {phase.resource: phase for phase in found}

    def put(self, phase: Phase) -> None:
        """Begin a phase, in the place of one that the resource is in already."""
        self._run(
            f"INSERT OR REPLACE INTO phases ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
            (phase.resource, phase.status, phase.began_at, phase.due_at, phase.stop_at),
        )

    def delete(self, resource: str) -> None:
        """The phase has ended."""
        self._run("DELETE FROM phases WHERE resource = ?", (resource,))
